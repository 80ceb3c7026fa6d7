"""What the actions are handed from outside, as Protocols of a few methods each. Implementations: ``plugin.adapters``.

Paths are decoded, relative to the user's root, without a leading slash (``Contracts/2026/a.pdf``). ``user`` is the
login of the person in whose name the host is asked. File ids are decimal strings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from plugin.flow.events import Event
from plugin.flow.model import Flow, Instead

READ_ONLY = "read-only"
"""The code of an OutOfReach: the host answers, and does not let this user write there (403)."""


# ---- the host's file area -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or folder as the host tells it."""

    file_id: str
    path: str
    name: str
    size_bytes: int
    etag: str
    mime: str
    is_folder: bool
    modified_at: datetime
    can_write: bool
    """Files: may be overwritten. Folders: new files may be made in them, and written again later."""

    @property
    def folder(self) -> str:
        """The path of the folder that it lies in; "" for the user's root."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Written:
    """What a PUT answered. ``sha256`` (hex) is set only where the host itself hashed what it stored (``X-Hash``)."""

    etag: str
    file_id: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Streamed:
    """A file that is being read. ``size_bytes`` is None where the host does not say it. ``pieces`` may be read once;
    they raise HostUnavailable when they stop, or end early."""

    etag: str
    size_bytes: int | None
    pieces: Iterator[bytes]


class PreconditionFailed(Exception):
    """If-Match or If-None-Match did not hold (412): somebody else wrote. Never retried by the adapter."""


class Files(Protocol):
    """The host's files, by WebDAV, in a user's name.

    Raises HostUnavailable (no answer, 5xx, nonsense; of it AccountOut for 401, OutOfReach(READ_ONLY) where a write is
    denied), HostBusy (423, 429), HostFull (507), PreconditionFailed (412); FileTooLarge, from what reads a whole file.
    A file that is not there, or not this user's to see, is None.
    """

    def stat(self, user: str, path: str) -> FileInfo | None: ...
    def by_id(self, user: str, file_id: str) -> FileInfo | None: ...
    def by_ids(self, user: str, file_ids: Collection[str]) -> Mapping[str, FileInfo] | None:
        """Those of them that are there, by one call; None where the host cannot tell (it does not search)."""
        ...

    def list(self, user: str, path: str) -> Sequence[FileInfo]:
        """The folder's direct children, hidden ones too; [] where the folder is not there."""
        ...

    def find_by_name(self, user: str, name: str) -> Sequence[FileInfo] | None:
        """Every file of that name in the user's area (DAV SEARCH); None where the host does not offer it."""
        ...

    def read(self, user: str, path: str) -> bytes | None: ...
    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None: ...
    def read_start(self, user: str, path: str, length: int) -> bytes | None:
        """The first bytes alone, at most ``length``; no more than those are fetched where the host knows ranges."""
        ...

    def open_stream(self, user: str, path: str) -> AbstractContextManager[Streamed | None]:
        """Content of any size, never whole in memory. It may take as long as it comes at a pace."""
        ...

    def write_stream(self, user: str, path: str, pieces: Iterable[bytes], size_bytes: int) -> Written:
        """PUT of a new file of any size, only where none is. The pieces are read once, so nothing is tried again."""
        ...

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        """A copy made by the host itself, only where none is. The folder must exist. ``size_bytes``: how much there is
        to do, and so how long it may take. Returns: False, where the host does not copy, or not from there to there.

        Raises: PreconditionFailed; HostUnavailable("no-such-file") where there is no source or no folder.
        """
        ...

    def move(self, user: str, source: str, target: str) -> None:
        """Another name, only where none is. Raises: as ``copy``."""
        ...

    def write(
        self,
        user: str,
        path: str,
        data: bytes,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        make_folders: bool = False,
    ) -> Written:
        """PUT. Asks the host to hash what it stored; parent folders must exist (HostUnavailable otherwise).

        ``make_folders``: they need not, where the host can make them by the same call.
        """
        ...

    def make_folder(self, user: str, path: str) -> None:
        """MKCOL of every missing level; already there is fine."""
        ...

    def delete(self, user: str, path: str) -> None:
        """Gone already is fine. Skips the trash where the host allows it."""
        ...


# ---- the host's people ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Person:
    uid: str
    name: str
    email: str | None
    language: str
    groups: tuple[str, ...]
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A platform user as the directory shows him to somebody who types."""

    uid: str
    name: str
    email: str | None


class Directory(Protocol):
    """The host's users, by OCS. Raises HostUnavailable."""

    def person(self, uid: str) -> Person | None:
        """That user's own record, asked as that user (only so are e-mail and language told)."""
        ...

    def search(self, as_user: str, text: str) -> Sequence[Suggestion]:
        """By name, login or e-mail, as the host's own share dialog finds them; each user once, at most 20."""
        ...

    def users(self) -> Sequence[str]:
        """Every login of the platform (for rebuild)."""
        ...


class Account(StrEnum):
    """``OUT``: it is disabled. ``GONE``: there is no such login, or it is somebody else's now."""

    ACTIVE = "active"
    OUT = "out"
    GONE = "gone"


class Accounts(Protocol):
    """Whether a login still leads to the account that it led to. Raises HostUnavailable. What was found out holds for
    a little while."""

    def id(self, uid: str, *, fresh: bool = False) -> str | None:
        """What no other account of that login will bear; None where there is no such account. ``fresh``: asked of the
        host now, whatever was found out before."""
        ...

    def state(self, uid: str, known_id: str | None) -> Account:
        """``known_id``: what ``id`` said of the account that is meant; None where that was never asked."""
        ...


# ---- the host's own interface ---------------------------------------------------------------------------------------
class Platform(Protocol):
    """What the app hooks into the host, as the app itself. Raises HostUnavailable."""

    def report_progress(self, percent: int, error: str = "") -> None:
        """How far the first set-up is; 100 is done."""
        ...

    def put_entry(self, what: str, body: Mapping[str, object]) -> None:
        """Registers an entry of the interface: file action, page, script, style. Again is fine."""
        ...

    def remove_entry(self, what: str, body: Mapping[str, object]) -> None:
        """Gone already is fine."""
        ...

    def subscribe(self, event: str, path: str) -> None:
        """Asks for a kind of event at a path of ours. Again is fine."""
        ...

    def recall(self, key: str) -> str:
        """What the host keeps for us under a key; "" where it keeps nothing."""
        ...

    def remember(self, key: str, value: str) -> None:
        """Lets the host keep a short text for us, readable by its administrators."""
        ...


# ---- mail -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Mail:
    """One message. ``message_id`` is stable: the same event and person give the same one."""

    to: str
    to_name: str
    subject: str
    text: str
    html: str
    language: str
    message_id: str
    at: datetime


class MailRefused(Exception):
    """The server will never take it (5xx, malformed address). ``reason`` holds no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Mailer(Protocol):
    """Hands a mail over. Raises MailRefused (for good), HostUnavailable (try again)."""

    def send(self, mail: Mail) -> None: ...


# ---- the flows: state files beside the documents, with the index and the vault behind them -------------------------
@dataclass(frozen=True, slots=True)
class Record:
    """One line of the state file, read and verified. ``data`` holds clear ``Personal`` values."""

    seq: int
    at: datetime
    type: str
    actor: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where a state file lies: ``path`` is that of ``flow.jsonl``, relative to the owner's root."""

    owner: str
    path: str

    @property
    def folder(self) -> str:
        return self.path.rsplit("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A flow as its verified chain tells it. ``head``: hex SHA-256 of the last line's bytes; ``length``: lines."""

    flow: Flow
    records: tuple[Record, ...]
    head: str
    length: int
    place: StatePlace
    is_newer: bool = False
    """A newer version wrote to it what this one does not know: ``flow`` and ``records`` tell what could be read, and
    nothing is ever written to it, or to what lies beside it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to append to one flow for a while. ``fence`` stands in every event written under it."""

    flow_id: str
    fence: int


QUARANTINED, RESTORED, DAMAGED = "quarantined", "restored", "damaged"
"""Troubles of a flow's state file: foreign bytes were set aside; it was made again from its signed copy; it is not
what was written, and nothing proves what was. They stay until somebody has seen them."""
NEWER = "newer"
"""A newer version had its hand in a flow: nothing is done to it until this server is updated."""
UNKNOWN_KEY = "unknown-key"
"""A flow's state file has lines signed by a key that this server does not hold, and that its seal vouches for: nothing
is done to it until that key is there."""
ERASING = "erasing"
"""A person of a flow is being erased: noted before the line is written, ended once no salt of his is anywhere."""


class ChainMoved(Exception):
    """Somebody else's line came first and was adopted, or foreign bytes were put right: load again, decide again."""


class ChainBroken(Exception):
    """The state file is not what was written, and no signed copy proves what was. It was quarantined and reported.
    ``reason`` is a stable code; ``code`` is what people are told.
    """

    code = "chain-broken"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Flows(Protocol):
    """Reads and writes chains. Raises what ``Files`` raises, and ChainMoved, ChainBroken as said."""

    def load(self, flow_id: str) -> Loaded | None:
        """From the index's copy, chain and signatures verified; asks the host nothing. None: unknown.

        Raises: IndexMissing while the index is missing or being rebuilt; ChainBroken.
        """
        ...

    def lease(self, flow_id: str) -> AbstractContextManager[Lease]:
        """Waits up to 10 s. Renews itself while held.

        Raises: HostBusy("flow-busy").
        """
        ...

    def create(self, place: StatePlace, events: Sequence[Event], now: datetime) -> Loaded:
        """The first lines of a new flow (actor: creator; ``recipient.invited`` and the like: system), only if there is
        no such file; makes one salt a person; writes salts.json beside it first."""
        ...

    def append(
        self,
        loaded: Loaded,
        lease: Lease,
        events: Sequence[Event],
        actor: str,
        now: datetime,
        *,
        only_here: bool = False,
    ) -> Loaded:
        """PUT of the whole file under If-Match, head read back, index and vault updated: after it the events happened.
        Raises Conflict flow-newer, where a newer version had its hand in it.

        A lost answer is resolved by reading back. ``events`` empty: nothing is done. An event's time is never before
        its predecessor's. Lines that follow from the act (invited, completed) carry the actor ``system``.
        ``only_here``: the host's file is out of reach for ever, with its owner's account; the server's own copies
        go on without it, and put it right should it come back.

        Raises: ChainMoved, ChainBroken; OutOfReach where the state file, the folder that it lay in and the first
        document are all gone from its owner's sight.
        """
        ...

    def refresh(self, flow_id: str) -> Loaded | None:
        """Reads the state file from the host and adopts what is verified and newer; a missing or damaged one, and its
        salts, are restored where the vault's head proves the index's copy. Raises: ChainBroken."""
        ...

    def check(self, flow_id: str) -> None:
        """One look at the host whether anybody touched the state file or its salts; if so, as ``refresh``."""
        ...

    def forget(self, flow_id: str) -> None:
        """Whoever the chain says was erased has no salt anywhere any more, whatever was cut off before. ``append``
        of such a line does the same, as far as the host lets it. Raises: ChainBroken (also where a newer version had
        its hand in what lies beside the chain), Unavailable."""
        ...

    def keep_forgotten(self, flow_id: str) -> None:
        """One look at the host whether somebody put back the salt of a person who was erased; if so, as ``forget``."""
        ...

    def bring_home(self, flow_id: str) -> Loaded:
        """Puts the proven state file into its owner's own area, where its old place is out of his reach.

        Raises: ChainBroken, where nothing proves it.
        """
        ...


@dataclass(frozen=True, slots=True)
class LinkRow:
    flow_id: str
    recipient: str
    round: int


@dataclass(frozen=True, slots=True)
class ListRow:
    """One flow as lists show it. ``my_turn``: the asking user may act now."""

    flow_id: str
    kind: str
    state: str
    title: str
    creator: str
    creator_name: str
    creator_email: str | None
    created_at: datetime
    updated_at: datetime
    steps_done: int
    steps_total: int
    my_turn: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is. ``left_s``: an estimate of what is left; None where there is none yet."""

    done: int
    total: int
    left_s: int | None


class Index(Protocol):
    """Lists and look-ups that can be thrown away and rebuilt. Raises IndexMissing while it is missing."""

    def link(self, token_hash: str) -> LinkRow | None: ...
    def flows_of_file(self, file_id: str) -> Sequence[str]:
        """Newest first; also flows whose signed copy or evidence record this file is."""
        ...

    def flow_of_request(self, creator: str, request_key: str) -> str | None:
        """The flow that this user launched with that (hashed) Idempotency-Key."""
        ...

    def box(
        self, uid: str, account: str | None, box: str, text: str, state: str, before: str | None, limit: int
    ) -> Sequence[ListRow]:
        """``account``: the id of that login's account now; flows of an earlier one are not his. ``box``: todo
        (running, his turn), sent (creator), done (ended, creator or recipient). Newest first; ``before``: the flow
        id to go on from."""
        ...

    def listed(self, flow_ids: Sequence[str]) -> Sequence[ListRow]:
        """Those flows, newest first."""
        ...

    def flows_below(self, owner: str, folder: str) -> Sequence[str]:
        """Flows whose state file lies in this folder of its owner's, or below it."""
        ...

    def running(self) -> Sequence[str]:
        """Every flow that has not ended."""
        ...

    def with_erased(self) -> Sequence[str]:
        """Every flow of which somebody was erased."""
        ...

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        """Flows that owe something at ``now``."""
        ...


@dataclass(frozen=True, slots=True)
class LaunchAttempt:
    """A launch on its way, and the folders that it makes in its owner's area."""

    flow_id: str
    owner: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a flow needs a hand. ``person``: "" for the flow as a whole, else the recipient that it is about."""

    flow_id: str
    reason: str
    person: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What an original was when it was last looked at: it saves reading it again, and proves nothing.

    ``is_settled``: it had been left alone for long enough that this ETag can mean no other content.
    """

    etag: str
    size_bytes: int
    sha256: str
    path: str
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Laying:
    """A result about to be put into a folder: under ``name`` or the next free one, recognised there by its bytes.

    ``what`` tells the results of a flow apart. ``head``: that of the chain when it was made. ``instead``: as in
    ``SignedCopy``.
    """

    what: str
    folder: str
    name: str
    sha256: str
    head: str
    instead: Instead | None = None


class Vault(Protocol):
    """What cannot be rebuilt from files."""

    def seen(self, flow_id: str) -> Mapping[int, Seen]:
        """Document -> its original. Anything may be missing at any time."""
        ...

    def note_seen(self, flow_id: str, originals: Mapping[int, Seen]) -> None: ...
    def forget_seen(self, flow_id: str) -> None: ...

    def note_layings(self, flow_id: str, layings: Sequence[Laying]) -> None:
        """Noted before the first of them is put, so that after a crash each is found and none is put twice. Again is
        fine."""
        ...

    def layings(self, flow_id: str) -> Sequence[Laying]: ...

    def forget_layings(self, flow_id: str) -> None: ...

    def note_trouble(self, flow_id: str, reason: str, person: str, now: datetime) -> None:
        """The first time counts."""
        ...

    def troubles(self, flow_id: str | None = None) -> Sequence[Trouble]:
        """Of one flow, or of all."""
        ...

    def end_trouble(self, flow_id: str, reason: str, person: str) -> None: ...

    def begin_launch(self, attempt: LaunchAttempt, now: datetime) -> None:
        """Noted before the first folder is made, so that a crash leaves nothing behind."""
        ...

    def prolong_launch(self, flow_id: str, now: datetime) -> None:
        """It is still on its way: the hour begins anew."""
        ...

    def give_up_launch(self, flow_id: str, again: datetime) -> None:
        """It failed: from ``again`` on it is one of the cut-off ones."""
        ...

    def end_launch(self, flow_id: str) -> None:
        """The flow is there, or nothing of it is."""
        ...

    def cut_off_launches(self, now: datetime) -> Sequence[LaunchAttempt]:
        """Failed ones, those of an earlier boot, those of which nothing was heard for an hour; never of a flow whose
        first line counts."""
        ...

    def counted_launches(self) -> Sequence[LaunchAttempt]:
        """Those whose first line counts and that were not ended all the same: a crash came in between, or is on its
        way."""
        ...

    def mark_opened(self, flow_id: str, recipient: str, round_: int, now: datetime) -> None:
        """First opening wins."""
        ...

    def opened(self, flow_id: str) -> Mapping[tuple[str, int], datetime]:
        """(recipient, round) -> when the link or page was first opened."""
        ...

    def claim(self, flow_id: str, work: str, now: datetime, ttl_s: int) -> bool:
        """Only one worker gets a claim on a piece of work until it runs out or is released; also False before the
        time set by ``postpone``."""
        ...

    def postpone(self, flow_id: str, work: str, now: datetime, reason: str) -> datetime:
        """After a passing failure: releases the claim, counts the attempt, says when to try again (growing pauses)."""
        ...

    def attempts(self, flow_id: str) -> Mapping[str, tuple[int, str]]:
        """work -> (failed attempts so far, reason of the last)."""
        ...

    def put_off(self, reason: str, now: datetime) -> Sequence[str]:
        """Flows of which some work was postponed for that reason, and may be tried again."""
        ...

    def prolong(self, flow_id: str, work: str, now: datetime, ttl_s: int, word: str) -> None:
        """The holder of a claim keeps it for longer, and leaves word of how far it is."""
        ...

    def word(self, flow_id: str, work: str, now: datetime) -> str | None:
        """What the holder of a claim left, "" where nothing; None where nobody holds it."""
        ...

    def release(self, flow_id: str, work: str) -> None: ...


class Blobs(Protocol):
    """A bounded local cache of revisions by their SHA-256; anything may be missing at any time."""

    def get(self, sha256: str) -> bytes | None:
        """Verified on the way out."""
        ...

    def put(self, data: bytes, sha256: str | None = None) -> str:
        """``sha256`` of whoever has just computed it. Returns: the SHA-256, hex."""
        ...

    def drop(self, sha256: str) -> None:
        """It is not to be had here any more."""
        ...


class Jobs(Protocol):
    """Asks for ``owed`` of a flow to be looked at soon, outside this request. May be lost: the sweep comes behind."""

    def look_at(self, flow_id: str) -> None: ...
    def look_after(self, flow_id: str) -> None:
        """The same for what the host has become: moved, deleted, out of reach."""
        ...


# ---- words ----------------------------------------------------------------------------------------------------------
class Wording(Protocol):
    """Sentences that are put into documents, translated."""

    def stamp_lines(
        self, language: str, name: str, at: datetime, time_zone: str, reason: str | None
    ) -> tuple[str, ...]:
        """The lines of a stamp with text: name, date with its time zone, reason."""
        ...

    def seal_name(self, language: str, name: str) -> str:
        """What the seal says of itself: that it is the organisation's, put there for that person."""
        ...

"""``plugin.ports``, the part about flows: state files beside the documents, and the index of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from plugin.flow.events import Event
from plugin.flow.model import Flow


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


Check = Callable[[], None]
"""Asked right before something is put or taken away; what it raises ends that."""


def nothing() -> None:
    """No check."""


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

    def check_held(self, lease: Lease) -> None:
        """Asked right before something is put that a later one would put otherwise: whoever stood still for longer
        than his lease lasts is too late. Raises: HostBusy("flow-busy")."""
        ...

    def create(self, place: StatePlace, events: Sequence[Event], now: datetime, check: Check = nothing) -> Loaded:
        """The first lines of a new flow (actor: creator; ``recipient.invited`` and the like: system), only if there is
        no such file; makes one salt a person; writes salts.json beside it first. ``check``: asked before either."""
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

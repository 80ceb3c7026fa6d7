"""``plugin.ports``, the part about the vault: what cannot be made again from the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from plugin.flow.model import Instead


@dataclass(frozen=True, slots=True)
class LaunchAttempt:
    """A launch on its way. ``folders``: that it makes in its owner's area -> the id of the one that each is made in,
    by which it is found when somebody moves that; "": not known, or the owner's root, which nobody moves."""

    flow_id: str
    owner: str
    folders: Mapping[str, str]


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
    ``SignedCopy``. ``size_bytes``: of a record; None where an older version noted it.
    """

    what: str
    folder: str
    name: str
    sha256: str
    head: str
    instead: Instead | None = None
    size_bytes: int | None = None


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

    def prolong_launch(self, flow_id: str, now: datetime) -> bool:
        """It is still on its way: the hour begins anew. Returns: whether it is known."""
        ...

    def give_up_launch(self, flow_id: str, now: datetime, after: timedelta) -> None:
        """It failed: ``after`` that time it is one of the cut-off ones."""
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

    def prolong(self, flow_id: str, work: str, now: datetime, ttl_s: int, word: str) -> bool:
        """The holder of a claim keeps it for longer, and leaves word of how far it is. False: it is his no more."""
        ...

    def word(self, flow_id: str, work: str, now: datetime) -> str | None:
        """What the holder of a claim left, "" where nothing; None where nobody holds it."""
        ...

    def release(self, flow_id: str, work: str) -> None: ...

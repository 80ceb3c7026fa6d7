"""What a rebuild asks of those who read state files and keep the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from plugin.ports_state import Progress, StatePlace


class People(Protocol):
    """What is asked of the directory."""

    def users(self) -> Sequence[str]: ...


class Verified(Protocol):
    """A state file that is what was written."""

    @property
    def has_erased_its_creator(self) -> bool: ...

    @property
    def creator(self) -> str | None:
        """Who launched it; None once he was erased."""
        ...

    @property
    def rank(self) -> tuple[int, int, str]:
        """Of two histories of one flow the greater one counts."""
        ...


V = TypeVar("V", bound=Verified)


class Batch(Protocol[V]):
    """What is known of some flows. Called from several threads."""

    def is_taken(self, flow_id: str, place: StatePlace, file_id: str, etag: str, size_bytes: int) -> bool:
        """It was taken in before the last rebuild was cut off, from exactly this."""
        ...

    def read(self, flow_id: str, place: StatePlace, file_id: str, state: bytes, etag: str) -> V:
        """Raises: ChainBroken, for a state file that is not what was written."""
        ...

    def take_in(self, chosen: Sequence[V], progress: Progress) -> Mapping[str, str]:
        """Returns: flow -> reason, of those that could not be taken in after all."""
        ...


class Adopter(Protocol[V]):
    """Who fills the index. Raises RebuildElsewhere once somebody else has taken over."""

    def begin_rebuild(self) -> bool:
        """The index answers IndexMissing until ``end_rebuild``. It is empty, and its copies are kept aside till then;
        or it holds what a rebuild that was cut off had taken in.

        Raises: RebuildElsewhere, where another one is at it. Returns: whether this one goes on with an earlier one.
        """
        ...

    def note_progress(self, progress: Progress | None) -> None:
        """Still at it."""
        ...

    def leave_rebuild(self) -> None:
        """Given up for now; what was taken in stays for the next one."""
        ...

    def end_rebuild(self) -> None: ...
    def acknowledged(self) -> Mapping[str, StatePlace]: ...
    def batch(self, flow_ids: Sequence[str]) -> Batch[V]: ...
    def restore(self, flow_id: str) -> bool:
        """Makes a missing or damaged state file again, from a copy that was kept aside and goes on from the vault's
        head, and takes it in. Raises ChainBroken, Unavailable. Returns: whether a copy was kept at all."""
        ...

"""``plugin.ports``, the part about the platform's bell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """One entry in a platform user's bell. ``what``: the kind of mail that it goes with; ``link``: absolute."""

    user: str
    what: str
    flow_id: str
    text: str
    title: str
    link: str


class Bell(Protocol):
    """The platform's bell. Raises HostUnavailable. That it rang does not mean that the host shows it."""

    def ring(self, notice: Notice) -> None: ...
    def hush(self, user: str, what: str, flow_id: str) -> None:
        """Takes that notice away, however often it is there; gone already is fine."""
        ...

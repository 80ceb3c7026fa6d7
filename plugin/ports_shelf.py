"""Where people keep launches for later: drafts, for themselves, and templates, which they may share with a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class KeptKind(StrEnum):
    DRAFT = "draft"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Keeper:
    """A platform user. ``account``: what tells it from another one that bears the same login later; "" where that is
    not known."""

    uid: str
    account: str


@dataclass(frozen=True, slots=True)
class Kept:
    """``group``: whose members may read it, too; "" for none. ``body``: JSON as it was sent."""

    id: str
    kind: KeptKind
    owner: Keeper
    name: str
    group: str
    body: str
    created_at: datetime
    updated_at: datetime


class Shelf(Protocol):
    """Rows that cannot be rebuilt from files."""

    def of(self, kind: KeptKind, owner: Keeper, groups: Sequence[str]) -> Sequence[Kept]:
        """His own, and those shared with one of these groups; by name. ``body`` is left empty."""
        ...

    def one(self, kind: KeptKind, kept_id: str) -> Kept | None: ...
    def count(self, kind: KeptKind, owner: Keeper) -> int: ...
    def put(self, kept: Kept) -> None:
        """A new one, or another content of one that is there."""
        ...

    def remove(self, kind: KeptKind, kept_id: str) -> None:
        """Gone already is fine."""
        ...

"""Drafts and templates: kept, read, changed and thrown away by whoever made them; read by a group where he shares."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from plugin.actions.context import Context
from plugin.actions.names import clean_line
from plugin.flow.errors import Conflict, Invalid, NotFound
from plugin.ports_shelf import Keeper, Kept, KeptKind, Shelf

MAX_KEPT = 200
"""Of each kind, a person."""


@dataclass(frozen=True, slots=True)
class Content:
    """``group``: "" for nobody but himself. ``body``: JSON."""

    name: str
    group: str
    body: str


def keeper(ctx: Context, uid: str) -> Keeper:
    return Keeper(uid, ctx.accounts.id(uid) or "")


def listed(ctx: Context, shelf: Shelf, kind: KeptKind, who: Keeper) -> Sequence[Kept]:
    return shelf.of(kind, who, _groups(ctx, kind, who))


def read(ctx: Context, shelf: Shelf, kind: KeptKind, who: Keeper, kept_id: str) -> Kept:
    """Raises: NotFound."""
    kept = shelf.one(kind, kept_id)
    if kept is None or (kept.owner != who and kept.group not in _groups(ctx, kind, who)):
        raise NotFound
    return kept


def keep(ctx: Context, shelf: Shelf, kind: KeptKind, who: Keeper, content: Content) -> Kept:
    """Raises: Conflict too-many-kept; Invalid no-such-group, field-missing."""
    if shelf.count(kind, who) >= MAX_KEPT:
        raise Conflict("too-many-kept", limit=MAX_KEPT)
    content, now = _checked(ctx, kind, who, content), ctx.clock()
    kept = Kept(_new_id(), kind, who, content.name, content.group, content.body, now, now)
    shelf.put(kept)
    return kept


def change(ctx: Context, shelf: Shelf, kind: KeptKind, who: Keeper, kept_id: str, content: Content) -> Kept:
    """Raises: NotFound; Invalid no-such-group, field-missing."""
    mine, now = _mine(shelf, kind, who, kept_id), ctx.clock()
    content = _checked(ctx, kind, who, content)
    kept = replace(mine, name=content.name, group=content.group, body=content.body, updated_at=_after(now, mine))
    shelf.put(kept)
    return kept


def throw_away(shelf: Shelf, kind: KeptKind, who: Keeper, kept_id: str) -> None:
    """Raises: NotFound."""
    shelf.remove(kind, _mine(shelf, kind, who, kept_id).id)


def _mine(shelf: Shelf, kind: KeptKind, who: Keeper, kept_id: str) -> Kept:
    kept = shelf.one(kind, kept_id)
    if kept is None or kept.owner != who:
        raise NotFound
    return kept


def _checked(ctx: Context, kind: KeptKind, who: Keeper, content: Content) -> Content:
    name = clean_line(content.name)
    if not name and kind is KeptKind.TEMPLATE:
        raise Invalid("name", "field-missing")
    if content.group and content.group not in _groups(ctx, kind, who):
        raise Invalid("group", "no-such-group")
    return replace(content, name=name)


def _groups(ctx: Context, kind: KeptKind, who: Keeper) -> tuple[str, ...]:
    """With whom something can be shared, and who shares with him."""
    if kind is KeptKind.DRAFT:
        return ()
    person = ctx.directory.person(who.uid)
    return tuple(group for group in person.groups if group) if person is not None else ()


def _new_id() -> str:
    return str(UUID(int=secrets.randbits(128), version=4))


def _after(now: datetime, kept: Kept) -> datetime:
    return max(now, kept.updated_at)

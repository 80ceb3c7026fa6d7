"""Folders of one person in another one's area, as when they were shared: the same files, with the same ids.

Whoever was given a share may rename or move where it hangs, and takes it off by deleting it there. Shares are not kept
over a restart: they are for tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from plugin.demo.area import NO_CONDITION, Area, AreaError, Condition, Node, Parts, checked
from plugin.demo.database import Database
from plugin.demo.disk import copy_content, remove


@dataclass(frozen=True, slots=True)
class Share:
    """``folder``: the owner's. ``can_write``: files may be made, changed and deleted below it."""

    owner: str
    folder: Parts
    can_write: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path really leads; ``share``: through which, ``at``: where that hangs."""

    owner: str
    parts: Parts
    share: Share | None = None
    at: Parts = ()


class SharingArea(Area):
    """An area whose users may have parts of each other's."""

    def __init__(self, root: Path, database: Database) -> None:
        super().__init__(root, database)
        self.shares: dict[tuple[str, Parts], Share] = {}
        """(who was given it, where it hangs) -> what."""

    # -- looking ------------------------------------------------------------------------------------------------------
    def node(self, owner: str, parts: Parts) -> Node | None:
        place = self._place(owner, parts)
        return self._seen(super().node(place.owner, place.parts), owner, place)

    def children(self, owner: str, parts: Parts) -> list[Node]:
        place = self._place(owner, parts)
        inside = [self._seen(node, owner, place) for node in super().children(place.owner, place.parts)]
        hanging = [self.node(owner, at) for who, at in self.shares if who == owner and at[:-1] == checked(parts)]
        return sorted((node for node in [*inside, *hanging] if node is not None), key=lambda node: node.name)

    def by_id(self, owner: str, file_id: int) -> Node | None:
        found = super().by_id(owner, file_id)
        if found is not None:
            return found
        for (who, at), share in self.shares.items():
            node = super().by_id(share.owner, file_id) if who == owner else None
            if node is not None and node.parts[: len(share.folder)] == share.folder:
                return self._seen(node, owner, _Place(share.owner, node.parts, share, at))
        return None

    def open(self, owner: str, parts: Parts) -> tuple[Node, BinaryIO] | None:
        place = self._place(owner, parts)
        opened = super().open(place.owner, place.parts)
        node = self._seen(opened[0], owner, place) if opened is not None else None
        return (node, opened[1]) if opened is not None and node is not None else None

    # -- changing -----------------------------------------------------------------------------------------------------
    def put(self, owner: str, parts: Parts, spooled: Path, condition: Condition = NO_CONDITION) -> tuple[Node, bool]:
        place = self._to_change(owner, parts)
        node, is_new = super().put(place.owner, place.parts, spooled, condition)
        return self._seen(node, owner, place) or node, is_new

    def make_folder(self, owner: str, parts: Parts) -> Node:
        if (owner, checked(parts)) in self.shares:
            raise AreaError(405)
        place = self._to_change(owner, parts)
        node = super().make_folder(place.owner, place.parts)
        return self._seen(node, owner, place) or node

    def delete(self, owner: str, parts: Parts, condition: Condition = NO_CONDITION) -> None:
        if self.shares.pop((owner, checked(parts)), None) is not None:
            return
        place = self._to_change(owner, parts)
        super().delete(place.owner, place.parts, condition)

    def move(self, owner: str, source: Parts, target: Parts, *, overwrite: bool) -> bool:
        source, target = checked(source), checked(target)
        share = self.shares.get((owner, source))
        if share is not None:
            if self.node(owner, target) is not None:
                raise AreaError(412)
            self.shares[owner, target] = self.shares.pop((owner, source))
            return True
        here, there = self._to_change(owner, source), self._to_change(owner, target)
        if here.owner != there.owner:
            raise AreaError(403)
        return super().move(here.owner, here.parts, there.parts, overwrite=overwrite)

    def copy(self, owner: str, source: Parts, target: Parts, *, overwrite: bool) -> bool:
        here, there = self._place(owner, source), self._to_change(owner, target)
        if here.owner == there.owner:
            return super().copy(here.owner, here.parts, there.parts, overwrite=overwrite)
        opened = self.open(owner, source)
        if opened is None:
            raise AreaError(404)
        fresh = self.incoming()
        try:
            with opened[1] as content:
                copy_content(content, fresh)
            only_new = NO_CONDITION if overwrite else Condition(None, ("*",))
            return super().put(there.owner, there.parts, fresh, only_new)[1]
        finally:
            remove(fresh)

    # -- inside -------------------------------------------------------------------------------------------------------
    def _place(self, owner: str, parts: Parts) -> _Place:
        parts = checked(parts)
        for depth in range(len(parts), 0, -1):
            share = self.shares.get((owner, parts[:depth]))
            if share is not None:
                return _Place(share.owner, (*share.folder, *parts[depth:]), share, parts[:depth])
        return _Place(owner, parts)

    def _to_change(self, owner: str, parts: Parts) -> _Place:
        place = self._place(owner, parts)
        if place.share is not None and not place.share.can_write:
            raise AreaError(403)
        return place

    def _seen(self, node: Node | None, owner: str, place: _Place) -> Node | None:
        """As the one who looks sees it."""
        if node is None or place.share is None:
            return node
        parts = (*place.at, *node.parts[len(place.share.folder) :])
        return replace(node, owner=owner, parts=parts, can_write=node.can_write and place.share.can_write)

"""The port ``Shelf``: drafts and templates, in the vault's database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from plugin.adapters.chain import from_instant, instant
from plugin.adapters.sql import Database, shelf
from plugin.ports_shelf import Keeper, Kept, KeptKind


class SqlShelf:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, kind: KeptKind, owner: Keeper, groups: Sequence[str]) -> Sequence[Kept]:
        shared = sa.and_(shelf.c.shared_with != "", shelf.c.shared_with.in_(groups))
        columns = [column for column in shelf.c if column.name != "body"]
        wanted = sa.select(*columns, sa.literal("").label("body")).where(shelf.c.kind == str(kind))
        with self._database.vault() as connection:
            rows = connection.execute(wanted.where(sa.or_(_his(owner), shared))).all()
        return sorted(map(_kept, rows), key=lambda kept: (kept.name.casefold(), kept.id))

    def one(self, kind: KeptKind, kept_id: str) -> Kept | None:
        wanted = sa.select(shelf).where(shelf.c.kind == str(kind), shelf.c.id == kept_id)
        with self._database.vault() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _kept(row)

    def count(self, kind: KeptKind, owner: Keeper) -> int:
        wanted = sa.select(sa.func.count()).select_from(shelf).where(shelf.c.kind == str(kind), _his(owner))
        with self._database.vault() as connection:
            return int(connection.execute(wanted).scalar_one())

    def put(self, kept: Kept) -> None:
        values = {
            "name": kept.name,
            "shared_with": kept.group,
            "body": kept.body,
            "updated_at": instant(kept.updated_at),
        }
        known = (shelf.c.kind == str(kept.kind), shelf.c.id == kept.id)
        with self._database.vault_writing() as connection:
            if connection.execute(sa.update(shelf).where(*known).values(values)).rowcount == 1:
                return
            whose = {"owner": kept.owner.uid, "account": kept.owner.account, "created_at": instant(kept.created_at)}
            connection.execute(sa.insert(shelf).values(kind=str(kept.kind), id=kept.id, **whose, **values))

    def remove(self, kind: KeptKind, kept_id: str) -> None:
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(shelf).where(shelf.c.kind == str(kind), shelf.c.id == kept_id))


def _his(owner: Keeper) -> sa.ColumnElement[bool]:
    """Not what an earlier bearer of that login kept."""
    return sa.and_(shelf.c.owner == owner.uid, shelf.c.account == owner.account)


def _kept(row: Any) -> Kept:
    return Kept(
        id=row.id,
        kind=KeptKind(row.kind),
        owner=Keeper(row.owner, row.account),
        name=row.name,
        group=row.shared_with,
        body=row.body,
        created_at=from_instant(row.created_at),
        updated_at=from_instant(row.updated_at),
    )

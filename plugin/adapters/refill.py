"""Whether the index is there, and who fills it again: one at a time, going on where the one before was cut off."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from plugin.adapters.index import Copy
from plugin.adapters.index_tables import (
    FORM,
    READY,
    State,
    check_ready,
    index_tables,
    ix_flow,
    ix_kept,
    ix_meta,
    ix_taken,
    state_of,
)
from plugin.adapters.sql import Database
from plugin.flow.errors import IndexMissing, RebuildElsewhere
from plugin.ports_state import Progress, StatePlace

TTL_S = 30
"""Who has not been heard of for so long is at it no more. Too short harms nobody: he who comes later takes over, and
the first one notices before he writes again."""
_REBUILDING = f"rebuilding {FORM} "
_LOCK = 0x70617262


@dataclass(frozen=True, slots=True)
class Taken:
    """What a rebuild that was cut off had taken in of one flow: enough to tell whether that is still current."""

    place: StatePlace
    etag: str
    size_bytes: int
    head: str
    salts: str


class Refill:
    """Promise: between ``begin`` and ``ready`` look-ups raise IndexMissing, whoever does what in between. Rows are
    written only by the one who began last, in the same transaction that says so."""

    def __init__(
        self, database: Database, *, only_instance: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        """``only_instance``: whoever was at it before this start is gone."""
        self._database = database
        self._clock = clock
        self._heeds_others = not only_instance
        self._mine = ""

    # ---- there or not -----------------------------------------------------------------------------------------------
    def is_missing(self) -> bool:
        """Deleted, never made, of another form, or a rebuild did not end."""
        try:
            with self._database.index() as connection:
                check_ready(connection)
        except IndexMissing:
            return True
        return False

    def progress(self) -> Progress | None:
        """Of the rebuild that is on its way, or was cut off; None where there is none, or nothing is known of it."""
        try:
            with self._database.index() as connection:
                state = state_of(connection)
        except IndexMissing:
            return None
        return None if state.told == READY else state.progress

    # ---- filling it -------------------------------------------------------------------------------------------------
    def begin(self) -> bool:
        """Empties it, but for the copies, unless somebody began and did not end.

        Raises: RebuildElsewhere, where he is still at it.
        Returns: whether it goes on with what that one had taken in.
        """
        with self._database.index_writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            index_tables.create_all(connection)
            state = state_of(connection)
            goes_on = state.told.startswith(_REBUILDING)
            if goes_on and self._heeds_others and self._is_at_it(state):
                progress = state.progress or Progress(0, 0, None)
                raise RebuildElsewhere(progress.done, progress.total)
            if not goes_on:
                self._empty(connection)
            self._heeds_others = True
            self._mine = _REBUILDING + secrets.token_hex(8)
            self._tell(connection, "state", self._mine)
            self._stay(connection)
        return goes_on

    def keep(self, connection: Connection, progress: Progress | None) -> None:
        """First in every transaction that writes rows. Raises: RebuildElsewhere, where somebody else took over."""
        mine = (ix_meta.c.name == "state", ix_meta.c.value == self._mine)
        if connection.execute(sa.update(ix_meta).where(*mine).values(value=self._mine)).rowcount != 1:
            raise RebuildElsewhere
        self._stay(connection)
        if progress is not None:
            left_s = -1 if progress.left_s is None else progress.left_s
            self._tell(connection, "progress", f"{progress.done} {progress.total} {left_s}")

    def note(self, progress: Progress | None = None) -> None:
        """Still at it. Raises: RebuildElsewhere, IndexMissing."""
        with self._database.index_writing() as connection:
            self.keep(connection, progress)

    def leave(self) -> None:
        """Given up for now: the next one need not wait."""
        with self._database.index_writing() as connection:
            self.keep(connection, None)
            self._tell(connection, "until", "0")

    def ready(self) -> None:
        """The copies of flows that could not be taken in stay for the next one.

        Raises: RebuildElsewhere, where somebody else took over: he will say so.
        """
        with self._database.index_writing() as connection:
            self.keep(connection, None)
            connection.execute(sa.delete(ix_meta))
            connection.execute(sa.delete(ix_kept).where(ix_kept.c.flow_id.in_(sa.select(ix_flow.c.flow_id))))
            connection.execute(sa.delete(ix_taken))
            self._tell(connection, "state", READY)

    # ---- what was taken in ------------------------------------------------------------------------------------------
    def taken(self, flow_ids: Sequence[str]) -> dict[str, Taken]:
        size = sa.func.length(ix_flow.c.log).label("size_bytes")
        wanted = sa.select(ix_flow.c.flow_id, ix_flow.c.owner, ix_flow.c.path, ix_flow.c.etag, ix_flow.c.head, size)
        wanted = wanted.add_columns(ix_taken.c.salts).join(ix_taken, ix_taken.c.flow_id == ix_flow.c.flow_id)
        with self._database.index() as connection:
            rows = connection.execute(wanted.where(ix_flow.c.flow_id.in_(flow_ids))).all()
        return {
            row.flow_id: Taken(StatePlace(row.owner, row.path), row.etag, row.size_bytes, row.head, row.salts)
            for row in rows
        }

    def mark(self, connection: Connection, salts_of: Mapping[str, Mapping[str, bytes]]) -> None:
        """These flows' rows are written, with these salts."""
        connection.execute(sa.delete(ix_taken).where(ix_taken.c.flow_id.in_(list(salts_of))))
        rows = [{"flow_id": flow_id, "salts": digest(salts)} for flow_id, salts in salts_of.items()]
        if rows:
            connection.execute(sa.insert(ix_taken), rows)

    def kept_heads(self, flow_ids: Sequence[str]) -> dict[str, set[str]]:
        """Flow -> the last line of each copy in ``kept``."""
        found: dict[str, set[str]] = {}
        with self._database.index() as connection:
            for table in (ix_kept, ix_flow):
                wanted = sa.select(table.c.flow_id, table.c.head).where(table.c.flow_id.in_(flow_ids))
                for row in connection.execute(wanted):
                    found.setdefault(row.flow_id, set()).add(row.head)
        return found

    def kept(self, flow_id: str) -> list[Copy]:
        """The copies from before the rebuild, and from since it began."""
        found = []
        with self._database.index() as connection:
            for table in (ix_kept, ix_flow):
                wanted = sa.select(*(table.c[column.name] for column in ix_kept.c)).where(table.c.flow_id == flow_id)
                row = connection.execute(wanted).one_or_none()
                if row is not None:
                    found.append(Copy(flow_id, StatePlace(row.owner, row.path), row.etag, bytes(row.log), row.head))
        return found

    def _empty(self, connection: Connection) -> None:
        newer = sa.select(*(ix_flow.c[column.name] for column in ix_kept.c))
        connection.execute(sa.delete(ix_kept).where(ix_kept.c.flow_id.in_(sa.select(ix_flow.c.flow_id))))
        connection.execute(sa.insert(ix_kept).from_select([column.name for column in ix_kept.c], newer))
        index_tables.drop_all(connection, [table for table in index_tables.sorted_tables if table is not ix_kept])
        index_tables.create_all(connection)

    def _is_at_it(self, state: State) -> bool:
        return state.told != self._mine and state.until_ms > self._clock() * 1000

    def _stay(self, connection: Connection) -> None:
        self._tell(connection, "until", str(int((self._clock() + TTL_S) * 1000)))

    def _tell(self, connection: Connection, name: str, value: str) -> None:
        changed = connection.execute(sa.update(ix_meta).where(ix_meta.c.name == name).values(value=value))
        if changed.rowcount == 0:
            connection.execute(sa.insert(ix_meta).values(name=name, value=value))


def digest(salts: Mapping[str, bytes]) -> str:
    """Tells whether the same persons can be read. Shape: 64 hex digits; nothing of a salt can be told from it."""
    hashes = (f"{person} {hashlib.sha256(salt).hexdigest()}\n" for person, salt in sorted(salts.items()))
    return hashlib.sha256("".join(hashes).encode()).hexdigest()

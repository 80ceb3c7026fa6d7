"""The databases, in memory: what was committed survives every crash of ours. Each transaction takes its turn whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

from plugin.adapters.index_tables import READY, index_tables
from plugin.adapters.sql import Database, heads, salts
from tests.simulation.process import Process

_LATENCY_S = 0.002
_OF_INDEX = "SELECT name FROM sqlite_master WHERE name LIKE 'ix_%' AND type = 'table' ORDER BY name"


class Disk:
    """What all replicas share."""

    def __init__(self, *, one_database: bool) -> None:
        self.vault = _engine(_template(with_vault=True, with_index=one_database))
        self.index = self.vault if one_database else _engine(_template(with_vault=False, with_index=True))

    def lose_index(self) -> None:
        with self.index.connect() as connection:
            for name in connection.exec_driver_sql(_OF_INDEX).scalars().all():
                connection.exec_driver_sql(f"DROP TABLE {name}")

    def heads_of_all(self) -> dict[str, tuple[str, int]]:
        """What the vault acknowledges of each flow."""
        with self.vault.connect() as connection:
            return {row.flow_id: (row.head, row.length) for row in connection.execute(sa.select(heads))}

    def salts_of(self, flow_id: str) -> set[str]:
        """Whose the vault holds."""
        with self.vault.connect() as connection:
            return set(connection.execute(sa.select(salts.c.person).where(salts.c.flow_id == flow_id)).scalars())

    def said_of(self, flow_id: str) -> str:
        """All rows of the index that are about a flow."""
        return str([row for rows in self.rows().values() for row in rows if flow_id in map(str, row)])

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """The index, table by table; without what says how far a rebuild is, and tags of the host's."""
        with self.index.connect() as connection:
            names = connection.exec_driver_sql(_OF_INDEX).scalars().all()
            return {
                name: sorted(
                    (
                        tuple(value for column, value in row._mapping.items() if column != "etag")
                        for row in connection.exec_driver_sql(f"SELECT * FROM {name}")
                    ),
                    key=repr,
                )
                for name in names
                if name not in ("ix_meta", "ix_kept", "ix_taken")
            }

    def make_index(self) -> None:
        """Empty, as a first start makes it."""
        with self.index.connect() as connection:
            connection.exec_driver_sql("INSERT INTO ix_meta (name, value) VALUES ('state', ?)", (READY,))
            connection.commit()

    def close(self) -> None:
        self.vault.dispose()
        self.index.dispose()


class Turns:
    """One process's way to a database: it may die before a commit and after it, also between those of vault and index;
    a transaction may fail to begin. Each is one turn: nobody else goes on within it."""

    FAILS = sa.exc.OperationalError
    _process: Process

    def vault(self) -> AbstractContextManager[Any]:
        return _Turn(self._process, super().vault())  # type: ignore[misc]  # a mixin of two classes

    @contextmanager
    def vault_writing(self) -> Iterator[Any]:
        with _Turn(self._process):
            self._may_fail()
            with super().vault_writing() as connection:  # type: ignore[misc]  # a mixin of two classes
                yield connection
                self._process.may_die("commit")
            self._process.may_die("committed")

    def index(self) -> AbstractContextManager[Any]:
        return _Turn(self._process, super().index())  # type: ignore[misc]  # a mixin of two classes

    @contextmanager
    def index_writing(self) -> Iterator[Any]:
        with _Turn(self._process), super().index_writing() as connection:  # type: ignore[misc]  # a mixin of two classes
            yield connection
            self._process.may_die("commit of the index")

    @contextmanager
    def both_writing(self) -> Iterator[tuple[Any, Any]]:
        with _Turn(self._process):
            self._may_fail()
            with super().both_writing() as both:  # type: ignore[misc]  # a mixin of two classes
                yield both
                self._process.may_die("commit of both")
            self._process.may_die("committed both")

    def _may_fail(self) -> None:
        if self._process.world.happens(self._process.world.chances.storage):
            self._process.say("the database is locked")
            self._process.world.trace.count("storage faults")
            self._process.storage_failed_at = self._process.world.now
            raise sa.exc.OperationalError("BEGIN IMMEDIATE", {}, sqlite3.OperationalError("database is locked"))


class _Turn:
    """A class, since there are hundreds of thousands in a minute."""

    __slots__ = ("_inner", "_is_mine", "_process")

    def __init__(self, process: Process, inner: AbstractContextManager[Any] | None = None) -> None:
        self._process = process
        self._inner = inner
        self._is_mine = False

    def __enter__(self) -> Any:
        process = self._process
        if not process.in_transaction:
            process.waits(process.world.dice.random() * _LATENCY_S)
            process.in_transaction = self._is_mine = True
        if self._inner is None:
            return None
        try:
            return self._inner.__enter__()
        except BaseException:
            self._ends()
            raise

    def __exit__(self, *raised: Any) -> bool | None:
        try:
            return self._inner.__exit__(*raised) if self._inner is not None else None
        finally:
            self._ends()

    def _ends(self) -> None:
        if self._is_mine:
            self._process.in_transaction = False


class SimDatabase(Turns, Database):
    def __init__(self, disk: Disk, process: Process) -> None:
        self._vault = disk.vault
        self._index = disk.index
        self._index_file = None
        self._process = process

    def close(self) -> None:
        pass


@cache
def _template(*, with_vault: bool, with_index: bool) -> bytes:
    engine = Database("sqlite://")._vault if with_vault else sa.create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        if with_index:
            index_tables.create_all(connection)
            connection.commit()
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        data = raw.serialize()
    engine.dispose()
    return data


def _engine(template: bytes) -> Engine:
    raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    raw.deserialize(template)
    engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine

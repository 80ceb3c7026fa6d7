"""The databases: the vault (cannot be rebuilt) and the index (can be thrown away). SQLite in two files by default,
so that the index is a file one may delete; PostgreSQL in one database.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine

from plugin.failpoints import reach
from plugin.flow.errors import IndexMissing

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_MIGRATION_LOCK = 0x70617261
_BUSY_MS = 10_000

vault_tables = sa.MetaData()
salts = sa.Table(
    "salts",
    vault_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("salt", sa.LargeBinary),
)
heads = sa.Table(
    "heads",
    vault_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("head", sa.Text),
    sa.Column("length", sa.BigInteger),
    sa.Column("fence", sa.BigInteger),
    sa.Column("owner", sa.Text),
    sa.Column("path", sa.Text),
    sa.Column("file_id", sa.Text),
)
leases = sa.Table(
    "leases",
    vault_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("instance_id", sa.Text),
    sa.Column("boot_id", sa.Text),
    sa.Column("holder", sa.Text),
    sa.Column("fence", sa.BigInteger),
    sa.Column("expires_at_ms", sa.BigInteger),
)
opened = sa.Table(
    "opened",
    vault_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("round", sa.BigInteger, primary_key=True),
    sa.Column("at", sa.Text),
)
claims = sa.Table(
    "claims",
    vault_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("work", sa.Text, primary_key=True),
    sa.Column("until", sa.Text),
    sa.Column("attempts", sa.BigInteger),
    sa.Column("reason", sa.Text),
    sa.Column("not_before", sa.Text),
    sa.Column("holder", sa.Text, nullable=False, server_default=""),
)
troubles = sa.Table(
    "troubles",
    vault_tables,
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("since", sa.Text),
)
shelf = sa.Table(
    "shelf",
    vault_tables,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text),
    sa.Column("account", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("shared_with", sa.Text),
    sa.Column("body", sa.Text),
    sa.Column("created_at", sa.Text),
    sa.Column("updated_at", sa.Text),
)
known_keys = sa.Table("known_keys", vault_tables, sa.Column("kid", sa.Text, primary_key=True))


class Database:
    """Connections to the vault and the index. Safe from any thread; ``close`` it.

    Promise: a vault transaction that returned is on the disk. An index file that was deleted is noticed at the next
    connection, and then answers like a new, empty one.
    """

    def __init__(self, vault_url: str, index_url: str | None = None) -> None:
        """``index_url`` None: the vault's own database holds the index."""
        self._vault = _engine(vault_url, durable=True)
        self._lock = threading.Lock()
        self._index_url = index_url
        self._index = self._vault if index_url is None else _engine(index_url, durable=False)
        self._index_file = _file_of(index_url) if index_url is not None else None
        self._index_inode: int | None = None
        self._migrate()

    @classmethod
    def in_folder(cls, data: Path) -> Database:
        """SQLite: ``vault.db`` and ``index.db``."""
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "vault.db").touch(mode=0o600)
        return cls(f"sqlite:///{data / 'vault.db'}", f"sqlite:///{data / 'index.db'}")

    def close(self) -> None:
        self._vault.dispose()
        self._index.dispose()

    def scrub(self) -> None:
        """What was deleted is not in SQLite's files any more, as far as nobody reads at this moment; PostgreSQL's own
        VACUUM does that in its time."""
        for engine in {self._vault, self._index}:
            if engine.dialect.name == "sqlite":
                connection = engine.raw_connection()
                try:
                    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
                finally:
                    connection.close()

    @contextmanager
    def vault(self) -> Iterator[Connection]:
        """To read."""
        with self._vault.connect() as connection:
            yield connection

    @contextmanager
    def vault_writing(self) -> Iterator[Connection]:
        """One transaction; the write lock is taken at its beginning."""
        with _writer(self._vault).begin() as connection:
            yield connection

    @contextmanager
    def index(self) -> Iterator[Connection]:
        """To read. Raises: IndexMissing where its tables are not there."""
        with self._answering(), self._index_engine().connect() as connection:
            yield connection

    @contextmanager
    def index_writing(self) -> Iterator[Connection]:
        """Raises: IndexMissing where its tables are not there."""
        with self._answering(), _writer(self._index_engine()).begin() as connection:
            yield connection

    @contextmanager
    def both_writing(self) -> Iterator[tuple[Connection, Connection]]:
        """(vault, index): one transaction where they are one database; else the vault's is committed first, and a
        crash in between shows as an index that is behind.

        Raises: IndexMissing.
        """
        if self._index is self._vault:
            with self._answering(), _writer(self._vault).begin() as connection:
                yield connection, connection
            return
        with self.index_writing() as index:
            with self.vault_writing() as vault:
                yield vault, index
            reach("vault-updated")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
            if _is_missing_table(error):
                raise IndexMissing from error
            raise

    def _index_engine(self) -> Engine:
        file = self._index_file
        if file is None:
            return self._index
        with self._lock:
            inode = _inode(file)
            if self._index_inode is not None and inode != self._index_inode:
                self._index.dispose()
                if inode is None:
                    for tail in ("-wal", "-shm"):
                        with suppress(FileNotFoundError):
                            Path(f"{file}{tail}").unlink()
                self._index = _engine(str(self._index_url), durable=False)
            if self._index_inode is None or inode != self._index_inode:
                file.touch(mode=0o600)
                with self._index.connect():
                    self._index_inode = _inode(file)
            return self._index

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.set_main_option("path_separator", "os")
        with self.vault_writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _engine(url: str, *, durable: bool) -> Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name != "sqlite":
        return engine

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _writer(engine: Engine) -> Engine:
    return engine.execution_options(writes=True)


def _is_missing_table(error: sa.exc.DBAPIError) -> bool:
    return "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", "") == "42P01"


def _file_of(url: str) -> Path | None:
    parsed = sa.make_url(url)
    return Path(parsed.database) if parsed.drivername.startswith("sqlite") and parsed.database else None


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - a Path would have to be made at each connection
    except FileNotFoundError:
        return None

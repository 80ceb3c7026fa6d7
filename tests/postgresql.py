"""A PostgreSQL server of the tests' own: in a folder that goes away, on a socket there, as long as it is used."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

WITHIN_S = 60


class Server:
    """Databases are made from one that exists already with nothing in it."""

    def __init__(self, folder: Path, user: str) -> None:
        self._where = {"host": str(folder), "user": user}
        self._made = 0

    def new_database(self) -> str:
        """Returns: its SQLAlchemy URL."""
        self._made += 1
        name = f"parapheur_{self._made}"
        with psycopg.connect(dbname="postgres", autocommit=True, **self._where) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return f"postgresql+psycopg://{self._where['user']}@/{name}?host={self._where['host']}"


def program(name: str) -> str:
    """Raises: LookupError, where PostgreSQL is not installed."""
    found = shutil.which(name)
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found is None and not installed:
        raise LookupError("PostgreSQL is not installed (Debian: postgresql)")
    return found or str(installed[-1])


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """It refuses to serve root: then it runs as nobody."""
    is_root = os.geteuid() == 0
    account = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.geteuid())
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = str(folder / "data")

    def run(name: str, *arguments: str) -> None:
        command = [program(name), "-D", data, *arguments]
        user = account.pw_name if is_root else None
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=WITHIN_S, cwd=folder, user=user)

    try:
        if is_root:
            os.chown(folder, account.pw_uid, account.pw_gid)
        run("initdb", "--no-sync", "--auth=trust", f"--username={account.pw_name}", "--encoding=UTF8", "--locale=C")
        options = f"-F -c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"
        run("pg_ctl", "-l", f"{folder}/log", "-w", "-t", str(WITHIN_S), "-o", options, "start")
        try:
            yield Server(folder, account.pw_name)
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

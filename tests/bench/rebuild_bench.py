"""How long the index takes to come back from the files alone, measured here and now; nothing in this file is a result.

    python -m tests.bench.rebuild_bench [--flows N]

Flows of every state and shape, with real lines and signatures, are written straight into the folder of an embedded
host (`tests.state.many`); all that is measured goes over its WebDAV, with the host in a process of its own:

- limit: search for the state files, read each of them, eight at once, SHA-256 of the bytes;
- rebuild: search, read, verify, and every row written again, with the vault there;
- without the vault: heads and salts are gone too: salts are read from beside each file, and the vault is made again;
- killed: kill -9 in the middle, then what is left of it.

Each in a fresh process, whose CPU time (the host's is not in it) and peak of resident memory are told: on a busy
machine the former says more than the seconds. After each one every row of the index is compared with what it was
before; where one differs the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from pdfops.signer import KeySigner
from plugin.actions.rebuild import AT_ONCE, rebuild
from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from plugin.adapters.index_tables import index_tables
from plugin.adapters.keys import Keys
from plugin.adapters.sql import heads, salts
from plugin.demo.host import EmbeddedHost
from plugin.logs import configure
from tests.state.many import USERS, Made, many, note
from tests.state.world import FaultyFiles, World, certificate

FLOWS = 10_000
SECRET = "between host and app"
PORTION = 250


class People:
    def users(self) -> tuple[str, ...]:
        return USERS


def files_of(url: str) -> DavFiles:
    return DavFiles(url, AppApi(SECRET, "0.1.0"))


def world_of(data: Path, url: str) -> World:
    return World(data, cast("FaultyFiles", files_of(url)))


# ---- making them ----------------------------------------------------------------------------------------------------
def made_portion(data: Path, area: Path, numbers: range) -> list[Made]:
    keys = Keys.open(data / "keys", "Cabinet Test", True, certificate)
    made = list(many(keys.sealed_by(KeySigner(keys.seal_key_pem, keys.seal_cert_pem)), numbers))
    for one in made:
        folder = area / one.place.owner / one.place.folder
        folder.mkdir(parents=True)
        (folder / "salts.json").write_bytes(one.salts_file)
        (folder / "flow.jsonl").write_bytes(one.log)
    return made


def make(data: Path, area: Path, count: int) -> list[Made]:
    World(data).close()  # makes the keys
    portions = [range(start, min(start + PORTION, count)) for start in range(0, count, PORTION)]
    with ProcessPoolExecutor() as pool:
        return [one for portion in pool.map(partial(made_portion, data, area), portions) for one in portion]


def fill(world: World, made: list[Made]) -> None:
    """Vault and index as they are after all this was done here."""
    found = {user: world.files.find_by_name(user, "flow.jsonl") or () for user in USERS}
    for start in range(0, len(made), PORTION):
        note(world, made[start : start + PORTION], found)


# ---- in processes of their own --------------------------------------------------------------------------------------
def serve(folder: Path) -> None:
    host = EmbeddedHost(folder, SECRET, with_samples=False)
    host.start()
    print(host.url, flush=True)
    sys.stdin.read()
    host.stop()


def limit(url: str) -> dict[str, Any]:
    files, size_bytes = files_of(url), 0

    def read(place: tuple[str, str]) -> tuple[int, str]:
        data = files.read(*place)
        assert data is not None
        return len(data), hashlib.sha256(data).hexdigest()

    begun, cpu = time.perf_counter(), time.process_time()
    places = [(user, info.path) for user in USERS for info in files.find_by_name(user, "flow.jsonl") or ()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        size_bytes = sum(length for length, _ in pool.map(read, places))
    took_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    return {"seconds": took_s, "cpu_s": cpu_s, "flows": len(places), "size_bytes": size_bytes}


def rebuild_once(url: str, data: Path) -> dict[str, Any]:
    world = world_of(data, url)
    begun, cpu = time.perf_counter(), time.process_time()
    report = rebuild(world.files, People(), world.adopter, lambda progress: print(progress.done, flush=True))
    took_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    world.close()
    left_out = len(report.skipped) + report.users_skipped + len(report.restored)
    return {"seconds": took_s, "cpu_s": cpu_s, "flows": report.flows, "resumed": report.resumed, "left_out": left_out}


def peak_mb() -> int:
    status = Path("/proc/self/status").read_text()  # the kernel's own figure: ru_maxrss remembers the parent's
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.bench.rebuild_bench", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(60)


def result(*arguments: str) -> dict[str, Any]:
    """What it printed last."""
    with child(*arguments) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    if process.returncode:
        raise SystemExit(f"{arguments[1]} failed")
    return cast("dict[str, Any]", json.loads(lines[-1]))


def killed_after(flows: int, *arguments: str) -> None:
    with child(*arguments) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < flows:
            pass
        process.kill()


# ---- measuring ------------------------------------------------------------------------------------------------------
def digest(data: Path) -> str:
    """Of every row of every table, in order."""
    world = World(data)
    said = hashlib.sha256()
    with world.database.index() as connection:
        for table in index_tables.sorted_tables:
            for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns)):
                said.update(repr((table.name, *row)).encode())
    world.close()
    return said.hexdigest()


def lose_vault(data: Path) -> None:
    world = World(data)
    with world.database.vault_writing() as connection:
        connection.execute(sa.delete(heads))
        connection.execute(sa.delete(salts))
    world.close()


def lose_index(data: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        (data / f"index.db{tail}").unlink(missing_ok=True)


def lines(count: int, folder: Path) -> Iterator[str]:
    """Raises: SystemExit, where a row is another one than before."""
    data = folder / "data"
    begun = time.perf_counter()
    made = make(data, folder / "host" / "host" / "files", count)
    with child("--serve", str(folder / "host")) as host:
        assert host.stdout is not None
        url = host.stdout.readline().strip()
        world = world_of(data, url)
        fill(world, made)
        world.close()
        events = sum(one.read.chain.length for one in made)
        size_mb = sum(len(one.log) for one in made) / 1e6
        del made
        before = digest(data)
        yield (
            f"{count:,} flows, {events:,} signed lines, {size_mb:.0f} MB of state files; "
            f"made in {time.perf_counter() - begun:.0f} s"
        )
        limits = [result("--limit", url)]

        def told(label: str, got: dict[str, Any], seconds: float, more: str = "") -> str:
            if (got["flows"], got["left_out"], digest(data)) != (count, 0, before):
                raise SystemExit(f"{label}: not the rows that were there before")
            rate = (count - got["resumed"]) / seconds
            return (
                f"{label}: {seconds:.1f} s, {rate:,.0f} flows/s, {got['cpu_s']:.1f} s of CPU, "
                f"peak {got['peak_mb']} MB, "
                f"{seconds / limits[0]['seconds']:.1f}x of the limit{more}; every row as before"
            )

        yield f"limit (WebDAV, {AT_ONCE} at once, SHA-256): {limits[0]['seconds']:.1f} s, {shown_rate(limits[0])}"
        lose_index(data)
        got = result("--rebuild", url, "--data", str(data))
        yield told("rebuild", got, got["seconds"])
        lose_index(data)
        killed_after(count // 2, "--rebuild", url, "--data", str(data))
        got = result("--rebuild", url, "--data", str(data))
        yield told("what was left after kill -9", got, got["seconds"], f" ({got['resumed']:,} not read again)")
        lose_index(data)
        lose_vault(data)
        got = result("--rebuild", url, "--data", str(data))
        yield told("without the vault", got, got["seconds"])
        limits.append(result("--limit", url))
        yield f"limit again: {limits[1]['seconds']:.1f} s, {shown_rate(limits[1])}"


def shown_rate(got: dict[str, Any]) -> str:
    return f"{got['flows'] / got['seconds']:,.0f} files/s, {got['cpu_s']:.1f} s of CPU, peak {got['peak_mb']} MB"


def main() -> None:
    configure("error")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--limit", help=argparse.SUPPRESS)
    parser.add_argument("--rebuild", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
    elif chosen.limit:
        print(json.dumps({**limit(chosen.limit), "peak_mb": peak_mb()}))
    elif chosen.rebuild:
        print(json.dumps({**rebuild_once(chosen.rebuild, chosen.data), "peak_mb": peak_mb()}))
    else:
        folder = Path(tempfile.mkdtemp(prefix="rebuild-bench-"))
        try:
            print("the index from the files alone")
            for line in lines(chosen.flows, folder):
                print(line, flush=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

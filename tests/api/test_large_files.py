"""Validations of files of any size: copied by the host, hashed in a stream, in constant memory, with progress."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from plugin.actions.sweep import clear_launches
from plugin.adapters.dav import DavFiles
from plugin.ports_files import Streamed
from tests.world import Browser, Json, World, until

LIMIT = 1_000_000
"""Of a collection: whatever is larger counts as large."""
SIZE = 5_000_000
SPARSE_BYTES = int(os.environ.get("SPARSE_GB", "1")) << 30
"""It takes no room on the disk."""
MAY_GROW_BYTES = 64_000_000


class Handing:
    """The file area, with something done before or instead of some calls."""

    def __init__(self, files: DavFiles) -> None:
        self._files = files
        self.copies = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        self.copies += 1
        return self._files.copy(user, source, target, size_bytes)


class NoCopies(Handing):
    """On a host that does not copy."""

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        return False


@contextmanager
def small_limit(world: World, **more: Any) -> Iterator[None]:
    with world.handed(limits=replace(world.office.ctx.limits, collection_bytes=LIMIT), **more):
        yield


def order(*file_ids: str) -> Json:
    return {
        "kind": "validation",
        "documents": [{"file_id": file_id} for file_id in file_ids],
        "recipients": [{"user": "bob"}],
    }


def cached(world: World, sha256: str) -> bool:
    return world.office.ctx.blobs.get(sha256) is not None


@pytest.mark.parametrize("way", [Handing, NoCopies])
def test_a_large_file_is_pinned_read_and_approved(world: World, alice: Browser, way: type[Handing]) -> None:
    folder, data = world.folder(), secrets.token_bytes(SIZE)
    file_id = world.put(f"{folder}/Plan.dwg", data)
    small = world.put(f"{folder}/note.txt", b"Oui ou non")
    sha256 = hashlib.sha256(data).hexdigest()
    files = way(world.office.ctx.files)
    with small_limit(world, files=files):
        flow = world.launch(alice, order(file_id, small))
        assert flow["documents"][0]["sha256"] == flow["documents"][0]["current_sha256"] == sha256
        assert flow["documents"][0]["size_bytes"] == SIZE
        assert files.copies == (1 if way is Handing else 0)
        assert world.read(f"{folder}/.flows/{flow['id']}/{sha256}") == data
        assert len([name for name in world.names(folder) if flow["id"] in name]) == 5  # folder, state, salts, two pins
        world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=b"another one")
        bob = world.recipient("bob", flow["id"])
        answer = bob.get("documents/0")
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["Content-Length"] == str(SIZE)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert "attachment" in answer.headers["Content-Disposition"]
        assert bob.get("documents/1").content == b"Oui ou non"
        assert bob.approve().json()["code"] == "flow-suspended"
        assert alice.post(f"flows/{flow['id']}/resume", {"choice": "continue"}).status_code == 200
        assert bob.approve().json()["state"] == "completed"
    assert not cached(world, sha256)


def test_two_documents_of_the_same_content_are_one_pin(world: World, alice: Browser) -> None:
    for way in (Handing, NoCopies):
        folder, data = world.folder(), secrets.token_bytes(SIZE)
        ids = [world.put(f"{folder}/{name}.bin", data) for name in "ab"]
        with small_limit(world, files=way(world.office.ctx.files)):
            flow = world.launch(alice, order(*ids))
            assert world.recipient("bob", flow["id"]).get("documents/1").content == data
        pinned = [name for name in world.names(f"{folder}/.flows/{flow['id']}") if name[:4] not in ("flow", "salt")]
        assert pinned == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize("way", [Handing, NoCopies])
def test_what_is_written_to_the_file_while_it_is_pinned_is_pinned_whole_or_not_at_all(
    world: World, alice: Browser, way: type[Handing]
) -> None:
    folder = world.folder()
    before, after = secrets.token_bytes(SIZE), secrets.token_bytes(SIZE)
    file_id = world.put(f"{folder}/Plan.dwg", before)

    class SavedMeanwhile(way):  # type: ignore[misc, valid-type]  # a class that came as a parameter
        reads = 0

        @contextmanager
        def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
            """Somebody saves the file right after it was copied, or hashed."""
            with self._files.open_stream(user, path) as stream:
                yield stream
            self.reads += 1
            if self.reads == 1:
                world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=after)

    with small_limit(world, files=SavedMeanwhile(world.office.ctx.files)):
        document = world.launch(alice, order(file_id))["documents"][0]
    pinned = world.read(f"{folder}/.flows/{world.names(f'{folder}/.flows')[0]}/{document['sha256']}")
    assert pinned in (before, after)
    assert hashlib.sha256(pinned).hexdigest() == document["sha256"]


def test_a_file_that_never_rests_is_told_and_nothing_is_left(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Plan.dwg", secrets.token_bytes(SIZE))

    class NeverRests(NoCopies):
        @contextmanager
        def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
            with self._files.open_stream(user, path) as stream:
                yield stream
            world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=secrets.token_bytes(SIZE))

    with small_limit(world, files=NeverRests(world.office.ctx.files)):
        answer = alice.post("flows", order(file_id))
    assert (answer.status_code, answer.json()["code"]) == (503, "document-changing")
    assert [name for name in world.names(folder) if name != ".flows"] == ["Plan.dwg"]


def test_a_host_that_goes_away_in_the_middle_leaves_nothing(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Plan.dwg", secrets.token_bytes(SIZE))
    shut = threading.Event()

    class Halfway(Handing):
        @contextmanager
        def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
            with self._files.open_stream(user, path) as stream, world.host_gate.shut():
                shut.set()
                yield stream

    with small_limit(world, files=Halfway(world.office.ctx.files)):
        answer = alice.post("flows", order(file_id))
    assert shut.is_set()
    assert answer.status_code == 503, answer.text

    def cleared() -> bool:
        clear_launches(world.office.ctx)
        return [name for name in world.names(folder) if name != ".flows"] == ["Plan.dwg"]

    until(cleared)


def test_a_pinned_copy_that_somebody_altered_never_arrives_whole(world: World, alice: Browser) -> None:
    folder, data = world.folder(), secrets.token_bytes(SIZE)
    file_id = world.put(f"{folder}/Plan.dwg", data)
    with small_limit(world):
        flow = world.launch(alice, order(file_id))
        altered = data[:-1] + bytes([data[-1] ^ 1])
        world.dav("alice", "PUT", f"{folder}/.flows/{flow['id']}/{flow['documents'][0]['sha256']}", data=altered)
        bob = world.recipient("bob", flow["id"])
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
            bob.get("documents/0")
        world.dav("alice", "DELETE", f"{folder}/.flows/{flow['id']}/{flow['documents'][0]['sha256']}")
        answer = bob.get("documents/0")
        assert (answer.status_code, answer.json()["code"]) == (503, "revision-missing")


def test_a_large_file_over_the_administrators_limit_is_refused_by_its_real_size(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Plan.dwg", bytes(2 * LIMIT))
    grown = [bytes(3 * LIMIT)]

    class Grows(Handing):
        def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
            while grown:
                world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=grown.pop())
            return super().copy(user, source, target, size_bytes)

    limits = replace(world.office.ctx.limits, collection_bytes=LIMIT, validation_file_bytes=5 * LIMIT // 2)
    with world.handed(limits=limits, files=Grows(world.office.ctx.files)):
        answer = alice.post("flows", order(file_id))
    assert (answer.status_code, answer.json()["code"]) == (422, "file-over-the-limit")
    assert [name for name in world.names(folder) if name != ".flows"] == ["Plan.dwg"]


def test_a_long_launch_tells_how_far_it_is_and_its_twin_gets_its_answer(world: World, alice: Browser) -> None:
    folder, data = world.folder(), secrets.token_bytes(SIZE)
    file_id = world.put(f"{folder}/Plan.dwg", data)
    half, go_on = threading.Event(), threading.Event()

    class Slow(Handing):
        @contextmanager
        def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
            def pieces(stream: Streamed) -> Iterator[bytes]:
                yield next(stream.pieces)
                threading.Event().wait(1.1)  # longer than the pause between two words of how far it is
                yield next(stream.pieces)
                half.set()
                go_on.wait(20)
                yield from stream.pieces

            with self._files.open_stream(user, path) as stream:
                yield None if stream is None else replace(stream, pieces=pieces(stream))

    key = secrets.token_hex(8)
    headers, shown = {"Idempotency-Key": key}, f"launches/{key}"
    bob = world.login("bob")
    assert alice.get(shown).json() == {"state": "unknown", "done_bytes": None, "total_bytes": None, "flow_id": None}
    with small_limit(world, files=Slow(world.office.ctx.files)), ThreadPoolExecutor(2) as pool:
        first = pool.submit(alice.post, "flows", order(file_id), headers=headers)
        assert half.wait(20)
        told = alice.get(shown).json()
        assert (told["state"], told["total_bytes"]) == ("running", SIZE)
        assert 0 < told["done_bytes"] < SIZE
        assert bob.get(shown).json()["state"] == "unknown"
        twin = pool.submit(world.login("alice").post, "flows", order(file_id), headers=headers)
        go_on.set()
        one, other = first.result(), twin.result()
    assert (one.status_code, other.status_code) == (201, 201)
    assert one.json()["id"] == other.json()["id"]
    assert alice.get(shown).json() == {
        "state": "done",
        "done_bytes": None,
        "total_bytes": None,
        "flow_id": one.json()["id"],
    }


# ---- how much, how fast ---------------------------------------------------------------------------------------------
def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def hash_speed(size_bytes: int) -> float:
    """Bytes a second of plain SHA-256 over as many bytes in memory: the limit."""
    piece, running = bytes(1 << 20), hashlib.sha256()
    begun = time.perf_counter()
    for _ in range(size_bytes >> 20):
        running.update(piece)
    return size_bytes / (time.perf_counter() - begun)


def test_a_file_of_gigabytes_is_pinned_and_read_in_constant_memory(world: World, alice: Browser) -> None:
    folder = world.folder()
    top: Path = world.demo.host.area._files / "alice" / folder
    with (top / "Film.mov").open("wb") as film:
        film.truncate(SPARSE_BYTES)
    node = world.demo.host.area.node("alice", (folder, "Film.mov"))  # the host hashes it for its ETag: not our time
    assert node is not None
    forget_peak()
    before = peak_bytes()
    with world.handed(limits=replace(world.office.ctx.limits, validation_file_bytes=None)):
        begun = time.perf_counter()
        answer = alice.session.post(f"{alice.url}/api/v1/flows", json=order(str(node.file_id)), timeout=600)
        assert answer.status_code == 201, answer.text
        flow = answer.json()
        pinned_s = time.perf_counter() - begun
    assert flow["documents"][0]["size_bytes"] == SPARSE_BYTES
    running, begun = hashlib.sha256(), time.perf_counter()
    bob = world.recipient("bob", flow["id"])
    with bob.get("documents/0", stream=True) as answer:
        for piece in answer.iter_content(1 << 20):
            running.update(piece)
    read_s = time.perf_counter() - begun
    grown = peak_bytes() - before
    assert running.hexdigest() == flow["documents"][0]["sha256"]
    limit = hash_speed(SPARSE_BYTES)
    gb, mb_s = SPARSE_BYTES / 1e9, SPARSE_BYTES / 1e6
    print(
        f"\n{gb:.2f} GB: pinned in {pinned_s:.1f} s, {mb_s / pinned_s:.0f} MB/s; downloaded with {mb_s / read_s:.0f}; "
        f"SHA-256 alone {limit / 1e6:.0f} MB/s; peak memory of sidecar and host {before / 1e6:.0f} MB, "
        f"grown by {grown / 1e6:.1f} MB"
    )
    assert grown < MAY_GROW_BYTES
    world.dav("alice", "DELETE", folder)

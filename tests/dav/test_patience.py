"""How long a call waits: its own time, what the work around it has left, and no longer for a body that drips."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from plugin.actions.together import together
from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from plugin.adapters.ocs_calls import OcsCalls
from plugin.flow.errors import HostMaintenance, HostSlow
from plugin.patience import at_most, left_s, waiting, waits_at_most
from tests.dav.scripted import Answer, scripted


@contextmanager
def dripping(piece: bytes, every_s: float, length: int = 999) -> Iterator[str]:
    """A host that sends headers at once, and then one piece after another."""
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    threads = []

    def drip(client: socket.socket) -> None:
        with client:
            try:
                client.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                client.sendall(head.encode())
                for _ in range(-(-length // len(piece))):
                    if stop.wait(every_s):
                        return
                    client.sendall(piece)
                stop.wait()
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=drip, args=(client,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join()


def took(what: Callable[[], object]) -> float:
    begun = time.monotonic()
    with pytest.raises(HostSlow):
        what()
    return time.monotonic() - begun


def test_a_limit_within_a_limit_never_makes_it_longer() -> None:
    assert left_s(7.0) == 7.0
    with at_most(1.0), at_most(5.0):
        assert 0.9 < left_s(7.0) <= 1.0
        assert left_s(0.5) == 0.5
    with at_most(0.0):
        assert left_s(7.0) == 0.0
    assert left_s(7.0) == 7.0


def test_only_waiting_for_the_host_counts_for_a_request_and_side_by_side_it_counts_once() -> None:
    pause, own = threading.Event(), threading.Event()
    with waits_at_most(1.0):
        pause.wait(0.3)  # its own work
        assert left_s(7.0) == 1.0
        with waiting():
            pause.wait(0.2)
            assert left_s(7.0) <= 0.8
        together([lambda: _wait(own), lambda: _wait(own)])
        assert 0.4 < left_s(7.0) <= 0.6


def _wait(event: threading.Event) -> None:
    with waiting():
        event.wait(0.2)


def test_a_request_that_works_longer_than_it_may_wait_still_reaches_the_host() -> None:
    with scripted() as script:
        script.answers = [Answer(200, body=b"x")]
        files = DavFiles(script.url, AppApi("s", "1"))
        with waits_at_most(0.3):
            threading.Event().wait(0.5)  # sealing
            assert files.read("alice", "a") == b"x"


def test_all_calls_of_one_piece_of_work_wait_together_no_longer_than_it_may() -> None:
    with scripted() as script:
        script.answers = [Answer(200, hangs=True)]
        files = DavFiles(script.url, AppApi("s", "1"), timeout_s=(5.0, 30.0))
        with at_most(0.4):
            assert took(lambda: files.read("alice", "a")) < 5
            took(lambda: files.write("alice", "a", b"x"))
        assert len(script.seen) == 1  # the second one was not even begun


@pytest.mark.parametrize("way", ["read", "read_start", "ocs"])
def test_a_body_that_drips_is_given_up_in_time(way: str) -> None:
    with dripping(b" ", 0.05) as url:
        files, calls = DavFiles(url, AppApi("s", "1")), OcsCalls(url, AppApi("s", "1"))
        ways: dict[str, Callable[[], object]] = {
            "read": lambda: files.read("alice", "a"),
            "read_start": lambda: files.read_start("alice", "a", 500),
            "ocs": lambda: calls.get("alice", "/cloud/user"),
        }
        with at_most(0.5):
            assert took(ways[way]) < 10  # the whole of it would take fifty


def test_a_stream_that_comes_at_a_pace_outlives_what_the_work_around_it_may_wait() -> None:
    with dripping(bytes(1_000_000), 0.1, 8_000_000) as url:
        for limit in (at_most, waits_at_most):
            files = DavFiles(url, AppApi("s", "1"), timeout_s=(1.0, 0.5))
            with limit(0.6):
                begun = time.monotonic()
                with files.open_stream("alice", "a") as stream:
                    assert stream is not None
                    assert sum(map(len, stream.pieces)) == 8_000_000
                assert time.monotonic() - begun > 0.7
                assert left_s(7.0) > 0.3  # what comes after it has its time


def test_a_stream_that_stalls_or_drips_is_given_up() -> None:
    for piece, every_s in ((bytes(1_000_000), 60.0), (b" ", 0.05)):
        with dripping(piece, every_s, 8_000_000) as url:
            files = DavFiles(url, AppApi("s", "1"), timeout_s=(1.0, 0.5))

            def read(files: DavFiles = files) -> None:
                with files.open_stream("alice", "a") as stream:
                    assert stream is not None
                    list(stream.pieces)

            assert took(read) < 10


def test_whoever_reads_a_stream_slowly_is_not_taken_for_a_host_that_stalls() -> None:
    with dripping(bytes(400_000), 0.01, 2_000_000) as url:
        files, pause = DavFiles(url, AppApi("s", "1"), timeout_s=(1.0, 0.3)), threading.Event()
        with files.open_stream("alice", "a") as stream:
            assert stream is not None
            came = 0
            for piece in stream.pieces:
                pause.wait(0.2)
                came += len(piece)
            assert came == 2_000_000


def test_the_copy_of_a_large_file_may_take_longer_than_the_work_around_it() -> None:
    with scripted() as script:
        script.answers = [Answer(201, after_s=0.8)]
        files = DavFiles(script.url, AppApi("s", "1"), timeout_s=(1.0, 0.3))
        with at_most(0.5):
            assert files.copy("alice", "a", "b", 20_000_000)
            assert took(lambda: files.copy("alice", "a", "b", 1_000_000)) < 0.8


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, b"{}", (("X-Nextcloud-Maintenance-Mode", "1"), ("Content-Type", "application/json"))),
        Answer(503, b"<d:error><s:exception>OCA\\DAV\\Exception\\ServerMaintenanceMode</s:exception></d:error>"),
    ],
)
def test_maintenance_is_named_and_not_asked_again(answer: Answer) -> None:
    with scripted() as script:
        script.answers = [answer]
        with pytest.raises(HostMaintenance):
            DavFiles(script.url, AppApi("s", "1")).read("alice", "a")
        assert len(script.seen) == 1

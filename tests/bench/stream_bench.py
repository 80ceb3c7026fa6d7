"""How fast a large file is hashed through the file area's adapter, beside the limit: SHA-256 over the same bytes, read
from the same server by a bare socket. Prints both, and by how much memory grew.

    python -m tests.bench.stream_bench --gb 3
"""

from __future__ import annotations

import argparse
import hashlib
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles

ROUNDS = 3


def serve(path: str, port: int, ready: object) -> None:
    """A host that costs next to nothing: it sends the file, whatever is asked for."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        ready.set()  # type: ignore[attr-defined]  # an event of multiprocessing
        while True:
            client, _ = listener.accept()
            with client, Path(path).open("rb") as content, suppress(OSError):
                while client.recv(65536):
                    size = Path(path).stat().st_size
                    client.sendall(f'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: {size}\r\n\r\n'.encode())
                    client.sendfile(content, 0, size)


def by_adapter(url: str) -> str:
    running = hashlib.sha256()
    with DavFiles(url, AppApi("secret", "1")).open_stream("alice", "film") as stream:
        assert stream is not None
        for piece in stream.pieces:
            running.update(piece)
    return running.hexdigest()


def by_socket(url: str) -> str:
    running, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        start = connection.recv(4096, socket.MSG_PEEK)
        head = start[: start.index(b"\r\n\r\n") + 4]
        left = int(head.partition(b"Content-Length: ")[2].split()[0])
        connection.recv(len(head))
        while left and (came := connection.recv_into(buffer, min(left, len(buffer)))):
            running.update(buffer[:came])
            left -= came
    return running.hexdigest()


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000


def seconds(what: Callable[[str], str], url: str) -> tuple[float, float, str]:
    """(on the clock, of our own processor time, hash)"""
    begun, worked = time.perf_counter(), time.process_time()
    found = what(url)
    return time.perf_counter() - begun, time.process_time() - worked, found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gb", type=float, default=3.0)
    size = int(asked.parse_args().gb * 1e9)
    context = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        film, port, ready = Path(folder) / "film", free.getsockname()[1], context.Event()
        free.close()
        with film.open("wb") as out:
            out.truncate(size)
        host = context.Process(target=serve, args=(str(film), port, ready), daemon=True)
        host.start()
        try:
            ready.wait(30)
            url = f"http://127.0.0.1:{port}"
            before = peak_mb()
            rounds = [(seconds(by_socket, url), seconds(by_adapter, url)) for _ in range(ROUNDS)]  # by turns
        finally:
            host.terminate()
            host.join()
    assert len({found for pair in rounds for *_, found in pair}) == 1
    print(f"{size / 1e9:.1f} GB, median of {ROUNDS}, by turns; the second column is of processor time")
    for which, name in enumerate(("the limit, a bare socket and SHA-256", "the adapter and SHA-256")):
        clock_s, worked_s = (statistics.median(pair[which][column] for pair in rounds) for column in (0, 1))
        print(f"{name:38} {size / clock_s / 1e6:6.0f} MB/s   {size / worked_s / 1e6:6.0f} MB/s")
    print(f"peak memory grew by                    {peak_mb() - before:6.1f} MB")


if __name__ == "__main__":
    main()

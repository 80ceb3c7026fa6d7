"""Between the sidecar and its host: one call of many meets a fault, or every call of a kind until it is let go."""

from __future__ import annotations

import contextlib
import http.client
import re
import select
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tests.faults.front import HOP, AnyCall, QuietServer

Headers = list[tuple[str, str]]
_LOOKS: Final = re.compile(r"/status\.php|/ex-app/state")
"""How the product looks whether the host is there: a fault is met by what it does, not by that."""
STATUSES: Final = ("401", "403", "404", "409", "412", "423", "429", "500", "502", "503", "507")
KINDS: Final = (
    *STATUSES,
    "423 for minutes",
    "connect timeout",
    "read timeout, applied",
    "reset in mid-PUT",
    "truncated GET",
    "stale ETag",
    "201, nothing written",
    "30 s latency",
)
ONLY: Final = {
    "reset in mid-PUT": "PUT",
    "truncated GET": "GET|PROPFIND|SEARCH",
    "stale ETag": "PUT|GET|PROPFIND",
    "201, nothing written": "PUT|MKCOL",
    "read timeout, applied": "PUT|MKCOL|DELETE|POST",
    "30 s latency": "PUT|MKCOL|DELETE|GET|POST",
    "423 for minutes": "PUT|DELETE|MKCOL",
    "423": "PUT|DELETE|MKCOL|GET",
    "412": "PUT",
    "507": "PUT|MKCOL",
    "409": "PUT|MKCOL",
}
"""Methods that can meet it; all others any."""
DEAF_S: Final = 3.2


@dataclass(frozen=True)
class Fault:
    kind: str
    nth: int
    """Of the calls that can meet it, from 1."""


class FaultProxy:
    """In front of ``url``, on a port of this machine: ``self.url``. Close it. ``late_s``: what stands for 30 s, longer
    than the sidecar waits."""

    def __init__(self, url: str, late_s: float) -> None:
        far = urlsplit(url)
        self.netloc = far.netloc
        self.late_s = late_s
        self.met: list[tuple[str, str]] = []
        """Fault, and ``METHOD class`` of the call that met it."""
        self.calls = 0
        self.etags: dict[str, list[str]] = {}
        self._fault: Fault | None = None
        self._seen = 0
        self._lock = threading.Lock()
        self._hearing = threading.Event()
        self._hearing.set()
        self._closed = False
        self.closing = threading.Event()

        class Handler(_Handler):
            proxy = self

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._fault, self._seen = fault, 0

    def release(self) -> None:
        with self._lock:
            self._fault = None

    def close(self) -> None:
        self._closed = True
        self.closing.set()
        self._hearing.set()
        with contextlib.suppress(OSError):
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()

    def fault_for(self, method: str, path: str) -> str:
        """What this call meets; "" for nothing."""
        if _LOOKS.search(path):
            return ""
        with self._lock:
            self.calls += 1
            fault = self._fault
            if fault is None or not re.fullmatch(ONLY.get(fault.kind, ".*"), method):
                return ""
            self._seen += 1
            is_held = fault.kind == "423 for minutes"
            if self._seen < fault.nth or (self._seen > fault.nth and not is_held):
                return ""
            if self._seen == fault.nth:
                self.met.append((fault.kind, f"{method} {_class(path)}"))
            return "423" if is_held else fault.kind

    def go_deaf(self) -> None:
        """For a moment nobody can connect: the kernel drops who tries, as its queue is full."""
        with self._lock:
            if not self._hearing.is_set():
                return
            self._hearing.clear()
        fillers = []
        for _ in range(QuietServer.request_queue_size + 2):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self._server.server_port))
            fillers.append(filler)

        def hear_again() -> None:
            for filler in fillers:
                filler.close()
            self._hearing.set()

        timer = threading.Timer(DEAF_S, hear_again)
        timer.daemon = True
        timer.start()

    @property
    def is_deaf(self) -> bool:
        return not self._hearing.is_set()

    def _accept(self) -> None:
        while not self._closed:
            self._hearing.wait()
            try:
                request, address = self._server.socket.accept()
            except OSError:
                return
            self._server.process_request(request, address)


class _Handler(AnyCall):
    proxy: FaultProxy

    def met(self) -> None:
        if self.proxy.is_deaf:
            self.close_connection = True
            return
        kind = self.proxy.fault_for(self.command, self.path)
        if kind == "reset in mid-PUT":
            self._cut_off()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if kind.isdecimal():
            self._answer(int(kind), b"", [])
        elif kind == "connect timeout":
            self.proxy.go_deaf()
            self.close_connection = True
        elif kind == "201, nothing written":
            self._answer(201, b"", [("ETag", '"0123456789abcdef"')])
        else:
            if kind == "30 s latency":
                self.proxy.closing.wait(self.proxy.late_s)
            self._pass_on(kind, body)

    def _pass_on(self, kind: str, body: bytes) -> None:
        try:
            status, content, headers = self._from_host(body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        if kind == "read timeout, applied":
            select.select([self.connection], [], [], 30)  # until the sidecar has had enough
            self.close_connection = True
            return
        headers = list(self._aged(headers, stale=kind == "stale ETag"))
        self._answer(status, content, headers, cut=kind == "truncated GET")

    def _aged(self, headers: Headers, *, stale: bool) -> Iterator[tuple[str, str]]:
        """``stale``: with the ETag that the file had before, or with one that it never had."""
        known = self.proxy.etags.setdefault(self.path, [])
        for name, value in headers:
            if name.lower() not in ("etag", "oc-etag"):
                yield name, value
                continue
            older = [etag for etag in known if etag != value]
            if value not in known:
                known.append(value)
            yield name, (older[-1] if older else '"fedcba9876543210"') if stale else value

    def _cut_off(self) -> None:
        """Half of the body reaches the host; then both connections are gone."""
        length = int(self.headers.get("Content-Length") or 0)
        half = self.rfile.read(length // 2)
        with contextlib.suppress(OSError), socket.create_connection(_address(self.proxy.netloc), timeout=10) as far:
            lines = [f"{self.command} {self.path} HTTP/1.1", f"Host: {self.proxy.netloc}", f"Content-Length: {length}"]
            lines += [f"{name}: {value}" for name, value in self.headers.items() if name.lower() not in HOP]
            far.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + half)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _from_host(self, body: bytes) -> tuple[int, bytes, Headers]:
        far = http.client.HTTPConnection(self.proxy.netloc, timeout=60)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            length = {"Content-Length": str(len(body))} if body or self.command == "PUT" else {}
            far.request(self.command, self.path, body or None, {**kept, **length})
            answer = far.getresponse()
            return answer.status, answer.read(), answer.getheaders()
        finally:
            far.close()


def _class(path: str) -> str:
    """What kind of thing a path is."""
    name = path.partition("?")[0].rsplit("/", 1)[-1]
    if "/dav" not in path:
        return "OCS"
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return "revision"
    return {"flow.jsonl": "state", "salts.json": "salts"}.get(name, "file or folder")


def _address(netloc: str) -> tuple[str, int]:
    host, _, port = netloc.rpartition(":")
    return host, int(port)

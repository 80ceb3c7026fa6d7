"""A proxy between the sidecar and its host that passes everything on and counts. Shares no code with the product.

Every method, bodies as streams, headers and paths as they came, on both ways; addresses within answers stay the
host's.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host"}
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    """As it was asked for, without the query."""
    user: str
    """In whose name; "" for the app itself."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def kind(self) -> str:
        """What it is to the budget."""
        if "/dav" in self.path:
            below = self.path.partition("/dav/files/")[2].partition("/")[2]
            is_home = self.method == "PROPFIND" and not below
            return f"{self.method} {'home' if is_home else _kind_of_file(below.rsplit('/', 1)[-1])}".strip()
        return f"{self.method} {self.path.rsplit('/', 1)[-1]}"


def _kind_of_file(name: str) -> str:
    if len(name) == 64:
        return "revision"
    if name.startswith(".parapheur-probe-"):
        return "probe"
    return {"flow.jsonl": "state", "salts.json": "salts", "": ""}.get(name, "path")


@dataclass
class Asked:
    """What the host was asked within a block."""

    calls: list[Call] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.calls)

    def __str__(self) -> str:
        return ", ".join(f"{times} {kind}" for kind, times in Counter(call.kind for call in self.calls).items())


class CountingProxy:
    """In front of ``url``, on a port of this machine: ``self.url``. Close it."""

    def __init__(self, url: str) -> None:
        far = urlsplit(url)
        self.asked: list[Call] = []

        class Passing(_Passing):
            proxy = self

        self.netloc = far.netloc
        secure = far.scheme == "https"
        self.connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{far.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def counting(self) -> Iterator[Asked]:
        before, asked = len(self.asked), Asked()
        try:
            yield asked
        finally:
            asked.calls = self.asked[before:]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Passing(BaseHTTPRequestHandler):
    proxy: CountingProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        """``do_GET``, ``do_SEARCH``, …: every method there is."""
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass

    def _pass(self) -> None:
        self.proxy.asked.append(Call(self.command, self.path.partition("?")[0], self._user()))
        far = self.proxy.connect(self.proxy.netloc, timeout=120)
        try:
            self._hand_on(far)
            answer = far.getresponse()
            self._hand_back(answer)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # the sidecar sees what we saw: no answer
        finally:
            far.close()

    def _user(self) -> str:
        given = self.headers.get("Authorization-App-Api", "")
        return base64.b64decode(given).decode().rpartition(":")[0]

    def _hand_on(self, far: http.client.HTTPConnection) -> None:
        far.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        far.putheader("Host", self.proxy.netloc)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                far.putheader(name, value.encode("latin-1"))
        is_chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if is_chunked:
            far.putheader("Transfer-Encoding", "chunked")
        far.endheaders()
        for piece in self._chunks() if is_chunked else self._counted():
            far.send(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            far.send(b"0\r\n\r\n")

    def _counted(self) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, _CHUNK))):
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _hand_back(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        has_body = self.command != "HEAD" and answer.status not in (204, 304)
        is_chunked = has_body and answer.headers.get("Content-Length") is None
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read(_CHUNK):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

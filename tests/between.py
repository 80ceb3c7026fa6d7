"""Something between the sidecar and its host that passes everything on, unless it is told to be in the way."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}


@dataclass
class Manner:
    """How requests whose ``METHOD path`` matches ``only`` are met."""

    only: str = ""
    status: int = 0
    """Answered in the host's stead."""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Passed on late."""
    holds: bool = False
    """Neither passed on nor answered."""
    drops: bool = False
    """The connection is closed at once."""
    loses: bool = False
    """Passed on, but the answer never comes."""
    clock_ahead_s: float = 0.0
    """The host's clock, as its Date header tells it."""


MAINTENANCE = (
    Manner("GET .*/status.php", 200, b'{"installed": true, "maintenance": true, "version": "34.0.1.2"}'),
    Manner("/ocs/", 503, b'{"ocs": {}}', {"X-Nextcloud-Maintenance-Mode": "1", "Content-Type": "application/json"}),
    Manner(
        "/remote.php/",
        503,
        b'<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">'
        b"<s:exception>OCA\\DAV\\Exception\\ServerMaintenanceMode</s:exception></d:error>",
        {"Content-Type": "application/xml; charset=utf-8"},
    ),
)
"""What Nextcloud 32 and 34 answer."""


class Between:
    """In front of ``url``, on a port of this machine: ``self.url``. Close it."""

    def __init__(self, url: str) -> None:
        far = urlsplit(url)
        self.netloc = far.netloc
        self.seen: list[tuple[str, dict[str, str]]] = []
        """``METHOD path``, headers."""
        self.manners: tuple[Manner, ...] = ()
        self.released = threading.Event()

        class Passing(_Passing):
            between = self

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{far.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def being(self, *manners: Manner) -> Iterator[None]:
        """At the end, whoever is held is let go with a lost connection."""
        self.released.clear()
        self.manners = manners
        try:
            yield
        finally:
            self.manners = ()
            self.released.set()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Passing(BaseHTTPRequestHandler):
    between: Between
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass

    def _pass(self) -> None:
        asked = f"{self.command} {self.path}"
        self.between.seen.append((asked, dict(self.headers.items())))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        manner = next((m for m in self.between.manners if re.search(m.only, asked)), Manner())
        if manner.delay_s:
            self.between.released.wait(manner.delay_s)
        if manner.holds:
            self._hold()
        elif manner.drops:
            self.close_connection = True
        elif manner.status:
            self._answer(manner.status, manner.body, list(manner.headers.items()))
        else:
            self._pass_on(manner, body)

    def _pass_on(self, manner: Manner, body: bytes) -> None:
        try:
            status, content, headers = self._from_host(body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        if manner.loses:
            self._hold()
        else:
            self._answer(status, content, [_shifted(name, value, manner.clock_ahead_s) for name, value in headers])

    def _hold(self) -> None:
        self.between.released.wait(30)
        self.close_connection = True

    def _from_host(self, body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        far = http.client.HTTPConnection(self.between.netloc, timeout=60)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            far.request(self.command, self.path, body or None, {**kept, "Content-Length": str(len(body))})
            answer = far.getresponse()
            return answer.status, answer.read(), answer.getheaders()
        finally:
            far.close()

    def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        has_length = any(name.lower() == "content-length" for name, _ in headers)
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP or (name.lower() == "content-length" and not body):
                self.send_header(name, value)
        if not any(name.lower() == "date" for name, _ in headers):
            self.send_header("Date", format_datetime(datetime.now(UTC), usegmt=True))
        if (body or not has_length) and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)


def _shifted(name: str, value: str, by_s: float) -> tuple[str, str]:
    if name.lower() != "date" or not by_s:
        return name, value
    return name, format_datetime(parsedate_to_datetime(value) + timedelta(seconds=by_s), usegmt=True)

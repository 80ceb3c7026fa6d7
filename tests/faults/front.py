"""What a plain WebDAV server lacks of a platform, put in front of it: who is who, ids of files, a search by id.

Everything else is passed on as it came and back as it is: conditions, ETags, status codes, bodies.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from plugin.demo.wire import APP_ID

_DAV: Final = "/remote.php/dav"
HOP: Final = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
_OURS: Final = {"authorization", "authorization-app-api", "ex-app-id", "ex-app-version", "aa-version", "x-hash"}
_D, _OC = "{DAV:}", "{http://owncloud.org/ns}"


class AnyCall(BaseHTTPRequestHandler):
    """Every method is met in the same way, and answered as somebody else answered."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.met
        raise AttributeError(name)

    def met(self) -> None:
        raise NotImplementedError

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]], *, cut: bool = False) -> None:
        """``cut``: the connection ends in the middle of the body."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that go away in the middle: that is what all this is about."""

    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, *_: Any) -> None:
        pass


class Front:
    """In front of a server whose top folders are people. ``self.url``; close it. A file keeps its id at its path."""

    def __init__(self, behind: str, platform: str) -> None:
        """``platform``: who answers what is no WebDAV."""
        self.behind, self.platform = urlsplit(behind).netloc, urlsplit(platform).netloc
        self._ids: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._next = itertools.count(100)
        self._lock = threading.Lock()

        class Fronting(_Fronting):
            front = self

        self._server = QuietServer(("127.0.0.1", 0), Fronting)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def id_of(self, path: str) -> str:
        with self._lock:
            if path not in self._ids:
                self._ids[path] = str(next(self._next))
                self._paths[self._ids[path]] = path
            return self._ids[path]

    def path_of(self, file_id: str) -> str | None:
        return self._paths.get(file_id)


class _Fronting(AnyCall):
    front: Front

    def met(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if not path.startswith(_DAV):
                self._answer(*self._asked(self.front.platform, self.command, self.path, body, ours=True))
            elif self.command == "SEARCH":
                self._search(body)
            else:
                self._dav(path.removeprefix(f"{_DAV}/files"), body)

    def _dav(self, path: str, body: bytes) -> None:
        user = self._user()
        if not user or path.split("/")[1:2] != [user]:
            self._answer(401 if not user else 404, b"", [])
            return
        status, content, headers = self._asked(self.front.behind, self.command, path, body)
        if self.command == "PROPFIND" and status == 207:
            content = self._with_ids(content)
            headers = [(name, value) for name, value in headers if name.lower() != "content-encoding"]
        self._answer(status, content, headers)

    def _search(self, body: bytes) -> None:
        """By file id alone; by name there is none, as on a host that does not offer it."""
        user, wanted = self._user(), re.search(rb"oc:fileid/>.*<d:literal>([0-9]+)</d:literal>", body, re.DOTALL)
        if not user or wanted is None:
            self._answer(401 if not user else 501, b"", [])
            return
        path = self.front.path_of(wanted[1].decode())
        found = b""
        if path is not None and path.startswith(f"/{user}/"):
            status, content, _ = self._asked(self.front.behind, "PROPFIND", quote(path), b"", {"Depth": "0"})
            found = self._with_ids(content) if status == 207 else b""
        self._answer(207, found or b'<d:multistatus xmlns:d="DAV:"/>', [("Content-Type", "application/xml")])

    def _with_ids(self, content: bytes) -> bytes:
        tree = etree.fromstring(content)
        for response in tree.iter(f"{_D}response"):
            href = response.find(f"{_D}href")
            path = urlsplit(href.text).path
            href.text = f"{_DAV}/files{path}"
            propstat = etree.SubElement(response, f"{_D}propstat")
            prop = etree.SubElement(propstat, f"{_D}prop")
            etree.SubElement(prop, f"{_OC}fileid").text = self.front.id_of(unquote(path).rstrip("/"))
            etree.SubElement(propstat, f"{_D}status").text = "HTTP/1.1 200 OK"
        return bytes(etree.tostring(tree, xml_declaration=True, encoding="utf-8"))

    def _user(self) -> str:
        given = self.headers.get("Authorization-App-Api") or self.headers.get("Authorization", "").partition(" ")[2]
        is_known = self.headers.get("Ex-App-Id") in (APP_ID, None)
        return b64decode(given).decode().partition(":")[0] if is_known else ""

    def _asked(
        self,
        netloc: str,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        ours: bool = False,
    ) -> tuple[int, bytes, list[tuple[str, str]]]:
        leave = HOP if ours else HOP | _OURS
        kept = {name: value for name, value in self.headers.items() if name.lower() not in leave}
        if headers is not None:
            kept = headers
        if "Destination" in kept:
            where = urlsplit(kept["Destination"]).path.removeprefix(f"{_DAV}/files")
            kept["Destination"] = f"http://{netloc}{where}"
        far = http.client.HTTPConnection(netloc, timeout=60)
        try:
            has_body = bool(body) or method == "PUT"
            far.request(
                method, path, body or None, {**kept, **({"Content-Length": str(len(body))} if has_body else {})}
            )
            answer = far.getresponse()
            return answer.status, answer.read(), answer.getheaders()
        finally:
            far.close()

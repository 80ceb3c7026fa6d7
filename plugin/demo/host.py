"""The stand-in for the platform: WebDAV, OCS and a mail server on loopback ports of their own.

It has threads of its own, so that whoever waits for it never keeps it from answering.
"""

from __future__ import annotations

import http.client
import secrets
import threading
from base64 import b64encode
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Final

import structlog
from cheroot.wsgi import Server

from plugin.demo.database import Database
from plugin.demo.dav import MOUNT, Dav
from plugin.demo.mailbox import Mailbox
from plugin.demo.ocs import Ocs
from plugin.demo.people import PEOPLE, Accounts
from plugin.demo.sessions import Sessions
from plugin.demo.shares import SharingArea
from plugin.demo.wire import Environ, StartResponse, answer, raw_path

_THREADS: Final = 24
_PROBE: Final = ".probe-"
_STATUS: Final = b'{"installed": true, "maintenance": false, "needsDbUpgrade": false, "version": "34.0.0.0"}'
_log = structlog.get_logger()


class EmbeddedHost:
    """Start it, ask for its ``url``, stop it; on the same ``data`` it is the same host again.

    Raises OSError when a port cannot be had.
    """

    def __init__(self, data: Path, sidecar_secret: str, *, with_samples: bool = True) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.chmod(0o700)
        root = data / "host"
        root.mkdir(exist_ok=True, mode=0o700)
        self._database = Database(root / "host.sqlite")
        self.area = SharingArea(root, self._database)
        self.sessions = Sessions(self._database)
        self.mailbox = Mailbox(self._database)
        self.accounts = Accounts()
        self.ocs = Ocs(sidecar_secret, self.mailbox.keep, self.accounts)
        self._dav = Dav(self.area, sidecar_secret, self.accounts)
        self._with_samples = with_samples
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the host is not started")
        return int(self._server.bind_addr[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def smtp_host(self) -> str:
        return "127.0.0.1"

    @property
    def smtp_port(self) -> int:
        return self.mailbox.port

    def start(self) -> None:
        if self._with_samples and self._database.row("SELECT 1 FROM marks WHERE name = 'seeded'") is None:
            import_module("plugin.demo.samples").seed(self.area)  # drawing is needed at the first start only
            self._database.run("INSERT OR IGNORE INTO marks VALUES ('seeded', '1')")
        for left in (node for uid in PEOPLE for node in self.area.children(uid, ()) if node.name.startswith(_PROBE)):
            self.area.delete(left.owner, left.parts)
        self.mailbox.start()
        self._server = quiet_server(("127.0.0.1", 0), self, _THREADS)
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="embedded-host", daemon=True)
        self._thread.start()
        _log.info("demo.host.started", port=self.port)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
            self._server = self._thread = None
        self.mailbox.stop()
        self._database.close()

    def takes_writes(self) -> bool:
        """A small file was put and removed again, over HTTP, within two seconds."""
        uid = next(iter(PEOPLE))
        path = f"{MOUNT}/files/{uid}/{_PROBE}{secrets.token_hex(6)}"
        headers = {"Authorization": "Basic " + b64encode(f"{uid}:{uid}".encode()).decode()}
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            try:
                for method, body, expected in (("PUT", b"probe", 201), ("DELETE", None, 204)):
                    connection.request(method, path, body, headers)
                    response = connection.getresponse()
                    response.read()
                    if response.status != expected:
                        return False
                return True
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, RuntimeError):
            return False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = raw_path(environ)
        if path == MOUNT or path.startswith(MOUNT + "/"):
            return self._dav(environ, start_response)
        if path.startswith(("/ocs/v1.php/", "/ocs/v2.php/")):
            return self.ocs(environ, start_response)
        if path == "/status.php":
            return answer(start_response, 200, _STATUS, [("Content-Type", "application/json")])
        return answer(start_response, 404)


class _QuietServer(Server):
    """cheroot, whose errors go to our log without text from requests."""

    shutdown_timeout = 1

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        if traceback:
            _log.exception("demo.server.error")
        else:
            _log.debug("demo.server.note", level=level)


def quiet_server(address: tuple[str, int], app: object, threads: int) -> Server:
    return _QuietServer(
        address,
        app,
        numthreads=threads,
        server_name="parapheur",
        request_queue_size=128,
        timeout=60,
        shutdown_timeout=1,
    )

"""The public port of the embedded host: file area, pages and sidecar on one address."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

import structlog
from cheroot.wsgi import Server

from plugin.demo.forward import Forward
from plugin.demo.host import EmbeddedHost, quiet_server
from plugin.demo.pages import create_pages
from plugin.demo.proxy import AppApiProxy
from plugin.demo.wire import App, Environ, StartResponse, raw_path

APP_VERSION: Final = version("parapheur")
_THREADS: Final = 40
_ADDRESS: Final = "address"
_log = structlog.get_logger()


class DataInUse(Exception):
    """Another process runs on this data."""


class PortInUse(Exception):
    """The address cannot be had."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a sidecar is told about the world it runs in."""

    host_url: str
    app_secret: str
    app_version: str
    smtp_host: str
    smtp_port: int
    public_url: str
    data: Path
    host_takes_writes: Callable[[], bool]
    send_sms: Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The product: a WSGI application, and what ends its threads."""

    app: App
    close: Callable[[], None]


SidecarFactory = Callable[[Wiring], Sidecar]


class Demo:
    """Everything behind one public port. ``start`` returns when it answers; ``stop`` ends all of it."""

    def __init__(self, data: Path, port: int, sidecar_factory: SidecarFactory, *, with_samples: bool = True) -> None:
        data = data.resolve()
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.chmod(0o700)
        self._data = data
        self._claim = _claimed(data)
        (data / _ADDRESS).unlink(missing_ok=True)  # of a boot that was killed
        secret = app_secret(data)
        self._server: Server = quiet_server(("127.0.0.1", port), self, _THREADS)
        try:
            self._server.prepare()
        except OSError as taken:
            self._claim.close()
            raise PortInUse(port) from taken
        self.port = int(self._server.bind_addr[1])
        self.public_url = f"http://127.0.0.1:{self.port}"
        with ExitStack() as undo:  # threads are running by now: a start that fails must end them, or nothing ends
            undo.callback(self._claim.close)
            undo.callback(self._server.stop)
            self.host = EmbeddedHost(data, secret, with_samples=with_samples)
            undo.callback(self.host.stop)
            self.host.start()
            self._forward = Forward(lambda: self.host.port)
            self._pages = create_pages(self.host, self.public_url)
            wiring = Wiring(
                host_url=self.host.url,
                app_secret=secret,
                app_version=APP_VERSION,
                smtp_host=self.host.smtp_host,
                smtp_port=self.host.smtp_port,
                public_url=self.public_url,
                data=data,
                host_takes_writes=self.host.takes_writes,
                send_sms=self.host.mailbox.keep_sms,
            )
            self._sidecar = sidecar_factory(wiring)
            undo.pop_all()
        self._proxy = AppApiProxy(self._sidecar.app, self.host.sessions, secret, APP_VERSION)
        self._thread = threading.Thread(target=self._server.serve, name="public-port", daemon=True)

    def start(self) -> None:
        self._thread.start()
        fresh = self._data / f"{_ADDRESS}.new"
        fresh.write_text(self.host.url)
        fresh.replace(self._data / _ADDRESS)
        _log.info("demo.started", port=self.port)

    def stop(self) -> None:
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._sidecar.close()
        (self._data / _ADDRESS).unlink(missing_ok=True)
        self.host.stop()
        self._claim.close()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = raw_path(environ)
        if path.startswith(("/remote.php/", "/ocs/")):
            return self._forward(environ, start_response)
        if path in ("/", "/demo") or path.startswith(("/demo/", "/apps/app_api/embedded/")):
            return self._pages.wsgi_app(environ, start_response)
        return self._proxy(environ, start_response)


def build(data: Path, port: int, sidecar_factory: SidecarFactory, *, with_samples: bool = True) -> Demo:
    """The embedded host around a sidecar; port 0 takes a free one. Raises PortInUse, DataInUse."""
    return Demo(data, port, sidecar_factory, with_samples=with_samples)


def app_secret(data: Path) -> str:
    """The secret between host and sidecar: made once, readable by the owner alone."""
    path = data / "app_secret"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        fresh = data / f".app_secret.{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:  # noqa: PTH123 - a descriptor, of this mode from the start
            out.write(secrets.token_urlsafe(48))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
        return path.read_text().strip()


def address(data: Path) -> str | None:
    """The file area of the embedded host that runs on this data in another process; None where none runs.

    Raises DataInUse while that one is still starting.
    """
    try:
        _claimed(data).close()
    except DataInUse:
        if not (data / _ADDRESS).exists():
            raise
        return (data / _ADDRESS).read_text().strip()
    return None


def _claimed(data: Path) -> IO[str]:
    """A record lock on the data: it ends with this process, and children do not inherit it."""
    lock = (data / "in-use").open("a")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as held:
        lock.close()
        raise DataInUse(str(data)) from held
    return lock

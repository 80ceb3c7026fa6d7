"""Hosts of several makes, each with its files in a folder that an oracle can look into past all WebDAV.

``embedded`` is the product's own. The others are WebDAV servers as they come: stock WsgiDAV on its own file system
provider, Apache's mod_dav, rclone's server (which ignores conditions). What a platform has and they lack (file ids,
a search by id, people, mails) is put in front of them by ``Front``, as thin as it can be: methods, conditions, ETags,
bodies and status codes are theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from cheroot.wsgi import Server

from plugin.demo.host import EmbeddedHost
from plugin.demo.people import PEOPLE
from tests.faults.front import Front
from tests.faults.sidecar import SECRET

KINDS: Final = ("embedded", "wsgidav", "apache", "rclone")
PACKAGES: Final = {"apache": "apache2", "rclone": "rclone"}
_MODULES = ("mpm_event", "authz_core", "dav", "dav_fs", "dav_lock")


@dataclass
class Host:
    kind: str
    url: str
    root: Path
    """``root / user``: that user's files."""
    within: EmbeddedHost

    def put(self, user: str, path: str, data: bytes) -> str:
        """As somebody does at his desk. Returns: the file's id."""
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (user, user)
            address = f"{self.url}/remote.php/dav/files/{user}"
            for depth in range(1, path.count("/") + 1):
                session.request("MKCOL", f"{address}/{'/'.join(path.split('/')[:depth])}", timeout=20)
            stored = session.put(f"{address}/{path}", data=data, timeout=20)
            assert stored.status_code in (201, 204), stored.status_code
            found = session.request("PROPFIND", f"{address}/{path}", headers={"Depth": "0"}, data=_ID, timeout=20)
            return re.findall(r"fileid[^>]*>([0-9]+)<", found.text)[0]

    def mails(self) -> list[dict[str, Any]]:
        return self.within.mailbox.mails()


_ID = '<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:fileid/></d:prop></d:propfind>'


def missing(kind: str) -> str | None:
    """The Debian package that this machine lacks for it."""
    package = PACKAGES.get(kind)
    return package if package is not None and shutil.which(package, path=_PATH) is None else None


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Host]:
    embedded = EmbeddedHost(folder / "embedded", SECRET, with_samples=False)
    embedded.start()
    try:
        if kind == "embedded":
            yield Host(kind, embedded.url, folder / "embedded" / "host" / "files", embedded)
            return
        root = folder / "files"
        for user in PEOPLE:
            (root / user).mkdir(parents=True)
        with _SERVERS[kind](folder, root) as behind, contextlib.closing(Front(behind, embedded.url)) as front:
            yield Host(kind, front.url, root, embedded)
    finally:
        embedded.stop()


@contextlib.contextmanager
def _wsgidav(_folder: Path, root: Path) -> Iterator[str]:
    from wsgidav.wsgidav_app import WsgiDAVApp

    app = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(root)},
            "http_authenticator": {"domain_controller": None},
            "simple_dc": {"user_mapping": {"*": True}},
            "logging": {"enable": False},
            "verbose": 0,
        }
    )
    server = Server(("127.0.0.1", 0), app, numthreads=12)
    server.error_log = lambda *_args, **_more: None
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()


@contextlib.contextmanager
def _apache(folder: Path, root: Path) -> Iterator[str]:
    port = _free_port()
    own = folder / "apache"
    own.mkdir()
    (own / "apache.conf").write_text(
        "\n".join(
            [
                f'ServerRoot "{own}"',
                *(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _MODULES),
                f"Listen 127.0.0.1:{port}",
                "ServerName localhost",
                f'PidFile "{own}/pid"',
                f'ErrorLog "{own}/error.log"',
                "User #65534" if _is_root() else "",
                "Group #65534" if _is_root() else "",
                f'DAVLockDB "{own}/locks"',
                f'DocumentRoot "{root}"',
                "FileETag MTime Size",
                f'<Directory "{root}">',
                "  DAV On",
                "  Require all granted",
                "</Directory>",
            ]
        )
    )
    if _is_root():  # it serves as nobody
        for path in (folder, own, root, *(root / user for user in PEOPLE)):
            shutil.chown(path, 65534, 65534)
        _let_through(folder)
    command = [str(shutil.which("apache2", path=_PATH)), "-d", str(own), "-f", "apache.conf", "-DFOREGROUND"]
    with _program(command, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _rclone(folder: Path, root: Path) -> Iterator[str]:
    port = _free_port()
    command = [str(shutil.which("rclone", path=_PATH)), "serve", "webdav", str(root)]
    command += ["--addr", f"127.0.0.1:{port}", "--config", str(folder / "none"), "--dir-cache-time", "0"]
    with _program(command, port):
        yield f"http://127.0.0.1:{port}"


_SERVERS: dict[str, Callable[[Path, Path], contextlib.AbstractContextManager[str]]] = {
    "wsgidav": _wsgidav,
    "apache": _apache,
    "rclone": _rclone,
}


@contextlib.contextmanager
def _program(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline, pause = time.monotonic() + 20, threading.Event()
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not listen"
            pause.wait(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_root() -> bool:
    return os.geteuid() == 0


def _let_through(folder: Path) -> None:
    """Temporary folders are their owner's alone: nobody else comes to what lies below."""
    for above in folder.parents:
        if above.stat().st_mode & 0o001 == 0:
            above.chmod(above.stat().st_mode | 0o011)

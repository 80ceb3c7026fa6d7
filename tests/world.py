"""The product on the embedded host, in this process: real WebDAV, real SMTP, real PDF children, real requests.

Between the sidecar and the host stand two gates of TCP, so that a test can take the file area or the mail server away.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from plugin.app import demo_sidecar
from plugin.demo.server import Demo, Sidecar, Wiring, build
from plugin.flow.errors import IndexMissing
from plugin.web.office import EXTENSION
from tests.pdfops import samples

Json = dict[str, Any]
T = TypeVar("T")
_never = threading.Event()
_numbers = itertools.count(1)


def until(what: Callable[[], T], *, within_s: float = 15.0) -> T:
    """Asks until the answer is true, and gives it; fails when time is up. The one place where a test waits."""
    end = time.monotonic() + within_s
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, "it did not happen in time"
        _never.wait(0.03)


class Gate:
    """Forwards TCP to a port while it is open; resets every connection while it is shut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open = True
        self._lock = threading.Lock()
        self._pairs: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        with self._lock:
            self._open = False
            pairs = list(self._pairs)
        for each in pairs:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            self._open = True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self.shut():
            pass

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if not self._open:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs |= {near, far}
            left = [2]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other, left), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, left: list[int]) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(262_144):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        with self._lock:
            left[0] -= 1
            if left[0] == 0:
                self._pairs -= {source, target}
                source.close()
                target.close()


class Browser:
    """Somebody in front of the product: a session of a platform user, or nobody's."""

    def __init__(self, url: str, base: str = "/api/v1") -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.url = url
        self.base = base

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.url + self._at(path), timeout=60, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        if body is not None:
            more["json"] = body
        return self.session.post(self.url + self._at(path), timeout=60, **more)

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.url + self._at(path), timeout=60, **more)

    def _at(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.base}/{path}" if path else self.base


class Actor(Browser):
    """Whoever decides: ``flow`` reads what he sees, ``act`` sends what he does, with the page's token."""

    def flow(self) -> Json:
        answer = self.get("flow.json")
        assert answer.status_code == 200, answer.text
        self.session.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return dict(answer.json())

    def act(self, what: str, body: Any = None, **more: Any) -> requests.Response:
        if "X-CSRF-Token" not in self.session.headers:
            self.flow()
        return self.post(what, {} if body is None else body, **more)

    def sign(self, **more: Any) -> requests.Response:
        return self.act("sign", signing(self.flow()), **more)

    def approve(self, comment: str | None = None, **more: Any) -> requests.Response:
        shown = {str(d["n"]): d["current_sha256"] for d in self.flow()["documents"]}
        body = {"documents": shown} if comment is None else {"documents": shown, "comment": comment}
        return self.act("approve", body, **more)

    def refuse(self, reason: str = "Le montant est faux.", **more: Any) -> requests.Response:
        return self.act("refuse", {"reason": reason}, **more)


@cache
def ink() -> str:
    return base64.b64encode(samples.ink_png((300, 100))).decode()


@cache
def pdf(pages: int = 1) -> bytes:
    return samples.simple_pdf(pages)


def signing(flow: Json, png_base64: str | None = None) -> Json:
    return {
        "signature": {"kind": "drawn", "png_base64": png_base64 or ink()},
        "consent": True,
        "documents": {str(d["n"]): d["current_sha256"] for d in flow["documents"]},
    }


def stamps(documents: int, signatories: Sequence[int]) -> list[Json]:
    """One stamp a document for each of these recipients, side by side, the last ones with text."""
    return [
        {
            "document": document,
            "page": 1,
            "recipient": recipient,
            "box": {"x": 0.05 + 0.3 * (place % 3), "y": 0.8 - 0.1 * (place // 3), "w": 0.25, "h": 0.08},
            "with_text": place > 0,
        }
        for document in range(documents)
        for place, recipient in enumerate(signatories)
    ]


@dataclass
class World:
    demo: Demo
    product: Any
    """The sidecar's Flask application."""
    host_gate: Gate
    mail_gate: Gate
    browsers: list[Browser]
    data: Path
    sweeping: threading.Lock = field(default_factory=threading.Lock)
    """Who holds it, holds up the sweep."""

    @property
    def url(self) -> str:
        return self.demo.public_url

    @property
    def office(self) -> Any:
        return self.product.extensions[EXTENSION]

    # ---- people ----
    def login(self, uid: str) -> Browser:
        browser = self.nobody()
        assert browser.post("/demo/login", {"user": uid}).status_code == 200
        me = browser.get("me")
        assert me.status_code == 200, me.text
        browser.session.headers["X-CSRF-Token"] = me.json()["csrf_token"]
        return browser

    def nobody(self) -> Browser:
        return self._kept(Browser(self.url))

    def recipient(self, uid: str, flow_id: str) -> Actor:
        """A platform user in front of a flow of his."""
        actor = self._kept(Actor(self.url, f"/api/v1/flows/{flow_id}"))
        assert actor.post("/demo/login", {"user": uid}).status_code == 200
        return actor

    def follow(self, link: str) -> Actor:
        """Whoever holds this link."""
        assert link.startswith(f"{self.url}/s/"), link
        return self._kept(Actor(self.url, link.removeprefix(self.url)))

    def _kept(self, browser: Any) -> Any:
        self.browsers.append(browser)
        return browser

    # ---- files ----
    def dav(self, uid: str, method: str, path: str, **more: Any) -> requests.Response:
        """A WebDAV client of the user's own, past the gate."""
        address = f"{self.demo.host.url}/remote.php/dav/files/{uid}/{quote(path)}"
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, address, auth=(uid, uid), timeout=60, **more)

    def folder(self, uid: str = "alice") -> str:
        name = f"Dossier {next(_numbers)}"
        assert self.dav(uid, "MKCOL", name).status_code == 201
        return name

    def put(self, path: str, data: bytes, uid: str = "alice") -> str:
        """Returns: the file's id."""
        answer = self.dav(uid, "PUT", path, data=data)
        assert answer.status_code == 201, answer.status_code
        return str(int(answer.headers["OC-FileId"].split("oc")[0]))

    def read(self, path: str, uid: str = "alice") -> bytes:
        answer = self.dav(uid, "GET", path)
        assert answer.status_code == 200, (path, answer.status_code)
        return bytes(answer.content)

    def names(self, folder: str, uid: str = "alice") -> list[str]:
        """Everything below a folder, hidden things too, as the area itself keeps it."""
        area = self.demo.host.area
        found = []
        waiting = [tuple(part for part in folder.split("/") if part)]
        while waiting:
            for node in area.children(uid, waiting.pop()):
                found.append(node.path)
                if node.is_folder:
                    waiting.append(node.parts)
        return sorted(path[len(folder) + 1 :] if folder else path for path in found)

    # ---- flows ----
    def launch(self, who: Browser, body: Json, **more: Any) -> Json:
        answer = who.post("flows", body, **more)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def signature(
        self, who: Browser, file_ids: Sequence[str], recipients: Sequence[Json], roles: Sequence[str] = (), **more: Any
    ) -> Json:
        signatories = [n for n, r in enumerate(recipients) if r.get("role") != "validator"]
        body = {
            "kind": "signature",
            "documents": [{"file_id": file_id} for file_id in file_ids],
            "recipients": list(recipients),
            "placements": stamps(len(file_ids), signatories),
            **more,
        }
        return self.launch(who, body)

    def validation(self, who: Browser, file_ids: Sequence[str], recipients: Sequence[Json], **more: Any) -> Json:
        documents = [{"file_id": file_id} for file_id in file_ids]
        return self.launch(who, {"kind": "validation", "documents": documents, "recipients": list(recipients), **more})

    def state_file(self, flow_id: str) -> bytes:
        """The chain's bytes on the host."""
        return self.read(
            self.office.ctx.flows.load(flow_id).place.path, self.office.ctx.flows.load(flow_id).place.owner
        )

    def lines(self, flow_id: str) -> list[Json]:
        return [json.loads(line) for line in self.state_file(flow_id).splitlines()]

    # ---- mails ----
    def mails(self, flow_id: str, kind: str = "", to: str = "") -> list[Json]:
        found = self.demo.host.mailbox.mails()
        return [
            m for m in found if m["message_id"].startswith(f"<{kind}") and flow_id in m["message_id"] and to in m["to"]
        ]

    def mail(self, flow_id: str, kind: str, to: str) -> Json:
        """Waits for the mail of this kind to this person."""
        return until(lambda: self.mails(flow_id, kind, to))[0]

    def link(self, flow_id: str, to: str) -> Actor:
        """Waits for somebody's invitation and follows its link."""
        mail = self.mail(flow_id, "invitation", to)
        return self.follow(next(link for link in mail["links"] if "/s/" in link))

    def settled(self, flow_id: str) -> list[Json]:
        """Waits until the flow owes nothing and every mail is recorded; gives its mails in order. Work that failed
        once has a pause, and the sweep comes after it."""
        from plugin.flow.owed import owed

        until(lambda: not owed(self.office.ctx.flows.load(flow_id).flow, self.office.ctx.clock()), within_s=60)
        return self.mails(flow_id)

    # ---- time ----
    @contextlib.contextmanager
    def later(self, by: timedelta) -> Iterator[None]:
        """The sidecar's clock goes ahead for what is asked by HTTP."""
        clock = self.office.ctx.clock
        with self.handed(clock=lambda: clock() + by):
            yield

    def lose_index(self) -> None:
        """It is deleted under the running product, which makes it again by itself."""
        for tail in ("", "-wal", "-shm"):
            (self.data / "parapheur" / f"index.db{tail}").unlink(missing_ok=True)

    def knows(self, flow_id: str) -> bool:
        """The index is there, and this flow is in it."""
        try:
            return self.office.ctx.index.listed([flow_id]) != []
        except IndexMissing:
            return False

    @contextlib.contextmanager
    def handed(self, **other: Any) -> Iterator[None]:
        """What is asked by HTTP is done with another clock, another mailer, …"""
        before = self.office
        ctx = replace(before.ctx, **other)
        self.product.extensions[EXTENSION] = replace(before, ctx=ctx)
        try:
            yield
        finally:
            self.product.extensions[EXTENSION] = before


def _slow_to_sweep(jobs: Any) -> threading.Lock:
    sweep, sweeping = jobs._sweep, threading.Lock()

    def swept() -> None:
        with sweeping:
            sweep()

    jobs._sweep = swept
    return sweeping


@contextlib.contextmanager
def running(data: Path, way: Callable[[str], str] = lambda url: url, **sidecar_with: Any) -> Iterator[World]:
    """``way``: another address for the host's, where something stands between. ``sidecar_with``: another clock."""
    gates: list[Gate] = []
    apps: list[Any] = []

    def between(wiring: Wiring) -> Sidecar:
        host, mail = Gate(int(wiring.host_url.rpartition(":")[2])), Gate(wiring.smtp_port)
        gates.extend((host, mail))
        gated = replace(wiring, host_url=way(f"http://127.0.0.1:{host.port}"), smtp_port=mail.port)
        sidecar = demo_sidecar(gated, **sidecar_with)
        apps.append(sidecar.app)
        return sidecar

    demo = build(data, 0, between)
    demo.start()
    world = World(demo, apps[0], gates[0], gates[1], [], data, _slow_to_sweep(apps[0].extensions[EXTENSION].ctx.jobs))
    until(lambda: requests.get(f"{demo.public_url}/healthz", timeout=30).status_code == 200)
    try:
        yield world
    finally:
        for browser in world.browsers:
            browser.session.close()
        demo.stop()
        for gate in gates:
            gate.close()

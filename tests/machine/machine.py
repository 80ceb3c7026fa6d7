"""The product in a process of its own, and people who use it over HTTP. Shares no code with the product."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from tests.pdfops import samples

ROOT = Path(__file__).parents[2]
DEMO = (sys.executable, "-m", "plugin.demo")
PARAPHEUR = Path(sys.executable).parent / "parapheur"
SETUP_WITHIN_S = 300
"""For `make run`, which may have to build first."""

T = TypeVar("T")


def until(look: Callable[[], T], within_s: float, what: str) -> T:
    """What ``look`` answers once that is true of anything. Fails with ``what`` when it never was."""
    deadline, pause = time.monotonic() + within_s, threading.Event()
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        pause.wait(0.02)
    return seen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- processes ------------------------------------------------------------------------------------------------------
Process = tuple[int, str]
"""Its id, and when it began: an id may be given again."""


def _stat(pid: int) -> list[str] | None:
    """The fields after the name: state, parent, group, …; None for one that is gone or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields


def family(pid: int) -> set[Process]:
    """A process and all that came from it or share its group."""
    stats = {int(p.name): found for p in Path("/proc").iterdir() if p.name.isdigit() and (found := _stat(int(p.name)))}
    members = {pid}
    while more := {p for p, s in stats.items() if int(s[1]) in members or int(s[2]) == pid} - members:
        members |= more
    return {(p, stats[p][19]) for p in members if p in stats}


def living(processes: set[Process]) -> set[Process]:
    return {(p, began) for p, began in processes if (found := _stat(p)) and found[19] == began}


class Server:
    """One data folder and port, and whatever process runs on them at the moment. In a ``with``, nothing is left."""

    def __init__(self, data: Path, command: Sequence[str] = DEMO) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.family: set[Process] = set()
        self.environment: dict[str, str] = {}
        """What it is started with beside the usual."""
        self._said = data.with_name(f"{data.name}.out")
        self._log = data.with_name(f"{data.name}.err")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self.kill()

    def start(self, *more: str, within_s: float = 10.0) -> float:
        """Returns: seconds until it answered /healthz with 200."""
        begun = time.monotonic()
        self.launch(*more)
        until(self.answers, within_s, "healthz 200")
        took = time.monotonic() - begun
        assert self.process is not None
        self.family = family(self.process.pid)
        return took

    def launch(self, *more: str) -> None:
        own = {"PORT": str(self.port), "DATA": str(self.data), "PYTHONUNBUFFERED": "1"}
        environment = {**os.environ, **own, **self.environment}
        with self._said.open("ab") as said, self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *more], cwd=ROOT, env=environment, stdout=said, stderr=log, start_new_session=True
            )

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"it ended by itself: {self.log[-2000:]}"
        try:
            with requests.Session() as session:
                session.trust_env = False
                return session.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """kill -9 of the process alone; what came from it has to notice."""
        if self.process is None:
            return
        self.process.kill()
        known = self.family | family(self.process.pid)
        self.process.wait(5)
        self.process = None
        try:
            until(lambda: not living(known), 5, "its children end with it")
        finally:
            for pid, _ in living(known):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def end(
        self, tell: Callable[[subprocess.Popen[bytes]], object] = lambda p: p.send_signal(signal.SIGTERM)
    ) -> float:
        """Tells it to end; nothing of it may be left. Returns: seconds until the last of its processes was gone."""
        assert self.process is not None
        known, begun = self.family | family(self.process.pid), time.monotonic()
        tell(self.process)
        try:
            self.process.wait(10)
            until(lambda: not living(known), 10, "all its processes end")
        finally:
            took, self.process = time.monotonic() - begun, None
            for pid, _ in living(known):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return took

    @property
    def said(self) -> str:
        return self._said.read_text()

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def troubles(self) -> list[str]:
        """Lines of the log that no operator should ever see."""
        signs = ("[error", "[critical", "Traceback", "[warning  ] job.", "Warning:")
        return [line for line in self.log.splitlines() if any(sign in line for sign in signs)]

    def files(self, user: str) -> Path:
        """What lies in a user's area, on the disk."""
        return self.data / "host" / "files" / user


def parapheur(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, on the data of a ``make run``."""
    return subprocess.run(
        [str(PARAPHEUR), "--data", str(data), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ---- people ---------------------------------------------------------------------------------------------------------
class Person:
    """A browser: of a platform user, or of somebody with a link."""

    def __init__(self, server: Server, user: str | None = None) -> None:
        self.server = server
        self.http = requests.Session()
        self.http.trust_env = False
        self.user = user
        if user is not None:
            assert self.http.post(f"{server.url}/demo/login", json={"user": user}, timeout=10).status_code == 200
            self.http.headers["X-CSRF-Token"] = self.json("/api/v1/me")["csrf_token"]

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.http.get(self.server.url + path, timeout=60, **more)

    def json(self, path: str) -> Any:
        response = self.get(path)
        assert response.status_code == 200, (path, response.status_code, response.text)
        return response.json()

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        return self.http.post(self.server.url + path, json=body, headers=headers, timeout=60)

    def upload(self, folder: str, name: str, data: bytes) -> str:
        """Returns: the file id."""
        self.http.post(f"{self.server.url}/demo/api/folder", json={"path": folder}, timeout=10)
        response = self.http.post(
            f"{self.server.url}/demo/api/upload?dir={quote(folder)}&name={quote(name)}", data=data, timeout=10
        )
        assert response.status_code == 201, response.text
        return str(response.json()["file_id"])

    def names(self, folder: str) -> set[str]:
        return {entry["name"] for entry in self.json(f"/demo/api/files?dir={quote(folder)}")["entries"]}

    def download(self, path: str) -> bytes:
        response = self.get(f"/demo/api/download?path={quote(path)}")
        assert response.status_code == 200, response.text
        return response.content


@contextmanager
def people(server: Server, *users: str | None) -> Iterator[list[Person]]:
    made = [Person(server, user) for user in users]
    try:
        yield made
    finally:
        for person in made:
            person.http.close()


def ink(colour: str = "navy") -> str:
    return b64encode(samples.ink_png(colour=colour)).decode()


@dataclass
class Case:
    """One flow: two documents in a folder of their own, signed by bob and then by somebody outside."""

    number: int
    folder: str
    originals: dict[str, bytes]
    file_ids: list[str]
    outside: str
    id: str = ""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """recipient -> what he submits; the same again after a crash."""

    @property
    def order(self) -> dict[str, Any]:
        boxes = [(0.1, 0.7), (0.55, 0.7)]
        return {
            "kind": "signature",
            "title": f"Affaire confidentielle {self.number}",
            "documents": [{"file_id": file_id} for file_id in self.file_ids],
            "recipients": [
                {"user": "bob", "comment": "Merci de relire la clause 7"},
                {"email": self.outside, "first_name": "Zénobie", "last_name": "Durand-Kowalczyk", "language": "fr"},
            ],
            "placements": [
                {"document": d, "page": 1, "recipient": r, "box": {"x": x, "y": y, "w": 0.35, "h": 0.1},
                 "with_text": bool(r), "reason": "Bon pour accord" if r else None}
                for d in range(len(self.file_ids)) for r, (x, y) in enumerate(boxes)
            ],
            "comment": "Commentaire très privé",
            "copy_to_all": True,
        }  # fmt: skip

    def launch(self, creator: Person) -> requests.Response:
        return creator.post("/api/v1/flows", self.order, **{"Idempotency-Key": f"case-{self.number}"})

    def launched(self, creator: Person) -> Case:
        response = self.launch(creator)
        assert response.status_code == 201, response.text
        self.id = response.json()["id"]
        return self

    def read(self, reader: Person) -> dict[str, Any]:
        flow: dict[str, Any] = reader.json(f"/api/v1/flows/{self.id}")
        return flow

    def link(self, anybody: Person, within_s: float = 30) -> str:
        """Path of the outside person's link, as his mail brought it."""
        return str(until(lambda: self._links(anybody), within_s, f"the invitation of {self.outside}")[0])

    def _links(self, anybody: Person) -> list[str]:
        links = [link for mail in self.mails(anybody, self.outside) for link in mail["links"] if "/s/" in link]
        return ["/" + link.split("/", 3)[3] for link in links]

    def mails(self, anybody: Person, to: str) -> list[dict[str, Any]]:
        return [mail for mail in anybody.json("/demo/mail.json") if mail["to"] == to]

    def body(self, recipient: str, flow: dict[str, Any]) -> dict[str, Any]:
        return self.bodies.setdefault(
            recipient,
            {
                "signature": {"kind": "drawn", "png_base64": ink()},
                "consent": True,
                "documents": {str(d["n"]): d["current_sha256"] for d in flow["documents"]},
            },
        )

    def sign_as_bob(self, bob: Person) -> requests.Response:
        return bob.post(f"/api/v1/flows/{self.id}/sign", self.bodies.get("r1") or self.body("r1", self.read(bob)))

    def sign_outside(self, outside: Person) -> requests.Response:
        link = self.link(outside)
        seen = outside.json(f"{link}/flow.json")
        return outside.post(f"{link}/sign", self.body("r2", seen), **{"X-CSRF-Token": seen["csrf_token"]})

    def events(self, reader: Person) -> list[dict[str, Any]]:
        return list(self.read(reader)["events"])

    def flows_folder(self, server: Server) -> Path:
        return server.files("alice") / self.folder / ".flows" / self.id


def case(creator: Person, number: int, documents: int = 2) -> Case:
    """Uploaded, not launched yet."""
    folder = f"Dossier secret {number}"
    kinds = [samples.simple_pdf(text=f"Convention {number}"), samples.rotated_cropped_pdf(90, crop=(20, 30, 560, 800))]
    originals = {f"Pièce {letter}{number}.pdf": data for letter, data in zip("AB", kinds, strict=True)}
    originals = dict(list(originals.items())[:documents])
    file_ids = [creator.upload(folder, name, data) for name, data in originals.items()]
    return Case(number, folder, originals, file_ids, f"zenobie{number}@ailleurs.example")

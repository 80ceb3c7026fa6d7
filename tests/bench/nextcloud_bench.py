"""From the click to the answer on a real Nextcloud: ``POST …/sign`` through the platform's own proxy.

    python -m tests.bench.nextcloud_bench [--runs N] [--sizes "1 page,2 MB"]

The instance is told by the environment, as for tests/nextcloud (docs/testing-nextcloud.md); without it nothing runs,
and it says so. For a document of one page, of 2 MB and of 15 MB, with two signatories, one of them a platform user,
the other outside, each of them once the first and once the last:

- click: the whole request as a browser sees it, by a connection that stands, with the session or the link;
- host: what no implementation can avoid, measured alone after each click, when the jobs are done: one request through
  the same proxy that costs the sidecar nothing, and the very files that the click wrote, again in the same size, in
  the same kind of folder, in the creator's name, each answered with the hash of what lies there: the revision, and the
  state file over its predecessor under If-Match; of the last one also the signed copy and the state file again.

Milliseconds are median/minimum; the ratio is of the medians, to the sum of the host's.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import os
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from tests.nextcloud.conftest import host_mails_to
from tests.nextcloud.instance import Catcher, Installed, Nextcloud, User, install_companion
from tests.pdfops import samples
from tests.world import Browser, Json, signing, stamps, until

SIZES = {"1 page": 0, "2 MB": 2_000_000, "15 MB": 14_900_000}
"""The last one with room for what a flow adds."""
RUNS = 15
WARM_UP = 1
OUTSIDE = "zoe@example.com"


class Writer:
    """The creator's files as the sidecar reaches them: AppAPI headers, one connection that stands."""

    def __init__(self, app: Installed, creator: User) -> None:
        where = urlsplit(app.nextcloud.url)
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(where.netloc, timeout=120)
        self._root = f"{where.path}/remote.php/dav/files/{quote(creator.uid, safe='')}"
        self._headers = {
            "EX-APP-ID": "parapheur",
            "EX-APP-VERSION": "0.1.0",
            "AA-VERSION": "32.0.0",
            "AUTHORIZATION-APP-API": base64.b64encode(f"{creator.uid}:{app.secret}".encode()).decode(),
            "OCS-APIRequest": "true",
            "X-Hash": "sha256",
        }

    def connect_anew(self) -> None:
        """The host ends connections on which nothing came for a while."""
        self._connection.close()

    def size(self, path: str) -> int:
        return int(self._ask("HEAD", path, None, {})["Content-Length"])

    def put(self, path: str, data: bytes, condition: dict[str, str]) -> tuple[float, str]:
        """Returns: milliseconds, the ETag."""
        begun = time.perf_counter()
        headers = self._ask("PUT", path, data, condition)
        took = (time.perf_counter() - begun) * 1000
        assert headers["X-Hash-SHA256"]
        return took, str(headers["OC-ETag"]).strip('"')

    def make_folder(self, path: str) -> None:
        self._ask("MKCOL", path, None, {})

    def _ask(self, method: str, path: str, data: bytes | None, more: dict[str, str]) -> http.client.HTTPMessage:
        self._connection.request(method, f"{self._root}/{quote(path)}", data, {**self._headers, **more})
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status in (200, 201, 204), (method, path, answer.status)
        return answer.headers

    def close(self) -> None:
        self._connection.close()


@dataclass
class Cell:
    """One kind of click."""

    click_ms: list[float] = field(default_factory=list)
    parts_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, click: float, parts: dict[str, float]) -> None:
        self.click_ms.append(click)
        for name, took in parts.items():
            self.parts_ms.setdefault(name, []).append(took)

    def __str__(self) -> str:
        host_ms = [sum(run) for run in zip(*self.parts_ms.values(), strict=True)]
        medians = statistics.median(self.click_ms) / statistics.median(host_ms)
        fastest = min(self.click_ms) / min(host_ms)
        parts = ", ".join(f"{name} {_shown(times)}" for name, times in self.parts_ms.items())
        whole = f"click {_shown(self.click_ms)}, host {_shown(host_ms)}"
        return f"{whole}: {medians:.2f} x (fastest {fastest:.2f} x)  [{parts}]"


@dataclass
class Bench:
    app: Installed
    catcher: Catcher
    creator: Browser
    owner: User
    colleague: User
    writer: Writer

    def measure(self, label: str, size_bytes: int, runs: int) -> list[str]:
        data = samples.sized_pdf(size_bytes) if size_bytes else samples.simple_pdf()
        cells: dict[str, Cell] = {}
        for number in range(2 * (runs + WARM_UP)):
            outside_first = number % 2 == 0
            folder = f"{label} {number}"  # of its own: a name that is taken would cost a call
            file_id = self.app.nextcloud.put(self.owner, f"{folder}/paper.pdf", data)
            flow_id = self._launched(file_id, outside_first)
            for place, is_outside in enumerate((outside_first, not outside_first)):
                click, parts = self._clicked(flow_id, folder, is_outside, place)
                if number >= 2 * WARM_UP:
                    name = f"{('first', 'last')[place]}, {'by link' if is_outside else 'platform user'}"
                    cells.setdefault(name, Cell()).add(click, parts)
        return [f"{label}, {name}: {cell}" for name, cell in sorted(cells.items())]

    def _launched(self, file_id: str, outside_first: bool) -> str:
        people: list[Json] = [{"email": OUTSIDE, "first_name": "Zoé"}, {"user": self.colleague.uid}]
        order = {
            "kind": "signature",
            "documents": [{"file_id": file_id}],
            "recipients": people if outside_first else people[::-1],
            "placements": stamps(1, (0, 1)),
        }
        return str(self.app.launch(self.creator, order)["id"])

    def _clicked(self, flow_id: str, folder: str, is_outside: bool, place: int) -> tuple[float, dict[str, float]]:
        self._told(flow_id, place + 1)
        if is_outside:
            actor, nothing = self.app.follow(self.catcher.link(flow_id, OUTSIDE)), "/.well-known/parapheur-keys.json"
        else:
            actor, nothing = self.app.recipient(self.colleague, flow_id), "/img/app.svg"
        body = signing(actor.flow())
        click = _timed(lambda: actor.post("sign", body).status_code)
        self._told(flow_id, place + 2)
        idle = _timed(lambda: actor.get(nothing).status_code)
        actor.session.close()
        return click, {"proxy": idle, **self._writes(flow_id, folder, is_last=place == 1)}

    def _told(self, flow_id: str, mails: int) -> None:
        """The jobs of the act before are done: the mails that follow from it are recorded, which is the last thing."""
        kinds = ("invitation", "invitation", "completed")[:mails]

        def recorded() -> bool:
            events = self.creator.get(f"flows/{flow_id}").json()["events"]
            return [e["data"]["mail"] for e in events if e["type"] == "mail.accepted"][:mails] == list(kinds)

        until(recorded, within_s=60)

    def _writes(self, flow_id: str, folder: str, *, is_last: bool) -> dict[str, float]:
        self.writer.connect_anew()
        flow = self.creator.get(f"flows/{flow_id}").json()
        where, aside = f"{folder}/.flows/{flow_id}", f"{folder}/.flows/{secrets.token_hex(8)}"
        revision = os.urandom(self.writer.size(f"{where}/{flow['documents'][0]['current_sha256']}"))
        state = os.urandom(self.writer.size(f"{where}/flow.jsonl"))
        new = {"If-None-Match": "*"}
        self.writer.make_folder(aside)
        _, etag = self.writer.put(f"{aside}/flow.jsonl", state[:-1000], new)
        took: dict[str, float] = {}
        took["revision"], _ = self.writer.put(f"{aside}/{secrets.token_hex(32)}", revision, new)
        took["state"], etag = self.writer.put(f"{aside}/flow.jsonl", state, {"If-Match": f'"{etag}"'})
        if is_last:
            took["copy"], _ = self.writer.put(f"{folder}/{secrets.token_hex(8)}.pdf", revision, new)
            took["state again"], _ = self.writer.put(f"{aside}/flow.jsonl", state, {"If-Match": f'"{etag}"'})
        return took


def _timed(act: Callable[[], int]) -> float:
    begun = time.perf_counter()
    status = act()
    took = (time.perf_counter() - begun) * 1000
    assert status == 200, status
    return took


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times):.0f}/{min(times):.0f}"


@contextlib.contextmanager
def installed(url: str, folder: Path) -> Iterator[Bench]:
    password, occ = os.environ["NEXTCLOUD_ADMIN_PASSWORD"], os.environ["NEXTCLOUD_OCC"]
    nextcloud = Nextcloud(url, os.environ.get("NEXTCLOUD_ADMIN", "admin"), password, occ)
    catcher = Catcher()
    run = secrets.token_hex(3)
    daemon = os.environ.get("NEXTCLOUD_DAEMON", "manual")
    app = Installed(nextcloud, catcher, daemon, folder, log_level="info", patrol_every_s=300)
    with contextlib.ExitStack() as undo:
        undo.callback(nextcloud.close)
        undo.callback(catcher.close)
        undo.enter_context(host_mails_to(nextcloud, catcher.port))
        install_companion(nextcloud, os.environ.get("NEXTCLOUD_APPS"))
        undo.callback(app.close)
        app.start()
        app.register()
        alice = nextcloud.make_user(f"alice-{run}", "Alice Martin", f"alice-{run}@example.org", "fr")
        bob = nextcloud.make_user(f"bob-{run}", "Bob O'Neil", f"bob-{run}@example.org", "en")
        writer = Writer(app, alice)
        undo.callback(writer.close)
        yield Bench(app, catcher, app.browser(alice), alice, bob, writer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--sizes", default=",".join(SIZES))
    asked = parser.parse_args()
    url = os.environ.get("NEXTCLOUD_URL")
    if not url:
        print("not run: NEXTCLOUD_URL is not set (docs/testing-nextcloud.md)")
        return
    with tempfile.TemporaryDirectory() as folder, installed(url, Path(folder)) as bench:
        print(f"POST …/sign through the proxy, Nextcloud {bench.app.nextcloud.major}; ms, median/min of {asked.runs}")
        for label in re.split(", *", asked.sizes):
            for line in bench.measure(label, SIZES[label], asked.runs):
                print(line, flush=True)


if __name__ == "__main__":
    main()

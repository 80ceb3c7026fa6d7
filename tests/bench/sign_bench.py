"""From the click to the answer: ``POST …/sign`` over HTTP on the embedded host, in processes of their own.

    python -m tests.bench.sign_bench [--runs N]

For a document of one page, of 2 MB and of 15 MB, one visible signature of the first of two signatories:

- click: the whole request as a browser sees it: turn and CSRF checked, image cleaned, stamped, sealed, checked,
  revision and state file stored;
- host: the two writes that no implementation can avoid, alone, on the same host in the same run: a file of the
  revision's size, and the state file over its predecessor under If-Match, each answered with the hash of what lies
  there. The signed document itself comes from the cache: reading costs the host nothing.

Runs are interleaved. Milliseconds are median/minimum; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

from tests.machine.machine import Person, Server, ink, people
from tests.pdfops import samples

SIZES = {"1 page": 0, "2 MB": 2_000_000, "15 MB": 14_999_000}
"""The last one just below what a flow may hold."""
RUNS = 9
STATE_BYTES = 12_000


class Host:
    """The file area on its own port, as the sidecar reaches it; one connection that stands."""

    def __init__(self, data: Path) -> None:
        where = urlsplit((data / "address").read_text().strip())
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        self._headers = {"Authorization": "Basic " + b64encode(b"carol:carol").decode(), "X-Hash": "sha256"}
        self._etag = self.put("state", os.urandom(STATE_BYTES), {})

    def put(self, name: str, data: bytes, more: dict[str, str]) -> str:
        path = f"/remote.php/dav/files/carol/{name}"
        self._connection.request("PUT", path, data, {**self._headers, **more})
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status in (201, 204), answer.status
        assert answer.headers["X-Hash-SHA256"]
        return str(answer.headers["ETag"])

    def writes(self, name: str, revision: bytes, state: bytes) -> None:
        self.put(name, revision, {"If-None-Match": "*"})
        self._etag = self.put("state", state, {"If-Match": self._etag})

    def close(self) -> None:
        self._connection.close()


def measure(label: str, size_bytes: int, runs: int, host: Host, alice: Person, bob: Person) -> str:
    data = samples.sized_pdf(size_bytes) if size_bytes else samples.simple_pdf()
    file_id = alice.upload(f"Bench {label}", "paper.pdf", data)
    click_ms, host_ms = [], []
    for number in range(runs + 2):
        flow_id, body = launched(alice, bob, file_id)
        revision, state = os.urandom(len(data) + 30_000), os.urandom(STATE_BYTES)
        begun = time.perf_counter()
        answer = bob.post(f"/api/v1/flows/{flow_id}/sign", body)
        click = time.perf_counter() - begun
        assert answer.status_code == 200, answer.text
        begun = time.perf_counter()
        host.writes(f"{label} {number}".replace(" ", "-"), revision, state)
        alone = time.perf_counter() - begun
        if number >= 2:  # warm
            click_ms.append(click * 1000)
            host_ms.append(alone * 1000)
    ratio = statistics.median(click_ms) / statistics.median(host_ms)
    return f"{label}: click {_shown(click_ms)}, host {_shown(host_ms)} ({ratio:.2f} x)"


def launched(alice: Person, bob: Person, file_id: str) -> tuple[str, dict[str, object]]:
    places = [
        {"document": 0, "page": 1, "recipient": r, "box": {"x": x, "y": 0.8, "w": 0.35, "h": 0.08}, "with_text": True}
        for r, x in enumerate((0.1, 0.55))
    ]
    order = {
        "kind": "signature",
        "documents": [{"file_id": file_id}],
        "recipients": [{"user": "bob"}, {"user": "carol"}],
        "placements": places,
    }
    answer = alice.post("/api/v1/flows", order)
    assert answer.status_code == 201, answer.text
    flow_id = str(answer.json()["id"])
    documents = bob.json(f"/api/v1/flows/{flow_id}")["documents"]
    return flow_id, {
        "signature": {"kind": "drawn", "png_base64": ink()},
        "consent": True,
        "documents": {"0": documents[0]["current_sha256"]},
    }


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times):.1f}/{min(times):.1f}"


def line(runs: int = RUNS) -> str:
    """The whole measurement in one line."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        server.start(within_s=30)
        with people(server, "alice", "bob") as (alice, bob):
            host = Host(server.data)
            shown = [measure(label, size, runs, host, alice, bob) for label, size in SIZES.items()]
            host.close()
        server.end()
    return f"POST …/sign over HTTP, beside the host's two writes alone; ms, median/min of {runs}; " + "; ".join(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS)
    print(line(parser.parse_args().runs))


if __name__ == "__main__":
    main()

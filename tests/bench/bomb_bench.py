"""What ordinary requests wait while hostile documents are uploaded and refused, over HTTP, in processes of their own.

    python -m tests.bench.bomb_bench [--blocks N]

One person draws a page, has a document looked at and signs, again and again; meanwhile nobody, one or as many others
as there are PDF children upload bombs without a pause: one that keeps a processor busy until its time is up, and some
that eat memory or nest too deep. Rounds with and without bombs take turns, so that a busy machine is busy for all.
Milliseconds are medians; ratios are of the medians, to those without bombs.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.sign_bench import launched
from tests.machine.machine import Person, Server, people
from tests.pdfops import samples

CHILDREN = 2
"""The default of PARAPHEUR_PDF_CHILDREN."""
KINDS = ("picture", "inspect", "sign")
BLOCKS, ROUNDS = 4, 10


def bombs() -> list[bytes]:
    quick = [samples.form_recursion(), samples.flate_bomb(), samples.deep_arrays(20_000)]
    return [samples.slow_fills(), *quick]


@dataclass
class Times:
    """Milliseconds by kind of request, and how many bombs were refused meanwhile."""

    ms: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    refused: int = 0

    def median(self, kind: str) -> float:
        return statistics.median(self.ms[kind])


def ratios(calm: Times, attacked: Times) -> dict[str, float]:
    return {kind: attacked.median(kind) / calm.median(kind) for kind in KINDS}


class Ordinary:
    """What somebody does who has nothing to do with the bombs."""

    def __init__(self, alice: Person, bob: Person) -> None:
        self._alice, self._bob = alice, bob
        self._file_id = alice.upload("Ordinary", "paper.pdf", samples.simple_pdf(3))

    def round(self, into: Times) -> None:
        flow_id, body = launched(self._alice, self._bob, self._file_id)
        jobs: dict[str, Callable[[], object]] = {
            "picture": lambda: self._alice.get(f"/api/v1/documents/{self._file_id}/pages/2?w=1240"),
            "inspect": lambda: self._alice.post("/api/v1/documents/inspect", {"file_ids": [self._file_id]}),
            "sign": lambda: self._bob.post(f"/api/v1/flows/{flow_id}/sign", body),
        }
        for kind, job in jobs.items():
            begun = time.perf_counter()
            answer = job()
            into.ms[kind].append((time.perf_counter() - begun) * 1000)
            assert getattr(answer, "status_code", 0) == 200, (kind, answer)


@contextmanager
def under_attack(attackers: list[Person], into: Times) -> Iterator[None]:
    """Every one of them uploads a bomb as soon as his last one was refused."""
    stop, made = threading.Event(), bombs()
    failures: list[str] = []

    def attack(person: Person, first: int) -> None:
        for bomb in itertools.islice(itertools.cycle(made), first, None):
            if stop.is_set():
                return
            answer = person.http.post(f"{person.server.url}/api/v1/documents?name=b.pdf", data=bomb, timeout=90)
            if answer.status_code == 422:
                into.refused += 1
            elif answer.status_code != 503:
                failures.append(answer.text)

    threads = [threading.Thread(target=attack, args=(one, n)) for n, one in enumerate(attackers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[0]


def measure(server: Server, attackers: tuple[int, ...], blocks: int = BLOCKS, rounds: int = ROUNDS) -> list[Times]:
    """For each number of attackers, what a round took. The first should be nobody."""
    found = [Times() for _ in attackers]
    with people(server, "alice", "bob", *(["carol", "alice"] * max(attackers))[: max(attackers)]) as known:
        ordinary, hostile = Ordinary(known[0], known[1]), known[2:]
        for _ in range(3):
            ordinary.round(Times())
        for _ in range(blocks):
            for times, number in zip(found, attackers, strict=True):
                with under_attack(hostile[:number], times):
                    for _ in range(rounds):
                        ordinary.round(times)
    return found


def line(blocks: int = BLOCKS) -> str:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        server.start(within_s=30)
        calm, one, many = measure(server, (0, 1, CHILDREN), blocks)
        server.end()
    shown = [
        f"{kind} {calm.median(kind):.0f}, {one.median(kind):.0f} ({ratios(calm, one)[kind]:.2f} x), "
        f"{many.median(kind):.0f} ({ratios(calm, many)[kind]:.2f} x)"
        for kind in KINDS
    ]
    head = f"ordinary requests while 0, 1, {CHILDREN} others upload bombs without a pause"
    return f"{head} ({one.refused}, {many.refused} refused); ms, medians of {blocks * ROUNDS}: {'; '.join(shown)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    print(line(parser.parse_args().blocks))


if __name__ == "__main__":
    main()

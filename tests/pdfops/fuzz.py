"""Broken and hostile input by the thousand: whatever it is, one of the known refusals comes of it, and in time.

    python -m tests.pdfops.fuzz [--pdfs N] [--images N] [--seed N]

Documents of our own, tampered ones, those beside the project where they are there, and images are mutated by a seeded
generator; each goes through the workshop's jobs as a foreign file would. Counted: outcomes by code, the slowest job,
children that had to be replaced. It fails on anything but a `PdfError`, on a job beyond `CAP_S`, on a child above its
memory cap, and when the workshop does no honest work afterwards.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pdfops.children import RESIDENT_CAP_BYTES
from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.sandbox import Workshop
from tests.pdfops import attacks, samples, tampering
from tests.pdfops.linking import relinked

SHARED = Path(__file__).parents[3] / "shared" / "pdfs"
CAP_S = 41.0
"""The longest job may take 20 s, twice that where others keep it from working; a moment for the answer."""

LARGEST_SEED_BYTES = 300_000
WORDS = (
    b"/Kids [1 0 R] ", b"/Parent 2 0 R ", b"/Length -1 ", b"/Length 99999999 ", b"/Count 2147483648 ", b"null ",
    b"<< ", b">> ", b"[ ", b"] ", b"(", b")", b"obj ", b"endobj ", b"stream\n", b"endstream ", b"xref ", b"trailer ",
    b"/Filter [/FlateDecode /FlateDecode] ", b"/MediaBox [0 0 0 0] ", b"/MediaBox [-9e9 0 9e9 1] ", b"/Rotate 45 ",
    b"/UserUnit 1e9 ", b"/ByteRange [0 1 2 3] ", b"/Encrypt 1 0 R ", b"/Prev 0 ", b"/Size 1 ", b"/W [9 9 9] ",
    b"/Type /ObjStm /N 9 /First 9 ", b"%", b"\x00", b"\xff\xfe", b"/A#42 ", b"startxref 0 %%EOF",
)  # fmt: skip


@dataclass
class Report:
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    largest_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, took_s: float) -> None:
        with self.lock:
            self.outcomes[outcome] += 1
            self.slowest_s = max(self.slowest_s, took_s)

    def see(self, resident_bytes: int) -> None:
        with self.lock:
            self.largest_bytes = max(self.largest_bytes, resident_bytes)


def pdf_seeds() -> list[bytes]:
    made = [
        samples.simple_pdf(2),
        samples.rotated_cropped_pdf(90, crop=(40, 60, 555, 800)),
        samples.linked_pdf(3, 3),
        samples.signed_pdf(),
        tampering.document(),
        tampering.signed(2),
        samples.locked_pdf("Include", ["amount"]),
        *(attack.data for attack in attacks.all_attacks()),
    ]
    given = [path.read_bytes() for path in sorted(SHARED.rglob("*.pdf"))]
    return [seed for seed in made + given if len(seed) <= LARGEST_SEED_BYTES]


def image_seeds() -> list[bytes]:
    return [
        samples.ink_png(),
        samples.ink_png((60, 20), mode="RGB"),
        samples.block_png(),
        samples.photograph((120, 80)),
    ]


def mutated(seeds: Sequence[bytes], chance: random.Random, words: Sequence[bytes], links: bool = False) -> bytes:
    """``links``: half of them get a table that fits again, and are read further than the others."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8, 30))):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 2, 8, 64, 512))
        match chance.randrange(7):
            case 0 if at < len(data):
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at:at] = chance.choice(words)
            case 4:
                other = chance.choice(seeds)
                start = chance.randrange(len(other))
                data[at : at + size] = other[start : start + size]
            case 5:
                number = _number_near(data, at)
                if number is not None:
                    data[number[0] : number[1]] = b"%d" % chance.choice(
                        (0, 1, 7, 255, 65_536, 2**31, chance.randrange(99))
                    )
            case _ if chance.random() < 0.2:
                del data[at:]
    return relinked(bytes(data)) if links and chance.random() < 0.5 else bytes(data)


_NUMBER = re.compile(rb"[0-9]+")


def _number_near(data: bytearray, at: int) -> tuple[int, int] | None:
    found = _NUMBER.search(data, at, at + 400)
    return found.span() if found else None


def judge(workshop: Workshop, data: bytes, report: Report) -> None:
    """Everything that is done with a foreign document before and after it is signed."""

    def prepare() -> None:
        workshop.prepare(data, [Place("f", "r", 1, 100_000, 100_000, 200_000, 90_000)])

    jobs: dict[str, Callable[[], object]] = {
        "inspect": lambda: workshop.inspect(data),
        "draw": lambda: workshop.check_renders(data),
        "preview": lambda: workshop.preview(data, 1, 200),
        "prepare": prepare,
        "verify": lambda: workshop.verify(data),
    }
    for name, job in jobs.items():
        _timed(name, job, report)


def _timed(name: str, job: Callable[[], object], report: Report) -> None:
    begun = time.monotonic()
    try:
        job()
        outcome = "fine"
    except PdfError as error:
        outcome = error.code
    took = time.monotonic() - begun
    report.add(f"{name}: {outcome}", took)
    assert took <= CAP_S, (name, took)


def resident_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 if "VmRSS:" in status else 0


def run(pdfs: int, images: int, seed: int) -> Report:
    chance, report = random.Random(seed), Report()
    documents, pictures = pdf_seeds(), image_seeds()
    stop = threading.Event()
    with Workshop(children=2) as workshop:

        def watch() -> None:
            while not stop.wait(0.02):
                for pid in workshop.children():
                    report.see(resident_bytes(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with ThreadPoolExecutor(2) as pool:
                work = [
                    pool.submit(judge, workshop, mutated(documents, chance, WORDS, True), report) for _ in range(pdfs)
                ]
                for _ in range(images):
                    image = mutated(pictures, chance, (b"IDAT", b"\xff\xd8", b"\x00" * 9))
                    job = (lambda one: lambda: workshop.normalise_ink(one))(image)
                    work.append(pool.submit(_timed, "ink", job, report))
                for one in work:
                    one.result()
            assert workshop.inspect(samples.simple_pdf()).pages == 1
        finally:
            stop.set()
            watcher.join()
    assert report.largest_bytes <= RESIDENT_CAP_BYTES, report.largest_bytes
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pdfs", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"{asked.pdfs} documents, {asked.images} images, seed {asked.seed}", flush=True)
    report = run(asked.pdfs, asked.images, asked.seed)
    for outcome, count in sorted(report.outcomes.items()):
        print(f"{count:7d}  {outcome}")
    print(f"slowest job {report.slowest_s:.1f} s, largest child {report.largest_bytes // 1_000_000} MB")
    sys.exit(0)


if __name__ == "__main__":
    main()

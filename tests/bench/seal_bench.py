"""What one visible signature costs, measured here and now; nothing in this file is a result.

    python -m tests.bench.seal_bench [--runs N]

For a PDF of one page, of 2 MB and of 15 MB:

- limit: read the file, SHA-256, one RSA-3072 signature, write the file;
- seal: `pdfops.seal.seal`, the seal step alone, in process, warm;
- workshop: the same through `pdfops.sandbox.Workshop`, the check of the output included;
- check: `pdfops.verify.check_seal`, the check alone, in process;
- pyHanko: used plainly (SimpleSigner, PdfSigner, PAdES, RSA-3072), the same key size and an image with text as stamp.

Runs are interleaved, so that a busy machine is busy for all of them. Milliseconds are median/minimum; ratios are of
the medians, to the limit. Memory is the peak of a process that sealed one such file. Then what checking
and showing costs (`tests.bench.verify_bench`); then the whole request (`tests.bench.sign_bench`), and
what others wait while bombs are refused (`tests.bench.bomb_bench`).
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import hashlib
import io
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, Margins, SimpleBoxLayoutRule
from pyhanko.sign import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.stamp import TextStampStyle

from pdfops.fields import Place, prepare
from pdfops.ink import normalise_ink
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder, seal
from pdfops.verify import check_seal
from tests.bench import bomb_bench, sign_bench, verify_bench
from tests.bench.timing import once, shown
from tests.pdfops import samples

SIZES = {"1 page": 0, "2 MB": 2_000_000, "15 MB": 15_000_000}
FIELD = "bench"
NAME = "Zoé Łukaszewicz"
LINES = (NAME, "le 29 mars 2026 à 03:30", "Bon pour accord")


def document(size_bytes: int) -> bytes:
    plain = samples.sized_pdf(size_bytes) if size_bytes else samples.simple_pdf()
    return prepare(plain, [Place(FIELD, "somebody", 1, 100_000, 800_000, 350_000, 80_000, True)])


def order(ink: bytes) -> SealOrder:
    return SealOrder(
        (FIELD,), ink, f"Cachet de l'organisation, apposé pour {NAME}", "Bon pour accord", now(), {FIELD: LINES}
    )


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def plainly(data: bytes, ink: Image.Image) -> bytes:
    """The library as its documentation shows it."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    left = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MIN, AxisAlignment.ALIGN_MID, Margins(2, 110, 2, 2))
    right = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MAX, AxisAlignment.ALIGN_MID, Margins(100, 2, 2, 2))
    style = TextStampStyle(
        stamp_text="%(signer)s\n%(ts)s\nBon pour accord",
        background=PdfImage(ink),
        background_layout=left,
        background_opacity=1.0,
        inner_content_layout=right,
        border_width=0,
    )
    metadata = PdfSignatureMetadata(
        field_name=FIELD, subfilter=SigSeedSubFilter.PADES, reason="Bon pour accord", name="Zoe Lukaszewicz"
    )
    signer = PdfSigner(metadata, samples.stranger(), stamp_style=style)
    output = asyncio.run(signer.async_sign_pdf(writer, existing_fields_only=True))
    return bytes(output.getvalue())


def measure(label: str, size_bytes: int, runs: int, workshop: Workshop, folder: Path) -> list[str]:
    data = document(size_bytes)
    source, target = folder / "in.pdf", folder / "out.pdf"
    source.write_bytes(data)
    signer = samples.organisation()
    ink = normalise_ink(samples.ink_png())
    picture = Image.open(io.BytesIO(ink))
    picture.load()
    given = order(ink)
    sealed = seal(data, given, signer)

    def limit() -> None:
        content = source.read_bytes()
        signer.sign(hashlib.sha256(content).digest())
        target.write_bytes(content)

    jobs: dict[str, Callable[[], object]] = {
        "limit": limit,
        "seal": lambda: seal(data, given, signer),
        "workshop": lambda: workshop.seal(data, given, signer),
        "check": lambda: check_seal(sealed, len(data), (FIELD,), 0),
        "pyHanko": lambda: plainly(data, picture),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in (*jobs.values(), *jobs.values()):
        job()
    for _ in range(runs):
        for name, job in jobs.items():
            times[name].append(once(job))
    base = statistics.median(times["limit"])
    row = [label]
    for name in jobs:
        ratio = "" if name == "limit" else f" ({statistics.median(times[name]) / base:.1f}x)"
        row.append(shown(times[name]) + ratio)
    theirs = plainly(data, picture)
    row.append(f"{len(sealed) - len(data):,} / {len(theirs) - len(data):,}")
    row.append(f"{memory_mb('seal', source)} / {memory_mb('pyhanko', source)}")
    return row


def memory_mb(which: str, source: Path) -> int:
    """Peak resident memory of a process that does it once."""
    command = [sys.executable, "-m", "tests.bench.seal_bench", "--once", which, "--file", str(source)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) // 1024


def do_once(which: str, source: Path) -> None:
    data, ink = source.read_bytes(), normalise_ink(samples.ink_png())
    if which == "seal":
        seal(data, order(ink), samples.organisation())
    else:
        plainly(data, Image.open(io.BytesIO(ink)))
    status = Path("/proc/self/status").read_text()  # the kernel's own figure: ru_maxrss remembers the parent's
    print(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--once", choices=["seal", "pyhanko"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        do_once(arguments.once, arguments.file)
        return
    head = ["", "limit", "seal", "workshop + check", "check alone", "pyHanko", "appended B", "peak MB"]
    rows = []
    with Workshop(children=2) as workshop, tempfile.TemporaryDirectory() as folder:
        for label, size_bytes in SIZES.items():
            rows.append(measure(label, size_bytes, arguments.runs, workshop, Path(folder)))
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"one visible signature, RSA-3072; ms, median/min of {arguments.runs} runs; (x) = median / limit")
    print("appended and peak memory: ours / pyHanko")
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)
    print("\n".join(verify_bench.lines(arguments.runs)), flush=True)
    print(sign_bench.line(min(arguments.runs, sign_bench.RUNS)), flush=True)
    print(bomb_bench.line())


if __name__ == "__main__":
    main()

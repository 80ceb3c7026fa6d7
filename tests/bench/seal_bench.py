"""What one visible signature costs, measured here and now; nothing in this file is a result.

    python -m tests.bench.seal_bench [--runs N]

For a PDF of one page, of 2 MB and of 15 MB, with an RSA-3072 key and with one on P-256:

- limit: read the file, SHA-256, one signature with that key, write the file;
- seal: `pdfops.seal.seal`, the seal step alone, in process, warm;
- workshop: the same through `pdfops.sandbox.Workshop`, the check of the output included;
- check: `pdfops.check.check_seal`, the check alone, in process;
- pyHanko: used plainly (SimpleSigner, PdfSigner, PAdES), the same kind of key and an image with text as stamp;
- pdfsig: poppler's C++, with RSA-3072 as a whole process; text alone as stamp (`tests.bench.peers`).

The ink is of one colour; in the row that says so it has soft edges of many shades, which takes longer.

Runs are interleaved, so that a busy machine is busy for all of them. Milliseconds are median/minimum, and so are the
ratios to the limit. Memory is the peak of a process that sealed one such file. Every output of the run is put before
pdfsig and pyHanko; unless both hold all of them for valid the exit code is 1. Then what checking and showing costs
(`tests.bench.verify_bench`), what the flow's rules and its state file cost (`tests.bench.core_bench`), then the whole
request (`tests.bench.sign_bench`), and what others wait while bombs are
refused (`tests.bench.bomb_bench`).
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import io
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pdfops.check import check_seal
from pdfops.fields import Place, prepare
from pdfops.ink import normalise_ink
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder, seal
from tests.bench import bomb_bench, core_bench, sign_bench, verify_bench
from tests.bench.peers import Pdfsig, Verdicts, plainly
from tests.bench.timing import shown, timed
from tests.pdfops import samples

FIELD = "bench"
NAME = "Zoé Łukaszewicz"
LINES = (NAME, "le 29 mars 2026 à 03:30", "Bon pour accord")


@dataclass(frozen=True)
class Row:
    label: str
    size_bytes: int = 0
    is_p256: bool = False
    is_smooth: bool = False


ROWS = (
    Row("1 page"),
    Row("1 page, soft ink", is_smooth=True),
    Row("2 MB", 2_000_000),
    Row("15 MB", 15_000_000),
    Row("P-256, 1 page", is_p256=True),
    Row("P-256, 2 MB", 2_000_000, is_p256=True),
    Row("P-256, 15 MB", 15_000_000, is_p256=True),
)
OUTPUTS = ("seal", "workshop", "pyHanko")
HEAD = ["", "limit", "seal", "workshop + check", "check alone", "pyHanko", "pdfsig", "appended B", "peak MB"]


def document(size_bytes: int) -> bytes:
    plain = samples.sized_pdf(size_bytes) if size_bytes else samples.simple_pdf()
    return prepare(plain, [Place(FIELD, "somebody", 1, 100_000, 800_000, 350_000, 80_000, True)])


def order(ink: bytes) -> SealOrder:
    return SealOrder(
        (FIELD,), ink, f"Cachet de l'organisation, apposé pour {NAME}", "Bon pour accord", now(), {FIELD: LINES}
    )


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def measure(row: Row, runs: int, workshop: Workshop, folder: Path, pdfsig: Pdfsig, verdicts: Verdicts) -> list[str]:
    data = document(row.size_bytes)
    source, target = folder / "in.pdf", folder / "out.pdf"
    source.write_bytes(data)
    signer, theirs = samples.p256() if row.is_p256 else samples.organisation(), samples.stranger(row.is_p256)
    ink = normalise_ink(samples.smooth_ink_png() if row.is_smooth else samples.ink_png())
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
        "pyHanko": lambda: plainly(data, picture, FIELD, theirs),
    }
    if not pdfsig.missing and not row.is_p256:
        jobs["pdfsig"] = lambda: pdfsig.sign(source)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    tails: list[bytes] = []  # not whole files: that would be gigabytes
    appended: dict[str, int] = {}
    for run in range(-2, runs):
        for name, job in jobs.items():
            took, output = timed(job)
            if run >= 0:
                times[name].append(took)
            if isinstance(output, bytes):
                appended[name] = len(output) - len(data)
                if name in OUTPUTS:
                    if not output.startswith(data):
                        raise SystemExit(f"{row.label}: {name} changed what was there")
                    tails.append(output[len(data) :])
    for tail in tails:
        verdicts.ask(data + tail)
    cells = [with_ratio(times[name], times["limit"]) if name in times else "-" for name in (*jobs, "pdfsig")[:6]]
    sizes = " / ".join(f"{appended[name]:,}" if name in appended else "-" for name in ("seal", "pyHanko", "pdfsig"))
    memory = "-" if row.is_p256 else f"{memory_mb('seal', source)} / {memory_mb('pyhanko', source)}"
    return [row.label, *cells, sizes, memory]


def with_ratio(times: list[float], limit: list[float]) -> str:
    if times is limit:
        return shown(times)
    medians, fastest = statistics.median(times) / statistics.median(limit), min(times) / min(limit)
    return f"{shown(times)} ({medians:.1f}x/{fastest:.1f}x)"


def memory_mb(which: str, source: Path) -> int:
    """Peak resident memory of a process that does it once."""
    command = [sys.executable, "-m", "tests.bench.seal_bench", "--once", which, "--file", str(source)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) // 1024


def do_once(which: str, source: Path) -> None:
    data, ink = source.read_bytes(), normalise_ink(samples.ink_png())
    if which == "seal":
        seal(data, order(ink), samples.organisation())
    else:
        plainly(data, Image.open(io.BytesIO(ink)), FIELD, samples.stranger())
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
    verdicts = Verdicts()
    with Workshop(children=2) as workshop, tempfile.TemporaryDirectory() as folder:
        pdfsig = Pdfsig(Path(folder))
        rows = [measure(row, arguments.runs, workshop, Path(folder), pdfsig, verdicts) for row in ROWS]
    widths = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(len(HEAD))]
    print(f"one visible signature, RSA-3072 unless said; ms and (x of the limit), median/min of {arguments.runs} runs")
    print("appended: ours / pyHanko / pdfsig; peak memory: ours / pyHanko")
    if pdfsig.missing:
        print(f"no pdfsig column: {' and '.join(pdfsig.missing)} not installed")
    for row in [HEAD, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)
    print(verdicts, flush=True)
    print("\n".join(verify_bench.lines(arguments.runs)), flush=True)
    print("\n".join(core_bench.lines(arguments.runs)), flush=True)
    print(sign_bench.line(min(arguments.runs, sign_bench.RUNS)), flush=True)
    print(bomb_bench.line())
    if not verdicts.are_all_well:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

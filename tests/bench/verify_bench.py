"""What checking costs, measured here and now; nothing in this file is a result.

    python -m tests.bench.verify_bench [--runs N]

A document of 117 pages that lead to one another (an outline, forty links a page), with 1, 3 and 10 seals of ours:

- verify: `pdfops.verify.verify`, changes after each signature examined and listed;
- digests alone: the same without looking at what came after;
- library's walk: the same verdict, but where objects are used is found as pyHanko finds it;
- pdfsig: poppler's command, as a whole process; it does not examine changes.

And of previews: the first page of a document of 15 MB by `pdfops.preview.render`, beside pypdfium2 used plainly for
the same picture. Milliseconds are median/minimum; (x) = of the medians, to ours.
"""

from __future__ import annotations

import argparse
import io
import logging
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import pypdfium2 as pdfium

from pdfops.preview import render
from pdfops.verify import verify
from tests.bench.timing import once, shown
from tests.pdfops import samples
from tests.pdfops.oracles import LibraryWalk

SIGNATURES = (1, 3, 10)
PAGES, LINKS = 117, 40
WIDTH_PX = 800


def by_library(data: bytes) -> object:
    """The product's verdict with the library's own walk."""
    with mock.patch("pdfops.reading.Reader", LibraryWalk):
        return verify(data)


def plainly(data: bytes) -> bytes:
    document = pdfium.PdfDocument(data)
    page = document[0]
    bitmap = page.render(scale=WIDTH_PX / page.get_width())
    output = io.BytesIO()
    bitmap.to_pil().convert("RGB").save(output, "JPEG", quality=80)
    bitmap.close()
    page.close()
    document.close()
    return output.getvalue()


def timed(jobs: dict[str, Callable[[], object]], runs: int, slow: tuple[str, ...] = ()) -> list[str]:
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs):
        for name, job in jobs.items():
            if name not in slow or run < 2:
                times[name].append(once(job))
    base = statistics.median(times[next(iter(jobs))])
    return [
        shown(taken) + ("" if name == next(iter(jobs)) else f" ({statistics.median(taken) / base:.1f}x)")
        for name, taken in times.items()
    ]


def lines(runs: int) -> list[str]:
    logging.disable(logging.CRITICAL)
    plain = samples.linked_pdf(PAGES, LINKS)
    out = [f"checking {PAGES} pages; ms, median/min of {runs} runs (library's walk: 2); (x) = median / verify"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signed.pdf"
        for count in SIGNATURES:
            data = samples.sealed_pdf(plain, count)
            path.write_bytes(data)
            assert verify(data).integrity == "intact"
            jobs: dict[str, Callable[[], object]] = {
                "verify": partial(verify, data),
                "digests alone": partial(verify, data, examine=False),
                "library's walk": partial(by_library, data),
            }
            if shutil.which("pdfsig") is not None:
                command = ["pdfsig", "-nocert", str(path)]
                jobs["pdfsig"] = partial(subprocess.run, command, capture_output=True, check=False)
            cells = ", ".join(
                f"{name} {cell}" for name, cell in zip(jobs, timed(jobs, runs, ("library's walk",)), strict=True)
            )
            out.append(f"{count} signatures: {cells}")
    large = samples.sized_pdf(15_000_000)
    jobs = {"preview": lambda: render(large, 1, WIDTH_PX), "pypdfium2": lambda: plainly(large)}
    ours, theirs = timed(jobs, runs)
    out.append(f"first page of 15 MB, {WIDTH_PX} px: preview {ours}, pypdfium2 {theirs}")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=15)
    print("\n".join(lines(parser.parse_args().runs)))


if __name__ == "__main__":
    main()

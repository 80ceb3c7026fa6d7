"""Input that a fuzzer makes by watching which branches it reaches: `make fuzz`, after the blind mutations.

    python -m tests.pdfops.guided [--seconds N] [--job NAME]

Each job of a child runs in a process of its own on documents (or images) that libFuzzer, through atheris, grows from
our samples; the code of pdfops, pyhanko and pypdf is instrumented. Half of the mutations change one object and write a
table of references that fits again: else nearly all end at the first look. A process fails on an answer that is no
known refusal and cannot be understood by the parent, on 20 s, on more memory than a child may take, and on a crash;
libFuzzer then leaves the input in build/fuzz.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.pdfops.linking import OBJECT, relinked

OUT = Path(__file__).parents[2] / "build" / "fuzz"
JOBS = ("inspect", "verify", "prepare", "draw_up", "ink")
LIMIT_S, LIMIT_MB, LARGEST_BYTES = 20, 512, 40_000


def lay_seeds() -> None:
    """Into each job's corpus, once: making them takes longer than loading them."""
    from tests.pdfops import fuzz

    documents, images = fuzz.pdf_seeds(), fuzz.image_seeds()
    for job in JOBS:
        corpus = OUT / job
        corpus.mkdir(parents=True, exist_ok=True)
        for seed in images if job == "ink" else documents:
            if len(seed) <= LARGEST_BYTES:
                (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


def answered(job: str) -> Callable[[bytes], str]:
    """What one input is put through, and what came of it: a code, or "fine". Raises: whatever the parent would not
    understand."""
    from pdfops import wire
    from pdfops.child import answer_to
    from pdfops.fields import Place
    from pdfops.seal import SealOrder
    from tests.pdfops import samples

    place = Place("f", "r", 1, 100_000, 100_000, 200_000, 90_000)
    order = SealOrder(("f",), samples.block_png(), "name", "reason", samples.SIGNED_AT, {})
    ink = [samples.block_png()]
    headers: dict[str, dict[str, Any]] = {
        "inspect": {},
        "verify": {"examine": True},
        "prepare": {"places": [wire.place_to_json(place)], "certification": None},
        "draw_up": {"order": wire.order_to_json(order), "cms_bytes": 8_192},
        "ink": {},
    }
    decode: dict[str, Callable[[Any, bytes], object]] = {
        "inspect": lambda value, _: wire.inspection_from_json(value),
        "verify": lambda value, _: wire.verification_from_json(value),
        "draw_up": lambda value, blob: wire.unsigned_from_json(value, blob),
    }

    def one(data: bytes) -> str:
        blobs = [data]
        if job == "draw_up":
            prepared, tail = answer_to({"job": "prepare", **headers["prepare"]}, [data])
            if "error" in prepared:
                return str(prepared["error"])
            blobs = [data + bytes(tail[0]), *ink]
        header, parts = answer_to({"job": job, **headers[job]}, blobs)
        header = json.loads(json.dumps(header))
        if "error" in header:
            assert header["error"] == "damaged" or wire.error_from_json(header).code != "damaged", header
            return str(header["error"])
        if job in decode:
            decode[job](header["value"], bytes(parts[0]) if parts else b"")
        return "fine"

    return one


def fuzz_one_job(job: str, seconds: int) -> None:
    """Does not come back: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["pdfops", "pyhanko.pdf_utils", "pyhanko.sign", "pypdf"]):
        run = answered(job)  # its answer is for the test alone
        import pdfops.fields
        import pdfops.ink
        import pdfops.inspect
        import pdfops.seal
        import pdfops.verify  # noqa: F401 - what a child imports late

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        objects = list(OBJECT.finditer(data))
        if not objects or chance.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        start, end = chance.choice(objects).span(2)
        body = bytes(atheris.Mutate(data[start:end], end - start + 200))
        return relinked(data[:start] + body + data[end:])[:most]

    limits = [f"-timeout={LIMIT_S}", f"-rss_limit_mb={LIMIT_MB}", f"-max_len={LARGEST_BYTES * 2}"]
    options = [*limits, f"-max_total_time={seconds}", f"-artifact_prefix={OUT}/{job}-", "-print_final_stats=1"]
    more: dict[str, Any] = {} if job == "ink" else {"custom_mutator": mutated}
    atheris.Setup([sys.argv[0], *options, str(OUT / job)], lambda data: run(data) and None, **more)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=300, help="for each job")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.job:
        fuzz_one_job(asked.job, asked.seconds)
    lay_seeds()
    failed = 0
    for job in JOBS:
        command = [sys.executable, "-m", "tests.pdfops.guided", "--job", job, "--seconds", str(asked.seconds)]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        runs = re.search(r"number_of_executed_units: (\d+)", run.stderr)
        reached = re.findall(r"cov: (\d+)", run.stderr) or ["0"]
        print(f"{job}: {runs[1] if runs else '?'} inputs, {reached[0]} to {reached[-1]} branches", flush=True)
        if run.returncode != 0:
            failed += 1
            print(run.stderr[-3_000:], file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Documents without PDF: lines of bytes, each revision the one before with more lines. `pdfops` has its own suites."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.inspect import Inspection
from pdfops.lasting import Lasting
from pdfops.sandbox import Signed
from pdfops.seal import SealOrder
from pdfops.signer import Signer
from plugin.actions import store_evidence
from tests.simulation.process import Process

START = b"%PDF-simulated\n"
END = b"%%EOF\n"
PAGE = (595.0, 842.0)
_PDF_S = 0.08


def original(text: str) -> bytes:
    return START + text.encode() + b"\n" + END


def signed_fields(data: bytes) -> list[str]:
    """The fields that were signed, in order."""
    return [line.split(b" ")[1].decode() for line in data.splitlines() if line.startswith(b"signed ")]


def prepared_fields(data: bytes) -> dict[str, str]:
    """Field -> whose it is."""
    found = [line.decode().split(" ") for line in data.splitlines() if line.startswith(b"field ")]
    return {name: person for _, name, person in found}


class Papers:
    """What actions ask of a `pdfops.sandbox.Workshop`, in no time to speak of."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def inspect(self, data: bytes) -> Inspection:
        self._works()
        if not data.startswith(START):
            raise PdfError("not-a-pdf")
        signed = signed_fields(data)
        return Inspection(1, (PAGE,), len(signed), ("",) * len(signed), _sha256(data), len(data), False)

    def check_renders(self, data: bytes, pages: int | None = None) -> None:
        self._works()

    def undrawable(self, texts: Sequence[str]) -> tuple[str, ...]:
        return ("",) * len(texts)

    def normalise_ink(self, image: bytes) -> bytes:
        return image

    def normalise_strokes(self, sent: bytes) -> bytes:
        return sent

    def normalise_typed(self, text: str) -> bytes:
        return text.encode()

    def prepare(self, data: bytes, places: Sequence[Place], certification: str | None = None) -> bytes:
        self._works()
        fields = b"".join(f"field {place.field} {place.recipient}\n".encode() for place in places)
        return data + fields + END if fields else data

    def sign(self, data: bytes, order: SealOrder, signer: Signer, lasting: Lasting | None = None) -> Signed:
        self._works()
        done = set(signed_fields(data))
        there = prepared_fields(data)
        for name in order.fields:
            if name not in there:
                raise PdfError("field-missing")
            if name in done:
                raise PdfError("already-signed")
        stamps = ((name, order.name.replace(" ", "_"), order.signing_time.isoformat()) for name in order.fields)
        lines = "".join(f"signed {' '.join(stamp)}\n" for stamp in stamps)
        new = data + lines.encode() + END
        return Signed(new, _sha256(new), order.fields, len(done))

    def check(self, data: bytes, signed: Signed) -> None:
        self._works()
        assert signed.data.startswith(data)
        assert signed_fields(signed.data)[-len(signed.fields) :] == list(signed.fields)

    def _works(self) -> None:
        self._process.waits(self._process.world.dice.random() * _PDF_S)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def undrawn_records() -> Iterator[None]:
    """While this lasts an evidence record is its JSON: drawing one takes as long as ten flows here, and is never the
    same to the letter."""
    real = store_evidence.dossier
    store_evidence.dossier = lambda record, *_: START + json.dumps(record, sort_keys=True).encode()
    try:
        yield
    finally:
        store_evidence.dossier = real

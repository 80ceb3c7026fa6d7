"""Seals whose time a real authority attests, on loopback."""

from __future__ import annotations

import datetime as dt
from typing import Any

from asn1crypto import x509

from pdfops.fields import Place, prepare
from pdfops.lasting import Lasting
from pdfops.levels import SealLevel
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from tests import pki
from tests.pdfops import samples


def prepared(people: int = 2) -> bytes:
    places = [Place(f"f{n}", str(n), 1, 50_000 + 300_000 * n, 100_000, 200_000, 100_000) for n in range(people)]
    return prepare(samples.simple_pdf(), places)


def order(n: int) -> SealOrder:
    return SealOrder((f"f{n}",), samples.ink_png(), f"Signataire {n}", "Bon pour accord", dt.datetime.now(dt.UTC))


def sealed(workshop: Workshop, found: pki.Pki, level: SealLevel, people: int = 2, tsa: str = "tsa") -> bytes:
    """Signed by everybody, each with a timestamp; the last one carries the document to its level."""
    data = prepared(people)
    lasting = Lasting(level, found.roots, found.outbound(tsa))
    for n in range(people):
        signed = workshop.sign(data, order(n), found.signer(), lasting if n == people - 1 else lasting.for_now())
        workshop.check(data, signed)
        data = signed.data
    return data


def certificate(found: pki.Pki, label: str) -> Any:
    return x509.Certificate.load(found.certificate(label))

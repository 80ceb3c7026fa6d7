"""A small document of our own, taken through every job: a child does it before it is shut in.

What parsers import late they import now, and a child that cannot do the work fails at its start, not at a signature.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image, ImageDraw

from pdfops import wire
from pdfops.cms_seal import reserved_bytes
from pdfops.fields import Place
from pdfops.seal import SealOrder, close
from pdfops.signer import KeySigner

Ask = Callable[[wire.Header, list[bytes]], tuple[wire.Header, Sequence[bytes]]]


Done = Callable[..., tuple[wire.Header, Sequence[bytes]]]


class RehearsalError(Exception):
    """A job failed on our own document: this installation cannot work."""


def blank_pdf(width_pt: int = 200, height_pt: int = 100) -> bytes:
    """A PDF of one empty page."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] >>" % (width_pt, height_pt),
    ]
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        body + table + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(body))
    )


def rehearse(ask: Ask) -> None:
    """Inspect, prepare, show, seal and verify a blank page. Raises: RehearsalError."""

    def done(header: wire.Header, *blobs: bytes) -> tuple[wire.Header, Sequence[bytes]]:
        answer, returned = ask(header, list(blobs))
        if "error" in answer:
            raise RehearsalError(f"{header['job']}: {answer}")
        return answer, returned

    data = blank_pdf()
    done({"job": "inspect"}, data)
    done({"job": "renders", "pages": 1}, data)
    places = [Place("a", "1", 1, 0, 0, 500_000, 500_000), Place("b", "1", 1, 500_000, 500_000, 500_000, 500_000)]
    named = [wire.place_to_json(place) for place in places]
    data += done({"job": "prepare", "places": named, "certification": None}, data)[1][0]
    for kind, mode in (("PNG", "RGBA"), ("JPEG", "RGB"), ("PNG", "RGB")):
        ink = done({"job": "ink"}, _drawing(kind, mode))[1][0]
    strokes = done({"job": "strokes"}, b"[[[0, 0, 1], [30, 20, 2], [60, 0, 1.5]]]")[1][0]
    typed = done({"job": "typed"}, "Élève Жук".encode())[1][0]
    done({"job": "undrawable", "texts": ["e\u0304 \u0645"]})
    signer = _passing_signer()
    order = SealOrder(
        fields=("a", "b"),
        ink=ink,
        texts={"a": ("Élève Ωmega Жук",)},
        name="rehearsal",
        reason="rehearsal",
        signing_time=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    )
    header: dict[str, Any] = {
        "job": "draw_up",
        "order": wire.order_to_json(order),
        "cms_bytes": reserved_bytes(signer),
    }
    for other in (strokes, typed):
        done(header, data, other)
    answer, blobs = done(header, data, ink)
    tail = close(data, wire.unsigned_from_json(answer["value"], blobs[0]), signer)
    done({"job": "check", "fields": ["a"], "signatures_before": 0, "level": "b-b"}, data, tail)
    done({"job": "verify", "examine": True}, data + tail)
    _rehearse_lasting(done, data + tail, signer)
    done({"job": "text", "page": 1}, data + tail)
    for image_format in ("jpeg", "webp", "png"):
        done({"job": "preview", "page": 1, "width_px": 100, "image_format": image_format}, data + tail)


def _rehearse_lasting(done: Done, data: bytes, signer: KeySigner) -> None:
    chains = done({"job": "chains"}, data)[0]["value"]["chains"]
    lengths, roots = wire.join(signer.chain, ())
    header = {"job": "gather", "chains": chains, "lengths": lengths, "keys": [], "own": signer.chain[0].hex()}
    answer, blobs = done({**header, "now": "2020-01-01T12:00:00+00:00"}, roots)
    data += done({"job": "store", "lengths": answer["value"]["lengths"]}, data, blobs[0])[1][0]
    data += done({"job": "timestamp", "cms_bytes": 1_000}, data)[1][0]
    done({"job": "verify", "examine": True}, data)


def _drawing(kind: str, mode: str) -> bytes:
    picture = Image.new(mode, (60, 30), "white")
    ImageDraw.Draw(picture).line([(5, 5), (55, 25)], fill="black", width=3)
    output = io.BytesIO()
    picture.save(output, kind)
    return output.getvalue()


def _passing_signer() -> KeySigner:
    """A key that exists for the length of the rehearsal."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return KeySigner(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.public_bytes(serialization.Encoding.PEM),
    )

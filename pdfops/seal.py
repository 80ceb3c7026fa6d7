"""Seal: one incremental update that fills a signatory's fields, draws his stamps and signs the whole file.

The work is cut where the key is needed. `draw_up` parses the PDF and appends a revision with a hole where the
signature belongs; `close` hashes everything around the hole, signs, and fills it. The first runs in a child process,
the second where the key is: it looks at bytes and offsets only, and signs nothing but what it hashed itself.

A signature field is always signed, a button only filled. Where a signatory has several signature fields in a document
(places in a document that others had signed before, see `fields`), each gets its own signature and revision, in order.
"""

from __future__ import annotations

import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.pdf_byterange import BuildProps, SignatureObject

from pdfops.appending import Appender
from pdfops.archive import rules_of
from pdfops.cms_seal import package, reserved_bytes, signed_attributes
from pdfops.errors import PdfError
from pdfops.fields import show
from pdfops.geometry import from_user_space, page_geometry
from pdfops.permissions import MAX_FIELDS, certify, check_permissions, signature_fields
from pdfops.reading import entry, open_reader
from pdfops.signer import Signer
from pdfops.stamp import StampDrawing
from pdfops.text import printable

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

MAX_GROWTH_BYTES: Final = 2_000_000
"""How much one revision may append."""

APPLICATION: Final = "Parapheur"
DOES_NOT_FIT: Final = "the signature does not fit"
Stamp = Callable[[bytes], bytes]
"""A timestamp over a SHA-256 digest: DER of a TimeStampToken (RFC 3161)."""

_BYTE_RANGE: Final = re.compile(rb"/ByteRange\s*\[(\d+) (\d+) (\d+) (\d+)\]")


@dataclass(frozen=True, slots=True)
class SealOrder:
    """What one signatory's seal on one document consists of.

    ``fields`` are the names of his fields, the signature field first. ``texts`` gives the lines of a stamp by field;
    a field that is not in it gets ink alone. ``ink`` is normalised (a PNG, pen strokes or a typed name: see `ink`,
    `strokes`, `stamp`), or empty for text alone. ``name`` and ``reason`` go into the signature dictionary as they are.
    ``signing_time`` is aware. ``certifies``: it is the document's first signature and says that from now on only the
    fields that are there may be filled in (P=2).
    """

    fields: tuple[str, ...]
    ink: bytes
    name: str
    reason: str
    signing_time: dt.datetime
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    location: str | None = None
    certifies: bool = False

    def __post_init__(self) -> None:
        if not self.fields or len(set(self.fields)) != len(self.fields):
            raise ValueError("a seal needs fields, each named once")
        if self.signing_time.tzinfo is None:
            raise ValueError("signing_time has no time zone")
        if self.certifies and len(self.fields) > 1:
            raise ValueError("a document is certified once")

    @property
    def shows_something(self) -> bool:
        return bool(self.ink or any(self.texts.values()))


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A revision with a hole. Units: bytes.

    ``tail`` is what is appended to the document; ``hole_start`` and ``hole_end`` count from the document's first byte
    and include the angle brackets of /Contents. ``left`` are the signature fields that still need a revision of their
    own; ``signatures_before`` is how many were signed in the input.
    """

    tail: bytes
    hole_start: int
    hole_end: int
    left: tuple[str, ...] = ()
    signatures_before: int = 0


def draw_up(data: bytes, order: SealOrder, cms_bytes: int) -> Unsigned:
    """Fill and stamp the fields of ``order`` in a new revision that has room for ``cms_bytes`` of signature.

    Raises: PdfError as `reading.open_reader`, and certified, already-signed, field-missing, bad-image,
    image-too-large, glyph-missing, too-much-growth.
    """
    reader = open_reader(data)
    check_permissions(reader, order.fields, are_there=True)
    before = sum(1 for _name, signature, _field in signature_fields(reader) if signature is not None)
    if order.certifies and before:
        raise PdfError("already-signed")
    rules = rules_of(reader.root)
    writer = Appender(data, reader, notes_itself=not rules.is_archive)
    references = _fields_by_name(writer)
    drawing = StampDrawing(writer, order.ink, tuple(order.texts.get(name, ()) for name in order.fields), rules)
    first, left = order.fields[0], []
    target: Any = None
    for name in order.fields:
        reference = references.get(name)
        if reference is None:
            raise PdfError("field-missing", field=name)
        widget = reference.get_object()
        if not isinstance(widget, generic.DictionaryObject) or "/V" in widget or "/Rect" not in widget:
            raise PdfError("field-missing", field=name)
        is_signature = entry(widget, "/FT") == "/Sig"
        if name == first:
            if not is_signature:
                raise PdfError("field-missing", field=name)
            target = widget
        elif is_signature:
            left.append(name)
            continue
        if order.shows_something:
            _stamp(widget, drawing, order.texts.get(name, ()))
        writer.mark_update(reference)
    signature = SignatureObject(
        timestamp=order.signing_time,
        subfilter=SigSeedSubFilter.PADES,
        name=printable(order.name) or None,
        location=printable(order.location or "") or None,
        reason=printable(order.reason) or None,
        app_build_props=BuildProps(name=APPLICATION),
        bytes_reserved=2 * cms_bytes,
    )
    target["/V"] = reference = writer.add_object(signature)
    if order.certifies:
        certify(writer, signature, reference)
    tail = writer.signed_tail(signature)
    if len(tail) > MAX_GROWTH_BYTES:
        raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
    start, end = signature.contents.offsets
    return Unsigned(tail, start, end, tuple(left), before)


def covered_digest(data: bytes, unsigned: Unsigned, hashed: Hash | None = None) -> bytes:
    """SHA-256 over all of the new file but the hole, 32 bytes.

    Reads nothing but the bytes at the offsets it was given, and refuses those that do not say what they should.
    ``hashed`` is SHA-256 fed with ``data`` by the caller, who has more use for it; it is left as it was.

    Raises: PdfError not-verified, too-much-growth.
    """
    tail, base = unsigned.tail, len(data)
    start, end = unsigned.hole_start - base, unsigned.hole_end - base
    if len(tail) > MAX_GROWTH_BYTES:
        raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
    is_hole = 0 <= start < end <= len(tail) and tail[start:end] == b"<" + b"0" * (end - start - 2) + b">"
    ranges = [tuple(map(int, match.groups())) for match in _BYTE_RANGE.finditer(tail)]
    if not is_hole or ranges != [(0, base + start, base + end, len(tail) - end)]:
        raise PdfError("not-verified", reason="the byte range does not fit")
    sha = hashed.copy() if hashed is not None else hashlib.sha256(data)
    sha.update(tail[:start])
    sha.update(tail[end:])
    return sha.digest()


def filled(base: int, unsigned: Unsigned, cms_object: bytes) -> bytes:
    """What has to be appended to the ``base`` bytes before it, with the hole filled. Raises: PdfError not-verified."""
    tail = unsigned.tail
    start, end = unsigned.hole_start - base, unsigned.hole_end - base
    contents = binascii.hexlify(cms_object).upper()
    if len(contents) > end - start - 2:
        raise PdfError("not-verified", reason=DOES_NOT_FIT)
    return b"".join((tail[: start + 1], contents, tail[start + 1 + len(contents) :]))


def close(
    data: bytes, unsigned: Unsigned, signer: Signer, hashed: Hash | None = None, stamp: Stamp | None = None
) -> bytes:
    """Hash, sign, have the signature's time attested by ``stamp``, fill the hole. Returns what has to be appended to
    ``data``. ``hashed``: as for `covered_digest`.

    Raises: PdfError not-verified, too-much-growth, and what ``stamp`` raises.
    """
    attributes = signed_attributes(signer, covered_digest(data, unsigned, hashed))
    signature = signer.sign(attributes)
    token = stamp(hashlib.sha256(signature).digest()) if stamp is not None else b""
    return filled(len(data), unsigned, package(signer, attributes, signature, token))


def seal(data: bytes, order: SealOrder, signer: Signer) -> bytes:
    """Seal in this process and without the check of the output: for trusted input, tests and measurements.

    The product calls `pdfops.sandbox.Workshop.seal`. Raises as `draw_up` and `close`.
    """
    reserved = reserved_bytes(signer)
    remaining: SealOrder | None = order
    while remaining is not None:
        unsigned = draw_up(data, remaining, reserved)
        data = b"".join((data, close(data, unsigned, signer)))
        remaining = replace(remaining, fields=unsigned.left) if unsigned.left else None
    return data


def _fields_by_name(writer: IncrementalPdfFileWriter) -> dict[str, generic.IndirectObject]:
    """The form's own fields (ours have no parents) by name."""
    form = entry(writer.root, "/AcroForm")
    fields = entry(form, "/Fields") if isinstance(form, generic.DictionaryObject) else None
    if not isinstance(fields, generic.ArrayObject) or len(fields) > MAX_FIELDS:
        return {}
    found: dict[str, generic.IndirectObject] = {}
    for index in range(len(fields)):
        raw = fields.raw_get(index)
        if isinstance(raw, generic.IndirectObject):
            candidate = raw.get_object()
            if isinstance(candidate, generic.DictionaryObject) and isinstance(entry(candidate, "/T"), str):
                found.setdefault(str(candidate["/T"]), raw)
    return found


def _stamp(widget: generic.DictionaryObject, drawing: StampDrawing, lines: tuple[str, ...]) -> None:
    page = entry(widget, "/P")
    geometry = page_geometry(page if isinstance(page, generic.DictionaryObject) else generic.DictionaryObject())
    x0, y0, x1, y1 = (float(value) for value in widget["/Rect"])
    box = from_user_space((x0, y0, x1, y1), geometry)
    if box.w_pt <= 0 or box.h_pt <= 0:
        raise PdfError("field-missing", field=str(entry(widget, "/T")))
    reference = drawing.appearance(box.w_pt, box.h_pt, geometry.rotate, lines)
    show(widget, reference)

"""Documents that are worth tampering with, and the tools: revisions, byte ranges, signatures of strangers."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, fields
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from pdfops.fields import Place, prepare
from pdfops.seal import SealOrder, seal
from tests.pdfops import samples

CATALOGUE, PAGES, FONT, PAGE, CONTENT, OVERLAY, OTHER_CONTENT, OTHER_PAGE, OTHER_PAGES, OTHER_CATALOGUE = range(1, 11)
AMOUNT, LOOK, TICK, TICK_LOOK, TICK_OFF = range(11, 16)
TEXT = b"BT /F1 18 Tf 72 700 Td (Pay 100 euros) Tj ET"
EVIL = b"BT /F1 18 Tf 72 700 Td (Pay 900 euros) Tj ET"
_RANGE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\] *")


def form(content: bytes) -> bytes:
    return samples.stream(content, b"/Type /XObject /Subtype /Form /BBox [0 0 200 20] ")


@cache
def document() -> bytes:
    """A contract with a text field and a tick box, and objects in waiting that nothing shows yet."""
    page = b"<< /Type /Page /Parent %d 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R "
    field = b"<< /Type /Annot /Subtype /Widget /F 4 /P 4 0 R /Rect [%d 500 %d 520] "
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [11 0 R 13 0 R] /DA (/F1 12 Tf) >> >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            page % (PAGES, CONTENT) + b"/Annots [6 0 R 11 0 R 13 0 R] >>",
            samples.stream(TEXT),
            b"<< /Type /Annot /Subtype /Square /F 4 /Rect [60 650 400 720] /IC [1 1 1] /C [1 1 1] >>",
            samples.stream(EVIL),
            page % (OTHER_PAGES, OTHER_CONTENT) + b">>",
            b"<< /Type /Pages /Kids [8 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
            b"<< /Type /Catalog /Pages 9 0 R >>",
            field % (72, 272) + b"/FT /Tx /T (amount) /V (100) /DA (/F1 12 Tf) /AP << /N 12 0 R >> >>",
            form(b"BT /F1 12 Tf 2 5 Td (100) Tj ET"),
            field % (300, 320)
            + b"/FT /Btn /T (agreed) /V /Yes /AS /Yes /AP << /N << /Yes 14 0 R /Off 15 0 R >> >> >>",
            form(b"0 0 10 10 re f"),
            form(b""),
        ]
    )


@cache
def signed(people: int = 1) -> bytes:
    places = [Place(f"s{n}", str(n), 1, 100_000, 100_000 + 150_000 * n, 300_000, 90_000) for n in range(people)]
    data = prepare(document(), places)
    for who in range(people):
        order = SealOrder((f"s{who}",), samples.ink_png((60, 20)), "n", "r", samples.SIGNED_AT)
        data = seal(data, order, samples.organisation())
    return data


@cache
def certified_by_us(people: int = 1) -> bytes:
    """Certified by the organisation before anybody signed, as at a launch."""
    asked = max(people, 1)
    places = [Place(f"s{n}", str(n), 1, 100_000, 100_000 + 150_000 * n, 300_000, 90_000) for n in range(asked)]
    data = prepare(document(), places, "c")
    order = SealOrder(("c",), b"", "Mairie d'Étampes", "", samples.SIGNED_AT, certifies=True)
    data = seal(data, order, samples.organisation())
    for who in range(people):
        order = SealOrder((f"s{who}",), samples.ink_png((60, 20)), "n", "r", samples.SIGNED_AT)
        data = seal(data, order, samples.organisation())
    return data


@cache
def certified(permission: MDPPerm) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(document()), strict=False)
    metadata = PdfSignatureMetadata(field_name="Author", certify=True, docmdp_permissions=permission)
    return bytes(PdfSigner(metadata, samples.stranger()).sign_pdf(writer).getvalue())


# ---- tools ----------------------------------------------------------------------------------------------------------
def revision(
    data: bytes, objects: Mapping[int, bytes], root: int = CATALOGUE, *, table: Mapping[int, int] | None = None
) -> bytes:
    """One more revision. ``table``: object number -> an offset that is already in the file, or -1 for a freed one."""
    previous = int(data[data.rindex(b"startxref") :].split()[1])
    size = max(int(number) for number in re.findall(rb"/Size (\d+)", data))
    body, entries = b"\n", dict((table or {}).items())
    for number, content in objects.items():
        entries[number] = len(data) + len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    at = len(data) + len(body)
    body += b"xref\n" if entries else b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in sorted(entries.items()):
        line = b"0000000000 00001 f \n" if offset < 0 else b"%010d 00000 n \n" % offset
        body += b"%d 1\n%s" % (number, line)
    size = max(size, *(number + 1 for number in entries), 1)
    body += b"trailer\n<< /Size %d /Root %d 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (size, root, previous, at)
    return data + body


def gap(data: bytes) -> tuple[int, int]:
    """Where the digits of the last signature stand, brackets included."""
    last = list(_RANGE.finditer(data))[-1]
    return int(last[2]), int(last[3])


def in_range(data: bytes, text: bytes) -> bytes:
    """Another text in the place of the last /ByteRange, as long as that was."""
    last = list(_RANGE.finditer(data))[-1]
    assert len(text) <= len(last[0])
    return data[: last.start()] + text.ljust(len(last[0])) + data[last.end() :]


def in_gap(data: bytes, text: bytes) -> bytes:
    start, end = gap(data)
    assert len(text) <= end - start
    return data[:start] + text.ljust(end - start) + data[end:]


def digits(data: bytes) -> bytes:
    """The CMS object in hexadecimal, without what fills it up."""
    start, _ = gap(data)
    size = int.from_bytes(bytes.fromhex(data[start + 1 : start + 9].decode())[2:4], "big") + 4
    return data[start + 1 : start + 1 + 2 * size]


def number_of(data: bytes, pattern: bytes) -> int:
    """The number of the last object that says this."""
    at = data.rindex(pattern)
    return int(re.findall(rb"(\d+) 0 obj", data[:at])[-1])


def body_of(data: bytes, number: int) -> bytes:
    """What the last version of an object says."""
    start = data.rindex(b"\n%d 0 obj\n" % number) + len(b"\n%d 0 obj\n" % number)
    return data[start : data.index(b"\nendobj", start)]


def offset_of(data: bytes, number: int) -> int:
    """Where the first version of an object stands."""
    return data.index(b"\n%d 0 obj\n" % number) + 1


def drawn_twice(**parts: bytes) -> bytes:
    """A page that draws the very form that a text field shows, by ways that a careless reader overlooks."""
    own = {
        "kids": b"[4 0 R]", "six": b"null", "seven": b"null", "eight": b"null", "root": b"", "contents": b"5 0 R",
        "content": b"q 1 0 0 1 72 600 cm /X Do Q",
        "resources": b"<< /Font << /F1 3 0 R >> /XObject << /X 12 0 R >> >>", **parts,
    }  # fmt: skip
    page = b"<< /Type /Page /Parent 2 0 R /Resources %s /Contents %s /Annots [11 0 R] >>"
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [11 0 R] /DA (/F1 12 Tf) >> %s>>" % own["root"],
            b"<< /Type /Pages /Kids %s /Count 1 /MediaBox [0 0 595 842] >>" % own["kids"],
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            page % (own["resources"], own["contents"]),
            samples.stream(own["content"]),
            own["six"],
            own["seven"],
            own["eight"],
            b"null",
            b"null",
            b"<< /Type /Annot /Subtype /Widget /F 4 /P 4 0 R /Rect [72 500 272 520] /FT /Tx /T (amount) /V (100) "
            b"/DA (/F1 12 Tf) /AP << /N 12 0 R >> >>",
            form(b"BT /F1 12 Tf 2 5 Td (100) Tj ET"),
        ]
    )


def signed_again(data: bytes, field: str = "Second", *, as_timestamp: bool = False) -> bytes:
    """By a stranger, whose ordinary signature may claim to be a timestamp."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    metadata = PdfSignatureMetadata(field_name=field, subfilter=fields.SigSeedSubFilter.PADES)
    signer = PdfSigner(metadata, samples.stranger(), new_field_spec=fields.SigFieldSpec(field))
    begin = SignatureObject.__init__

    def claim(self: Any, *args: Any, **more: Any) -> None:
        begin(self, *args, **more)
        self["/Type"] = generic.pdf_name("/DocTimeStamp" if as_timestamp else "/Sig")

    SignatureObject.__init__ = claim  # type: ignore[method-assign]  # the library writes no lies
    try:
        return bytes(signer.sign_pdf(writer).getvalue())
    finally:
        SignatureObject.__init__ = begin  # type: ignore[method-assign]  # put back


def by_stream(data: bytes, objects: Mapping[int, bytes], packed: Mapping[int, tuple[int, int]]) -> bytes:
    """One more revision with a cross-reference stream. ``packed``: object -> the object stream and its place in it."""
    previous = int(data[data.rindex(b"startxref") :].split()[1])
    body, entries = b"\n", {number: (2, *where) for number, where in packed.items()}
    for number, content in objects.items():
        entries[number] = (1, len(data) + len(body), 0)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    own = max(*(int(number) for number in re.findall(rb"/Size (\d+)", data)), *(number + 1 for number in entries))
    at = len(data) + len(body)
    entries[own] = (1, at, 0)
    index = b" ".join(b"%d 1" % number for number in sorted(entries))
    rows = b"".join(
        bytes([kind]) + where.to_bytes(4, "big") + last.to_bytes(2, "big")
        for _, (kind, where, last) in sorted(entries.items())
    )
    extra = b"/Type /XRef /W [1 4 2] /Index [%s] /Size %d /Root 1 0 R /Prev %d " % (index, own + 1, previous)
    body += b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (own, samples.stream(rows, extra), at)
    return data + body


def packed_alone(number: int, content: bytes) -> bytes:
    """An object stream with that one object."""
    head = b"%d 0 " % number
    return samples.stream(head + content + b" ", b"/Type /ObjStm /N 1 /First %d " % len(head))


def without_second(data: bytes) -> bytes:
    """The second person's field is put back as it was before he signed."""
    number = number_of(data, b"/T (s1)")
    mark = b"\n%d 0 obj\n" % number
    start = data.index(mark) + len(mark)
    return revision(data, {number: data[start : data.index(b"\nendobj", start)]})

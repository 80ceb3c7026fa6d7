"""Signed PDFs that somebody tampered with, each with the verdict it deserves. Made anew, from documents of our own.

Families: universal signature forgery (usf), incremental saving (isa), signature wrapping (swa), shadow: hide, replace,
hide and replace; evil annotation (eaa), sneaky signature (ssa), appearance only, trailing bytes. What each does to a
reader that believes too much is in the name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Attack:
    name: str
    data: bytes
    verdict: str


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


# ---- the families ---------------------------------------------------------------------------------------------------
def forged() -> list[Attack]:
    data = signed()
    start, end = gap(data)
    whole = b"/ByteRange [0 %d %d %d]"
    made: dict[str, tuple[bytes, str]] = {
        "no byte range": (in_range(data, b""), "unverifiable"),
        "byte range null": (in_range(data, b"/ByteRange null"), "unverifiable"),
        "byte range empty": (in_range(data, b"/ByteRange []"), "broken"),
        "byte range of zeros": (in_range(data, b"/ByteRange [0 0 0 0]"), "broken"),
        "byte range negative": (in_range(data, b"/ByteRange [0 -1 -1 -1]"), "unverifiable"),
        "byte range of names": (in_range(data, b"/ByteRange [/a /b /c /d]"), "unverifiable"),
        "byte range that overlaps": (in_range(data, whole % (end, start, len(data) - start)), "broken"),
        "byte range of three": (in_range(data, b"/ByteRange [0 %d %d]" % (start, end)), "unverifiable"),
        "no contents": (in_gap(data, b""), "unverifiable"),
        "contents null": (in_gap(data, b"null"), "unverifiable"),
        "contents empty": (in_gap(data, b"<>"), "unverifiable"),
        "contents of zeros": (in_gap(data, b"<" + b"0" * (end - start - 2) + b">"), "unverifiable"),
        "contents of another signature": (in_gap(data, b"<" + digits(signed(2)) + b">"), "broken"),
    }
    return [Attack(f"usf: {name}", *one) for name, one in made.items()]


def saved_on() -> list[Attack]:
    data = signed()
    page = body_of(data, PAGE).replace(b"/Contents 5 0 R", b"/Contents 7 0 R")
    copy = number_of(data, b"/Type /Sig")
    body = b"\n%d 0 obj\n%s\nendobj\n" % (CONTENT, samples.stream(EVIL))
    made = {
        "content replaced": revision(data, {CONTENT: samples.stream(EVIL)}),
        "page shows other content": revision(data, {PAGE: page}),
        "page added": revision(
            data,
            {
                PAGES: b"<< /Type /Pages /Kids [4 0 R 90 0 R] /Count 2 /MediaBox [0 0 595 842] >>",
                90: b"<< /Type /Page /Parent 2 0 R >>",
            },
        ),
        "body alone, without a table": data + body,
        "body and a trailer, without a table": data + body + b"trailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n",
        "the signature copied along": revision(data, {CONTENT: samples.stream(EVIL), copy: body_of(data, copy)}),
        "script at opening": revision(
            data,
            {CATALOGUE: body_of(data, CATALOGUE)[:-2] + b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>"},
        ),
    }
    odd = {"body and a trailer, without a table": "unverifiable", "the signature copied along": "unverifiable"}
    return [Attack(f"isa: {name}", one, odd.get(name, "changed")) for name, one in made.items()]


def wrapped() -> list[Attack]:
    data = signed()
    start, end = gap(data)
    short = b"<" + digits(data) + b">"
    evil = b" /Contents2 null >>\nendobj\n5 0 obj\n" + samples.stream(EVIL) + b"\nendobj\n99 0 obj\n<< /X 1 "
    moved = end + len(evil)
    second = b" /ByteRange [0 %d %d %d]" % (start, moved, len(data) - end)
    made = {
        "second byte range in the gap": (in_gap(data, short + b" /ByteRange [0 1 2 3]"), "broken"),
        "reason in the gap": (in_gap(data, short + b" /Reason (I agree to all)"), "unverifiable"),
        "objects in the gap": (in_gap(data, short + evil[: end - start - len(short)]), "unverifiable"),
        "second part moved behind evil objects": (data[:end] + second + evil + data[end:], "unverifiable"),
        "second part copied behind evil objects": (data + evil + data[end:], "changed"),
    }
    return [Attack(f"swa: {name}", *one) for name, one in made.items()]


def shadowed() -> list[Attack]:
    data = signed()
    page = body_of(data, PAGE).replace(b"6 0 R ", b"")
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Differences [49 /nine] >> >>"
    made = {
        "hide: the cover is freed": revision(data, {}, table={OVERLAY: -1}),
        "hide: the cover is taken off the page": revision(data, {PAGE: page}),
        "hide: the cover is made empty": revision(data, {OVERLAY: b"null"}),
        "replace: the font draws other digits": revision(data, {FONT: font}),
        "replace: the field shows another amount": revision(data, {LOOK: form(b"BT /F1 12 Tf 2 5 Td (900) Tj ET")}),
        "hide and replace: another catalogue": revision(data, {}, OTHER_CATALOGUE),
        "hide and replace: the content's number leads elsewhere": revision(
            data, {}, table={CONTENT: offset_of(data, OTHER_CONTENT)}
        ),
        "hide and replace: another page in the tree": revision(
            data, {PAGES: b"<< /Type /Pages /Kids [8 0 R] /Count 1 /MediaBox [0 0 595 842] >>"}
        ),
    }
    return [Attack(f"shadow {name}", one, "changed") for name, one in made.items()]


def annotated() -> list[Attack]:
    note = b"<< /Type /Annot /Subtype /%s /F 4 /Rect [60 650 400 720] /Contents (900) %s>>"
    kinds = {
        "text over the amount": note % (b"FreeText", b"/DA (/Helv 18 Tf) "),
        "a stamp": note % (b"Stamp", b""),
        "a mark to blacken": note % (b"Redact", b"/IC [0 0 0] "),
        "a link to elsewhere": note % (b"Link", b"/A << /S /URI /URI (http://example.org/) >> "),
    }
    made = []
    for permission in (MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE):
        data = certified(permission)
        page = body_of(data, PAGE)
        for name, content in kinds.items():
            listed = page.replace(b"/Annots [", b"/Annots [ 95 0 R ")
            assert listed != page
            evil = revision(data, {PAGE: listed, 95: content})
            made.append(Attack(f"eaa: {name}, certified with {permission.value}", evil, "changed"))
    return made


def sneaked_in() -> list[Attack]:
    made = []
    for permission in (MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE):
        writer = IncrementalPdfFileWriter(io.BytesIO(certified(permission)), strict=False)
        spec = fields.SigFieldSpec("Evil", on_page=0, box=(60, 650, 400, 720))
        fields.append_signature_field(writer, spec)
        writer.write_in_place()
        again = IncrementalPdfFileWriter(io.BytesIO(writer.prev.stream.getvalue()), strict=False)
        signer = PdfSigner(PdfSignatureMetadata(field_name="Evil"), samples.stranger())
        signer._enforce_certification_constraints = lambda _reader: None  # type: ignore[method-assign]
        data = bytes(signer.sign_pdf(again).getvalue())
        made.append(Attack(f"ssa: a signature over the amount, certified with {permission.value}", data, "changed"))
    unsigned = IncrementalPdfFileWriter(io.BytesIO(signed()), strict=False)
    fields.append_signature_field(unsigned, fields.SigFieldSpec("Evil", on_page=0, box=(60, 650, 400, 720)))
    unsigned.write_in_place()
    made.append(Attack("ssa: an empty field over the amount", unsigned.prev.stream.getvalue(), "changed"))
    return made


def dressed_up() -> list[Attack]:
    data = signed(2)
    stamp = int(re.findall(rb"/N (\d+) 0 R", body_of(data, number_of(data, b"/T (s0)")))[0])
    other = form(b"BT /F1 12 Tf 2 5 Td (900) Tj ET")
    ticked = body_of(data, TICK).replace(b"/AS /Yes", b"/AS /Off")
    made = {
        "a field's look, not its value": revision(data, {LOOK: other}),
        "a signature's stamp": revision(data, {stamp: other}),
        "the tick box shows its other state": revision(data, {TICK: ticked}),
        "the tick's own look": revision(data, {TICK_LOOK: form(b"")}),
    }
    return [Attack(f"appearance: {name}", one, "changed") for name, one in made.items()]


def trailed() -> list[Attack]:
    data = signed()
    made = {
        "one line end": data + b"\n",
        "a comment": data + b"% nothing to see\n",
        "zeros": data + bytes(1_000),
        "another document": data + document(),
        "a second end": data + b"startxref\n0\n%%EOF\n",
    }
    odd = ("another document", "a second end")  # their own tables come first, and say nothing of a signature
    expected = {"another document": "unsigned", "a second end": "unverifiable"}
    return [
        Attack(f"trailing: {name}", one, expected[name] if name in odd else "changed") for name, one in made.items()
    ]


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

    SignatureObject.__init__ = claim  # type: ignore[method-assign]
    try:
        return bytes(signer.sign_pdf(writer).getvalue())
    finally:
        SignatureObject.__init__ = begin  # type: ignore[method-assign]


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


def overlooked() -> list[Attack]:
    """Uses of the replaced form, or of an object that is not there yet, that are hard to see."""
    plain, named = b"<< /Font << /F1 3 0 R >> >>", b"<< /Font << /F1 3 0 R >> /XObject << /%s 12 0 R >> >>"
    tree = b"<< /Type /StructTreeRoot /K %s >>"
    bases: dict[str, tuple[bytes, str]] = {
        "a list of pages that is an object": (drawn_twice(kids=b"6 0 R", six=b"[4 0 R]"), "changed"),
        "a picture named Parent": (drawn_twice(content=b"/Parent Do", resources=named % b"Parent"), "changed"),
        "a picture named P, in no structure": (
            drawn_twice(
                content=b"/P Do",
                resources=b"7 0 R",
                seven=named % b"P",
                six=tree % b"[7 0 R]",
                root=b"/StructTreeRoot 6 0 R ",
            ),
            "changed",
        ),
        "a name's name in the structure": (
            drawn_twice(
                content=b"/P Do",
                resources=b"7 0 R",
                seven=named % b"P",
                six=tree % b"8 0 R",
                eight=b"7 0 R",
                root=b"/StructTreeRoot 6 0 R ",
            ),
            "changed",
        ),
    }
    later = drawn_twice(resources=b"7 0 R", seven=plain)
    holder = later.index(b"\n7 0 obj") + 1
    moved = by_stream(later, {holder: packed_alone(7, named % b"X")}, {7: (holder, 0)})
    bases["a stream numbered as an offset"] = (moved, "changed")
    wrong = by_stream(drawn_twice(resources=b"7 0 R"), {20: packed_alone(7, named % b"X")}, {7: (20, 99)})
    bases["a place in a stream that was wrong before"] = (by_stream(wrong, {21: b"null"}, {7: (20, 0)}), "changed")
    evil = form(b"BT /F1 12 Tf 2 5 Td (900) Tj ET")
    made = [
        Attack(f"overlooked: {name}", signed_again(revision(samples.signed_pdf(base), {12: evil})), verdict)
        for name, (base, verdict) in bases.items()
    ]
    hollow = samples.signed_pdf(drawn_twice(contents=b"[5 0 R 900 0 R]", resources=plain, content=TEXT))
    filled = revision(hollow, {900: samples.stream(EVIL)})
    made.append(Attack("overlooked: content that was not there yet", filled, "changed"))
    made.append(Attack("overlooked: content that was not there yet, signed again", signed_again(filled), "changed"))
    return made


def without_second(data: bytes) -> bytes:
    """The second person's field is put back as it was before he signed."""
    number = number_of(data, b"/T (s1)")
    mark = b"\n%d 0 obj\n" % number
    start = data.index(mark) + len(mark)
    return revision(data, {number: data[start : data.index(b"\nendobj", start)]})


def taken_away() -> list[Attack]:
    before = without_second(signed(2))
    return [
        Attack("removed: a signature", before, "changed"),
        Attack("removed: a signature, and signed by a stranger", signed_again(before), "changed"),
    ]


FAMILIES: tuple[Callable[[], list[Attack]], ...] = (
    forged,
    saved_on,
    wrapped,
    shadowed,
    annotated,
    sneaked_in,
    dressed_up,
    trailed,
    overlooked,
    taken_away,
)


def all_attacks() -> list[Attack]:
    return [attack for family in FAMILIES for attack in family()]

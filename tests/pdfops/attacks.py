"""Signed PDFs that somebody tampered with, each with the verdict it deserves. Made anew, from documents of our own.

Families: universal signature forgery (usf), incremental saving (isa), signature wrapping (swa), shadow: hide, replace,
hide and replace; evil annotation (eaa), sneaky signature (ssa), appearance only, trailing bytes. What each does to a
reader that believes too much is in the name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, fields
from pyhanko.sign.fields import MDPPerm

from tests.pdfops import samples
from tests.pdfops.tampering import (
    CATALOGUE,
    CONTENT,
    EVIL,
    FONT,
    LOOK,
    OTHER_CATALOGUE,
    OTHER_CONTENT,
    OVERLAY,
    PAGE,
    PAGES,
    TEXT,
    TICK,
    TICK_LOOK,
    body_of,
    by_stream,
    certified,
    certified_by_us,
    digits,
    document,
    drawn_twice,
    form,
    gap,
    in_gap,
    in_range,
    number_of,
    offset_of,
    packed_alone,
    revision,
    signed,
    signed_again,
    without_second,
)


@dataclass(frozen=True)
class Attack:
    name: str
    data: bytes
    verdict: str


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


def certified_then_changed() -> list[Attack]:
    """What P=2 forbids, behind the certification alone and behind a signatory's seal."""
    made = []
    for people in (0, 1):
        data = certified_by_us(people)
        page, root = body_of(data, PAGE), body_of(data, CATALOGUE)
        note = b"<< /Type /Annot /Subtype /Square /F 4 /Rect [60 650 400 720] /IC [1 1 1] /C [1 1 1] >>"
        field = (
            b"<< /Type /Annot /Subtype /Widget /F 4 /P 4 0 R /Rect [72 400 272 420] /FT /Tx /T (extra) /V (900) "
            b"/DA (/F1 12 Tf) /AP << /N 12 0 R >> >>"
        )
        shown = {PAGE: page.replace(b"/Annots [", b"/Annots [90 0 R "), 90: note}
        two_pages = b"<< /Type /Pages /Kids [4 0 R 90 0 R] /Count 2 /MediaBox [0 0 595 842] >>"
        pieces: dict[str, dict[int, bytes]] = {
            "a note is added": shown,
            "a page is added": {PAGES: two_pages, 90: b"<< /Type /Page /Parent 2 0 R >>"},
            "a field is added": {
                **shown,
                CATALOGUE: root.replace(b"/Fields [", b"/Fields [90 0 R "),
                90: field,
            },
            "the page shows other content": {PAGE: page.replace(b"/Contents 5 0 R", b"/Contents 7 0 R")},
            "the certification is no longer named": {
                CATALOGUE: re.sub(rb"/Perms <<.*?>>", b"", root, flags=re.DOTALL)
            },
        }
        for name, objects in pieces.items():
            assert all(objects[key] != body_of(data, key) for key in objects if key != 90), name
            made.append(Attack(f"certified: {name}, {people} signed", revision(data, objects), "changed"))
    return made


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
        signer._enforce_certification_constraints = lambda _reader: None  # type: ignore[method-assign]  # nobody stops an attacker
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


def taken_away() -> list[Attack]:
    before = without_second(signed(2))
    return [
        Attack("removed: a signature", before, "changed"),
        Attack("removed: a signature, and signed by a stranger", signed_again(before), "changed"),
    ]


FAMILIES: tuple[Callable[[], list[Attack]], ...] = (
    forged,
    certified_then_changed,
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

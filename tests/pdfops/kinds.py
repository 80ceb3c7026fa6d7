"""Kinds of document: other ways to write cross-references, tags, a form."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from tests.pdfops import samples

HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
FREE, PLAIN, PACKED = 0, 1, 2

PAGE = b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>"
ONE_PAGE = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
    PAGE,
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
)
CONTENT = samples.stream(b"BT /F1 18 Tf 72 700 Td (Convention) Tj ET")


def xref_stream_pdf() -> bytes:
    """One page whose objects lie in an object stream, with a cross-reference stream (ISO 32000-2, 7.5.7, 7.5.8)."""
    body = HEADER
    rows: list[tuple[int, int, int]] = [(FREE, 0, 65_535)]
    rows += [(PACKED, 6, index) for index in range(len(ONE_PAGE))]
    for number, content in ((5, CONTENT), (6, _packed(range(1, 5), ONE_PAGE))):
        rows.append((PLAIN, len(body), 0))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    at = len(body)
    rows.append((PLAIN, at, 0))
    return body + b"7 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (_rows(rows, b"/Root 1 0 R "), at)


def hybrid_pdf() -> bytes:
    """One page whose font only readers of cross-reference streams find (ISO 32000-2, 7.5.8.4)."""
    body = HEADER
    plain = dict(zip((1, 2, 3), ONE_PAGE[:3], strict=True)) | {5: CONTENT, 6: _packed([4], ONE_PAGE[3:])}
    table = {0: b"0000000000 65535 f \n"}
    for number, content in plain.items():
        table[number] = b"%010d 00000 n \n" % len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    hidden = len(body)
    table[7] = b"%010d 00000 n \n" % hidden
    body += b"7 0 obj\n%s\nendobj\n" % _rows([(PACKED, 6, 0)], b"/Root 1 0 R /Index [4 1] ", 8)
    at = len(body)
    return (
        body
        + b"xref\n0 4\n%s5 3\n%s" % tuple(b"".join(table[n] for n in part) for part in ((0, 1, 2, 3), (5, 6, 7)))
        + b"trailer\n<< /Size 8 /Root 1 0 R /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n" % (hidden, at)
    )


def tagged_pdf() -> bytes:
    """One page with one tagged paragraph (ISO 32000-2, 14.7 and 14.8)."""
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /MarkInfo << /Marked true >> /StructTreeRoot 6 0 R /Lang (en) >>",
            *ONE_PAGE[1:2],
            PAGE[:-2] + b"/StructParents 0 /Tabs /S >>",
            *ONE_PAGE[3:],
            samples.stream(b"/P << /MCID 0 >> BDC BT /F1 18 Tf 72 700 Td (Convention) Tj ET EMC"),
            b"<< /Type /StructTreeRoot /K 7 0 R /ParentTree << /Nums [0 [8 0 R]] >> /ParentTreeNextKey 1 >>",
            b"<< /Type /StructElem /S /Document /P 6 0 R /K [8 0 R] >>",
            b"<< /Type /StructElem /S /P /P 7 0 R /Pg 3 0 R /K 0 >>",
        ]
    )


def form_pdf() -> bytes:
    """One page with a text field that somebody has filled in."""
    look = samples.stream(
        b"/Tx BMC q BT /F1 12 Tf 2 6 Td (Dupont) Tj ET Q EMC",
        b"/Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F1 4 0 R >> >> ",
    )
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /DR << /Font << /F1 4 0 R >> >> >> >>",
            *ONE_PAGE[1:2],
            PAGE[:-2] + b"/Annots [6 0 R] >>",
            *ONE_PAGE[3:],
            CONTENT,
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Dupont) /DA (/F1 12 Tf 0 g) /F 4 "
            b"/Rect [72 600 272 620] /P 3 0 R /AP << /N 7 0 R >> >>",
            look,
        ]
    )


def _packed(numbers: Sequence[int] | range, contents: Sequence[bytes]) -> bytes:
    """An object stream."""
    index, inside = b"", b""
    for number, content in zip(numbers, contents, strict=True):
        index += b"%d %d " % (number, len(inside))
        inside += content + b" "
    data = zlib.compress(index + inside)
    return samples.stream(data, b"/Type /ObjStm /N %d /First %d /Filter /FlateDecode " % (len(contents), len(index)))


def _rows(rows: Sequence[tuple[int, int, int]], more: bytes, size: int | None = None) -> bytes:
    """A cross-reference stream."""
    data = zlib.compress(b"".join(struct.pack(">BIH", *row) for row in rows))
    return samples.stream(data, b"/Type /XRef /W [1 4 2] /Size %d /Filter /FlateDecode %s" % (size or len(rows), more))

"""The evidence record as a document for people: A4, with the signed record inside as an attachment.

What it says comes ready, in the reader's language (`Sheet`); here it is laid out. The fonts are embedded; a character
that they lack is written as its code point, never left out. Drawn with reportlab, which sees our own texts alone; the
seal is put by `pdfops.sandbox.Workshop` on the place that `Drawn` names.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final
from xml.sax.saxutils import escape

from pyhanko.pdf_utils import embed, generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from pdfops.font import FONT_PACKAGE
from pdfops.text import printable

REGULAR, BOLD = "ParapheurText", "ParapheurTextBold"
FILES: Final = {REGULAR: "SourceSansPro-Regular.ttf", BOLD: "SourceSansPro-Bold.ttf"}
MARGIN_PT, FOOT_PT, QR_PT, QR_ROOM_PT = 42.0, 46.0, 84.0, 100.0
SEAL_W_PT, SEAL_H_PT = 250.0, 46.0
INK, MUTE, LINE, GOOD = (HexColor(value) for value in ("#222222", "#5c5c5c", "#d5d9de", "#0b5a2b"))
MAX_CELL: Final = 600
EVENT_SHARES: Final = (0.19, 0.25, 0.2, 0.13, 0.23)
EVENT_SHARES_WITHOUT: Final = (0.19, 0.26, 0.22, 0.33)
"""Where no addresses are given."""
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class DocumentRow:
    name: str
    details: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of the frame."""

    documents: str
    document: str
    digests: str
    before: str
    after: str
    people: str
    people_heads: tuple[str, ...]
    events: str
    event_heads: tuple[str, ...]
    check: str
    page: str
    """With ``{n}`` and ``{of}``."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that the document says. ``facts``: label and text; ``result`` is the last of them, in green where
    ``is_good``. ``people`` and ``events`` are rows of as many cells as they have heads. ``across``: a word written
    across every page, or "". ``address``: what the square leads to."""

    language: str
    organisation: str
    heading: str
    title: str
    facts: tuple[tuple[str, str], ...]
    result: tuple[str, str]
    is_good: bool
    documents: tuple[DocumentRow, ...]
    people: tuple[tuple[str, ...], ...]
    events: tuple[tuple[str, ...], ...]
    closing: str
    foot: str
    across: str
    address: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Drawn:
    """The document, and where its seal goes: page (1-based) and box in millionths from the top left."""

    data: bytes
    page: int
    box: tuple[int, int, int, int]


def draw(sheet: Sheet, record: bytes, record_name: str) -> Drawn:
    """``record``: the signed JSON, attached under ``record_name``."""
    _register_fonts()
    _, pages = _pages(sheet, _story(sheet, _SealPlace()), 0)
    seal = _SealPlace()
    data, _ = _pages(sheet, _story(sheet, seal), pages)
    width, height = A4
    x, y, page = seal.at
    box = (x / width, 1 - (y + SEAL_H_PT) / height, SEAL_W_PT / width, SEAL_H_PT / height)
    left, top, wide, high = (round(part * MILLION) for part in box)
    return Drawn(_with_attachment(data, record, record_name), page, (left, top, wide, high))


def _story(sheet: Sheet, seal: Any) -> list[Any]:
    """Made anew for each pass: what was laid out once remembers it."""
    return [
        _head(sheet),
        *_section(sheet.labels.documents, _documents(sheet)),
        *_section(sheet.labels.people, _people(sheet)),
        *_section(sheet.labels.events, _events(sheet)),
        Spacer(1, 12),
        KeepTogether([_text(sheet.closing, MUTE_SMALL), Spacer(1, 8), seal]),
    ]


def _pages(sheet: Sheet, story: list[Any], total: int) -> tuple[bytes, int]:
    """The document, and how many pages it has; the first time that is what is found out."""
    output = io.BytesIO()
    width, height = A4
    template = BaseDocTemplate(
        output,
        pagesize=A4,
        title=f"{sheet.heading} - {sheet.title}",
        author=sheet.organisation,
        lang=sheet.language,
        invariant=1,
    )
    frame = Frame(MARGIN_PT, FOOT_PT, width - 2 * MARGIN_PT, height - MARGIN_PT - FOOT_PT, 0, 0, 0, 0)
    numbers: list[int] = []

    def furnish(canvas: Any, document: Any) -> None:
        numbers.append(document.page)
        canvas.saveState()
        canvas.setFont(REGULAR, 8)
        canvas.setFillColor(MUTE)
        canvas.setStrokeColor(LINE)
        canvas.line(MARGIN_PT, FOOT_PT - 12, width - MARGIN_PT, FOOT_PT - 12)
        canvas.drawString(MARGIN_PT, FOOT_PT - 24, drawable(sheet.foot))
        place = sheet.labels.page.format(n=document.page, of=total or document.page)
        canvas.drawRightString(width - MARGIN_PT, FOOT_PT - 24, drawable(place))
        if sheet.across:
            canvas.setFont(BOLD, 64)
            canvas.setFillColor(HexColor("#b3261e"), alpha=0.12)
            canvas.translate(width / 2, height / 2)
            canvas.rotate(50)
            canvas.drawCentredString(0, 0, drawable(sheet.across))
        canvas.restoreState()

    template.addPageTemplates([PageTemplate(id="page", frames=[frame], onPage=furnish)])
    template.build(story)
    return output.getvalue(), max(numbers, default=1)


class _SealPlace(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Room for the seal; remembers where it came to lie."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.height = SEAL_W_PT, SEAL_H_PT
        self.at: tuple[float, float, int] = (0, 0, 1)

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        x, y = self.canv.absolutePosition(0, 0)
        self.at = (x, y, self.canv.getPageNumber())


# ---- parts ----------------------------------------------------------------------------------------------------------
def _style(name: str, size: float, font: str = REGULAR, colour: Any = INK, leading: float | None = None) -> Any:
    return ParagraphStyle(name, fontName=font, fontSize=size, leading=leading or size * 1.35, textColor=colour)


PLAIN, STRONG = _style("plain", 9), _style("strong", 9, BOLD)
HEAD = _style("head", 8.5, BOLD, MUTE)
MUTED, MUTE_SMALL = _style("muted", 9, REGULAR, MUTE), _style("small", 8.5, REGULAR, MUTE)
CENTRED = ParagraphStyle("centred", MUTE_SMALL, alignment=TA_CENTER, rightIndent=QR_ROOM_PT - QR_PT)
DIGEST = _style("digest", 7.6, REGULAR, INK, 10.5)
GREEN = _style("green", 9, BOLD, GOOD)
NAME, TOP, TITLE, PART = (
    _style("name", 10, BOLD),
    _style("top", 20, BOLD),
    _style("title", 11.5),
    _style("part", 10.5, BOLD),
)


def _head(sheet: Sheet) -> Any:
    facts = [[_text(label, MUTED), _text(text, PLAIN)] for label, text in sheet.facts]
    facts.append([_text(sheet.result[0], MUTED), _text(sheet.result[1], GREEN if sheet.is_good else STRONG)])
    inner = A4[0] - 2 * MARGIN_PT
    left = [
        _text(sheet.organisation, NAME),
        Spacer(1, 8),
        _text(sheet.heading, TOP),
        Spacer(1, 3),
        _text(sheet.title, TITLE),
        Spacer(1, 8),
        Table(facts, colWidths=[92, inner - QR_PT - 24 - 92], style=_tight()),
    ]
    right = [_square(sheet.address), Spacer(1, 3), _text(sheet.labels.check, CENTRED)]
    return Table([[left, right]], colWidths=[inner - QR_ROOM_PT, QR_ROOM_PT], style=_tight())


def _square(address: str) -> Any:
    code = QrCodeWidget(address, barLevel="M")
    x0, y0, x1, _ = code.getBounds()
    scale = QR_PT / (x1 - x0)
    drawing = Drawing(QR_PT, QR_PT, transform=[scale, 0, 0, scale, -x0 * scale, -y0 * scale])
    drawing.add(code)
    drawing.hAlign = "CENTER"
    return drawing


def _section(heading: str, table: Any) -> list[Any]:
    return [Spacer(1, 14), _text(heading, PART), Spacer(1, 3), table]


def _documents(sheet: Sheet) -> Any:
    labels = sheet.labels
    rows = [[_text(labels.document, HEAD), _text(labels.digests, HEAD)]]
    for one in sheet.documents:
        name = [_text(one.name, STRONG), _text(one.details, PLAIN)]
        digests = [_text(f"{labels.before}  {one.before}".strip(), DIGEST)]
        if one.after:
            digests.append(_text(f"{labels.after}  {one.after}", DIGEST))
        rows.append([name, digests])
    inner = A4[0] - 2 * MARGIN_PT
    return Table(rows, colWidths=[inner - 308, 308], style=_ruled(), repeatRows=1, splitInRow=1)


def _people(sheet: Sheet) -> Any:
    return _rows(sheet.labels.people_heads, sheet.people, (0.1, 0.2, 0.24, 0.22, 0.24), strong=1)


def _events(sheet: Sheet) -> Any:
    with_address = len(sheet.labels.event_heads) == len(EVENT_SHARES)
    shares = EVENT_SHARES if with_address else EVENT_SHARES_WITHOUT
    return _rows(sheet.labels.event_heads, sheet.events, shares, strong=1)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float], strong: int) -> Any:
    inner = A4[0] - 2 * MARGIN_PT
    cells = [[_text(head, HEAD) for head in heads]]
    cells += [[_text(cell, STRONG if at == strong else PLAIN) for at, cell in enumerate(row)] for row in rows]
    return Table(cells, colWidths=[inner * share for share in shares], style=_ruled(), repeatRows=1, splitInRow=1)


def _tight() -> Any:
    pads = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    return TableStyle([*pads, ("VALIGN", (0, 0), (-1, -1), "TOP")])


def _ruled() -> Any:
    return TableStyle(
        [
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEABOVE", (0, 0), (-1, 0), 1.1, INK),
            ("LINEABOVE", (0, 1), (-1, -1), 0.4, LINE),
        ]
    )


def _text(text: str, style: Any) -> Any:
    return Paragraph(escape(drawable(text)), style)


# ---- characters and attachment --------------------------------------------------------------------------------------
def drawable(text: str) -> str:
    """One printable line; a character that the font lacks becomes its code point."""
    known = _known()
    shown = "".join(one if ord(one) in known else f"[U+{ord(one):04X}]" for one in printable(text)[:MAX_CELL])
    return shown if len(shown) <= MAX_CELL else f"{shown[: MAX_CELL - 1]}…"


@cache
def _known() -> frozenset[int]:
    _register_fonts()
    faces = [pdfmetrics.getFont(name).face.charToGlyph for name in FILES]
    return frozenset(set(faces[0]) & set(faces[1]))


@cache
def _register_fonts() -> None:
    for name, file in FILES.items():
        with resources.as_file(resources.files(FONT_PACKAGE) / "files" / file) as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))


def _with_attachment(data: bytes, content: bytes, name: str) -> bytes:
    """Source: ISO 32000-2, 7.11.4 and 14.13 (associated files)."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    stream = embed.EmbeddedFileObject.from_file_data(writer, data=content, mime_type="application/json")
    spec = embed.FileSpec(
        file_spec_string=name,
        file_name=name,
        embedded_data=stream,
        af_relationship=generic.pdf_name("/Source"),
    )
    embed.embed_file(writer, spec)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()

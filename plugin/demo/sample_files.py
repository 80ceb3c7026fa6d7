"""Sample files that are no PDFs: the smallest documents the usual programs open, a picture, a text."""

from __future__ import annotations

import io
import zipfile
from typing import Final
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw

_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES: Final = "application/vnd.openxmlformats-officedocument"


def docx(title: str, paragraphs: list[str]) -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    head = f'<w:p><w:r><w:rPr><w:b/><w:sz w:val="36"/></w:rPr><w:t>{escape(title)}</w:t></w:r></w:p>'
    rest = "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    document = f'{_XML}<w:document xmlns:w="{space}"><w:body>{head}{rest}<w:sectPr/></w:body></w:document>'
    kind = f"{_TYPES}.wordprocessingml.document.main+xml"
    return _package({"word/document.xml": document}, "word/document.xml", {"word/document.xml": kind})


def xlsx(sheet_name: str, rows: list[list[str | int]]) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    sheet = f'{_XML}<worksheet xmlns="{space}"><sheetData>{lines}</sheetData></worksheet>'
    book = (
        f'{_XML}<workbook xmlns="{space}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name="{escape(sheet_name)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    relation = f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    parts = {
        "xl/workbook.xml": book,
        "xl/worksheets/sheet1.xml": sheet,
        "xl/_rels/workbook.xml.rels": _relations(relation),
    }
    kinds = {
        "xl/workbook.xml": f"{_TYPES}.spreadsheetml.sheet.main+xml",
        "xl/worksheets/sheet1.xml": f"{_TYPES}.spreadsheetml.worksheet+xml",
    }
    return _package(parts, "xl/workbook.xml", kinds)


def photo() -> bytes:
    """A hill under an evening sky."""
    width, height = 960, 600
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    for y in range(height):
        part = y / height
        draw.line([(0, y), (width, y)], fill=(int(36 + 200 * part), int(70 + 90 * part), int(120 + 10 * part)))
    draw.ellipse([(640, 250), (740, 350)], fill=(255, 226, 160))
    draw.polygon([(0, 600), (0, 430), (300, 300), (560, 420), (760, 350), (960, 440), (960, 600)], fill=(34, 56, 52))
    draw.polygon([(0, 600), (0, 520), (420, 440), (960, 540), (960, 600)], fill=(20, 38, 36))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=86)
    return out.getvalue()


def _relations(inner: str) -> str:
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def _package(parts: dict[str, str], main: str, kinds: dict[str, str]) -> bytes:
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    types = (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{overrides}</Types>"
    )
    root = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="{main}"/>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in {"[Content_Types].xml": types, "_rels/.rels": _relations(root), **parts}.items():
            package.writestr(name, text)
    return out.getvalue()

"""The visible mark: ink alone, or ink beside lines of text, as an appearance for a form field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

from pdfops.archive import Rules
from pdfops.font import POSTSCRIPT_NAME, StampFont, Subset, stamp_font
from pdfops.geometry import appearance_matrix
from pdfops.ink import Raster, normalise_ink, on_paper, raster
from pdfops.text import printable

__all__ = ["StampDrawing", "StampText", "layout", "normalise_ink", "undrawable"]

INK_SHARE: Final = 0.45
"""How much of a stamp's width the ink takes where text stands beside it."""

LARGEST_PT: Final = 11.0
SMALLEST_PT: Final = 0.5
STEP_PT: Final = 0.25
LEADING: Final = 1.18
MAX_LINES: Final = 12
MAX_LINE_LENGTH: Final = 400


@dataclass(frozen=True, slots=True)
class StampText:
    """The text of a stamp: finished lines in the reader's language, made by the caller."""

    lines: tuple[str, ...]


def undrawable(text: str) -> str:
    """The characters of a line that no stamp can show, each once; "" when all is well.

    Ask before a person is asked to sign: a seal whose text holds such a character is refused as glyph-missing.
    """
    return stamp_font().missing(printable(text))


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines as they are set. Units: ``size_pt`` is the font size; lines are broken already, top to bottom."""

    size_pt: float
    lines: tuple[str, ...]


def layout(lines: Sequence[str], width_pt: float, height_pt: float, font: StampFont | None = None) -> Layout:
    """Break lines at words and shrink them until they fit; any box of some size holds any text.

    Control and bidi characters are dropped; empty lines too.
    Raises: PdfError glyph-missing.
    """
    font = font or stamp_font()
    texts = [text for text in (printable(line)[:MAX_LINE_LENGTH] for line in lines[:MAX_LINES]) if text]
    font.require("".join(texts))
    words = [[(word, font.width(word)) for word in text.split(" ")] for text in texts]
    space = font.width(" ")
    size = max(min(LARGEST_PT, height_pt), SMALLEST_PT)
    while size > SMALLEST_PT:
        broken = _broken(words, space, width_pt * 1000 / size)
        if broken is not None and len(broken) * LEADING * size <= height_pt:
            return Layout(size, tuple(broken))
        size -= STEP_PT if size > 2 * STEP_PT else SMALLEST_PT
    widest = max((font.width(text) for text in texts), default=1)
    size = min(width_pt * 1000 / max(widest, 1), height_pt / (LEADING * max(len(texts), 1)), SMALLEST_PT)
    return Layout(size, tuple(texts))


def _broken(words: list[list[tuple[str, int]]], space: int, room: float) -> list[str] | None:
    """Lines no wider than ``room`` (thousandths of an em), or None when one word alone is wider."""
    result: list[str] = []
    for line in words:
        current: list[str] = []
        used = 0
        for word, width in line:
            if width > room:
                return None
            if current and used + space + width > room:
                result.append(" ".join(current))
                current, used = [], 0
            used += width + (space if current else 0)
            current.append(word)
        result.append(" ".join(current))
    return result


class StampDrawing:
    """Draws the stamps of one signatory in one document; image and font go in once, however many stamps there are."""

    def __init__(
        self, writer: Any, ink_png: bytes, texts: Sequence[Sequence[str]], rules: Rules | None = None
    ) -> None:
        """``rules``: what the document's claim of PDF/A asks of a drawing.

        Raises: PdfError bad-image, image-too-large, glyph-missing.
        """
        self._writer = writer
        self._rules = rules = rules or Rules()
        self._font = stamp_font()
        self._raster = raster(ink_png) if ink_png else None
        self._ink = _image(writer, self._raster, rules) if self._raster else None
        characters = {character for lines in texts for line in lines for character in printable(line)}
        self._subset = self._font.subset(characters) if characters else None
        self._font_reference = _font_object(writer, self._font, self._subset, rules) if self._subset else None

    def appearance(self, width_pt: float, height_pt: float, rotate: int, lines: Sequence[str]) -> Any:
        """A reference to a form drawn for a box of that size as displayed, on a page turned by ``rotate``."""
        content: list[bytes] = []
        resources = generic.DictionaryObject()
        margin = min(3.0, 0.06 * min(width_pt, height_pt))
        inner_height = height_pt - 2 * margin
        has_text = bool(self._font_reference and any(printable(line) for line in lines))
        ink_width = (width_pt * INK_SHARE if has_text else width_pt) - 2 * margin
        if self._ink is not None and self._raster is not None:
            content.append(_drawn_ink(self._raster, margin, margin, ink_width, inner_height))
            resources["/XObject"] = generic.DictionaryObject({pdf_name("/Ink"): self._ink})
        if has_text:
            left = width_pt * INK_SHARE if self._ink is not None else margin
            content.append(self._drawn_text(lines, left, margin, width_pt - left - margin, inner_height))
            resources["/Font"] = generic.DictionaryObject({pdf_name("/Text"): self._font_reference})
            if self._rules.is_archive:
                resources["/ColorSpace"] = generic.DictionaryObject({pdf_name("/Grey"): _calibrated("/CalGray")})
        form = generic.StreamObject(
            {
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Form"),
                pdf_name("/BBox"): _numbers(0, 0, width_pt, height_pt),
                pdf_name("/Matrix"): _numbers(*appearance_matrix(width_pt, height_pt, rotate)),
                pdf_name("/Resources"): resources,
            },
            stream_data=b"\n".join(content),
        )
        return self._writer.add_object(form)

    def _drawn_text(self, lines: Sequence[str], x: float, y: float, width: float, height: float) -> bytes:
        if self._subset is None:
            return b""
        text = layout(lines, width, height, self._font)
        leading = text.size_pt * LEADING
        block = leading * len(text.lines)
        ascent = text.size_pt * self._font.cap_height / 1000
        first = y + (height + block) / 2 - (leading + ascent) / 2
        glyphs = self._subset.glyphs
        black = "/Grey cs 0 sc" if self._rules.is_archive else "0 g"
        parts = [f"BT {black} /Text {_short(text.size_pt)} Tf {_short(leading)} TL {_short(x)} {_short(first)} Td"]
        for line in text.lines:
            codes = "".join(f"{glyphs[character]:04X}" for character in line)
            parts.append(f"<{codes}> Tj T*")
        parts.append("ET")
        return "\n".join(parts).encode("ascii")


def _drawn_ink(ink: Raster, x: float, y: float, width: float, height: float) -> bytes:
    """The image inside a rectangle: its ratio kept, centred."""
    factor = min(width / ink.width, height / ink.height)
    w, h = ink.width * factor, ink.height * factor
    left, bottom = x + (width - w) / 2, y + (height - h) / 2
    return f"q {_short(w)} 0 0 {_short(h)} {_short(left)} {_short(bottom)} cm /Ink Do Q".encode("ascii")


def _image(writer: Any, ink: Raster, rules: Rules) -> Any:
    def stream(colours: generic.PdfObject, data: bytes, bits: int = 8) -> generic.StreamObject:
        return generic.StreamObject(
            {
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Image"),
                pdf_name("/Width"): generic.NumberObject(ink.width),
                pdf_name("/Height"): generic.NumberObject(ink.height),
                pdf_name("/ColorSpace"): colours,
                pdf_name("/BitsPerComponent"): generic.NumberObject(bits),
                pdf_name("/Filter"): pdf_name("/FlateDecode"),
            },
            encoded_data=data,
        )

    rgb: generic.PdfObject = _calibrated("/CalRGB") if rules.is_archive else pdf_name("/DeviceRGB")
    grey = pdf_name("/DeviceGray")
    if rules.may_be_transparent:
        colours = rgb
        if ink.pen:
            only = generic.ByteStringObject(ink.pen)
            colours = generic.ArrayObject([pdf_name("/Indexed"), rgb, generic.NumberObject(0), only])
        image = stream(colours, ink.colour)
        image["/SMask"] = writer.add_object(stream(grey, ink.alpha))
        return writer.add_object(image)
    on_white, hidden = on_paper(ink)
    image, mask = stream(rgb, on_white), stream(grey, hidden, 1)
    del mask["/ColorSpace"]
    mask["/ImageMask"] = generic.BooleanObject(True)
    image["/Mask"] = writer.add_object(mask)
    return writer.add_object(image)


def _calibrated(family: str) -> generic.ArrayObject:
    """A colour space that needs no output intent: sRGB's colours and white, its curve taken as a power of 2.2.

    Source: ISO 32000-2, 8.6.5.2 and 8.6.5.3; IEC 61966-2-1.
    """
    white = generic.DictionaryObject({pdf_name("/WhitePoint"): _numbers(0.9505, 1.0, 1.089)})
    if family == "/CalRGB":
        white["/Gamma"] = _numbers(2.2, 2.2, 2.2)
        white["/Matrix"] = _numbers(0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505)
    return generic.ArrayObject([pdf_name(family), white])


def _font_object(writer: Any, font: StampFont, subset: Subset, rules: Rules) -> Any:
    name = pdf_name(f"/{_tag(subset)}+{POSTSCRIPT_NAME}")
    font_file = generic.StreamObject(
        {pdf_name("/Length1"): generic.NumberObject(len(subset.font_file))}, stream_data=subset.font_file
    )
    font_file.compress()
    descriptor = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/FontDescriptor"),
            pdf_name("/FontName"): name,
            pdf_name("/Flags"): generic.NumberObject(4),
            pdf_name("/FontBBox"): _numbers(*font.bbox),
            pdf_name("/ItalicAngle"): generic.NumberObject(0),
            pdf_name("/Ascent"): generic.NumberObject(font.ascent),
            pdf_name("/Descent"): generic.NumberObject(font.descent),
            pdf_name("/CapHeight"): generic.NumberObject(font.cap_height),
            pdf_name("/StemV"): generic.NumberObject(80),
            pdf_name("/FontFile2"): writer.add_object(font_file),
        }
    )
    if rules.is_archive:
        descriptor["/CIDSet"] = writer.add_object(generic.StreamObject(stream_data=_every_bit(len(subset.widths))))
    descendant = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Font"),
            pdf_name("/Subtype"): pdf_name("/CIDFontType2"),
            pdf_name("/BaseFont"): name,
            pdf_name("/CIDSystemInfo"): generic.DictionaryObject(
                {
                    pdf_name("/Registry"): generic.pdf_string("Adobe"),
                    pdf_name("/Ordering"): generic.pdf_string("Identity"),
                    pdf_name("/Supplement"): generic.NumberObject(0),
                }
            ),
            pdf_name("/CIDToGIDMap"): pdf_name("/Identity"),
            pdf_name("/DW"): generic.NumberObject(subset.widths[0]),
            pdf_name("/W"): generic.ArrayObject([generic.NumberObject(0), _numbers(*subset.widths)]),
            pdf_name("/FontDescriptor"): writer.add_object(descriptor),
        }
    )
    to_unicode = generic.StreamObject(stream_data=_to_unicode(subset.glyphs))
    to_unicode.compress()
    return writer.add_object(
        generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Font"),
                pdf_name("/Subtype"): pdf_name("/Type0"),
                pdf_name("/BaseFont"): name,
                pdf_name("/Encoding"): pdf_name("/Identity-H"),
                pdf_name("/DescendantFonts"): generic.ArrayObject([writer.add_object(descendant)]),
                pdf_name("/ToUnicode"): writer.add_object(to_unicode),
            }
        )
    )


def _every_bit(count: int) -> bytes:
    """So many bits that are set, from the highest of the first byte on: all glyphs of a subset are in it."""
    return (((1 << count) - 1) << (-count % 8)).to_bytes((count + 7) // 8, "big")


def _to_unicode(glyphs: dict[str, int]) -> bytes:
    pairs = sorted((number, character) for character, number in glyphs.items())
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
    ]
    for start in range(0, len(pairs), 100):
        chunk = pairs[start : start + 100]
        lines.append(f"{len(chunk)} beginbfchar")
        lines.extend(f"<{number:04X}> <{character.encode('utf-16-be').hex().upper()}>" for number, character in chunk)
        lines.append("endbfchar")
    lines.append("endcmap CMapName currentdict /CMap defineresource pop end end")
    return "\n".join(lines).encode("ascii")


def _tag(subset: Subset) -> str:
    """Six capital letters that depend on the glyphs in the subset (ISO 32000-2, 9.9.2)."""
    value = 0
    for character in sorted(subset.glyphs):
        value = (value * 1_000_003 + ord(character)) % 26**6
    letters = ""
    for _ in range(6):
        value, letter = divmod(value, 26)
        letters += chr(ord("A") + letter)
    return letters


def _numbers(*values: float) -> generic.ArrayObject:
    return generic.ArrayObject(
        generic.NumberObject(value) if isinstance(value, int) else generic.FloatObject(round(value, 4))
        for value in values
    )


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")

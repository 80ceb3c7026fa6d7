"""The fonts of this product: one of text on stamps (Latin with its accents, Greek, Cyrillic), one of typed names.

Embedded as a subset of the glyphs used. Letters are set one by one; what needs more than that is in `pdfops.shaping`.

Shape in the PDF: a Type0 font over a CIDFontType2 whose CIDs are the subset's own glyph numbers, with a /ToUnicode map
so that the text of a stamp can be searched, copied and read aloud. Widths are in thousandths of an em whatever the
font's own unit is (a font of 2,048 units written as it comes would overflow).

Source: ISO 32000-2, 9.7 (composite fonts), 9.10.3 (ToUnicode); OpenType 1.9, glyf, loca, hmtx.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any, Final

from fontTools.ttLib import TTFont

from pdfops.errors import PdfError

FONT_PACKAGE: Final = "font_source_sans_pro"
FONT_FILE: Final = "SourceSansPro-Regular.ttf"
SCRIPT_PACKAGE: Final = "fontpkg_caveat"
SCRIPT_FILE: Final = "Caveat[wght].ttf"
EM: Final = 1_000
"""The em of a font in a PDF."""

ARGUMENTS_ARE_WORDS, HAS_SCALE, MORE_COMPONENTS, HAS_XY_SCALE, HAS_TWO_BY_TWO = 0x1, 0x8, 0x20, 0x40, 0x80
_HEAD_CHECKSUM, _HEAD_LOCA_FORMAT = 8, 50
_GLYPH_HEADER: Final = struct.Struct(">hhhhh")
_MAX_SHOWN: Final = 12


def refuse_missing(characters: str) -> None:
    """Raises: PdfError glyph-missing where there are some."""
    if characters:
        raise PdfError("glyph-missing", characters=characters[:_MAX_SHOWN])


@dataclass(frozen=True, slots=True)
class Subset:
    """A font file with only the glyphs asked for. ``glyphs`` maps a character to its number there; ``widths`` are in
    thousandths of an em, by number."""

    font_file: bytes
    glyphs: dict[str, int]
    widths: tuple[int, ...]


class StampFont:
    """One TrueType font, read once. Instances are immutable but for a cache of glyphs."""

    def __init__(self, font_file: bytes, name: str) -> None:
        """``name``: its PostScript name, as it stands in the PDF."""
        font: Any = TTFont(BytesIO(font_file), lazy=False)
        self.font_file = font_file
        self.name = name
        self._glyf = font["glyf"]
        self._order: list[str] = font.getGlyphOrder()
        self._cmap: dict[int, str] = font.getBestCmap()
        self._advances: dict[str, tuple[int, int]] = font["hmtx"].metrics
        self._tables = {tag: bytes(font.reader[tag]) for tag in ("head", "hhea", "maxp")}
        self.units_per_em: int = font["head"].unitsPerEm
        self.ascent: int = self._thousandths(font["hhea"].ascent)
        self.descent: int = self._thousandths(font["hhea"].descent)
        self.cap_height: int = self._thousandths(getattr(font["OS/2"], "sCapHeight", 0) or font["hhea"].ascent)
        head = font["head"]
        self.bbox: tuple[int, int, int, int] = (
            self._thousandths(head.xMin),
            self._thousandths(head.yMin),
            self._thousandths(head.xMax),
            self._thousandths(head.yMax),
        )
        self._outlines: dict[str, bytes] = {}

    def require(self, text: str) -> None:
        """Raises: PdfError glyph-missing, with the characters this font cannot draw."""
        refuse_missing(self.missing(text))

    def has(self, text: str) -> bool:
        """Whether it can draw every character of a text."""
        return all(ord(character) in self._cmap for character in text)

    def missing(self, text: str) -> str:
        """The characters of a text that this font cannot draw, each once."""
        return "".join(sorted({character for character in text if ord(character) not in self._cmap}))

    def bounds(self, text: str) -> tuple[int, int, int, int]:
        """What a line covers: left, bottom, right, top, in thousandths of an em. Every character has to be there."""
        x, boxes = 0, []
        for character in text:
            name = self._cmap[ord(character)]
            outline = self._outline(name)
            if len(outline) >= _GLYPH_HEADER.size:
                x0, y0, x1, y1 = (self._thousandths(value) for value in _GLYPH_HEADER.unpack_from(outline)[1:])
                boxes.append((x + x0, y0, x + x1, y1))
            x += self._thousandths(self._advances[name][0])
        if not boxes:
            return 0, 0, 0, 0
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        return min(lefts), min(bottoms), max(rights), max(tops)

    def width(self, text: str) -> int:
        """The width of a text, in thousandths of an em. Every character has to be there."""
        return sum(self._thousandths(self._advances[self._cmap[ord(character)]][0]) for character in text)

    def subset(self, characters: Iterable[str]) -> Subset:
        """The font reduced to ``characters``. Raises: PdfError glyph-missing."""
        wanted = sorted(set(characters))
        self.require("".join(wanted))
        order = [".notdef" if ".notdef" in self._advances else self._order[0]]
        numbers = {order[0]: 0}

        def number(name: str) -> int:
            if name not in numbers:
                numbers[name] = len(order)
                order.append(name)
            return numbers[name]

        glyphs = {character: number(self._cmap[ord(character)]) for character in wanted}
        outlines: list[bytes] = []
        for name in order:  # grows while composites name their parts
            outlines.append(_renumbered(self._outline(name), lambda gid: number(self._order[gid])))
        widths = tuple(self._thousandths(self._advances[name][0]) for name in order)
        return Subset(self._file(order, outlines), glyphs, widths)

    def _thousandths(self, units: int) -> int:
        return round(units * 1000 / self.units_per_em)

    def _outline(self, name: str) -> bytes:
        if name not in self._outlines:
            glyph = self._glyf[name]
            glyph.removeHinting()
            compiled = bytes(glyph.compile(self._glyf, recalcBBoxes=False))
            self._outlines[name] = compiled + b"\0" * (-len(compiled) % 4)
        return self._outlines[name]

    def _file(self, order: list[str], outlines: list[bytes]) -> bytes:
        offsets = [0]
        for outline in outlines:
            offsets.append(offsets[-1] + len(outline))
        head = bytearray(self._tables["head"])
        head[_HEAD_CHECKSUM : _HEAD_CHECKSUM + 4] = bytes(4)
        head[_HEAD_LOCA_FORMAT : _HEAD_LOCA_FORMAT + 2] = struct.pack(">h", 1)
        maxp = bytearray(self._tables["maxp"])
        maxp[4:6] = struct.pack(">H", len(order))
        hhea = bytearray(self._tables["hhea"])
        hhea[34:36] = struct.pack(">H", len(order))
        return _sfnt(
            {
                b"glyf": b"".join(outlines),
                b"head": bytes(head),
                b"hhea": bytes(hhea),
                b"hmtx": b"".join(struct.pack(">Hh", *self._advances[name]) for name in order),
                b"loca": struct.pack(f">{len(offsets)}I", *offsets),
                b"maxp": bytes(maxp),
            }
        )


@cache
def stamp_font() -> StampFont:
    """The upright font of stamps, read from its package on first use."""
    return StampFont(_packaged(FONT_PACKAGE, FONT_FILE), "SourceSansPro-Regular")


@cache
def script_font() -> StampFont:
    """The font of typed names, as if written by hand: Latin with its accents, Cyrillic."""
    return StampFont(_packaged(SCRIPT_PACKAGE, SCRIPT_FILE), "Caveat-Regular")


def _packaged(package: str, file: str) -> bytes:
    return resources.files(package).joinpath("files", file).read_bytes()


def _renumbered(outline: bytes, number: Any) -> bytes:
    """A composite glyph with its parts renumbered; any other glyph as it is."""
    if len(outline) < 10 or struct.unpack_from(">h", outline)[0] >= 0:
        return outline
    changed = bytearray(outline)
    at = 10
    flags = MORE_COMPONENTS
    while flags & MORE_COMPONENTS:
        flags, gid = struct.unpack_from(">HH", changed, at)
        struct.pack_into(">H", changed, at + 2, number(gid))
        at += 8 if flags & ARGUMENTS_ARE_WORDS else 6
        if flags & HAS_SCALE:
            at += 2
        elif flags & HAS_XY_SCALE:
            at += 4
        elif flags & HAS_TWO_BY_TWO:
            at += 8
    return bytes(changed)


def _sfnt(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    directory = struct.pack(">IHHHH", 0x00010000, count, power * 16, power.bit_length() - 1, (count - power) * 16)
    body = b""
    start = 12 + 16 * count
    for tag, content in sorted(tables.items()):
        padded = content + b"\0" * (-len(content) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4sIII", tag, checksum, start + len(body), len(content))
        body += padded
    return directory + body

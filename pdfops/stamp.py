"""The visible mark: ink alone, or ink beside lines of text, as an appearance for a form field.

Ink is what a signatory drew with a pen, sent as an image, or typed. The first and the last stay lines and letters, so
that they are sharp at any zoom; a typed name can be searched as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

from pdfops import typeset
from pdfops.archive import Rules
from pdfops.errors import PdfError
from pdfops.font import EM, StampFont, Subset, script_font, stamp_font
from pdfops.geometry import appearance_matrix
from pdfops.ink import raster
from pdfops.shaping import Cluster
from pdfops.stamp_objects import (
    ClusterFonts,
    black,
    cluster_fonts,
    colour,
    form_object,
    image_object,
    short,
    subset_object,
    with_colour_spaces,
)
from pdfops.strokes import COLOUR, GRID, drawn, read_strokes
from pdfops.text import printable
from pdfops.typeset import Layout, layout

INK_SHARE: Final = 0.45
"""How much of a stamp's longer side the ink takes where there is text as well."""

GAP: Final = 0.03
"""How much of that side stays empty between both."""

LONGEST_TYPED: Final = 120


def undrawable(text: str) -> str:
    """The characters of a line that no stamp can show, each once; "" when all is well.

    Ask before a person is asked to sign: a seal whose text holds such a character is refused as glyph-missing.
    """
    return typeset.missing(printable(text))


def normalise_typed(sent: bytes) -> bytes:
    """A typed name (UTF-8) as ink: one printable line of `LONGEST_TYPED` characters at most.

    Raises: PdfError bad-image (blank, or no text), image-too-large, glyph-missing.
    """
    try:
        text = printable(sent.decode())
    except UnicodeDecodeError as error:
        raise PdfError("bad-image") from error
    if not text:
        raise PdfError("bad-image")
    if len(text) > LONGEST_TYPED:
        raise PdfError("image-too-large", limit=LONGEST_TYPED)
    typeset.require(text)
    return json.dumps({"typed": text}, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True, slots=True)
class _Ink:
    """An XObject and its size in units of its own; an image is drawn in the unit square."""

    reference: Any
    width: float
    height: float
    is_image: bool


class StampDrawing:
    """Draws the stamps of one signatory in one document; ink and fonts go in once, however many stamps there are."""

    def __init__(self, writer: Any, ink: bytes, texts: Sequence[Sequence[str]], rules: Rules | None = None) -> None:
        """``ink`` is normalised: an image, pen strokes or a typed name; empty for text alone. ``rules``: what the
        document's claim of PDF/A asks of a drawing.

        Raises: PdfError bad-image, image-too-large, glyph-missing.
        """
        self._writer = writer
        self._rules = rules = rules or Rules()
        lines = [line for each in texts for line in (printable(one) for one in each) if line]
        self._fonts = _Fonts(writer, lines, rules)
        self._ink = _ink(writer, ink, rules) if ink else None

    def appearance(self, width_pt: float, height_pt: float, rotate: int, lines: Sequence[str]) -> Any:
        """A reference to a form drawn for a box of that size as displayed, on a page turned by ``rotate``."""
        content: list[bytes] = []
        resources = generic.DictionaryObject()
        for_ink, for_text = _areas(width_pt, height_pt, self._ink is not None, any(printable(line) for line in lines))
        if self._ink is not None:
            content.append(_placed(self._ink, *for_ink))
            resources["/XObject"] = generic.DictionaryObject({pdf_name("/Ink"): self._ink.reference})
        if for_text is not None:
            x, y, width, height = for_text
            content.append(self._fonts.set(layout(lines, width, height), x, y + height / 2, black(self._rules)))
            resources["/Font"] = self._fonts.resources()
            with_colour_spaces(self._rules, resources)
        return form_object(
            self._writer,
            (0, 0, width_pt, height_pt),
            b"\n".join(content),
            resources,
            appearance_matrix(width_pt, height_pt, rotate),
        )


class _Fonts:
    """The fonts of some lines in one document: of the letters that the stamp's font has, and of the rest."""

    def __init__(self, writer: Any, lines: Iterable[str], rules: Rules, font: StampFont | None = None) -> None:
        """``font``: one that has every letter, where it is not the stamp's. Raises: PdfError glyph-missing."""
        self._font = font
        used = [piece for line in lines for piece in self._pieces(line)]
        letters = {character for piece in used if isinstance(piece, str) for character in piece}
        chosen = font or stamp_font()
        self._subset: Subset | None = chosen.subset(letters) if letters else None
        self._reference = subset_object(writer, chosen, self._subset, rules) if self._subset else None
        self._more: ClusterFonts = cluster_fonts(writer, (piece for piece in used if isinstance(piece, Cluster)))

    def resources(self) -> generic.DictionaryObject:
        fonts = {} if self._reference is None else {pdf_name("/Text"): self._reference}
        more = zip(self._more.names, self._more.references, strict=True)
        return generic.DictionaryObject(fonts | {pdf_name(name): reference for name, reference in more})

    def set(self, text: Layout, x: float, middle: float, colour: bytes) -> bytes:
        """Lines as operators: they start at ``x``, and their block is centred on ``middle``."""
        leading = text.size_pt * text.leading
        first = middle + leading * len(text.lines) / 2 - text.above * text.size_pt
        parts = [f"BT {colour.decode('ascii')} {short(leading)} TL {short(x)} {short(first)} Td"]
        for line in text.lines:
            parts.extend(self._shown(piece, short(text.size_pt)) for piece in self._pieces(line))
            parts.append("T*")
        parts.append("ET")
        return "\n".join(parts).encode("ascii")

    def _pieces(self, line: str) -> tuple[typeset.Piece, ...]:
        if self._font is not None:
            return (line,)
        typeset.require(line)
        return typeset.pieces(line)

    def _shown(self, piece: typeset.Piece, size: str) -> str:
        if isinstance(piece, str):
            glyphs = self._subset.glyphs if self._subset is not None else {}
            codes = "".join(f"{glyphs[character]:04X}" for character in piece)
            return f"/Text {size} Tf <{codes}> Tj"
        number, code = self._more.places[piece]
        return f"{self._more.names[number]} {size} Tf <{code:02X}> Tj"


Area = tuple[float, float, float, float]
"""Left, bottom, width, height in points."""


def _areas(width: float, height: float, has_ink: bool, has_text: bool) -> tuple[Area, Area | None]:
    """Where ink and text go: side by side in a wide box, the ink above the text in a tall one."""
    margin = min(3.0, 0.06 * min(width, height))
    inside = (margin, margin, width - 2 * margin, height - 2 * margin)
    if not has_text or not has_ink:
        return inside, inside if has_text else None
    x, y, w, h = inside
    if height > width:
        below = h * (1 - INK_SHARE)
        return (x, y + below + GAP * h, w, h - below - GAP * h), (x, y, w, below)
    left = width * INK_SHARE
    return (x, y, left - x - GAP * width, h), (left, y, width - left - margin, h)


def _ink(writer: Any, ink: bytes, rules: Rules) -> _Ink:
    if not ink.startswith(b"{"):
        image = raster(ink)
        return _Ink(image_object(writer, image, rules), image.width, image.height, True)
    if ink.startswith(b'{"typed":'):
        return _typed(writer, ink, rules)
    strokes = read_strokes(ink)
    # A smooth curve may leave the points it goes through by a little.
    room = GRID // 20
    box = (-room, -room, strokes.width + room, strokes.height + room)
    content = drawn(strokes, colour(rules, COLOUR, stroke=True))
    form = form_object(writer, box, content, with_colour_spaces(rules, generic.DictionaryObject()))
    return _Ink(form, strokes.width, strokes.height, False)


def _typed(writer: Any, ink: bytes, rules: Rules) -> _Ink:
    """A typed name in the font of handwriting or, where that lacks one letter, all of it in the stamp's."""
    try:
        text = json.loads(ink)["typed"]
    except (ValueError, KeyError, TypeError) as error:
        raise PdfError("bad-image") from error
    if not isinstance(text, str) or not text or len(text) > LONGEST_TYPED:
        raise PdfError("bad-image")
    hand = script_font()
    is_by_hand = not hand.missing(text) and typeset.is_level(text)
    x0, y0, x1, y1 = hand.bounds(text) if is_by_hand else typeset.bounds(text)
    if x1 <= x0 or y1 <= y0:
        raise PdfError("bad-image")
    fonts = _Fonts(writer, (text,), rules, hand if is_by_hand else None)
    line = Layout(EM, (text,), leading=0, above=0)
    content = fonts.set(line, -x0, -y0, colour(rules, COLOUR))
    resources = with_colour_spaces(rules, generic.DictionaryObject({pdf_name("/Font"): fonts.resources()}))
    form = form_object(writer, (0, 0, x1 - x0, y1 - y0), content, resources)
    return _Ink(form, x1 - x0, y1 - y0, False)


def _placed(ink: _Ink, x: float, y: float, width: float, height: float) -> bytes:
    """The ink inside a rectangle: its ratio kept, centred."""
    factor = min(width / ink.width, height / ink.height)
    w, h = ink.width * factor, ink.height * factor
    left, bottom = x + (width - w) / 2, y + (height - h) / 2
    across, up = (w, h) if ink.is_image else (factor, factor)
    return f"q {across:.6f} 0 0 {up:.6f} {short(left)} {short(bottom)} cm /Ink Do Q".encode("ascii")

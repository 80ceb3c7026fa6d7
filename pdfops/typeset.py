"""Lines of text, broken and shrunk until they fit, and cut into what one font draws."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pdfops.font import EM, refuse_missing, stamp_font
from pdfops.shaping import Cluster, Shelf, shelf
from pdfops.text import printable

LARGEST_PT: Final = 11.0
SMALLEST_PT: Final = 0.5
STEP_PT: Final = 0.25
LEADING: Final = 1.18
ABOVE: Final = 0.92
"""How much of a line lies above its baseline, of `LEADING`; both grow where letters are taller."""

MAX_LINES: Final = 12
MAX_LINE_LENGTH: Final = 400
_IDEOGRAPHS: Final = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WITHIN_WORDS: Final = re.compile(f"(?<=[^-]-)(?=[^-])|(?<=[{_IDEOGRAPHS}])(?=[{_IDEOGRAPHS}])")

Piece = str | Cluster
"""Letters of the stamp's font, set one by one, or a cluster of any font."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines as they are set, broken already, top to bottom.

    Units: ``size_pt`` is the font size; ``leading`` and ``above`` (of the baseline) are parts of it.
    """

    size_pt: float
    lines: tuple[str, ...]
    leading: float = LEADING
    above: float = ABOVE


def missing(text: str) -> str:
    """The characters of a line that no font here can show, each once."""
    return "" if _is_plain(text) else shelf().missing(text)


def require(text: str) -> None:
    """Raises: PdfError glyph-missing, with the characters that no font here can show."""
    refuse_missing(missing(text))


def pieces(line: str) -> tuple[Piece, ...]:
    """A line from left to right, every character of which can be shown."""
    return (line,) if _is_plain(line) else _cut(line, shelf())


@lru_cache(maxsize=512)
def _cut(line: str, fonts: Shelf) -> tuple[Piece, ...]:
    result: list[Piece] = []
    for cluster in fonts.clusters(line):
        if cluster.is_plain:
            if result and isinstance(result[-1], str):
                result[-1] += cluster.text
            else:
                result.append(cluster.text)
        else:
            result.append(cluster)
    return tuple(result)


def width(line: str) -> int:
    """Units: thousandths of an em. Every character has to be there."""
    font = stamp_font()
    if _is_plain(line):
        return font.width(line)
    return sum(font.width(piece) if isinstance(piece, str) else piece.width for piece in pieces(line))


def bounds(line: str) -> tuple[int, int, int, int]:
    """What a line covers: left, bottom, right, top. Units: thousandths of an em, from where it starts."""
    font = stamp_font()
    x, boxes = 0, []
    for piece in pieces(line):
        x0, y0, x1, y1 = font.bounds(piece) if isinstance(piece, str) else piece.bounds
        boxes.append((x + x0, y0, x + x1, y1))
        x += font.width(piece) if isinstance(piece, str) else piece.width
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def layout(lines: Sequence[str], width_pt: float, height_pt: float) -> Layout:
    """Break lines at words, hyphens and ideographs, and shrink them until they fit; any box of some size holds any
    text.

    Control and bidi characters are dropped; empty lines too.
    Raises: PdfError glyph-missing.
    """
    texts = [text for text in (printable(line)[:MAX_LINE_LENGTH] for line in lines[:MAX_LINES]) if text]
    for text in texts:
        require(text)
    leading, above = _heights(texts)
    space = width(" ")
    parts = [[(before, part, len(before) * space, width(part)) for before, part in _parts(text)] for text in texts]
    is_plain = all(_is_plain(text) for text in texts)
    size = max(min(LARGEST_PT, height_pt), SMALLEST_PT)
    while size > SMALLEST_PT:
        room = width_pt * EM / size
        broken = _broken(parts, room)
        # Letters of some scripts are wider beside others than alone.
        is_narrow = broken is not None and (is_plain or all(width(line) <= room for line in broken))
        if broken is not None and is_narrow and len(broken) * leading * size <= height_pt:
            return Layout(size, tuple(broken), leading, above)
        size -= STEP_PT if size > 2 * STEP_PT else SMALLEST_PT
    widest = max((width(text) for text in texts), default=1)
    size = min(width_pt * EM / max(widest, 1), height_pt / (leading * max(len(texts), 1)), SMALLEST_PT)
    return Layout(size, tuple(texts), leading, above)


def is_level(text: str) -> bool:
    """Whether no character has to be moved onto another."""
    return not any(unicodedata.combining(character) for character in text)


@lru_cache(maxsize=2_048)
def _is_plain(text: str) -> bool:
    """Whether the stamp's font has every letter, and none has to be moved onto another."""
    return is_level(text) and stamp_font().has(text)


def _heights(texts: Iterable[str]) -> tuple[float, float]:
    """Leading and what of it lies above the baseline: as always, or more where letters of other scripts are taller."""
    clusters = [piece for text in texts for piece in pieces(text) if isinstance(piece, Cluster)]
    above = max([ABOVE, *(cluster.bounds[3] / EM + 0.05 for cluster in clusters)])
    below = max([LEADING - ABOVE, *(0.05 - cluster.bounds[1] / EM for cluster in clusters)])
    return above + below, above


def _parts(line: str) -> list[tuple[str, str]]:
    """Where a line may be broken: (the space before, the part) each."""
    found: list[tuple[str, str]] = []
    for word in line.split(" "):
        before = " " if found else ""
        for part in _WITHIN_WORDS.split(word):
            found.append((before, part))
            before = ""
    return found


def _broken(lines: list[list[tuple[str, str, int, int]]], room: float) -> list[str] | None:
    """Lines no wider than ``room`` (thousandths of an em), or None when one part alone is wider."""
    result: list[str] = []
    for line in lines:
        current, used = "", 0
        for before, part, space, length in line:
            if length > room:
                return None
            if current and used + space + length > room:
                result.append(current)
                current, used = part, length
            else:
                current, used = current + before + part, used + space + length
        result.append(current)
    return result

"""Letters that the stamp's own font lacks, or cannot set one by one: Arabic, Hebrew, Devanagari, Chinese and others.

The fonts are those of the machine, from folders that an operator names; they are opened once, before a child is shut
in. A line is cut into runs of one direction, script and font, put into the order in which it is read from left to
right, and shaped run by run. What comes out are clusters: the outlines that belong together, and the letters they
stand for.

Source: Unicode Standard Annexes 9 (bidirectional text), 24 (scripts) and 29 (clusters); the rules are the libraries'.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import uharfbuzz as hb
from bidi import algorithm as bidi
from fontTools import unicodedata as scripts

from pdfops.font import EM, StampFont, stamp_font

DEBIAN_FOLDERS: Final = ("/usr/share/fonts/truetype/noto", "/usr/share/fonts/opentype/noto")
ENDINGS: Final = (".ttf", ".otf", ".ttc")
MAX_FONTS: Final = 1_000
MAX_FONT_BYTES: Final = 300_000_000
"""Of all fonts together: they lie in the address space of a child, which is bounded."""

_OTHER_STYLES: Final = re.compile(
    "bold|italic|oblique|light|thin|black|medium|heavy|condensed|mono|emoji|display|math"
)
_SHARED: Final = ("Zyyy", "Zinh", "Zzzz")
"""Scripts of what all scripts use: spaces, digits, accents."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Outlines that stand for ``text``. Units: thousandths of an em; ``bounds``: left, bottom, right, top.

    ``is_plain``: it is one letter of the stamp's own font as it stands there.
    """

    text: str
    width: int
    outline: bytes
    bounds: tuple[int, int, int, int]
    is_plain: bool


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    level: int
    script: str
    face: int


class Shelf:
    """The stamp's font and those of the machine, in the order in which they are asked."""

    def __init__(self, own: StampFont, files: Iterable[Path] = ()) -> None:
        """A file that is no font is left out."""
        self._faces = [_face(hb.Blob(own.font_file))]
        for file in files:
            try:
                face = _face(hb.Blob.from_file_path(str(file)))
            except (hb.HarfBuzzError, OSError, ValueError):
                continue
            if face.face.glyph_count and face.face.upem:
                self._faces.append(face)
        self._shaped = lru_cache(maxsize=512)(self._shape)
        self._first_face = lru_cache(maxsize=4_096)(self._find)

    def missing(self, text: str) -> str:
        """The characters of a line that would not be seen, each once."""
        clusters = self.clusters(text)
        lost = {character for cluster in clusters for character in _unseen(cluster)}
        lost.update(character for character in text if self._first_face(character) is None and _is_seen(character))
        return "".join(sorted(lost))

    def clusters(self, line: str) -> list[Cluster]:
        """A line as it is set from left to right. What no font has, is not there: ask `missing`."""
        found: list[Cluster] = []
        for run in _in_order(self._runs(line)):
            found.extend(self._shaped(run))
        return found

    def _runs(self, line: str) -> list[_Run]:
        """Cut where direction, script or font change. Marks and what scripts share stay with what is before them."""
        runs: list[_Run] = []
        for character, level in zip(line, _levels(line), strict=True):
            script = scripts.script(character)
            last = runs[-1] if runs else None
            stays = last is not None and last.level == level and self._has(last.face, character)
            if last is not None and stays and (script in (*_SHARED, last.script) or last.script in _SHARED):
                script = last.script if script in _SHARED else script
                runs[-1] = _Run(last.text + character, level, script, last.face)
                continue
            face = self._first_face(character)
            if face is None:
                if last is None or _is_seen(character):
                    continue
                runs[-1] = _Run(last.text + character, last.level, last.script, last.face)
                continue
            if last is not None and last.level == level and self._may_join(last, face):
                runs.pop()
                runs.append(_Run(last.text + character, level, script, face))
            else:
                runs.append(_Run(character, level, script, face))
        return runs

    def _may_join(self, run: _Run, face: int) -> bool:
        """Whether what all scripts share, at the start of a line, can be set in the font of what follows."""
        return run.script in _SHARED and all(self._has(face, character) for character in run.text)

    def _has(self, face: int, character: str) -> bool:
        return not _is_seen(character) or self._faces[face].get_nominal_glyph(ord(character)) is not None

    def _find(self, character: str) -> int | None:
        for number, face in enumerate(self._faces):
            if face.get_nominal_glyph(ord(character)) is not None:
                return number
        return None

    def _shape(self, run: _Run) -> tuple[Cluster, ...]:
        font = self._faces[run.face]
        buffer = hb.Buffer()
        buffer.add_str(run.text)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if run.level % 2 else "ltr"
        hb.shape(font, buffer)
        glyphs = list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))
        ends = [*sorted({info.cluster for info, _ in glyphs}), len(run.text)]
        end_of = dict(pairwise(ends))
        is_own = run.face == 0 and run.level % 2 == 0
        clusters: list[Cluster] = []
        at = 0
        while at < len(glyphs):
            start = glyphs[at][0].cluster
            pen = _Operators()
            x = y = 0
            is_whole = True
            while at < len(glyphs) and glyphs[at][0].cluster == start:
                info, position = glyphs[at]
                pen.origin = (x + position.x_offset, y + position.y_offset)
                font.draw_glyph_with_pen(info.codepoint, pen)
                x, y = x + position.x_advance, y + position.y_advance
                is_whole = is_whole and info.codepoint != 0
                at += 1
            drawn = pen.done() if is_whole else (b"", (0, 0, 0, 0))
            text = run.text[start : end_of[start]]
            clusters.append(Cluster(text, x, *drawn, is_own and len(text) == 1))
        return tuple(clusters)


def fonts_in(folders: Sequence[str]) -> list[Path]:
    """The upright fonts of ordinary weight below some folders, those of plain shapes first, as many as have room."""
    found = {
        path
        for folder in folders
        for path in sorted(Path(folder).rglob("*"))
        if path.suffix.lower() in ENDINGS and not _OTHER_STYLES.search(path.stem.lower())
    }
    kept: list[Path] = []
    room = MAX_FONT_BYTES
    for path in sorted(found, key=lambda path: ("sans" not in path.stem.lower(), len(path.stem), str(path))):
        size_bytes = path.stat().st_size if path.is_file() else room + 1
        if size_bytes <= room and len(kept) < MAX_FONTS:
            kept.append(path)
            room -= size_bytes
    return kept


_folders: tuple[str, ...] = DEBIAN_FOLDERS


def use_folders(folders: Sequence[str]) -> None:
    """Where this process looks for fonts; said before the first line is set."""
    global _folders
    _folders = tuple(folders)
    shelf.cache_clear()


@cache
def shelf() -> Shelf:
    """The fonts of this process, opened on first use."""
    return Shelf(stamp_font(), fonts_in(_folders))


def _face(blob: Any) -> Any:
    font = hb.Font(hb.Face(blob))
    font.scale = (EM, EM)
    if font.face.has_var_data:
        # Some families that vary begin with their thinnest.
        font.set_variations({"wght": 400, "wdth": 100})
    return font


def _levels(line: str) -> list[int]:
    """Of each character, how deep it is nested in text of the other direction; odd is right to left."""
    if not any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in line):
        return [0] * len(line)
    storage = bidi.get_empty_storage()
    storage["base_level"] = bidi.get_base_level(line)
    storage["base_dir"] = ("L", "R")[storage["base_level"]]
    bidi.get_embedding_levels(line, storage)
    # Characters that give no width of their own are not among those that come back.
    bidi.explicit_embed_and_overrides(storage)
    bidi.resolve_weak_types(storage)
    bidi.resolve_neutral_types(storage, False)
    bidi.resolve_implicit_levels(storage, False)
    levels: list[int] = []
    answers = iter(storage["chars"])
    for character in line:
        is_left_out = unicodedata.bidirectional(character) == "BN"
        levels.append((levels[-1] if levels else 0) if is_left_out else next(answers)["level"])
    return levels


def _in_order(runs: list[_Run]) -> list[_Run]:
    """Runs from left to right. Source: Unicode Standard Annex 9, rule L2."""
    ordered = list(runs)
    highest = max((run.level for run in runs), default=0)
    for level in range(highest, 0, -1):
        start = 0
        while start < len(ordered):
            end = start
            while end < len(ordered) and ordered[end].level >= level:
                end += 1
            ordered[start:end] = reversed(ordered[start:end])
            start = end + 1
    return ordered


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in ("Zs", "Cf")


def _unseen(cluster: Cluster) -> str:
    return "" if cluster.outline else "".join(character for character in cluster.text if _is_seen(character))


class _Operators:
    """A pen that writes a content stream, in whole thousandths of an em."""

    def __init__(self) -> None:
        self.origin = (0, 0)
        self._parts: list[str] = []
        self._here = (0.0, 0.0)
        self._xs: list[int] = []
        self._ys: list[int] = []

    def done(self) -> tuple[bytes, tuple[int, int, int, int]]:
        if not self._parts:
            return b"", (0, 0, 0, 0)
        return "\n".join(self._parts).encode("ascii"), (min(self._xs), min(self._ys), max(self._xs), max(self._ys))

    def moveTo(self, point: tuple[float, float]) -> None:
        self._add("m", point)

    def lineTo(self, point: tuple[float, float]) -> None:
        self._add("l", point)

    def curveTo(self, *points: tuple[float, float]) -> None:
        self._add("c", *points)

    def qCurveTo(self, control: tuple[float, float], end: tuple[float, float]) -> None:
        """PDF has cubic curves alone: each control point lies two thirds of the way to the one that was given."""
        (x0, y0), (x1, y1), (x2, y2) = self._here, control, end
        self.curveTo(
            (x0 + (x1 - x0) * 2 / 3, y0 + (y1 - y0) * 2 / 3), (x2 + (x1 - x2) * 2 / 3, y2 + (y1 - y2) * 2 / 3), end
        )

    def closePath(self) -> None:
        self._parts.append("h")

    def endPath(self) -> None:
        pass

    def _add(self, operator: str, *points: tuple[float, float]) -> None:
        placed = [(round(x + self.origin[0]), round(y + self.origin[1])) for x, y in points]
        self._xs.extend(x for x, _ in placed)
        self._ys.extend(y for _, y in placed)
        self._parts.append(" ".join(f"{x} {y}" for x, y in placed) + f" {operator}")
        self._here = points[-1]

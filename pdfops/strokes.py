"""Ink as a pen left it: strokes of points with a width, drawn as curves that stay sharp at any zoom.

What is sent is JSON: a list of strokes, each a list of points ``[x, y, width]`` in CSS pixels, y growing downwards.
It is moved to its own corner, scaled to a grid of integers and written anew, so that the same drawing gives the same
bytes wherever on the pad it was made.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from pdfops.errors import PdfError

MAX_STROKES: Final = 500
MAX_POINTS: Final = 10_000
MAX_BYTES: Final = 2_000_000
FARTHEST: Final = 100_000.0
"""No coordinate lies further from the pad's corner. Units: CSS pixels."""

WIDEST: Final = 200.0
LEAST_LENGTH: Final = 20.0
"""How far the pen has to go, in all strokes together: dots alone are no signature. Units: CSS pixels."""

GRID: Final = 10_000
"""The longer side of normalised strokes."""

COLOUR: Final = "0.071 0.149 0.31"
"""Dark blue, as the pad shows it."""

MAX_CUTS: Final = 8
STEP: Final = 0.12
"""How much wider one piece of a curve may be than the one before, as a part of the wider of both."""

Point = tuple[int, int, int]
Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Strokes:
    """Normalised strokes. Units: steps of the grid, y grows downwards; all ink lies within ``width`` by ``height``."""

    width: int
    height: int
    strokes: tuple[tuple[Point, ...], ...]


def normalise_strokes(sent: bytes) -> bytes:
    """Strokes as they are kept: trimmed to what was drawn, on a grid whose longer side is `GRID`.

    Points that fall together are one. Raises: PdfError bad-image (no strokes of finite numbers within their bounds,
    blank, or a speck), image-too-large (more than `MAX_BYTES`, `MAX_STROKES` or `MAX_POINTS`).
    """
    strokes = _checked(_json(sent))
    if sum(math.dist(a[:2], b[:2]) for stroke in strokes for a, b in pairwise(stroke)) < LEAST_LENGTH:
        raise PdfError("bad-image")
    points = [point for stroke in strokes for point in stroke]
    left, top = min(x - w / 2 for x, _, w in points), min(y - w / 2 for _, y, w in points)
    right, bottom = max(x + w / 2 for x, _, w in points), max(y + w / 2 for _, y, w in points)
    scale = GRID / max(right - left, bottom - top)
    kept: list[list[Point]] = []
    for stroke in strokes:
        on_grid: list[Point] = []
        for x, y, w in stroke:
            point = (round((x - left) * scale), round((y - top) * scale), max(1, round(w * scale)))
            if not on_grid or on_grid[-1][:2] != point[:2]:
                on_grid.append(point)
        kept.append(on_grid)
    size = [max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))]
    return json.dumps({"size": size, "strokes": kept}, separators=(",", ":")).encode("ascii")


def read_strokes(kept: bytes) -> Strokes:
    """What `normalise_strokes` wrote. Raises: PdfError bad-image."""
    value = _json(kept)
    try:
        width, height = value["size"]
        strokes = tuple(tuple((x, y, w) for x, y, w in stroke) for stroke in value["strokes"])
    except (KeyError, TypeError, ValueError) as error:
        raise PdfError("bad-image") from error
    numbers = [width, height, *(number for stroke in strokes for point in stroke for number in point)]
    if not all(type(number) is int and 0 <= number <= GRID for number in numbers) or not all(strokes) or not strokes:
        raise PdfError("bad-image")
    return Strokes(width, height, strokes)


def drawn(ink: Strokes, colour: bytes) -> bytes:
    """Strokes as operators of a content stream: curves in pieces of even width, with round ends and joins.

    ``colour``: the operators that choose it. Units: steps of the grid, the origin at the bottom left.
    Source: ISO 32000-2, 8.4.3 and 8.5.
    """
    parts = [f"{colour.decode('ascii')} 1 J 1 j"]
    for stroke in ink.strokes:
        width = 0
        for number, curve in _curves(stroke, ink.height):
            if number != width:
                parts.append(f"{'S ' if width else ''}{number} w {curve[0][0]:.0f} {curve[0][1]:.0f} m")
                width = number
            (bx, by), (cx, cy), (dx, dy) = curve[1:]
            parts.append(f"{bx:.0f} {by:.0f} {cx:.0f} {cy:.0f} {dx:.0f} {dy:.0f} c")
        parts.append("S")
    return "\n".join(parts).encode("ascii")


def _json(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise PdfError("image-too-large", limit=MAX_BYTES)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PdfError("bad-image") from error


def _checked(value: Any) -> list[list[tuple[float, float, float]]]:
    if not isinstance(value, list) or not value or not all(isinstance(stroke, list) and stroke for stroke in value):
        raise PdfError("bad-image")
    if len(value) > MAX_STROKES or sum(map(len, value)) > MAX_POINTS:
        raise PdfError("image-too-large", limit=MAX_POINTS)
    return [[_point(point) for point in stroke] for stroke in value]


def _point(value: Any) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3 or not all(type(number) in (int, float) for number in value):
        raise PdfError("bad-image")
    x, y, w = value
    # Comparisons with what is not a number are false.
    if not (abs(x) <= FARTHEST and abs(y) <= FARTHEST and 0 < w <= WIDEST):
        raise PdfError("bad-image")
    return float(x), float(y), float(w)


def _curves(stroke: tuple[Point, ...], height: int) -> list[tuple[int, tuple[Spot, Spot, Spot, Spot]]]:
    """A smooth curve through the points, cut where its width changes: (width, four points of a Bézier) each."""
    spots = [(float(x), float(height - y)) for x, y, _ in stroke]
    if len(spots) == 1:
        # Of no length at all some viewers draw nothing.
        end = (spots[0][0] + 1, spots[0][1])
        return [(stroke[0][2], (spots[0], spots[0], end, end))]
    around = [spots[0], *spots, spots[-1]]
    controls = [_controls(*around[index : index + 3]) for index in range(len(spots))]
    result: list[tuple[int, tuple[Spot, Spot, Spot, Spot]]] = []
    for index in range(len(spots) - 1):
        curve = (spots[index], controls[index][1], controls[index + 1][0], spots[index + 1])
        w0, w1 = stroke[index][2], stroke[index + 1][2]
        cuts = min(MAX_CUTS, max(1, math.ceil(abs(w1 - w0) / (STEP * max(w0, w1)))))
        for cut in range(cuts):
            piece, curve = _split(curve, 1 / (cuts - cut)) if cut < cuts - 1 else (curve, curve)
            result.append((max(1, round(w0 + (w1 - w0) * (cut + 0.5) / cuts)), piece))
    return result


def _controls(before: Spot, here: Spot, after: Spot) -> tuple[Spot, Spot]:
    """The control points on both sides of ``here``: on a line through it, along the way from ``before`` to ``after``.

    They lie half way to the neighbours, so that the curve neither loops nor leaves the drawing by much.
    """
    to, on = math.dist(before, here), math.dist(here, after)
    share = on / (to + on) if to + on else 0.0
    first = ((before[0] + here[0]) / 2, (before[1] + here[1]) / 2)
    second = ((here[0] + after[0]) / 2, (here[1] + after[1]) / 2)
    # The point between both that keeps their distances, moved onto ``here``.
    x = here[0] - (second[0] + (first[0] - second[0]) * share)
    y = here[1] - (second[1] + (first[1] - second[1]) * share)
    return (first[0] + x, first[1] + y), (second[0] + x, second[1] + y)


def _split(curve: tuple[Spot, Spot, Spot, Spot], t: float) -> tuple[Any, Any]:
    """A Bézier cut in two at ``t``, as de Casteljau does."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve
    ab = abx, aby = ax + (bx - ax) * t, ay + (by - ay) * t
    bcx, bcy = bx + (cx - bx) * t, by + (cy - by) * t
    cd = cdx, cdy = cx + (dx - cx) * t, cy + (dy - cy) * t
    abc = abcx, abcy = abx + (bcx - abx) * t, aby + (bcy - aby) * t
    bcd = bcdx, bcdy = bcx + (cdx - bcx) * t, bcy + (cdy - bcy) * t
    middle = abcx + (bcdx - abcx) * t, abcy + (bcdy - abcy) * t
    return (curve[0], ab, abc, middle), (middle, bcd, cd, curve[3])

"""Where a box on the displayed page lies in the PDF's own coordinates, and back.

Three systems meet here:

- fractions: of the displayed page, origin top left, as a browser sends them;
- `Box`: PDF points, origin at the bottom left of the displayed page, that is after /CropBox and /Rotate;
- user space: what /Rect is written in.

The displayed page is crop ∩ media, as pdfium shows it. /UserUnit is kept but takes no part: no viewer we measured
honours it, and both sides of every conversion would carry it alike.

Source: ISO 32000-2, 7.7.3.3 (page objects), 7.7.3.4 (inheritance), 14.11.2 (page boundaries).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pdfops.errors import PdfError

Rectangle = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float]

LETTER: Final[Rectangle] = (0.0, 0.0, 612.0, 792.0)
"""The MediaBox of a page that has none, as pdfium takes it."""

LEAST_PT: Final = 1.0
"""A page of less than this, in width or height, shows nothing."""

TOLERANCE: Final = 2e-6
"""How far outside the page a fraction may lie (two millionths): the sum of two rounded millionths is no mistake."""

MAX_DEPTH: Final = 64
"""How many parents of a page are asked for an inherited value."""


class PdfDictionary(Protocol):
    """What pypdf's and pyHanko's dictionaries have in common."""

    def get(self, key: Any, default: Any = None, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the displayed page. Units: points, origin bottom left, after rotation and crop."""

    x_pt: float
    y_pt: float
    w_pt: float
    h_pt: float


@dataclass(frozen=True, slots=True)
class PageGeometry:
    """The boxes of one page, in user space, with the values it inherits.

    ``rotate`` is 0, 90, 180 or 270, clockwise. Rectangles are ordered: left, bottom, right, top.
    """

    media: Rectangle
    crop: Rectangle
    rotate: int = 0
    user_unit: float = 1.0

    @property
    def visible(self) -> Rectangle:
        """What a viewer shows: crop ∩ media, or the media box where the two have nothing in common."""
        x0, y0 = max(self.crop[0], self.media[0]), max(self.crop[1], self.media[1])
        x1, y1 = min(self.crop[2], self.media[2]), min(self.crop[3], self.media[3])
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else self.media

    @property
    def is_visible(self) -> bool:
        """Whether crop ∩ media is at least a point wide and high. Where it is empty viewers differ: some show the
        media box, pdfium, which makes our previews, nothing."""
        x0, y0 = max(self.crop[0], self.media[0]), max(self.crop[1], self.media[1])
        x1, y1 = min(self.crop[2], self.media[2]), min(self.crop[3], self.media[3])
        return x1 - x0 >= LEAST_PT and y1 - y0 >= LEAST_PT

    @property
    def width_pt(self) -> float:
        """Width as displayed, after rotation."""
        x0, y0, x1, y1 = self.visible
        return y1 - y0 if self.rotate in (90, 270) else x1 - x0

    @property
    def height_pt(self) -> float:
        """Height as displayed, after rotation."""
        x0, y0, x1, y1 = self.visible
        return x1 - x0 if self.rotate in (90, 270) else y1 - y0


def page_geometry(page: PdfDictionary) -> PageGeometry:
    """Read a page's boxes and rotation, inherited ones included, from a pypdf or pyHanko page dictionary.

    Missing, degenerate or nonsensical values fall back as pdfium does: a Letter page, crop = media, no rotation.
    """
    media = _rectangle(_inherited(page, "/MediaBox")) or LETTER
    crop = _rectangle(_inherited(page, "/CropBox")) or media
    rotation = _number(_inherited(page, "/Rotate"))
    user_unit = _number(_resolved(page.get("/UserUnit")))
    return PageGeometry(
        media=media,
        crop=crop,
        rotate=(int(rotation / 90) % 4) * 90 if rotation is not None else 0,
        user_unit=user_unit if user_unit is not None and user_unit > 0 else 1.0,
    )


def from_fractions(x: float, y: float, w: float, h: float, page: PageGeometry) -> Box:
    """Turn fractions of the displayed page, from its top left, into a box.

    Raises: PdfError outside-page when it has no area or leaves the page by more than `TOLERANCE`.
    """
    if not all(math.isfinite(value) for value in (x, y, w, h)) or w <= 0 or h <= 0:
        raise PdfError("outside-page")
    if x < -TOLERANCE or y < -TOLERANCE or x + w > 1 + TOLERANCE or y + h > 1 + TOLERANCE:
        raise PdfError("outside-page")
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + w, 1.0), min(y + h, 1.0)
    return Box(
        x_pt=left * page.width_pt,
        y_pt=(1.0 - bottom) * page.height_pt,
        w_pt=(right - left) * page.width_pt,
        h_pt=(bottom - top) * page.height_pt,
    )


def to_fractions(box: Box, page: PageGeometry) -> tuple[float, float, float, float]:
    """The inverse of `from_fractions`: x, y, w, h as fractions from the top left."""
    return (
        box.x_pt / page.width_pt,
        1.0 - (box.y_pt + box.h_pt) / page.height_pt,
        box.w_pt / page.width_pt,
        box.h_pt / page.height_pt,
    )


def to_user_space(box: Box, page: PageGeometry) -> Rectangle:
    """Where a box of the displayed page lies in user space, as an ordered /Rect."""
    x0, y0, x1, y1 = page.visible
    left, bottom, right, top = box.x_pt, box.y_pt, box.x_pt + box.w_pt, box.y_pt + box.h_pt
    if page.rotate == 90:
        return x1 - top, y0 + left, x1 - bottom, y0 + right
    if page.rotate == 180:
        return x1 - right, y1 - top, x1 - left, y1 - bottom
    if page.rotate == 270:
        return x0 + bottom, y1 - right, x0 + top, y1 - left
    return x0 + left, y0 + bottom, x0 + right, y0 + top


def from_user_space(rectangle: Rectangle, page: PageGeometry) -> Box:
    """The inverse of `to_user_space`."""
    x0, y0, x1, y1 = page.visible
    left, bottom, right, top = _ordered(*rectangle)
    if page.rotate == 90:
        return Box(bottom - y0, x1 - right, top - bottom, right - left)
    if page.rotate == 180:
        return Box(x1 - right, y1 - top, right - left, top - bottom)
    if page.rotate == 270:
        return Box(y1 - top, left - x0, top - bottom, right - left)
    return Box(left - x0, bottom - y0, right - left, top - bottom)


def appearance_matrix(width_pt: float, height_pt: float, rotate: int) -> Matrix:
    """The /Matrix that keeps an appearance upright on a rotated page.

    Shape: the form's /BBox is [0 0 width height] as displayed; the matrix turns it against the page's rotation and
    keeps it in the first quadrant, so that its bounding box has the size of the annotation's /Rect.

    Source: ISO 32000-2, 12.5.5, algorithm: appearance streams.
    """
    if rotate == 90:
        return 0, 1, -1, 0, height_pt, 0
    if rotate == 180:
        return -1, 0, 0, -1, width_pt, height_pt
    if rotate == 270:
        return 0, -1, 1, 0, 0, width_pt
    return 1, 0, 0, 1, 0, 0


def _resolved(value: Any) -> Any:
    get_object = getattr(value, "get_object", None)
    return get_object() if get_object is not None else value


def _inherited(page: PdfDictionary, key: str) -> Any:
    node: Any = page
    for _ in range(MAX_DEPTH):
        if not hasattr(node, "get"):
            return None
        value = _resolved(node.get(key))
        if value is not None:
            return value
        node = _resolved(node.get("/Parent"))
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _ordered(x0: float, y0: float, x1: float, y1: float) -> Rectangle:
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _rectangle(value: Any) -> Rectangle | None:
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return None
    numbers = [_number(_resolved(item)) for item in value]
    if any(number is None for number in numbers):
        return None
    x0, y0, x1, y1 = _ordered(*(number for number in numbers if number is not None))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

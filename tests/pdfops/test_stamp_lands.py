"""What the preview shows is where the stamp lands: stamped, rendered by two programs, found again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from pdfops.errors import PdfError
from pdfops.fields import MILLION, Place, prepare
from pdfops.inspect import inspect
from pdfops.preview import render
from pdfops.seal import SealOrder, seal
from tests.pdfops import oracles, samples

GEOMETRY = sorted((Path(__file__).parents[3] / "shared" / "pdfs" / "geometry").glob("*.pdf"))
WHERE = (0.2, 0.3, 0.25, 0.1)
TOLERANCE_PT = 1.0
COLOUR = (255, 0, 255)


def inset_pt(width_pt: float, height_pt: float) -> float:
    """The margin a stamp keeps inside its place."""
    return min(3.0, 0.06 * min(width_pt, height_pt))


def stamped(data: bytes) -> bytes:
    """The document with a coloured block that fills a place on its page."""
    where, (width, height) = WHERE, inspect(data).page_sizes_pt[0]
    x, y, w, h = (round(value * MILLION) for value in where)
    prepared = prepare(data, [Place("mark", "somebody", 1, x, y, w, h)])
    margin = inset_pt(where[2] * width, where[3] * height)
    ink = samples.block_png(
        (round(4 * (where[2] * width - 2 * margin)), round(4 * (where[3] * height - 2 * margin))), COLOUR
    )
    order = SealOrder(("mark",), ink, "name", "reason", samples.SIGNED_AT)
    return seal(prepared, order, samples.organisation())


def assert_there(picture: Image.Image, size_pt: tuple[float, float], colour: tuple[int, int, int] = COLOUR) -> None:
    where, found = WHERE, oracles.mark(picture, colour)
    assert found is not None
    inset = inset_pt(where[2] * size_pt[0], where[3] * size_pt[1])
    pixel = max(size_pt[0] / picture.width, size_pt[1] / picture.height)
    for axis in (0, 1):
        start, end = where[axis] * size_pt[axis] + inset, (where[axis] + where[axis + 2]) * size_pt[axis] - inset
        seen_start, seen_end = found[axis] * size_pt[axis], (found[axis] + found[axis + 2]) * size_pt[axis]
        assert abs(start - seen_start) <= TOLERANCE_PT + pixel, (axis, start, seen_start)
        assert abs(end - seen_end) <= TOLERANCE_PT + pixel, (axis, end, seen_end)


@st.composite
def box_pairs(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """A media box, and a crop box: missing, smaller, larger, offset, with negative origin."""
    x, y = draw(st.integers(-300, 300)), draw(st.integers(-300, 300))
    w, h = draw(st.integers(150, 700)), draw(st.integers(150, 700))
    media = (x, y, x + w, y + h)
    if draw(st.booleans()):
        return media, None
    dx0, dy0, dx1, dy1 = (draw(st.integers(-60, 60)) for _ in range(4))
    return media, (x + dx0, y + dy0, x + w + dx1, y + h + dy1)


@given(box_pairs(), st.sampled_from([0, 90, 180, 270]), st.booleans())
@settings(deadline=None, max_examples=25)
def test_a_stamp_lands_where_it_was_placed_whatever_the_boxes(
    pair: tuple[tuple[int, ...], tuple[int, ...] | None], rotate: int, is_inherited: bool
) -> None:
    data = samples.rotated_cropped_pdf(rotate, pair[0], pair[1], is_inherited)
    size = inspect(data).page_sizes_pt[0]
    picture = Image.open(io.BytesIO(render(stamped(data), 1, round(size[0] * 2), "png")))
    assert picture.width / picture.height == pytest.approx(size[0] / size[1], rel=0.02)
    assert_there(picture, size)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 100, 400, 600), (-100, -100, 900, 900), (200, -50, 700, 500)])
def test_poppler_shows_it_in_the_same_place(rotate: int, crop: tuple[int, ...] | None) -> None:
    data = samples.rotated_cropped_pdf(rotate, samples.A4, crop)
    size = inspect(data).page_sizes_pt[0]
    picture = oracles.poppler_page(stamped(data), 1, dpi=144)
    assert_there(picture, size)


def test_a_stamp_stands_upright_on_a_rotated_page() -> None:
    """Red above blue in the ink is red above blue on the page."""
    ink = Image.new("RGBA", (200, 100), (255, 0, 0, 255))
    ink.paste((0, 0, 255, 255), (0, 50, 200, 100))
    for rotate in (0, 90, 180, 270):
        data = samples.rotated_cropped_pdf(rotate)
        prepared = prepare(data, [Place("mark", "somebody", 1, 300_000, 300_000, 200_000, 100_000)])
        order = SealOrder(("mark",), samples.encoded(ink), "name", "reason", samples.SIGNED_AT)
        page = Image.open(io.BytesIO(render(seal(prepared, order, samples.organisation()), 1, 600, "png")))
        red, blue = oracles.mark(page), oracles.mark(page, (0, 0, 255))
        assert red is not None
        assert blue is not None
        assert red[1] < blue[1], rotate
        assert red[0] == pytest.approx(blue[0], abs=0.01), rotate


@pytest.mark.parametrize("path", GEOMETRY, ids=lambda path: path.name)
def test_it_lands_in_difficult_real_pages(path: Path) -> None:
    data = path.read_bytes()
    try:
        size = inspect(data).page_sizes_pt[0]
    except PdfError as error:
        pytest.skip(f"refused as {error}")
    width_px = min(4_000, round(size[0] * 2))
    before = Image.open(io.BytesIO(render(data, 1, width_px, "png")))
    after = Image.open(io.BytesIO(render(stamped(data), 1, width_px, "png")))
    is_new = ImageChops.difference(before, after).convert("L").point([0] + [255] * 255)
    assert_there(Image.composite(after, Image.new("RGB", after.size, "white"), is_new), size)

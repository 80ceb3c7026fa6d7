from __future__ import annotations

import io
import math

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfops.errors import PdfError
from pdfops.geometry import (
    LETTER,
    Box,
    PageGeometry,
    appearance_matrix,
    from_fractions,
    from_user_space,
    page_geometry,
    to_fractions,
    to_user_space,
)
from pdfops.reading import all_pages, open_reader
from tests.pdfops import samples

numbers = st.floats(-2_000, 2_000, allow_nan=False)
sizes = st.floats(10, 3_000, allow_nan=False)


@st.composite
def rectangles(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x, y, w, h = draw(numbers), draw(numbers), draw(sizes), draw(sizes)
    return x, y, x + w, y + h


@st.composite
def geometries(draw: st.DrawFn) -> PageGeometry:
    media = draw(rectangles())
    crop = draw(st.one_of(st.just(media), rectangles()))
    return PageGeometry(media, crop, draw(st.sampled_from([0, 90, 180, 270])))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x, y = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return x, y, draw(st.floats(0.01, 1 - x)), draw(st.floats(0.01, 1 - y))


@given(geometries(), boxes())
def test_fractions_survive_the_way_to_points_and_back(page: PageGeometry, box: tuple[float, ...]) -> None:
    there = from_fractions(*box, page)
    assert to_fractions(there, page) == pytest.approx(box, abs=1e-9)


@given(geometries(), boxes())
def test_boxes_survive_the_way_to_user_space_and_back(page: PageGeometry, fractions: tuple[float, ...]) -> None:
    box = from_fractions(*fractions, page)
    back = from_user_space(to_user_space(box, page), page)
    for name in ("x_pt", "y_pt", "w_pt", "h_pt"):
        assert getattr(back, name) == pytest.approx(getattr(box, name), abs=1e-6)


@given(geometries(), boxes())
def test_a_box_on_the_displayed_page_lies_in_what_is_visible_of_it(
    page: PageGeometry, fractions: tuple[float, ...]
) -> None:
    x0, y0, x1, y1 = to_user_space(from_fractions(*fractions, page), page)
    left, bottom, right, top = page.visible
    assert left - 1e-6 <= x0 < x1 <= right + 1e-6
    assert bottom - 1e-6 <= y0 < y1 <= top + 1e-6
    assert (x1 - x0) * (y1 - y0) == pytest.approx(
        fractions[2] * fractions[3] * page.width_pt * page.height_pt, rel=1e-6
    )


@given(geometries(), boxes())
def test_the_corners_of_a_box_are_where_an_independent_turn_of_the_page_puts_them(
    page: PageGeometry, fractions: tuple[float, ...]
) -> None:
    """/Rotate turns the page clockwise: a point of user space is turned about the visible box's centre."""
    box = from_fractions(*fractions, page)
    left, bottom, right, top = page.visible
    centre_x, centre_y = (left + right) / 2, (bottom + top) / 2
    angle = math.radians(-page.rotate)
    shown = []
    x0, y0, x1, y1 = to_user_space(box, page)
    for x, y in ((x0, y0), (x1, y1)):
        dx, dy = x - centre_x, y - centre_y
        shown.append(
            (
                dx * math.cos(angle) - dy * math.sin(angle) + page.width_pt / 2,
                dx * math.sin(angle) + dy * math.cos(angle) + page.height_pt / 2,
            )
        )
    (ax, ay), (bx, by) = shown
    assert (min(ax, bx), min(ay, by)) == pytest.approx((box.x_pt, box.y_pt), abs=1e-5)
    assert (max(ax, bx), max(ay, by)) == pytest.approx((box.x_pt + box.w_pt, box.y_pt + box.h_pt), abs=1e-5)


@given(sizes, sizes, st.sampled_from([0, 90, 180, 270]))
def test_the_matrix_keeps_the_appearance_in_the_first_quadrant(w: float, h: float, rotate: int) -> None:
    a, b, c, d, e, f = appearance_matrix(w, h, rotate)
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (0, w) for y in (0, h)]
    assert min(x for x, _ in corners) == pytest.approx(0)
    assert min(y for _, y in corners) == pytest.approx(0)
    size = (h, w) if rotate in (90, 270) else (w, h)
    assert (max(x for x, _ in corners), max(y for _, y in corners)) == pytest.approx(size)


@pytest.mark.parametrize(
    "fractions",
    [(-0.01, 0, 0.5, 0.5), (0, 0, 1.01, 0.5), (0.9, 0.9, 0.2, 0.05), (0, 0, 0, 0.5), (0, 0, 0.5, math.nan)],
)
def test_what_leaves_the_page_is_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(PdfError, match="outside-page"):
        from_fractions(*fractions, PageGeometry(LETTER, LETTER))


def test_two_millionths_of_rounding_are_no_mistake() -> None:
    box = from_fractions(0.5, 0.5, 0.500001, 0.500001, PageGeometry(LETTER, LETTER))
    assert box == Box(306.0, 0.0, 306.0, 396.0)


def pages_of(data: bytes) -> tuple[PageGeometry, PageGeometry]:
    """The first page as read through pyHanko and through pypdf."""
    theirs = pypdf.PdfReader(io.BytesIO(data)).pages[0]
    return page_geometry(all_pages(open_reader(data).root)[0].dictionary), page_geometry(theirs)


@given(
    st.sampled_from([None, 0, 90, 180, 270, -90, 450, 45]),
    st.one_of(st.none(), rectangles()),
    st.one_of(st.none(), rectangles()),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_both_libraries_dictionaries_read_alike(
    rotate: int | None, media: tuple[float, ...] | None, crop: tuple[float, ...] | None, is_inherited: bool
) -> None:
    ours, theirs = pages_of(samples.rotated_cropped_pdf(rotate, media, crop, is_inherited))
    assert ours == theirs


def test_inherited_boxes_and_rotation_count() -> None:
    ours, _ = pages_of(samples.rotated_cropped_pdf(90, (0, 0, 300, 500), (10, 20, 110, 220), is_inherited=True))
    assert ours == PageGeometry((0, 0, 300, 500), (10, 20, 110, 220), 90)
    assert (ours.width_pt, ours.height_pt) == (200, 100)


def test_a_page_without_boxes_is_a_letter_page() -> None:
    ours, _ = pages_of(samples.rotated_cropped_pdf(None, None, None))
    assert ours.visible == LETTER


def test_a_crop_box_larger_than_the_page_shows_the_page() -> None:
    page = PageGeometry((0, 0, 100, 200), (-50, -50, 500, 500))
    assert page.visible == (0, 0, 100, 200)


def test_a_crop_box_beside_the_page_is_ignored() -> None:
    page = PageGeometry((0, 0, 100, 200), (300, 300, 400, 400))
    assert page.visible == (0, 0, 100, 200)


def test_boxes_with_their_corners_exchanged_are_put_in_order() -> None:
    ours, _ = pages_of(samples.rotated_cropped_pdf(0, (300, 500, -10, -20), None))
    assert ours.media == (-10, -20, 300, 500)

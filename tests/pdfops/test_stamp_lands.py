"""What the preview shows is where the stamp lands, to a tenth of a point: stamped, rendered by two programs, found."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from pdfops.errors import PdfError
from pdfops.fields import MILLION, Place, prepare
from pdfops.inspect import inspect
from pdfops.preview import render
from pdfops.seal import SealOrder, seal
from tests.pdfops import oracles, samples

GEOMETRY = sorted((Path(__file__).parents[3] / "shared" / "pdfs" / "geometry").glob("*.pdf"))
TOLERANCE_PT = 0.1
COLOURS = ((255, 0, 255), (0, 255, 0), (0, 255, 255))
PREVIEW_WIDTHS = (120, 240, 480, 820, 1240, 1640, 2480)

Boxes = tuple[tuple[float, ...], tuple[float, ...] | None]
Find = Callable[[bytes, int, oracles.Window, tuple[int, int, int]], oracles.Window | None]
PROGRAMS: dict[str, Find] = {"pdfium": oracles.pdfium_mark, "poppler": oracles.poppler_mark}


@dataclass(frozen=True)
class Mark:
    """A coloured block on a page. ``where``: x, y, w, h in millionths of it; ``edges_pt``: where it should be seen."""

    page: int
    where: tuple[int, int, int, int]
    edges_pt: oracles.Window
    colour: tuple[int, int, int]

    def seen(self, data: bytes, program: str) -> oracles.Window | None:
        left, top, right, bottom = self.edges_pt
        return PROGRAMS[program](data, self.page, (left - 2, top - 2, right + 2, bottom + 2), self.colour)


def edges(where: tuple[int, int, int, int], size_pt: tuple[float, float], ink: Image.Image) -> oracles.Window:
    """A stamp keeps a margin inside its place, and its ink keeps its ratio, centred."""
    x, y, w, h = (value / MILLION * size_pt[index % 2] for index, value in enumerate(where))
    margin = min(3.0, 0.06 * min(w, h))
    factor = min((w - 2 * margin) / ink.width, (h - 2 * margin) / ink.height)
    half_w, half_h = ink.width * factor / 2, ink.height * factor / 2
    middle_x, middle_y = x + w / 2, y + h / 2
    return middle_x - half_w, middle_y - half_h, middle_x + half_w, middle_y + half_h


def stamped(
    data: bytes, places: Sequence[tuple[int, tuple[int, int, int, int]]], colour: tuple[int, int, int] = COLOURS[0]
) -> tuple[bytes, list[Mark]]:
    """The document with a block at each of these places (page, millionths), all of one signatory."""
    ink = Image.new("RGBA", (300, 100), (*colour, 255))
    sizes = inspect(data).page_sizes_pt
    marks = [Mark(page, where, edges(where, sizes[page - 1], ink), colour) for page, where in places]
    named = [Place(f"mark{n}", "somebody", page, *where) for n, (page, where) in enumerate(places)]
    order = SealOrder(tuple(place.field for place in named), samples.encoded(ink), "name", "reason", samples.SIGNED_AT)
    return seal(prepare(data, named), order, samples.organisation()), marks


def assert_there(data: bytes, mark: Mark, program: str) -> None:
    seen = mark.seen(data, program)
    assert seen is not None, program
    assert seen == pytest.approx(mark.edges_pt, abs=TOLERANCE_PT), program


thousandths = st.integers(-60_000, 60_000).map(lambda value: value / 1_000)


@st.composite
def box_pairs(draw: st.DrawFn) -> Boxes:
    """A media box and a crop box: missing, smaller, larger, offset; origins anywhere, corners in any order."""
    x, y = 5 * draw(thousandths), 5 * draw(thousandths)
    w, h = 400 + 4 * draw(thousandths), 500 + 5 * draw(thousandths)
    media = (x, y, x + w, y + h)
    crop = tuple(value + draw(thousandths) for value in media) if draw(st.booleans()) else None
    return turned(draw, media), turned(draw, crop) if crop else None


def turned(draw: st.DrawFn, box: tuple[float, ...]) -> tuple[float, ...]:
    """The same box, written from any two of its corners that lie across from each other."""
    x0, y0, x1, y1 = box
    if draw(st.booleans()):
        x0, x1 = x1, x0
    return (x0, y1, x1, y0) if draw(st.booleans()) else (x0, y0, x1, y1)


def is_shown_alike(pair: Boxes) -> bool:
    """Poppler 22.12 takes a crop box that is wider (or higher) than the media box for the media box in that direction,
    even where it lies beside it: what it then shows is not crop ∩ media, as the standard and pdfium have it."""
    media, crop = pair
    if crop is None:
        return True
    for axis in (0, 1):
        m0, m1 = sorted((media[axis], media[axis + 2]))
        c0, c1 = sorted((crop[axis], crop[axis + 2]))
        if c1 - c0 > m1 - m0 - 1e-6 and not c0 <= m0 < m1 <= c1:
            return False
    return True


@st.composite
def wheres(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """A place anywhere on a page, not too large to be looked at closely."""
    w, h = draw(st.integers(100_000, 200_000)), draw(st.integers(30_000, 80_000))
    return draw(st.integers(0, MILLION - w)), draw(st.integers(0, MILLION - h)), w, h


@pytest.mark.parametrize("program", PROGRAMS)
@given(box_pairs(), st.sampled_from([0, 90, 180, 270]), st.booleans(), wheres())
@settings(deadline=None, max_examples=50)
def test_a_stamp_lands_where_it_was_placed_whatever_the_boxes(
    program: str, pair: Boxes, rotate: int, is_inherited: bool, where: tuple[int, int, int, int]
) -> None:
    assume(program != "poppler" or is_shown_alike(pair))
    data, marks = stamped(samples.rotated_cropped_pdf(rotate, *pair, is_inherited), [(1, where)])
    assert_there(data, marks[0], program)


WHERE = (200_000, 300_000, 183_333, 71_111)
NAMED_PAGES = {
    "A4 to the hundredth": samples.rotated_cropped_pdf(0, (0, 0, 595.276, 841.89)),
    "odd fractions, offset": samples.rotated_cropped_pdf(90, (-0.333, 7.777, 419.4567, 602.0001)),
    "no boxes at all": samples.rotated_cropped_pdf(None, None, None),
    "no media box, a crop box": samples.rotated_cropped_pdf(270, None, (36.5, 72.25, 500.125, 700)),
    "crop larger than the page": samples.rotated_cropped_pdf(180, samples.A4, (-100, -100, 900, 900)),
    "crop half beside the page": samples.rotated_cropped_pdf(90, samples.A4, (200.7, -50, 700, 500.3)),
    "corners exchanged": samples.rotated_cropped_pdf(0, (595, 842, 0, 0), (550.5, 20, 30, 800.25)),
    "a quarter turn backwards": samples.rotated_cropped_pdf(-90, samples.A4),
    "user unit": samples.rotated_cropped_pdf(90, (0, 0, 420.5, 297.7), more=b"/UserUnit 2.5 "),
    "inherited and turned": samples.rotated_cropped_pdf(270, (10, 20, 430, 610), (50.5, 60.5, 400, 600), True),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", NAMED_PAGES)
def test_it_lands_on_every_kind_of_page(name: str, program: str) -> None:
    data, marks = stamped(NAMED_PAGES[name], [(1, WHERE)])
    assert_there(data, marks[0], program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_in_a_document_of_many_sizes_each_page_has_its_own_measure(program: str) -> None:
    pages = [
        (0, samples.A4, None),
        (90, (0, 0, 841.89, 1190.55), None),
        (270, (-50, -50, 370, 545), (0, 0, 300.3, 400.7)),
        (180, (612, 0, 0, 792), None),
    ]
    data, marks = stamped(samples.mixed_pdf(pages), [(page, WHERE) for page in (3, 1, 4, 2)])
    for mark in marks:
        assert_there(data, mark, program)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("media", [(0, 0, 595.276, 841.89), (-17.77, 3.21, 402.345, 1190.001), (0, 0, 500.4, 90.3)])
def test_a_preview_shows_a_place_at_its_fraction_of_the_picture_at_every_width(
    media: tuple[float, float, float, float], rotate: int
) -> None:
    """A picture has whole pixels and a page has not. The page is stretched over the picture, never cut or padded, so
    the fraction that a browser measures on the picture is the fraction of the page."""
    width, height = media[2] - media[0], media[3] - media[1]
    inner = (media[0] + 0.31 * width, media[1] + 0.22 * height, media[0] + 0.77 * width, media[1] + 0.59 * height)
    shown = {
        0: (0.31, 0.41, 0.77, 0.78),
        90: (0.22, 0.31, 0.59, 0.77),
        180: (0.23, 0.22, 0.69, 0.59),
        270: (0.41, 0.23, 0.78, 0.69),
    }[rotate]
    data = samples.marked_pdf(media, rotate, inner)
    size = inspect(data).page_sizes_pt[0]
    for width_px in PREVIEW_WIDTHS:
        picture = Image.open(io.BytesIO(render(data, 1, width_px, "png")))
        seen = oracles.black_edges(picture)
        assert seen is not None
        for axis, (wanted, found) in enumerate(zip(shown, seen, strict=True)):
            assert found * size[axis % 2] == pytest.approx(wanted * size[axis % 2], abs=TOLERANCE_PT), width_px


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
    for colour in COLOURS:
        try:
            sealed, marks = stamped(data, [(1, WHERE)], colour)
        except PdfError as error:
            pytest.skip(f"refused as {error}")
        if all(marks[0].seen(data, program) is None for program in PROGRAMS):
            break  # a colour that the page does not have there
    else:
        pytest.fail("the page has all our colours there")
    for program in PROGRAMS:
        assert_there(sealed, marks[0], program)


def test_the_difficult_pages_are_known_to_be_there_or_not() -> None:
    if not GEOMETRY:
        pytest.skip("no ../shared/pdfs/geometry beside this checkout: no page but our own was tried")
    assert len(GEOMETRY) > 10

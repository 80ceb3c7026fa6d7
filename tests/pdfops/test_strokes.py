from __future__ import annotations

import io
import json
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.preview import render
from pdfops.rehearsal import blank_pdf
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder, seal
from pdfops.strokes import (
    GRID,
    LEAST_LENGTH,
    MAX_BYTES,
    MAX_POINTS,
    MAX_STROKES,
    drawn,
    normalise_strokes,
    read_strokes,
)
from tests.pdfops import oracles, samples

INK = (18, 38, 79)
PLACE = Place("mark", "somebody", 1, 100_000, 400_000, 400_000, 100_000)
BOX = (0.1, 0.4, 0.4, 0.1)
number = st.floats(-100_000, 100_000)
points = st.tuples(number, number, st.floats(0, 200, exclude_min=True)).map(list)
drawings = st.lists(st.lists(points, min_size=1, max_size=12), min_size=1, max_size=5)


def sent(strokes: Any) -> bytes:
    return json.dumps(strokes).encode()


def loop(at: tuple[float, float] = (0, 0), width: float = 2.0, size: float = 100) -> list[list[float]]:
    """A round line, drawn in forty points."""
    return [
        [at[0] + size * math.cos(2 * math.pi * i / 40), at[1] + size * math.sin(2 * math.pi * i / 40), width]
        for i in range(41)
    ]


def code_of(strokes: Any) -> str:
    with pytest.raises(PdfError) as caught:
        normalise_strokes(strokes if isinstance(strokes, bytes) else sent(strokes))
    return caught.value.code


def stamped(ink: bytes, data: bytes | None = None, texts: tuple[str, ...] = ()) -> bytes:
    prepared = prepare(data or blank_pdf(595, 842), [PLACE])
    order = SealOrder(("mark",), ink, "n", "r", samples.SIGNED_AT, {"mark": texts} if texts else {})
    return seal(prepared, order, samples.organisation())


def page(data: bytes, width_px: int = 1_200) -> Image.Image:
    return Image.open(io.BytesIO(render(data, 1, width_px, "png"))).convert("RGB")


def in_pixels(picture: Image.Image) -> tuple[int, int, int, int]:
    """Where the ink is: left, top, width, height."""
    found = oracles.mark(picture, INK)
    assert found is not None
    x, y, w, h = found
    width, height = picture.size
    return round(x * width), round(y * height), round(w * width), round(h * height)


def test_a_drawing_is_the_same_wherever_on_the_pad_it_was_made() -> None:
    here, there = normalise_strokes(sent([loop()])), normalise_strokes(sent([loop((512, 256))]))
    assert here == there
    assert max(read_strokes(here).width, read_strokes(here).height) == GRID


@given(drawings)
@settings(deadline=None, max_examples=150)
def test_whatever_is_kept_can_be_read_and_lies_within_its_size(strokes: Any) -> None:
    steps = [math.dist(a[:2], b[:2]) for stroke in strokes for a, b in pairwise(stroke)]
    if sum(steps) < LEAST_LENGTH:
        assert code_of(strokes) == "bad-image"
        return
    kept = read_strokes(normalise_strokes(sent(strokes)))
    assert max(kept.width, kept.height) == GRID
    for stroke in kept.strokes:
        for x, y, width in stroke:
            assert x - width / 2 >= -1
            assert x + width / 2 <= kept.width + 2
            assert y - width / 2 >= -1
            assert y + width / 2 <= kept.height + 2
    assert drawn(kept, b"0 G").endswith(b"S")


@pytest.mark.parametrize(
    "strokes",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[[[0,0,NaN],[100,0,1]]]",
        b"[[[0,0,1],[Infinity,0,1]]]",
        b"[[[0,0,1],[1e999,0,1]]]",
        [],
        [[]],
        [[], [[0, 0, 1], [100, 0, 1]]],
        {"strokes": [loop()]},
        [[[0, 0], [100, 0]]],
        [[[0, 0, 1, 1], [100, 0, 1, 1]]],
        [[[0, 0, "1"], [100, 0, 1]]],
        [[[0, 0, True], [100, 0, 1]]],
        [[[0, 0, None], [100, 0, 1]]],
        [[[0, 0, 0], [100, 0, 1]]],
        [[[0, 0, -1], [100, 0, 1]]],
        [[[0, 0, 201], [100, 0, 1]]],
        [[[0, 0, 1], [100_001, 0, 1]]],
        [[[0, 10**400, 1], [100, 0, 1]]],
        [[[5, 5, 2]]],
        [[[5, 5, 200]]],
        [[[5, 5, 2]], [[90, 5, 2]]],
        [[[5, 5, 2], [24, 5, 2]]],
        [[[5, 5, 2]] * 50],
    ],
    ids=[
        "empty", "cut", "deep", "nan", "infinity", "overflow", "none", "no-points", "a-stroke-of-none", "an-object",
        "no-width", "four", "text", "truth", "null", "thin", "negative", "fat", "far", "huge", "a-dot", "a-fat-dot",
        "two-dots", "short", "on-the-spot",
    ],
)  # fmt: skip
def test_what_is_no_drawing_is_refused(strokes: Any) -> None:
    assert code_of(strokes) == "bad-image"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(values.map(sent) | st.binary(max_size=60))
@settings(deadline=None, max_examples=300)
def test_anything_else_is_refused_as_no_drawing(data: bytes) -> None:
    for read in (normalise_strokes, read_strokes):
        try:
            read(data)
        except PdfError as error:
            code = error.code
        else:
            code = "taken"
        assert code in ("bad-image", "taken")


def test_too_much_of_a_drawing_is_refused() -> None:
    assert code_of([loop()] * (MAX_STROKES + 1)) == "image-too-large"
    assert code_of([loop() * (MAX_POINTS // 41 + 1)]) == "image-too-large"
    assert code_of(b" " * MAX_BYTES + sent([loop()])) == "image-too-large"


@pytest.mark.parametrize(
    "kept",
    [
        b"{}",
        b"[]",
        b'{"size":[1,1],"strokes":[]}',
        b'{"size":[1,1],"strokes":[[]]}',
        b'{"size":[1,1],"strokes":[[[1,1]]]}',
        b'{"size":[1,1],"strokes":[[[1,1,1.5]]]}',
        b'{"size":[1,10001],"strokes":[[[1,1,1]]]}',
        b'{"size":[1,1],"strokes":[[["1 0 0 RG",1,1]]]}',
    ],
)
def test_kept_strokes_of_another_shape_are_refused(kept: bytes) -> None:
    with pytest.raises(PdfError, match="bad-image"):
        read_strokes(kept)


def test_a_drawing_fills_its_box_and_keeps_its_ratio() -> None:
    found = oracles.mark(page(stamped(normalise_strokes(sent([loop((300, 300), 4)])))), INK)
    assert found is not None
    x, y, w, h = found
    assert (w * samples.A4[2]) / (h * samples.A4[3]) == pytest.approx(1, rel=0.03)
    assert h == pytest.approx(BOX[3] - 6 / 842, abs=0.003)
    assert x + w / 2 == pytest.approx(BOX[0] + BOX[2] / 2, abs=0.005)
    assert y + h / 2 == pytest.approx(BOX[1] + BOX[3] / 2, abs=0.005)


def test_a_drawing_is_lines_not_pixels_and_small() -> None:
    data = stamped(normalise_strokes(sent([loop(), loop((50, 50))])))
    assert b"/Image" not in data
    assert len(data) < len(stamped(samples.ink_png()))


def test_a_line_is_as_wide_as_the_pen_was_and_swells_with_it() -> None:
    """A straight stroke that grows from 2 to 20 of 400: its ends and its middle, measured on the page."""
    stroke = [[float(x), 100.0, 2 + 18 * x / 400] for x in range(0, 401, 20)]
    picture = page(stamped(normalise_strokes(sent([stroke]))), 3_000)
    x0, y0, w, h = in_pixels(picture)
    heights = []
    for share in (0.1, 0.5, 0.9):
        column = picture.crop((x0 + round(w * share), y0, x0 + round(w * share) + 1, y0 + h))
        heights.append(sum(1 for value in column.convert("L").tobytes() if value < 128))
    assert heights[1] / heights[0] == pytest.approx(11 / 3.8, rel=0.15)
    assert heights[2] / heights[1] == pytest.approx(18.2 / 11, rel=0.1)


def test_a_curve_has_no_corners() -> None:
    """Eight points of a circle are drawn as a circle: nowhere far from its radius."""
    stroke = [[100 * math.cos(math.pi * i / 4), 100 * math.sin(math.pi * i / 4), 2.0] for i in range(9)]
    picture = page(stamped(normalise_strokes(sent([stroke]))), 3_000).convert("L")
    x0, y0, w, h = in_pixels(picture)
    dark = [
        math.hypot(x - w / 2, y - h / 2) / (h / 2)
        for x in range(w)
        for y in range(h)
        if int(picture.getpixel((x0 + x, y0 + y)) or 0) < 128  # type: ignore[arg-type]  # grey
    ]
    assert min(dark) > 0.93
    assert max(dark) < 1.03


def test_the_dot_on_an_i_is_seen_by_both_viewers() -> None:
    data = stamped(normalise_strokes(sent([[[0, 60, 4], [0, 160, 4]], [[0, 20, 12]]])))
    for picture in (page(data, 2_400), oracles.poppler_page(data, 1, dpi=200)):
        found = oracles.mark(picture, INK)
        assert found is not None
        assert found[3] == pytest.approx(BOX[3] - 6 / 842, abs=0.003)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_drawing_stands_upright_on_a_rotated_page(rotate: int) -> None:
    """A long line below a short one, for both viewers."""
    ink = normalise_strokes(sent([[[80, 0, 6], [120, 0, 6]], [[0, 50, 6], [200, 50, 6]]]))
    data = stamped(ink, samples.rotated_cropped_pdf(rotate))
    for picture in (page(data), oracles.poppler_page(data, 1, dpi=100)):
        found = oracles.mark(picture, INK)
        assert found is not None
        x, y, w, h = found
        top = picture.crop(_part(picture, (x, y, w, h / 2)))
        bottom = picture.crop(_part(picture, (x, y + h / 2, w, h / 2)))
        widths = [(oracles.mark(half, INK) or (0, 0, 0, 0))[2] for half in (top, bottom)]
        assert widths[0] < 0.4 < 0.9 < widths[1]


def test_both_say_that_a_drawn_signature_is_valid(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), [PLACE])
    ink = workshop.normalise_strokes(sent([loop()]))
    order = SealOrder(("mark",), ink, "n", "r", samples.SIGNED_AT, {"mark": ("Zoé",)})
    assert oracles.all_well(workshop.seal(prepared, order, samples.organisation()), 1)


def test_the_child_refuses_what_is_no_drawing(workshop: Workshop) -> None:
    for strokes in (b"[[[0,0,1],[1e999,0,1]]]", b"\xff", b"[]"):
        with pytest.raises(PdfError, match="bad-image"):
            workshop.normalise_strokes(strokes)


def _part(picture: Image.Image, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    x, y, w, h = box
    width, height = picture.size
    return round(x * width) - 1, round(y * height) - 1, round((x + w) * width) + 1, round((y + h) * height) + 1

from __future__ import annotations

import io
import unicodedata

import pypdfium2 as pdfium
import pytest
from fontTools.pens.boundsPen import ControlBoundsPen
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.font import script_font, stamp_font
from pdfops.preview import render
from pdfops.rehearsal import blank_pdf
from pdfops.seal import SealOrder, seal
from pdfops.stamp import normalise_typed, undrawable
from pdfops.text import printable
from pdfops.typeset import layout
from tests.pdfops import oracles, samples

LATIN = "".join(chr(code) for code in (*range(0x20, 0x7F), *range(0xA1, 0x17F)) if code != 0xAD)
GREEK = "".join(chr(code) for code in range(0x386, 0x3CF) if unicodedata.category(chr(code)) in ("Lu", "Ll"))
CYRILLIC = "".join(chr(code) for code in range(0x400, 0x460))
texts = st.text(alphabet=LATIN + GREEK + CYRILLIC, min_size=1, max_size=60)


def test_latin_greek_and_cyrillic_are_there() -> None:
    stamp_font().require(LATIN + GREEK + CYRILLIC + "’“”«»–—…€№ắễộ")


@pytest.mark.parametrize("text", ["山田", "한국", "محمد", "שלום", "नमस्ते", "😀", "𝒵oé", "\ue000"])
def test_what_the_font_cannot_draw_is_named(text: str) -> None:
    with pytest.raises(PdfError) as caught:
        stamp_font().require(text)
    assert caught.value.code == "glyph-missing"
    assert set(str(caught.value.values["characters"])) <= set(text)


def test_what_cannot_be_drawn_can_be_asked_before() -> None:
    assert undrawable("Zoé\u202e Łukasz\n") == ""
    assert undrawable("山田 Zoé 山") == "山田"


@given(st.text(max_size=200))
def test_a_printable_line_holds_no_control_format_or_bidi_character(text: str) -> None:
    line = printable(text)
    assert not any(unicodedata.category(character)[0] == "C" for character in line)
    assert line == " ".join(line.split(" ")).strip()
    assert printable(line) == line


def test_accents_written_apart_are_composed() -> None:
    assert printable("Zoe\u0301") == "Zoé"


@given(st.lists(texts, min_size=1, max_size=6), st.floats(20, 600), st.floats(6, 300))
@settings(deadline=None, max_examples=150)
def test_any_text_fits_any_box(lines: list[str], width: float, height: float) -> None:
    font = stamp_font()
    result = layout(lines, width, height)
    assert result.size_pt > 0
    assert len(result.lines) * result.leading * result.size_pt <= height * 1.001
    assert all(font.width(line) * result.size_pt / 1000 <= width * 1.001 for line in result.lines)
    assert "".join(result.lines).replace(" ", "") == "".join(printable(line) for line in lines).replace(" ", "")


def test_long_names_wrap_before_they_shrink() -> None:
    name = "Maître Anne-Sophie de La Rochefoucauld-Montmorency"
    result = layout([name, "le 29 mars 2026"], 90, 60)
    assert len(result.lines) > 2
    assert result.size_pt > 6


def test_double_names_and_ideographs_are_broken_where_a_reader_expects_it() -> None:
    result = layout(["Anne-Sophie-de-La-Rochefoucauld-Montmorency"], 90, 60)
    assert len(result.lines) > 1
    assert all(line.endswith("-") for line in result.lines[:-1])
    assert result.size_pt > 6
    assert layout(["--- - 12-34"], 500, 60).lines == ("--- - 12-34",)


@given(st.sets(st.sampled_from(LATIN + GREEK + CYRILLIC), min_size=1, max_size=40))
@settings(deadline=None, max_examples=60)
def test_a_subset_is_a_font_with_the_same_outlines(characters: set[str]) -> None:
    whole, subset = stamp_font(), stamp_font().subset(characters)
    font = TTFont(io.BytesIO(subset.font_file), lazy=False, checkChecksums=2)
    order = font.getGlyphOrder()
    assert len(order) == len(subset.widths)
    glyphs, original = font.getGlyphSet(), whole._glyf
    for character, number in subset.glyphs.items():
        assert font["hmtx"][order[number]][0] == whole.width(character)
        theirs = original[whole._cmap[ord(character)]]
        assert font["glyf"][order[number]].getCoordinates(font["glyf"])[0] == theirs.getCoordinates(original)[0]
    assert glyphs is not None


def test_every_letter_leaves_ink_on_the_page() -> None:
    """No silent blanks: each character, alone on a stamp, is seen by pdfium."""
    for character in "AéŁßΩάЖя€№ộ’":
        prepared = prepare(samples.simple_pdf(text=""), [Place("f", "p", 1, 100_000, 500_000, 300_000, 100_000)])
        order = SealOrder(("f",), b"", "n", "r", samples.SIGNED_AT, {"f": (character,)})
        page = render(seal(prepared, order, samples.organisation()), 1, 1_800, "png")
        found = oracles.mark(Image.open(io.BytesIO(page)).crop((180, 1_260, 720, 1_530)), (0, 0, 0))
        assert found is not None, character


def test_text_on_a_stamp_is_read_back_by_a_viewer() -> None:
    line = "Zoé Łukasz Ωμέγα Жуков"
    prepared = prepare(samples.simple_pdf(), [Place("f", "p", 1, 100_000, 500_000, 500_000, 100_000)])
    order = SealOrder(("f",), b"", "n", "r", samples.SIGNED_AT, {"f": (line,)})
    document = pdfium.PdfDocument(seal(prepared, order, samples.organisation()))
    page = document[0]
    pdfium.raw.FPDFPage_Flatten(page, 0)
    text_page = document[0].get_textpage()
    assert line in text_page.get_text_bounded()
    text_page.close()
    document.close()


def test_empty_fields_do_not_change_how_the_page_looks() -> None:
    data = samples.simple_pdf()
    places = [
        Place("a", "p", 1, 100_000, 100_000, 300_000, 100_000),
        Place("b", "p", 1, 500_000, 500_000, 300_000, 100_000),
    ]
    prepared = prepare(data, places)
    assert render(prepared, 1, 600, "png") == render(data, 1, 600, "png")
    assert oracles.poppler_page(prepared, 1).tobytes() == oracles.poppler_page(data, 1).tobytes()


# ---- typed names ----
TYPED = Place("f", "p", 1, 100_000, 400_000, 400_000, 100_000)


def typed(text: str, *lines: str) -> bytes:
    order = SealOrder(
        ("f",), normalise_typed(text.encode()), "n", "r", samples.SIGNED_AT, {"f": lines} if lines else {}
    )
    return seal(prepare(blank_pdf(595, 842), [TYPED]), order, samples.organisation())


def read_back(data: bytes) -> str:
    document = pdfium.PdfDocument(data)
    pdfium.raw.FPDFPage_Flatten(document[0], 0)
    return str(document[0].get_textpage().get_text_bounded())


@pytest.mark.parametrize("name", ["Zoé Łukasz-Öztürk d’Aÿ", "Жуков", "Ωμέγα", "Nguyễn"])
def test_a_typed_name_is_text_in_an_embedded_font(name: str) -> None:
    data = typed(name)
    assert b"/Image" not in data
    assert name in read_back(data)


def test_a_typed_name_is_written_by_hand_or_else_upright_as_a_whole() -> None:
    hand, upright = script_font(), stamp_font()
    assert hand.missing(LATIN + CYRILLIC + "’–") == ""
    assert f"+{hand.name}".encode() in typed("Zoé Жуков")
    for name in ("Ωμέγα Zoé", "Nguyễn", "Zoé x\u0302"):
        data = typed(name)
        assert f"+{upright.name}".encode() in data
        assert hand.name.encode() not in data


@given(st.text(alphabet=LATIN + CYRILLIC, min_size=1, max_size=120))
@settings(deadline=None, max_examples=60)
def test_the_bounds_of_a_line_are_those_of_its_letters(text: str) -> None:
    font, x, boxes = script_font(), 0, []
    drawn = TTFont(io.BytesIO(font.font_file))
    glyphs, names = drawn.getGlyphSet(), drawn.getBestCmap()
    for character in text:
        pen = ControlBoundsPen(glyphs)
        glyphs[names[ord(character)]].draw(pen)
        if pen.bounds is not None:
            boxes.append((x + pen.bounds[0], pen.bounds[1], x + pen.bounds[2], pen.bounds[3]))
        x += font.width(character)
    expected = tuple(pick(each) for pick, each in zip((min, min, max, max), zip(*boxes, strict=True), strict=False))
    assert font.bounds(text) == pytest.approx(expected or (0, 0, 0, 0), abs=2)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_typed_name_fills_its_box_upright(rotate: int) -> None:
    order = SealOrder(("f",), normalise_typed("Łukasz".encode()), "n", "r", samples.SIGNED_AT)
    data = seal(prepare(samples.rotated_cropped_pdf(rotate), [TYPED]), order, samples.organisation())
    for picture in (Image.open(io.BytesIO(render(data, 1, 1_200, "png"))), oracles.poppler_page(data, 1, dpi=144)):
        found = oracles.mark(picture, (18, 38, 79))
        assert found is not None
        x, y, w, h = found
        assert (x + w / 2, y + h / 2) == pytest.approx((0.3, 0.45), abs=0.005)
        assert w == pytest.approx(0.4, abs=0.02) or h == pytest.approx(0.1, abs=0.02)
        assert w * picture.width > h * picture.height


@pytest.mark.parametrize(
    "sent, code",
    [
        (b"", "bad-image"),
        (b" \n\t", "bad-image"),
        ("\u202e\u200b".encode(), "bad-image"),
        (b"\xff\xfe", "bad-image"),
        (b"a" * 121, "image-too-large"),
        ("Zoé 😀".encode(), "glyph-missing"),
    ],
    ids=["empty", "blank", "invisible", "no-text", "long", "no-glyph"],
)
def test_what_is_no_typed_name_is_refused(sent: bytes, code: str) -> None:
    with pytest.raises(PdfError) as caught:
        normalise_typed(sent)
    assert caught.value.code == code


@pytest.mark.parametrize("ink", [b"{", b'{"typed":1}', b'{"typed":""}', b'{"typed":"\xff"}', b"{}"])
def test_kept_ink_of_another_shape_is_refused(ink: bytes) -> None:
    order = SealOrder(("f",), ink, "n", "r", samples.SIGNED_AT)
    with pytest.raises(PdfError, match="bad-image"):
        seal(prepare(blank_pdf(595, 842), [TYPED]), order, samples.organisation())


# ---- small and flat boxes ----
@pytest.mark.parametrize("box", [(90, 28), (500, 12), (28, 300), (200, 6)])
def test_a_stamp_of_any_proportion_keeps_inside_its_box(box: tuple[int, int]) -> None:
    w, h = (round(side * 1_000_000 / page) for side, page in zip(box, (595, 842), strict=True))
    lines = ("Anne-Sophie-de-La-Rochefoucauld-Montmorency-d’Aubigné", "le 30 novembre 2026", "Bon pour accord")
    order = SealOrder(("f",), normalise_typed(b"Anne"), "n", "r", samples.SIGNED_AT, {"f": lines})
    data = seal(
        prepare(blank_pdf(595, 842), [Place("f", "p", 1, 100_000, 300_000, w, h)]), order, samples.organisation()
    )
    picture = Image.open(io.BytesIO(render(data, 1, 2_400, "png"))).convert("L")
    found = picture.point([255] * 200 + [0] * 56).getbbox()
    assert found is not None
    pixel = 595 / picture.width
    x0, y0, x1, y1 = (side * pixel for side in found)
    assert 59.5 - 1 <= x0 <= x1 <= 59.5 + box[0] + 1
    assert 252.6 - 1 <= y0 <= y1 <= 252.6 + box[1] + 1
    shown = read_back(data).replace("\r\n", " ")
    assert all(line in shown for line in lines[1:])

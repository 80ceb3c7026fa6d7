from __future__ import annotations

import io
import unicodedata

import pypdfium2 as pdfium
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.font import stamp_font
from pdfops.preview import render
from pdfops.seal import SealOrder, seal
from pdfops.stamp import LEADING, layout, undrawable
from pdfops.text import printable
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
    assert len(result.lines) * LEADING * result.size_pt <= height * 1.001
    assert all(font.width(line) * result.size_pt / 1000 <= width * 1.001 for line in result.lines)
    assert " ".join(result.lines).split() == " ".join(printable(line) for line in lines).split()


def test_long_names_wrap_before_they_shrink() -> None:
    name = "Maître Anne-Sophie de La Rochefoucauld-Montmorency"
    result = layout([name, "le 29 mars 2026"], 90, 60)
    assert len(result.lines) > 2
    assert result.size_pt > 6


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

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTCollection, TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.font import StampFont, stamp_font
from pdfops.preview import render
from pdfops.rehearsal import blank_pdf
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder, seal
from pdfops.shaping import DEBIAN_FOLDERS, Shelf, fonts_in, use_folders
from pdfops.stamp import undrawable
from pdfops.text import printable
from pdfops.typeset import layout, pieces, width
from tests.pdfops import oracles, samples

PACKAGES = ("fontpkg_noto_sans_arabic", "fontpkg_noto_sans_devanagari")
FOLDERS = [str(resources.files(name)) for name in PACKAGES]
ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
DEVANAGARI = "कखगघचछजझटठडढतथदधनपफबभमयरलवशसह" + "ािीुूेैोौं" + "\u094d"
PLACE = Place("f", "p", 1, 100_000, 400_000, 500_000, 100_000)


@pytest.fixture(scope="module", autouse=True)
def fonts() -> Iterator[None]:
    use_folders(FOLDERS)
    yield
    use_folders(DEBIAN_FOLDERS)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(stamp_font(), fonts_in(FOLDERS))


def stamped(*lines: str, box: Place = PLACE) -> bytes:
    order = SealOrder(("f",), b"", "n", "r", samples.SIGNED_AT, {"f": lines})
    return seal(prepare(blank_pdf(595, 842), [box]), order, samples.organisation())


def read_back(data: bytes) -> str:
    document = pdfium.PdfDocument(data)
    pdfium.raw.FPDFPage_Flatten(document[0], 0)
    return str(document[0].get_textpage().get_text_bounded())


# ---- order and shape ----
def test_right_to_left_is_set_from_its_last_letter(shelf: Shelf) -> None:
    assert [cluster.text for cluster in shelf.clusters("درس")] == ["س", "ر", "د"]


def test_numbers_and_latin_keep_their_direction_inside_arabic(shelf: Shelf) -> None:
    assert "".join(cluster.text for cluster in shelf.clusters("Zoé درس 12")) == "Zoé 12 سرد"
    assert "".join(cluster.text for cluster in shelf.clusters("درس 12")) == "12 سرد"


def test_brackets_are_mirrored_from_right_to_left(shelf: Shelf) -> None:
    left, *_, right = shelf.clusters("(درس)")
    (file,) = fonts_in(FOLDERS[:1])
    alone = Shelf(StampFont(file.read_bytes(), "Alone"))
    plain = {text: alone.clusters(text)[0] for text in "()"}
    assert (left.text, right.text) == (")", "(")
    assert left.outline == plain["("].outline
    assert right.outline == plain[")"].outline


def test_arabic_letters_are_joined(shelf: Shelf) -> None:
    """The same letter looks another way alone, at the start, in the middle and at the end."""
    alone = shelf.clusters("ه")[0]
    end, middle, start = shelf.clusters("ههه")
    assert len({one.outline for one in (alone, start, middle, end)}) == 4


def test_a_joiner_that_keeps_letters_apart_is_kept() -> None:
    """A Persian name is spelled with one; between Latin letters it could only deceive."""
    spelled = "علی\u200cرضا"
    assert printable(spelled) == spelled
    assert undrawable(spelled) == ""
    assert pieces(spelled) != pieces("علیرضا")
    assert printable("Zo\u200cé\u200d") == "Zoé"
    assert printable("\u200cعلی\u200c") == "علی"


def test_a_vowel_sign_stands_where_it_is_read(shelf: Shelf) -> None:
    """The short i of Devanagari is written before its consonant: one cluster, wider than the consonant alone."""
    (cluster,) = shelf.clusters("कि")
    (consonant,) = shelf.clusters("क")
    assert cluster.text == "कि"
    assert cluster.width > consonant.width
    assert not cluster.outline.startswith(consonant.outline)


def test_an_accent_without_a_letter_of_its_own_stands_above(shelf: Shelf) -> None:
    (accented,), (letter,) = shelf.clusters("x\u0302"), shelf.clusters("x")
    assert accented.bounds[3] > letter.bounds[3] + 100
    assert accented.width == letter.width


words = st.text(alphabet=ARABIC, min_size=1, max_size=8) | st.text(alphabet="Zoé Ωж12(-)", min_size=1, max_size=8)


@given(st.lists(words, min_size=1, max_size=4))
@settings(deadline=None, max_examples=150)
def test_no_letter_is_lost_or_made(texts: list[str]) -> None:
    line = printable(" ".join(texts))
    shown = "".join(piece if isinstance(piece, str) else piece.text for piece in pieces(line)) if line else ""
    assert sorted(shown) == sorted(line)


@given(st.text(alphabet=DEVANAGARI + " ", min_size=1, max_size=20), st.floats(20, 400), st.floats(6, 200))
@settings(deadline=None, max_examples=100)
def test_tall_letters_fit_any_box(text: str, width_pt: float, height_pt: float) -> None:
    result = layout([text], width_pt, height_pt)
    assert len(result.lines) * result.leading * result.size_pt <= height_pt * 1.001
    assert all(width(line) * result.size_pt / 1000 <= width_pt * 1.001 for line in result.lines)


# ---- what is missing ----
def test_what_no_font_has_is_named_once() -> None:
    assert undrawable("محمد 山田 Zoé 山 😀") == "山田😀"
    assert undrawable("محمد क्षत्रिय x\u0302 Жуков") == ""
    with pytest.raises(PdfError) as caught:
        layout(["山田 محمد"], 100, 50)
    assert (caught.value.code, caught.value.values["characters"]) == ("glyph-missing", "山田")


@given(st.text(min_size=1, max_size=20))
@settings(deadline=None, max_examples=300)
def test_any_text_is_drawn_whole_or_refused_by_name(text: str) -> None:
    line = printable(text)
    lost = undrawable(line)
    assert set(lost) <= set(line)
    if not line or lost:
        return
    shown = [piece for piece in pieces(line) if not isinstance(piece, str)]
    for cluster in shown:
        is_seen = any(unicodedata.category(one) not in ("Zs", "Cf") for one in cluster.text)
        assert cluster.outline or not is_seen, cluster.text


def made_font(path: Path, glyphs: dict[str, bool]) -> TTFont:
    """A font of squares in PostScript outlines, and of nothing at all where ``glyphs`` says False."""
    names = [".notdef", *(f"u{ord(character):04X}" for character in glyphs)]
    builder = FontBuilder(1_000, isTTF=False)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(character): f"u{ord(character):04X}" for character in glyphs})

    def square(is_there: bool) -> T2CharStringPen:
        pen = T2CharStringPen(800, None)
        if is_there:
            pen.moveTo((100, 0))
            for point in ((100, 600), (700, 600), (700, 0)):
                pen.lineTo(point)
            pen.closePath()
        return pen

    strings = {
        name: square(is_there).getCharString() for name, is_there in zip(names, [True, *glyphs.values()], strict=True)
    }
    builder.setupCFF("Squares", {}, strings, {})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupOS2()
    builder.setupPost()
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.save(path)
    return builder.font


def test_fonts_with_postscript_outlines_and_collections_serve_too(tmp_path: Path) -> None:
    made_font(tmp_path / "Squares-Regular.otf", {"山": True})
    collection = TTCollection()
    collection.fonts = [made_font(tmp_path / "b.otf", {"田": True})]
    collection.save(tmp_path / "Squares.ttc")
    (tmp_path / "b.otf").unlink()
    shelf = Shelf(stamp_font(), fonts_in([str(tmp_path)]))
    assert shelf.missing("山田") == ""
    assert [cluster.bounds for cluster in shelf.clusters("山田")] == [(100, 0, 700, 600)] * 2


def test_a_font_that_has_a_letter_but_draws_nothing_does_not_count(tmp_path: Path) -> None:
    made_font(tmp_path / "Blanks.otf", {"山": False, "田": True})
    assert Shelf(stamp_font(), fonts_in([str(tmp_path)])).missing("山田") == "山"


def test_a_file_that_is_no_font_is_left_out(tmp_path: Path) -> None:
    for name, content in (("a.ttf", b""), ("b.otf", b"OTTO" + bytes(50)), ("c.ttc", b"<html>"), ("d.ttf", b"\0" * 99)):
        (tmp_path / name).write_bytes(content)
    assert Shelf(stamp_font(), fonts_in([str(tmp_path)])).missing("Zoé x\u0302") == ""


def test_other_styles_of_a_family_are_left_out(tmp_path: Path) -> None:
    for name in ("NotoSerif-Regular.ttf", "NotoSans-Regular.ttf", "NotoSans-Bold.ttf", "NotoSansMono-Regular.ttf",
                 "NotoColorEmoji.ttf", "NotoSans-CondensedItalic.otf", "readme.txt"):  # fmt: skip
        (tmp_path / name).touch()
    assert [path.name for path in fonts_in([str(tmp_path), "/nowhere"])] == [
        "NotoSans-Regular.ttf",
        "NotoSerif-Regular.ttf",
    ]


# ---- on the page ----
@pytest.mark.parametrize("line", ["محمد علي", "नमस्ते क्षत्रिय", "x\u0302 g\u0301", "Signé par محمد"])
def test_it_is_read_back_by_a_viewer(line: str) -> None:
    assert printable(line) in unicodedata.normalize("NFC", read_back(stamped(line)))


@pytest.mark.parametrize("line", ["محمد", "क्ष", "x\u0302"])
def test_both_viewers_show_the_same_ink(line: str) -> None:
    data = stamped(line)
    ours = oracles.mark(Image.open(io.BytesIO(render(data, 1, 2_400, "png"))), (0, 0, 0))
    theirs = oracles.mark(oracles.poppler_page(data, 1, dpi=290), (0, 0, 0))
    assert ours is not None
    assert theirs is not None
    assert ours == pytest.approx(theirs, abs=0.002)


def test_more_letters_than_one_font_holds_are_all_there() -> None:
    syllables = [a + b for a in DEVANAGARI[:25] for b in ("", "ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ", "ं")]
    lines = [" ".join(syllables[start : start + 40]) for start in range(0, len(syllables), 40)]
    assert len(set(syllables)) > 255
    assert set(syllables) <= set(read_back(stamped(*lines)).split())


# ---- in the child ----
def test_a_child_has_the_fonts_it_was_started_with() -> None:
    """They are opened before it shuts itself in: afterwards it can open nothing."""
    with Workshop(children=1, fonts=FOLDERS) as workshop:
        assert workshop.undrawable(("محمد علي", "山 Zoé", "")) == ("", "山", "")
        order = SealOrder(("f",), b"", "n", "r", samples.SIGNED_AT, {"f": ("محمد علي",)})
        sealed = workshop.seal(workshop.prepare(blank_pdf(595, 842), [PLACE]), order, samples.organisation())
        assert oracles.all_well(sealed, 1)
        assert "محمد علي" in read_back(sealed)
    with Workshop(children=1, fonts=[]) as workshop:
        assert workshop.undrawable(("محمد",)) == ("حدم",)
        with pytest.raises(PdfError, match="glyph-missing"):
            workshop.seal(workshop.prepare(blank_pdf(595, 842), [PLACE]), order, samples.organisation())

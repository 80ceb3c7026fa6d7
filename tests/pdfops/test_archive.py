"""A document that claims PDF/A and was true to it still is when it was prepared, certified and signed."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from pdfops.archive import rules_of
from pdfops.fields import Place, prepare
from pdfops.geometry import page_geometry
from pdfops.ink import FAINTEST, on_paper, raster
from pdfops.preview import render
from pdfops.reading import open_reader
from pdfops.seal import SealOrder, seal
from pdfops.stamp import normalise_typed
from pdfops.strokes import normalise_strokes
from pdfops.verify import verify
from tests.pdfops import archives, oracles, samples

SHARED = Path(__file__).parents[3] / "shared" / "pdfs" / "ordinary" / "crazyones-pdfa.pdf"
BLUE = (0, 0, 255)
INTENTS = ("RGB", "Gray", None)


def places(people: int) -> list[Place]:
    """Two each, the second one without text."""
    return [
        Place(f"p{who}{n}", f"r{who}", 1, 100_000 + 450_000 * n, 300_000 + 150_000 * who, 350_000, 90_000, n == 0)
        for who in range(people)
        for n in range(2)
    ]


def signed(data: bytes, who: int, ink: bytes | None = None) -> bytes:
    names = (f"p{who}0", f"p{who}1")
    texts = {names[0]: ("Zoé Łukaszewicz", "le 29 mars 2026", "Ωmega – Жук")}
    order = SealOrder(names, ink or samples.ink_png(), "Zoé", "Lu", samples.SIGNED_AT, texts)
    return seal(data, order, samples.organisation())


@pytest.mark.parametrize("certification", [None, "organisation"])
@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_conforming_document_conforms_after_every_step(
    part: int, intent: str | None, certification: str | None
) -> None:
    data = archives.archive_pdf(part, intent)
    assert archives.broken_clauses(data, part) == set()
    data = prepare(data, places(2), certification)
    assert archives.broken_clauses(data, part) == set()
    if certification:
        order = SealOrder((certification,), b"", "n", "", samples.SIGNED_AT, certifies=True)
        data = seal(data, order, samples.organisation())
        assert archives.broken_clauses(data, part) == set()
    for who in range(2):
        data = signed(data, who)
        assert archives.broken_clauses(data, part) == set()
    assert verify(data).is_intact
    assert oracles.all_well(data, 5 if certification else 2)


@pytest.mark.parametrize("ink", [b"[[[0,0,2],[80,30,4]],[[9,40,3]]]", "Zoé Łukasz".encode(), "Ωμέγα x\u0302".encode()])
@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize("part", [1, 2, 3])
def test_drawn_and_typed_ink_keep_a_conforming_document_conforming(part: int, intent: str | None, ink: bytes) -> None:
    """Lines, handwriting, and upright letters with one that was shaped."""
    kept = normalise_strokes(ink) if ink.startswith(b"[") else normalise_typed(ink)
    data = signed(prepare(archives.archive_pdf(part, intent), places(1)), 0, kept)
    assert archives.broken_clauses(data, part) == set()
    assert oracles.all_well(data, 1)
    found = oracles.mark(oracles.poppler_page(data, 1, 144), (18, 38, 79))
    assert found is not None
    assert found[2] > 0.2


@pytest.mark.parametrize("part", [1, 2])
def test_the_check_finds_what_an_ordinary_revision_would_break(part: int) -> None:
    """The same document without its claim gets what any other document gets."""
    data = archives.archive_pdf(part, None).replace(b"pdfaid:part", b"pdfaid:trap")
    broken = archives.broken_clauses(signed(prepare(data, places(1)), 0), part)
    clauses = {one.split()[0] for one in broken}
    if part == 1:
        assert clauses == {"6.2.3.3", "6.3.5", "6.4", "6.5.3", "6.7.3"}
    else:
        assert clauses == {"6.2.4.3", "6.2.10", "6.3.3", "6.7.3"}


@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize("part", [1, 2])
def test_stamps_are_seen_in_their_places(part: int, intent: str | None) -> None:
    """Those of buttons too, whose appearances have names there."""
    data = signed(prepare(archives.archive_pdf(part, intent), places(1)), 0, samples.block_png((300, 90), BLUE))
    geometry = page_geometry(open_reader(data).root["/Pages"]["/Kids"][0])
    for picture in (Image.open(io.BytesIO(render(data, 1, 1_190, "png"))), oracles.poppler_page(data, 1, 144)):
        for place in places(1):
            x, y, w, h = (value / 1_000_000 for value in (place.x, place.y, place.w, place.h))
            box = (x * picture.width, y * picture.height, (x + w) * picture.width, (y + h) * picture.height)
            part_of_page = picture.convert("RGB").crop(tuple(map(round, box)))  # type: ignore[arg-type]  # four numbers
            found = oracles.mark(part_of_page, BLUE)
            assert found is not None
            assert found[3] > 0.3
            assert found[0] < 6 / (w * geometry.width_pt)


def test_ink_on_paper_hides_only_where_there_is_none() -> None:
    ink = raster(samples.ink_png((61, 20)))
    colour, hidden = on_paper(ink)
    alpha = zlib.decompress(ink.alpha)
    shown = Image.frombytes("RGB", (ink.width, ink.height), zlib.decompress(colour))
    mask = Image.frombytes("1", (ink.width, ink.height), zlib.decompress(hidden))
    for y in range(ink.height):
        for x in range(ink.width):
            is_ink = alpha[y * ink.width + x] > FAINTEST
            assert bool(mask.getpixel((x, y))) is not is_ink
            if alpha[y * ink.width + x] == 0:
                assert shown.getpixel((x, y)) == (255, 255, 255)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("as_attribute", [False, True])
def test_a_claim_is_read_however_it_is_written(as_attribute: bool, encoding: str) -> None:
    data = archives.archive_pdf(2, as_attribute=as_attribute, encoding=encoding)
    assert rules_of(open_reader(data).root).part == 2


@pytest.mark.parametrize(
    "metadata",
    [
        samples.stream(b"<x/>", b"/Type /Metadata "),
        samples.stream(b"<pdfaid:part>2</pdfaid:part>", b"/Type /Metadata /Filter /FlateDecode "),
        samples.stream(b"<pdfaid:part>2</pdfaid:part>", b"/Type /Metadata /Filter /None "),
        b"<< /Type /Metadata >>",
        b"(<pdfaid:part>2</pdfaid:part>)",
        b"null",
    ],
)
def test_metadata_that_claim_nothing_or_cannot_be_read_change_nothing(metadata: bytes) -> None:
    data = samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
            metadata,
        ]
    )
    rules = rules_of(open_reader(data).root)
    assert (rules.is_archive, rules.may_be_transparent) == (False, True)


def test_a_real_archive_keeps_its_information_and_stays_valid() -> None:
    if not SHARED.exists():
        pytest.skip("no ../shared/pdfs beside this checkout: no PDF/A of somebody else's to try")
    before = SHARED.read_bytes()
    data = signed(prepare(before, places(1)), 0)
    readers = [pypdf.PdfReader(io.BytesIO(one)) for one in (before, data)]
    assert readers[0].metadata == readers[1].metadata
    assert readers[0].trailer["/Root"]["/Metadata"].get_data() == readers[1].trailer["/Root"]["/Metadata"].get_data()
    assert oracles.all_well(data, 1)

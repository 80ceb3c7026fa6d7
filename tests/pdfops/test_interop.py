"""What we sign, others read: poppler, pyHanko, OpenSSL, qpdf, pypdf and pdfium, each on every kind of output."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import pypdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw

from pdfops.fields import MILLION, Place, prepare
from pdfops.seal import SealOrder, seal
from pdfops.signer import Signer
from tests.pdfops import kinds, oracles, samples

NAMES = ("Zoé Łukaszewicz", "Αλέξανδρος Παπαδόπουλος", "Иван Жуков")


@dataclass(frozen=True)
class Case:
    """One document and who signs it. ``each``: stamps a person; ``before``: signatures that are there already."""

    document: Callable[[], bytes]
    people: int = 1
    each: int = 1
    signer: Callable[[], Signer] = samples.organisation
    before: int = 0

    @property
    def signatures(self) -> int:
        """Behind somebody else's signature every stamp is a signature of its own (see `pdfops.fields`)."""
        return self.before + self.people * (self.each if self.before else 1)


CASES = {
    "1 page": Case(samples.simple_pdf),
    "2 MB": Case(lambda: samples.sized_pdf(2_000_000)),
    "signed by a stranger": Case(samples.signed_pdf, 2, before=1),
    "signed by a stranger, several stamps": Case(samples.signed_pdf, 2, 2, before=1),
    "several stamps": Case(samples.simple_pdf, 1, 3),
    "three signatories": Case(lambda: samples.simple_pdf(3), 3),
    "three signatories, several stamps": Case(lambda: samples.simple_pdf(2), 3, 2),
    "P-256": Case(samples.simple_pdf, signer=samples.p256),
    "P-256, three signatories": Case(lambda: samples.linked_pdf(5), 3, 2, samples.p256),
    "cross-reference stream": Case(kinds.xref_stream_pdf, 2, 2),
    "hybrid cross-references": Case(kinds.hybrid_pdf, 2, 2),
    "rotated page": Case(lambda: samples.rotated_cropped_pdf(90, samples.A4, (20, 30, 500, 800)), 2),
    "tagged": Case(kinds.tagged_pdf, 2, 2),
    "form": Case(kinds.form_pdf, 2, 2),
}
every_case = pytest.mark.parametrize("name", CASES)


def places(case: Case) -> list[Place]:
    return [
        Place(f"p{who}_{n}", str(who), 1, 40_000 + 310_000 * n, 450_000 + 150_000 * who, 290_000, 90_000, n == 0)
        for who in range(case.people)
        for n in range(case.each)
    ]


@cache
def steps(name: str) -> tuple[bytes, ...]:
    """The original, the prepared document, and what it was after each signatory."""
    case = CASES[name]
    found = [case.document()]
    found.append(prepare(found[0], places(case)))
    for who in range(case.people):
        fields = tuple(f"p{who}_{n}" for n in range(case.each))
        lines = {fields[0]: (NAMES[who], "le 29 mars 2026 à 03:30", "Bon pour accord")}
        order = SealOrder(
            fields, samples.ink_png(), f"Cachet pour {NAMES[who]}", "Bon pour accord", samples.SIGNED_AT, lines
        )
        found.append(seal(found[-1], order, case.signer()))
    return tuple(found)


@every_case
def test_every_step_begins_with_all_that_was_there(name: str) -> None:
    assert all(after.startswith(before) for before, after in pairwise(steps(name)))


@every_case
def test_poppler_and_pyhanko_hold_every_signature_for_valid(name: str) -> None:
    assert oracles.all_well(steps(name)[-1], CASES[name].signatures)


@every_case
def test_openssl_holds_every_signature_for_one_over_the_bytes_it_covers(name: str) -> None:
    signatures = oracles.detached(steps(name)[-1])
    assert len(signatures) == CASES[name].signatures
    assert all(map(oracles.openssl, signatures))


@pytest.mark.parametrize("name", ["1 page", "P-256"])
def test_openssl_sees_a_byte_that_is_not_what_was_signed(name: str) -> None:
    (signature,) = oracles.detached(steps(name)[-1])
    middle = len(signature.covered) // 2
    other = bytes([signature.covered[middle] ^ 1])
    changed = signature.covered[:middle] + other + signature.covered[middle + 1 :]
    assert not oracles.openssl(oracles.Detached(signature.cms, changed))


@every_case
def test_qpdf_finds_nothing_wrong_that_was_not_wrong_before(name: str) -> None:
    known = oracles.qpdf_complaints(steps(name)[0])
    for after in steps(name)[1:]:
        assert oracles.qpdf_complaints(after) <= known


def test_qpdf_would_complain() -> None:
    spoilt = steps("1 page")[-1].replace(b"startxref", b"startxrfe")
    assert oracles.qpdf_complaints(spoilt)


@every_case
def test_other_readers_read_the_same_pages(name: str) -> None:
    before, after = steps(name)[0], steps(name)[-1]
    assert pypdf_texts(after) == pypdf_texts(before)
    assert pdfium_texts(after) == pdfium_texts(before)


@every_case
def test_pages_look_as_before_outside_the_stamps(name: str) -> None:
    case, before, after = CASES[name], steps(name)[0], steps(name)[-1]
    for page in range(1, len(pypdf_texts(before)) + 1):
        hidden = places(case) if page == 1 else []
        for picture in (oracles.pdfium_page, oracles.poppler_page):
            old, new = picture(before, page), picture(after, page)
            assert without(new, hidden).tobytes() == without(old, hidden).tobytes(), picture
            assert not hidden or new.tobytes() != old.tobytes(), picture


def pypdf_texts(data: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def pdfium_texts(data: bytes) -> list[str]:
    document = pdfium.PdfDocument(data)
    texts = []
    for number in range(len(document)):
        page = document[number]
        text = page.get_textpage()
        texts.append(text.get_text_bounded())
        text.close()
        page.close()
    document.close()
    return texts


def without(picture: Image.Image, hidden: list[Place]) -> Image.Image:
    """The picture with these places painted over, and a pixel around each."""
    covered = picture.copy()
    for place in hidden:
        left, right = (value / MILLION * picture.width for value in (place.x, place.x + place.w))
        top, bottom = (value / MILLION * picture.height for value in (place.y, place.y + place.h))
        ImageDraw.Draw(covered).rectangle((left - 1, top - 1, right + 1, bottom + 1), "white")
    return covered

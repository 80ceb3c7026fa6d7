"""A document that the organisation certified at launch: it is signed all the same, and nothing else is done to it."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest

from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from tests.pdfops import oracles, samples

FIELD = "organisation"


def places(people: int, each: int = 1) -> list[Place]:
    return [
        Place(f"p{who}_{n}", f"r{who}", 1, 100_000 + 270_000 * n, 80_000 + 150_000 * who, 250_000, 90_000, n == 0)
        for who in range(people)
        for n in range(each)
    ]


def certifying(field: str = FIELD) -> SealOrder:
    return SealOrder((field,), b"", "Mairie d'Étampes", "", samples.SIGNED_AT, certifies=True)


def signing(who: int, each: int = 1) -> SealOrder:
    names = tuple(f"p{who}_{n}" for n in range(each))
    return SealOrder(names, samples.ink_png((60, 20)), "Zoé", "Lu", samples.SIGNED_AT, {names[0]: ("Zoé",)})


def certified(workshop: Workshop, data: bytes, people: int = 1, each: int = 1) -> bytes:
    return workshop.seal(workshop.prepare(data, places(people, each), FIELD), certifying(), samples.organisation())


def catalogue(data: bytes) -> Any:
    return pypdf.PdfReader(io.BytesIO(data)).trailer["/Root"]


@pytest.mark.parametrize("each", [1, 3])
def test_every_signature_of_a_certified_document_stays_valid(workshop: Workshop, each: int) -> None:
    data = certified(workshop, samples.simple_pdf(2), 3, each)
    assert oracles.all_well(data, 1)
    for who in range(3):
        before = data
        data = workshop.seal(before, signing(who, each), samples.organisation())
        assert data.startswith(before)
        assert oracles.all_well(data, 1 + each * (who + 1))
        found = workshop.verify(data)
        assert found.is_intact
        assert found.changes == ()
        assert found.signatures[0].field == FIELD


def test_it_says_that_only_forms_may_be_filled_in(workshop: Workshop) -> None:
    data = certified(workshop, samples.simple_pdf())
    signature = catalogue(data)["/Perms"]["/DocMDP"]
    assert signature["/Type"] == "/Sig"
    (reference,) = signature["/Reference"]
    assert reference["/TransformMethod"] == "/DocMDP"
    assert (reference["/TransformParams"]["/P"], reference["/TransformParams"]["/V"]) == (2, "/1.2")


def test_other_permissions_of_the_document_are_kept(workshop: Workshop) -> None:
    data = samples.simple_pdf().replace(b"/Type /Catalog", b"/Type /Catalog /Perms << /UR3 << /Type /Sig >> >>")
    assert set(catalogue(certified(workshop, samples.rebuilt(data)))["/Perms"]) == {"/UR3", "/DocMDP"}


def test_the_certification_shows_nothing_and_every_place_is_a_signature(workshop: Workshop) -> None:
    before = samples.simple_pdf(2)
    data = certified(workshop, before, 2, 2)
    assert workshop.preview(data, 1, 300, "png") == workshop.preview(before, 1, 300, "png")
    fields = pypdf.PdfReader(io.BytesIO(data)).get_fields() or {}
    assert {field["/FT"] for field in fields.values()} == {"/Sig"}
    assert len(fields) == 5


def test_nothing_is_prepared_in_it_again(workshop: Workshop) -> None:
    data = certified(workshop, samples.simple_pdf())
    for attempt in (lambda: workshop.inspect(data), lambda: workshop.prepare(data, [places(2)[1]])):
        with pytest.raises(PdfError) as caught:
            attempt()
        assert (caught.value.code, caught.value.values["permission"]) == ("certified", 2)


def test_a_document_that_somebody_signed_is_not_certified(workshop: Workshop) -> None:
    data = samples.signed_pdf()
    with pytest.raises(PdfError, match="already-signed"):
        workshop.prepare(data, places(1), FIELD)
    prepared = workshop.prepare(data, [*places(1), Place(FIELD, "o", 1, 600_000, 600_000, 100_000, 100_000)])
    with pytest.raises(PdfError, match="already-signed"):
        workshop.seal(prepared, certifying(), samples.organisation())


def test_a_button_in_a_certified_document_is_not_filled_in(workshop: Workshop) -> None:
    """Whether P=2 allows it is a matter of opinion among readers."""
    prepared = workshop.prepare(samples.simple_pdf(), [*places(1, 2), Place(FIELD, "o", 1, 0, 0, 100_000, 100_000)])
    data = workshop.seal(prepared, certifying(), samples.organisation())
    with pytest.raises(PdfError, match="certified"):
        workshop.seal(data, signing(0, 2), samples.organisation())
    assert oracles.all_well(workshop.seal(data, signing(0), samples.organisation()), 2)


@pytest.mark.parametrize("permission", [1, 2, 3])
def test_of_a_strangers_certification_only_the_strictest_forbids_to_sign_a_field_that_is_there(
    workshop: Workshop, permission: int
) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1))
    data = samples.certified_pdf(permission, prepared)
    if permission == 1:
        with pytest.raises(PdfError, match="certified"):
            workshop.seal(data, signing(0), samples.organisation())
    else:
        assert oracles.all_well(workshop.seal(data, signing(0), samples.organisation()), 2)


def test_a_document_is_certified_by_one_signature_alone() -> None:
    with pytest.raises(ValueError, match="once"):
        SealOrder(("a", "b"), b"", "n", "r", samples.SIGNED_AT, certifies=True)


def test_a_certification_needs_the_name_of_a_field(workshop: Workshop) -> None:
    for name in ("", "a b", "p0_0"):
        with pytest.raises(PdfError):
            workshop.prepare(samples.simple_pdf(), places(1), name)

"""Documents that others signed before they came to us: we only append, and every signature of theirs stays valid."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pypdf
import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, fields
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps import DummyTimeStamper

from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from tests.pdfops import archives, oracles, samples
from tests.pdfops.test_forms import form_pdf, signed_by_a_stranger, with_signature_field
from tests.pdfops.test_structure import tagged

SHARED = sorted((Path(__file__).parents[3] / "shared" / "pdfs" / "signed").glob("*.pdf"))


def with_field(data: bytes, field: str, signs: bool = True, **metadata: Any) -> bytes:
    """Signed by a stranger in a field that he adds, visibly."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    count = data.count(b"/FT /Sig")
    spec = fields.SigFieldSpec(field, box=(50, 50 + 60 * count, 200, 90 + 60 * count))
    if not signs:
        fields.append_signature_field(writer, spec)
        output = io.BytesIO()
        writer.write(output)
        return output.getvalue()
    signer = PdfSigner(
        PdfSignatureMetadata(field_name=field, subfilter=fields.SigSeedSubFilter.PADES, **metadata),
        signer=samples.stranger(),
        new_field_spec=spec,
    )
    return bytes(signer.sign_pdf(writer).getvalue())


def twice(data: bytes | None = None) -> bytes:
    """By two strangers, one after the other."""
    return with_field(with_field(data or samples.simple_pdf(3), "First"), "Second")


def with_catalogue(entries: bytes) -> bytes:
    return samples.rebuilt(samples.simple_pdf(2).replace(b"/Type /Catalog", b"/Type /Catalog " + entries))


def in_prepared_fields() -> bytes:
    """By two strangers, in fields that were there before either of them signed; a third one is still empty."""
    data = samples.simple_pdf(2)
    for name in ("First", "Second", "Third"):
        data = with_field(data, name, signs=False)
    return signed_by_a_stranger(signed_by_a_stranger(data, "First"), "Second")


def timestamped() -> bytes:
    """By a stranger, and by a timestamp of the document behind it."""
    writer = IncrementalPdfFileWriter(io.BytesIO(with_field(samples.simple_pdf(2), "First")), strict=False)
    stranger = samples.stranger()
    authority = DummyTimeStamper(tsa_cert=stranger.signing_cert, tsa_key=stranger.signing_key)
    return bytes(PdfTimeStamper(authority).timestamp_pdf(writer, "sha256").getvalue())


SIGNED = {
    "by one": lambda: with_field(samples.simple_pdf(2), "First"),
    "by two": twice,
    "in fields that were prepared": in_prepared_fields,
    "a form": lambda: with_field(form_pdf(), "First"),
    "a form, in its own field": lambda: signed_by_a_stranger(with_signature_field(), "theirs"),
    "tagged": lambda: twice(tagged()),
    "a PDF/A": lambda: twice(archives.archive_pdf(2)),
    "with an outline and links": lambda: twice(samples.linked_pdf(3)),
    "opening at a page": lambda: twice(with_catalogue(b"/OpenAction [4 0 R /Fit]")),
    "with named places": lambda: twice(
        with_catalogue(b"/Dests << /a [4 0 R /Fit] >> /Names << /Dests << /Names [(a) [4 0 R /Fit]] >> >>")
    ),
    "turned": lambda: twice(samples.rotated_cropped_pdf(90, crop=(40, 60, 555, 800))),
}


def places(people: int, each: int) -> list[Place]:
    return [
        Place(f"p{who}{n}", f"r{who}", 1, 80_000 + 300_000 * n, 100_000 + 150_000 * who, 250_000, 90_000, n == 0)
        for who in range(people)
        for n in range(each)
    ]


def signing(who: int, each: int) -> SealOrder:
    names = tuple(f"p{who}{n}" for n in range(each))
    return SealOrder(names, samples.ink_png((60, 20)), "Zoé", "Lu", samples.SIGNED_AT, {names[0]: ("Zoé",)})


@pytest.mark.parametrize("how", SIGNED)
def test_all_signatures_stay_valid_whoever_made_them(workshop: Workshop, how: str) -> None:
    data = SIGNED[how]()
    before = len(oracles.poppler(data))
    assert oracles.all_well(data, before)
    prepared = workshop.prepare(data, places(2, 3))
    assert prepared.startswith(data)
    assert all(one.is_valid for one in oracles.poppler(prepared))
    assert all(is_well for is_well, _level in oracles.library(prepared).values())
    now = prepared
    for who in range(2):
        former, now = now, workshop.seal(now, signing(who, 3), samples.organisation())
        assert now.startswith(former)
        assert oracles.all_well(now, before + 3 * (who + 1))
        assert workshop.verify(now).is_intact
    assert now.startswith(data)


def test_a_documents_timestamp_stays_valid(workshop: Workshop) -> None:
    data = timestamped()
    now = workshop.prepare(data, places(1, 2))
    now = workshop.seal(now, signing(0, 2), samples.organisation())
    found = workshop.verify(now)
    assert found.is_intact
    assert [one.is_timestamp for one in found.signatures] == [False, True, False, False]
    ours = [one for one in oracles.poppler(now) if one.field in ("p00", "p01")]
    assert [one.is_valid for one in ours] == [True, True]


def test_an_empty_field_of_theirs_is_signed_by_them_afterwards(workshop: Workshop) -> None:
    data = workshop.prepare(in_prepared_fields(), places(1, 2))
    data = workshop.seal(data, signing(0, 2), samples.organisation())
    assert "/V" not in (pypdf.PdfReader(io.BytesIO(data)).get_fields() or {})["Third"]
    data = signed_by_a_stranger(data, "Third")
    assert oracles.all_well(data, 5)
    assert workshop.verify(data).is_intact


def test_a_signature_that_was_broken_before_stays_so_and_hides_nothing(workshop: Workshop) -> None:
    data = twice().replace(b"(Convention 1)", b"(Konvention 1)")
    assert workshop.verify(data).integrity == "broken"
    now = workshop.seal(workshop.prepare(data, places(1, 1)), signing(0, 1), samples.organisation())
    found = workshop.verify(now)
    assert [one.state for one in found.signatures] == ["broken", "broken", "intact"]
    assert found.integrity == "broken"


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_signed_documents_of_other_programs_keep_what_their_signatures_are_worth(
    workshop: Workshop, path: Path
) -> None:
    """Those that the library itself wrote or collected for its tests."""
    data = path.read_bytes()
    former = {one.field: one.integrity for one in workshop.verify(data).signatures}
    try:
        prepared = workshop.prepare(data, places(1, 2))
    except PdfError as error:
        if error.code in ("certified", "encrypted", "damaged"):
            return
        raise
    now = workshop.seal(prepared, signing(0, 2), samples.organisation())
    assert now.startswith(data)
    found = {one.field: one.integrity for one in workshop.verify(now).signatures}
    assert {name: verdict for name, verdict in found.items() if name in former} == former
    assert (found["p00"], found["p01"]) == ("intact", "intact")


def test_the_signed_documents_of_others_are_known_to_be_there_or_not() -> None:
    if not SHARED:
        pytest.skip("no ../shared/pdfs/signed beside this checkout: nobody else's signatures to keep valid")
    assert len(SHARED) > 5

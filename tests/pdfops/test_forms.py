"""Documents that bring a form: what was there stays as it was, usable, and shows what it showed."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest
from PIL import Image, ImageChops
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, fields

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.inspect import inspect
from pdfops.preview import render
from pdfops.seal import SealOrder, seal
from pdfops.verify import verify
from tests.pdfops import oracles, samples
from tests.pdfops.tampering import body_of, number_of, revision

PLACES = [Place("ours", "r0", 1, 500_000, 100_000, 300_000, 90_000)]
SHOWN = b"/AP << /N 6 0 R >> "


def form_pdf(
    form: bytes = b"", field: bytes = SHOWN, catalogue: bytes = b"", listed: bytes = b"[5 0 R 7 0 R]"
) -> bytes:
    """A text field with a value, a group of two fields, and an empty signature field of the document's own."""
    widget = b"<< /Type /Annot /Subtype /Widget /F 4 /P 4 0 R /DA (/F1 12 Tf 0 g) /Rect [72 %d 272 %d] "
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm 11 0 R %s>>" % catalogue,
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Type /Page /Parent 2 0 R /Annots [5 0 R 8 0 R 9 0 R 10 0 R] >>",
            widget % (500, 520) + b"/FT /Tx /T (amount) /V (1 000 euros) %s>>" % field,
            samples.stream(
                b"BT /F1 12 Tf 0 g 2 5 Td (1 000 euros) Tj ET",
                b"/Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F1 3 0 R >> >> ",
            ),
            b"<< /T (group) /FT /Tx /Kids [8 0 R 9 0 R] >>",
            widget % (400, 420) + b"/T (one) /Parent 7 0 R >>",
            widget % (300, 320) + b"/T (two) /Parent 7 0 R >>",
            widget % (200, 220) + b"/FT /Sig /T (theirs) >>",
            b"<< /Fields %s /DA (/F1 12 Tf 0 g) /DR << /Font << /F1 3 0 R >> >> %s>>" % (listed, form),
        ]
    )


def with_signature_field() -> bytes:
    return form_pdf(listed=b"[5 0 R 7 0 R 10 0 R]")


def sealed(data: bytes) -> bytes:
    order = SealOrder(("ours",), samples.ink_png((60, 20)), "Zoé", "Lu", samples.SIGNED_AT)
    return seal(data, order, samples.organisation())


def form_of(data: bytes) -> Any:
    return pypdf.PdfReader(io.BytesIO(data)).trailer["/Root"]["/AcroForm"]


def looks_the_same(one: bytes, other: bytes) -> bool:
    pairs = (
        tuple(Image.open(io.BytesIO(render(data, 1, 595, "png"))).convert("RGB") for data in (one, other)),
        tuple(oracles.poppler_page(data, 1) for data in (one, other)),
    )
    return all(ImageChops.difference(*pair).getbbox() is None for pair in pairs)


def signed_by_a_stranger(data: bytes, field: str) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    metadata = PdfSignatureMetadata(field_name=field, subfilter=fields.SigSeedSubFilter.PADES)
    return bytes(PdfSigner(metadata, samples.stranger()).sign_pdf(writer).getvalue())


@pytest.mark.parametrize("listed", [b"[5 0 R 7 0 R]", b"[]"])
def test_a_form_keeps_its_fields_and_its_defaults(listed: bytes) -> None:
    before = form_pdf(listed=listed)
    data = sealed(prepare(before, PLACES))
    old, new = form_of(before), form_of(data)
    assert new["/DA"] == old["/DA"]
    assert new["/DR"]["/Font"].raw_get("/F1").idnum == 3
    assert [one.idnum for one in new["/Fields"]][:-1] == [one.idnum for one in old["/Fields"]]
    assert new["/SigFlags"] == 3
    assert oracles.all_well(data, 1)


def test_fields_of_a_group_are_filled_in_between_two_signatures() -> None:
    places = [*PLACES, Place("later", "r1", 1, 500_000, 300_000, 300_000, 90_000)]
    data = sealed(prepare(form_pdf(), places))
    number = number_of(data, b"/T (two)")
    filled = revision(data, {number: body_of(data, number).replace(b"/T (two)", b"/T (two) /V (yes)")})
    order = SealOrder(("later",), b"", "n", "r", samples.SIGNED_AT, {"later": ("Zoé",)})
    found = verify(seal(filled, order, samples.organisation()))
    assert found.integrity == "intact"
    assert [(one.kind, one.subject) for one in found.changes or ()] == [("field-filled", "group.two")]


def test_an_empty_signature_field_of_the_document_stays_empty_and_usable() -> None:
    data = sealed(prepare(with_signature_field(), PLACES))
    fields_now = pypdf.PdfReader(io.BytesIO(data)).get_fields() or {}
    assert "/V" not in fields_now["theirs"]
    assert oracles.all_well(data, 1)
    again = signed_by_a_stranger(data, "theirs")
    assert oracles.all_well(again, 2)
    assert verify(again).is_intact


def test_it_stays_usable_in_a_document_that_is_certified() -> None:
    prepared = prepare(with_signature_field(), PLACES, "organisation")
    order = SealOrder(("organisation",), b"", "n", "", samples.SIGNED_AT, certifies=True)
    data = sealed(seal(prepared, order, samples.organisation()))
    again = signed_by_a_stranger(data, "theirs")
    assert oracles.all_well(again, 3)
    assert verify(again).is_intact


@pytest.mark.parametrize("name", ["amount", "group"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(PdfError, match="field-taken") as caught:
        prepare(form_pdf(), [Place(name, "r0", 1, 0, 0, 100_000, 100_000)])
    assert caught.value.values == {"field": name}


def test_a_name_that_is_taken_in_another_encoding_is_refused() -> None:
    data = form_pdf().replace(b"/T (amount)", b"/T <FEFF006F007500720073>")
    with pytest.raises(PdfError, match="field-taken"):
        prepare(samples.rebuilt(data), PLACES)


def test_a_name_within_a_group_is_another_name() -> None:
    data = prepare(form_pdf(), [Place("one", "r0", 1, 0, 0, 100_000, 100_000)])
    assert {"one", "group.one"} <= set(pypdf.PdfReader(io.BytesIO(data)).get_fields() or {})


@pytest.mark.parametrize(
    ("field", "is_dropped"),
    [(SHOWN, True), (b"", False), (b"/AP << >> ", False), (b"/AP << /D 6 0 R >> ", False)],
)
def test_readers_are_told_to_draw_fields_anew_only_where_they_have_to(field: bytes, is_dropped: bool) -> None:
    before = form_pdf(b"/NeedAppearances true ", field)
    data = sealed(prepare(before, PLACES))
    assert ("/NeedAppearances" not in form_of(data)) is is_dropped
    assert oracles.all_well(data, 1)
    assert looks_the_same(prepare(before, PLACES), form_pdf(b"", field) if is_dropped else before)


def test_a_form_that_somebody_signed_is_not_told_otherwise() -> None:
    data = samples.signed_pdf(form_pdf(b"/NeedAppearances true "))
    assert ("/NeedAppearances" in form_of(sealed(prepare(data, PLACES)))) is ("/NeedAppearances" in form_of(data))
    assert verify(sealed(prepare(data, PLACES))).changes == ()


XFA = b"/XFA [(template) 6 0 R] "


@pytest.mark.parametrize(
    "data",
    [
        form_pdf(XFA, catalogue=b"/NeedsRendering true "),
        form_pdf(catalogue=b"/NeedsRendering true "),
        form_pdf(XFA, listed=b"[]"),
        form_pdf(XFA, listed=b"null"),
        samples.signed_pdf(form_pdf(XFA)),
    ],
    ids=["made at opening", "made at opening, its form elsewhere", "no fields", "no list of fields", "signed"],
)
def test_a_form_that_shows_its_readers_something_else_is_refused(data: bytes) -> None:
    for attempt in (lambda: inspect(data), lambda: prepare(data, PLACES)):
        with pytest.raises(PdfError) as caught:
            attempt()
        assert caught.value.code == "xfa-form"


def test_a_form_with_pages_of_its_own_loses_its_xfa_part_and_nothing_else() -> None:
    before = form_pdf(XFA)
    assert inspect(before).has_form
    prepared = prepare(before, PLACES)
    assert set(form_of(before)) - set(form_of(prepared)) == {"/XFA"}
    assert looks_the_same(prepared, before)
    assert oracles.all_well(sealed(prepared), 1)

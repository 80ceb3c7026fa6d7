"""Several signatories, several stamps: every signature stays valid, for us and for two other programs."""

from __future__ import annotations

import io
from pathlib import Path

import pypdf
import pytest
from cryptography import x509

from pdfops.check import check_seal
from pdfops.cms_seal import reserved_bytes
from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.sandbox import Workshop
from pdfops.seal import MAX_GROWTH_BYTES, SealOrder, Unsigned, close, draw_up, seal
from pdfops.signer import KeySigner, make_organisation_certificate
from pdfops.verify import verify
from tests.pdfops import oracles, samples

SHARED = Path(__file__).parents[3] / "shared" / "pdfs"
SHARED_FILES = sorted(SHARED.glob("*/*.pdf"))
NO_SECOND_OPINION = {"struct-tree-circular-ref.pdf"}
"""pyHanko's difference analysis gives up on these before it looks at a signature."""

PEOPLE = ("Zoé Łukaszewicz", "Αλέξανδρος Παπαδόπουλος", "Иван Жуков")


def places(people: int, each: int = 1, page: int = 1) -> list[Place]:
    return [
        Place(
            f"p{who}_{n}",
            f"person-{who}",
            page,
            100_000 + 270_000 * n,
            80_000 + 150_000 * who,
            250_000,
            90_000,
            n == 0,
        )
        for who in range(people)
        for n in range(each)
    ]


def order(who: int, each: int = 1, ink: bytes | None = None) -> SealOrder:
    name = PEOPLE[who]
    names = tuple(f"p{who}_{n}" for n in range(each))
    return SealOrder(
        fields=names,
        ink=samples.ink_png() if ink is None else ink,
        texts={names[0]: (name, "le 29 mars 2026 à 03:30", "Bon pour accord")},
        name=f"Cachet de l'organisation, apposé pour {name}",
        reason="Bon pour accord",
        location="Étampes",
        signing_time=samples.SIGNED_AT,
    )


@pytest.mark.parametrize("people", [1, 2, 3])
@pytest.mark.parametrize("each", [1, 3])
def test_every_signature_stays_valid(workshop: Workshop, people: int, each: int) -> None:
    data = workshop.prepare(samples.simple_pdf(2), places(people, each))
    for who in range(people):
        before = data
        data = workshop.seal(before, order(who, each), samples.organisation())
        assert data.startswith(before)
        assert oracles.all_well(data, who + 1)
    verdicts = workshop.verify(data)
    assert verdicts.is_intact
    assert [one.field for one in verdicts.signatures] == [f"p{who}_0" for who in range(people)]
    assert [one.later for one in verdicts.signatures] == ["signatures"] * (people - 1) + ["nothing"]
    assert {one.signer for one in verdicts.signatures} == {"Mairie d'Étampes"}
    assert {one.signed_at for one in verdicts.signatures} == {samples.SIGNED_AT}


def test_one_seal_is_one_revision(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1, 3))
    sealed = workshop.seal(prepared, order(0, 3), samples.organisation())
    assert sealed[len(prepared) :].count(b"startxref") == 1
    assert workshop.verify(sealed).revisions == 3


def test_what_later_signatories_fill_in_counts_as_filling_in(workshop: Workshop) -> None:
    data = workshop.prepare(samples.simple_pdf(), places(2, 2))
    for who in range(2):
        data = workshop.seal(data, order(who, 2), samples.organisation())
    levels = {field: level for field, (_well, level) in oracles.library(data).items()}
    assert levels["p0_0"] is not None
    assert levels["p0_0"].name == "FORM_FILLING"
    assert levels["p1_0"] is not None
    assert levels["p1_0"].name == "NONE"


def test_the_signature_says_what_was_asked_for(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1))
    sealed = workshop.seal(prepared, order(0), samples.organisation())
    signature = pypdf.PdfReader(io.BytesIO(sealed)).get_fields()["p0_0"]["/V"]
    assert signature["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature["/Name"] == f"Cachet de l'organisation, apposé pour {PEOPLE[0]}"
    assert (signature["/Reason"], signature["/Location"]) == ("Bon pour accord", "Étampes")


def test_the_text_of_a_stamp_can_be_searched(workshop: Workshop) -> None:
    data = workshop.prepare(samples.simple_pdf(), places(3))
    for who in range(3):
        data = workshop.seal(data, order(who), samples.organisation())
    page = pypdf.PdfReader(io.BytesIO(data)).pages[0]
    for who, annotation in enumerate(page["/Annots"]):
        form = annotation.get_object()["/AP"]["/N"].get_object()
        font = form["/Resources"]["/Font"]["/Text"]
        mapping = font["/ToUnicode"].get_object().get_data().decode("ascii")
        for character in PEOPLE[who].replace(" ", ""):
            assert f"<{ord(character):04X}>" in mapping


def test_a_document_others_signed_before_stays_valid(workshop: Workshop) -> None:
    data = workshop.prepare(samples.signed_pdf(), places(2))
    assert oracles.library(data)["Stranger"][0]
    for who in range(2):
        data = workshop.seal(data, order(who), samples.organisation())
        assert oracles.all_well(data, who + 2)
    assert workshop.inspect(data).signers == ("Quelqu'un d'autre", "Mairie d'Étampes", "Mairie d'Étampes")


def test_in_a_document_others_signed_every_stamp_is_a_signature(workshop: Workshop) -> None:
    """Only signature fields may be added behind somebody's signature; an unsigned one must not change later."""
    data = workshop.prepare(samples.signed_pdf(), places(2, 2))
    for who in range(2):
        data = workshop.seal(data, order(who, 2), samples.organisation())
        assert oracles.all_well(data, 1 + 2 * (who + 1))


def test_a_p256_key_seals_too(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1))
    assert oracles.all_well(workshop.seal(prepared, order(0), samples.p256()), 1)


def test_a_key_and_somebody_elses_certificate_are_no_signer() -> None:
    key_pem, _ = make_organisation_certificate("A")
    _, certificate_pem = make_organisation_certificate("B")
    with pytest.raises(ValueError, match="does not belong"):
        KeySigner(key_pem, certificate_pem)


def test_the_organisation_certificate_can_sign_documents_and_nothing_else() -> None:
    _, pem = make_organisation_certificate("Mairie  d'Étampes " + "x" * 100)
    certificate = x509.load_pem_x509_certificate(pem)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert not usage.key_cert_sign
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.public_key().key_size == 3072  # type: ignore[union-attr]  # an RSA key
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 3_652


def test_a_filled_field_is_not_filled_again(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1))
    sealed = workshop.seal(prepared, order(0), samples.organisation())
    with pytest.raises(PdfError, match="field-missing"):
        workshop.seal(sealed, order(0), samples.organisation())


def test_a_field_that_is_not_there_is_not_made(workshop: Workshop) -> None:
    with pytest.raises(PdfError, match="field-missing"):
        workshop.seal(samples.simple_pdf(), order(0), samples.organisation())


def test_a_missing_glyph_is_refused_and_named(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1))
    wrong = SealOrder(("p0_0",), samples.ink_png(), "n", "r", samples.SIGNED_AT, {"p0_0": ("山田 太郎 𝒵",)})
    with pytest.raises(PdfError) as caught:
        workshop.seal(prepared, wrong, samples.organisation())
    assert caught.value.code == "glyph-missing"
    assert set(str(caught.value.values["characters"])) == set("山田太郎𝒵")


def test_control_and_bidi_characters_leave_no_trace(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1))
    sly = "Zoé\u202e\u2066\u200b\x07\r\n%(name)s\u0000"
    given = SealOrder(("p0_0",), samples.ink_png(), sly, sly, samples.SIGNED_AT, {"p0_0": (sly,)})
    sealed = workshop.seal(prepared, given, samples.organisation())
    assert oracles.all_well(sealed, 1)
    assert pypdf.PdfReader(io.BytesIO(sealed)).get_fields()["p0_0"]["/V"]["/Name"] == "Zoé %(name)s"


@pytest.mark.parametrize("permission", [1, 2, 3])
def test_a_certified_document_is_refused(workshop: Workshop, permission: int) -> None:
    data = samples.certified_pdf(permission)
    for attempt in (lambda: workshop.inspect(data), lambda: workshop.prepare(data, places(1))):
        with pytest.raises(PdfError) as caught:
            attempt()
        assert caught.value.code == "certified"
        assert caught.value.values["permission"] == permission


@pytest.mark.parametrize(
    ("action", "names", "is_refused"),
    [
        ("All", [], True),
        ("Include", ["p0_0"], True),
        ("Include", ["somebody_elses"], False),
        ("Exclude", ["somebody_elses"], True),
        ("Exclude", ["p0_0"], False),
    ],
)
def test_locked_fields_are_respected(workshop: Workshop, action: str, names: list[str], is_refused: bool) -> None:
    data = samples.locked_pdf(action, names)
    if is_refused:
        with pytest.raises(PdfError, match="certified"):
            workshop.prepare(data, places(1))
        return
    sealed = workshop.seal(workshop.prepare(data, places(1)), order(0), samples.organisation())
    assert oracles.all_well(sealed, 2)


def test_the_parent_signs_no_range_it_was_talked_into() -> None:
    """A child that lies about the hole, or names two, gets no signature."""
    signer = samples.organisation()
    data = prepare(samples.simple_pdf(), places(1))
    honest = draw_up(data, order(0), reserved_bytes(signer))
    lies = [
        Unsigned(honest.tail, honest.hole_start + 2, honest.hole_end),
        Unsigned(honest.tail, honest.hole_start, honest.hole_end - 2),
        Unsigned(honest.tail, 0, 100),
        Unsigned(honest.tail + b" ", honest.hole_start, honest.hole_end),
        Unsigned(honest.tail + b"/ByteRange [0 1 2 3]", honest.hole_start, honest.hole_end),
        Unsigned(honest.tail.replace(b"/ByteRange [0 ", b"/ByteRange [1 "), honest.hole_start, honest.hole_end),
    ]
    for lie in lies:
        with pytest.raises(PdfError, match="not-verified"):
            close(data, lie, signer)
    with pytest.raises(PdfError, match="too-much-growth"):
        close(data, Unsigned(honest.tail + bytes(MAX_GROWTH_BYTES), honest.hole_start, honest.hole_end), signer)


def test_a_spoilt_output_does_not_pass_the_check() -> None:
    prepared = prepare(samples.simple_pdf(), places(2))
    first = seal(prepared, order(0), samples.organisation())
    second = seal(first, order(1), samples.organisation())
    check_seal(second, len(first), ("p1_0",), 1)
    spoilt = {
        "trailing bytes": second + b"\n",
        "a byte of the page": second.replace(b"Convention", b"Konvention", 1),
        "a byte of the last revision": second.replace(b"/Parapheur", b"/Paraphxur"),
        "the first signature's field": second[: len(first)] + b"\n",
    }
    for what, data in spoilt.items():
        with pytest.raises(PdfError) as caught:
            check_seal(data, len(first), ("p1_0",), 1)
        assert caught.value.code == "not-verified", what
    with pytest.raises(PdfError, match="number of signatures"):
        check_seal(second, len(first), ("p1_0",), 0)
    with pytest.raises(PdfError, match="number of signatures"):
        check_seal(second, len(first), ("p0_0", "p1_0"), 1)


def numbered(size: int, number: int | None = None) -> bytes:
    """A document whose /Size is ``size``; ``number`` is given to one more object, at the end of the table."""
    data = samples.simple_pdf()
    count = 6
    assert b"/Size %d " % count in data
    if number is not None:
        at = data.index(b"1 0 obj")
        data = data.replace(b"trailer\n", b"%d 1\n%010d 00000 n \ntrailer\n" % (number, at))
    return data.replace(b"/Size %d " % count, b"/Size %d " % size)


@pytest.mark.parametrize("size", [99_999_999, 8_388_607, 2_147_483_647, 1, 4])
def test_new_objects_are_numbered_behind_the_real_ones_whatever_the_size_claims(size: int) -> None:
    data = numbered(size)
    prepared = prepare(data, places(2))
    sealed = prepared
    for who in range(2):
        sealed = seal(sealed, order(who), samples.organisation())
    check_seal(sealed, len(prepared), ("p0_0", "p1_0"), 0)
    assert oracles.all_well(sealed, 2)
    found = pypdf.PdfReader(io.BytesIO(sealed))
    assert "Convention 1" in found.pages[0].extract_text()
    assert found.trailer["/Size"] < 100


def test_numbers_that_cannot_be_mended_are_refused(workshop: Workshop) -> None:
    data = numbered(9_000_001, 9_000_000)
    for job in (lambda: workshop.inspect(data), lambda: workshop.prepare(data, places(1))):
        with pytest.raises(PdfError) as caught:
            job()
        assert caught.value.code == "damaged"


def test_a_result_that_readers_cannot_number_does_not_pass_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(samples.simple_pdf(), places(1))
    monkeypatch.setattr("pdfops.appending.last_number", lambda _reader: 8_388_606)
    spoilt = seal(prepared, order(0), samples.organisation())
    with pytest.raises(PdfError, match="object numbers") as caught:
        check_seal(spoilt, len(prepared), ("p0_0",), 0)
    assert caught.value.code == "not-verified"


def test_text_needs_no_ink_and_ink_no_text(workshop: Workshop) -> None:
    prepared = workshop.prepare(samples.simple_pdf(), places(1, 2))
    for ink, texts in ((b"", {"p0_0": ("Zoé",)}), (samples.ink_png(), {}), (samples.ink_png(), {"p0_1": ("Zoé",)})):
        given = SealOrder(("p0_0", "p0_1"), ink, "n", "r", samples.SIGNED_AT, texts)
        assert oracles.all_well(workshop.seal(prepared, given, samples.organisation()), 1)


def test_a_noisy_photograph_as_ink_stays_below_the_limit(workshop: Workshop) -> None:
    ink = workshop.normalise_ink(samples.photograph((1_200, 900)))
    prepared = workshop.prepare(samples.simple_pdf(), places(1, 3))
    sealed = workshop.seal(prepared, order(0, 3, ink), samples.organisation())
    assert len(sealed) - len(prepared) < MAX_GROWTH_BYTES


@pytest.mark.parametrize("path", SHARED_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_and_difficult_documents_are_sealed_or_refused(workshop: Workshop, path: Path) -> None:
    """Sealed twice with every signature valid, or refused with a code; nothing between."""
    data = path.read_bytes()
    try:
        before = workshop.inspect(data)
        prepared = workshop.prepare(data, places(2, 2))
    except PdfError:
        if path.parent.name in ("difficult", "signed", "attacks"):
            return
        raise
    was_well = before.signatures == 0 or workshop.verify(data).is_intact
    sealed = prepared
    for who in range(2):
        sealed = workshop.seal(sealed, order(who, 2), samples.organisation())
    ours = [one for one in workshop.verify(sealed).signatures if one.field.startswith("p")]
    assert len(ours) == (4 if before.signatures else 2)
    assert all(one.intact for one in ours)
    poppler = [verdict for verdict in oracles.poppler(sealed) if verdict.field.startswith("p")]
    assert all(verdict.is_valid for verdict in poppler)
    if was_well and before.signatures == 0 and path.name not in NO_SECOND_OPINION:
        assert oracles.all_well(sealed, 2)


def test_the_collection_of_real_documents_is_known_to_be_there_or_not() -> None:
    if not SHARED_FILES:
        pytest.skip("no ../shared/pdfs beside this checkout: the sweep over real documents had nothing to run on")
    assert len(SHARED_FILES) > 50


def test_verify_finds_the_attacks() -> None:
    folder = SHARED / "attacks"
    if not folder.is_dir():
        pytest.skip("no ../shared/pdfs/attacks beside this checkout")
    verdicts = {path.name: path.read_bytes() for path in folder.glob("*.pdf")}
    assert verify(verdicts.pop("00-good.pdf")).is_intact
    for name, data in verdicts.items():
        assert not verify(data).is_intact, name

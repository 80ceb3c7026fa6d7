"""Timestamps, and what makes a signature last: a real authority, responder and CRL on loopback; judged by others."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asn1crypto import cms, ocsp, tsp, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import CertificateBuilder, ExtendedKeyUsage, load_der_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps.requests_client import RequestsHTTPTimeStamper
from pyhanko.sign.validation.ades import (
    ades_lta_validation,
    simulate_future_ades_lta_validation,
)
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.authority import AuthorityWithCert
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.fetchers.common_utils import format_ocsp_request
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.registry import SimpleTrustManager

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.lasting import Lasting
from pdfops.levels import SealLevel, Signed, levels_of
from pdfops.longterm import Chain, Material, Need, chains_of, draw_up_store, gather
from pdfops.remote import Pending
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.signer import Certified
from pdfops.trust import judge, trust_of_each
from pdfops.verify import verify
from plugin.adapters.outbound import Outbound
from tests import pki
from tests.pdfops import archives, oracles, samples


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pki.Pki]:
    with pki.running(tmp_path_factory.mktemp("pki"), rsa_bits=3_072) as found:
        yield found


@pytest.fixture
def authority(served: pki.Pki) -> Iterator[pki.Pki]:
    served.asked = []
    yield served
    served.interfere = None


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop(children=1) as opened:
        yield opened


def prepared(people: int = 2) -> bytes:
    places = [Place(f"f{n}", str(n), 1, 50_000 + 300_000 * n, 100_000, 200_000, 100_000) for n in range(people)]
    return prepare(samples.simple_pdf(), places)


def order(n: int) -> SealOrder:
    return SealOrder((f"f{n}",), samples.ink_png(), f"Signataire {n}", "Bon pour accord", dt.datetime.now(dt.UTC))


def sealed(workshop: Workshop, found: pki.Pki, level: SealLevel, people: int = 2, tsa: str = "tsa") -> bytes:
    """Signed by everybody, each with a timestamp; the last one carries the document to its level."""
    data = prepared(people)
    lasting = Lasting(level, found.roots, found.outbound(tsa))
    for n in range(people):
        signed = workshop.sign(data, order(n), found.signer(), lasting if n == people - 1 else lasting.for_now())
        workshop.check(data, signed)
        data = signed.data
    return data


def spec(found: pki.Pki) -> PdfSignatureValidationSpec:
    """Everything has to be shown not to be revoked, by what the document holds."""
    rule = RevocationCheckingRule.CRL_OR_OCSP_REQUIRED
    trust = SimpleTrustManager.build([_certificate(found, "root")])
    policy = CertValidationPolicySpec(
        trust_manager=trust,
        revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy(rule, rule)),
    )
    offline = RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY)
    return PdfSignatureValidationSpec(SignatureValidationSpec(policy, offline))


def by_the_library(data: bytes, judge: Callable[..., Any], *arguments: Any) -> list[Any]:
    """An AdES verdict for every signature that is no timestamp."""
    reader = PdfFileReader(io.BytesIO(data), strict=False)
    return [asyncio.run(judge(one, *arguments)).ades_subindic for one in reader.embedded_regular_signatures]


# ---- what is reached ------------------------------------------------------------------------------------------------
def test_each_signature_passes_as_long_term_archival(workshop: Workshop, authority: pki.Pki) -> None:
    data = sealed(workshop, authority, "b-lta", people=3)
    assert by_the_library(data, ades_lta_validation, spec(authority)) == [AdESPassed.OK] * 3
    in_time = dt.datetime.now(dt.UTC) + dt.timedelta(days=pki.SIGNER_DAYS + 100)
    assert by_the_library(data, simulate_future_ades_lta_validation, spec(authority), in_time) == [AdESPassed.OK] * 3
    assert [one.is_valid for one in oracles.poppler(data)[:3]] == [True] * 3  # it knows no document timestamps


@pytest.mark.parametrize(("level", "expected"), [("b-t", "B-T"), ("b-lt", "B-LT"), ("b-lta", "B-LTA")])
def test_a_document_says_how_long_it_lasts(
    workshop: Workshop, authority: pki.Pki, level: SealLevel, expected: str
) -> None:
    data = sealed(workshop, authority, level)
    found = workshop.verify(data)
    signatures = [one for one in found.signatures if not one.is_timestamp]
    assert found.integrity == "intact"
    assert [one.level for one in signatures] == [expected, expected]
    assert all(one.stamped_at is not None for one in found.signatures)


def test_a_seal_without_an_authority_is_b_b(workshop: Workshop, authority: pki.Pki) -> None:
    data = workshop.seal(prepared(1), order(0), authority.signer())
    (one,) = workshop.verify(data).signatures
    assert (one.level, one.stamped_at) == ("B-B", None)
    assert authority.asked == []


def test_an_expired_certificate_stays_trusted_where_the_time_is_attested(
    workshop: Workshop, authority: pki.Pki
) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=pki.SIGNER_DAYS + 100)
    plain = verify(workshop.seal(prepared(1), order(0), authority.signer()))
    assert trust_of_each(plain, authority.roots) == ["trusted"]
    assert trust_of_each(plain, authority.roots, later) == ["unknown"]
    stamped = verify(sealed(workshop, authority, "b-t", people=1))
    assert trust_of_each(stamped, authority.roots, later) == ["trusted"]
    signers_root_only = (authority.certificate("inter"),)
    assert trust_of_each(stamped, signers_root_only, later) == ["unknown"]


def test_what_was_stamped_by_a_stranger_proves_nothing(workshop: Workshop, authority: pki.Pki) -> None:
    roots = (*authority.roots, authority.certificate("other-root"))
    signed = workshop.sign(
        prepared(1), order(0), authority.signer(), Lasting("b-t", roots, authority.outbound("other-tsa"))
    )
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=pki.SIGNER_DAYS + 100)
    found = verify(signed.data)
    assert trust_of_each(found, roots, later) == ["trusted"]
    assert trust_of_each(found, authority.roots, later) == ["unknown"]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_certified_documents_and_archives_last_as_well(workshop: Workshop, authority: pki.Pki, part: int) -> None:
    """``part`` of PDF/A that is claimed; 0: none. The organisation certifies, two people sign."""
    plain = archives.archive_pdf(part, "RGB") if part else samples.simple_pdf()
    places = [Place(f"f{n}", str(n), 1, 50_000 + 300_000 * n, 100_000, 200_000, 100_000) for n in range(2)]
    data = workshop.prepare(plain, places, "organisation")
    lasting = Lasting("b-lta", authority.roots, authority.outbound())
    certifying = SealOrder(("organisation",), b"", "n", "", dt.datetime.now(dt.UTC), certifies=True)
    for one in (certifying, order(0), order(1)):
        signed = workshop.sign(data, one, authority.signer(), lasting if one.fields == ("f1",) else lasting.for_now())
        workshop.check(data, signed)
        data = signed.data
    found = workshop.verify(data)
    assert (found.integrity, found.changes) == ("intact", ())
    assert [one.level for one in found.signatures if not one.is_timestamp] == ["B-LTA"] * 3
    assert by_the_library(data, ades_lta_validation, spec(authority)) == [AdESPassed.OK] * 3
    assert [one.is_valid for one in oracles.poppler(data)[:3]] == [True] * 3
    if part:
        assert archives.broken_clauses(data, part) == set()


# ---- answers that are none ------------------------------------------------------------------------------------------
def test_timestamps_of_others_are_refused_and_nothing_is_signed(workshop: Workshop, authority: pki.Pki) -> None:
    old: list[bytes] = []
    signer = authority.signer()

    def keep(environ: dict[str, Any], body: bytes) -> None:
        old.append(body)

    authority.interfere = keep
    workshop.sign(prepared(1), order(0), signer, Lasting("b-t", authority.roots, authority.outbound()))
    registry = authority.arch.service_registry

    def replay(_environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        answer = registry.summon_timestamper("tsa", at_time=dt.datetime.now(dt.UTC)).request_tsa_response(
            tsp.TimeStampReq.load(old[0])
        )
        return "200 OK", [], answer.dump()

    def own_nonce(_environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        asked = tsp.TimeStampReq.load(old[0])
        asked["nonce"] = tsp.TimeStampReq.load(body)["nonce"].native
        return (
            "200 OK",
            [],
            registry.summon_timestamper("tsa", at_time=dt.datetime.now(dt.UTC)).request_tsa_response(asked).dump(),
        )

    def garbage(_environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        return "200 OK", [], b"\x30\x82\xff\xff" + b"x" * 500

    def refusal(_environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        return "200 OK", [], bytes.fromhex("30053003020102")

    def tampered(_environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        answer = bytearray(
            registry.summon_timestamper("tsa", at_time=dt.datetime.now(dt.UTC))
            .request_tsa_response(tsp.TimeStampReq.load(body))
            .dump()
        )
        year = answer.find(dt.datetime.now(dt.UTC).strftime("%Y%m").encode())
        answer[year : year + 4] = b"2001"
        return "200 OK", [], bytes(answer)

    expected = {
        replay: "nonce",
        own_nonce: "imprint",
        garbage: "unreadable",
        refusal: "status rejection",
        tampered: "signature",
    }
    for interfere, reason in expected.items():
        authority.interfere = interfere
        with pytest.raises(PdfError) as caught:
            workshop.sign(prepared(1), order(0), signer, Lasting("b-t", authority.roots, authority.outbound()))
        assert (caught.value.code, caught.value.values["reason"]) == ("timestamp-refused", reason)


@pytest.mark.parametrize("tsa", ["other-tsa", "no-tsa"])
def test_only_a_timestamp_authority_that_leads_to_a_root_is_believed(
    workshop: Workshop, authority: pki.Pki, tsa: str
) -> None:
    with pytest.raises(PdfError) as caught:
        sealed(workshop, authority, "b-t", people=1, tsa=tsa)
    assert (caught.value.code, caught.value.values["reason"]) == ("timestamp-refused", "certificate")


def test_the_next_authority_is_asked_after_one_that_answers_badly(workshop: Workshop, authority: pki.Pki) -> None:
    """One that nobody trusts, one that is no authority, then a good one: one timestamp, by the last."""
    addresses = [authority.tsa(label) for label in ("other-tsa", "no-tsa", "tsa2")]
    reach = Outbound(addresses, [authority.origin], ["127.0.0.1"])
    signed = workshop.sign(prepared(1), order(0), authority.signer(), Lasting("b-t", authority.roots, reach))
    assert authority.asked == [f"/{pki.ARCH}/tsa/{label}" for label in ("other-tsa", "no-tsa", "tsa2")]
    assert verify(signed.data).signatures[0].stamp_certificates[0] == authority.certificate("tsa2")


def test_a_timestamp_larger_than_the_room_for_it_is_given_more(workshop: Workshop, authority: pki.Pki) -> None:
    small = len(sealed(workshop, authority, "b-t", people=1))
    with Workshop(children=1) as other:
        sealed(other, authority, "b-t", people=1)
        large = sealed(other, authority, "b-lta", people=1, tsa="huge")
    assert len(large) > small + 8_000
    assert verify(large).integrity == "intact"


# ---- certificates that cannot be shown to be good -------------------------------------------------------------------
def test_a_revoked_certificate_makes_no_lasting_seal(workshop: Workshop, authority: pki.Pki) -> None:
    lasting = Lasting("b-lta", authority.roots, authority.outbound())
    with pytest.raises(PdfError) as caught:
        workshop.sign(prepared(1), order(0), authority.signer("revoked"), lasting)
    assert (caught.value.code, caught.value.values["reason"]) == ("validation-data-missing", "revoked")


def test_without_an_answer_on_revocation_no_lasting_seal_is_made(workshop: Workshop, authority: pki.Pki) -> None:
    def silent(environ: dict[str, Any], _body: bytes) -> tuple[str, list[tuple[str, str]], bytes] | None:
        return ("503 Gone", [], b"") if "/ocsp/" in environ["PATH_INFO"] else None

    authority.interfere = silent
    with pytest.raises(PdfError) as caught:
        sealed(workshop, authority, "b-lt", people=1)
    assert (caught.value.code, caught.value.values["reason"]) == ("validation-data-missing", "revocation")


def test_an_answer_of_somebody_else_proves_nothing(workshop: Workshop, authority: pki.Pki) -> None:
    """A responder's answer for another certificate, and one whose signature was broken."""
    registry = authority.arch.service_registry

    def another(environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes] | None:
        if "/ocsp/" not in environ["PATH_INFO"]:
            return None
        asked = ocsp.OCSPRequest.load(body)
        asked["tbs_request"]["request_list"][0]["req_cert"]["serial_number"] = 4
        answer = registry.summon_responder("inter", at_time=dt.datetime.now(dt.UTC)).build_ocsp_response(asked)
        return "200 OK", [], answer.dump()

    def broken(environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes] | None:
        if "/ocsp/" not in environ["PATH_INFO"]:
            return None
        responder = registry.summon_responder("inter", at_time=dt.datetime.now(dt.UTC))
        answer = bytearray(responder.build_ocsp_response(ocsp.OCSPRequest.load(body)).dump())
        at = answer.find(b"\x18\x0f20")  # the first of its times
        answer[at + 5] ^= 1
        return "200 OK", [], bytes(answer)

    for interfere in (another, broken):
        authority.interfere = interfere
        with pytest.raises(PdfError) as caught:
            sealed(workshop, authority, "b-lt", people=1)
        assert caught.value.code == "validation-data-missing"


def _with_proof(found: pki.Pki, data: bytes, revoked: str = "revoked") -> bytes:
    """The proof of it lies in the document, as another program would have put it there."""
    output = io.BytesIO(data)
    responder = found.arch.service_registry.summon_responder("inter", at_time=dt.datetime.now(dt.UTC))
    answer = responder.build_ocsp_response(_ocsp_request(found, revoked))
    DocumentSecurityStore.add_dss(output, None, ocsps=[answer], certs=[_certificate(found, "ocsp")], strict=False)
    return output.getvalue()


@pytest.mark.parametrize("above", [("inter",), ("inter", "root")])
def test_a_seal_that_was_signed_with_a_revoked_key_is_not_trusted(
    workshop: Workshop, authority: pki.Pki, above: tuple[str, ...]
) -> None:
    """However much of its chain is there, and though nothing is known of the issuer."""
    data = workshop.seal(prepared(1), order(0), authority.signer("revoked", above))
    assert trust_of_each(verify(data), authority.roots) == ["trusted"]
    found = workshop.verify(_with_proof(authority, data))
    assert found.integrity == "intact"
    assert found.signatures[0].revoked_at is not None
    assert trust_of_each(found, authority.roots) == ["unknown"]


def test_a_revoked_key_is_found_behind_many_other_signatures(workshop: Workshop, authority: pki.Pki) -> None:
    signer = authority.signer("revoked")
    data = _with_proof(authority, workshop.seal(prepared(1), order(0), signer))
    many = [Signed(1, stamps=False, stamped_at=None, chain=signer.chain, stamp_chain=()) for _ in range(300)]
    found = levels_of(PdfFileReader(io.BytesIO(data), strict=False), many, dt.datetime.now(dt.UTC))
    assert all(one.revoked_at is not None for one in found)


class Backdating:
    """An authority whose clock is a month behind."""

    def __init__(self, found: pki.Pki, tsa: str) -> None:
        self._found, self._tsa = found, tsa

    def stamps(self, request: bytes) -> Iterator[bytes]:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
        stamper = self._found.arch.service_registry.summon_timestamper(self._tsa, at_time=at)
        yield bytes(stamper.request_tsa_response(tsp.TimeStampReq.load(request)).dump())

    def fetch(self, need: Need) -> bytes:
        raise PdfError("unreachable", reason=need.kind)


@pytest.mark.parametrize(("tsa", "expected"), [("tsa", "trusted"), ("other-tsa", "unknown")])
def test_only_somebody_trusted_shows_that_a_seal_was_there_before_its_key_was_revoked(
    workshop: Workshop, authority: pki.Pki, tsa: str, expected: str
) -> None:
    """The key is revoked since ten days; the timestamp says that it signed a month ago."""
    believed = (*authority.roots, authority.certificate("other-root"))
    lasting = Lasting("b-t", believed, Backdating(authority, tsa))
    data = workshop.sign(prepared(1), order(0), authority.signer("revoked"), lasting).data
    found = verify(_with_proof(authority, data))
    assert trust_of_each(found, authority.roots) == [expected]


def test_an_authority_whose_certificate_is_revoked_attests_no_time(workshop: Workshop, authority: pki.Pki) -> None:
    lasting = Lasting("b-t", authority.roots, authority.outbound("revoked-tsa"))
    data = workshop.sign(prepared(1), order(0), authority.signer(), lasting).data
    assert judge(verify(data), authority.roots)[0].attested_at is not None
    found = verify(_with_proof(authority, data, "revoked-tsa"))
    assert [(one.trust, one.attested_at) for one in judge(found, authority.roots)] == [("trusted", None)]


def test_an_archive_timestamp_keeps_what_was_there_before_it(workshop: Workshop, authority: pki.Pki) -> None:
    """Proofs that come behind it, into a store that held nothing of use, are covered by nothing."""
    output = io.BytesIO(sealed(workshop, authority, "b-t", people=1))
    DocumentSecurityStore.add_dss(output, None, certs=[_certificate(authority, "other-root")], strict=False)
    stamper = PdfTimeStamper(RequestsHTTPTimeStamper(authority.tsa()))
    writer = IncrementalPdfFileWriter(output, strict=False)
    stamped = asyncio.run(stamper.async_timestamp_pdf(writer, "sha256")).getvalue()
    known: dict[str, bytes] = {}
    while True:
        found = gather(
            chains_of(stamped), authority.roots, known, dt.datetime.now(dt.UTC), authority.signer().chain[0]
        )
        if isinstance(found, Material):
            break
        known[found.key] = authority.outbound().fetch(found)
    filled = verify(stamped + draw_up_store(stamped, found))
    assert filled.integrity == "intact"
    assert filled.signatures[0].level == "B-LT"


def test_a_timestamp_alone_is_trusted_only_where_its_certificate_is_for_that(
    workshop: Workshop, authority: pki.Pki
) -> None:
    for tsa, expected in (("tsa2", "trusted"), ("no-tsa", "unknown")):
        stamper = PdfTimeStamper(RequestsHTTPTimeStamper(authority.tsa(tsa)))
        writer = IncrementalPdfFileWriter(io.BytesIO(samples.simple_pdf()), strict=False)
        found = verify(asyncio.run(stamper.async_timestamp_pdf(writer, "sha256")).getvalue())
        assert found.integrity == "intact"
        assert trust_of_each(found, authority.roots) == [expected]


def _certificate(found: pki.Pki, label: str) -> Any:
    return x509.Certificate.load(found.certificate(label))


def _ocsp_request(found: pki.Pki, label: str) -> ocsp.OCSPRequest:
    issuer = AuthorityWithCert(_certificate(found, "inter"))
    return format_ocsp_request(_certificate(found, label), issuer, certid_hash_algo="sha1", request_nonces=False)


def test_a_timestamp_whose_certificate_has_expired_keeps_nobody_from_signing(
    workshop: Workshop, authority: pki.Pki
) -> None:
    """It was put long ago, by an authority that we know: nothing can be proven of it any more."""
    key: Any = serialization.load_pem_private_key((authority.folder / "root.pem").read_bytes(), None)
    root = load_der_x509_certificate(authority.certificate("root"))
    now = dt.datetime.now(dt.UTC)
    built = CertificateBuilder().subject_name(load_der_x509_certificate(authority.certificate("tsa")).subject)
    built = built.issuer_name(root.subject).public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    built = built.serial_number(99).not_valid_before(now - dt.timedelta(days=300))
    built = built.not_valid_after(now - dt.timedelta(days=3))
    built = built.add_extension(ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    expired = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert gather([Chain((expired,), stamps=True)], authority.roots, {}, now, b"") == Material()
    with pytest.raises(PdfError, match="revocation"):
        gather([Chain((expired,))], authority.roots, {}, now, expired)


# ---- one act for many documents -------------------------------------------------------------------------------------
def test_who_did_not_answer_is_not_asked_again_within_an_act(workshop: Workshop, authority: pki.Pki) -> None:
    authority.interfere = lambda *_: ("503 Away", [], b"")
    act = Lasting("b-lt", authority.roots, authority.outbound()).for_one_act().for_now()
    for _ in range(3):
        with pytest.raises(PdfError) as caught:
            act.authority.fetch(Need("crl", f"{authority.origin}/list.crl"))
        assert caught.value.code == "unreachable"
    assert authority.asked == ["/list.crl"]


def test_slow_authorities_end_an_act(workshop: Workshop, authority: pki.Pki) -> None:
    lasting = Lasting("b-t", authority.roots, authority.outbound())
    data, signer = prepared(3), authority.signer()
    patient, hasty = lasting.for_one_act(act_s=1e-9), lasting.for_one_act(act_s=1e-9, call_s=0)
    for n in range(3):
        workshop.sign(data, order(n), signer, patient)  # as many as there are, where each answers soon
    workshop.sign(data, order(0), signer, hasty)
    with pytest.raises(PdfError) as caught:
        workshop.sign(data, order(1), signer, hasty)
    assert caught.value.code == "unreachable"


# ---- what was made to last and then changed -------------------------------------------------------------------------
def test_bytes_behind_the_archive_timestamp_are_a_change(workshop: Workshop, authority: pki.Pki) -> None:
    data = sealed(workshop, authority, "b-lta", people=1)
    assert verify(data + b"\n%\n").integrity == "changed"


def test_another_program_may_add_the_next_timestamp(workshop: Workshop, authority: pki.Pki) -> None:
    data = sealed(workshop, authority, "b-lta", people=2)
    context = ValidationContext(trust_roots=[_certificate(authority, "root")], allow_fetching=False)
    stamper = PdfTimeStamper(RequestsHTTPTimeStamper(authority.tsa()))

    async def again() -> Any:
        reader = PdfFileReader(io.BytesIO(data), strict=False)
        return await stamper.async_update_archival_timestamp_chain(reader, context)

    longer = asyncio.run(again()).getvalue()
    assert longer.startswith(data)
    found = verify(longer)
    assert (found.integrity, found.changes) == ("intact", ())
    assert [one.level for one in found.signatures if not one.is_timestamp] == ["B-LTA", "B-LTA"]
    assert [one.is_timestamp for one in found.signatures] == [False, False, True, True]
    assert trust_of_each(found, authority.roots) == ["trusted"] * 4


def test_a_store_that_brings_another_page_with_it_is_a_change(workshop: Workshop, authority: pki.Pki) -> None:
    data = sealed(workshop, authority, "b-t", people=1)
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"1 0 0 rg 0 0 300 300 re f"))
    writer.update_container(page)
    DocumentSecurityStore.supply_dss_in_writer(writer, None, certs=[_certificate(authority, "root")])
    output = io.BytesIO()
    writer.write(output)
    found = verify(output.getvalue())
    assert found.integrity == "changed"
    assert [change.kind for change in found.changes or ()] == ["page-content-changed"]


def test_an_archive_timestamp_over_other_bytes_is_broken(workshop: Workshop, authority: pki.Pki) -> None:
    """The store's revision is edited: the seal before it stays intact, the timestamp over it does not."""
    data = sealed(workshop, authority, "b-lta", people=1)
    seal, stamp = verify(data).signatures
    at = data.index(b"/Certs", seal.signed_bytes)
    edited = data[:at] + b"/Cert5" + data[at + 6 :]
    found = verify(edited)
    assert [one.state for one in found.signatures] == ["intact", "broken"]
    assert found.integrity == "broken"
    assert found.signatures[0].level == "B-T"
    assert stamp.level == "B-LT"


def test_a_timestamp_for_another_signature_attests_nothing(workshop: Workshop, authority: pki.Pki) -> None:
    """Its token is moved from one seal to another: unsigned attributes are covered by nothing."""
    first, second = (sealed(workshop, authority, "b-t", people=1) for _ in range(2))
    one, other = _contents(first), _contents(second)
    token = other["content"]["signer_infos"][0]["unsigned_attrs"]
    one["content"]["signer_infos"][0]["unsigned_attrs"] = token
    moved = _with_contents(first, one.dump(force=True))
    (found,) = verify(moved).signatures
    assert (found.integrity, found.stamped_at, found.level) == ("intact", None, "B-B")


def _contents(data: bytes) -> Any:
    (signature,) = PdfFileReader(io.BytesIO(data), strict=False).embedded_regular_signatures
    return cms.ContentInfo.load(signature.pkcs7_content)


def _with_contents(data: bytes, der: bytes) -> bytes:
    start = data.rindex(b"/Contents <") + len(b"/Contents <")
    end = data.index(b">", start)
    return data[:start] + der.hex().upper().encode().ljust(end - start, b"0") + data[end:]


# ---- two requests ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("level", ["b-b", "b-lta"])
def test_a_seal_in_two_requests_is_the_same_seal(workshop: Workshop, authority: pki.Pki, level: SealLevel) -> None:
    signer = authority.signer()
    lasting = None if level == "b-b" else Lasting(level, authority.roots, authority.outbound())
    data = prepared(1)
    pending = workshop.begin(data, order(0), Certified.of(signer.chain), lasting)
    kept = Pending.from_bytes(pending.to_bytes())
    assert kept == pending
    assert kept.digest == hashlib.sha256(kept.to_sign).digest()
    signed = workshop.finish(data, kept, signer.sign(kept.to_sign), lasting)
    workshop.check(data, signed)
    found = workshop.verify(signed.data)
    assert (found.integrity, found.signatures[0].level) == ("intact", level.upper())
    assert oracles.poppler(signed.data)[0].is_valid


def test_a_larger_timestamp_than_before_does_not_cost_a_signature_that_was_made(authority: pki.Pki) -> None:
    """Another authority answers the second request: whoever signed elsewhere is not asked for it again."""
    signer, data = authority.signer(), prepared(1)
    with Workshop(children=1) as fresh:
        fresh.sign(data, order(0), signer, Lasting("b-t", authority.roots, authority.outbound()))
        pending = fresh.begin(data, order(0), signer, Lasting("b-t", authority.roots, authority.outbound()))
        other = Lasting("b-t", authority.roots, authority.outbound("large"))
        fresh.check(data, fresh.finish(data, pending, signer.sign(pending.to_sign), other))


def test_the_second_request_takes_no_other_document_and_no_other_signature(
    workshop: Workshop, authority: pki.Pki
) -> None:
    signer = authority.signer()
    data = prepared(1)
    pending = workshop.begin(data, order(0), Certified.of(signer.chain))
    signature = signer.sign(pending.to_sign)
    for other_data, other_signature in (
        (prepare(samples.simple_pdf(2), [Place("f0", "0", 1, 0, 0, 90_000, 90_000)]), signature),
        (data, signer.sign(pending.to_sign + b" ")),
        (data, samples.organisation().sign(pending.to_sign)),
        (data, b""),
    ):
        with pytest.raises(PdfError) as caught:
            workshop.finish(other_data, pending, other_signature)
        assert caught.value.code == "not-verified"
    for junk in (b"", b"PPR1", pending.to_bytes()[:200], b"X" + pending.to_bytes()[1:]):
        with pytest.raises(ValueError, match="not a pending seal"):
            Pending.from_bytes(junk)


def test_several_seals_of_one_person_take_two_requests_each(workshop: Workshop, authority: pki.Pki) -> None:
    signer, lasting = authority.signer(), Lasting("b-lta", authority.roots, authority.outbound())
    places = [Place(f"f{n}", "0", 1, 50_000 + 300_000 * n, 500_000, 200_000, 100_000) for n in range(2)]
    data = prepare(samples.signed_pdf(), places)
    mine: tuple[str, ...] = ("f0", "f1")
    while mine:
        one = SealOrder(mine, samples.ink_png(), "Ana", "", samples.SIGNED_AT)
        pending = workshop.begin(data, one, Certified.of(signer.chain), lasting)
        signed = workshop.finish(data, pending, signer.sign(pending.to_sign), lasting)
        workshop.check(data, signed)
        data, mine = signed.data, pending.unsigned.left
    found = workshop.verify(data)
    assert found.integrity == "intact"
    assert [one.level for one in found.signatures if one.field in ("f0", "f1")] == ["B-LTA", "B-LTA"]


def test_the_level_counts_only_what_the_document_holds(workshop: Workshop, authority: pki.Pki) -> None:
    """The store cut off again: what it proved is gone, the seal stays."""
    whole = sealed(workshop, authority, "b-lt", people=1)
    (found,) = verify(whole).signatures
    assert found.level == "B-LT"
    (alone,) = verify(whole[: found.signed_bytes]).signatures
    assert (alone.level, alone.integrity) == ("B-T", "intact")

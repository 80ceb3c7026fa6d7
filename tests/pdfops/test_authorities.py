"""Answers of authorities and issuers that are none, or too late: nothing is signed, and nobody is fooled."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
from collections.abc import Iterator
from typing import Any

import pytest
from asn1crypto import ocsp, tsp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import CertificateBuilder, ExtendedKeyUsage, load_der_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps.requests_client import RequestsHTTPTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.authority import AuthorityWithCert
from pyhanko_certvalidator.fetchers.common_utils import format_ocsp_request

from pdfops.errors import PdfError
from pdfops.lasting import Lasting
from pdfops.levels import Signed, levels_of
from pdfops.longterm import Chain, Material, Need, chains_of, draw_up_store, gather
from pdfops.sandbox import Workshop
from pdfops.trust import judge, trust_of_each
from pdfops.verify import verify
from plugin.adapters.outbound import Outbound
from tests import pki
from tests.pdfops import samples
from tests.pdfops.stamped import certificate, order, prepared, sealed


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
    DocumentSecurityStore.add_dss(output, None, ocsps=[answer], certs=[certificate(found, "ocsp")], strict=False)
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
    DocumentSecurityStore.add_dss(output, None, certs=[certificate(authority, "other-root")], strict=False)
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


def _ocsp_request(found: pki.Pki, label: str) -> ocsp.OCSPRequest:
    issuer = AuthorityWithCert(certificate(found, "inter"))
    return format_ocsp_request(certificate(found, label), issuer, certid_hash_algo="sha1", request_nonces=False)


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

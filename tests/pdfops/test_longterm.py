"""What makes a signature last, with a real authority, responder and CRL on loopback; judged by others."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms
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
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.registry import SimpleTrustManager

from pdfops.fields import Place
from pdfops.lasting import Lasting
from pdfops.levels import SealLevel
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.trust import trust_of_each
from pdfops.verify import verify
from tests import pki
from tests.pdfops import archives, oracles, samples
from tests.pdfops.stamped import certificate, order, prepared, sealed


def spec(found: pki.Pki) -> PdfSignatureValidationSpec:
    """Everything has to be shown not to be revoked, by what the document holds."""
    rule = RevocationCheckingRule.CRL_OR_OCSP_REQUIRED
    trust = SimpleTrustManager.build([certificate(found, "root")])
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


def test_the_level_counts_only_what_the_document_holds(workshop: Workshop, authority: pki.Pki) -> None:
    """The store cut off again: what it proved is gone, the seal stays."""
    whole = sealed(workshop, authority, "b-lt", people=1)
    (found,) = verify(whole).signatures
    assert found.level == "B-LT"
    (alone,) = verify(whole[: found.signed_bytes]).signatures
    assert (alone.level, alone.integrity) == ("B-T", "intact")


# ---- what was made to last and then changed -------------------------------------------------------------------------
def test_bytes_behind_the_archive_timestamp_are_a_change(workshop: Workshop, authority: pki.Pki) -> None:
    data = sealed(workshop, authority, "b-lta", people=1)
    assert verify(data + b"\n%\n").integrity == "changed"


def test_another_program_may_add_the_next_timestamp(workshop: Workshop, authority: pki.Pki) -> None:
    data = sealed(workshop, authority, "b-lta", people=2)
    context = ValidationContext(trust_roots=[certificate(authority, "root")], allow_fetching=False)
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
    DocumentSecurityStore.supply_dss_in_writer(writer, None, certs=[certificate(authority, "root")])
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

"""No tampered document is called intact, and each gets the verdict it deserves; honest ones stay intact."""

from __future__ import annotations

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.sign.fields import MDPPerm

from pdfops.signer import make_organisation_certificate
from pdfops.trust import trust_of, trust_of_chain
from pdfops.verify import verify
from tests.pdfops import attacks, samples, tampering

ATTACKS = attacks.all_attacks()


def integrity(data: bytes) -> str:
    """As the command line says it: a file that cannot be read is unverifiable."""
    try:
        return verify(data).integrity
    except Exception:
        return "unverifiable"


def test_what_nobody_touched_is_intact() -> None:
    ours = (tampering.signed(), tampering.signed(2), tampering.certified_by_us(), tampering.certified_by_us(3))
    for data in (*ours, *(tampering.certified(one) for one in MDPPerm)):
        assert integrity(data) == "intact"


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_a_tampered_document_gets_its_verdict(attack: attacks.Attack) -> None:
    assert integrity(attack.data) == attack.verdict


def test_there_are_several_of_every_family() -> None:
    families = [attack.name.split(":")[0] for attack in ATTACKS]
    assert len({attack.data for attack in ATTACKS}) == len(ATTACKS) >= 30
    assert all(families.count(one) >= 2 for one in set(families)), families


def test_a_strangers_signature_that_claims_to_be_a_timestamp_lends_no_trust() -> None:
    roots = [samples.organisation().chain[0]]
    assert trust_of(verify(tampering.signed()), roots) == "trusted"
    for as_timestamp in (False, True):
        found = verify(tampering.signed_again(tampering.signed(), as_timestamp=as_timestamp))
        assert [one.is_timestamp for one in found.signatures] == [False, False]
        assert trust_of(found, roots) == "unknown"


def test_a_long_list_of_harmless_changes_hides_nothing_grave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdfops.changes.MAX_CHANGES", 1)
    data = tampering.signed(2)
    field = tampering.body_of(data, tampering.AMOUNT).replace(b"(100)", b"(900)")
    filled = tampering.revision(data, {tampering.AMOUNT: field})
    found = verify(tampering.signed_again(tampering.without_second(filled)))
    assert [one.kind for one in found.changes or ()][-1] == "signature-removed"
    assert found.integrity == "changed"


def test_many_certificates_of_one_name_cost_no_time() -> None:
    made = [make_organisation_certificate("One name") for _ in range(6)]
    chain = tuple(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER) for _, pem in made)
    begun = time.process_time()
    assert trust_of_chain(chain * 4, [samples.organisation().chain[0]]) == "unknown"
    assert time.process_time() - begun < 2

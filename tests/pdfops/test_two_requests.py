"""A seal whose key lies with somebody else."""

from __future__ import annotations

import hashlib

import pytest

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.lasting import Lasting
from pdfops.levels import SealLevel
from pdfops.remote import Pending
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.signer import Certified
from tests import pki
from tests.pdfops import oracles, samples
from tests.pdfops.stamped import order, prepared


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

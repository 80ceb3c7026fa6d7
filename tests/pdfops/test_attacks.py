"""No tampered document is called intact, and each gets the verdict it deserves; honest ones stay intact."""

from __future__ import annotations

import pytest
from pyhanko.sign.fields import MDPPerm

from pdfops.verify import verify
from tests.pdfops import attacks

ATTACKS = attacks.all_attacks()


def integrity(data: bytes) -> str:
    """As the command line says it: a file that cannot be read is unverifiable."""
    try:
        return verify(data).integrity
    except Exception:
        return "unverifiable"


def test_what_nobody_touched_is_intact() -> None:
    for data in (attacks.signed(), attacks.signed(2), *(attacks.certified(one) for one in MDPPerm)):
        assert integrity(data) == "intact"


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_a_tampered_document_gets_its_verdict(attack: attacks.Attack) -> None:
    assert integrity(attack.data) == attack.verdict


def test_there_are_several_of_every_family() -> None:
    families = [attack.name.split(":")[0] for attack in ATTACKS]
    assert len({attack.data for attack in ATTACKS}) == len(ATTACKS) >= 30
    assert all(families.count(one) >= 2 for one in set(families)), families

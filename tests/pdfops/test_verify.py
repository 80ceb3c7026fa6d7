"""What a verdict says: of others' files, of attacks, and of our own after something was done to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic

from pdfops import child, wire
from pdfops.errors import CODES
from pdfops.fields import Place, prepare
from pdfops.sandbox import Limits, Workshop
from pdfops.seal import SealOrder, seal
from pdfops.verify import verify
from tests.pdfops import samples

SHARED = Path(__file__).parents[3] / "shared" / "pdfs"
INTACT = {
    "attacks/00-good.pdf",
    "signed/pades-lta-dss-indirect-arrs-test-2.pdf",
    "signed/pades-with-old-style-signing-cert-attr.pdf",
    "signed/minimal-signed-twice-both-created.pdf",
    "signed/minimal-signed-twice-second-created.pdf",
}


def sealed(people: int = 1) -> bytes:
    places = [
        Place(f"p{who}", str(who), 1, 100_000, 100_000 + 150_000 * who, 300_000, 90_000) for who in range(people)
    ]
    data = prepare(samples.simple_pdf(), places)
    for who in range(people):
        order = SealOrder((f"p{who}",), samples.ink_png(), "n", "r", samples.SIGNED_AT)
        data = seal(data, order, samples.organisation())
    return data


SEALED = sealed(2)


@pytest.mark.parametrize(
    "path", sorted([*SHARED.glob("attacks/*.pdf"), *SHARED.glob("signed/*.pdf")]), ids=lambda path: path.name
)
def test_known_files_get_the_verdict_they_deserve(path: Path) -> None:
    verdict = verify(path.read_bytes())
    name = f"{path.parent.name}/{path.name}"
    if path.parent.name == "attacks" or name in INTACT:
        assert verdict.is_intact == (name in INTACT), verdict


def test_our_own_seals_are_intact_and_their_changes_allowed() -> None:
    verdict = verify(SEALED)
    assert verdict.is_intact
    assert [one.changes for one in verdict.signatures] == ["allowed", "none"]


def test_an_unsigned_document_is_not_intact() -> None:
    assert not verify(samples.simple_pdf()).is_intact


def test_what_was_not_examined_is_not_intact() -> None:
    verdict = verify(SEALED, examine=False)
    assert verdict.is_unbroken
    assert not verdict.is_intact
    assert verdict.signatures[0].changes == "unexamined"


def test_an_unsigned_change_of_the_page_is_found() -> None:
    changed = samples.with_page_entry(SEALED, "/Rotate", generic.NumberObject(180))
    verdict = verify(changed)
    assert not verdict.is_unbroken
    assert {one.changes for one in verdict.signatures} == {"forbidden"}
    assert {one.state for one in verdict.signatures} == {"intact"}


def test_a_change_of_the_page_that_was_signed_over_is_found() -> None:
    first = sealed(1)
    changed = samples.signed_pdf(samples.with_page_entry(first, "/Rotate", generic.NumberObject(180)))
    verdict = verify(changed)
    assert verdict.is_unbroken
    assert not verdict.is_intact
    assert verdict.signatures[0].changes == "forbidden"


@pytest.mark.parametrize("junk", [b"\n", b"junk", b"\n%%EOF\n", b"startxref\n0\n%%EOF\n"])
def test_bytes_behind_the_last_signature_are_found(junk: bytes) -> None:
    answer, _ = child.answer_to({"job": "verify", "examine": True}, [SEALED + junk])
    if "error" in answer:
        assert answer["error"] == "damaged"
    else:
        assert not wire.verification_from_json(answer["value"]).is_intact


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
@settings(deadline=None, max_examples=200)
def test_no_changed_byte_is_intact(at: int, delta: int) -> None:
    """Every byte counts, but for the padding and the letter case of the signatures' own hexadecimal."""
    changed = bytearray(SEALED)
    changed[at] = (changed[at] + delta) % 256
    answer, _ = child.answer_to({"job": "verify", "examine": True}, [bytes(changed)])
    if "error" in answer:
        assert answer["error"] in CODES
        return
    verdict = verify(bytes(changed))
    assert not verdict.is_intact or in_a_hole(at)


def in_a_hole(at: int) -> bool:
    position = -1
    while (position := SEALED.find(b"/Contents <", position + 1)) >= 0:
        if position <= at <= SEALED.find(b">", position + 11):
            return True
    return False


@given(st.lists(st.tuples(st.integers(0, len(SEALED) - 1), st.binary(max_size=30)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=100)
def test_mutated_documents_are_handled_or_refused_by_every_job(edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(SEALED)
    for at, piece in edits:
        data[at : at + len(piece)] = piece
    place = ["f", "p", 1, 100_000, 100_000, 300_000, 90_000, False]
    for header in (
        {"job": "inspect"},
        {"job": "verify", "examine": False},
        {"job": "prepare", "places": [place]},
        {"job": "preview", "page": 1, "width_px": 60, "image_format": "jpeg"},
    ):
        answer, _ = child.answer_to(header, [bytes(data)])
        assert answer.get("error", "damaged") in CODES


def test_an_examination_that_takes_too_long_leaves_changes_unexamined() -> None:
    """The workshop asks again without it: the signatures are known, what came after them is not."""
    data = sealed(2)
    with Workshop(children=1, limits=Limits(verify_s=0.000_001)) as opened:
        verdict = opened.verify(data)
    assert verdict.is_unbroken
    assert not verdict.is_intact

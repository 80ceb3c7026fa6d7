"""Tagged documents: a screen reader finds our fields, the tree stays sound, and no signature suffers from it."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from typing import Any

import pypdf
import pytest

from pdfops.fields import Place, prepare
from pdfops.seal import SealOrder, seal
from pdfops.verify import verify
from tests.pdfops import oracles, samples
from tests.pdfops.tampering import body_of, number_of, revision, signed_again

NUMS = b"/Nums [0 [10 0 R] 1 [11 0 R]]"
SOUND = {
    "one list": {"parents": b"<< %s >>" % NUMS},
    "several lists": {"parents": b"<< /Kids [12 0 R] >>"},
    "a list of its own": {"parents": b"13 0 R"},
    "a next key that is too low": {"parents": b"<< %s >>" % NUMS, "following": b"/ParentTreeNextKey 0"},
    "no next key": {"parents": b"<< %s >>" % NUMS, "following": b""},
    "the document in a list": {"top": b"[9 0 R]"},
    "no element for the document": {"top": b"[10 0 R 11 0 R]"},
    "a single element": {"top": b"10 0 R"},
}
OF_THE_TREE = re.compile(rb"\n(8|9|1[0-6]) 0 obj")
UNSOUND = {
    "no tree of parents": {"parents": b"null"},
    "keys out of order": {"parents": b"<< /Nums [1 [11 0 R] 0 [10 0 R]] >>"},
    "half a pair": {"parents": b"<< /Nums [0 [10 0 R] 1] >>"},
    "keys that are no numbers": {"parents": b"<< /Nums [/a [10 0 R]] >>"},
    "both kinds at once": {"parents": b"<< %s /Kids [12 0 R] >>" % NUMS},
    "a loop": {"parents": b"<< /Kids [14 0 R] >>"},
    "a key beyond all numbers": {"parents": b"<< /Nums [9000000000 [10 0 R]] >>"},
    "not marked": {"marked": b"false"},
}


def tagged(
    parents: bytes = b"<< %s >>" % NUMS,
    top: bytes = b"9 0 R",
    following: bytes = b"/ParentTreeNextKey 2",
    marked: bytes = b"true",
) -> bytes:
    """Two pages of one paragraph each, tagged, and a tagged text field."""
    page = (
        b"<< /Type /Page /Parent 2 0 R /StructParents %d /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R %s>>"
    )
    text = b"/P << /MCID 0 >> BDC BT /F1 18 Tf 72 700 Td (Convention) Tj ET EMC"
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Lang (fr) /MarkInfo << /Marked %s >> /StructTreeRoot 8 0 R "
            b"/AcroForm << /Fields [15 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 3 0 R >> >> >> >>" % marked,
            b"<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 /MediaBox [0 0 595 842] >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            page % (0, 5, b"/Annots [15 0 R] "),
            samples.stream(text),
            page % (1, 7, b"/Tabs /R "),
            samples.stream(text),
            b"<< /Type /StructTreeRoot /K %s /ParentTree %s %s >>" % (top, parents, following),
            b"<< /Type /StructElem /S /Document /P 8 0 R /K [10 0 R 11 0 R 16 0 R] >>",
            b"<< /Type /StructElem /S /P /P 9 0 R /Pg 4 0 R /K 0 >>",
            b"<< /Type /StructElem /S /P /P 9 0 R /Pg 6 0 R /K 0 >>",
            b"<< /Limits [0 1] %s >>" % NUMS,
            b"<< %s >>" % NUMS,
            b"<< /Kids [14 0 R] >>",
            b"<< /Type /Annot /Subtype /Widget /F 4 /P 4 0 R /Rect [72 500 272 520] /FT /Tx /T (amount) "
            b"/TU (Amount) /DA (/F1 12 Tf) >>",
            b"<< /Type /StructElem /S /Form /P 9 0 R /Pg 4 0 R /K << /Type /OBJR /Obj 15 0 R >> >>",
        ]
    )


def places(people: int) -> list[Place]:
    """Two each: one on either page."""
    return [
        Place(f"p{who}{n}", f"r{who}", 1 + n, 100_000, 80_000 + 150_000 * who, 250_000, 90_000)
        for who in range(people)
        for n in range(2)
    ]


def signed(data: bytes, who: int) -> bytes:
    order = SealOrder((f"p{who}0", f"p{who}1"), samples.ink_png((60, 20)), "Zoé", "Lu", samples.SIGNED_AT)
    return seal(data, order, samples.organisation())


def numbered(tree: Any) -> dict[int, Any]:
    """The tree of parents, flat."""
    found: dict[int, Any] = {}
    waiting = [tree.get_object()]
    while waiting:
        node = waiting.pop()
        waiting.extend(kid.get_object() for kid in node.get("/Kids", ()))
        pairs = node.get("/Nums", [])
        for index in range(0, len(pairs), 2):
            assert pairs[index] not in found
            found[int(pairs[index])] = pairs[index + 1].get_object()
        keys = [int(pairs[index]) for index in range(0, len(pairs), 2)]
        assert keys == sorted(keys)
        if keys and "/Limits" in node:
            assert [int(limit) for limit in node["/Limits"]] == [keys[0], keys[-1]]
    return found


@pytest.mark.parametrize("shape", SOUND)
def test_each_field_has_its_element_and_each_element_its_field(shape: str) -> None:
    reader = pypdf.PdfReader(io.BytesIO(prepare(tagged(**SOUND[shape]), places(2))))
    tree = reader.trailer["/Root"]["/StructTreeRoot"]
    parents = numbered(tree["/ParentTree"])
    assert tree["/ParentTreeNextKey"] == max(parents) + 1
    assert [one.get_object()["/S"] for n in (0, 1) for one in parents[n]] == ["/P", "/P"]
    fields = [one.get_object() for one in reader.trailer["/Root"]["/AcroForm"]["/Fields"]][1:]
    assert len({field["/StructParent"] for field in fields}) == len(fields) == 4
    for field in fields:
        element = parents[field["/StructParent"]]
        assert element["/S"] == "/Form"
        assert element["/K"]["/Type"] == "/OBJR"
        assert element["/K"]["/Obj"]["/T"] == field["/T"]
        assert element["/Pg"] == field["/P"]
        kids = element["/P"].get_object()["/K"]
        assert element in [kid.get_object() for kid in kids]
    assert [page["/Tabs"] for page in reader.pages] == ["/S", "/R"]
    assert [field["/TU"] for field in fields] == ["Signature 1", "Signature 1 (2)", "Signature 2", "Signature 2 (2)"]


@pytest.mark.parametrize("shape", SOUND)
def test_poppler_finds_our_fields_behind_what_was_there(shape: str, tmp_path: Path) -> None:
    def told(data: bytes) -> list[str]:
        path = tmp_path / "tagged.pdf"
        path.write_bytes(data)
        run = subprocess.run(["pdfinfo", "-struct", str(path)], capture_output=True, text=True, check=True)
        assert "Error" not in run.stderr
        return [line.strip() for line in run.stdout.splitlines() if not line.strip().startswith("Object")]

    before = tagged(**SOUND[shape])
    assert told(prepare(before, places(2))) == told(before) + ["Form"] * 4


@pytest.mark.parametrize("shape", SOUND)
def test_signatures_in_a_tagged_document_stay_valid(shape: str) -> None:
    data = prepare(tagged(**SOUND[shape]), places(3))
    for who in range(3):
        data = signed(data, who)
        assert oracles.all_well(data, who + 1)
        found = verify(data)
        assert found.is_intact
        assert {change.kind for change in found.changes or ()} <= {"field-look-changed"}


@pytest.mark.parametrize("shape", UNSOUND)
def test_a_tree_that_is_not_sound_is_left_as_it_is(shape: str) -> None:
    before = tagged(**UNSOUND[shape])
    prepared = prepare(before, places(1))
    assert not OF_THE_TREE.search(prepared[len(before) :])
    assert b"/StructParent" not in prepared[len(before) :].replace(b"/StructParents", b"")
    assert all(one.is_valid for one in oracles.poppler(signed(prepared, 0)))


def test_the_tree_of_a_document_that_somebody_signed_is_left_as_it_is() -> None:
    before = samples.signed_pdf(tagged())
    prepared = prepare(before, places(1))
    assert not OF_THE_TREE.search(prepared[len(before) :])
    assert oracles.all_well(signed(prepared, 0), 3)


def test_a_tagged_field_that_is_filled_in_between_two_signatures_is_no_alteration() -> None:
    data = signed(prepare(tagged(), places(2)), 0)
    number = number_of(data, b"/T (amount)")
    field = body_of(data, number).replace(b"/T (amount)", b"/T (amount) /V (100)")
    found = verify(signed(revision(data, {number: field}), 1))
    assert found.integrity == "intact"
    assert next((one.kind, one.subject) for one in found.changes or ()) == ("field-filled", "amount")


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("the field moved", b"/Rect [ ", b"/Rect [ 1"),
        ("no field anymore", b"/Subtype /Widget", b"/Subtype /Square"),
    ],
)
def test_a_field_that_is_something_else_afterwards_is_an_alteration(what: str, old: bytes, new: bytes) -> None:
    data = signed(prepare(tagged(), places(2)), 0)
    number = number_of(data, b"/T (p11)")
    field = body_of(data, number).replace(old, new)
    assert field != body_of(data, number), what
    changed = revision(data, {number: field})
    assert verify(changed).integrity == "changed"
    assert verify(signed_again(changed)).integrity == "changed"


def test_an_element_that_is_changed_afterwards_is_an_alteration() -> None:
    data = signed(prepare(tagged(), places(1)), 0)
    changed = revision(data, {10: body_of(data, 10).replace(b"/S /P", b"/S /Artifact")})
    assert verify(changed).integrity == "changed"
    assert verify(signed_again(changed)).integrity == "changed"

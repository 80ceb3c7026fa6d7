"""What a document's signatures forbid, in every shape it can be written, is found before anything is touched."""

from __future__ import annotations

import pytest

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.inspect import inspect
from pdfops.permissions import check_permissions
from pdfops.reading import open_reader
from pdfops.seal import seal
from tests.pdfops import oracles, samples
from tests.pdfops.test_certification import certifying, places, signing

OURS = ("p00", "p01")
MDP = b"/Reference [<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams %s >> >>]"
LOCK = b"/Reference [<< /Type /SigRef /TransformMethod /FieldMDP /TransformParams << /Type /TransformParams %s >> >>]"


def permitting(
    signature: bytes = b"", catalogue: bytes = b"", field: bytes = b"", objects: tuple[bytes, ...] = ()
) -> bytes:
    """A document with one signature by somebody else; what it signs does not matter here."""
    widget = b"<< /Type /Annot /Subtype /Widget /F 132 /P 3 0 R /Rect [0 0 0 0] /FT /Sig "
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /SigFlags 3 /Fields [4 0 R 6 0 R 7 0 R] >> %s>>" % catalogue,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
            b"<< /Type /Page /Parent 2 0 R /Annots [4 0 R 6 0 R 7 0 R] >>",
            widget + b"/T (theirs) /V 5 0 R %s>>" % field,
            b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /Contents <00> "
            b"/ByteRange [0 1 2 3] %s>>" % signature,
            widget + b"/T (p00) >>",
            widget + b"/T (p01) >>",
            *objects,
        ]
    )


def refused(data: bytes, names: tuple[str, ...] | None = OURS, *, are_there: bool = False) -> dict[str, object] | None:
    try:
        check_permissions(open_reader(data), names, are_there=are_there)
    except PdfError as error:
        return dict(error.values) if error.code == "certified" else {"code": error.code}
    return None


CERTIFIED = {
    "P=1": (permitting(MDP % b"/P 1 /V /1.2", b"/Perms << /DocMDP 5 0 R >> "), 1),
    "P=2": (permitting(MDP % b"/P 2 /V /1.2", b"/Perms << /DocMDP 5 0 R >> "), 2),
    "P=3": (permitting(MDP % b"/P 3 /V /1.2", b"/Perms << /DocMDP 5 0 R >> "), 3),
    "no P is 2": (permitting(MDP % b"/V /1.2", b"/Perms << /DocMDP 5 0 R >> "), 2),
    "P by reference": (permitting(MDP % b"/P 8 0 R", b"/Perms << /DocMDP 5 0 R >> ", objects=(b"1",)), 1),
    "a level that is none": (permitting(MDP % b"/P 7", b"/Perms << /DocMDP 5 0 R >> "), 1),
    "a level that is no number": (permitting(MDP % b"/P /All", b"/Perms << /DocMDP 5 0 R >> "), 1),
    "not named by the catalogue": (permitting(MDP % b"/P 2"), 2),
    "named by the catalogue alone": (permitting(b"", b"/Perms << /DocMDP 5 0 R >> "), 2),
    "in no field": (
        permitting(b"", b"/Perms 8 0 R ", objects=(b"<< /DocMDP << /Type /Sig %s >> >>" % (MDP % b"/P 1"),)),
        1,
    ),
    "references by reference": (
        permitting(
            b"/Reference 8 0 R ",
            objects=(b"[9 0 R]", b"<< /TransformMethod /DocMDP /TransformParams 10 0 R >>", b"<< /P 1 >>"),
        ),
        1,
    ),
    "no parameters": (permitting(b"/Reference [<< /TransformMethod /DocMDP >>] "), 2),
    "behind another reference": (
        permitting(b"/Reference [<< /TransformMethod /Identity >> << /TransformMethod /DocMDP >>] "),
        2,
    ),
    "a lock with a level": (permitting(field=b"/Lock << /Action /Include /Fields [(x)] /P 1 >> "), 1),
    "a lock with a level, in the signature": (permitting(LOCK % b"/Action /Include /Fields [(x)] /P 3"), 3),
}


@pytest.mark.parametrize("shape", CERTIFIED)
def test_a_certification_of_any_shape_lets_no_field_be_added(shape: str) -> None:
    data, level = CERTIFIED[shape]
    assert refused(data) == {"permission": level}
    assert refused(data, None) == {"permission": level}
    for attempt in (lambda: inspect(data), lambda: prepare(data, [Place("new", "r", 1, 0, 0, 100_000, 100_000)])):
        with pytest.raises(PdfError) as caught:
            attempt()
        assert (caught.value.code, caught.value.values) == ("certified", {"permission": level})


@pytest.mark.parametrize("shape", CERTIFIED)
def test_under_a_certification_empty_signature_fields_are_signed_unless_nothing_may_change(shape: str) -> None:
    data, level = CERTIFIED[shape]
    assert refused(data, are_there=True) == ({"permission": 1} if level == 1 else None)
    for names in (("theirs",), ("elsewhere",), ("p00", "elsewhere")):
        assert refused(data, names, are_there=True) == {"permission": level}


LOCKS = {
    "all": (b"/Action /All", True, True),
    "one of ours": (b"/Action /Include /Fields [(x) (p01)]", True, False),
    "by reference": (b"/Action /Include /Fields 8 0 R", True, False),
    "others": (b"/Action /Include /Fields [(x) (y)]", False, False),
    "a group that ours are not in": (b"/Action /Include /Fields [(p)]", False, False),
    "none": (b"/Action /Include /Fields []", False, False),
    "no list": (b"/Action /Include", False, False),
    "all but others": (b"/Action /Exclude /Fields [(x)]", True, True),
    "all but ours": (b"/Action /Exclude /Fields [(p00) (p01)]", False, True),
    "all but one of ours": (b"/Action /Exclude /Fields [(p00)]", True, True),
    "all but nothing": (b"/Action /Exclude", True, True),
    "an action that we do not know": (b"/Action /Some /Fields [(x)]", True, True),
    "no action": (b"/Fields [(x)]", True, True),
}


@pytest.mark.parametrize("are_there", [False, True])
@pytest.mark.parametrize("shape", LOCKS)
def test_a_lock_counts_where_it_covers_our_fields(shape: str, are_there: bool) -> None:
    """Whether it stands in the signature or in its field, and whether our fields are there already or not."""
    lock, covers_ours, covers_any = LOCKS[shape]
    listed = (b"[(p00)]",)
    for data in (
        permitting(LOCK % lock, objects=listed),
        permitting(field=b"/Lock << /Type /SigFieldLock %s >> " % lock, objects=listed),
        permitting(field=b"/Lock 9 0 R ", objects=(*listed, b"<< /Type /SigFieldLock %s >>" % lock)),
    ):
        assert refused(data, are_there=are_there) == ({"field": "theirs"} if covers_ours else None)
        assert refused(data, None) == ({"field": "theirs"} if covers_any else None)


def test_a_lock_that_waits_in_an_empty_field_forbids_nothing_yet() -> None:
    waiting = permitting().replace(b"/T (p00)", b"/T (p00) /Lock << /Action /All >>")
    assert refused(samples.rebuilt(waiting)) is None


def test_a_document_is_not_certified_twice() -> None:
    prepared = prepare(samples.simple_pdf(), places(1), "organisation")
    data = seal(prepared, certifying(), samples.organisation())
    with pytest.raises(PdfError, match="already-signed"):
        seal(data, certifying("p0_0"), samples.organisation())
    assert oracles.all_well(seal(data, signing(0), samples.organisation()), 2)

"""What a signatory sends as ink, and what is drawn of it in the signed copy."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pypdfium2 as pdfium
import pytest

from pdfops.stamp import normalise_typed
from tests.pdfops import oracles
from tests.world import Browser, Json, World, ink, pdf, signing, stamps

STROKES = [[[10, 40, 1.5], [40, 12.5, 2.4], [80, 44, 1.2], [140, 30, 2]], [[150, 20, 2.2]]]


def signed(world: World, alice: Browser, signature: Json, first_name: str = "Zoé") -> tuple[bytes, Json]:
    """The signed copy, and the event that tells of it."""
    folder = world.folder()
    original = world.put(f"{folder}/Contrat.pdf", pdf())
    flow = world.signature(
        alice,
        [original],
        [{"email": "encre@example.com", "first_name": first_name}],
        placements=[{**one, "with_text": True} for one in stamps(1, [0])],
    )
    link = world.link(flow["id"], "encre@")
    body: Json = signing(link.flow())
    body["signature"] = signature
    answer = link.act("sign", body)
    assert answer.status_code == 200, answer.text
    copy = alice.get(f"flows/{flow['id']}").json()["documents"][0]["signed"]["path"]
    event = next(one for one in world.lines(flow["id"]) if one["type"] == "recipient.signed")
    return world.read(copy), event


def read_back(data: bytes) -> str:
    document = pdfium.PdfDocument(data)
    pdfium.raw.FPDFPage_Flatten(document[0], 0)
    return str(document[0].get_textpage().get_text_bounded())


def images(data: bytes) -> int:
    return len(re.findall(rb"/Subtype\s*/Image", data))


def test_drawn_strokes_become_lines_and_the_signature_is_valid(world: World, alice: Browser) -> None:
    data, event = signed(world, alice, {"kind": "drawn", "strokes": STROKES})
    assert images(data) == 0
    assert oracles.all_well(data, 1)
    assert event["data"]["signature_kind"] == "drawn"


def test_of_strokes_and_an_image_the_strokes_are_drawn(world: World, alice: Browser) -> None:
    alone = signed(world, alice, {"kind": "drawn", "strokes": STROKES})
    both = signed(world, alice, {"kind": "drawn", "strokes": STROKES, "png_base64": ink()})
    assert images(both[0]) == 0
    assert both[1]["data"]["ink_sha256"] == alone[1]["data"]["ink_sha256"]


@pytest.mark.parametrize("more", [{}, {"strokes": []}, {"strokes": None}])
def test_a_program_may_send_a_picture_alone(world: World, alice: Browser, more: dict[str, Any]) -> None:
    data, _ = signed(world, alice, {"kind": "drawn", "png_base64": ink(), **more})
    assert images(data) == 2  # colours and transparency


def test_a_typed_name_can_be_searched_in_the_signed_copy(world: World, alice: Browser) -> None:
    data, event = signed(world, alice, {"kind": "typed", "text": " Éloïse\tŁukasz "}, "Ana")
    assert "Éloïse Łukasz" in read_back(data)
    assert images(data) == 0
    assert oracles.all_well(data, 1)
    assert event["data"]["signature_kind"] == "typed"
    assert event["data"]["ink_sha256"] == hashlib.sha256(normalise_typed("Éloïse Łukasz".encode())).hexdigest()


def launched_with(world: World, alice: Browser, recipient: Json, language: str, **more: Any) -> Any:
    body = {
        "kind": "signature",
        "documents": [{"file_id": world.put(f"{world.folder()}/Contrat.pdf", pdf())}],
        "recipients": [{"user": "bob"}, recipient],
        "placements": [{**one, **more} for one in stamps(1, [0, 1])],
    }
    return alice.post("flows", body, headers={"Accept-Language": language})


@pytest.mark.parametrize(
    "language, said",
    [
        ("en", "No font here can draw these characters of “Zoé 😀𓀀” on a stamp: 𓀀😀"),
        ("fr", "Aucune police d’ici ne sait dessiner sur un cachet ces caractères de « Zoé 😀𓀀 » : 𓀀😀"),
    ],
)
def test_a_name_that_no_stamp_can_show_is_refused_before_anybody_is_asked(
    world: World, alice: Browser, language: str, said: str
) -> None:
    answer = launched_with(
        world, alice, {"email": "zoe@example.com", "first_name": "Zoé", "last_name": "😀𓀀"}, language
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "glyph-missing")
    assert answer.json()["errors"][0]["path"] == "placements[1].with_text"
    assert answer.json()["title"].replace("\u00a0", " ") == said


def test_a_reason_that_no_stamp_can_show_is_refused_with_whose_it_is(world: World, alice: Browser) -> None:
    zoe = {"email": "zoe@example.com", "first_name": "Zoé"}
    answer = launched_with(world, alice, zoe, "en", reason="Lu 😀", with_text=True)
    assert (answer.status_code, answer.json()["code"]) == (422, "glyph-missing")
    assert "“Lu 😀 (" in answer.json()["title"]


def test_without_text_on_the_stamp_any_name_will_do(world: World, alice: Browser) -> None:
    anybody = {"email": "zoe@example.com", "first_name": "😀"}
    assert launched_with(world, alice, anybody, "en", with_text=False).status_code == 201


def test_whoever_places_stamps_can_ask_before_launching(world: World, alice: Browser) -> None:
    answer = alice.post("stamps/undrawable", {"texts": ["Zoé Ωmega Жук", "Zoé 😀𓀀", ""]})
    assert (answer.status_code, answer.json()) == (200, {"missing": ["", "𓀀😀", ""]})
    for wrong in ({"texts": []}, {"texts": ["x" * 401]}, {"texts": ["x"] * 201}, {"texts": "x"}, {}):
        assert alice.post("stamps/undrawable", wrong).status_code == 422
    assert world.nobody().post("stamps/undrawable", {"texts": ["x"]}).status_code == 401

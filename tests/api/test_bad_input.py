"""What cannot be used is refused one by one, with a reason in the user's language and the path of the field."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.pdfops import samples
from tests.world import Browser, Json, World, ink, pdf, signing, stamps

BAD_PDFS: dict[str, tuple[Callable[[], bytes], str, str, str]] = {
    "not-a-pdf": (lambda: b"PK\x03\x04 a text", "not-a-pdf", "PDF", "only a PDF"),
    "encrypted": (samples.encrypted_pdf, "encrypted", "protégé", "Password-protected"),
    "damaged": (samples.damaged_pdf, "damaged", "endommagé", "damaged"),
    "certified": (samples.certified_p1_pdf, "certified", "certifié", "certified"),
    "unrenderable": (samples.form_recursion, "unrenderable", "La page 1 de ce PDF ne peut pas", "Page 1 of this PDF"),
    "no visible area": (
        lambda: samples.rotated_cropped_pdf(0, crop=(1_000, 1_000, 2_000, 2_000)),
        "unrenderable",
        "La page 1 de ce PDF",
        "cannot be shown",
    ),
    "too large": (lambda: b"%PDF-1.7\n" + b" " * 15_000_001, "over-the-limit", "15 Mo", "15 MB"),
}


@pytest.fixture(scope="module")
def folder(world: World) -> str:
    return world.folder()


@pytest.fixture(scope="module")
def good(world: World, folder: str) -> list[str]:
    """The file ids of two PDFs of Alice's: of one page, and of two."""
    return [world.put(f"{folder}/Un.pdf", pdf()), world.put(f"{folder}/Deux.pdf", pdf(2))]


@pytest.fixture(scope="module")
def bad(world: World, folder: str) -> dict[str, str]:
    return {name: world.put(f"{folder}/{name}.pdf", make()) for name, (make, *_) in BAD_PDFS.items()}


@pytest.fixture
def body(good: list[str]) -> Json:
    """A signature that would be launched as it stands."""
    return {
        "kind": "signature",
        "documents": [{"file_id": file_id} for file_id in good],
        "recipients": [{"user": "bob"}, {"email": "un@example.com", "first_name": "Un", "language": "fr"}],
        "placements": stamps(2, [0, 1]),
    }


def changed(body: Json, path: str, value: Any) -> Json:
    """``body`` with the value at a path like ``placements[0].box.x``."""
    copied = copy.deepcopy(body)
    at: Any = copied
    *before, last = [int(p) if p.isdigit() else p for p in path.replace("[", ".").replace("]", "").split(".")]
    for part in before:
        at = at[part]
    if isinstance(at, list) and last == len(at):
        at.append(value)
    else:
        at[last] = value
    return copied


def sized(size_bytes: int) -> bytes:
    """A PDF of exactly this size."""
    near = samples.sized_pdf(size_bytes)
    data = samples.sized_pdf(2 * size_bytes - len(near))
    assert len(data) == size_bytes
    return data


def told(answer: requests.Response) -> tuple[int, str, str | None]:
    found = answer.json()
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert found["title"]
    assert found["status"] == answer.status_code
    return answer.status_code, found["code"], found.get("path")


def left_behind(world: World, folder: str) -> list[str]:
    return [name for name in world.names(folder) if ".flows/" in name]


# ---- documents ----
@pytest.mark.parametrize("name", BAD_PDFS)
def test_a_document_that_cannot_be_signed_is_refused_by_itself_with_its_reason(
    world: World, alice: Browser, good: list[str], bad: dict[str, str], name: str
) -> None:
    _, code, french, english = BAD_PDFS[name]
    asked = {"file_ids": [good[0], bad[name], good[1]]}
    answer = alice.post("documents/inspect", asked, headers={"Accept-Language": "fr-FR,fr"})
    assert answer.status_code == 200, answer.text
    first, refused, last = answer.json()["documents"]
    assert (first["problems"], first["pages"], last["problems"], last["pages"]) == ([], 1, [], 2)
    assert [problem["code"] for problem in refused["problems"]] == [code]
    assert french in refused["problems"][0]["message"]
    assert refused["pages"] is None
    spoken = alice.post("documents/inspect", asked, headers={"Accept-Language": "en"}).json()
    assert english in spoken["documents"][1]["problems"][0]["message"]
    chosen = alice.post("documents/inspect", asked, headers={"Accept-Language": "en", "Cookie": cookie(alice, "fr")})
    assert french in chosen.json()["documents"][1]["problems"][0]["message"]


def cookie(browser: Browser, lang: str) -> str:
    held = "; ".join(f"{one.name}={one.value}" for one in browser.session.cookies)
    return f"{held}; lang={lang}"


@pytest.mark.parametrize("name", BAD_PDFS)
def test_a_launch_with_such_a_document_names_it_and_leaves_nothing(
    world: World, alice: Browser, folder: str, bad: dict[str, str], body: Json, name: str
) -> None:
    _, code, french, _ = BAD_PDFS[name]
    before = left_behind(world, folder)
    body = changed(body, "documents[2]", {"file_id": bad[name]})
    body["placements"] = stamps(3, [0, 1])
    answer = alice.post("flows", body, headers={"Accept-Language": "fr"})
    assert told(answer)[:2] == (422, code)
    assert answer.json()["file_id"] == bad[name]
    assert answer.json()["name"] == f"{name}.pdf"
    assert french in answer.json()["title"]
    assert left_behind(world, folder) == before


def test_the_limit_counts_the_bytes_of_all_documents_together(world: World, alice: Browser) -> None:
    folder = world.folder()
    halves = [world.put(f"{folder}/{n}.pdf", sized(7_500_001 - n)) for n in (0, 1)]
    more = world.put(f"{folder}/2.pdf", pdf())
    answer = alice.post("documents/inspect", {"file_ids": [*halves, more]}).json()
    assert [[p["code"] for p in d["problems"]] for d in answer["documents"]] == [[], ["over-the-limit"], []]
    assert answer["limit_bytes"] == 15_000_000
    assert answer["documents"][1]["size_bytes"] == 7_500_000
    body = {
        "kind": "signature",
        "documents": [{"file_id": file_id} for file_id in halves],
        "recipients": [{"user": "bob"}],
        "placements": stamps(2, [0]),
    }
    refused = alice.post("flows", body)
    assert told(refused)[:2] == (422, "over-the-limit")
    assert refused.json()["file_id"] == halves[1]
    assert left_behind(world, folder) == []


def test_a_collection_of_exactly_the_limit_is_launched(world: World, alice: Browser) -> None:
    folder = world.folder()
    ids = [world.put(f"{folder}/{n}.pdf", sized(7_500_000)) for n in (0, 1)]
    flow = world.signature(alice, ids, [{"user": "bob"}])
    assert sum(d["size_bytes"] for d in flow["documents"]) == 15_000_000


def test_a_validation_has_no_such_limit_and_takes_any_file(world: World, alice: Browser, bad: dict[str, str]) -> None:
    flow = world.validation(alice, list(bad.values()), [{"user": "bob"}])
    assert len(flow["documents"]) == len(bad)


def test_a_folder_a_missing_and_a_foreign_file_are_refused(world: World, alice: Browser, body: Json) -> None:
    name = world.folder()
    listed = alice.get("/demo/api/files?dir=").json()["entries"]
    own = next(entry["file_id"] for entry in listed if entry["name"] == name)
    foreign = world.put(f"{world.folder('bob')}/A lui.pdf", pdf(), "bob")
    for file_id, code in ((own, "is-a-folder"), ("99999999", "no-such-file"), (foreign, "no-such-file")):
        inspected = alice.post("documents/inspect", {"file_ids": [file_id]}).json()["documents"][0]
        assert [problem["code"] for problem in inspected["problems"]] == [code]
        answer = alice.post("flows", changed(body, "documents[1]", {"file_id": file_id}))
        assert told(answer)[:2] == (422, code)
        if code == "no-such-file":
            assert answer.json()["path"] == "documents[1].file_id"
    assert alice.get(f"documents/{foreign}/pages/1").status_code == 404
    assert alice.post(f"documents/beside/{foreign}?name=x.pdf", data=pdf()).status_code == 404
    assert alice.get(f"files/{foreign}/flows").json() == {"flows": []}


# ---- fields of a launch ----
FIELDS: list[tuple[str, Any, str, str]] = [
    # where, what, path that is answered, code
    ("placements[0].box", {"x": 0.9, "y": 0.1, "w": 0.3, "h": 0.1}, "placements[0].box", "outside-page"),
    ("placements[0].box", {"x": -0.01, "y": 0.1, "w": 0.3, "h": 0.1}, "placements[0].box", "outside-page"),
    ("placements[0].box", {"x": 0.1, "y": 1.1, "w": 0.3, "h": 0.1}, "placements[0].box", "outside-page"),
    ("placements[0].box", {"x": 0.1, "y": 0.1, "w": -0.3, "h": 0.1}, "placements[0].box", "outside-page"),
    ("placements[0].box", {"x": 0, "y": 0, "w": 1e300, "h": 1e300}, "placements[0].box", "outside-page"),
    ("placements[1].box", {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1}, "placements[1].box", "stamp-too-small"),
    ("placements[1].box", {"x": 0.1, "y": 0.1, "w": 0.3, "h": 0.02}, "placements[1].box", "stamp-too-small"),
    ("placements[0].page", 2, "placements[0].page", "no-such-page"),
    ("placements[0].page", 10**30, "placements[0].page", "no-such-page"),
    ("placements[0].page", 0, "placements[0].page", "invalid"),
    ("placements[0].document", 2, "placements[0].document", "no-such-document"),
    ("placements[0].document", 10**30, "placements[0].document", "no-such-document"),
    ("placements[0].recipient", 2, "placements[0].recipient", "no-such-recipient"),
    ("placements[0].recipient", -1, "placements[0].recipient", "invalid"),
    ("placements[0].recipient", "you", "placements[0].recipient", "invalid"),
    ("placements[0].recipient", "me", "placements[0].recipient", "no-such-recipient"),
    ("recipients[0].role", "validator", "placements[0].recipient", "stamp-for-non-signatory"),
    ("placements", [], "placements", "stamp-missing"),
    ("placements", stamps(1, [0, 1]), "placements", "stamp-missing"),
    ("placements", stamps(2, [0]), "placements", "stamp-missing"),
    ("documents", [], "documents", "invalid"),
    ("documents[1]", {}, "documents[1].file_id", "field-missing"),
    ("documents[1].file_id", "a/b", "documents[1].file_id", "invalid"),
    ("documents[1].file_id", True, "documents[1].file_id", "invalid"),
    ("documents[1].file_id", 10**400, "documents[1].file_id", "invalid"),
    ("recipients[1]", {"user": "bob"}, "recipients[1].user", "duplicate-recipient"),
    ("recipients[0]", {"email": "UN@example.com"}, "recipients[1].email", "duplicate-recipient"),
    ("recipients[1]", {"email": "bob@example.org"}, "recipients[1].email", "duplicate-recipient"),
    ("recipients[1]", {"user": "carol", "role": "validator"}, "recipients[1].role", "validator-after-signatory"),
    ("recipients[1].email", "nobody", "recipients[1].email", "bad-email"),
    ("recipients[1].email", "a@b", "recipients[1].email", "bad-email"),
    ("recipients[1].email", "a@b@example.com", "recipients[1].email", "bad-email"),
    ("recipients[1].email", "a@example.com\r\nBcc: b@example.com", "recipients[1].email", "bad-email"),
    ("recipients[1].email", "<a@example.com>", "recipients[1].email", "bad-email"),
    ("recipients[1].email", "a@[127.0.0.1]", "recipients[1].email", "bad-email"),
    ("recipients[1].email", "", "recipients[1].email", "invalid"),
    ("recipients[1]", {"user": "carol", "email": "c@example.com"}, "recipients[1]", "user-or-email"),
    ("recipients[1]", {}, "recipients[1]", "user-or-email"),
    ("recipients[0].user", "nobody", "recipients[0].user", "no-such-user"),
    ("recipients[0].user", "../alice", "recipients[0].user", "no-such-user"),
    ("recipients[0].user", "bob\r\n", "recipients[0].user", "no-such-user"),
    ("recipients[0].user", "bob\x00", "recipients[0].user", "no-such-user"),
    ("recipients[1].language", "fr; DROP", "recipients[1].language", "invalid"),
    ("recipients[1].first_name", "x" * 121, "recipients[1].first_name", "invalid"),
    ("recipients[1].first_name", 5, "recipients[1].first_name", "invalid"),
    ("recipients[1].literal", 1, "recipients[1].literal", "unknown-field"),
    ("recipients[1].is-admin", 1, "recipients[1].is-admin", "unknown-field"),
    ("placements[3].box.X", 1, "placements[3].box.X", "unknown-field"),
    ("état", 1, "état", "unknown-field"),
    ("save", {"mode": "beside", "where": "x"}, "save.where", "unknown-field"),
    ("save", {"mode": "anywhere"}, "save.mode", "invalid"),
    ("steps", [{"step": 0, "rule": {"n": 0}}], "steps[0].rule", "invalid"),
    ("steps", [{"step": 0, "rule": "most"}], "steps[0].rule", "invalid"),
    ("steps", [{"step": 0, "rule": {"n": 2}}], "steps[0].rule", "more-than-there-are"),
    ("steps", [{"step": 1}, {"step": 0, "rule": {"n": 2}}], "steps[1].rule", "more-than-there-are"),
    ("steps", [{"step": 2}], "steps[0].step", "no-such-step"),
    ("steps", [{"step": 1}, {"step": 1, "rule": "any"}], "steps[1].step", "duplicate-step"),
    ("steps", [{"step": 1}] * 201, "steps", "invalid"),
    (
        "recipients",
        [{"user": "bob", "step": 3}, {"email": "un@example.com", "step": 3, "role": "validator"}],
        "recipients[0].role",
        "mixed-step",
    ),
    ("recipients[0].step", -1, "recipients[0].step", "invalid"),
    ("recipients[0].step", "1", "recipients[0].step", "invalid"),
    ("recipients[0].role", "observer", "placements[0].recipient", "stamp-for-non-signatory"),
    ("copy_emails", ["copie@example.com", "nobody"], "copy_emails[1]", "bad-email"),
    ("copy_emails", "copie@example.com", "copy_emails", "invalid"),
    ("copy_emails", [f"c{n}@example.com" for n in range(201)], "copy_emails", "invalid"),
    ("copy_emails", [f"c{n}@example.com" for n in range(199)], "recipients", "too-many-recipients"),
    ("expires_at", "2020-01-01T00:00:00Z", "expires_at", "in-the-past"),
    ("expires_at", "2020-01-01", "expires_at", "in-the-past"),
    ("expires_at", "2999-01-01", "expires_at", "too-far"),
    ("expires_at", "9999-12-31", "expires_at", "too-far"),
    ("expires_at", "0001-01-01T00:00:00+14:00", "expires_at", "bad-time"),
    ("expires_at", "2030-01-01T00:00:00", "expires_at", "bad-time"),
    ("expires_at", "2030-02-30", "expires_at", "bad-time"),
    ("expires_at", "tomorrow", "expires_at", "bad-time"),
    ("expires_at", "", "expires_at", "bad-time"),
    ("expires_at", 1_900_000_000, "expires_at", "invalid"),
    ("remind_every", 0, "remind_every", "out-of-range"),
    ("remind_every", -(10**30), "remind_every", "out-of-range"),
    ("remind_every", 91, "remind_every", "out-of-range"),
    ("remind_every", 1.5, "remind_every", "invalid"),
    ("remind_every", True, "remind_every", "invalid"),
    ("time_zone", "Europe/Nowhere", "time_zone", "no-such-time-zone"),
    ("time_zone", "../../etc/passwd", "time_zone", "no-such-time-zone"),
    ("time_zone", "", "time_zone", "no-such-time-zone"),
    ("allow_delegation", "yes", "allow_delegation", "invalid"),
    ("add_me", 1, "add_me", "invalid"),
    ("add_me", True, "placements", "stamp-missing"),
    ("save", {"mode": "folder"}, "save.folder", "field-missing"),
    ("save", {"mode": "folder", "folder": "Nowhere"}, "save.folder", "no-such-folder"),
    ("save", {"mode": "folder", "folder": "../bob"}, "save.folder", "no-such-folder"),
    ("save", {"mode": "folder", "folder": "a\0b"}, "save.folder", "no-such-folder"),
    ("save", {"mode": "folder", "folder": ".flows"}, "save.folder", "no-such-folder"),
    ("save", {"mode": "version", "folder": "x"}, "save.folder", "folder-without-mode"),
    ("save", {"folder": "x"}, "save.folder", "folder-without-mode"),
    ("kind", "contract", "kind", "invalid"),
    ("kind", None, "kind", "invalid"),
    ("title", "x" * 201, "title", "invalid"),
    ("title", ["x"], "title", "invalid"),
    ("comment", "x" * 4001, "comment", "invalid"),
    ("copy_to_all", "yes", "copy_to_all", "invalid"),
    ("copy_to_all", 1, "copy_to_all", "invalid"),
    ("placements[0].with_text", "on", "placements[0].with_text", "invalid"),
    ("placements[0].page", "1", "placements[0].page", "invalid"),
    ("placements[0].page", 1.5, "placements[0].page", "invalid"),
    ("placements[0].box.w", "0.3", "placements[0].box.w", "invalid"),
    ("placements[0].box", [0, 0, 1, 1], "placements[0].box", "invalid"),
    ("placements[0]", None, "placements[0]", "invalid"),
    ("recipients", {"user": "bob"}, "recipients", "invalid"),
]


@pytest.mark.parametrize("where, what, path, code", FIELDS, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_refused_with_its_path(
    world: World, alice: Browser, folder: str, body: Json, where: str, what: Any, path: str, code: str
) -> None:
    before = left_behind(world, folder)
    answer = alice.post("flows", changed(body, where, what))
    assert told(answer) == (422, code, path)
    assert answer.json()["errors"][0]["path"] == path
    assert answer.json()["errors"][0]["message"]
    assert left_behind(world, folder) == before


def test_without_recipients_or_signatories_there_is_no_signature(alice: Browser, body: Json) -> None:
    body["placements"] = []
    for recipients, code in (([], "no-recipients"), ([{"user": "bob", "role": "validator"}], "no-signatory")):
        answer = alice.post("flows", {**body, "recipients": recipients})
        assert told(answer) == (422, code, "recipients")


LATER: list[tuple[str, Any, str]] = [
    ("kind", "eidas_simple", "kind"),
    ("kind", "eidas_advanced", "kind"),
    ("recipients[1].phone", "+33612345678", "recipients[1].phone"),
]


@pytest.mark.parametrize("where, what, path", LATER, ids=lambda value: str(value)[:40])
def test_what_is_not_built_yet_says_so_with_its_path(
    world: World, alice: Browser, folder: str, body: Json, where: str, what: Any, path: str
) -> None:
    before = left_behind(world, folder)
    assert told(alice.post("flows", changed(body, where, what))) == (422, "not-available-yet", path)
    assert left_behind(world, folder) == before


def test_their_defaults_are_accepted(world: World, alice: Browser, body: Json) -> None:
    flow = world.launch(
        alice,
        {
            **body,
            "recipients": [
                {**body["recipients"][0], "step": 0, "role": "signatory", "phone": None, "comment": None},
                {**body["recipients"][1], "step": 1, "comment": "Pour vous"},
            ],
            "documents": [{"file_id": int(one["file_id"])} for one in body["documents"]],
            "title": None,
            "comment": "",
            "copy_to_all": False,
            "add_me": False,
            "allow_delegation": False,
            "copy_emails": [],
            "expires_at": None,
            "remind_every": None,
            "time_zone": "Europe/Paris",
            "save": {"mode": "beside", "folder": None},
            "steps": [{"step": 0, "rule": "all"}, {"step": 1}],
        },
    )
    assert flow["time_zone"] == "Europe/Paris"
    assert flow["expires_at"] is None
    assert flow["steps"][1]["recipients"][0]["message"] == "Pour vous"


def test_an_aggregate_of_wrong_fields_names_them_all(alice: Browser, body: Json) -> None:
    wrong = changed(changed(changed(body, "title", 5), "placements[1].box.w", "x"), "colour", "red")
    assert [one["path"] for one in alice.post("flows", wrong).json()["errors"]] == [
        "title",
        "placements[1].box.w",
        "colour",
    ]


# ---- bodies ----
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_none_are_refused(alice: Browser, body: Json, number: str) -> None:
    for path in ("placements[0].box.x", "placements[0].page", "placements[0].document"):
        raw = json.dumps(changed(body, path, 123454321)).replace("123454321", number)
        answer = alice.post("flows", data=raw.encode(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert answer.json().get("path") == path or answer.json()["code"] == "not-json"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b"kind=signature", b"[" * 100_000, b'{"kind":"\\ud800"}'],
    ids=lambda raw: repr(raw[:12]),
)
def test_a_body_that_is_no_json_object_is_refused(alice: Browser, raw: bytes) -> None:
    answer = alice.post("flows", data=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in ("not-json", "field-missing", "invalid")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken_for_json(alice: Browser, body: Json, kind: str) -> None:
    answer = alice.post("flows", data=json.dumps(body).encode(), headers={"Content-Type": kind})
    assert told(answer)[:2] == (422, "not-json")


def test_a_body_that_is_too_large_is_refused_whatever_its_length_says(alice: Browser) -> None:
    headers = {"Content-Type": "application/json"}
    huge = b'{"title":"' + b"x" * 5_000_000 + b'"}'
    assert told(alice.post("flows", data=huge, headers=headers))[:2] == (413, "too-large")
    chunks = (huge[at : at + 100_000] for at in range(0, len(huge), 100_000))
    assert told(alice.post("flows", data=chunks, headers=headers))[:2] == (413, "too-large")


# ---- acts ----
@pytest.fixture(scope="module")
def waiting(world: World, alice: Browser, good: list[str]) -> Any:
    """The link of a signatory whose turn it is, throughout this module."""
    flow_id = world.signature(alice, good, [{"email": "acte@example.com", "language": "fr"}])["id"]
    return world.link(flow_id, "acte@")


ACTS: list[tuple[str, Any, str, str]] = [
    ("consent", False, "consent", "consent-required"),
    ("consent", "true", "consent", "invalid"),
    ("consent", 1, "consent", "invalid"),
    ("signature.kind", "typed", "signature.text", "field-missing"),
    ("signature", {"kind": "typed", "text": " \n"}, "signature.text", "field-missing"),
    ("signature", {"kind": "typed", "text": "\u202e"}, "signature.text", "bad-image"),
    ("signature", {"kind": "typed", "text": "Zoé 😀"}, "signature.text", "glyph-missing"),
    ("signature", {"kind": "typed", "text": "Zoé" * 50}, "signature.text", "image-too-large"),
    ("signature", {"kind": "typed", "text": "Zoé" * 500}, "signature.text", "invalid"),
    ("signature.kind", "carved", "signature.kind", "invalid"),
    ("signature.strokes", [[1, 2]], "signature.strokes", "bad-image"),
    ("signature.strokes", [[[0, 0, 1], [1e300, 0, 1]]], "signature.strokes", "bad-image"),
    ("signature.strokes", [[[0, 0, 1], [5, 0, 1]]], "signature.strokes", "bad-image"),
    ("signature.strokes", [[[0, 0, 1], [9, 9, 1]]] * 501, "signature.strokes", "image-too-large"),
    ("signature.strokes", "M 0 0 L 9 9", "signature.strokes", "invalid"),
    ("signature", {"kind": "drawn", "strokes": []}, "signature.strokes", "bad-image"),
    ("signature", {"kind": "image", "strokes": [[[0, 0, 1], [90, 9, 1]]]}, "signature.png_base64", "field-missing"),
    ("code_token", "123456", "code_token", "not-available-yet"),
    ("signature.png_base64", "", "signature.png_base64", "field-missing"),
    ("signature.png_base64", None, "signature.png_base64", "field-missing"),
    ("signature.png_base64", "not base64!", "signature.png_base64", "bad-image"),
    ("signature.png_base64", "é" * 40, "signature.png_base64", "bad-image"),
    ("signature.png_base64", base64.b64encode(b"<svg onload=alert(1)>").decode(), "signature.png_base64", "bad-image"),
    ("signature.png_base64", base64.b64encode(b"GIF89a" + b"\0" * 99).decode(), "signature.png_base64", "bad-image"),
    ("signature.png_base64", "A" * 2_700_000, "signature.png_base64", "image-too-large"),
    ("signature.pin", 1, "signature.pin", "unknown-field"),
    ("documents", {}, "documents.0", "document-missing"),
    ("documents.7", "0" * 64, "documents.7", "no-such-document"),
    ("documents.x", "0" * 64, "documents.x", "invalid"),
    ("documents.0", "zz", "documents.0", "invalid"),
    ("documents", [], "documents", "invalid"),
    ("extra", None, "extra", "unknown-field"),
]


@pytest.mark.parametrize("where, what, path, code", ACTS, ids=lambda value: str(value)[:30])
def test_a_wrong_field_of_a_signature_is_refused_with_its_path(
    waiting: Any, where: str, what: Any, path: str, code: str
) -> None:
    answer = waiting.act("sign", changed(signing(waiting.flow()), where, what))
    assert told(answer) == (422, code, path)
    assert waiting.flow()["me"]["state"] == "invited"


def test_a_hash_of_something_else_is_not_what_was_shown(waiting: Any) -> None:
    answer = waiting.act("sign", changed(signing(waiting.flow()), "documents.1", "0" * 64))
    assert (answer.status_code, answer.json()["code"]) == (409, "documents-changed")


def test_a_refusal_needs_a_reason(waiting: Any) -> None:
    for body in ({"reason": ""}, {"reason": " \n"}):
        assert told(waiting.act("refuse", body)) == (422, "reason-required", "reason")
    assert told(waiting.act("refuse", {})) == (422, "field-missing", "reason")


def test_a_jpeg_and_a_data_url_are_taken_as_an_image(world: World, alice: Browser, good: list[str]) -> None:
    flow_id = world.signature(alice, good[:1], [{"email": "jpeg@example.com"}])["id"]
    link = world.link(flow_id, "jpeg@")
    picture = samples.encoded(samples.Image.open(samples.io.BytesIO(base64.b64decode(ink()))).convert("RGB"), "JPEG")
    body = signing(link.flow(), "data:image/jpeg;base64," + base64.b64encode(picture).decode())
    body["signature"]["kind"] = "image"
    assert link.act("sign", body).status_code == 200


def test_an_empty_body_is_enough_where_nothing_is_required(world: World, alice: Browser, good: list[str]) -> None:
    flow_id = world.signature(alice, good[:1], [{"user": "bob"}])["id"]
    bob = world.recipient("bob", flow_id)
    bob.flow()
    assert bob.post("view", data=b"").status_code == 200
    assert bob.act("view", {}).status_code == 200


# ---- odd addresses ----
@pytest.mark.parametrize(
    "path",
    [
        "documents/{id}/pages/0",
        "documents/{id}/pages/3",
        "documents/{id}/pages/" + "9" * 30,
        "documents/{id}/pages/" + "9" * 5000,
        "documents/" + "9" * 5000 + "/pages/1",
        "documents/0/pages/1",
        "files/x/flows",
        "flows/x",
        "flows/00000000-0000-7000-8000-000000000000",
        "flows?box=all",
        "nothing/here",
    ],
    ids=lambda path: str(path)[:40],
)
def test_addresses_of_nothing_are_404(alice: Browser, good: list[str], path: str) -> None:
    assert told(alice.get(path.format(id=good[1])))[:2] == (404, "not-found")


@pytest.mark.parametrize("w", ["x", "", "1e9", "9" * 5000, "-"])
def test_a_width_that_is_no_number_is_refused(alice: Browser, good: list[str], w: str) -> None:
    assert told(alice.get(f"documents/{good[0]}/pages/1?w={w}")) == (422, "invalid", "w")


def test_any_width_is_raised_to_one_that_is_made(alice: Browser, good: list[str]) -> None:
    for w in ("-5", "0", "1", "99999999"):
        assert alice.get(f"documents/{good[0]}/pages/1?w={w}").status_code == 200


# ---- uploads ----
def test_a_pdf_from_the_computer_lies_beside_and_never_overwrites(world: World, alice: Browser) -> None:
    folder = world.folder()
    beside = world.put(f"{folder}/Ici.pdf", pdf())
    first = alice.post(f"documents/beside/{beside}?name=Ici.pdf", data=pdf(2))
    assert first.status_code == 201, first.text
    assert (first.json()["name"], first.json()["size_bytes"]) == ("Ici 2.pdf", len(pdf(2)))
    part = {"file": ("../../Là.pdf", pdf(3), "application/pdf")}
    second = alice.post(f"documents/beside/{beside}", files=part)
    assert second.json()["name"] == "Là.pdf"
    assert world.names(folder) == ["Ici 2.pdf", "Ici.pdf", "Là.pdf"]
    assert world.read(f"{folder}/Ici.pdf") == pdf()


@pytest.mark.parametrize("name", ["..", "a/../../b", "C:\\x", ".htaccess", "a\x00b", "\u202efdp.exe", "x" * 400, ""])
def test_names_of_uploads_are_made_harmless(world: World, alice: Browser, name: str) -> None:
    folder = world.folder()
    beside = world.put(f"{folder}/Ici.pdf", pdf())
    answer = alice.post(f"documents/beside/{beside}", params={"name": name}, data=pdf())
    assert answer.status_code == 201, answer.text
    stored = answer.json()["name"]
    assert stored.endswith(".pdf")
    assert not stored.startswith(".")
    assert not set("/\\\x00\u202e") & set(stored)
    assert stored in world.names(folder)


@pytest.mark.parametrize("name", [n for n in BAD_PDFS if n != "certified"])
def test_a_bad_upload_is_refused_and_not_kept(world: World, alice: Browser, name: str) -> None:
    make, code, _, english = BAD_PDFS[name]
    folder = world.folder()
    beside = world.put(f"{folder}/Ici.pdf", pdf())
    en = {"Accept-Language": "en"}
    raw = alice.post(f"documents/beside/{beside}?name=x.pdf", data=make(), headers=en)
    part = alice.post(f"documents/beside/{beside}", files={"file": ("x.pdf", make())}, headers=en)
    for answer in (raw, part):
        assert told(answer)[:2] == (422, code)
        assert english in answer.json()["title"]
    assert world.names(folder) == ["Ici.pdf"]


def test_a_multipart_without_a_file_is_refused(alice: Browser, good: list[str]) -> None:
    answer = alice.post(f"documents/beside/{good[0]}", files={"x": (None, "no file")})
    assert told(answer)[:2] == (422, "field-missing")

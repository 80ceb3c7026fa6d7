"""Anybody checks a signed PDF: the verdict as JSON for programs, as a page for people; nothing is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests

from pdfops.verify import verify
from plugin.verdict import verdict
from tests.pdfops import attacks, samples, tampering
from tests.world import Browser, World

HTML = {"Accept": "text/html", "Accept-Language": "fr"}


def sent(world: World, data: bytes, **headers: str) -> requests.Response:
    return requests.post(f"{world.url}/verify", data=data, headers=headers, timeout=60)


def test_a_document_signed_here_is_intact_and_its_seal_is_trusted(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", samples.simple_pdf())
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    signed = world.read(f"{folder}/Bail (signé).pdf")
    answer = sent(world, signed)
    assert answer.status_code == 200
    verdict = answer.json()
    assert (verdict["integrity"], verdict["trust"], verdict["changes"]) == ("intact", "trusted", [])
    (one,) = verdict["signatures"]
    assert one["signer"] == "Demo organisation"
    assert "Bob Leroy" in one["name"]
    assert (one["covers"], one["integrity"], verdict["signed_bytes"]) == ("file", "intact", None)
    page = sent(world, signed, **HTML)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Document authentique" in page.text
    assert "Demo organisation" in page.text
    assert "Bob Leroy" in page.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("isa: content replaced", "Le contenu de la page 1 a été remplacé"),
        ("trailing: a comment", "octets ont été ajoutés après la fin du document"),
        ("usf: contents null", "Contrôle impossible"),
    ],
)
def test_a_tampered_one_says_what_changed(world: World, name: str, words: str) -> None:
    attack = next(one for one in attacks.all_attacks() if one.name == name)
    verdict = sent(world, attack.data).json()
    assert verdict["integrity"] == attack.verdict
    if attack.verdict == "changed":
        assert attack.data[: verdict["signed_bytes"]] == tampering.signed()
    page = sent(world, attack.data, **HTML)
    assert words in page.text
    assert "Document authentique" not in page.text


def test_a_form_sends_it_as_well_and_a_name_is_only_text(world: World) -> None:
    files = {"file": ("<b>Bail</b>.pdf", tampering.signed(), "application/pdf")}
    page = requests.post(f"{world.url}/verify", files=files, headers=HTML, timeout=60)
    assert page.status_code == 200
    assert "&lt;b&gt;Bail&lt;/b&gt;.pdf" in page.text
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"hello", "not-a-pdf"), (b"", "not-a-pdf"), (samples.encrypted_pdf(), "encrypted"), (b"%PDF-1.7\n", "damaged")],
)
def test_what_is_no_pdf_is_refused_in_words(world: World, data: bytes, code: str) -> None:
    answer = sent(world, data)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    page = sent(world, data, **HTML)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert "Déposez un PDF signé" in page.text


def test_more_than_the_limit_is_not_read(world: World) -> None:
    assert sent(world, bytes(50_000_001)).status_code == 413


def test_an_unsigned_one_is_called_so(world: World) -> None:
    verdict = sent(world, samples.simple_pdf()).json()
    assert (verdict["integrity"], verdict["signatures"], verdict["trust"]) == ("unsigned", [], "unknown")


def test_nothing_of_it_is_kept(world: World) -> None:
    folder = Path(world.office.ctx.blobs._folder).parent
    mark = b"Convention mark 5309"
    before = {path for path in folder.rglob("*") if path.is_file()}
    sent(world, samples.signed_pdf(samples.simple_pdf(text=mark.decode())))
    for path in {p for p in folder.rglob("*") if p.is_file()} - before:
        assert mark not in path.read_bytes(), path
    assert os.fspath(folder)


def test_the_page_is_there_for_everybody_in_his_language(world: World) -> None:
    page = requests.get(f"{world.url}/verify", headers={"Accept-Language": "en"}, timeout=30)
    assert page.status_code == 200
    assert "Drop a signed PDF" in page.text
    assert "Set-Cookie" not in page.headers


def test_where_time_was_too_short_it_is_said_what_is_known() -> None:
    """Each signature fits; what came between could not be examined: that is not the same as signatures that fail."""
    data = samples.sealed_pdf(samples.simple_pdf(), 2)
    hasty = verify(data, examine=False)
    said = verdict(hasty, (), "en")
    assert said["integrity"] == "unverifiable"
    assert said["message"].startswith("Every signature fits its bytes, but")
    broken = next(one for one in attacks.all_attacks() if one.name == "usf: contents null")
    assert verdict(verify(broken.data), (), "en")["message"].startswith("The signatures of this document cannot")

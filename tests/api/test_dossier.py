"""The evidence record as a document: sealed, readable, with the signed record inside."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
import pytest

from pdfops.sandbox import Workshop
from pdfops.verify import verify
from plugin.cli import main
from plugin.dossier import dossier
from tests.pdfops import oracles, samples
from tests.world import Browser, World

pytestmark = pytest.mark.usefixtures("logs_as_before")
SHOTS = Path("shots") if os.environ.get("PARAPHEUR_SHOTS") else None


def text_of(data: bytes) -> str:
    done = subprocess.run(["pdftotext", "-layout", "-", "-"], input=data, capture_output=True, check=True)
    return done.stdout.decode()


def attached(data: bytes) -> Any:
    (content,) = pypdf.PdfReader(io.BytesIO(data)).attachments["evidence.json"]
    return json.loads(content)


def pdf_of(who: Browser, flow_id: str, language: str = "fr", **headers: str) -> bytes:
    answer = who.get(f"flows/{flow_id}/evidence", headers={"Accept": "application/pdf", "Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/pdf"
    return answer.content


def finished(world: World, alice: Browser) -> str:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail 漢字.pdf", samples.simple_pdf(2))
    flow_id = str(
        world.signature(alice, [file_id], [{"user": "bob"}, {"email": "zoe@example.org", "first_name": "Zoé"}])["id"]
    )
    bob = world.recipient("bob", flow_id)
    assert bob.sign().status_code == 200
    world.settled(flow_id)
    assert world.link(flow_id, "zoe@").sign().json()["state"] == "completed"
    world.settled(flow_id)
    return flow_id


@pytest.fixture
def flow_id(world: World, alice: Browser) -> str:
    return finished(world, alice)


def test_it_says_who_did_what_and_is_sealed_with_the_record_inside(world: World, alice: Browser, flow_id: str) -> None:
    data = pdf_of(alice, flow_id)
    assert oracles.all_well(data, 1)
    assert verify(data).integrity == "intact"
    said = text_of(data)
    for words in (
        "Dossier de preuves",
        "Bob Leroy",
        "Zoé",
        "zoe@example.org",
        "Terminé",
        flow_id,
        "Demo organisation",
    ):
        assert words in said, words
    assert "[U+6F22][U+5B57]" in said
    assert "PROVISOIRE" not in said
    flow = alice.get(f"flows/{flow_id}").json()
    assert flow["documents"][0]["sha256"] in said
    assert flow["documents"][0]["signed"]["sha256"] in said
    record = attached(data)
    assert (record["flow"]["id"], record["provisional"], bool(record["sig"])) == (flow_id, False, True)
    if SHOTS is not None:
        SHOTS.mkdir(exist_ok=True)
        pypdfium2.PdfDocument(data)[0].render(scale=1.5).to_pil().save(SHOTS / "evidence-fr.png")


def test_it_comes_in_the_readers_language_and_by_a_plain_link(world: World, alice: Browser, flow_id: str) -> None:
    answer = alice.get(f"flows/{flow_id}/evidence?format=pdf", headers={"Accept-Language": "en"})
    assert answer.content.startswith(b"%PDF-")
    assert "evidence%20record" in answer.headers["Content-Disposition"]
    assert "Evidence record" in text_of(answer.content)
    assert alice.get(f"flows/{flow_id}/evidence").json()["flow"]["id"] == flow_id
    assert world.login("bob").get(f"flows/{flow_id}/evidence?format=pdf").status_code == 404


def test_until_the_flow_has_ended_it_is_provisional(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/Bail.pdf", samples.simple_pdf())
    running = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    assert "PROVISOIRE" in text_of(pdf_of(alice, running)).replace(" ", "").replace("\n", "") or any(
        "PROVISOIRE" in page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf_of(alice, running))).pages
    )


def test_a_long_record_goes_on_over_pages_whose_heads_are_repeated(
    alice: Browser, flow_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = alice.get(f"flows/{flow_id}/evidence").json()
    record["events"] *= 12
    source, out = tmp_path / "record.json", tmp_path / "record.pdf"
    source.write_text(json.dumps(record))
    assert main(["pdf", "evidence", str(source), str(out), "--language", "fr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["test"] is True
    pages = text_of(out.read_bytes()).split("\f")
    assert len(pages) > 3
    assert all("Événement" in page for page in pages[:3])
    assert f"Page 1 sur {len(pages) - 1}" in pages[0]
    assert main(["pdf", "verify", str(out)]) == 0


@pytest.mark.parametrize("text", ["{}", "[]", "null", "{", '{"flow": {}}', "7"])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "record.json", tmp_path / "record.pdf"
    source.write_text(text)
    assert main(["pdf", "evidence", str(source), str(out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["code"] == "not-a-record"
    assert not out.exists()


def test_any_number_of_people_and_texts_of_any_length_are_drawn(alice: Browser, flow_id: str) -> None:
    record = alice.get(f"flows/{flow_id}/evidence").json()
    person, event = record["recipients"][0], record["events"][1]
    refusal = {**event, "type": "recipient.refused", "data": {"recipient": "r1", "reason": "\u62d2" * 4_000}}
    with Workshop(children=1) as workshop:
        for count in (1, 13, 14, 15, 16, 17, 22, 60):
            events = [event] * (2 * count + 2) + [refusal]
            made = dossier(
                {**record, "recipients": [person] * count, "events": events},
                "fr",
                "x",
                workshop,
                samples.organisation(),
            )
            assert verify(made).integrity == "intact"


def test_each_line_says_its_own_offset_and_an_admins_act_is_an_admins(alice: Browser, flow_id: str) -> None:
    record = alice.get(f"flows/{flow_id}/evidence").json()
    record["flow"]["created_at"] = "2026-03-29T00:30:00.000Z"
    later = {"seq": 9, "at": "2026-03-29T01:30:00.000Z", "type": "flow.resumed", "actor": "admin", "data": {}}
    record["events"] = [{**record["events"][0], "at": "2026-03-29T00:30:00.000Z"}, later]
    with Workshop(children=1) as workshop:
        said = text_of(dossier(record, "en", "x", workshop, samples.organisation()))
    assert "29/03/2026 01:30:00 " in said
    assert "29/03/2026 03:30:00" in said
    assert "UTC+02:00" in said
    assert "administrator" in said

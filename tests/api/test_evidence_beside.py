"""The evidence record lies beside the results: its name, its content, what is in its way."""

from __future__ import annotations

import io
import json

import pypdf
import pytest

from pdfops.verify import verify
from plugin.actions.acting import load
from plugin.actions.store_evidence import keep_one
from plugin.actions.sweep import sweep
from plugin.flow.model import CREATOR, MailKind
from plugin.flow.owed import MailWork
from plugin.ports_vault import Laying
from tests.api.saving import HERE, RECORD, attached, ended, saved, sha, shown, told
from tests.api.test_kinds import held, in_hours
from tests.world import Browser, World, pdf


def test_the_evidence_record_lies_beside_the_signed_copy_and_the_mail_says_where(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail (signé).pdf", "Bail.pdf"]
    data = world.read(f"{folder}/{RECORD}")
    assert flow["evidence"]["path"] == f"{folder}/{RECORD}"
    assert flow["evidence"]["sha256"] == sha(data)
    assert verify(data).integrity == "intact"
    record = attached(data)
    assert (record["flow"]["id"], record["provisional"]) == (flow_id, False)
    assert record["documents"][0]["sha256_final"] == sha(world.read(f"{folder}/Bail (signé).pdf"))
    lines = world.lines(flow_id)
    stored = [line for line in lines if line["type"] == "evidence.stored"]
    assert [line["data"]["sha256"] for line in stored] == [sha(data)]
    assert record["chain"]["length"] == stored[0]["seq"] - 1
    assert "La copie signée se trouve à côté de l’original." in told(world, flow_id)
    ctx = world.office.ctx  # the mail does not wait for the record, and names it where it is there already
    letter = ctx.compose(load(ctx, flow_id), MailWork(MailKind.COMPLETED, CREATOR, 0, with_copies=True))
    assert letter is not None
    mail = " ".join(letter.text.split())
    assert f"Le dossier de preuves est enregistré sous « {folder}/{RECORD} »." in mail.replace("\u00a0", " ")
    assert world.office.ctx.vault.layings(flow_id) == []
    assert [f["id"] for f in alice.get(f"files/{flow['evidence']['file_id']}/flows").json()["flows"]] == [flow_id]


def test_the_copy_beside_the_files_names_no_address_of_the_net_and_no_browser(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    browser = {"User-Agent": "Netscape of Bob"}
    assert world.recipient("bob", flow_id).sign(headers=browser).json()["state"] == "completed"
    world.settled(flow_id)
    full = alice.get(f"flows/{flow_id}/evidence").json()
    (signed,) = [e["data"]["trace"] for e in full["events"] if e["type"] == "recipient.signed"]
    assert (signed["user_agent"], bool(signed["ip"]), full["left_out"]) == ("Netscape of Bob", True, [])
    data = world.read(f"{folder}/{RECORD}")
    record = attached(data)
    assert record["left_out"] == ["ip", "ip_source", "user_agent", "phone"]
    for secret in ("Netscape", '"ip":', '"user_agent":', signed["ip"]):
        assert secret not in json.dumps(record), secret
    said = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    assert signed["ip"] not in said
    assert "Adresse IP" not in said


@pytest.mark.parametrize("decision", ["approved", "refused"])
def test_an_approval_leaves_a_record_as_well_and_so_does_a_refusal(
    world: World, alice: Browser, decision: str
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.txt", b"Bail")], kind="validation")
    bob = world.recipient("bob", flow_id)
    assert (bob.approve("Bon.") if decision == "approved" else bob.refuse()).status_code == 200
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail.txt"]
    record = attached(world.read(f"{folder}/{RECORD}"))
    assert record["recipients"][0]["state"] == decision
    assert record["documents"][0]["sha256_original"] == sha(b"Bail")
    assert "no signature was put" in record["claim"]
    assert flow["evidence"]["sha256"] == sha(world.read(f"{folder}/{RECORD}"))
    assert RECORD in told(world, flow_id, "completed" if decision == "approved" else "refused")


def test_a_second_record_of_one_who_stood_still_is_taken_away_as_soon_as_the_host_lets_it(
    world: World, alice: Browser
) -> None:
    """He could not tell that his counts no more; what another person keeps under the next name stays."""
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    ctx, late = world.office.ctx, b"the second one"
    loaded = load(ctx, flow_id)
    files = []
    for number, content in ((2, late), (3, b"mine")):
        files.append(f"{folder}/Bail (dossier de preuves) {number}.pdf")
        world.put(files[-1], content)
    tried = Laying("evidence", folder, RECORD, sha(late), loaded.head)
    with held(world, files[0]):
        keep_one(ctx, loaded, [tried])
        assert world.read(files[0]) == late
    sweep(in_hours(world, 1))
    assert [name for name in shown(world, folder) if "preuves" in name] == ["Bail (dossier de preuves) 3.pdf", RECORD]
    assert (ctx.vault.layings(flow_id), ctx.vault.attempts(flow_id)) == ([], {})


def test_a_record_of_that_name_is_never_overwritten(world: World, alice: Browser) -> None:
    folder = world.folder()
    world.put(f"{folder}/{RECORD}", b"mine")
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert world.read(f"{folder}/{RECORD}") == b"mine"
    assert flow["evidence"]["path"] == f"{folder}/Bail (dossier de preuves) 2.pdf"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Bail 12/2026: « Été »?", "Bail 12-2026- « Été »- (dossier de preuves).pdf"),
        ("..", "(dossier de preuves).pdf"),
        ("x" * 200, f"{'x' * 175} (dossier de preuves).pdf"),
    ],
)
def test_a_title_that_is_no_file_name_becomes_one(world: World, alice: Browser, title: str, name: str) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/a.txt", b"a")
    flow_id = str(world.validation(alice, [file_id], [{"user": "bob"}], title=title)["id"])
    assert world.recipient("bob", flow_id).approve().status_code == 200
    assert ended(world, alice, flow_id)["evidence"]["path"] == f"{folder}/{name}"

"""Nobody to act for, nothing to reach: the flow waits, says why, and goes on when it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugin.actions.suspend import look_after
from plugin.actions.sweep import sweep
from tests.pdfops import samples
from tests.state.independent_verifier import verify
from tests.world import Actor, Browser, World, pdf, until


@pytest.fixture
def accounts(world: World) -> Any:
    """The administrator's side of the host's accounts; everybody is back at the end."""
    there = world.demo.host.accounts
    yield there
    there.disabled.clear()
    there.deleted.clear()
    forget(world)


def forget(world: World) -> None:
    """Time goes by: what was found out about accounts is asked again."""
    world.office.ctx.accounts._states.clear()
    world.office.ctx.accounts._ids.clear()


def patrolled(world: World, flow_id: str) -> None:
    forget(world)
    look_after(world.office.ctx, flow_id)


def launched(world: World, who: Browser, uid: str = "alice", kind: str = "signature") -> tuple[str, str]:
    """Returns: the folder, the flow's id. Bob decides, then an external person."""
    folder = world.folder(uid)
    file_id = world.put(f"{folder}/Bail.pdf", pdf(), uid)
    recipients = [{"user": "bob"}, {"email": "paul@example.org", "first_name": "Paul", "last_name": "Roux"}]
    flow = (world.signature if kind == "signature" else world.validation)(who, [file_id], recipients)
    world.settled(flow["id"])
    return folder, flow["id"]


class Away:
    """A folder that its user does not see for a while, as when a share is taken back: no trace of it, ids kept."""

    def __init__(self, world: World, folder: str, aside: Path, uid: str = "alice") -> None:
        self._there = world.demo.host.area._files / uid / folder
        self._aside = aside / "aside"

    def __enter__(self) -> None:
        self._there.rename(self._aside)

    def __exit__(self, *_: object) -> None:
        self._aside.rename(self._there)


def types(who: Browser, flow_id: str) -> list[str]:
    return [e["type"] for e in who.get(f"flows/{flow_id}").json()["events"] if e["type"].startswith("flow.")]


def test_documents_out_of_reach_suspend_the_flow_and_nothing_of_a_signature_is_kept(
    world: World, alice: Browser, tmp_path: Path
) -> None:
    folder, flow_id = launched(world, alice)
    bob = world.recipient("bob", flow_id)
    bob.flow()
    with Away(world, folder, tmp_path):
        answer = bob.sign()
        assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended"), answer.text
        until(lambda: types(alice, flow_id) == ["flow.launched", "flow.suspended"])
        flow = alice.get(f"flows/{flow_id}").json()
        assert (flow["state"], flow["suspension"]["reason"]) == ("suspended", "no-access")
        assert "vous n’avez plus accès" in flow["warnings"][0]
        assert world.mail(flow_id, "suspended", "alice")["subject"] == "Suspendu : Bail"
        assert folder not in world.names("")
        assert f".flows/{flow_id}/flow.jsonl" in world.names("")
        page = bob.get("/f/" + flow_id)
        assert page.status_code == 200
        assert "suspended" in page.text
        assert bob.get("flow.json").json()["documents"] == []
        again = alice.post(f"flows/{flow_id}/resume", {"choice": "continue"})
        assert (again.status_code, again.json()["code"]) == (409, "no-access")
    answer = alice.post(f"flows/{flow_id}/resume", {"choice": "continue"})
    assert (answer.status_code, answer.json()["state"], answer.json()["suspension"]) == (200, "running", None)
    assert world.mail(flow_id, "resumed", "bob")["subject"] == "It goes on: Bail"
    assert bob.sign().status_code == 200
    assert world.link(flow_id, "paul").sign().json()["state"] == "completed"
    world.settled(flow_id)
    assert "Bail (signé).pdf" in world.names(folder)
    assert verify(world.state_file(flow_id)) is not None
    assert [m["to"] for m in world.mails(flow_id, "resumed")] == ["bob@example.org"]


def test_an_approval_of_what_is_out_of_reach_is_told_that_the_flow_waits(
    world: World, alice: Browser, tmp_path: Path
) -> None:
    """Its original is looked for first, and that it is gone has no place to be written down."""
    folder, flow_id = launched(world, alice, kind="validation")
    bob = world.recipient("bob", flow_id)
    bob.flow()
    with Away(world, folder, tmp_path):
        answer = bob.approve()
        assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended"), answer.text
        until(lambda: types(alice, flow_id) == ["flow.launched", "flow.suspended"])
        assert alice.get(f"flows/{flow_id}").json()["suspension"]["reason"] == "no-access"
    assert alice.post(f"flows/{flow_id}/resume", {"choice": "continue"}).json()["state"] == "running"
    assert bob.approve().status_code == 200


def test_an_original_deleted_and_its_folder_renamed_suspend_nothing(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    assert world.dav("alice", "DELETE", f"{folder}/Bail.pdf").status_code == 204
    to = {"Destination": f"{world.demo.host.url}/remote.php/dav/files/alice/{folder} (2)"}
    assert world.dav("alice", "MOVE", folder, headers=to).status_code == 201
    patrolled(world, flow_id)
    assert alice.get(f"flows/{flow_id}").json()["state"] == "running"
    assert world.recipient("bob", flow_id).sign().status_code == 200
    patrolled(world, flow_id)
    assert alice.get(f"flows/{flow_id}").json()["state"] == "running"


def test_lists_can_be_read_while_the_host_is_out(world: World, alice: Browser) -> None:
    _, flow_id = launched(world, alice)
    assert flow_id in alice.get("flows?box=sent").text
    accounts = world.office.ctx.accounts
    accounts._ids = {uid: (at - 3600, home) for uid, (at, home) in accounts._ids.items()}
    with world.host_gate.shut():
        assert flow_id in alice.get("flows?box=sent").text
        assert alice.get(f"flows/{flow_id}").status_code == 200


def test_what_is_back_goes_on_by_itself(world: World, alice: Browser, tmp_path: Path) -> None:
    folder, flow_id = launched(world, alice, kind="validation")
    with Away(world, folder, tmp_path):
        patrolled(world, flow_id)
        assert alice.get(f"flows/{flow_id}").json()["state"] == "suspended"
        assert flow_id in {t.flow_id for t in world.office.ctx.vault.troubles()}
        checks = {c["name"]: c for c in alice.get("/healthz").json()["checks"]}
        assert checks["flows"]["state"] == "degraded"
        patrolled(world, flow_id)
    patrolled(world, flow_id)
    assert types(alice, flow_id) == ["flow.launched", "flow.suspended", "flow.resumed"]
    assert world.office.ctx.vault.troubles(flow_id) == []
    assert world.recipient("bob", flow_id).approve().status_code == 200


def test_a_flow_of_a_disabled_account_waits_until_it_is_enabled(world: World, alice: Browser, accounts: Any) -> None:
    _, flow_id = launched(world, alice)
    bob = world.recipient("bob", flow_id)
    bob.flow()
    accounts.disabled.add("alice")
    patrolled(world, flow_id)
    answer = bob.sign()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended")
    assert "name at the moment" in bob.get("/f/" + flow_id).text
    paul = world.demo.host.mailbox.mails()
    assert [m for m in paul if flow_id in m["message_id"] and "suspended" in m["message_id"]] == []
    accounts.disabled.clear()
    patrolled(world, flow_id)
    assert types(alice, flow_id) == ["flow.launched", "flow.suspended", "flow.resumed"]
    world.mail(flow_id, "resumed", "bob")
    assert bob.sign().status_code == 200


def test_the_platforms_admin_reads_why_and_lets_it_go_on(
    world: World, alice: Browser, carol: Browser, tmp_path: Path
) -> None:
    bob = world.login("bob")
    folder = world.folder("bob")
    file_id = world.put(f"{folder}/Note.txt", b"Oui ou non", "bob")
    flow_id = world.validation(bob, [file_id], [{"user": "carol"}])["id"]
    world.settled(flow_id)
    assert alice.post(f"flows/{flow_id}/resume", {"choice": "continue"}).json()["code"] == "not-suspended"
    with Away(world, folder, tmp_path, "bob"):
        patrolled(world, flow_id)
        assert flow_id in {f["id"] for f in alice.get("flows?box=hand").json()["flows"]}
        assert carol.get("flows?box=hand").status_code == 404
        read = alice.get(f"flows/{flow_id}").json()
        assert "Bob Leroy n’a plus accès" in read["warnings"][0]
        page = alice.get(f"/f/{flow_id}").text
        assert "Bob Leroy n’a plus accès" in page
        assert "parapheur-go-on" in page
        for choice in ("continue", "restart"):
            assert alice.post(f"flows/{flow_id}/resume", {"choice": choice}).json()["code"] == "no-access"
    assert carol.post(f"flows/{flow_id}/resume", {"choice": "continue"}).status_code == 404
    assert alice.post(f"flows/{flow_id}/resume", {"choice": "x"}).status_code == 422
    assert alice.post(f"flows/{flow_id}/resume", {"choice": "continue"}).json()["state"] == "running"
    line = next(e for e in alice.get(f"flows/{flow_id}").json()["events"] if e["type"] == "flow.resumed")
    assert line["actor"] == "admin"


def test_what_is_out_of_its_creators_reach_can_still_be_cancelled(
    world: World, alice: Browser, tmp_path: Path
) -> None:
    bob = world.login("bob")
    folder = world.folder("bob")
    file_id = world.put(f"{folder}/Note.txt", b"Oui ou non", "bob")
    flow_id = world.validation(bob, [file_id], [{"user": "carol"}])["id"]
    world.settled(flow_id)
    with Away(world, folder, tmp_path, "bob"):
        patrolled(world, flow_id)
        assert alice.post(f"flows/{flow_id}/resume", {"choice": "cancel"}).json()["state"] == "cancelled"
        assert world.lines(flow_id)[-1]["type"] in ("flow.cancelled", "mail.accepted")


def test_a_recipient_whose_account_is_disabled_is_named_to_the_creator(
    world: World, alice: Browser, accounts: Any
) -> None:
    _, flow_id = launched(world, alice)
    accounts.disabled.add("bob")
    patrolled(world, flow_id)
    flow = alice.get(f"flows/{flow_id}").json()
    assert flow["state"] == "running"
    assert flow["warnings"] == [
        "Le compte de Bob Leroy est désactivé\u00a0: rien n’avance ici tant qu’il n’est pas réactivé."
    ]
    accounts.disabled.clear()
    patrolled(world, flow_id)
    assert alice.get(f"flows/{flow_id}").json()["warnings"] == []


@pytest.mark.parametrize("is_seen", [True, False])
def test_whoever_is_made_anew_under_a_recipients_login_inherits_nothing(
    world: World, alice: Browser, accounts: Any, is_seen: bool
) -> None:
    _, flow_id = launched(world, alice)
    if is_seen:
        accounts.deleted.add("bob")
        patrolled(world, flow_id)
        accounts.deleted.clear()
    world.demo.host.area.empty("bob")
    forget(world)
    other = world.login("bob")
    for box in ("todo", "sent", "done"):
        assert flow_id not in other.get(f"flows?box={box}").text
    assert other.get(f"flows/{flow_id}").status_code == 404
    assert Actor(other.url, f"/api/v1/flows/{flow_id}").get("flow.json").status_code == 401
    read = other.get(f"/f/{flow_id}")
    assert "Bail" not in read.text
    actor = world.recipient("bob", flow_id)
    assert actor.get("flow.json").status_code == 404
    refusal = actor.send(
        "POST", "refuse", json={"reason": "x"}, headers={"X-CSRF-Token": other.session.headers["X-CSRF-Token"]}
    )
    assert refusal.status_code == 404
    flow = alice.get(f"flows/{flow_id}").json()
    assert "Bob Leroy a été supprimé" in flow["warnings"][0]
    world.office.ctx.vault.end_trouble(flow_id, "recipient-gone", "r1")


@pytest.mark.parametrize("is_at_home", [True, False])
@pytest.mark.parametrize("is_seen", [True, False])
def test_nothing_is_put_into_the_home_of_whoever_bears_the_creators_login_later(
    world: World, accounts: Any, is_seen: bool, is_at_home: bool
) -> None:
    carol = world.login("carol")
    folder = "" if is_at_home else world.folder("carol")
    file_id = world.put(f"{folder}/Bail {is_seen}.pdf", pdf(), "carol")
    flow_id = world.signature(carol, [file_id], [{"user": "bob"}, {"email": "paul@example.org"}])["id"]
    world.settled(flow_id)
    bob = world.recipient("bob", flow_id)
    bob.flow()
    accounts.deleted.add("carol")
    if is_seen:
        patrolled(world, flow_id)
    accounts.deleted.clear()
    world.demo.host.area.empty("carol")
    forget(world)
    answer = bob.sign()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended"), answer.text
    patrolled(world, flow_id)
    world.office.ctx.jobs.look_at(flow_id)
    other = world.login("carol")
    assert world.names("", "carol") == []
    assert flow_id not in other.get("flows?box=sent").text
    assert other.get(f"flows/{flow_id}").status_code == 404
    admin = world.login("alice")
    read = admin.get(f"flows/{flow_id}").json()
    assert (read["state"], read["suspension"]["reason"]) == ("suspended", "creator-gone")
    assert admin.post(f"flows/{flow_id}/resume", {"choice": "continue"}).json()["code"] == "creator-gone"


def test_a_finish_that_waited_puts_nothing_into_the_home_of_whoever_bears_the_creators_login_later(
    world: World, accounts: Any
) -> None:
    carol = world.login("carol")
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", samples.sized_pdf(300_000), "carol")
    flow_id = world.signature(carol, [file_id], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    area = world.demo.host.area
    area.room_bytes["carol"] = 450_000  # for the revision, not for the copy
    try:
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
        with world.office.ctx.flows.lease(flow_id):  # not while a job that knew the account is laying the copy
            area.empty("carol")
    finally:
        area.room_bytes.clear()
    for _ in range(2):
        patrolled(world, flow_id)
        sweep(world.office.ctx)
        assert world.names("", "carol") == []
    admin = world.login("alice").get(f"flows/{flow_id}").json()
    assert (admin["state"], admin["suspension"]["reason"]) == ("suspended", "creator-gone")
    assert admin["documents"][0]["signed"] is None


def test_the_bell_of_whoever_bears_a_deleted_users_login_stays_silent(
    world: World, alice: Browser, accounts: Any
) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Plan secret.pdf", pdf())
    flow_id = world.validation(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    world.demo.host.area.empty("carol")
    forget(world)
    assert world.recipient("bob", flow_id).approve().status_code == 200
    until(lambda: "account-gone" in alice.get(f"flows/{flow_id}").text)
    assert [n for n in world.demo.host.ocs.bell.of("carol") if n["object_id"] == flow_id] == []
    assert world.mails(flow_id, "invitation", "carol") == []
    assert "Carol Nguyen a été supprimé" in alice.get(f"flows/{flow_id}").json()["warnings"][0]


def test_accounts_that_were_only_out_of_sight_are_the_same_when_they_are_back(
    world: World, alice: Browser, accounts: Any
) -> None:
    _, flow_id = launched(world, alice, kind="validation")
    accounts.deleted.update(("alice", "bob"))
    patrolled(world, flow_id)
    assert {t.reason for t in world.office.ctx.vault.troubles(flow_id)} == {"creator-gone"}
    accounts.deleted.clear()
    patrolled(world, flow_id)
    assert world.office.ctx.vault.troubles(flow_id) == []
    flow = alice.get(f"flows/{flow_id}").json()
    assert (flow["state"], flow["warnings"]) == ("running", [])
    accounts.deleted.add("bob")
    patrolled(world, flow_id)
    assert world.recipient("bob", flow_id).get("flow.json").status_code == 404
    accounts.deleted.clear()
    patrolled(world, flow_id)
    assert world.recipient("bob", flow_id).approve().status_code == 200

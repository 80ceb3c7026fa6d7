"""Files that cannot be written, or not now: a folder to read only, a full quota, a file in somebody's editor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from plugin.actions.context import Context
from plugin.actions.deliver import deliver
from plugin.actions.suspend import look_after
from plugin.actions.sweep import sweep
from plugin.flow.errors import HostBusy
from plugin.flow.owed import owed
from plugin.ports import Mail, Mailer
from tests.pdfops import samples
from tests.world import Browser, World, pdf, until


@contextmanager
def read_only(world: World, folder: str, uid: str = "alice") -> Iterator[None]:
    """As when its owner lets the user only read what he had shared."""
    top: Path = world.demo.host.area._files / uid / folder
    below = [top, *top.rglob("*")]
    modes = [path.stat().st_mode for path in below]
    for path in below:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in zip(below, modes, strict=True):
            path.chmod(mode)


@contextmanager
def held(world: World, path: str, uid: str = "alice") -> Iterator[None]:
    """Open in an editor that lets nobody else write."""
    world.demo.host.area.held.add((uid, path))
    try:
        yield
    finally:
        world.demo.host.area.held.clear()


@contextmanager
def room(world: World, size_bytes: int, uid: str = "alice") -> Iterator[None]:
    world.demo.host.area.room_bytes[uid] = size_bytes
    try:
        yield
    finally:
        world.demo.host.area.room_bytes.clear()


def in_hours(world: World, hours: int) -> Context:
    """No pause lasts an hour."""
    ctx: Context = world.office.ctx
    return replace(ctx, clock=lambda: ctx.clock() + timedelta(hours=hours))


def saved_in(who: Browser, file_id: str) -> str:
    answer = who.post("documents/inspect", {"file_ids": [file_id]})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["documents"][0]["saved_in"])


# ---- where nothing may be written -----------------------------------------------------------------------------------
def test_a_document_of_a_folder_to_read_only_is_kept_and_delivered_at_home(world: World, alice: Browser) -> None:
    folder, other = world.folder(), world.folder()
    theirs, mine = world.put(f"{folder}/Avis.pdf", pdf()), world.put(f"{other}/Note.pdf", pdf())
    with read_only(world, folder):
        assert (saved_in(alice, theirs), saved_in(alice, mine)) == ("home", "beside")
        flow = world.signature(alice, [theirs], [{"user": "bob"}])
        assert world.recipient("bob", flow["id"]).sign().json()["state"] == "completed"
        world.settled(flow["id"])
        signed = alice.get(f"flows/{flow['id']}").json()["documents"][0]["signed"]["path"]
        assert signed == "Avis (signé).pdf"
        assert world.names(folder) == ["Avis.pdf"]
        kept = [name for name in world.names("") if name.startswith(f".flows/{flow['id']}/")]
        assert f".flows/{flow['id']}/flow.jsonl" in kept
        assert "La copie signée se trouve à la racine de vos fichiers." in told(world, flow["id"])
        both = world.signature(alice, [theirs, mine], [{"user": "bob"}])
        assert world.recipient("bob", both["id"]).sign().json()["state"] == "completed"
        world.settled(both["id"])
        assert f"{other}/Note (signé).pdf" in world.names("")
        assert world.names(folder) == ["Avis.pdf"]
        assert "ou à la racine de vos fichiers là où" in told(world, both["id"])


def told(world: World, flow_id: str) -> str:
    return str(world.mail(flow_id, "completed", "alice@")["text"]).replace("\n", " ")


def test_a_folder_turned_read_only_suspends_its_flow_and_loses_no_signature(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Avis.pdf", pdf())
    flow = world.signature(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])
    flow_id = flow["id"]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    world.settled(flow_id)
    carol = world.recipient("carol", flow_id)
    carol.flow()
    with read_only(world, folder):
        answer = carol.sign()
        assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended"), answer.text
        until(lambda: world.names(f".flows/{flow_id}"))
        read = until(lambda: [f for f in [alice.get(f"flows/{flow_id}").json()] if f["state"] == "suspended"])[0]
        assert read["suspension"]["reason"] == "no-access"
        world.mail(flow_id, "suspended", "alice")
        assert "ou en lecture seule" in read["warnings"][0]
        look_after(world.office.ctx, flow_id)
        again = alice.post(f"flows/{flow_id}/resume", {"choice": "continue"})
        assert (again.status_code, again.json()["code"]) == (409, "no-access")
    look_after(world.office.ctx, flow_id)
    assert [e["type"] for e in alice.get(f"flows/{flow_id}").json()["events"] if e["type"].startswith("flow.")] == [
        "flow.launched", "flow.suspended", "flow.resumed",
    ]  # fmt: skip
    world.mail(flow_id, "resumed", "carol")
    assert carol.sign().json()["state"] == "completed"
    world.settled(flow_id)
    assert world.read(f"{folder}/Avis (signé).pdf").count(b"/ByteRange") == 2
    assert [len(world.mails(flow_id, kind, to)) for kind, to in (("suspended", "alice"), ("resumed", "carol"))] == [
        1,
        1,
    ]


def test_an_original_moved_to_where_its_sender_only_reads_gets_its_copy_where_it_was(
    world: World, alice: Browser
) -> None:
    folder, other = world.folder(), world.folder()
    file_id = world.put(f"{folder}/Avis.pdf", pdf())
    flow = world.signature(alice, [file_id], [{"user": "bob"}])
    to = {"Destination": f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(other)}/Avis.pdf"}
    assert world.dav("alice", "MOVE", f"{folder}/Avis.pdf", headers=to).status_code == 201
    with read_only(world, other):
        assert world.recipient("bob", flow["id"]).sign().json()["state"] == "completed"
        world.settled(flow["id"])
    assert world.names(other) == ["Avis.pdf"]
    assert "Avis (signé).pdf" in world.names(folder)


# ---- in somebody's editor -------------------------------------------------------------------------------------------
def test_a_state_file_in_somebodys_editor_lets_nothing_half_done_happen(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Avis.pdf", pdf())
    flow = world.signature(alice, [file_id], [{"user": "bob"}])
    world.settled(flow["id"])
    bob = world.recipient("bob", flow["id"])
    bob.flow()
    before = world.state_file(flow["id"])
    with held(world, f"{folder}/.flows/{flow['id']}/flow.jsonl"):
        answer = bob.sign(headers={"Accept-Language": "en"})
        assert answer.status_code == 503
        assert answer.json()["title"] == "The file is in use at the moment. Please try again shortly."
        assert answer.headers["Retry-After"]
        assert world.state_file(flow["id"]) == before
    assert bob.sign().json()["state"] == "completed"
    world.settled(flow["id"])
    assert world.read(f"{folder}/Avis (signé).pdf").count(b"/ByteRange") == 1


@dataclass
class Interrupted:
    """Hands mails over; then somebody opens the state file."""

    mailer: Mailer
    then: Callable[[], None]

    def send(self, mail: Mail) -> None:
        self.mailer.send(mail)
        self.then()


def test_a_mail_that_cannot_be_written_down_is_not_sent_again_and_again(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Avis.pdf", pdf())
    flow_id = world.validation(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    ctx, area = world.office.ctx, world.demo.host.area
    state = ("alice", f"{folder}/.flows/{flow_id}/flow.jsonl")
    with world.mail_gate.shut():
        assert world.recipient("bob", flow_id).approve().status_code == 200
        until(lambda: ctx.vault.attempts(flow_id))

    def in_hours(hours: int) -> Context:
        return replace(
            ctx,
            clock=lambda: ctx.clock() + timedelta(hours=hours),
            mailer=Interrupted(ctx.mailer, lambda: area.held.add(state)),
        )

    try:
        for hours in (1, 2, 3):
            with pytest.raises(HostBusy):
                deliver(in_hours(hours), flow_id)
    finally:
        area.held.clear()
    deliver(in_hours(4), flow_id)
    assert owed(ctx.flows.load(flow_id).flow, ctx.clock()) == []
    assert len(world.mails(flow_id, "invitation", "carol")) == 1


# ---- no room --------------------------------------------------------------------------------------------------------
def test_without_room_nothing_is_launched_and_it_is_said_why(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Avis.pdf", samples.sized_pdf(200_000))
    body = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": "bob"}]}
    with room(world, 100_000):
        answer = alice.post("flows", body, headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (503, "host-full")
    assert answer.json()["title"] == "There is no room left in the owner's files."
    assert [name for name in world.names(folder) if "/" in name] == []
    assert alice.get(f"files/{file_id}/flows").json() == {"flows": []}


@pytest.mark.parametrize("act", ["approve", "refuse", "sign"])
def test_without_room_for_its_line_an_act_is_refused_and_counts_once_there_is(
    world: World, alice: Browser, act: str
) -> None:
    file_id = world.put(f"{world.folder()}/Avis.pdf", pdf())
    asked = world.signature if act == "sign" else world.validation
    flow_id = asked(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    bob = world.recipient("bob", flow_id)
    bob.flow()
    before = world.state_file(flow_id)
    with room(world, 10):
        answer = getattr(bob, act)()
        assert (answer.status_code, answer.json()["code"]) == (503, "host-full")
        assert int(answer.headers["Retry-After"]) > 0
        assert world.state_file(flow_id) == before
    assert getattr(bob, act)().status_code == 200
    assert [line["actor"] for line in world.lines(flow_id)].count("recipient:r1") == 1


def test_a_flow_waits_for_room_and_finishes_by_itself(world: World, alice: Browser) -> None:
    folder = world.folder()
    original = samples.sized_pdf(300_000)
    file_id = world.put(f"{folder}/Avis.pdf", original)
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    with room(world, 450_000):
        answer = world.recipient("bob", flow_id).sign()
        assert (answer.status_code, answer.json()["state"]) == (200, "running")
        sweep(in_hours(world, 1))
        read = alice.get(f"flows/{flow_id}", headers={"Accept-Language": "fr"}).json()
        assert (read["state"], read["waiting"]["reason"]) == ("running", "host-full")
        assert "Il n’y a plus de place dans les fichiers de Alice" in read["waiting"]["sentence"]
        assert read["warnings"] == [read["waiting"]["sentence"]]
        assert flow_id in {row["id"] for row in alice.get("flows?box=hand").json()["flows"]}
        assert "Avis (signé).pdf" not in world.names(folder)
    sweep(in_hours(world, 2))
    assert alice.get(f"flows/{flow_id}").json()["state"] == "completed"
    world.settled(flow_id)
    assert [name for name in world.names(folder) if "/" not in name] == [
        ".flows",
        "Avis (dossier de preuves).pdf",
        "Avis (signé).pdf",
        "Avis.pdf",
    ]
    assert alice.get(f"flows/{flow_id}").json()["waiting"] is None
    assert flow_id not in {row["id"] for row in alice.get("flows?box=hand").json()["flows"]}
    assert world.read(f"{folder}/Avis.pdf") == original

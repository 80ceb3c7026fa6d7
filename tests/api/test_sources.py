"""The originals of a running flow: changed, moved, renamed, deleted, put back; and what their creator chooses then."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from plugin.actions.suspend import look_after
from tests.api.test_large_files import LIMIT, SIZE, small_limit
from tests.world import Browser, Json, World, pdf, until


def launched(world: World, alice: Browser, data: bytes = b"Oui ou non", name: str = "Note.txt") -> tuple[str, str]:
    """Bob, then Carol, are to approve. Returns: (folder, flow)."""
    folder = world.folder()
    flow = world.validation(alice, [world.put(f"{folder}/{name}", data)], [{"user": "bob"}, {"user": "carol"}])
    world.settled(flow["id"])
    return folder, flow["id"]


def move(world: World, source: str, target: str) -> None:
    address = f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(target)}"
    assert world.dav("alice", "MOVE", source, headers={"Destination": address}).status_code == 201


def looked_at(world: World, alice: Browser, flow_id: str) -> Json:
    look_after(world.office.ctx, flow_id)
    return dict(alice.get(f"flows/{flow_id}").json())


def resumed(alice: Browser, flow_id: str, choice: str) -> Any:
    return alice.post(f"flows/{flow_id}/resume", {"choice": choice})


def types(world: World, flow_id: str) -> list[str]:
    return [str(line["type"]) for line in world.lines(flow_id) if not str(line["type"]).startswith("mail.")]


def test_a_file_that_was_changed_suspends_its_approval_until_the_creator_goes_on(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Plutot non")
    answer = world.recipient("bob", flow_id).approve()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended")
    flow = looked_at(world, alice, flow_id)
    assert (flow["state"], flow["suspension"]["reason"]) == ("suspended", "source-changed")
    assert flow["documents"][0]["source"] == {"state": "changed", "path": f"{folder}/Note.txt"}
    assert len(flow["warnings"]) == 2
    assert "Note.txt" in flow["warnings"][1]
    assert world.lines(flow_id)[-1]["type"] in ("flow.suspended", "mail.accepted")
    changed = next(line for line in world.lines(flow_id) if line["type"] == "source.changed")
    assert changed["data"] == {"n": 0, "state": "changed", "sha256": hashlib.sha256(b"Plutot non").hexdigest()}
    assert world.mail(flow_id, "suspended", "alice")
    after = resumed(alice, flow_id, "continue").json()
    assert (after["state"], after["suspension"]) == ("running", None)
    assert looked_at(world, alice, flow_id)["state"] == "running"  # that change was accepted
    bob = world.recipient("bob", flow_id)
    assert bob.get("documents/0").content == b"Oui ou non"
    assert bob.approve().status_code == 200
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Encore autre chose")
    assert looked_at(world, alice, flow_id)["state"] == "suspended"  # this one was not
    assert resumed(alice, flow_id, "continue").status_code == 200
    assert world.recipient("carol", flow_id).approve().json()["state"] == "completed"


def test_a_restart_asks_everybody_again_about_what_the_file_holds_now(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    assert world.recipient("bob", flow_id).approve().status_code == 200
    assert resumed(alice, flow_id, "restart").json()["code"] == "not-suspended"
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Plutot non")
    assert looked_at(world, alice, flow_id)["state"] == "suspended"
    flow = resumed(alice, flow_id, "restart").json()
    assert (flow["state"], flow["warnings"]) == ("running", [])
    sha256 = hashlib.sha256(b"Plutot non").hexdigest()
    assert [flow["documents"][0][name] for name in ("sha256", "current_sha256", "size_bytes")] == [sha256, sha256, 10]
    assert flow["documents"][0]["source"]["state"] == "same"
    people = [recipient for step in flow["steps"] for recipient in step["recipients"]]
    assert [(one["state"], one["round"]) for one in people] == [("invited", 2), ("waiting", 2)]
    assert looked_at(world, alice, flow_id)["state"] == "running"
    for uid in ("bob", "carol"):
        actor = world.recipient(uid, flow_id)
        assert actor.get("documents/0").content == b"Plutot non"
        assert actor.approve().status_code == 200
    assert alice.get(f"flows/{flow_id}").json()["state"] == "completed"
    world.settled(flow_id)
    pinned = [name for name in world.names(f"{folder}/.flows/{flow_id}") if len(name) == 64]
    until(lambda: [n for n in world.names(f"{folder}/.flows/{flow_id}") if len(n) == 64] == [sha256] or not pinned)


def test_a_suspended_approval_can_be_cancelled(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    assert resumed(alice, flow_id, "cancel").json()["code"] == "not-suspended"
    world.dav("alice", "DELETE", f"{folder}/Note.txt")
    assert looked_at(world, alice, flow_id)["suspension"]["reason"] == "source-gone"
    assert resumed(alice, flow_id, "cancel").json()["state"] == "cancelled"
    assert resumed(alice, flow_id, "continue").json()["code"] == "flow-ended"


def test_nobody_but_creator_and_admin_chooses(world: World, alice: Browser, bob: Browser, carol: Browser) -> None:
    folder, flow_id = launched(world, alice)
    world.dav("alice", "DELETE", f"{folder}/Note.txt")
    look_after(world.office.ctx, flow_id)
    for who in (bob, carol):
        for choice in ("continue", "restart", "cancel"):
            assert resumed(who, flow_id, choice).status_code in (404, 409)
    assert alice.get(f"flows/{flow_id}").json()["state"] == "suspended"


def test_a_deleted_file_that_is_put_back_lets_the_approval_go_on_by_itself(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    elsewhere = world.folder()
    area = world.demo.host.area
    kept = area._files / "alice" / folder / "Note.txt"
    aside = area._files / "alice" / "aside"
    kept.rename(aside := kept.parent.parent.parent / "aside")  # into a trash bin: its id comes back with it
    flow = looked_at(world, alice, flow_id)
    assert (flow["state"], flow["suspension"]["reason"]) == ("suspended", "source-gone")
    assert flow["documents"][0]["source"] == {"state": "gone", "path": None}
    assert resumed(alice, flow_id, "restart").json()["code"] == "no-such-file"
    aside.rename(kept)
    flow = looked_at(world, alice, flow_id)
    assert (flow["state"], flow["warnings"], flow["documents"][0]["source"]["state"]) == ("running", [], "same")
    world.dav("alice", "DELETE", f"{folder}/Note.txt")
    assert looked_at(world, alice, flow_id)["state"] == "suspended"
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Oui ou non")  # anew, with another id and the same content
    assert looked_at(world, alice, flow_id)["state"] == "running"
    world.dav("alice", "DELETE", elsewhere)
    assert types(world, flow_id)[-4:] == ["source.changed", "flow.suspended", "source.changed", "flow.resumed"]


def test_a_program_that_saves_by_putting_a_new_file_in_its_place_has_changed_it(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    world.put(f"{folder}/Note.txt.tmp", b"Plutot non")
    world.dav("alice", "DELETE", f"{folder}/Note.txt")
    move(world, f"{folder}/Note.txt.tmp", f"{folder}/Note.txt")
    assert looked_at(world, alice, flow_id)["suspension"]["reason"] == "source-changed"
    flow = resumed(alice, flow_id, "restart").json()
    assert flow["documents"][0]["sha256"] == hashlib.sha256(b"Plutot non").hexdigest()
    assert world.recipient("bob", flow_id).approve().status_code == 200


def test_a_moved_or_renamed_file_is_noted_and_stops_nobody(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    elsewhere = world.folder()
    move(world, f"{folder}/Note.txt", f"{elsewhere}/Remarque é.txt")
    flow = looked_at(world, alice, flow_id)
    assert (flow["state"], flow["warnings"]) == ("running", [])
    assert flow["documents"][0]["source"] == {"state": "moved", "path": f"{elsewhere}/Remarque é.txt"}
    assert world.recipient("bob", flow_id).approve().status_code == 200
    move(world, f"{elsewhere}/Remarque é.txt", f"{folder}/Note.txt")
    assert looked_at(world, alice, flow_id)["documents"][0]["source"]["state"] == "same"
    assert types(world, flow_id).count("flow.suspended") == 0


def test_a_changed_file_that_was_moved_is_restarted_where_it_lies(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    elsewhere = world.folder()
    move(world, f"{folder}/Note.txt", f"{elsewhere}/Note.txt")
    world.dav("alice", "PUT", f"{elsewhere}/Note.txt", data=b"Plutot non")
    assert looked_at(world, alice, flow_id)["state"] == "suspended"
    assert resumed(alice, flow_id, "restart").json()["state"] == "running"
    assert world.names(f"{elsewhere}/.flows/{flow_id}") == [hashlib.sha256(b"Plutot non").hexdigest()]
    world.office.ctx.blobs._folder.joinpath(hashlib.sha256(b"Plutot non").hexdigest()).unlink()
    assert world.recipient("bob", flow_id).get("documents/0").content == b"Plutot non"
    assert looked_at(world, alice, flow_id)["documents"][0]["source"]["state"] == "same"


def test_a_touch_and_a_save_of_the_same_content_change_nothing(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    before = world.state_file(flow_id)
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Autre")
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Oui ou non")
    look_after(world.office.ctx, flow_id)
    world.office.ctx.vault.forget_seen(flow_id)  # as on another machine: nothing is known of it
    look_after(world.office.ctx, flow_id)
    assert world.state_file(flow_id) == before


def test_signatures_go_on_with_what_was_sent_and_the_panel_says_so(world: World, alice: Browser) -> None:
    folder = world.folder()
    ids = [world.put(f"{folder}/{name}.pdf", pdf()) for name in ("Bail", "Annexe")]
    flow_id = world.signature(alice, ids, [{"user": "bob"}])["id"]
    world.settled(flow_id)
    world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(2))
    world.dav("alice", "DELETE", f"{folder}/Annexe.pdf")
    flow = looked_at(world, alice, flow_id)
    assert flow["state"] == "running"
    assert [document["source"]["state"] for document in flow["documents"]] == ["changed", "gone"]
    assert len(flow["warnings"]) == 2
    panel = alice.get(f"files/{ids[0]}/flows").json()["flows"][0]["detail"]
    assert panel["warnings"] == flow["warnings"]
    assert resumed(alice, flow_id, "restart").json()["code"] == "not-suspended"
    read = world.recipient("bob", flow_id).flow()
    assert [document["source"] for document in read["documents"]] == [None, None]
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"


def test_a_large_file_is_watched_and_pinned_anew_without_being_read_whole(world: World, alice: Browser) -> None:
    data = secrets.token_bytes(SIZE)
    with small_limit(world):
        folder, flow_id = launched(world, alice, data, "Plan.dwg")
        other = secrets.token_bytes(SIZE)
        world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=other)
        assert looked_at(world, alice, flow_id)["suspension"]["reason"] == "source-changed"
        flow = resumed(alice, flow_id, "restart").json()
        assert flow["documents"][0]["sha256"] == hashlib.sha256(other).hexdigest()
        assert world.recipient("bob", flow_id).get("documents/0").content == other
    assert len(data) > LIMIT


def test_a_restart_that_was_cut_off_leaves_nothing_in_the_way(world: World, alice: Browser) -> None:
    with small_limit(world):
        folder, flow_id = launched(world, alice, secrets.token_bytes(SIZE), "Plan.dwg")
        world.put(f"{folder}/.flows/{flow_id}/pinning-0", b"half")
        world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=bytes(SIZE))
        look_after(world.office.ctx, flow_id)
        assert resumed(alice, flow_id, "restart").json()["state"] == "running"
    assert "pinning-0" not in world.names(f"{folder}/.flows/{flow_id}")


def test_half_of_a_pin_under_its_name_is_not_taken_for_the_whole(world: World, alice: Browser) -> None:
    other = secrets.token_bytes(SIZE)
    sha256 = hashlib.sha256(other).hexdigest()
    for there in (other[: SIZE // 2], bytes(SIZE)):  # of a copy that broke off; as long, and something else
        with small_limit(world):
            folder, flow_id = launched(world, alice, secrets.token_bytes(SIZE), "Plan.dwg")
            world.put(f"{folder}/.flows/{flow_id}/{sha256}", there)
            world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=other)
            look_after(world.office.ctx, flow_id)
            assert resumed(alice, flow_id, "restart").json()["documents"][0]["sha256"] == sha256
            assert world.read(f"{folder}/.flows/{flow_id}/{sha256}") == other
            assert world.recipient("bob", flow_id).get("documents/0").content == other
        assert "pinning-0" not in world.names(f"{folder}/.flows/{flow_id}")


class Counted:
    """What the host is asked of originals."""

    def __init__(self, files: Any) -> None:
        self._files = files
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self.asked.append(name)
        return getattr(self._files, name)


def test_what_has_not_changed_is_asked_for_by_one_call_and_never_read(world: World, alice: Browser) -> None:
    folder = world.folder()
    ids = [world.put(f"{folder}/{n}.txt", b"Oui ou non") for n in range(5)]
    flow_id = world.validation(alice, ids, [{"user": "bob"}])["id"]
    world.settled(flow_id)
    originals = world.office.ctx.vault.seen(flow_id)
    assert set(originals) == set(range(5))
    world.office.ctx.vault.note_seen(flow_id, {n: replace(seen, is_settled=True) for n, seen in originals.items()})
    files = Counted(world.office.ctx.files)
    look_after(replace(world.office.ctx, files=files), flow_id)
    assert [name for name in files.asked if name not in ("stat", "list")] == ["by_ids"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_in_the_other_normal_form_is_the_same_name(world: World, alice: Browser, form: str) -> None:
    name = unicodedata.normalize(form, "Résumé.txt")  # type: ignore[arg-type]  # a word that came as a parameter
    _, flow_id = launched(world, alice, name=name)
    assert looked_at(world, alice, flow_id)["documents"][0]["source"]["state"] == "same"

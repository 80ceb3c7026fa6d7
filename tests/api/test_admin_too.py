"""An administrator who is asked as well loses nothing of what an administrator sees."""

from __future__ import annotations

from tests.world import Browser, World, pdf


def test_an_admin_who_is_a_recipient_sees_what_an_admin_sees(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    people = [{"email": "ext@example.com"}, {"user": "bob"}, {"user": "alice"}]
    flow_id = world.validation(carol, [file_id], people, title="Bail Lefèvre")["id"]
    world.settled(flow_id)
    bob, alice = world.recipient("bob", flow_id), world.recipient("alice", flow_id)
    for path in ("", "evidence", "documents/0"):
        assert (bob.get(path).status_code, alice.get(path).status_code) == (409, 200), path
    read = alice.get("").json()
    assert read["steps"][0]["recipients"][0]["email"] == "ext@example.com"
    assert "Bail Lefèvre" not in bob.get(f"/f/{flow_id}").text
    assert "parapheur-steer" in alice.get(f"/f/{flow_id}").text
    assert world.link(flow_id, "ext@").approve().status_code == 200
    assert bob.approve().status_code == 200
    world.settled(flow_id)
    assert "<parapheur-steer" not in alice.get(f"/f/{flow_id}").text, "her turn: it is what she decides on"
    assert alice.get("").json()["steps"][0]["recipients"][0]["email"] == "ext@example.com"
    assert alice.approve().status_code == 200
    world.settled(flow_id)
    assert alice.get("evidence").status_code == 200


def test_while_the_platform_is_out_she_is_a_recipient_like_others(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    flow_id = world.validation(carol, [file_id], [{"user": "alice"}])["id"]
    world.settled(flow_id)
    alice = world.recipient("alice", flow_id)
    shown = alice.flow()["documents"][0]["current_sha256"]
    with world.host_gate.shut():
        assert alice.get("").status_code == 200
        assert alice.get("documents/0").status_code == 200
        assert alice.flow()["documents"][0]["current_sha256"] == shown

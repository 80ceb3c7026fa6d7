"""The platform's bell: with each mail to a platform user, put out when there is nothing left for him to do."""

from __future__ import annotations

from typing import Any

from plugin.actions.remind import remind
from plugin.flow.errors import HostUnavailable
from plugin.flow.model import By
from tests.world import Browser, World, until


def shown(world: World, uid: str, flow: Any) -> list[str]:
    """What this person's bell shows of a flow, newest first."""
    return [one["object_type"] for one in world.demo.host.ocs.bell.of(uid) if one["object_id"] == flow["id"]]


def test_the_bell_rings_in_the_persons_language_and_is_quiet_after_the_decision(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/budget 100 % {{x}}.txt", b"x")
    flow = world.validation(alice, [file_id], [{"user": "bob"}, {"user": "carol"}, {"email": "zoe@example.org"}])
    until(lambda: shown(world, "bob", flow) == ["invitation"])
    notice = next(one for one in world.demo.host.ocs.bell.of("bob") if one["object_id"] == flow["id"])
    assert notice["subject"] == "Alice Martin asks you to approve a document"
    assert notice["message"] == "budget 100 % {x}"
    assert notice["link"] == f"{world.url}/f/{flow['id']}"
    assert shown(world, "carol", flow) == []

    assert world.recipient("bob", flow["id"]).approve().status_code == 200
    until(lambda: shown(world, "bob", flow) == [])
    until(lambda: shown(world, "carol", flow) == ["invitation"])
    notice = next(one for one in world.demo.host.ocs.bell.of("carol") if one["object_id"] == flow["id"])
    assert notice["subject"] == "Alice Martin vous demande de valider un document"

    assert world.recipient("carol", flow["id"]).approve().status_code == 200
    assert world.link(flow["id"], "zoe@example.org").approve().status_code == 200
    until(lambda: shown(world, "alice", flow) == ["completed"])
    world.settled(flow["id"])
    assert shown(world, "bob", flow) == shown(world, "carol", flow) == ["completed"]


def test_a_refusal_is_told_and_leaves_no_bell_of_an_invitation(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/a.txt", b"x")
    flow = world.validation(alice, [file_id], [{"user": "carol"}, {"user": "bob"}])
    until(lambda: shown(world, "carol", flow) == ["invitation"])
    assert world.recipient("carol", flow["id"]).refuse().status_code == 200
    until(lambda: shown(world, "carol", flow) == ["refused"])
    until(lambda: shown(world, "alice", flow) == ["refused"])
    assert shown(world, "bob", flow) == []


def test_a_bell_that_does_not_work_holds_up_no_mail(world: World, alice: Browser) -> None:
    class Broken:
        def ring(self, notice: object) -> None:
            raise HostUnavailable

        def hush(self, user: str, what: str, flow_id: str) -> None:
            raise HostUnavailable

    from plugin.actions.sweep import look_at

    file_id = world.put(f"{world.folder()}/a.txt", b"x")
    flow = world.validation(alice, [file_id], [{"user": "bob"}])
    world.mail(flow["id"], "invitation", "bob@")
    with world.handed(bell=Broken()):
        look_at(world.office.ctx, flow["id"])
        assert world.recipient("bob", flow["id"]).approve().status_code == 200
    assert next(mail["to"] for mail in world.settled(flow["id"])) == "bob@example.org"


def test_a_mail_server_that_is_down_rings_no_bell_twice(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/a.txt", b"x")
    with world.mail_gate.shut():
        flow = world.validation(alice, [file_id], [{"user": "bob"}])
        until(lambda: world.office.ctx.vault.attempts(flow["id"]))
        assert shown(world, "bob", flow) == ["invitation"]
    until(lambda: world.mails(flow["id"], "invitation", "bob@"), within_s=60)
    assert shown(world, "bob", flow) == ["invitation"]


def test_whoever_decided_after_a_reminder_has_no_bell_left_that_asks(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/a.txt", b"x")
    flow = world.validation(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])
    world.settled(flow["id"])
    remind(world.office.ctx, flow["id"], None, By.CREATOR)
    until(lambda: shown(world, "bob", flow) == ["reminder", "invitation"])
    assert world.mail(flow["id"], "reminder", "bob@")["subject"].startswith("Reminder: ")
    world.settled(flow["id"])
    assert world.recipient("bob", flow["id"]).approve().status_code == 200
    until(lambda: shown(world, "bob", flow) == [])

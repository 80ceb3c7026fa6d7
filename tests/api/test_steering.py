"""Remind, cancel, extend, replace, new link, delegate, erase, resume: who may, what follows, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests

from plugin.cli import main
from plugin.flow.commands import Suspend
from plugin.flow.decide import decide
from plugin.flow.model import SuspendReason
from tests.api.test_races import at_once
from tests.world import Actor, Browser, Json, World, pdf, stamps, until

pytestmark = pytest.mark.usefixtures("logs_as_before")
DAY = timedelta(days=1)


@pytest.fixture
def file_id(world: World) -> str:
    return world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")


@pytest.fixture
def flow(world: World, carol: Browser, file_id: str) -> Json:
    """Carol's, who is no admin: somebody outside is asked, then Bob."""
    people = [{"email": "ext@example.com", "last_name": "Ext", "language": "en"}, {"user": "bob"}]
    return world.validation(carol, [file_id], people)


def told(answer: requests.Response) -> tuple[int, str]:
    assert answer.json()["title"]
    return answer.status_code, answer.json()["code"]


def types(world: World, flow: Json) -> list[str]:
    return [line["type"] for line in world.lines(flow["id"])]


def people(answer: requests.Response) -> dict[str, Json]:
    assert answer.status_code == 200, answer.text
    return {r["id"]: r for s in answer.json()["steps"] for r in s["recipients"]}


def links(world: World, flow: Json, to: str, count: int) -> list[Actor]:
    """Waits until that many invitations went there."""
    mails = until(lambda: found if len(found := world.mails(flow["id"], "invitation", to)) >= count else None)
    return [world.follow(next(link for link in mail["links"] if "/s/" in link)) for mail in mails]


def put(who: Browser, flow: Json, recipient: str, body: Json) -> requests.Response:
    return who.send("PUT", f"flows/{flow['id']}/recipients/{recipient}", json=body)


ACTS: dict[str, Callable[[Browser, Json], requests.Response]] = {
    "remind": lambda who, flow: who.post(f"flows/{flow['id']}/remind", {}),
    "cancel": lambda who, flow: who.post(f"flows/{flow['id']}/cancel", {"reason": "Erreur."}),
    "extend": lambda who, flow: who.post(f"flows/{flow['id']}/extend", {"expires_at": "2027-06-01"}),
    "link": lambda who, flow: who.post(f"flows/{flow['id']}/recipients/r1/link"),
    "replace": lambda who, flow: put(who, flow, "r1", {"email": "neu@example.com"}),
    "resume": lambda who, flow: who.post(f"flows/{flow['id']}/resume", {"choice": "continue"}),
    "erase": lambda who, flow: who.post(f"flows/{flow['id']}/recipients/r1/erase"),
}


# ---- who may ----
@pytest.mark.parametrize("what", ACTS)
def test_it_is_there_for_creator_and_admin_alone(world: World, flow: Json, what: str) -> None:
    world.settled(flow["id"])
    before = world.state_file(flow["id"])
    none = {"id": "01890000-0000-7000-8000-000000000000"}
    bob = world.login("bob")
    foreign, unknown = ACTS[what](bob, flow), ACTS[what](bob, none)
    assert told(foreign) == (404, "not-found")
    assert foreign.content == unknown.content
    assert world.link(flow["id"], "ext@").approve().status_code == 200
    assert told(ACTS[what](bob, flow)) == (404, "not-found"), "nor for a recipient whose turn it is"
    assert world.state_file(flow["id"]).startswith(before)
    assert types(world, flow).count("recipient.approved") == 1


@pytest.mark.parametrize("what", ["remind", "cancel", "extend", "link", "replace"])
def test_the_record_says_whether_it_was_the_creator_or_an_admin(
    world: World, carol: Browser, alice: Browser, flow: Json, what: str
) -> None:
    for who, actor in ((alice, "admin"), (carol, "creator")):
        mine = (
            flow
            if who is alice
            else world.validation(carol, [flow["documents"][0]["file_id"]], [{"email": "ext@example.com"}])
        )
        world.settled(mine["id"])
        assert ACTS[what](who, mine).status_code == 200
        assert actor in {line["actor"] for line in world.lines(mine["id"])[2:]}


# ---- remind ----
def test_a_reminder_goes_to_whoever_is_asked_now_once_for_two_clicks(world: World, carol: Browser, flow: Json) -> None:
    world.settled(flow["id"])
    first, second = carol.post(f"flows/{flow['id']}/remind", {}), carol.post(f"flows/{flow['id']}/remind", {})
    assert (first.status_code, second.status_code) == (200, 200)
    assert people(second)["r1"]["reminded_at"] == people(first)["r1"]["reminded_at"] is not None
    assert people(second)["r2"]["reminded_at"] is None
    world.settled(flow["id"])
    assert len(world.mails(flow["id"], "reminder")) == 1
    with world.later(timedelta(minutes=5)):
        refused = carol.post(f"flows/{flow['id']}/remind", {})
    assert told(refused) == (409, "reminded-recently")
    assert refused.json()["again_at"]
    assert refused.json()["state"] == "running"
    assert told(carol.post(f"flows/{flow['id']}/remind", {"recipients": ["r2"]})) == (409, "nobody-to-remind")
    assert told(carol.post(f"flows/{flow['id']}/remind", {"recipients": ["r9"]})) == (404, "not-found")


# ---- cancel ----
def test_cancelling_needs_a_reason_and_tells_whoever_was_asked(world: World, carol: Browser, flow: Json) -> None:
    link = world.link(flow["id"], "ext@")
    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": None}):
        assert told(carol.post(f"flows/{flow['id']}/cancel", body)) == (422, "reason-required")
    done = carol.post(f"flows/{flow['id']}/cancel", {"reason": "Mauvais document."})
    assert (done.json()["state"], done.json()["cancelled"]) == (
        "cancelled",
        {"by": "creator", "reason": "Mauvais document."},
    )
    again = carol.post(f"flows/{flow['id']}/cancel", {"reason": "Mauvais document."})
    assert (again.status_code, types(world, flow).count("flow.cancelled")) == (200, 1)
    other = carol.post(f"flows/{flow['id']}/cancel", {"reason": "Autre."})
    assert (told(other), other.json()["state"]) == ((409, "flow-ended"), "cancelled")
    assert "Mauvais document." in world.mail(flow["id"], "cancelled", "ext@")["text"]
    world.settled(flow["id"])
    assert not world.mails(flow["id"], "cancelled", "bob@"), "whoever was never asked hears nothing"
    read = link.flow()
    assert (read["state"], read["documents"], read["me"]["my_turn"]) == ("cancelled", [], False)
    assert told(link.act("refuse", {"reason": "Non."})) == (409, "flow-ended")
    assert link.get("").status_code == 200


def test_once_everybody_has_decided_nothing_can_be_cancelled(world: World, carol: Browser, flow: Json) -> None:
    assert world.link(flow["id"], "ext@").approve().status_code == 200
    assert world.recipient("bob", flow["id"]).approve().status_code == 200
    for what in ("remind", "cancel", "extend", "link", "replace"):
        refused = ACTS[what](carol, flow)
        assert refused.status_code == 409, what
        assert refused.json()["state"] in ("completed", "approved")


# ---- extend, and the end of time ----
def test_a_deadline_moves_to_later_only(world: World, carol: Browser, file_id: str) -> None:
    flow = world.validation(carol, [file_id], [{"email": "ext@example.com"}], expires_at="2027-03-01")
    path = f"flows/{flow['id']}/extend"
    for sent, code in (
        ("2027-02-01", "not-later"),
        ("2020-01-01", "in-the-past"),
        ("soon", "bad-time"),
        ("2999-01-01", "too-far"),
    ):
        refused = carol.post(path, {"expires_at": sent})
        assert (told(refused), refused.json()["path"]) == ((422, code), "expires_at")
    assert told(carol.post(path, {})) == (422, "field-missing")
    later = carol.post(path, {"expires_at": "2027-04-01"})
    assert later.json()["expires_at"] > flow["expires_at"]
    assert carol.post(path, {"expires_at": "2027-04-01"}).json()["expires_at"] == later.json()["expires_at"]
    assert types(world, flow).count("flow.extended") == 1


def test_a_deadline_that_passed_ends_it_even_before_that_is_written_down(
    world: World, carol: Browser, file_id: str
) -> None:
    flow = world.validation(carol, [file_id], [{"email": "ext@example.com"}, {"user": "bob"}], expires_at="2027-03-01")
    link = world.link(flow["id"], "ext@")
    link.flow()
    with world.later(200 * DAY):
        assert carol.get(f"flows/{flow['id']}").json()["state"] == "expired"
        read = link.get("flow.json").json()
        assert (read["state"], read["documents"], read["me"]["my_turn"]) == ("expired", [], False)
        refused = link.post("refuse", {"reason": "Non."})
        assert (told(refused), refused.json()["state"]) == ((409, "flow-ended"), "expired")
        assert told(link.get("documents/0")) == (409, "flow-ended")
        assert "expired" in link.get("").text
    assert "flow.expired" not in types(world, flow)
    assert link.flow()["state"] == "running"


# ---- new link ----
def test_a_new_link_begins_a_round_and_the_old_one_says_so(world: World, carol: Browser, flow: Json) -> None:
    old = world.link(flow["id"], "ext@")
    before = old.flow()
    shown = {"0": before["documents"][0]["current_sha256"]}
    assert people(carol.post(f"flows/{flow['id']}/recipients/r1/link"))["r1"]["round"] == 2
    new = links(world, flow, "ext@", 2)[1]
    assert new.base != old.base
    read = old.get("flow.json").json()
    assert read["me"]["is_old_link"] is True
    assert (read["title"], read["steps"], read["documents"], read["placements"]) == ("", [], [], [])
    assert "ext@example.com" not in json.dumps(read)
    for what, body in (
        ("approve", {"documents": shown}),
        ("refuse", {"reason": "Non."}),
        ("view", {}),
        ("delegate", {}),
    ):
        refused = old.post(what, body)
        assert (told(refused), refused.json()["by"]) == ((409, "replaced"), "newer-link"), what
        assert "newer" in refused.json()["title"]
    assert told(old.get("documents/0")) == (409, "replaced")
    assert told(old.get("documents/0/pages/1")) == (409, "replaced")
    page = old.get("")
    assert page.status_code == 200
    assert "newest e-mail" in page.text
    assert "Bail" not in page.text
    assert new.approve().status_code == 200
    assert told(old.post("approve", {"documents": shown})) == (409, "replaced")


def test_a_new_link_is_for_whoever_is_asked_now(world: World, carol: Browser, flow: Json) -> None:
    early = carol.post(f"flows/{flow['id']}/recipients/r2/link")
    assert (told(early), early.json()["before"]) == ((409, "not-your-turn"), ["Ext"])
    assert told(carol.post(f"flows/{flow['id']}/recipients/r9/link")) == (404, "not-found")


# ---- replace ----
def test_whoever_comes_in_is_asked_in_the_same_place_with_the_same_stamps(
    world: World, carol: Browser, file_id: str
) -> None:
    recipients = [{"email": "ext@example.com", "last_name": "Ext", "language": "en"}, {"user": "bob"}]
    flow = world.signature(carol, [file_id], recipients)
    old = world.link(flow["id"], "ext@")
    body = old.flow()
    done = put(
        carol, flow, "r1", {"email": "neu@example.com", "first_name": "Nova", "language": "en", "comment": "À vous"}
    )
    found = people(done)
    assert [r["id"] for r in done.json()["steps"][0]["recipients"]] == ["r1", "r3"]
    assert (found["r1"]["state"], found["r3"]["state"], found["r3"]["replaces"]) == ("replaced", "invited", "r1")
    assert found["r3"]["message"] == "À vous"
    assert [p["recipient"] for p in done.json()["placements"]] == ["r3", "r2"]
    assert people(put(carol, flow, "r1", {"email": "NEU@example.com"})) == found
    assert told(put(carol, flow, "r1", {"email": "autre@example.com"})) == (409, "replaced")
    assert types(world, flow).count("recipient.replaced") == 1
    read = old.flow()
    assert (read["me"]["state"], read["title"], read["steps"], read["documents"]) == ("replaced", "", [], [])
    assert told(old.post("sign", {"documents": {}})) == (409, "replaced")
    assert told(old.get("documents/0")) == (409, "replaced")
    assert "Somebody else has taken your place" in old.get("").text
    assert body["title"] not in old.get("").text
    assert world.mail(flow["id"], "replaced", "ext@")
    assert world.link(flow["id"], "neu@").sign().status_code == 200
    assert world.recipient("bob", flow["id"]).sign().json()["state"] == "completed"


@pytest.mark.parametrize(
    "recipient, body, status, code, path",
    [
        ("r1", {}, 422, "user-or-email", "user"),
        ("r1", {"user": "alice", "email": "a@example.com"}, 422, "user-or-email", "user"),
        ("r1", {"email": "nobody"}, 422, "bad-email", "email"),
        ("r1", {"user": "nobody"}, 422, "no-such-user", "user"),
        ("r1", {"user": "bob"}, 422, "duplicate-recipient", "user"),
        ("r1", {"email": "BOB@example.org"}, 422, "duplicate-recipient", "email"),
        ("r1", {"email": "a@example.com", "phone": "+33612345678"}, 422, "not-available-yet", "phone"),
        ("r1", {"email": "a@example.com", "role": "observer"}, 422, "unknown-field", "role"),
        ("r1", {"email": 5}, 422, "invalid", "email"),
        ("r9", {"email": "a@example.com"}, 404, "not-found", None),
        ("creator", {"email": "a@example.com"}, 404, "not-found", None),
    ],
)
def test_a_replacement_that_cannot_be_is_refused_and_nothing_changes(
    world: World, carol: Browser, flow: Json, recipient: str, body: Json, status: int, code: str, path: str | None
) -> None:
    world.settled(flow["id"])
    before = world.state_file(flow["id"])
    refused = put(carol, flow, recipient, body)
    assert told(refused) == (status, code)
    assert refused.json().get("path") == path
    assert world.state_file(flow["id"]) == before


def test_whoever_has_decided_is_not_replaced(world: World, carol: Browser, flow: Json) -> None:
    assert world.link(flow["id"], "ext@").approve().status_code == 200
    refused = put(carol, flow, "r1", {"email": "neu@example.com"})
    assert (told(refused), refused.json()["state"]) == ((409, "already-decided"), "approved")


def test_a_name_that_no_stamp_can_show_is_refused(world: World, carol: Browser, file_id: str) -> None:
    placed = [{**one, "with_text": True} for one in stamps(1, [0])]
    flow = world.signature(carol, [file_id], [{"email": "ext@example.com"}], placements=placed)
    refused = put(carol, flow, "r1", {"email": "neu@example.com", "last_name": "\U0001f9ff"})
    assert (told(refused), refused.json()["path"]) == ((422, "glyph-missing"), "last_name")


# ---- delegate ----
def test_a_recipient_hands_over_where_the_creator_allowed_it(world: World, carol: Browser, file_id: str) -> None:
    flow = world.validation(carol, [file_id], [{"email": "ext@example.com"}, {"user": "bob"}], allow_delegation=True)
    link = world.link(flow["id"], "ext@")
    assert link.flow()["allow_delegation"] is True
    assert told(link.act("delegate", {"user": "alice"})) == (422, "email-only")
    assert told(link.act("delegate", {})) == (422, "user-or-email")
    body = {"email": "neu@example.com", "comment": "Je suis en congé."}
    first, again = link.act("delegate", body), link.act("delegate", body)
    assert (first.status_code, first.json()) == (200, again.json())
    assert (first.json()["me"]["state"], first.json()["title"]) == ("replaced", "")
    assert told(link.act("delegate", {"email": "autre@example.com"})) == (409, "replaced")
    assert told(link.act("delegate", {"nonsense": 1})) == (409, "replaced")
    assert types(world, flow).count("recipient.delegated") == 1
    read = carol.get(f"flows/{flow['id']}").json()
    (event,) = (e for e in read["events"] if e["type"] == "recipient.delegated")
    assert event["actor"] == "recipient:r1"
    assert event["data"]["comment"] == "Je suis en congé."
    for gone in ("trace", "ip_source", "account"):
        assert gone not in json.dumps(read["events"])
    assert world.mail(flow["id"], "delegated", "carol@")
    new = world.link(flow["id"], "neu@")
    assert new.approve().status_code == 200
    bob = world.recipient("bob", flow["id"])
    assert told(bob.act("delegate", {"user": "carol", "email": "x@example.com"})) == (422, "user-or-email")
    assert bob.act("delegate", {"user": "alice"}).status_code == 200
    assert told(bob.get(f"/api/v1/flows/{flow['id']}")) == (409, "replaced")
    assert world.recipient("alice", flow["id"]).approve().json()["state"] == "completed"


def test_without_leave_or_before_ones_turn_nobody_hands_over(world: World, carol: Browser, flow: Json) -> None:
    link = world.link(flow["id"], "ext@")
    assert told(link.act("delegate", {"email": "neu@example.com"})) == (409, "delegation-not-allowed")
    bob = world.recipient("bob", flow["id"])
    assert told(bob.act("delegate", {"email": "neu@example.com"})) == (409, "not-your-turn")
    stranger = world.login("alice")
    assert told(stranger.post(f"flows/{flow['id']}/delegate", {"email": "neu@example.com"})) == (404, "not-found")


# ---- erase ----
def test_an_erased_person_is_nobody_any_more_and_the_record_holds(
    world: World, carol: Browser, alice: Browser, flow: Json
) -> None:
    running = alice.post(f"flows/{flow['id']}/recipients/r1/erase")
    assert (told(running), running.json()["state"]) == ((409, "flow-running"), "running")
    assert carol.post(f"flows/{flow['id']}/cancel", {"reason": "Fin."}).status_code == 200
    world.settled(flow["id"])
    assert told(carol.post(f"flows/{flow['id']}/recipients/r1/erase")) == (404, "not-found")
    first, again = (alice.post(f"flows/{flow['id']}/recipients/r1/erase") for _ in range(2))
    assert (people(first)["r1"]["email"], people(first)["r1"]["name"]) == (None, "")
    assert again.json() == first.json()
    assert types(world, flow).count("person.erased") == 1
    assert "ext@example.com" not in carol.get(f"flows/{flow['id']}").text
    assert people(carol.get(f"flows/{flow['id']}"))["r2"]["email"] == "bob@example.org"
    assert told(alice.post(f"flows/{flow['id']}/recipients/r9/erase")) == (404, "not-found")


def test_the_command_line_erases_beside_the_server(world: World, carol: Browser, flow: Json, capsys: Any) -> None:
    ask = ["--data", str(world.data), "erase", flow["id"]]
    assert main([*ask, "r1"]) == 1
    assert "flow-running" in capsys.readouterr().err
    assert carol.post(f"flows/{flow['id']}/cancel", {"reason": "Fin."}).status_code == 200
    world.settled(flow["id"])
    assert main([*ask, "r1"]) == 0
    assert people(carol.get(f"flows/{flow['id']}"))["r1"]["email"] is None
    assert main([*ask, "r9"]) == 1


# ---- resume ----
def test_a_flow_that_is_not_suspended_has_nothing_to_choose(world: World, carol: Browser, flow: Json) -> None:
    for choice in ("continue", "cancel"):
        refused = carol.post(f"flows/{flow['id']}/resume", {"choice": choice})
        assert (told(refused), refused.json()["state"]) == ((409, "not-suspended"), "running")
    assert told(carol.post(f"flows/{flow['id']}/resume", {"choice": "perhaps"})) == (422, "invalid")


def test_a_suspended_flow_can_be_ended_without_a_reason(world: World, carol: Browser, flow: Json) -> None:
    world.settled(flow["id"])
    flows, now = world.office.ctx.flows, world.office.ctx.clock()
    with flows.lease(flow["id"]) as lease:
        loaded = flows.load(flow["id"])
        flows.append(loaded, lease, decide(loaded.flow, Suspend(SuspendReason.SOURCE_GONE, now), now), "system", now)
    link = world.link(flow["id"], "ext@")
    assert told(link.act("refuse", {"reason": "Non."})) == (409, "flow-suspended")
    for what in ("remind", "link"):
        assert told(ACTS[what](carol, flow)) == (409, "flow-suspended")
    first, again = (carol.post(f"flows/{flow['id']}/resume", {"choice": "cancel"}) for _ in range(2))
    assert (first.json()["state"], first.json()["cancelled"]) == ("cancelled", {"by": "creator", "reason": None})
    assert again.json()["state"] == "cancelled"
    assert types(world, flow).count("flow.cancelled") == 1


# ---- observers ----
def test_an_observer_gets_copies_at_the_end_and_nothing_before(world: World, carol: Browser, file_id: str) -> None:
    recipients = [{"user": "alice"}, {"user": "bob", "role": "observer"}]
    flow = world.signature(carol, [file_id], recipients, placements=stamps(1, [0]), copy_emails=["copie@example.com"])
    bob = world.recipient("bob", flow["id"])
    read = bob.flow()
    assert (read["me"]["role"], read["me"]["my_turn"], read["documents"]) == ("observer", False, [])
    assert told(bob.get("documents/0")) == (409, "not-your-turn")
    assert told(bob.get(f"/api/v1/flows/{flow['id']}")) == (409, "not-your-turn")
    assert told(bob.act("refuse", {"reason": "Non."})) == (409, "not-your-turn")
    page = bob.get(f"/f/{flow['id']}").text
    assert "You will get copies" in page
    assert world.recipient("alice", flow["id"]).sign().json()["state"] == "completed"
    copy = world.read(carol.get(f"flows/{flow['id']}").json()["documents"][0]["signed"]["path"], "carol")
    mail = world.mail(flow["id"], "completed", "copie@")
    link = world.follow(next(link for link in mail["links"] if "/s/" in link))
    for actor in (bob, link):
        assert actor.flow()["documents"][0]["signed"]["sha256"]
        assert actor.get("documents/0").content == copy
        with world.later(31 * DAY):
            assert told(actor.get("documents/0")) == (409, "flow-ended")
    assert bob.get(f"/api/v1/flows/{flow['id']}").json()["state"] == "completed"


def test_whoever_is_not_needed_any_more_reads_why(world: World, carol: Browser, file_id: str) -> None:
    both = [{"email": f"p{n}@example.com", "step": 0, "language": "en"} for n in (1, 2)]
    flow = world.validation(carol, [file_id], [*both, {"user": "bob", "step": 1}], steps=[{"step": 0, "rule": "any"}])
    first, second = world.link(flow["id"], "p1@"), world.link(flow["id"], "p2@")
    assert first.approve().status_code == 200
    assert second.flow()["me"]["state"] == "skipped"
    assert told(second.act("refuse", {"reason": "Non."})) == (409, "not-needed")
    assert "Enough others have decided" in second.get("").text


# ---- at once ----
@pytest.mark.parametrize(
    "what, event",
    [
        ("remind", "recipient.reminded"),
        ("cancel", "flow.cancelled"),
        ("link", "link.renewed"),
        ("replace", "recipient.replaced"),
        ("extend", "flow.extended"),
    ],
)
def test_a_double_click_is_one_event(world: World, flow: Json, what: str, event: str) -> None:
    world.mail(flow["id"], "invitation", "ext@")
    hands = [world.login("carol") for _ in range(4)]
    answers = at_once(*(partial(ACTS[what], hand, flow) for hand in hands))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert types(world, flow).count(event) == 1
    world.settled(flow["id"])


def test_a_decision_and_a_replacement_at_once_are_exactly_one_of_them(world: World, flow: Json) -> None:
    link = world.link(flow["id"], "ext@")
    shown = {"documents": {"0": link.flow()["documents"][0]["current_sha256"]}}
    carol = world.login("carol")
    decided, placed = at_once(lambda: link.post("approve", shown), lambda: ACTS["replace"](carol, flow))
    assert sorted((decided.status_code, placed.status_code)) == [200, 409]
    assert {"recipient.approved": "already-decided", "recipient.replaced": "replaced"}[
        next(t for t in types(world, flow) if t in ("recipient.approved", "recipient.replaced"))
    ] == next(answer.json()["code"] for answer in (decided, placed) if answer.status_code == 409)

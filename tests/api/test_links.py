"""Every line of architecture.md, "Links": what a link tells, when it acts, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
import requests

from tests.world import Actor, Browser, Json, World, pdf, signing

ALWAYS = ("id", "kind", "state", "title", "me", "csrf_token", "steps", "documents", "placements")


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


@dataclass(frozen=True)
class Pair:
    """A signature of one document by two external people, the first of whom may act; his link, and the other's."""

    flow_id: str
    first: Actor
    second: Actor


def token_of(world: World, flow_id: str, recipient: str) -> str:
    from plugin.flow.tokens import link_token

    return link_token(world.office.secrets.link_key, flow_id, recipient, 1)


@pytest.fixture
def pair(world: World, alice: Browser) -> Pair:
    flow_id = world.signature(
        alice,
        [world.put(f"{world.folder()}/Secret de famille.pdf", pdf())],
        [
            {"email": "un@example.com", "first_name": "Un", "language": "en"},
            {"email": "deux@example.com", "first_name": "Deux", "language": "en"},
        ],
        title="Titre secret",
        comment="Commentaire secret",
        copy_to_all=True,
    )["id"]
    second = world.follow(f"{world.url}/s/{token_of(world, flow_id, 'r2')}")
    return Pair(flow_id, world.link(flow_id, "un@"), second)


def refused_body(actor: Actor, what: str, **more: object) -> requests.Response:
    """An act whose body is no JSON at all: whatever is said of it was said before the body was looked at."""
    actor.flow()
    return actor.post(what, data=b"\xff{not json", headers={"Content-Type": "text/plain"}, **more)


# ---- unknown, early ----
@pytest.mark.parametrize("token", ["x", "A" * 43, "%E2%82%AC" * 14 + "A", "A" * 5000, "..%2f..%2fetc"])
def test_an_unknown_token_is_404_everywhere(world: World, token: str) -> None:
    nobody = world.nobody()
    for path in ("", "/flow.json", "/documents/0", "/documents/0/pages/1"):
        assert nobody.get(f"/s/{token}{path}").status_code == 404
    for act in ("view", "approve", "refuse", "sign", "code", "code/verify", "identity"):
        assert nobody.post(f"/s/{token}/{act}", {}).status_code == 404


def test_a_platform_users_token_opens_nothing(world: World, alice: Browser) -> None:
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])["id"]
    assert world.nobody().get(f"/s/{token_of(world, flow_id, 'r1')}/flow.json").status_code == 404


def test_early_it_tells_who_asks_and_who_is_before_and_nothing_else(pair: Pair) -> None:
    flow = pair.second.flow()
    assert set(ALWAYS) <= set(flow)
    assert flow["creator"]["name"] == "Alice Martin"
    assert [r["name"] for s in flow["steps"] for r in s["recipients"]] == ["Un"]
    assert flow["me"]["my_turn"] is False
    assert (flow["title"], flow["comment"], flow["documents"], flow["placements"]) == ("", None, [], [])
    assert flow["consent"] == ""
    everything = pair.second.get("flow.json").text + pair.second.get("").text
    for secret in ("secret", "famille", "un@example.com"):
        assert secret not in everything.lower()
    assert "Un" in pair.second.get("").text


@pytest.mark.parametrize("what", ["view", "approve", "refuse", "sign"])
def test_acting_early_is_told_before_the_body_is_looked_at(pair: Pair, what: str) -> None:
    answer = refused_body(pair.second, what)
    assert code(answer) == (409, "not-your-turn")
    assert answer.json()["before"] == ["Un"]


def test_early_there_are_no_documents(pair: Pair) -> None:
    assert code(pair.second.get("documents/0")) == (409, "not-your-turn")
    assert code(pair.second.get("documents/0/pages/1")) == (409, "not-your-turn")


def test_flow_json_always_has_the_same_members(pair: Pair) -> None:
    assert set(ALWAYS) <= set(pair.first.flow())
    assert pair.first.sign().status_code == 200
    assert set(ALWAYS) <= set(pair.first.flow())
    assert pair.second.refuse().status_code == 200
    for actor in (pair.first, pair.second):
        flow = actor.flow()
        assert set(ALWAYS) <= set(flow)
        assert flow["state"] == "refused"
        assert (flow["documents"], flow["placements"]) == ([], [])


# ---- again ----
def test_the_same_body_again_is_the_same_answer_and_one_event(world: World, pair: Pair) -> None:
    body = signing(pair.first.flow())
    first = pair.first.act("sign", body)
    again = pair.first.act("sign", body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert [line["type"] for line in world.lines(pair.flow_id)].count("recipient.signed") == 1


def test_the_same_idempotency_key_is_the_same_act_whatever_the_body(world: World, pair: Pair) -> None:
    key = {"Idempotency-Key": "once"}
    first = pair.first.act("refuse", {"reason": "Non."}, headers=key)
    again = pair.first.act("refuse", {"reason": "Non, vraiment."}, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert [line["type"] for line in world.lines(pair.flow_id)].count("recipient.refused") == 1
    other = pair.first.act("refuse", {"reason": "Non, vraiment."}, headers={"Idempotency-Key": "twice"})
    assert code(other) == (409, "already-decided")


@pytest.mark.parametrize("what", ["view", "approve", "refuse", "sign"])
def test_another_body_after_a_decision_is_already_decided(pair: Pair, what: str) -> None:
    assert pair.first.sign().status_code == 200
    assert code(refused_body(pair.first, what)) == (409, "already-decided")


@pytest.mark.parametrize("what", ["view", "approve", "refuse", "sign"])
def test_after_a_refusal_the_flow_has_ended_for_the_others(pair: Pair, what: str) -> None:
    assert pair.first.refuse().status_code == 200
    answer = refused_body(pair.second, what)
    assert code(answer) == (409, "flow-ended")
    assert answer.json()["state"] == "refused"


# ---- page tokens and origins ----
def test_without_the_pages_own_token_nothing_is_done(world: World, pair: Pair) -> None:
    world.settled(pair.flow_id)
    before = world.state_file(pair.flow_id)
    body = {"reason": "Non."}
    other = pair.second.flow()["csrf_token"]
    for given in (None, "", "x", "A" * 43, "é" * 10, other):
        headers = {} if given is None else {"X-CSRF-Token": given.encode()}
        fresh = Browser(world.url, pair.first.base)
        with fresh.session:
            assert code(fresh.post("refuse", body, headers=headers)) == (409, "page-expired")
    assert world.state_file(pair.flow_id) == before


def test_a_users_page_token_runs_out_after_twelve_hours(world: World, alice: Browser) -> None:
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])["id"]
    bob = world.recipient("bob", flow_id)
    held = bob.flow()["csrf_token"]
    with world.later(timedelta(hours=12, minutes=1)):
        assert code(bob.act("refuse", {"reason": "Non."})) == (409, "page-expired")
        assert bob.flow()["csrf_token"] != held
    bob.session.headers["X-CSRF-Token"] = held
    assert bob.act("refuse", {"reason": "Non."}).status_code == 200


def test_a_users_page_token_is_nobody_elses(world: World, alice: Browser, bob: Browser) -> None:
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "carol"}])["id"]
    carol = world.recipient("carol", flow_id)
    for given in (bob.session.headers["X-CSRF-Token"], "", "1.x", "99999999999999.x", "²." + "A" * 43):
        carol.session.headers["X-CSRF-Token"] = given.encode()
        assert code(carol.act("refuse", {"reason": "Non."})) == (409, "page-expired")


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1:1", "http://127.0.0.1", ""])
def test_a_foreign_origin_is_forbidden(world: World, pair: Pair, alice: Browser, origin: str) -> None:
    pair.first.flow()
    headers = {"Origin": origin}
    assert code(pair.first.act("refuse", {"reason": "Non."}, headers=headers)) == (403, "foreign-origin")
    assert code(alice.post("flows", {}, headers=headers)) == (403, "foreign-origin")
    assert code(alice.post("documents", data=b"", headers=headers)) == (403, "foreign-origin")


def test_its_own_origin_and_none_at_all_are_accepted(world: World, pair: Pair) -> None:
    pair.first.flow()
    assert pair.first.act("view", {"documents": [0]}, headers={"Origin": world.url}).status_code == 200
    assert pair.first.act("view", {"documents": [0]}).status_code == 200
    local = world.url.replace("127.0.0.1", "localhost")
    assert pair.first.act("view", {"documents": [0]}, headers={"Origin": local}).status_code == 200


# ---- looking ----
def test_get_and_head_change_nothing(world: World, pair: Pair, alice: Browser) -> None:
    world.settled(pair.flow_id)
    before = world.state_file(pair.flow_id)
    for actor in (pair.first, pair.second):
        for method in ("GET", "HEAD"):
            for path in ("", "flow.json", "documents/0", "documents/0/pages/1"):
                assert actor.send(method, path).status_code in (200, 409)
    for path in (f"flows/{pair.flow_id}", f"flows/{pair.flow_id}/evidence", "flows?box=sent", "me"):
        assert alice.get(path).status_code == 200
        assert alice.send("HEAD", path).status_code == 200
    for what in ("view", "approve", "refuse", "sign"):
        assert pair.first.get(what).status_code in (404, 405)
        assert alice.get(f"flows/{pair.flow_id}/{what}").status_code in (404, 405)
    assert world.state_file(pair.flow_id) == before


def test_opening_marks_opened_in_the_vault_only_by_get_and_only_in_turn(world: World, pair: Pair) -> None:
    for actor in (pair.first, pair.second):
        actor.send("HEAD", "")
    assert world.office.ctx.vault.opened(pair.flow_id) == {}
    pair.second.get("")
    assert world.office.ctx.vault.opened(pair.flow_id) == {}
    pair.first.get("")
    assert list(world.office.ctx.vault.opened(pair.flow_id)) == [("r1", 1)]
    assert "recipient.viewed" not in [line["type"] for line in world.lines(pair.flow_id)]


def test_viewing_twice_is_one_event(world: World, pair: Pair) -> None:
    for _ in range(2):
        assert pair.first.act("view", {"documents": [0]}).json()["me"]["state"] == "viewed"
    assert [line["type"] for line in world.lines(pair.flow_id)].count("recipient.viewed") == 1
    assert code(pair.first.act("view", {"documents": [7]})) == (422, "no-such-document")


def test_a_link_of_one_flow_reaches_nothing_of_another(world: World, pair: Pair, alice: Browser) -> None:
    other = world.signature(
        alice, [world.put(f"{world.folder()}/Autre.pdf", pdf(2))], [{"email": "un@example.com", "language": "en"}]
    )
    link = world.link(other["id"], "un@")
    shas = {"0": other["documents"][0]["current_sha256"]}
    crossed = pair.first.act("sign", {**signing(pair.first.flow()), "documents": shas})
    assert code(crossed) == (409, "documents-changed")
    assert link.flow()["id"] == other["id"]
    borrowed = Browser(world.url, link.base)
    with borrowed.session:
        headers = {"X-CSRF-Token": pair.first.flow()["csrf_token"]}
        assert code(borrowed.post("refuse", {"reason": "Non."}, headers=headers)) == (409, "page-expired")


# ---- afterwards ----
def finished(world: World, alice: Browser, *, copies: bool) -> tuple[Json, Actor, Actor]:
    flow_id = world.signature(
        alice,
        [world.put(f"{world.folder()}/Fin.pdf", pdf())],
        [{"email": "fin@example.com", "language": "en"}, {"user": "bob"}],
        copy_to_all=copies,
    )["id"]
    link = world.link(flow_id, "fin@")
    assert link.sign().status_code == 200
    bob = world.recipient("bob", flow_id)
    assert bob.sign().json()["state"] == "completed"
    return alice.get(f"flows/{flow_id}").json(), link, bob


def test_signed_copies_are_there_for_thirty_days_where_asked_for(world: World, alice: Browser) -> None:
    flow, link, bob = finished(world, alice, copies=True)
    copy = world.read(flow["documents"][0]["signed"]["path"])
    for actor in (link, bob):
        assert actor.flow()["documents"][0]["signed"]["sha256"] == flow["documents"][0]["signed"]["sha256"]
        assert actor.flow()["documents"][0]["signed"]["path"] is None
        assert actor.get("documents/0").content == copy
        assert actor.get("documents/0/pages/1").status_code == 200
    with world.later(timedelta(days=29, hours=23)):
        assert link.get("documents/0").content == copy
    with world.later(timedelta(days=30, minutes=5)):
        assert link.flow()["documents"] == []
        assert link.flow()["state"] == "completed"
        assert code(link.get("documents/0")) == (409, "already-decided")
        assert code(bob.get("documents/0")) == (409, "already-decided")


def test_without_copies_only_the_state_is_told(world: World, alice: Browser) -> None:
    _, link, bob = finished(world, alice, copies=False)
    for actor in (link, bob):
        flow = actor.flow()
        assert (flow["state"], flow["documents"], flow["placements"]) == ("completed", [], [])
        assert flow["me"]["state"] == "signed"
        assert code(actor.get("documents/0")) == (409, "already-decided")
        assert code(actor.get("documents/0/pages/1")) == (409, "already-decided")


def test_between_his_decision_and_the_end_nobody_is_told_404(world: World, alice: Browser) -> None:
    flow_id = world.signature(
        alice, [world.put(f"{world.folder()}/Milieu.pdf", pdf())], [{"user": "bob"}, {"user": "carol"}]
    )["id"]
    bob = world.recipient("bob", flow_id)
    assert bob.sign().status_code == 200
    assert code(bob.get("documents/0")) == (409, "already-decided")
    assert bob.flow()["documents"] == []


def test_a_page_says_what_became_of_it(world: World, alice: Browser) -> None:
    _, link, bob = finished(world, alice, copies=True)
    assert link.get("").status_code == 200
    assert bob.get(f"/f/{bob.base.rpartition('/')[2]}").status_code == 200

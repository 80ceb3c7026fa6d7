"""Many at once: one event each, whoever comes first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import requests

from tests.world import Browser, World, pdf, signing


def at_once(*acts: Callable[[], requests.Response]) -> list[requests.Response]:
    """Every one of them in a thread of its own, let go together."""
    barrier = Barrier(len(acts))

    def started(act: Callable[[], requests.Response]) -> requests.Response:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(started, acts))


def types(world: World, flow_id: str) -> list[str]:
    return [line["type"] for line in world.lines(flow_id)]


def test_twenty_identical_submits_are_one_signature(world: World, alice: Browser) -> None:
    flow_id = world.signature(
        alice, [world.put(f"{world.folder()}/Bail.pdf", pdf())], [{"email": "vingt@example.com"}, {"user": "bob"}]
    )["id"]
    link = world.link(flow_id, "vingt@")
    body = signing(link.flow())
    hands = [world.follow(f"{link.url}{link.base}") for _ in range(20)]
    for hand in hands:
        hand.session.headers["X-CSRF-Token"] = link.session.headers["X-CSRF-Token"]
    answers = at_once(*(partial(hand.post, "sign", body) for hand in hands))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.text for answer in answers}) == 1
    assert types(world, flow_id).count("recipient.signed") == 1
    world.settled(flow_id)
    assert len(world.mails(flow_id, "invitation", "bob@")) == 1


def test_yes_and_no_at_once_are_exactly_one_of_them(world: World, alice: Browser) -> None:
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"email": "oui@example.com"}])[
        "id"
    ]
    link = world.link(flow_id, "oui@")
    shown = {"0": link.flow()["documents"][0]["current_sha256"]}
    acts = [("approve", {"documents": shown}), ("refuse", {"reason": "Non."})] * 4
    answers = at_once(*(partial(link.post, what, body) for what, body in acts))
    assert {answer.json()["code"] for answer in answers if answer.status_code != 200} == {"already-decided"}
    said_yes = {answer.status_code for (what, _), answer in zip(acts, answers, strict=True) if what == "approve"}
    said_no = {answer.status_code for (what, _), answer in zip(acts, answers, strict=True) if what == "refuse"}
    assert {*said_yes, *said_no} == {200, 409}
    assert (len(said_yes), len(said_no)) == (1, 1)
    decided = [t for t in types(world, flow_id) if t in ("recipient.approved", "recipient.refused")]
    assert len(decided) == 1
    world.settled(flow_id)


def test_of_two_signatories_at_once_only_the_one_whose_turn_it_is_signs(world: World, alice: Browser) -> None:
    flow_id = world.signature(
        alice, [world.put(f"{world.folder()}/Bail.pdf", pdf())], [{"user": "bob"}, {"user": "carol"}]
    )["id"]
    bob, carol = world.recipient("bob", flow_id), world.recipient("carol", flow_id)
    body = signing(bob.flow())
    carol.flow()
    answers = at_once(lambda: bob.act("sign", body), lambda: carol.act("sign", body))
    assert answers[0].status_code == 200
    signed = [line["data"]["recipient"] for line in world.lines(flow_id) if line["type"] == "recipient.signed"]
    if answers[1].status_code == 200:  # she came just after: then hers follows his, on his revision
        assert signed == ["r1", "r2"]
    else:
        assert (answers[1].status_code, answers[1].json()["code"]) in (
            (409, "not-your-turn"),
            (409, "documents-changed"),
        )
        assert signed == ["r1"]
        assert carol.sign().json()["state"] == "completed"


def test_the_same_launch_with_one_key_is_one_flow(world: World, alice: Browser) -> None:
    folder = world.folder()
    body = {
        "kind": "validation",
        "documents": [{"file_id": world.put(f"{folder}/a.txt", b"a")}],
        "recipients": [{"user": "bob"}],
    }
    headers = {"Idempotency-Key": f"launch {folder}"}
    hands = [world.login("alice") for _ in range(6)]
    answers = at_once(*(partial(hand.post, "flows", body, headers=headers) for hand in hands))
    assert {answer.status_code for answer in answers} <= {201, 503}
    again = alice.post("flows", body, headers=headers)
    ids = {answer.json()["id"] for answer in [*answers, again] if answer.status_code == 201}
    assert len(ids) == 1
    assert len(alice.get(f"files/{body['documents'][0]['file_id']}/flows").json()["flows"]) == 1

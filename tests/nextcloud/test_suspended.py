"""Accounts disabled, deleted and made anew, shares taken back, folders deleted: what becomes of a running flow."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.nextcloud import hosted
from tests.nextcloud.instance import Catcher, Installed, Nextcloud, User
from tests.nextcloud.test_flows import ALL, ended, signature, validation
from tests.world import Browser, Json, pdf, until


@pytest.fixture
def dora(nextcloud: Nextcloud) -> User:
    """Somebody to be disabled and deleted."""
    name = f"dora-{secrets.token_hex(3)}"
    return nextcloud.make_user(name, "Dora Klein", f"{name}@example.org", "en")


def state(who: Browser, flow: Json, wanted: str) -> Json:
    def look() -> Json | None:
        read = who.get(f"flows/{flow['id']}").json()
        return read if read["state"] == wanted else None

    found = until(look, within_s=90)
    assert found is not None
    return found


def warned(who: Browser, flow: Json, words: str) -> None:
    until(lambda: any(words in text for text in who.get(f"flows/{flow['id']}").json()["warnings"]), within_s=90)


def test_a_flow_whose_creator_is_disabled_waits_and_goes_on_by_itself(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, bob: User, dora: User
) -> None:
    sender = app.browser(dora)
    file_id = nextcloud.put(dora, "Out/offer.pdf", pdf())
    flow = signature(app, sender, [file_id], [{"user": bob.uid}, {"email": "zoe@example.com"}])
    recipient = app.recipient(bob, flow["id"])
    recipient.flow()
    nextcloud.enable(dora, enabled=False)
    admin = app.browser(nextcloud.admin)
    read = state(admin, flow, "suspended")
    assert read["suspension"]["reason"] == "creator-out"
    assert "Dora Klein" in read["warnings"][0]
    answer = recipient.sign()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended")
    assert "name at the moment" in recipient.get(f"/f/{flow['id']}").text
    assert app.health()["flows"]["state"] == "degraded"
    nextcloud.enable(dora, enabled=True)
    state(admin, flow, "running")
    until(lambda: catcher.of(flow["id"], "resumed", bob.email), within_s=60)
    assert recipient.sign().status_code == 200
    assert app.follow(catcher.link(flow["id"], "zoe@")).sign().status_code == 200
    ended(sender, flow)


def test_a_share_taken_back_suspends_the_flow_and_given_again_lets_it_go_on(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder = f"Lent {secrets.token_hex(3)}"
    file_id = nextcloud.put(bob, f"{folder}/order.pdf", pdf())
    share = nextcloud.share(bob, f"/{folder}", alice, ALL)
    flow = signature(app, creator, [file_id], [{"user": carol.uid}])
    recipient = app.recipient(carol, flow["id"])
    recipient.flow()
    nextcloud.unshare(bob, share)
    answer = recipient.sign()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended"), answer.text
    read = state(creator, flow, "suspended")
    assert read["suspension"]["reason"] == "no-access"
    until(lambda: catcher.of(flow["id"], "suspended", alice.email), within_s=60)
    until(lambda: [n for n in nextcloud.bell(alice, flow["id"]) if n["object_type"] == "suspended"], within_s=60)
    assert not nextcloud.dav(alice, "PROPFIND", folder).ok
    assert nextcloud.names(alice, f".flows/{flow['id']}") == ["flow.jsonl", "salts.json"]
    assert creator.post(f"flows/{flow['id']}/resume", {"choice": "continue"}).json()["code"] == "no-access"
    nextcloud.share(bob, f"/{folder}", alice, ALL)
    state(creator, flow, "running")
    until(lambda: not nextcloud.bell(alice, flow["id"]), within_s=60)
    assert recipient.sign().status_code == 200
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder}/order (signé).pdf"
    assert "order (signé).pdf" in nextcloud.names(bob, folder)


def test_whoever_bears_a_deleted_recipients_login_inherits_nothing(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, dora: User
) -> None:
    file_id = nextcloud.put(alice, "Anew/secret plan.txt", b"x")
    flow = validation(app, creator, [file_id], [{"user": dora.uid}])
    assert app.recipient(dora, flow["id"]).flow()["title"] == "secret plan"
    other = nextcloud.make_anew(dora)
    warned(creator, flow, "a été supprimé")
    stranger = app.browser(other)
    assert stranger.get(f"flows/{flow['id']}").status_code == 404
    assert "secret" not in stranger.get(f"/f/{flow['id']}").text
    for box in ("todo", "sent", "done"):
        assert "secret" not in stranger.get(f"flows?box={box}").text
    actor: Any = app.recipient(other, flow["id"])
    assert actor.get("flow.json").status_code == 404
    assert actor.post("approve", {"documents": {"0": flow["documents"][0]["sha256"]}}).status_code == 404


def test_nothing_comes_into_the_home_of_whoever_bears_a_deleted_creators_login(
    app: Installed, nextcloud: Nextcloud, bob: User, dora: User
) -> None:
    file_id = nextcloud.put(dora, "Gone/offer.pdf", pdf())
    flow = signature(app, app.browser(dora), [file_id], [{"user": bob.uid}])
    recipient = app.recipient(bob, flow["id"])
    recipient.flow()
    other = nextcloud.make_anew(dora)
    answer = recipient.sign()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended"), answer.text
    read = state(app.browser(nextcloud.admin), flow, "suspended")
    assert read["suspension"]["reason"] == "creator-gone"
    stranger = app.browser(other)
    assert stranger.get(f"flows/{flow['id']}").status_code == 404
    assert flow["id"] not in stranger.get("flows?box=sent").text
    names = nextcloud.names(other, "")
    assert ".flows" not in names
    assert "Gone" not in names


def test_a_disabled_recipient_is_named_to_the_creator_until_he_is_back(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, dora: User
) -> None:
    file_id = nextcloud.put(alice, "Waits/note.txt", b"x")
    flow = validation(app, creator, [file_id], [{"user": dora.uid}])
    nextcloud.enable(dora, enabled=False)
    warned(creator, flow, "est désactivé")
    nextcloud.enable(dora, enabled=True)
    until(lambda: creator.get(f"flows/{flow['id']}").json()["warnings"] == [], within_s=90)
    assert app.recipient(dora, flow["id"]).approve().status_code == 200


def test_the_platforms_own_events_keep_a_flow_findable(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = f"Told {secrets.token_hex(3)}"
    file_id = nextcloud.put(alice, f"{folder}/plan.pdf", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    hosted.move(nextcloud, alice, folder, f"{folder} moved")
    before = app.log.count('"event": "event.heeded"')
    assert nextcloud.run_events(f"{folder} moved") > 0
    until(lambda: '"flows": 1' in app.log and app.log.count('"event": "event.heeded"') > before, within_s=60)
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder} moved/plan (signé).pdf"
    assert nextcloud.run_events(folder) > 0  # late, and of what has ended: nothing comes of it

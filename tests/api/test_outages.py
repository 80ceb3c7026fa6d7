"""The file area or the mail server gone: nothing is half-written, and it goes on when they are back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import requests

from plugin.actions.context import Context
from plugin.actions.deliver import deliver
from plugin.actions.sweep import look_at, sweep
from plugin.ports import Mail, Mailer
from tests.world import Browser, Json, World, pdf, signing, stamps, until


def types(world: World, flow_id: str) -> list[str]:
    return [line["type"] for line in world.lines(flow_id)]


def assert_try_again(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["title"].startswith("La plateforme ne répond pas")


def in_an_hour(world: World) -> Context:
    ctx: Context = world.office.ctx
    return replace(ctx, clock=lambda: ctx.clock() + timedelta(hours=1))


# ---- the file area ----
def test_launching_without_the_file_area_leaves_nothing_and_a_retry_succeeds(world: World, alice: Browser) -> None:
    folder = world.folder()
    body: Json = {
        "kind": "signature",
        "documents": [{"file_id": world.put(f"{folder}/Bail.pdf", pdf())}],
        "recipients": [{"user": "bob"}],
        "placements": stamps(1, [0]),
    }
    with world.host_gate.shut():
        assert_try_again(alice.post("flows", body, headers={"Accept-Language": "fr"}))
    assert world.names(folder) == ["Bail.pdf"]
    flow = world.launch(alice, body)
    assert types(world, flow["id"])[:2] == ["flow.launched", "recipient.invited"]


def test_signing_without_the_file_area_is_no_signature_and_a_retry_is_one(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = world.signature(
        alice,
        [world.put(f"{folder}/Bail.pdf", pdf())],
        [{"email": "un@example.com", "language": "fr"}, {"user": "carol"}],
    )["id"]
    link = world.link(flow_id, "un@")
    world.settled(flow_id)
    before, names = world.state_file(flow_id), world.names(folder)
    body = signing(link.flow())
    with world.host_gate.shut():
        assert_try_again(link.act("sign", body))
        assert link.flow()["me"]["my_turn"] is True
        assert link.get("").status_code == 200
    assert world.state_file(flow_id) == before
    assert world.names(folder) == names
    assert link.act("sign", body).status_code == 200
    assert types(world, flow_id).count("recipient.signed") == 1
    assert world.link(flow_id, "un@").flow()["me"]["state"] == "signed"


def test_deciding_without_the_file_area_is_no_decision(world: World, alice: Browser) -> None:
    flow_id = world.validation(
        alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"email": "un@example.com", "language": "fr"}]
    )["id"]
    link = world.link(flow_id, "un@")
    world.settled(flow_id)
    before = world.state_file(flow_id)
    shown = {"0": link.flow()["documents"][0]["current_sha256"]}
    with world.host_gate.shut():
        assert_try_again(link.act("approve", {"documents": shown}))
        assert_try_again(link.act("refuse", {"reason": "Non."}))
        assert_try_again(link.act("view", {"documents": [0]}))
    assert world.state_file(flow_id) == before
    assert link.act("approve", {"documents": shown}).json()["state"] == "completed"
    assert types(world, flow_id).count("recipient.approved") == 1


def test_a_flow_that_could_not_be_finished_is_finished_later_with_one_copy(world: World, alice: Browser) -> None:
    """The area goes away as soon as the last signature is in the chain, before the copies are written."""
    folder = world.folder()
    flow_id = world.signature(
        alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"email": "un@example.com", "language": "fr"}]
    )["id"]
    link = world.link(flow_id, "un@")
    world.settled(flow_id)
    body = signing(link.flow())
    with contextlib.ExitStack() as outage:
        gone = _GoneWhenFinishing(world.office.ctx.files, lambda: outage.enter_context(world.host_gate.shut()))
        with world.handed(files=gone):
            answer = link.act("sign", body)
        assert [name for name in world.names(folder) if name.endswith(".pdf")] == ["Bail.pdf"]
    assert answer.status_code == 200, answer.text
    assert answer.json()["me"]["state"] == "signed"
    look_at(world.office.ctx, flow_id)
    look_at(world.office.ctx, flow_id)
    world.settled(flow_id)
    assert types(world, flow_id).count("recipient.signed") == 1
    assert types(world, flow_id).count("flow.completed") == 1
    assert [name for name in world.names(folder) if name.endswith(".pdf")] == [
        "Bail (dossier de preuves).pdf",
        "Bail (signé).pdf",
        "Bail.pdf",
    ]


class _GoneWhenFinishing:
    """The file area; a copy is the first thing that is written when a flow is finished, and by then it is out."""

    def __init__(self, files: Any, happen: Callable[[], object]) -> None:
        self._files = files
        self._happen = happen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith(".pdf"):
            self._happen()
        return self._files.write(user, path, *args, **more)


def test_reading_pages_and_lists_goes_on_without_the_file_area(world: World, alice: Browser) -> None:
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    with world.host_gate.shut():
        for path in (f"flows/{flow_id}", "flows?box=sent", f"/f/{flow_id}", f"flows/{flow_id}/evidence"):
            assert alice.get(path).status_code == 200
        assert alice.get("/healthz").status_code == 200


# ---- the mail server ----
def test_without_a_mail_server_the_flow_goes_on_and_mails_wait(world: World, alice: Browser) -> None:
    with world.mail_gate.shut():
        flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])["id"]

        def delivery() -> Json:
            return dict(alice.get(f"flows/{flow_id}").json()["steps"][0]["recipients"][0]["delivery"])

        until(lambda: delivery()["reason"])
        assert delivery() == {"state": "queued", "at": None, "reason": "mail-unreachable"}
        assert world.recipient("bob", flow_id).act("view", {"documents": [0]}).status_code == 200
    sweep(in_an_hour(world))
    assert world.mail(flow_id, "invitation", "bob@")
    until(lambda: delivery()["state"] == "accepted")
    assert len(world.mails(flow_id)) == 1


def test_a_worker_that_comes_late_does_not_send_a_mail_again(world: World, alice: Browser) -> None:
    """It had looked at the flow before another worker sent the mail, recorded it and let go of its claim."""
    with world.mail_gate.shut():
        flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])["id"]
        until(lambda: world.office.ctx.vault.attempts(flow_id))
    first = in_an_hour(world)
    ran: list[bool] = []

    def clock() -> datetime:
        if not ran:
            ran.append(True)
            deliver(first, flow_id)
        return first.clock()

    deliver(replace(first, clock=clock), flow_id)
    world.settled(flow_id)
    assert len(world.mails(flow_id)) == 1
    assert types(world, flow_id).count("mail.accepted") == 1


def test_a_slow_mail_server_gets_no_mail_twice(world: World, alice: Browser) -> None:
    """Fifty seconds a mail: the first claims would run out before the last mail is sent."""
    people = [{"email": f"lent{n}@example.com"} for n in range(4)]
    flow_id = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], people)["id"]
    for n in range(3):
        assert world.link(flow_id, f"lent{n}@").approve().status_code == 200
    last = world.link(flow_id, "lent3@")
    world.settled(flow_id)
    with world.mail_gate.shut():
        assert last.refuse().status_code == 200
        until(lambda: len(world.office.ctx.vault.attempts(flow_id)) == 5)
    ctx = in_an_hour(world)
    slow = _SlowMailer(ctx.mailer, lambda: deliver(replace(late, mailer=ctx.mailer), flow_id))
    late = replace(ctx, clock=lambda: ctx.clock() + timedelta(seconds=50 * slow.sent), mailer=slow)
    deliver(late, flow_id)
    world.settled(flow_id)
    assert slow.sent == 4
    assert len(world.mails(flow_id, "refused")) == 5


class _SlowMailer:
    """Hands over to the real one; another worker looks at the same flow during the fourth mail."""

    def __init__(self, mailer: Mailer, other: Callable[[], None]) -> None:
        self._mailer, self._other = mailer, other
        self.sent = 0

    def send(self, mail: Mail) -> None:
        self._mailer.send(mail)
        self.sent += 1
        if self.sent == 4:
            self._other()


def test_what_operators_ask_is_not_there_through_the_proxy(world: World) -> None:
    client = world.product.test_client()
    for path in ("/healthz", "/metrics", "/heartbeat"):
        assert client.get(path).status_code == 200
        assert client.get(path, headers={"X-Origin-IP": "203.0.113.9"}).status_code == 404


def test_the_health_page_says_what_is_missing_and_answers_all_the_same(world: World) -> None:
    health = world.nobody().get("/healthz")
    assert health.status_code == 200
    assert {check["name"] for check in health.json()["checks"]} >= {"host", "index", "keys-exported"}
    assert health.json()["status"] in ("ok", "degraded")

"""The whole application through HTTP, in any order, the wrong ones too, with a clock that moves, against the model
that the core's state machine has. Longer: MACHINE_HTTP_EXAMPLES=200 MACHINE_HTTP_STEPS=30.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from plugin.actions.suspend import look_after
from plugin.actions.sweep import look_at
from plugin.flow.owed import owed
from plugin.flow.reminders import heard_at
from plugin.flow.tokens import link_token
from tests.flow.model import C, Model, Person, S, Shape, V, shapes
from tests.state import independent_verifier
from tests.world import Actor, Browser, Json, World, pdf, running, signing, stamps, until

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BY_JOBS = ("flow.expired", "evidence.stored")
picks = st.integers(0, 20)
rarely = st.integers(0, 3).map(lambda n: n == 0)
addresses = st.sampled_from(["x1@example.com", "x2@example.com", "r1@example.com"])
small = shapes().filter(lambda shape: sum(count for _, count, _ in shape.steps) <= 4)


class Clock:
    """It stands still, until it is moved."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)


class Application(RuleBasedStateMachine):
    """Carol launches, Alice is an administrator, Bob may be a recipient, everybody else comes by a link."""

    world: World
    carol: Browser
    alice: Browser
    bob: Browser
    nobody: Browser

    clock: Clock

    @property
    def at(self) -> datetime:
        return self.clock.at

    @initialize(shape=small, bob=st.integers(0, 6))
    def launch(self, shape: Shape, bob: int) -> None:
        self.shape, folder = shape, self.world.folder("carol")
        self.paths = [f"{folder}/Pièce {n}.pdf" for n in range(shape.documents)]
        ids = [self.world.put(path, pdf(), "carol") for path in self.paths]
        roles = [(role, step) for step, (role, count, _) in enumerate(shape.steps) for _ in range(count)]
        people: list[Json] = [{"role": str(role), "step": step} for role, step in roles]
        people += [{"role": str(C)} for _ in range(shape.observers)]
        known = []
        for n, body in enumerate(people):
            address = "bob@example.org" if n == bob else f"r{n + 1}@example.com"
            body |= {"user": "bob"} if n == bob else {"email": address}
            known.append((f"r{n + 1}", [*(role for role, _ in roles), *[C] * shape.observers][n], address))
        self.model = Model.of(shape, known, self.at)
        signatories = [n for n, (_, role, _) in enumerate(known) if role is S]
        body = {
            "kind": "signature" if signatories else "validation",
            "documents": [{"file_id": file_id} for file_id in ids],
            "recipients": people,
            "steps": [
                {"step": n, "rule": {"n": needed} if needed else "all"} for n, (_, _, needed) in enumerate(shape.steps)
            ],
            "placements": stamps(len(ids), signatories),
            "copy_to_all": shape.copies,
            "allow_delegation": shape.delegation,
        }
        if self.model.deadline is not None:
            body["expires_at"] = self.model.deadline.isoformat()
        self.carol.session.headers["X-CSRF-Token"] = self.carol.get("me").json()["csrf_token"]
        self.flow_id = str(self.world.launch(self.carol, body)["id"])
        self.content = [(pdf(), pdf()) for _ in ids]
        """Of each original: (pinned, lying there)."""
        self.delegated: set[str] = set()
        self.said = 0
        self.lines = self.world.state_file(self.flow_id)

    # ---- how it is asked ----
    def one(self, pick: int) -> Person:
        """Anybody, but mostly one whose turn it is."""
        everybody = list(self.model.people.values())
        asked = [p for p in everybody if p.is_open] if pick % 3 else []
        return (asked or everybody)[pick % len(asked or everybody)]

    def actor(self, who: Person) -> Actor:
        if who.address == "bob@example.org":
            bob = Actor(self.world.url, f"/api/v1/flows/{self.flow_id}")
            bob.session.close()
            bob.session = self.bob.session
            bob.session.headers["X-CSRF-Token"] = bob.get("/api/v1/me").json()["csrf_token"]
            return bob
        token = link_token(self.world.office.secrets.link_key, self.flow_id, who.id, who.round)
        actor = self.world.follow(f"{self.world.url}/s/{token}")
        actor.flow()
        return actor

    def words(self) -> str:
        """Never the same twice: the same act again, after success, would be answered as success."""
        self.said += 1
        return f"Non, pour la {self.said}e fois."

    def shown(self) -> dict[str, str]:
        return {str(d["n"]): d["current_sha256"] for d in self.seen()["documents"]}

    def seen(self) -> Json:
        answer = self.carol.get(f"flows/{self.flow_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def steer(self, who: Browser, what: str, body: Json | None = None, method: str = "POST") -> requests.Response:
        who.session.headers["X-CSRF-Token"] = who.get("me").json()["csrf_token"]
        return who.send(method, f"flows/{self.flow_id}/{what}", json=body or {})

    def met(self, answer: requests.Response, expected: str) -> bool:
        """Whether it was done; else it was refused as expected, with a sentence, and not one line was written."""
        if not expected:
            assert answer.status_code == 200, answer.text
            self.settle()
            return True
        told = answer.json()
        assert (told["code"], answer.status_code in (404, 409, 422)) == (expected, True), answer.text
        assert told["title"]
        assert answer.status_code != 409 or told["state"]
        self.settle(nothing_new=True)
        return False

    def settle(self, *, nothing_new: bool = False) -> None:
        """The state file only ever grows; after a refusal by nothing but what jobs record meanwhile."""
        lines = self.world.state_file(self.flow_id)
        assert lines.startswith(self.lines)
        added = [json.loads(line)["type"] for line in lines[len(self.lines) :].splitlines()]
        added = [what for what in added if not what.startswith("mail.") and what not in BY_JOBS]
        assert not (nothing_new and added), added
        self.lines = lines

    # ---- recipients ----
    @rule(pick=picks)
    def view(self, pick: int) -> None:
        who = self.one(pick)
        if self.met(self.actor(who).post("view", {"documents": [0]}), self.model.refusal(who.id, self.at)):
            who.has_looked = True

    @rule(pick=picks, seldom=rarely)
    def decide(self, pick: int, seldom: bool) -> None:
        """Approves or signs, and sends it again; ``seldom``: as somebody of the other role would."""
        who = self.one(pick)
        approves = (who.role is V) != seldom
        actor, expected = self.actor(who), self.model.refusal(who.id, self.at)
        if approves:
            what, body = "approve", {"documents": self.shown(), "comment": self.words()}
        else:
            what, body = "sign", signing(self.seen())
        expected = expected or ("wrong-act" if who.role is not (V if approves else S) else "")
        if not self.met(actor.post(what, body), expected):
            return
        self.model.say(who.id, "approved" if approves else "signed", self.at)
        if self.model.signs and self.model.all_said:
            self.model.over = "completed"
        again = actor.post(what, body)
        assert again.status_code == 200, again.text
        self.met(actor.post("refuse", {"reason": self.words()}), "already-decided")

    @rule(pick=picks, slip=st.sampled_from(["missing", "unknown", "other"]))
    def decide_about_something_else(self, pick: int, slip: str) -> None:
        who = self.one(pick)
        shown = self.shown()
        wrong = {"missing": {}, "unknown": shown | {"9": "0" * 64}, "other": shown | {"0": "0" * 64}}[slip]
        codes = {"missing": "document-missing", "unknown": "no-such-document", "other": "documents-changed"}
        body = {"documents": wrong} if who.role is not S else signing(self.seen()) | {"documents": wrong}
        expected = self.model.refusal(who.id, self.at) or codes[slip]
        self.met(self.actor(who).post("sign" if who.role is S else "approve", body), expected)

    @rule(pick=picks, seldom=rarely)
    def refuse(self, pick: int, seldom: bool) -> None:
        who = self.one(pick)
        expected = self.model.refusal(who.id, self.at)
        if (seldom or expected) and self.met(self.actor(who).post("refuse", {"reason": self.words()}), expected):
            self.model.say(who.id, "refused", self.at)

    @rule(pick=picks, address=addresses)
    def delegate(self, pick: int, address: str) -> None:
        who = self.one(pick)
        done = who.heir == address and who.id in self.delegated
        expected = self.model.refusal(who.id, self.at) or ("" if self.shape.delegation else "delegation-not-allowed")
        expected = expected or ("duplicate-recipient" if self.model.is_taken(address) else "")
        if self.met(self.actor(who).post("delegate", {"email": address}), "" if done else expected) and not done:
            self.model.put(who.id, f"r{len(self.model.people) + 1}", address, self.at)
            self.delegated.add(who.id)

    # ---- creator and administrator ----
    @rule(pick=picks, address=addresses, by_admin=st.booleans())
    def replace_somebody(self, pick: int, address: str, by_admin: bool) -> None:
        who = self.one(pick)
        done = who.heir == address
        expected = "replaced" if who.heir else "already-decided" if who.said else ""
        if self.model.has_ended(self.at):
            expected = expected or "flow-ended"
        expected = expected or ("not-needed" if who.is_spared else "")
        expected = expected or ("duplicate-recipient" if self.model.is_taken(address) else "")
        answer = self.steer(self.alice if by_admin else self.carol, f"recipients/{who.id}", {"email": address}, "PUT")
        if self.met(answer, "" if done else expected) and not done:
            self.model.put(who.id, f"r{len(self.model.people) + 1}", address, self.at)

    @rule(pick=picks)
    def new_link(self, pick: int) -> None:
        who = self.one(pick)
        old = self.actor(who)
        if self.met(self.steer(self.carol, f"recipients/{who.id}/link"), self.model.refusal(who.id, self.at)):
            twice = who.round > 1 and who.asked_at is not None and self.at - who.asked_at < MINUTE
            if not twice:
                who.round, who.asked_at, who.has_looked, who.reminded_at = who.round + 1, self.at, False, None
                if who.address != "bob@example.org":
                    late = old.post("refuse", {"reason": self.words()})
                    assert late.status_code == 409, late.text
                    self.settle(nothing_new=True)

    @rule(pick=picks, everybody=st.booleans())
    def remind(self, pick: int, everybody: bool) -> None:
        meant = list(self.model.people.values()) if everybody else [self.one(pick)]
        asked = [p for p in meant if p.is_open]
        ready = [p for p in asked if p.reminded_at is None or self.at - p.reminded_at >= 60 * MINUTE]
        just_now = [p for p in asked if p.reminded_at is not None and self.at - p.reminded_at < MINUTE]
        expected = self.model.shut(self.at) or ("" if asked else "nobody-to-remind")
        if not expected:
            until(self.all_asked_have_heard, within_s=60)
        expected = expected or ("" if ready or just_now else "reminded-recently")
        body: Json = {} if everybody else {"recipients": [meant[0].id]}
        if self.met(self.steer(self.carol, "remind", body), expected):
            for p in ready:
                p.reminded_at = self.at

    @rule(days=st.integers(-1, 30))
    def extend(self, days: int) -> None:
        before, wanted = self.model.deadline, self.at + days * DAY
        expected = "flow-ended" if self.model.has_ended(self.at) else "all-decided" if self.model.all_said else ""
        if not expected and wanted != before:
            expected = "in-the-past" if days <= 0 else "not-later" if before and wanted < before else ""
        if self.met(self.steer(self.carol, "extend", {"expires_at": wanted.isoformat()}), expected):
            self.model.deadline = wanted

    @rule(seldom=rarely, by_admin=st.booleans(), with_reason=st.booleans())
    def cancel(self, seldom: bool, by_admin: bool, with_reason: bool) -> None:
        again = self.model.over == "cancelled"
        expected = "flow-ended" if self.model.has_ended(self.at) else ""
        expected = expected or ("" if with_reason or self.model.held else "reason-required")
        if again or not (seldom or expected):
            return
        answer = self.steer(
            self.alice if by_admin else self.carol, "cancel", {"reason": "Obsolète."} if with_reason else {}
        )
        if self.met(answer, expected):
            self.model.over, self.model.held = "cancelled", ""

    @rule(choice=st.sampled_from(["continue", "restart"]))
    def resume(self, choice: str) -> None:
        expected = "flow-ended" if self.model.has_ended(self.at) else "" if self.model.held else "not-suspended"
        if not self.met(self.steer(self.carol, "resume", {"choice": choice}), expected):
            return
        if choice == "continue":
            self.model.release(self.at)
        else:
            self.content = [(there, there) for _, there in self.content]
            self.model.again(self.at)

    # ---- the outside ----
    @rule(n=st.integers(0, 1), pages=st.integers(1, 2))
    def a_file_is_written(self, n: int, pages: int) -> None:
        n %= self.shape.documents
        pinned, there = self.content[n]
        new = pdf(pages)
        if new == there:
            return
        assert self.world.dav("carol", "PUT", self.paths[n], data=new).status_code == 204
        self.content[n] = (pinned, new)
        look_after(self.world.office.ctx, self.flow_id)
        if not self.model.over:
            self.model.source(n, "" if new == pinned else "changed", self.at)
        self.settle()

    @rule(by=st.sampled_from([2 * MINUTE, 61 * MINUTE, DAY, 5 * DAY]))
    def wait(self, by: timedelta) -> None:
        """Not while a job is at work: one that takes an hour may find that another has taken its place."""
        until(self.owes_nothing, within_s=60)
        self.expired()
        self.clock.at += by

    def owes_nothing(self) -> bool:
        ctx = self.world.office.ctx
        look_at(ctx, self.flow_id)
        loaded = ctx.flows.load(self.flow_id)
        return loaded is not None and not owed(loaded.flow, self.at)

    def all_asked_have_heard(self) -> bool:
        look_at(self.world.office.ctx, self.flow_id)
        loaded = self.world.office.ctx.flows.load(self.flow_id)
        assert loaded is not None
        heard = heard_at(loaded.flow)
        return all((r.id, r.round) in heard for r in loaded.flow.recipients if r.state.is_open)

    @rule()
    def sweep(self) -> None:
        until(self.owes_nothing, within_s=60)
        self.expired()
        self.settle()

    def expired(self) -> None:
        if self.model.has_ended(self.at) and not self.model.over:
            self.model.over, self.model.held = "expired", ""

    # ---- what always holds ----
    @invariant()
    def everybody_stands_where_the_model_says(self) -> None:
        flow, model = self.seen(), self.model
        people = {r["id"]: r["state"] for s in flow["steps"] for r in s["recipients"]}
        people |= {r["id"]: r["state"] for r in flow.get("observers", [])}
        expected = {p.id: p.state for p in model.people.values()}
        assert people == {who: state for who, state in expected.items() if who in people}
        assert {p.id for p in model.people.values() if p.role is not C} <= people.keys()
        if model.over or not model.has_ended(self.at):
            assert flow["state"] == (model.over or ("suspended" if model.held else "running"))

    @invariant()
    def strangers_find_nothing(self) -> None:
        assert self.nobody.get(f"/s/{'x' * 43}").status_code == 404
        bob = self.bob.get(f"flows/{self.flow_id}")
        mine = [p for p in self.model.people.values() if p.address == "bob@example.org"]
        if not mine:
            assert (bob.status_code, bob.json()["code"]) == (404, "not-found")
        elif mine[0].is_open or mine[0].said:
            assert bob.status_code == 200, bob.text
        elif mine[0].state == "waiting" and not mine[0].was_asked and not self.model.has_ended(self.at):
            early = self.model.refusal(mine[0].id, self.at)
            assert (bob.status_code, bob.json()["code"]) == (409, early), bob.text

    def teardown(self) -> None:
        """Everything that is owed comes, each once, and the chain proves itself."""
        if not hasattr(self, "lines"):
            return
        ctx = self.world.office.ctx
        until(self.owes_nothing, within_s=60)
        loaded = ctx.flows.load(self.flow_id)
        assert loaded is not None
        sent = [mail["message_id"] for mail in self.world.mails(self.flow_id)]
        assert len(sent) == len(set(sent)) == sum(mail.accepted for mail in loaded.flow.mails)
        proven = independent_verifier.verify(self.world.state_file(self.flow_id), self.flow_id)
        assert proven == (loaded.head, loaded.length)


@pytest.fixture
def application(tmp_path: Path) -> Iterator[type[Application]]:
    """A world of its own, whose clock all of the product reads: pages, jobs and sweep."""
    clock = Application.clock = Clock()
    with running(tmp_path / "data", clock=lambda: clock.at) as world:
        Application.world, Application.nobody = world, world.nobody()
        Application.carol, Application.alice, Application.bob = map(world.login, ("carol", "alice", "bob"))
        yield Application


def test_the_application_does_what_the_model_says(application: type[Application]) -> None:
    run_state_machine_as_test(
        application,
        settings=settings(
            max_examples=int(os.environ.get("MACHINE_HTTP_EXAMPLES", "8")),
            stateful_step_count=int(os.environ.get("MACHINE_HTTP_STEPS", "12")),
            phases=(Phase.explicit, Phase.generate),  # to make an example smaller would take an hour
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""Those who launch and steer: they remind, cancel, put somebody else in a place, erase, and ask again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as changed
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from plugin.actions.acting import load
from plugin.actions.cancel import cancel
from plugin.actions.context import Context
from plugin.actions.erase import erase
from plugin.actions.extend import extend
from plugin.actions.launch import launch
from plugin.actions.order import Asked, Order, Spot, Together
from plugin.actions.remind import remind
from plugin.actions.renew import renew
from plugin.actions.replace import replace
from plugin.actions.resume import resume
from plugin.flow.errors import Conflict, Invalid
from plugin.flow.model import By, Kind, Role, SaveMode
from plugin.flow.times import instant
from plugin.ports_state import Loaded
from tests.simulation.host import Host
from tests.simulation.oracle import Oracle
from tests.simulation.process import Surroundings
from tests.simulation.replica import EXPECTED, ConnectionLost, GaveUp
from tests.simulation.scheduler import NEVER
from tests.simulation.story import Party, Story, drawn_content

AGAIN = (ConnectionLost, GaveUp)
REFUSED = ("not-later", "in-the-past")
FOR_A_MOMENT = ("no-such-file", "no-such-folder")
"""What a host may say though it is not so."""


class Town(Surroundings, Protocol):
    oracle: Oracle
    host: Host
    stories: list[Story]

    def ask(self, name: str, job: Callable[[Context], Any], timeout: float) -> Any:
        """By some replica."""
        ...

    def fails(self, why: str) -> None: ...


class Creators:
    def __init__(self, world: Town) -> None:
        self._world = world
        self._dice = world.dice
        self.busy = 0
        """How many have not come to their end."""

    def launches(self, story: Story) -> None:
        self.busy += 1
        self._signs_in(story.creator)
        if story.deadline_s is not None:
            story.deadline = self._world.wall + timedelta(seconds=story.deadline_s)
        try:
            loaded = self._insists("launch", partial(self._launch, story))
        except Invalid:
            self.busy -= 1
            story.settled_at = self._world.now
            return
        story.flow_id = loaded.flow.id
        self._world.oracle.launched(story, loaded)
        self.is_launched(story)
        if story.steered is not None:
            self._spawns("steers", partial(self._steers, story, story.steered), self._dice.uniform(5.0, 200.0))
        if story.changed_after_s is not None:
            self._spawns("changes", partial(self._changes, story), story.changed_after_s)
        if story.erased is not None:
            self._spawns("erases", partial(self._erases, story, story.erased), self._dice.uniform(5.0, 200.0))
        self.busy -= 1

    def _launch(self, story: Story, ctx: Context) -> Loaded:
        """The folder for its results is named by where it is now."""
        chosen = self._world.host.by_id(story.creator, story.folder_id) if story.folder_id is not None else None
        return launch(ctx, story.creator, order_of(story, chosen.path if chosen is not None else None))

    def is_launched(self, story: Story) -> None:
        raise NotImplementedError

    def holds_old_link(self, story: Story, rid: str, round_: int) -> None:
        """By what somebody was told, the link of this round acts no more; 0: there never was one."""
        raise NotImplementedError

    def _spawns(self, name: str, job: Callable[[], None], after: float) -> None:
        self.busy += 1

        def done() -> None:
            try:
                job()
            finally:
                self.busy -= 1

        self._world.scheduler.spawn(name, done, after=after)

    def _steers(self, story: Story, act: str) -> None:
        """As long as there is something to do it to."""
        flow_id = str(story.flow_id)
        self._signs_in(story.creator)
        flow = self._insists("look", lambda ctx: load(ctx, flow_id)).flow
        self._world.oracle.sees(story, flow)
        asked = [r.id for r in flow.recipients if r.state.is_open]
        if flow.state.is_ended or not asked:
            return
        known = {party.rid for party in story.everybody}
        match act:
            case "remind":
                job = partial(remind, flow_id=flow_id, recipients=None, by=By.CREATOR)
            case "renew":
                job = partial(renew, flow_id=flow_id, recipient=asked[0], by=By.CREATOR)
            case "cancel":
                job = partial(cancel, flow_id=flow_id, reason="Not needed", by=By.CREATOR)
            case "replace":
                job = self._replaces(story, self._dice.choice([r.id for r in flow.recipients if r.id in known]))
            case _:
                job = self._extends(story, self._world.wall)
        try:
            loaded = self._insists(act, job)
            self._world.oracle.steers(story, act, loaded)
            if act in ("renew", "replace"):
                rid = job.keywords["recipient"]
                round_ = loaded.flow.recipient(rid).round
                self.holds_old_link(story, rid, round_ if act == "replace" else round_ - 1)
        except Conflict as conflict:
            self._world.trace.count(f"not steered: {conflict.code}")
        except Invalid as refused:
            if act != "extend" or refused.code not in ("not-later", "in-the-past"):
                self._world.fails(f"{act} of {flow_id}: {refused.code}")

    def _replaces(self, story: Story, rid: str) -> partial[Loaded]:
        newcomer = self.newcomer(story, rid, "creator")
        asked = asked_as(newcomer, "")
        return partial(replace, flow_id=str(story.flow_id), recipient=rid, asked=asked, by=By.CREATOR)

    def _extends(self, story: Story, now: datetime) -> partial[Loaded]:
        later = now + timedelta(seconds=self._dice.uniform(100.0, 600.0))
        story.extended.add(instant(later))
        story.deadline = max(later, story.deadline or later)
        return partial(extend, flow_id=str(story.flow_id), expires_at=later, by=By.CREATOR)

    def newcomer(self, story: Story, rid: str, by: str) -> Party:
        """Somebody new is named in the place of ``rid``."""
        address = f"q{story.number}-{len(story.newcomers)}@elsewhere.example"
        newcomer = changed(story.party(rid), rid="", user=None, email=address, minds="agrees")
        self._world.oracle.names(story, rid, by, newcomer)
        return newcomer

    def _erases(self, story: Story, person: str) -> None:
        """An administrator does, as soon as it is over; before, it is refused."""
        flow_id = str(story.flow_id)
        while True:
            try:
                done = self._insists("erase", lambda c: erase(c.flows, c.accounts, c.clock, flow_id, person))
            except Conflict as conflict:
                if conflict.code not in ("flow-running", "state-changed", "no-access", "account-out"):
                    self._world.fails(f"{person} of {flow_id} cannot be erased: {conflict.code}")
                    return
                self._world.scheduler.sleep(self._dice.uniform(10.0, 60.0))
            else:
                self._world.oracle.erases(story, done.loaded)
                return

    def _changes(self, story: Story) -> None:
        """Somebody saves another content, past the product."""
        paper = self._dice.choice(story.papers)
        node = self._world.host.by_id(story.creator, paper.file_id)
        assert node is not None
        paper.contents.append(drawn_content(self._dice, self._dice.randrange(10**6)))
        self._world.host.put(story.creator, node.path, paper.contents[-1])
        self._world.trace.say(self._world.now, "WORLD", f"{node.path} is changed")
        self._world.trace.count("originals changed")

    def goes_on(self, story: Story) -> None:
        """The creator hears that his flow stands still, and lets it go on, or begin anew."""
        flow_id, choice = str(story.flow_id), story.on_change
        while True:
            self._signs_in(story.creator)
            try:
                loaded = self._insists("resume", lambda ctx: resume(ctx, flow_id, choice, By.CREATOR))
            except Conflict as conflict:
                if conflict.code in ("not-suspended", "flow-ended"):
                    break
                self._world.scheduler.sleep(5.0)
            else:
                self._world.oracle.steers(story, choice, loaded)
                break
        if choice == "restart":
            self.is_launched(story)

    def _signs_in(self, user: str | None) -> None:
        """As soon as his account is in service."""
        while user in self._world.host.out:
            self._world.scheduler.sleep(self._dice.uniform(1.0, 20.0))

    # ---- asking -----------------------------------------------------------------------------------------------------
    def _insists(self, name: str, job: Callable[[Context], Any]) -> Any:
        """Asks again until there is an answer. Raises: Conflict, Invalid."""
        while True:
            timeout = NEVER
            if self._world.happens(self._world.chances.impatient):
                timeout = self._dice.uniform(0.05, 20.0)
            try:
                return self._world.ask(name, job, timeout)
            except (Conflict, Invalid) as error:
                if isinstance(error, Conflict) or error.code in REFUSED:
                    raise
                if error.code not in FOR_A_MOMENT:
                    self._world.fails(f"{name}: {error!r} {error.values}")
                    raise
                self._world.scheduler.sleep(self._dice.uniform(0.5, 8.0))
            except (*AGAIN, *EXPECTED):
                self._world.scheduler.sleep(self._dice.uniform(0.5, 8.0))

    def _tries(self, name: str, job: Callable[[Context], Any]) -> None:
        try:
            self._world.ask(name, job, NEVER)
        except (*AGAIN, *EXPECTED):
            return


def asked_as(party: Party, path: str) -> Asked:
    return Asked(
        user=party.user,
        email=None if party.user else party.email,
        first_name=None,
        last_name=None,
        language=None,
        role=Role(party.role),
        comment=None,
        path=path,
    )


def order_of(story: Story, folder: str | None = None) -> Order:
    signatories = [place for place, party in enumerate(story.parties) if party.role == "signatory"]
    return Order(
        kind=Kind(story.kind),
        title=None,
        file_ids=[paper.file_id for paper in story.papers],
        recipients=[
            asked_as(party, f"recipients[{place}]") for place, party in enumerate(story.parties) if not party.is_copy
        ],
        steps=[Together(tuple(int(rid[1:]) - 1 for rid in rids), rule, n) for rids, rule, n in story.steps],
        spots=[
            Spot(document, 1, place, 0.1, 0.1, 0.3, 0.1, document == 0, None)
            for document in range(len(story.papers))
            for place in signatories
        ],
        comment=None,
        copy_to_all=story.copies_to_all,
        copies=story.copies,
        time_zone="Europe/Paris",
        expires_at=story.deadline,
        remind_every_days=None,
        allow_delegation=story.may_delegate,
        save=SaveMode(story.save),
        folder=folder,
        request=f"launch {story.number}",
        request_key=story.request_key,
    )

"""What holds of a flow after every command, beside a model of it: the state machine's invariants."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from plugin.flow.codec import from_data, to_data
from plugin.flow.decide import is_repeat
from plugin.flow.evolve import replay
from plugin.flow.model import CREATOR, MailKind, Personal
from plugin.flow.owed import MailWork, RemindWork, Work, due_at
from plugin.flow.times import FIRST_HOUR, LAST_HOUR, is_decent
from tests.flow.builders import Story, trace
from tests.flow.model import C, Model, Shape

MS, DAY = timedelta(milliseconds=1), timedelta(days=1)
ASKING = (MailKind.INVITATION, MailKind.REMINDER, MailKind.RESUMED, MailKind.EXPIRING, MailKind.EXTENDED)


class Promises(RuleBasedStateMachine):
    story: Story
    model: Model
    shape: Shape
    at: datetime
    told: list[tuple[str, str, int]]
    """Mails that were recorded."""

    def owed(self) -> list[Work]:
        return self.story.owed(self.at)

    @invariant()
    def everybody_stands_where_the_model_says(self) -> None:
        flow, model = self.story.now, self.model
        assert flow.state == (model.over or ("suspended" if model.held else "running"))
        assert (str(flow.suspension.reason) if flow.suspension else "") == model.held
        assert {r.id: str(r.state) for r in flow.recipients} == {p.id: p.state for p in model.people.values()}
        assert {r.id: r.round for r in flow.recipients} == {p.id: p.round for p in model.people.values()}
        assert flow.steps_done == sum(map(model.is_done, model.steps))
        assert flow.expires_at == model.deadline
        for r in flow.recipients:
            assert is_repeat(r, trace(r.id)) == bool(model.people[r.id].said)

    @invariant()
    def exactly_one_step_is_active_while_it_runs(self) -> None:
        flow = self.story.now
        active = {flow.step_of(r.id) for r in flow.recipients if r.state.is_open}
        if flow.state == "running":
            undone = [n for n, step in enumerate(self.model.steps) if not self.model.is_done(step)]
            assert active == set(undone[:1])
        assert len(active) <= 1

    @invariant()
    def every_signature_is_one_revision_a_document(self) -> None:
        signatures = sum(1 for p in self.model.people.values() if p.said == "signed")
        for d in self.story.now.documents:
            assert len(d.revisions) == (signatures + 1 if self.model.signs else 0)
            assert len(set(d.revisions)) == len(d.revisions)

    @invariant()
    def nobody_is_told_what_is_not_his_business(self) -> None:
        for work in self.owed():
            if not isinstance(work, MailWork) or work.person == CREATOR:
                continue
            who = self.model.people[work.person]
            if work.mail in ASKING:
                assert who.is_open
                assert not self.model.shut(self.at)
            elif work.mail is MailKind.REPLACED:
                assert who.heir
                assert who.was_asked
            else:
                assert self.model.over == str(work.mail)
                assert who.was_asked or (who.role is C and work.mail is MailKind.COMPLETED)
            assert who.id not in self.model.erased or work.mail is MailKind.REPLACED
        persons = [(work.mail, work.person, work.round) for work in self.owed() if isinstance(work, MailWork)]
        assert len(persons) == len(set(persons))
        assert not set(persons) & set(self.told)

    @invariant()
    def while_suspended_nothing_is_asked_of_anybody_but_the_creator(self) -> None:
        if self.model.held and not self.model.has_ended(self.at):
            mails = [work for work in self.owed() if isinstance(work, MailWork)]
            assert len(mails) == len(self.owed())
            asked = [w for w in mails if w.mail not in (MailKind.REPLACED, MailKind.DELEGATED)]
            assert len(asked) <= 1
            assert all((w.mail, w.person) == (MailKind.SUSPENDED, CREATOR) for w in asked)

    @invariant()
    def reminders_come_neither_early_nor_never_and_at_decent_hours(self) -> None:
        flow, every = self.story.now, self.shape.remind_every
        owed_to = {work.recipient for work in self.owed() if isinstance(work, RemindWork)}
        if not every or self.model.shut(self.at):
            assert not owed_to
            return
        for p in self.model.people.values():
            invited = [m.at for m in flow.mails if m.accepted and m.person == p.id and m.mail is MailKind.INVITATION]
            others = [m.at for m in flow.mails if m.accepted and m.person == p.id and m.mail in ASKING[2:]]
            heard = max([*invited, *others, *([p.reminded_at] if p.reminded_at else [])], default=None)
            if p.id in owed_to:
                assert heard is not None
                assert self.at - heard >= every * DAY - timedelta(hours=2)
            elif (
                p.is_open
                and is_decent(self.at, flow.time_zone, flow.quiet_days)
                and any(m.round == p.round for m in flow.mails if m.at in invited and m.person == p.id)
            ):
                assert heard is not None
                since = max(heard, flow.resumed_at or heard)  # a mail says that it goes on
                assert self.at - since < (every + 4) * DAY or self.model.deadline is not None

    @invariant()
    def what_is_owed_is_known_beforehand(self) -> None:
        flow, now = self.story.now, self.at
        last = self.story.events[-1][1]
        due = due_at(flow, last)
        waits_for_morning = due is not None and due <= now and not is_decent(now, flow.time_zone, flow.quiet_days)
        assert (due is not None and due <= now) == bool(self.owed()) or (waits_for_morning and not self.owed())
        if due is not None and due > now:
            assert self.story.owed(due - MS) == []
            assert self.story.owed(due)
            if any(isinstance(work, RemindWork) for work in self.story.owed(due)):
                assert FIRST_HOUR <= due.time() <= LAST_HOUR
                assert due.isoweekday() < 6

    @invariant()
    def nothing_of_an_erased_person_is_left(self) -> None:
        left = [p for p in personal_in(self.story.now) if p.person in self.model.erased]
        assert all(p.value is None for p in left)
        assert self.story.now.erased == self.model.erased

    @invariant()
    def its_lines_give_the_same_flow(self) -> None:
        again = [(from_data(event.type, to_data(event)), at) for event, at in self.story.events]
        assert again == self.story.events
        assert replay(again) == self.story.now


def personal_in(value: Any) -> list[Personal]:
    if isinstance(value, Personal):
        return [value]
    if isinstance(value, tuple | frozenset):
        return [found for item in value for found in personal_in(item)]
    if is_dataclass(value) and not isinstance(value, type):
        return [found for f in fields(value) for found in personal_in(getattr(value, f.name))]
    return []

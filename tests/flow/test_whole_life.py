"""The whole life of a flow where jobs are lost, come twice, late, or in another order, each with what it saw when it
was asked for: the outside sees each effect once. Nothing is real here but the core.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.flow.commands import (
    Cancel,
    Command,
    Expire,
    Extend,
    Finish,
    NewLink,
    RecordMail,
    Remind,
    Resume,
    StoreEvidence,
    Suspend,
)
from plugin.flow.errors import ParapheurError
from plugin.flow.model import CREATOR, By, Flow, MailKind, Personal, Role, SignedCopy, StoredEvidence, SuspendReason
from plugin.flow.owed import EvidenceWork, ExpireWork, FinishWork, MailWork, RemindWork, TidyWork, Work, due_at
from tests.flow.builders import NOW, Story, approving, refusing, sha, signing, viewing
from tests.flow.model import Shape, launch_of, shapes

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class Outside:
    """What people and folders have seen."""

    mails: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    copies: Counter[int] = field(default_factory=Counter)
    evidence: int = 0


class Life:
    """A flow, its queue, and everything that goes wrong with it."""

    def __init__(self, shape: Shape, chance: random.Random) -> None:
        self.chance = chance
        self.story = Story(launch_of(shape))
        self.at = NOW
        self.outside = Outside()
        self.queue: list[list[Work]] = [self.story.owed(self.at)]

    def act(self, command: Command) -> None:
        try:
            events = self.story.do(command, self.at)
        except ParapheurError:
            return
        if not events:
            return
        for _ in range(self.chance.choice([0, 1, 1, 2])):  # lost, once, twice
            self.queue.insert(self.chance.randint(0, len(self.queue)), self.story.owed(self.at))

    def work(self, works: list[Work]) -> None:
        """A job, with what was owed when somebody asked for it. It may be cut off anywhere between two pieces."""
        for work in works:
            if self.chance.random() < 0.1:
                return
            if work in self.story.owed(self.at):
                self.perform(work)

    def perform(self, work: Work) -> None:
        flow = self.story.now
        match work:
            case MailWork():
                self.outside.mails[str(work.mail), work.person, work.round] += 1
                refused = "address-refused" if self.chance.random() < 0.1 else None
                self.act(RecordMail(work.mail, work.person, work.round, "<m@x>", refused))
            case FinishWork():
                self.outside.copies.update(d.n for d in flow.documents)
                made = (SignedCopy(d.n, "9", Personal(CREATOR, "copy"), d.current_sha256) for d in flow.documents)
                self.act(Finish(tuple(made)))
            case EvidenceWork():
                self.outside.evidence += 1
                self.act(StoreEvidence(StoredEvidence("8", Personal(CREATOR, "evidence"), sha("evidence"))))
            case ExpireWork():
                self.act(Expire())
            case RemindWork():
                self.act(Remind(None, By.SYSTEM))
            case TidyWork():
                pass  # once everybody was told it is not owed any more, however often it was done

    def somebody(self) -> Command:
        """What a person may do, whether it is his turn or not."""
        flow, chance = self.story.now, self.chance
        asked = [r for r in flow.recipients if r.state.is_open] or list(flow.recipients)
        who = chance.choice(asked if chance.random() < 0.8 else list(flow.recipients))
        decide = approving if who.role is Role.VALIDATOR else signing
        ways = [
            lambda: viewing(who.id, 0),
            lambda: decide(flow, who.id),
            lambda: decide(flow, who.id),
            lambda: decide(flow, who.id),
            lambda: Remind(None, By.CREATOR),
            lambda: NewLink(who.id, By.CREATOR),
            lambda: Extend(self.at + 30 * DAY, By.CREATOR),
            lambda: Suspend(SuspendReason.NO_ACCESS, self.at),
            lambda: Resume("continue"),
            lambda: Resume("continue"),
            lambda: chance.choice(
                [refusing(who.id), Cancel(Personal(CREATOR, "No."), By.CREATOR), Remind(None, By.ADMIN)]
            ),
        ]
        return chance.choice(ways)()

    def storm(self) -> None:
        for _ in range(60):
            match self.chance.randint(0, 9):
                case 0 | 1 | 2 | 3:
                    self.act(self.somebody())
                case 4 | 5 | 6 if self.queue:
                    self.work(self.queue.pop(self.chance.randrange(len(self.queue))))
                case 7:
                    self.at += self.chance.choice([MINUTE, timedelta(hours=5), DAY, 3 * DAY])
                case 8 if self.queue:
                    self.queue.append(self.chance.choice(self.queue))
                case _:
                    self.work(self.story.owed(self.at))  # the sweep

    def calm(self) -> None:
        """Everybody still asked says yes; then the sweep alone, until nothing will ever be owed."""
        for _ in range(80):
            flow = self.story.now
            self.work(self.story.owed(self.at))
            if flow.state == "suspended":
                self.act(Resume("continue"))
            for r in flow.recipients:
                if r.state.is_open:
                    self.act((approving if r.role is Role.VALIDATOR else signing)(self.story.now, r.id))
            due = due_at(self.story.now, self.story.events[-1][1])
            if due is None:
                return
            self.at = max(self.at, due)
        raise AssertionError(self.story.owed(self.at))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(shape=shapes(), seed=st.integers(0, 2**32))
def test_the_outside_sees_each_effect_once_whatever_becomes_of_the_jobs(shape: Shape, seed: int) -> None:
    life = Life(shape, random.Random(seed))
    life.storm()
    life.calm()
    for late in life.queue:  # what was asked for long ago
        life.work(late)
    flow, outside = life.story.now, life.outside
    assert flow.state.is_ended
    assert set(outside.mails.values()) <= {1}
    assert sorted(outside.mails) == sorted((str(m.mail), m.person, m.round) for m in flow.mails)
    assert outside.copies == Counter(d.n for d in flow.documents if flow.state == "completed" and d.revisions)
    assert outside.evidence == int(shape.evidence and flow.state in ("completed", "refused"))
    the_end = [person for mail, person, _ in outside.mails if mail == flow.state]
    assert sorted(the_end) == sorted(whoever_hears_of_the_end(flow, life))
    for who in {m.person for m in flow.mails} - {CREATOR}:
        told = [m.mail for m in flow.mails if m.person == who]
        assert MailKind.INVITATION not in told[1:] or flow.recipient(who).round > 1


def whoever_hears_of_the_end(flow: Flow, life: Life) -> list[str]:
    """Everybody who was ever asked; observers get the results; the creator, unless it was he who ended it."""
    invited = {event.recipient for event, _ in life.story.events if event.type == "recipient.invited"}  # type: ignore[union-attr]  # a kind that has it
    observers = {r.id for r in flow.observers} if flow.state == "completed" else set()
    creator = set() if flow.state == "cancelled" else {CREATOR}
    return [*invited, *observers, *creator]

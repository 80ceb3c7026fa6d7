"""What the state machine believes of a flow: who was asked, what each one said, why nobody may act. No rule of the
product is used here; it is written from what a user is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from plugin.flow.commands import Launch
from plugin.flow.events import AskedStep
from plugin.flow.model import Role, SaveMode, SaveTo
from tests.flow.builders import NOW, order

V, S, C = Role.VALIDATOR, Role.SIGNATORY, Role.OBSERVER
YES = ("approved", "signed")


@dataclass(frozen=True)
class Shape:
    """``steps``: role, how many there are, how many must say yes (0: all of them)."""

    steps: tuple[tuple[Role, int, int], ...]
    observers: int
    documents: int
    days: int
    """Until the deadline; 0: none."""
    remind_every: int
    """Days; 0: never."""
    copies: bool
    delegation: bool
    evidence: bool


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    roles = sorted(draw(st.lists(st.sampled_from([V, S]), min_size=1, max_size=3)), key=lambda role: role is S)
    steps = []
    for role in roles:
        people = draw(st.integers(1, 3))
        steps.append((role, people, draw(st.integers(0, people))))
    return Shape(
        tuple(steps),
        observers=draw(st.integers(0, 2)),
        documents=draw(st.integers(1, 2)),
        days=draw(st.sampled_from([0, 0, 1, 4, 20])),
        remind_every=draw(st.sampled_from([0, 1, 3])),
        copies=draw(st.booleans()),
        delegation=draw(st.booleans()),
        evidence=draw(st.booleans()),
    )


def launch_of(shape: Shape) -> Launch:
    roles = [role for role, count, _ in shape.steps for _ in range(count)]
    asked = order([*roles, *[C] * shape.observers], shape.documents, copy_to_all=shape.copies)
    ids = iter(r.id for r in asked.recipients)
    return replace(
        asked,
        steps=tuple(
            AskedStep("n" if needed else "all", tuple(next(ids) for _ in range(count)), needed or None)
            for _, count, needed in shape.steps
        ),
        time_zone="UTC",
        expires_at=NOW + timedelta(days=shape.days) if shape.days else None,
        remind_every_days=shape.remind_every or None,
        quiet_days=(6, 7) if shape.remind_every else (),
        allow_delegation=shape.delegation,
        save=SaveTo(SaveMode.BESIDE, with_evidence=shape.evidence),
    )


@dataclass
class Person:
    id: str
    role: Role
    address: str
    said: str = ""
    is_asked: bool = False
    was_asked: bool = False
    has_looked: bool = False
    is_spared: bool = False
    """Enough others said yes."""
    heir: str = ""
    """The address of whoever has his place now."""
    heir_id: str = ""
    round: int = 1
    asked_at: datetime | None = None
    reminded_at: datetime | None = None

    @property
    def state(self) -> str:
        if self.heir:
            return "replaced"
        if self.said or self.is_spared:
            return self.said or "skipped"
        if not self.is_asked:
            return "waiting"
        return "viewed" if self.has_looked else "invited"

    @property
    def is_open(self) -> bool:
        return self.state in ("invited", "viewed")


@dataclass
class Model:
    people: dict[str, Person]
    steps: list[tuple[int, list[str]]]
    signs: bool
    deadline: datetime | None
    sources: list[str]
    """Of each original: "" while it is what was pinned, else what became of it."""
    accepted: list[bool]
    over: str = ""
    held: str = ""
    """Why nobody may act."""
    erased: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, shape: Shape, people: Sequence[tuple[str, Role, str]], now: datetime) -> Model:
        known = {who: Person(who, role, address) for who, role, address in people}
        ids = iter(known)
        steps = [(needed, [next(ids) for _ in range(count)]) for _, count, needed in shape.steps]
        model = cls(
            known,
            steps,
            signs=any(role is S for role, _, _ in shape.steps),
            deadline=now + timedelta(days=shape.days) if shape.days else None,
            sources=[""] * shape.documents,
            accepted=[False] * shape.documents,
        )
        model.go_on(now)
        return model

    # ---- what is so ----
    def is_done(self, step: tuple[int, list[str]]) -> bool:
        needed, members = step
        present = [self.people[who] for who in members if not self.people[who].heir]
        return sum(p.said in YES for p in present) >= (needed or len(present))

    @property
    def all_said(self) -> bool:
        return all(map(self.is_done, self.steps))

    def has_ended(self, now: datetime) -> bool:
        too_late = self.deadline is not None and self.deadline <= now and not self.all_said
        return bool(self.over) or too_late

    def shut(self, now: datetime) -> str:
        """Why nobody may do anything; "" when somebody may."""
        return "flow-ended" if self.has_ended(now) else "flow-suspended" if self.held else ""

    def refusal(self, who: str, now: datetime) -> str:
        """The conflict that an act of his meets."""
        person = self.people[who]
        if person.heir:
            return "replaced"
        if person.said:
            return "already-decided"
        if self.shut(now) or person.is_spared:
            return self.shut(now) or "not-needed"
        return "" if person.is_asked else "not-your-turn"

    def is_taken(self, address: str) -> bool:
        return any(p.address == address and not p.heir for p in self.people.values())

    @property
    def bad_source(self) -> str:
        """What a validation waits for, as far as its files are concerned."""
        if self.signs:
            return ""
        bad = {state for state, fine in zip(self.sources, self.accepted, strict=True) if state and not fine}
        return "source-changed" if "changed" in bad else "source-gone" if bad else ""

    # ---- what happens ----
    def go_on(self, now: datetime) -> None:
        """Whoever is not needed is spared, the first step that is not done is asked, the last yes of a validation
        ends it."""
        if self.over or self.held:
            return
        for step in self.steps:
            done = self.is_done(step)
            for person in (self.people[who] for who in step[1]):
                if person.said or person.heir or person.is_spared:
                    continue
                if done:
                    person.is_spared = True
                elif not person.is_asked:
                    person.is_asked = person.was_asked = True
                    person.asked_at = now
            if not done:
                return
        if not self.signs:
            self.over = "completed"

    def say(self, who: str, what: str, now: datetime) -> None:
        self.people[who].said = what
        if what == "refused":
            self.over = "refused"
        self.go_on(now)

    def put(self, old: str, new: str, address: str, now: datetime) -> None:
        self.people[old].heir, self.people[old].heir_id = address, new
        self.people[new] = Person(new, self.people[old].role, address)
        for _, members in self.steps:
            if old in members:
                members.append(new)
        self.go_on(now)

    def hold(self, reason: str) -> None:
        if not self.over and not self.held:
            self.held = reason

    def release(self, now: datetime) -> None:
        if self.held.startswith("source"):
            self.accepted = [True] * len(self.accepted)
        self.held = self.bad_source
        self.go_on(now)

    def source(self, n: int, state: str, now: datetime) -> None:
        self.sources[n], self.accepted[n] = state, False
        if not self.held:
            self.hold(self.bad_source)
        elif self.held.startswith("source") and not self.bad_source:
            self.release(now)

    def again(self, now: datetime) -> None:
        """Everybody anew, about other content."""
        for person in self.people.values():
            if not person.heir and person.role is not C:
                person.said, person.round, person.reminded_at = "", person.round + 1, None
                person.is_asked = person.has_looked = person.is_spared = False
                person.asked_at = None
        self.sources = [""] * len(self.sources)
        self.accepted = [False] * len(self.accepted)
        self.held = ""
        self.go_on(now)

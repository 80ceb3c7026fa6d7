"""docs/flow-states.md: what a flow and a recipient can be, drawn from the core itself.

    python tools/states.py write | check

Every command is put to small flows in every state that can be reached, breadth first; what ``decide`` then says is
what stands in the page. ``check`` fails where the page says something else.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plugin.flow import commands as c
from plugin.flow.decide import decide
from plugin.flow.errors import ParapheurError
from plugin.flow.events import AskedRecipient, AskedStep, Consent, Event, PinnedDocument, SealedRevision, Trace
from plugin.flow.evolve import evolve
from plugin.flow.model import (
    CREATOR,
    By,
    Creator,
    Flow,
    FlowState,
    Kind,
    PageSize,
    Personal,
    Placement,
    RecipientState,
    Role,
    SaveMode,
    SaveTo,
    SignedCopy,
    SourceState,
    StoredEvidence,
    SuspendReason,
)

PAGE = Path(__file__).parent.parent / "docs" / "flow-states.md"
BEGUN = datetime(2026, 1, 5, 9, tzinfo=UTC)
DEADLINE = BEGUN + timedelta(days=30)
LATE = DEADLINE + timedelta(days=1)
MINUTE = timedelta(minutes=2)
V, S, C = Role.VALIDATOR, Role.SIGNATORY, Role.OBSERVER

# In small: validators one after another, two of whom one is enough, a validator before a signatory, two who sign side
# by side, somebody who gets copies. As many newcomers as `NEWCOMERS` take somebody's place.
Shape = tuple[tuple[Role, int, str], ...]
SHAPES: tuple[Shape, ...] = (
    ((V, 1, "all"), (V, 1, "all")),
    ((V, 2, "any"), (V, 1, "all")),
    ((V, 1, "all"), (C, 1, "")),
    ((V, 1, "all"), (S, 1, "all")),
    ((S, 2, "all"),),
)
NEWCOMERS = 1


def own(person: str, text: str) -> Personal:
    return Personal(person, text)


def somebody(who: str, role: Role) -> AskedRecipient:
    return AskedRecipient(who, role, None, own(who, f"{who}@example.org"), None, None, "en", None)


def pinned(sha256: str, *, signs: bool) -> PinnedDocument:
    sizes = (PageSize(1, 595_276, 841_890),)
    return PinnedDocument(
        0, "7", own(CREATOR, "a.pdf"), own(CREATOR, ""), 9, "", sha256, 1, sizes, "p" if signs else None, False
    )


def launch(shape: Shape) -> c.Launch:
    roles = [role for role, count, _ in shape for _ in range(count)]
    people = tuple(somebody(f"r{n}", role) for n, role in enumerate(roles, start=1))
    signs, ids = S in roles, iter(people)
    return c.Launch(
        flow_id="flow",
        kind=Kind.SIGNATURE if signs else Kind.VALIDATION,
        title=own(CREATOR, "Contract"),
        creator=Creator(own(CREATOR, "alice"), own(CREATOR, "Alice"), None),
        language="en",
        time_zone="UTC",
        comment=None,
        copy_to_all=False,
        documents=(pinned("a", signs=signs),),
        recipients=people,
        steps=tuple(
            AskedStep(rule, tuple(next(ids).id for _ in range(count))) for role, count, rule in shape if role is not C
        ),
        placements=tuple(
            Placement(f"F{r.id}", 0, 1, r.id, 0, 0, 500_000, 500_000, with_text=False) for r in people if r.role is S
        ),
        expires_at=DEADLINE,
        allow_delegation=True,
        save=SaveTo(SaveMode.BESIDE, with_evidence=True),
    )


def of_recipients(flow: Flow) -> Iterator[tuple[str, str, c.Command]]:
    """(name of the command, recipient, command)."""
    shown = {d.n: d.current_sha256 for d in flow.documents}
    for r in flow.recipients:
        trace = Trace(None, "", None, f"by {r.id}")
        new = somebody(flow.next_recipient_id, r.role)
        seals = tuple(SealedRevision(n, sha256, f"{sha256}+{r.id}", 1) for n, sha256 in shown.items())
        sign = c.Sign(r.id, shown, True, seals, "drawn", "", Consent("", "en", ""), trace)
        yield "View", r.id, c.View(r.id, frozenset(shown))
        if r.role is not S:
            yield "Approve", r.id, c.Approve(r.id, shown, None, trace)
        if r.role is not V:
            yield "Sign", r.id, sign
        yield "Refuse", r.id, c.Refuse(r.id, own(r.id, "No."), trace)
        yield "Delegate", r.id, c.Delegate(r.id, new, None, trace)
        yield "Remind", r.id, c.Remind((r.id,), By.CREATOR)
        yield "NewLink", r.id, c.NewLink(r.id, By.CREATOR)
        yield "Replace", r.id, c.Replace(r.id, new, By.CREATOR)


def of_the_flow(flow: Flow) -> Iterator[tuple[str, c.Command]]:
    signs = flow.kind is Kind.SIGNATURE
    yield "Remind all", c.Remind(None, By.CREATOR)
    yield "Extend", c.Extend(DEADLINE + timedelta(days=99), By.CREATOR)
    yield "Cancel", c.Cancel(own(CREATOR, "Obsolete."), By.CREATOR)
    yield "Resume", c.Resume("continue")
    yield "Restart", c.Restart((pinned("b", signs=signs),), By.CREATOR)
    yield "Suspend", c.Suspend(SuspendReason.NO_ACCESS, BEGUN)
    yield "NoteSource changed", c.NoteSource(0, SourceState.CHANGED, "z")
    yield "NoteSource same", c.NoteSource(0, SourceState.SAME)
    yield "Expire", c.Expire()
    yield "Finish", c.Finish((SignedCopy(0, "8", own(CREATOR, "a (signed).pdf"), "s"),))
    yield "StoreEvidence", c.StoreEvidence(StoredEvidence("9", own(CREATOR, "e.pdf"), "e"))
    yield "Erase a recipient", c.Erase("r1", By.ADMIN)
    yield "Erase the creator", c.Erase(CREATOR, By.ADMIN)


@dataclass
class Seen:
    """What was found. Arrows: (from, to) -> events. Cells: (command, state) -> outcomes."""

    flows: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    people: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    acts: dict[tuple[str, str], set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    steering: dict[tuple[str, str], set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    situations: int = 0
    asked: int = 0


def situation(flow: Flow, now: datetime) -> object:
    """What tells two flows apart here; two of the same situation answer alike."""
    if flow.state.is_ended:
        states = frozenset(r.state for r in flow.recipients)
        return flow.kind, flow.state, states, flow.evidence is not None, flow.erased
    people = tuple((r.id, r.state) for r in flow.recipients)
    reason = flow.suspension.reason if flow.suspension else None
    sources = tuple((d.source, d.source_accepted) for d in flow.documents)
    return flow.kind, reason, people, sources, flow.erased, flow.expires_at == DEADLINE, now >= LATE


def explored() -> Seen:
    seen = Seen()
    waiting: deque[tuple[Flow, datetime]] = deque()
    known: set[object] = set()

    def meet(flow: Flow, now: datetime) -> None:
        key = situation(flow, now)
        if key not in known and sum(1 for r in flow.recipients if r.replaces) <= NEWCOMERS:
            known.add(key)
            waiting.append((flow, now))

    for shape in SHAPES:
        asked = launch(shape)
        meet(_after(None, decide(None, asked, BEGUN), BEGUN, seen), BEGUN)
    while waiting:
        flow, last = waiting.popleft()
        if last < LATE:
            meet(flow, LATE)
        now = last + MINUTE
        for name, who, command in of_recipients(flow):
            state = flow.recipient(who).state
            is_late = flow.has_passed(now) and not flow.state.is_ended
            label = f"{'late' if is_late else flow.state}/{state}"
            meet(_ask(flow, command, now, seen, seen.acts[name, label]), now)
        for name, command in of_the_flow(flow):
            label = str(flow.state) if not flow.has_passed(now) or flow.state.is_ended else "late"
            meet(_ask(flow, command, now, seen, seen.steering[name, label]), now)
    seen.situations = len(known)
    return seen


def _ask(flow: Flow, command: c.Command, now: datetime, seen: Seen, cell: set[tuple[str, ...]]) -> Flow:
    seen.asked += 1
    try:
        events = decide(flow, command, now)
    except ParapheurError as refusal:
        cell.add(("refused", refusal.code))
        return flow
    cell.add(tuple(event.type for event in events))
    return _after(flow, events, now, seen)


def _after(flow: Flow | None, events: list[Event], now: datetime, seen: Seen) -> Flow:
    for event in events:
        before, flow = flow, evolve(flow, event, now)
        came_from = str(before.state) if before is not None else "[*]"
        if came_from != flow.state:
            seen.flows[came_from, str(flow.state)].add(event.type)
        states = {r.id: str(r.state) for r in before.recipients} if before is not None else {}
        for r in flow.recipients:
            if states.get(r.id) != r.state:
                seen.people[states.get(r.id, "[*]"), str(r.state)].add(event.type)
    assert flow is not None
    return flow


def diagram(arrows: dict[tuple[str, str], set[str]], order: list[str]) -> list[str]:
    rank = {state: n for n, state in enumerate(["[*]", *order])}
    lines = ["```mermaid", "stateDiagram-v2"]
    for (one, other), events in sorted(arrows.items(), key=lambda item: [rank[state] for state in item[0]]):
        lines.append(f"    {one} --> {other} : {', '.join(sorted(events))}")
    reached = {other for _, other in arrows}
    ends = [state for state in order if state in reached and not any(one == state for one, _ in arrows)]
    return [*lines, *(f"    {state} --> [*]" for state in ends), "```"]


def cell(outcomes: set[tuple[str, ...]]) -> str:
    """Events by the one that comes first, with what may follow from it; then what is refused."""
    if not outcomes:
        return ""
    follows: dict[str, set[str]] = defaultdict(set)
    for outcome in outcomes:
        if outcome and outcome[0] != "refused":
            follows[outcome[0]] |= set(outcome[1:]) - {outcome[0]}
    done = [
        f"{first}{f' (+ {chr(44).join(sorted(more))})' if more else ''}" for first, more in sorted(follows.items())
    ]
    nothing = ["nothing"] if () in outcomes else []
    refusals = [f"*{outcome[1]}*" for outcome in sorted(outcomes) if outcome[:1] == ("refused",)]
    return "; ".join([*done, *nothing, *refusals]).replace(",", ", ").replace(",  ", ", ")


def table(
    cells: dict[tuple[str, str], set[tuple[str, ...]]], columns: list[tuple[str, Callable[[str], bool]]]
) -> list[str]:
    names = list(dict.fromkeys(name for name, _ in cells))
    lines = ["| command | " + " | ".join(title for title, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        found = (
            set().union(*(found for (other, label), found in cells.items() if other == name and fits(label)))
            for _, fits in columns
        )
        lines.append(f"| {name} | " + " | ".join(cell(outcomes) for outcomes in found) + " |")
    return lines


def _is(*labels: str) -> Callable[[str], bool]:
    return lambda label: label in labels


def page() -> str:
    seen = explored()
    flow_states, states = [str(state) for state in FlowState], [str(state) for state in RecipientState]
    turns = [(state, _is(f"running/{state}")) for state in states]
    shut = [
        ("suspended", lambda label: label.startswith("suspended/") and not _decided(label)),
        ("ended", lambda label: label.split("/")[0] in flow_states[2:] and not _decided(label)),
        ("deadline over", lambda label: label.startswith("late/") and not _decided(label)),
    ]
    return "\n".join(
        [
            *INTRODUCTION,
            "",
            "## A flow",
            *ABOUT_FLOWS,
            "",
            *diagram(seen.flows, flow_states),
            "",
            "## A recipient",
            *ABOUT_RECIPIENTS,
            "",
            *diagram(seen.people, states),
            "",
            "## What may be done to a flow",
            *ABOUT_TABLES,
            "",
            *table(seen.steering, [(state, _is(state)) for state in flow_states] + [("deadline over", _is("late"))]),
            "",
            "## What may be done by, or to, one recipient",
            "The first columns are the recipient's states in a running flow; the last three are for whoever has not",
            "decided, whatever his state.",
            "",
            *table(seen.acts, turns + shut),
            "",
            f"Drawn from {seen.situations:,} situations, in which {seen.asked:,} commands were put.",
            "",
        ]
    )


def _decided(label: str) -> bool:
    return label.split("/")[-1] in ("approved", "signed", "refused", "replaced", "skipped")


INTRODUCTION = """\
# States of a flow and of its recipients
This page is made by `tools/states.py` from the code that decides (`plugin/flow`): it puts every command to small flows
in every situation that can be reached, and writes down what it is told. `make check` fails when the page and the code
say different things; `make states` makes it anew.

Words: a *command* is what somebody asks for (`Approve`); an *event* is what then has happened and stands in the state
file (`recipient.approved`). A command that is refused changes nothing and answers with a stable code, such as
*not-your-turn*.""".splitlines()

ABOUT_FLOWS = """\
An arrow is the event that leads from one state to the next. A flow runs until it is decided. It is suspended while its
files cannot be read or written in its creator's name, or while a validation waits for its creator because a file has
changed. Completed, refused, cancelled and expired are ends: nothing leads out of them. A signature is completed once
its signed copies lie in the creator's folder, which is after the last signature; a validation with the last approval.
""".splitlines()

ABOUT_RECIPIENTS = """\
Everybody waits until the steps before his own are done, and is then invited; he is told once. Of a step where one or
some are enough, the others are skipped. Whoever is replaced stays in the record, and somebody else begins at waiting.
A new link begins a new round (viewed, then invited again), and so does a restart, for everybody.
What is sent by the link of an earlier round is refused (*replaced*).
""".splitlines()

ABOUT_TABLES = """\
A cell tells which event a command makes; in brackets, those that may follow from it at once. *Slanted* is the code of
a refusal; "nothing": it is so already, or not the time, and nothing is to be said. Where a cell tells several, it
depends on more than the state (whose turn it is, whether all have decided, what became of the files). "Deadline over":
the flow's time is up, whether that was written down already or not.
""".splitlines()


def main() -> None:
    match sys.argv[1:]:
        case ["write"]:
            PAGE.write_text(page())
        case ["check"]:
            if not PAGE.exists() or PAGE.read_text() != page():
                sys.exit("docs/flow-states.md is not what the code does: make states")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()

"""What a flow was meant to be, and what people were told of it: kept by the simulation, outside of the product."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.simulation.papers import original


@dataclass(frozen=True)
class Party:
    """A recipient as the creator names him. ``rid`` follows from his place."""

    rid: str
    role: str
    user: str | None
    email: str
    minds: str
    """agrees, refuses, cannot decide: sends both; delegates, and agrees where that is refused; never comes; or looks
    on: an observer."""
    is_copy: bool = False
    """An observer who was named as an address that gets copies."""


@dataclass(frozen=True)
class Paper:
    """``folder``, ``name``: before anything was moved. ``contents``: all that people ever put there, newest last."""

    file_id: str
    folder: str
    name: str
    contents: list[bytes]
    homes: list[tuple[float, str]] = field(default_factory=list)
    """(since when, id) of the folders that it was in, newest last."""
    names: list[str] = field(default_factory=list)
    """All that it ever had, newest last."""


@dataclass
class Story:
    """``acknowledged``: acts by person, as callers were told: (act, request). ``consented``: requests that a person
    sent with his consent. ``head``, ``length``: of the chain as a caller was last told."""

    number: int
    creator: str
    kind: str
    papers: list[Paper]
    parties: list[Party]
    steps: list[tuple[tuple[str, ...], str, int | None]]
    """(persons, rule, n)."""
    copies_to_all: bool
    launched_at: float
    steered: str | None = None
    """What its creator does on the way: remind, renew, cancel, replace or extend."""
    deadline_s: float | None = None
    """After the launch."""
    may_delegate: bool = False
    changed_after_s: float | None = None
    """When somebody writes to a file of a flow that is on its way."""
    on_change: str = "continue"
    """What its creator chooses when his flow stands still: continue or restart."""
    erased: str | None = None
    """Whom an administrator erases once it is over."""
    save: str = "beside"
    """Its results: beside the originals, as their version, or in a folder."""
    folder_id: str | None = None
    """Of that folder, wherever it is moved to."""
    flow_id: str | None = None
    path: str = ""
    length: int = 0
    head: str = ""
    acknowledged: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    consented: dict[str, set[str]] = field(default_factory=dict)
    is_cancelled: bool = False
    """The creator was told so."""
    newcomers: dict[str, Party] = field(default_factory=dict)
    """Those who were named on the way, by their address; without an id as long as nobody was told it."""
    replaced: dict[str, set[str]] = field(default_factory=dict)
    """In whose place somebody else was named: by creator, or by himself."""
    extended: set[str] = field(default_factory=set)
    """Later deadlines that were asked for."""
    sent_at: dict[str, datetime] = field(default_factory=dict)
    """When people sent their decisions, by the clock of the server."""
    deadline: datetime | None = None
    """The latest that was asked for."""
    is_erased: bool = False
    """An administrator was told so."""
    copies: tuple[str, ...] = ()
    """Addresses that are to get copies, as they were asked for: some are those of people who take part."""
    sent_by: dict[str, int | None] = field(default_factory=dict)
    """Request -> round of the link by which it came; None: in a session."""
    moves_seen: int = 0
    """Of the host's, when ``path`` was found."""
    laid_in: set[str] = field(default_factory=set)
    """The ids of the folders that its revisions were laid in when it began, or began anew."""
    last_act_at: float = 0.0
    ended_at: float | None = None
    settled_at: float | None = None

    @property
    def request_key(self) -> str:
        return f"{self.number:064d}"

    @property
    def everybody(self) -> list[Party]:
        """Newcomers as soon as it is known which place is theirs."""
        return [*self.parties, *(party for party in self.newcomers.values() if party.rid)]

    @property
    def observers(self) -> set[str]:
        return {party.rid for party in self.everybody if party.role == "observer"}

    def party(self, rid: str) -> Party:
        return next(party for party in self.everybody if party.rid == rid)


def drawn_story(
    dice: random.Random, number: int, users: tuple[str, ...], papers: list[Paper], launched_at: float, refused: float
) -> Story:
    """``refused``: the probability that an address takes no mail."""
    kind = "signature" if dice.random() < 0.65 else "validation"
    creator = users[number % 2]
    count = dice.choice((1, 1, 1, 2, 2, 2, 3, 4))
    validators = count if kind == "validation" else dice.choice((0, 0, 0, count // 2))
    others = [uid for uid in users if uid != creator]
    parties = []
    for place in range(count):
        rid = f"r{place + 1}"
        is_user = dice.random() < 0.4 and others
        user = others.pop(dice.randrange(len(others))) if is_user else None
        nobody = "nobody" if dice.random() < refused else "p"
        email = f"{user}@example.org" if user else f"{nobody}{number}-{place}@elsewhere.example"
        minds = dice.choices(("agrees", "refuses", "cannot decide"), (0.88, 0.06, 0.06))[0]
        parties.append(Party(rid, "validator" if place < validators else "signatory", user, email, minds))
    steered = dice.choice(("remind", "renew", "cancel", "replace", "extend")) if dice.random() < 0.4 else None
    to_all = dice.random() < 0.5
    may_delegate = dice.random() < 0.3
    deadline_s = dice.uniform(40.0, 500.0) if dice.random() < 0.2 else None
    parties = [_minded(dice, party, may_delegate, deadline_s is not None) for party in parties]
    return Story(
        number,
        creator,
        kind,
        papers,
        parties,
        _steps(dice, parties),
        to_all,
        launched_at,
        steered,
        deadline_s,
        may_delegate,
        dice.uniform(5.0, 100.0) if kind == "validation" and dice.random() < 0.4 else None,
        "restart" if kind == "validation" and dice.random() < 0.6 else "continue",
        dice.choice([*(party.rid for party in parties), "creator"]) if dice.random() < 0.3 else None,
    )


def _minded(dice: random.Random, party: Party, may_delegate: bool, has_deadline: bool) -> Party:
    if dice.random() < (0.4 if may_delegate else 0.02):
        return replace(party, minds="delegates")
    return replace(party, minds="never comes") if has_deadline and dice.random() < 0.2 else party


def _steps(dice: random.Random, parties: list[Party]) -> list[tuple[tuple[str, ...], str, int | None]]:
    """One after another, or those of one role together."""
    groups: list[list[Party]] = []
    for party in parties:
        if groups and groups[-1][0].role == party.role and dice.random() < 0.3:
            groups[-1].append(party)
        else:
            groups.append([party])
    steps: list[tuple[tuple[str, ...], str, int | None]] = []
    for group in groups:
        rule = dice.choice(("all", "all", "any", "n")) if len(group) > 1 else "all"
        steps.append((tuple(party.rid for party in group), rule, len(group) - 1 if rule == "n" else None))
    return steps


def drawn_content(dice: random.Random, number: int) -> bytes:
    return original(f"{number} " + "x" * dice.randrange(1, 200))

"""Flows made of values: what a launch asks for, and who acts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from plugin.flow.commands import Approve, Command, Launch, Refuse, Sign, View
from plugin.flow.decide import decide
from plugin.flow.events import AskedRecipient, AskedStep, Consent, Event, PinnedDocument, SealedRevision, Trace
from plugin.flow.evolve import evolve
from plugin.flow.model import CREATOR, Creator, Flow, Kind, PageSize, Personal, Placement, Role
from plugin.flow.owed import Work, owed

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
A4 = (PageSize(1, 595_276, 841_890),)


def sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def person(recipient: str, value: str) -> Personal:
    return Personal(recipient, value)


def document(n: int, *, is_pdf: bool = True) -> PinnedDocument:
    return PinnedDocument(
        n=n,
        file_id=str(100 + n),
        name=person(CREATOR, f"Document {n}.pdf"),
        folder=person(CREATOR, "Contrats"),
        size_bytes=1000,
        mime="application/pdf",
        sha256=sha("original", n),
        pages=2 if is_pdf else None,
        page_sizes=A4 if is_pdf else (),
        prepared_sha256=sha("prepared", n) if is_pdf else None,
        kept_at_home=False,
    )


def recipient(number: int, role: Role, user: str | None = None) -> AskedRecipient:
    name = f"r{number}"
    return AskedRecipient(
        id=name,
        role=role,
        user=person(name, user) if user else None,
        email=person(name, f"{user or name}@example.org"),
        first_name=None,
        last_name=person(name, f"Nom {number}"),
        language="fr",
        message=None,
    )


def placement(n: int, number: int, recipient_id: str, **changes: Any) -> Placement:
    place = Placement(f"F_{n}_{number}", n, 1, recipient_id, 100_000, 100_000, 300_000, 100_000, with_text=False)
    return replace(place, **changes)


def order(roles: Sequence[Role], documents: int = 1, *, copy_to_all: bool = False) -> Launch:
    """A validation where nobody signs, else a signature; one step each."""
    signs = Role.SIGNATORY in roles
    recipients = tuple(recipient(number, role) for number, role in enumerate(roles, start=1))
    return Launch(
        flow_id="01890000-0000-7000-8000-000000000001",
        kind=Kind.SIGNATURE if signs else Kind.VALIDATION,
        title=person(CREATOR, "Contrat"),
        creator=Creator(person(CREATOR, "alice"), person(CREATOR, "Alice"), person(CREATOR, "alice@example.org")),
        language="fr",
        time_zone="Europe/Paris",
        comment=None,
        copy_to_all=copy_to_all,
        documents=tuple(document(n, is_pdf=signs) for n in range(documents)),
        recipients=recipients,
        steps=tuple(AskedStep("all", (r.id,)) for r in recipients),
        placements=tuple(
            placement(n, number, r.id)
            for n in range(documents)
            for number, r in enumerate(recipients)
            if r.role is Role.SIGNATORY
        ),
    )


def trace(recipient_id: str, request: str = "body", key: str | None = None) -> Trace:
    return Trace(person(recipient_id, "192.0.2.1"), "trusted proxy", person(recipient_id, "Browser"), request, key)


def shown(flow: Flow) -> dict[int, str]:
    return {d.n: d.current_sha256 for d in flow.documents}


def approving(flow: Flow, recipient_id: str, request: str = "body") -> Approve:
    return Approve(recipient_id, shown(flow), person(recipient_id, "Bon."), trace(recipient_id, request))


def signing(flow: Flow, recipient_id: str, request: str = "body", *, sealed: bool = True) -> Sign:
    return Sign(
        recipient=recipient_id,
        shown=shown(flow),
        consented=True,
        sealed=tuple(
            SealedRevision(d.n, d.current_sha256, sha(d.current_sha256, recipient_id), 2000) for d in flow.documents
        )
        if sealed
        else None,
        signature_kind="drawn",
        ink_sha256=sha("ink"),
        consent=Consent("I agree.", "en", sha("I agree.")),
        trace=trace(recipient_id, request),
    )


def refusing(recipient_id: str, reason: str = "Non.", request: str = "body") -> Refuse:
    return Refuse(recipient_id, person(recipient_id, reason), trace(recipient_id, request))


def viewing(recipient_id: str, *documents: int) -> View:
    return View(recipient_id, frozenset(documents))


class Story:
    """A flow and everything that happened to it, one minute apart."""

    def __init__(self, launch: Launch) -> None:
        self.events: list[tuple[Event, datetime]] = []
        self.flow: Flow | None = None
        self.do(launch)

    @property
    def now(self) -> Flow:
        assert self.flow is not None
        return self.flow

    def do(self, command: Command, at: datetime | None = None) -> list[Event]:
        """``at``: when, the next minute by default."""
        at = at or self.time
        events = decide(self.flow, command, at)
        for event in events:
            self.events.append((event, at))
            self.flow = evolve(self.flow, event, at)
        return events

    @property
    def time(self) -> datetime:
        """A minute after the last event."""
        return self.events[-1][1] + timedelta(minutes=1) if self.events else NOW

    def owed(self, at: datetime | None = None) -> list[Work]:
        return owed(self.now, at or self.time)

"""``evolve(flow, event, at)``: what the flow is after an event. It never refuses: the chain tells what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from plugin.flow.events import (
    Approved,
    AskedRecipient,
    Cancelled,
    Completed,
    Delegated,
    Event,
    EvidenceStored,
    Expired,
    Extended,
    Invited,
    KeyRotated,
    Launched,
    LinkRenewed,
    MailAccepted,
    MailFailed,
    PersonErased,
    PinnedDocument,
    RefusedByRecipient,
    Reminded,
    Replaced,
    Restarted,
    Resumed,
    Signed,
    Skipped,
    SourceChanged,
    Suspended,
    Viewed,
)
from plugin.flow.model import (
    BESIDE,
    Document,
    Flow,
    FlowState,
    MailDone,
    Personal,
    Recipient,
    RecipientState,
    Role,
    Step,
    StoredEvidence,
    Suspension,
)
from plugin.flow.times import from_instant

Value = TypeVar("Value")


def evolve(flow: Flow | None, event: Event, at: datetime) -> Flow:
    if isinstance(event, Launched):
        return _launched(event, at)
    if flow is None:
        raise ValueError("a chain begins with flow.launched")
    match event:
        case Invited():
            since = tuple(shown.sha256 for shown in event.documents)
            invited = {"state": RecipientState.INVITED, "round": event.round, "since": since, "invited_at": at}
            return _change(flow, event.recipient, {**invited, "was_asked": True, "reminded_at": None})
        case Viewed():
            return _viewed(flow, event)
        case Approved() | Signed() | RefusedByRecipient():
            return _decided(flow, event, at)
        case Skipped():
            return _change(flow, event.recipient, {"state": RecipientState.SKIPPED})
        case Reminded():
            return _change(flow, event.recipient, {"reminded_at": at, "reminders": event.number})
        case Replaced():
            return _replaced(flow, event.recipient, event.new, {})
        case Delegated():
            said = {"has_delegated": True, "comment": event.comment}
            changed = _replaced(flow, event.recipient, event.new, said)
            return replace(changed, delegations=flow.delegations + 1)
        case LinkRenewed() | KeyRotated():
            return flow
        case SourceChanged():
            return replace(flow, documents=_sourced(flow, event))
        case PersonErased():
            return replace(_without(flow, event.person), erased=flow.erased | {event.person})
        case EvidenceStored():
            evidence = StoredEvidence(event.file_id, event.path, event.sha256)
            for person in flow.erased:  # a record on its way while somebody was erased brings nothing of him back
                evidence = _without(evidence, person)
            return replace(flow, evidence=evidence)
        case MailAccepted():
            return _mailed(flow, MailDone(event.mail, event.person, event.round, accepted=True, at=at))
        case MailFailed():
            done = MailDone(event.mail, event.person, event.round, accepted=False, at=at, reason=event.reason)
            return _mailed(flow, done)
        case _:
            return _in_another_state(flow, event, at)


def _in_another_state(
    flow: Flow, event: Extended | Expired | Cancelled | Restarted | Suspended | Resumed | Completed, at: datetime
) -> Flow:
    """Events about the flow as a whole."""
    match event:
        case Extended():
            deadline = from_instant(event.expires_at)
            return replace(flow, expires_at=deadline, deadline_since=at, deadlines=flow.deadlines + 1)
        case Expired():
            return replace(flow, state=FlowState.EXPIRED, suspension=None, ended_at=at, is_finished=True)
        case Cancelled():
            ended = replace(flow, state=FlowState.CANCELLED, suspension=None, ended_at=at, is_finished=True)
            return replace(ended, ended_by=event.by, end_reason=event.reason)
        case Restarted():
            return _restarted(flow, event, at)
        case Suspended():
            suspension = Suspension(event.reason, from_instant(event.since))
            return replace(flow, state=FlowState.SUSPENDED, suspension=suspension, suspensions=flow.suspensions + 1)
        case Resumed():
            if flow.suspension is not None and flow.suspension.reason.is_about_sources:
                flow = replace(flow, documents=tuple(replace(d, source_accepted=True) for d in flow.documents))
            return replace(flow, state=FlowState.RUNNING, suspension=None, resumed_at=at)
        case Completed():
            copies = {copy.n: copy for copy in event.copies}
            documents = tuple(replace(d, signed=copies.get(d.n)) for d in flow.documents)
            return replace(flow, documents=documents, state=FlowState.COMPLETED, ended_at=at, is_finished=True)


def replay(events: Iterable[tuple[Event, datetime]]) -> Flow:
    """Raises: ValueError for no events."""
    flow: Flow | None = None
    for event, at in events:
        flow = evolve(flow, event, at)
    if flow is None:
        raise ValueError("no events")
    return flow


def _launched(event: Launched, at: datetime) -> Flow:
    expires_at = from_instant(event.expires_at) if event.expires_at is not None else None
    return Flow(
        id=event.flow_id,
        kind=event.kind,
        state=FlowState.RUNNING,
        title=event.title,
        creator=event.creator,
        language=event.language,
        time_zone=event.time_zone,
        comment=event.comment,
        copy_to_all=event.copy_to_all,
        created_at=at,
        documents=tuple(_pinned(d) for d in event.documents),
        recipients=tuple(_asked(r) for r in event.recipients),
        steps=tuple(Step(s.rule, s.recipients, s.n) for s in event.steps),
        placements=event.placements,
        request=event.request,
        request_key=event.request_key,
        expires_at=expires_at,
        deadline_since=at if expires_at is not None else None,
        deadlines=1 if expires_at is not None else 0,
        remind_every_days=event.remind_every_days,
        quiet_days=event.quiet_days or (),
        allow_delegation=bool(event.allow_delegation),
        save=event.save or BESIDE,
    )


def _pinned(d: PinnedDocument) -> Document:
    return Document(
        n=d.n,
        file_id=d.file_id,
        name=d.name,
        folder=d.folder,
        size_bytes=d.size_bytes,
        mime=d.mime,
        sha256=d.sha256,
        pages=d.pages,
        page_sizes=d.page_sizes,
        revisions=(d.prepared_sha256,) if d.prepared_sha256 else (),
        kept_at_home=d.kept_at_home,
        is_certified=bool(d.certified),
    )


def _asked(r: AskedRecipient, replaces: str | None = None) -> Recipient:
    return Recipient(
        id=r.id,
        role=Role(r.role),
        user=r.user,
        email=r.email,
        first_name=r.first_name,
        last_name=r.last_name,
        language=r.language,
        message=r.message,
        account=r.account,
        replaces=replaces,
    )


def _viewed(flow: Flow, event: Viewed) -> Flow:
    before = flow.recipient(event.recipient)
    state = RecipientState.VIEWED if before.state is RecipientState.INVITED else before.state
    return _change(flow, event.recipient, {"state": state, "viewed": before.viewed | frozenset(event.documents)})


def _decided(flow: Flow, event: Approved | Signed | RefusedByRecipient, at: datetime) -> Flow:
    changes: dict[str, Any] = {
        "decided_at": at,
        "request": event.trace.request,
        "request_key": event.trace.request_key,
    }
    match event:
        case Approved():
            return _change(
                flow, event.recipient, changes | {"state": RecipientState.APPROVED, "comment": event.comment}
            )
        case Signed():
            sealed = {revision.n: revision.sha256 for revision in event.documents}
            documents = tuple(
                replace(d, revisions=(*d.revisions, sealed[d.n])) if d.n in sealed else d for d in flow.documents
            )
            changed = _change(flow, event.recipient, changes | {"state": RecipientState.SIGNED})
            return replace(changed, documents=documents)
        case RefusedByRecipient():
            changed = _change(
                flow, event.recipient, changes | {"state": RecipientState.REFUSED, "reason": event.reason}
            )
            return replace(changed, state=FlowState.REFUSED, ended_at=at, is_finished=True)


def _replaced(flow: Flow, recipient: str, asked: AskedRecipient, changes: dict[str, Any]) -> Flow:
    """The new one stands behind the old one in the list and in the step, and has his stamps."""
    recipients = [
        replace(r, state=RecipientState.REPLACED, **changes) if r.id == recipient else r for r in flow.recipients
    ]
    place = next(number for number, r in enumerate(recipients) if r.id == recipient)
    recipients.insert(place + 1, _asked(asked, replaces=recipient))
    steps = tuple(
        replace(s, recipients=tuple(one for r in s.recipients for one in ((r, asked.id) if r == recipient else (r,))))
        for s in flow.steps
    )
    placements = tuple(replace(p, recipient=asked.id) if p.recipient == recipient else p for p in flow.placements)
    return replace(flow, recipients=tuple(recipients), steps=steps, placements=placements)


def _sourced(flow: Flow, event: SourceChanged) -> tuple[Document, ...]:
    return tuple(
        replace(d, source=event.state, source_sha256=event.sha256, source_accepted=False) if d.n == event.n else d
        for d in flow.documents
    )


def _restarted(flow: Flow, event: Restarted, at: datetime) -> Flow:
    """Everybody waits again, in a new round; who was replaced stays replaced."""
    recipients = tuple(
        r
        if r.state is RecipientState.REPLACED or r.role is Role.OBSERVER
        else replace(
            r,
            state=RecipientState.WAITING,
            round=r.round + 1,
            since=(),
            invited_at=None,
            viewed=frozenset(),
            decided_at=None,
            comment=None,
            reason=None,
            request=None,
            request_key=None,
            reminded_at=None,
        )
        for r in flow.recipients
    )
    documents = tuple(_pinned(d) for d in event.documents)
    running = replace(flow, state=FlowState.RUNNING, suspension=None, resumed_at=at, restarts=flow.restarts + 1)
    return replace(running, recipients=recipients, documents=documents)


def _mailed(flow: Flow, done: MailDone) -> Flow:
    return replace(flow, mails=(*flow.mails, done))


def _change(flow: Flow, recipient_id: str, changes: dict[str, Any]) -> Flow:
    people = flow.recipients
    for place, recipient in enumerate(people):
        if recipient.id == recipient_id:
            changed = (*people[:place], replace(recipient, **changes), *people[place + 1 :])
            return replace(flow, recipients=changed)
    return flow


def _without(value: Value, person: str) -> Value:
    """The same with every value of that person gone."""
    erase: Callable[[Any], Any] = lambda inner: _without(inner, person)  # noqa: E731 - typed here, for both branches below
    if isinstance(value, Personal):
        return replace(value, value=None) if value.person == person else value
    if isinstance(value, tuple):
        return tuple(erase(item) for item in value)  # type: ignore[return-value]  # of the same type as what came
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: erase(getattr(value, f.name)) for f in fields(value)})
    return value

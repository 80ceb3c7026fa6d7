"""``evolve(flow, event, at)``: what the flow is after an event. It never refuses: the chain tells what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from plugin.flow.events import (
    Approved,
    Completed,
    Event,
    Invited,
    Launched,
    MailAccepted,
    MailFailed,
    RefusedByRecipient,
    Resumed,
    Signed,
    Suspended,
    Viewed,
)
from plugin.flow.model import (
    Document,
    Flow,
    FlowState,
    MailDone,
    Recipient,
    RecipientState,
    Role,
    Step,
    Suspension,
)


def evolve(flow: Flow | None, event: Event, at: datetime) -> Flow:
    if isinstance(event, Launched):
        return _launched(event, at)
    if flow is None:
        raise ValueError("a chain begins with flow.launched")
    match event:
        case Invited():
            since = tuple(shown.sha256 for shown in event.documents)
            return _change(
                flow,
                event.recipient,
                lambda r: replace(r, state=RecipientState.INVITED, round=event.round, since=since, invited_at=at),
            )
        case Viewed():
            return _change(
                flow,
                event.recipient,
                lambda r: replace(
                    r,
                    state=RecipientState.VIEWED if r.state is RecipientState.INVITED else r.state,
                    viewed=r.viewed | frozenset(event.documents),
                ),
            )
        case Approved():
            return _change(
                flow,
                event.recipient,
                lambda r: replace(
                    r,
                    state=RecipientState.APPROVED,
                    decided_at=at,
                    comment=event.comment,
                    request=event.trace.request,
                    request_key=event.trace.request_key,
                ),
            )
        case Signed():
            return _signed(flow, event, at)
        case RefusedByRecipient():
            changed = _change(
                flow,
                event.recipient,
                lambda r: replace(
                    r,
                    state=RecipientState.REFUSED,
                    decided_at=at,
                    reason=event.reason,
                    request=event.trace.request,
                    request_key=event.trace.request_key,
                ),
            )
            return replace(changed, state=FlowState.REFUSED, ended_at=at, is_finished=True)
        case Suspended():
            suspension = Suspension(event.reason, datetime.fromisoformat(event.since))
            return replace(flow, state=FlowState.SUSPENDED, suspension=suspension, suspensions=flow.suspensions + 1)
        case Resumed():
            return replace(flow, state=FlowState.RUNNING, suspension=None, resumed_at=at)
        case Completed():
            copies = {copy.n: copy for copy in event.copies}
            documents = tuple(replace(d, signed=copies.get(d.n)) for d in flow.documents)
            return replace(flow, documents=documents, state=FlowState.COMPLETED, ended_at=at, is_finished=True)
        case MailAccepted():
            return _mailed(flow, MailDone(event.mail, event.person, event.round, accepted=True, at=at))
        case MailFailed():
            return _mailed(
                flow, MailDone(event.mail, event.person, event.round, accepted=False, at=at, reason=event.reason)
            )


def replay(events: Iterable[tuple[Event, datetime]]) -> Flow:
    """Raises: ValueError for no events."""
    flow: Flow | None = None
    for event, at in events:
        flow = evolve(flow, event, at)
    if flow is None:
        raise ValueError("no events")
    return flow


def _launched(event: Launched, at: datetime) -> Flow:
    documents = tuple(
        Document(
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
        for d in event.documents
    )
    recipients = tuple(
        Recipient(
            id=r.id,
            role=Role(r.role),
            user=r.user,
            email=r.email,
            first_name=r.first_name,
            last_name=r.last_name,
            language=r.language,
            message=r.message,
            account=r.account,
        )
        for r in event.recipients
    )
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
        documents=documents,
        recipients=recipients,
        steps=tuple(Step(s.rule, s.recipients) for s in event.steps),
        placements=event.placements,
        request=event.request,
        request_key=event.request_key,
    )


def _signed(flow: Flow, event: Signed, at: datetime) -> Flow:
    sealed = {revision.n: revision.sha256 for revision in event.documents}
    documents = tuple(
        replace(d, revisions=(*d.revisions, sealed[d.n])) if d.n in sealed else d for d in flow.documents
    )
    changed = _change(
        flow,
        event.recipient,
        lambda r: replace(
            r,
            state=RecipientState.SIGNED,
            decided_at=at,
            request=event.trace.request,
            request_key=event.trace.request_key,
        ),
    )
    return replace(changed, documents=documents)


def _mailed(flow: Flow, done: MailDone) -> Flow:
    return replace(flow, mails=(*flow.mails, done))


def _change(flow: Flow, recipient_id: str, change: Callable[[Recipient], Recipient]) -> Flow:
    recipients = tuple(change(r) if r.id == recipient_id else r for r in flow.recipients)
    return replace(flow, recipients=recipients)

"""How a flow reads to those who may read it: creator and admin all of it, a recipient what is his business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from plugin.actions.evidence import clear
from plugin.flow.decide import waits_for
from plugin.flow.model import CREATOR, MILLION, Document, Flow, FlowState, MailKind, Personal, Recipient, Role
from plugin.flow.owed import MailWork, owed
from plugin.ports import Loaded, Record
from plugin.web.office import office
from plugin.web.schemas import (
    BoxModel,
    CreatorOut,
    Delivery,
    DocumentOut,
    EventOut,
    FlowOut,
    LinkFlowOut,
    MineOut,
    PlacementOut,
    RecipientOut,
    SignedOut,
    StepOut,
    SuspensionOut,
)
from plugin.web.warnings import warnings_of

COPIES_FOR = timedelta(days=30)
PAGE_STATES = Literal["act", "paused", "waiting", "done", "ended"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads. ``recipient``: his id in this flow, if he has one; ``sees_all``: creator or admin."""

    recipient: str | None
    sees_all: bool
    uid: str | None = None


def time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at is not None else None


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(value: Personal | None) -> str | None:
    return value.value if value is not None else None


def read_flow(loaded: Loaded, reader: Reader) -> FlowOut:
    flow = loaded.flow
    return FlowOut(
        id=flow.id,
        kind=flow.kind.value,
        state=flow.state.value,
        title=flow.title.value or "",
        creator=creator_of(flow),
        comment=text(flow.comment),
        created_at=_time(flow.created_at),
        expires_at=None,
        time_zone=flow.time_zone,
        copy_to_all=flow.copy_to_all,
        steps=_steps(loaded, reader),
        documents=[_document(flow, d, reader) for d in flow.documents],
        placements=_placements(flow, reader.recipient),
        events=[_event(record, reader) for record in loaded.records],
        warnings=warnings_of(flow, reader.uid) if reader.sees_all else [],
        suspension=suspension_of(flow),
    )


def read_for_recipient(
    loaded: Loaded, recipient: Recipient, csrf_token: str, consent: str, now: datetime
) -> LinkFlowOut:
    """``flow.json``: early only who asks and who is before; later the state, and the copies where entitled."""
    flow = loaded.flow
    reader = Reader(recipient.id, sees_all=False)
    state = page_state(flow, recipient)
    early = state == "waiting"
    steps = _steps(loaded, reader)
    if early:
        own = flow.step_of(recipient.id)
        steps = steps[:own]
    shows_documents = state == "act" or has_copies(flow, recipient, now)
    return LinkFlowOut(
        id=flow.id,
        kind=flow.kind.value,
        state=flow.state.value,
        title="" if early else (flow.title.value or ""),
        creator=creator_of(flow),
        comment=None if early else text(flow.comment),
        created_at=_time(flow.created_at),
        expires_at=None,
        time_zone=flow.time_zone,
        me=MineOut(
            id=recipient.id,
            role=recipient.role.value,
            state=recipient.state.value,
            round=recipient.round,
            name=recipient.name,
            email=text(recipient.email),
            user=text(recipient.user),
            my_turn=state == "act",
        ),
        csrf_token=csrf_token,
        steps=steps,
        documents=[_document(flow, d, reader) for d in flow.documents] if shows_documents else [],
        placements=_placements(flow, recipient.id) if state == "act" else [],
        consent="" if early else consent,
    )


def suspension_of(flow: Flow) -> SuspensionOut | None:
    if flow.suspension is None:
        return None
    return SuspensionOut(reason=flow.suspension.reason.value, since=_time(flow.suspension.since))


def page_state(flow: Flow, recipient: Recipient) -> PAGE_STATES:
    if flow.state.is_ended:
        return "ended"
    if recipient.state.is_decided:
        return "done"
    if not recipient.state.is_open:
        return "waiting"
    return "paused" if flow.state is FlowState.SUSPENDED else "act"


def has_copies(flow: Flow, recipient: Recipient, now: datetime) -> bool:
    """Whether this recipient may fetch the signed copies: asked for at launch, for 30 days after the end."""
    if not (flow.copy_to_all and flow.is_finished and flow.ended_at and recipient.state.is_decided):
        return False
    return all(d.signed for d in flow.documents) and now - flow.ended_at <= COPIES_FOR


def waiting_for(flow: Flow, recipient: Recipient) -> list[str]:
    return waits_for(flow, recipient.id)


def creator_of(flow: Flow) -> CreatorOut:
    return CreatorOut(
        user=flow.creator.user.value or "", name=flow.creator.name.value or "", email=text(flow.creator.email)
    )


def _steps(loaded: Loaded, reader: Reader) -> list[StepOut]:
    flow = loaded.flow
    opened = office().ctx.vault.opened(flow.id)
    attempts = office().ctx.vault.attempts(flow.id) if reader.sees_all else {}
    return [
        StepOut(
            rule="all",
            recipients=[
                _recipient(flow, flow.recipient(r), reader, opened.get((r, flow.recipient(r).round)), attempts)
                for r in step.recipients
            ],
        )
        for step in flow.steps
    ]


def _recipient(
    flow: Flow, recipient: Recipient, reader: Reader, opened: datetime | None, attempts: Any
) -> RecipientOut:
    own = reader.sees_all or reader.recipient == recipient.id
    return RecipientOut(
        id=recipient.id,
        role=recipient.role.value,
        user=text(recipient.user) if own else None,
        email=text(recipient.email) if own else None,
        first_name=text(recipient.first_name),
        last_name=text(recipient.last_name),
        name=recipient.name if own else recipient.shown_name,
        language=recipient.language if own else None,
        state=recipient.state.value,
        round=recipient.round,
        opened_at=time(opened) if own else None,
        decided_at=time(recipient.decided_at),
        message=text(recipient.message) if own else None,
        comment=text(recipient.comment) if own else None,
        reason=text(recipient.reason),
        replaces=recipient.replaces,
        delivery=_delivery(flow, recipient, attempts) if reader.sees_all else None,
    )


def _delivery(flow: Flow, recipient: Recipient, attempts: Any) -> Delivery | None:
    for mail in reversed(flow.mails):
        if (mail.mail, mail.person, mail.round) == (MailKind.INVITATION, recipient.id, recipient.round):
            return Delivery(state="accepted" if mail.accepted else "failed", at=time(mail.at), reason=mail.reason)
    work = MailWork(MailKind.INVITATION, recipient.id, recipient.round)
    if work in owed(flow, office().ctx.clock()):
        failed = attempts.get(f"{work.mail}:{work.person}:{work.round}")
        return Delivery(state="queued", at=None, reason=failed[1] if failed else None)
    return None


def _document(flow: Flow, document: Document, reader: Reader) -> DocumentOut:
    signed = None
    if document.signed is not None:
        signed = SignedOut(
            file_id=document.signed.file_id,
            path=document.signed.path.value if reader.sees_all else None,
            sha256=document.signed.sha256,
        )
    return DocumentOut(
        n=document.n,
        file_id=document.file_id,
        name=document.name.value or "",
        size_bytes=document.size_bytes,
        mime=document.mime,
        pages=document.pages,
        page_sizes_pt=document.sizes_pt() if document.pages else [],
        sha256=document.sha256,
        current_sha256=document.current_sha256,
        signed=signed,
    )


def _placements(flow: Flow, mine: str | None) -> list[PlacementOut]:
    return [
        PlacementOut(
            document=p.document,
            page=p.page,
            recipient=p.recipient,
            box=BoxModel(x=p.x / MILLION, y=p.y / MILLION, w=p.w / MILLION, h=p.h / MILLION),
            with_text=p.with_text,
            reason=text(p.reason),
            mine=p.recipient == mine,
        )
        for p in flow.placements
    ]


def _event(record: Record, reader: Reader) -> EventOut:
    data = clear(record.data) if reader.sees_all else {}
    if reader.sees_all:
        data = {name: value for name, value in data.items() if name not in ("key", "salts", "trace")}
    elif "recipient" in record.data:
        data = {"recipient": record.data["recipient"]}
    return EventOut(seq=record.seq, at=_time(record.at), type=record.type, actor=record.actor, data=data)


__all__ = ["CREATOR", "Reader", "Role", "has_copies", "page_state", "read_flow", "read_for_recipient", "waiting_for"]

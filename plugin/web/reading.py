"""How a flow reads to those who may read it: creator and admin all of it, a recipient what is his business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plugin.actions.evidence import clear
from plugin.flow.model import MILLION, Document, Flow, FlowState, MailKind, Personal, Recipient, SourceState, Step
from plugin.flow.owed import MailWork, owed
from plugin.flow.reminders import next_reminder
from plugin.ports_state import Loaded, Record
from plugin.ports_vault import Seen
from plugin.web.office import office
from plugin.web.page_state import had_his_turn, has_copies, page_state, state_now
from plugin.web.schemas import (
    CancelledOut,
    CreatorOut,
    Delivery,
    DocumentOut,
    EventOut,
    FlowOut,
    LinkFlowOut,
    MineOut,
    PlacementOut,
    RecipientOut,
    SaveOut,
    SignedOut,
    SourceOut,
    StepOut,
    SuspensionOut,
)
from plugin.web.schemas_asked import BoxModel, NOf
from plugin.web.warnings import waiting_of, warnings_of

NOBODYS_READING = ("key", "salts", "trace", "account", "request", "request_key")
"""Members of events that say nothing of what happened, or more than the people of a flow need to know."""


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
    people = _People(loaded, reader)
    return FlowOut(
        id=flow.id,
        kind=flow.kind.value,
        state=state_now(flow, people.now).value,
        title=flow.title.value or "",
        creator=creator_of(flow),
        comment=text(flow.comment),
        created_at=_time(flow.created_at),
        expires_at=time(flow.expires_at),
        time_zone=flow.time_zone,
        copy_to_all=flow.copy_to_all,
        remind_every=flow.remind_every_days,
        allow_delegation=flow.allow_delegation,
        save=SaveOut(mode=flow.save.mode.value, folder=text(flow.save.folder) if reader.sees_all else None),
        steps=[people.step(step) for step in flow.steps],
        observers=[people.one(r) for r in flow.observers if reader.sees_all or r.id == reader.recipient],
        documents=_documents(flow, reader),
        placements=_placements(flow, reader.recipient),
        events=[_event(record, reader) for record in loaded.records],
        warnings=warnings_of(flow, reader.uid) if reader.sees_all else [],
        suspension=suspension_of(flow),
        cancelled=cancelled_of(flow),
        waiting=waiting_of(flow) if reader.sees_all else None,
        evidence=_evidence(flow, reader),
    )


def read_for_recipient(
    loaded: Loaded, recipient: Recipient, csrf_token: str, consent: str, now: datetime, *, is_old_link: bool = False
) -> LinkFlowOut:
    """``flow.json``: early only who asks and who is before; later the state, and the copies where entitled."""
    flow = loaded.flow
    people = _People(loaded, Reader(recipient.id, sees_all=False))
    state = page_state(flow, recipient, now, is_old_link=is_old_link)
    tells_all = state not in ("waiting", "old", "replaced") and had_his_turn(flow, recipient)
    steps = flow.steps if tells_all else flow.steps[: flow.step_of(recipient.id)] if state == "waiting" else ()
    shows_documents = state == "act" or (state == "ended" and has_copies(flow, recipient, now))
    return LinkFlowOut(
        id=flow.id,
        kind=flow.kind.value,
        state=state_now(flow, now).value,
        title=(flow.title.value or "") if tells_all else "",
        creator=creator_of(flow),
        comment=text(flow.comment) if tells_all else None,
        created_at=_time(flow.created_at),
        expires_at=time(flow.expires_at) if tells_all else None,
        time_zone=flow.time_zone,
        allow_delegation=flow.allow_delegation,
        cancelled=cancelled_of(flow) if tells_all else None,
        me=MineOut(
            id=recipient.id,
            role=recipient.role.value,
            state=recipient.state.value,
            round=recipient.round,
            name="" if is_old_link else recipient.name,
            email=None if is_old_link else text(recipient.email),
            user=None if is_old_link else text(recipient.user),
            my_turn=state == "act",
            is_old_link=is_old_link,
        ),
        csrf_token=csrf_token,
        steps=[people.step(step) for step in steps],
        documents=_documents(flow, people.reader) if shows_documents else [],
        placements=_placements(flow, recipient.id) if state == "act" else [],
        consent=consent if tells_all else "",
    )


def cancelled_of(flow: Flow) -> CancelledOut | None:
    if flow.ended_by is None:
        return None
    return CancelledOut(by=flow.ended_by.value, reason=text(flow.end_reason))


def _evidence(flow: Flow, reader: Reader) -> SignedOut | None:
    stored = flow.evidence
    if stored is None:
        return None
    return SignedOut(file_id=stored.file_id, path=stored.path.value if reader.sees_all else None, sha256=stored.sha256)


def suspension_of(flow: Flow) -> SuspensionOut | None:
    if flow.suspension is None:
        return None
    return SuspensionOut(reason=flow.suspension.reason.value, since=_time(flow.suspension.since))


def creator_of(flow: Flow) -> CreatorOut:
    return CreatorOut(
        user=flow.creator.user.value or "", name=flow.creator.name.value or "", email=text(flow.creator.email)
    )


class _People:
    """The recipients of one flow as this reader sees them."""

    def __init__(self, loaded: Loaded, reader: Reader) -> None:
        ctx = office().ctx
        self.reader = reader
        self.now = ctx.clock()
        self._flow = loaded.flow
        self._opened = ctx.vault.opened(loaded.flow.id)
        self._attempts = ctx.vault.attempts(loaded.flow.id) if reader.sees_all else {}
        self._by_id = {recipient.id: recipient for recipient in loaded.flow.recipients}
        self._owed = set(owed(loaded.flow, self.now)) if reader.sees_all else set()

    def step(self, step: Step) -> StepOut:
        return StepOut(
            rule=NOf(n=step.n or 1) if step.rule == "n" else step.rule,  # type: ignore[arg-type]  # a word of the enumeration
            recipients=[self.one(self._by_id[recipient]) for recipient in step.recipients],
        )

    def one(self, recipient: Recipient) -> RecipientOut:
        own = self.reader.sees_all or self.reader.recipient == recipient.id
        flow, sees_all = self._flow, self.reader.sees_all
        opened = self._opened.get((recipient.id, recipient.round))
        is_reminded = sees_all and recipient.state.is_open and flow.state is FlowState.RUNNING
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
            reminded_at=time(recipient.reminded_at) if sees_all else None,
            next_reminder_at=time(next_reminder(flow, recipient)) if is_reminded else None,
            delivery=self._delivery(recipient) if sees_all else None,
        )

    def _delivery(self, recipient: Recipient) -> Delivery | None:
        for mail in reversed(self._flow.mails):
            if (mail.mail, mail.person, mail.round) == (MailKind.INVITATION, recipient.id, recipient.round):
                return Delivery(state="accepted" if mail.accepted else "failed", at=time(mail.at), reason=mail.reason)
        work = MailWork(MailKind.INVITATION, recipient.id, recipient.round)
        if work in self._owed:
            failed = self._attempts.get(f"{work.mail}:{work.person}:{work.round}")
            return Delivery(state="queued", at=None, reason=failed[1] if failed else None)
        return None


def _documents(flow: Flow, reader: Reader) -> list[DocumentOut]:
    seen = office().ctx.vault.seen(flow.id) if reader.sees_all else {}
    return [_document(document, reader, seen.get(document.n)) for document in flow.documents]


def _document(document: Document, reader: Reader, seen: Seen | None) -> DocumentOut:
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
        source=_source(document, seen) if reader.sees_all else None,
    )


def _source(document: Document, seen: Seen | None) -> SourceOut:
    is_there = seen is not None and document.source is not SourceState.GONE
    return SourceOut(state=document.source.value, path=seen.path if seen is not None and is_there else None)


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
    data: Any = {}
    if reader.sees_all:
        data = _readable(clear(record.data))
    elif "recipient" in record.data:
        data = {"recipient": record.data["recipient"]}
    return EventOut(seq=record.seq, at=_time(record.at), type=record.type, actor=record.actor, data=data)


def _readable(value: Any) -> Any:
    """Without what tells accounts, addresses of machines and requests apart."""
    if isinstance(value, dict):
        return {name: _readable(member) for name, member in value.items() if name not in NOBODYS_READING}
    return [_readable(item) for item in value] if isinstance(value, list) else value

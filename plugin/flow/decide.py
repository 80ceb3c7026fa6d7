"""``decide(flow, command, now)``: the events that a command makes, or the reason why it makes none.

Pure: the same flow, command and time give the same events. Facts about files and seals come with the command.
"""

from __future__ import annotations

from datetime import datetime

from plugin.flow import steering
from plugin.flow.commands import (
    Approve,
    Cancel,
    Command,
    Delegate,
    Erase,
    Expire,
    Extend,
    Finish,
    Launch,
    NewLink,
    NoteSource,
    RecordMail,
    Refuse,
    Remind,
    Replace,
    Restart,
    Resume,
    Sign,
    StoreEvidence,
    Suspend,
    View,
)
from plugin.flow.errors import Conflict, Invalid
from plugin.flow.events import (
    FORMAT,
    Approved,
    Completed,
    Event,
    EvidenceStored,
    Launched,
    MailAccepted,
    MailFailed,
    RefusedByRecipient,
    ShownRevision,
    Signed,
    Trace,
    Viewed,
)
from plugin.flow.evolve import evolve
from plugin.flow.launch_rules import check_launch
from plugin.flow.model import BESIDE, Flow, FlowState, Recipient, RecipientState, Role
from plugin.flow.times import instant
from plugin.flow.turns import check_turn, invitations, waits_for, with_what_follows

__all__ = ["check_turn", "decide", "is_repeat", "waits_for"]


def decide(flow: Flow | None, command: Command, now: datetime) -> list[Event]:
    """Raises: Invalid, Conflict. Nothing is owed to the caller but the events."""
    if isinstance(command, Launch):
        return _launch(command, now)
    if flow is None:
        raise ValueError("only a launch begins a flow")
    match command:
        case View():
            return _view(flow, command, now)
        case Approve():
            return _approve(flow, command, now)
        case Sign():
            return _sign(flow, command, now)
        case Refuse():
            return _refuse(flow, command, now)
        case Delegate():
            return steering.delegate(flow, command, now)
        case Remind():
            return steering.remind(flow, command, now)
        case Replace():
            return steering.replace_recipient(flow, command, now)
        case NewLink():
            return steering.new_link(flow, command, now)
        case Extend():
            return steering.extend(flow, command, now)
        case Expire():
            return steering.expire(flow, now)
        case Cancel():
            return steering.cancel(flow, command, now)
        case Suspend():
            return steering.suspend(flow, command)
        case Resume():
            return steering.resume(flow, command, now)
        case Restart():
            return steering.restart(flow, command, now)
        case NoteSource():
            return steering.note_source(flow, command, now)
        case Erase():
            return steering.erase(flow, command)
        case Finish():
            return _finish(flow, command)
        case StoreEvidence():
            return _store_evidence(flow, command)
        case RecordMail():
            return _record_mail(flow, command)


def is_repeat(recipient: Recipient, trace: Trace) -> bool:
    """The same act again, after success: same body, or same Idempotency-Key."""
    if not recipient.state.is_decided:
        return False
    if recipient.request == trace.request:
        return True
    return trace.request_key is not None and recipient.request_key == trace.request_key


def _launch(command: Launch, now: datetime) -> list[Event]:
    check_launch(command, now)
    launched = Launched(
        format=FORMAT,
        flow_id=command.flow_id,
        kind=command.kind,
        title=command.title,
        creator=command.creator,
        language=command.language,
        time_zone=command.time_zone,
        comment=command.comment,
        copy_to_all=command.copy_to_all,
        documents=command.documents,
        recipients=command.recipients,
        steps=command.steps,
        placements=command.placements,
        request=command.request,
        request_key=command.request_key,
        expires_at=instant(command.expires_at) if command.expires_at is not None else None,
        remind_every_days=command.remind_every_days,
        quiet_days=command.quiet_days if command.remind_every_days is not None and command.quiet_days else None,
        allow_delegation=command.allow_delegation or None,
        save=command.save if command.save != BESIDE else None,
    )
    return [launched, *invitations(evolve(None, launched, now))]


def _view(flow: Flow, command: View, now: datetime) -> list[Event]:
    recipient = check_turn(flow, command.recipient, now, command.link_round)
    known = {d.n for d in flow.documents}
    unknown = sorted(command.documents - known)
    if unknown:
        raise Invalid("documents", "no-such-document", n=unknown[0])
    new = sorted(command.documents - recipient.viewed)
    if not new and recipient.state is RecipientState.VIEWED:
        return []
    return [Viewed(recipient.id, recipient.round, tuple(new))]


def _approve(flow: Flow, command: Approve, now: datetime) -> list[Event]:
    recipient = check_turn(flow, command.recipient, now, command.link_round)
    _check_role(recipient, Role.VALIDATOR)
    _check_shown(flow, recipient, command.shown)
    shown = tuple(ShownRevision(n, sha) for n, sha in sorted(command.shown.items()))
    return with_what_follows(flow, Approved(recipient.id, recipient.round, shown, command.comment, command.trace), now)


def _sign(flow: Flow, command: Sign, now: datetime) -> list[Event]:
    recipient = check_turn(flow, command.recipient, now, command.link_round)
    _check_role(recipient, Role.SIGNATORY)
    if not command.consented:
        raise Invalid("consent", "consent-required")
    _check_shown(flow, recipient, command.shown)
    if command.sealed is None:
        return []
    signed = Signed(
        recipient=recipient.id,
        round=recipient.round,
        documents=command.sealed,
        signature_kind=command.signature_kind,
        ink_sha256=command.ink_sha256,
        consent=command.consent,
        trace=command.trace,
    )
    return with_what_follows(flow, signed, now)


def _refuse(flow: Flow, command: Refuse, now: datetime) -> list[Event]:
    recipient = check_turn(flow, command.recipient, now, command.link_round)
    if not (command.reason.value or "").strip():
        raise Invalid("reason", "reason-required")
    return [RefusedByRecipient(recipient.id, recipient.round, command.reason, command.trace)]


def _finish(flow: Flow, command: Finish) -> list[Event]:
    """Nothing to do twice, nor while nobody may act: a flow that is not running stays as it is."""
    if flow.state is not FlowState.RUNNING or not flow.all_decided:
        return []
    return [Completed(command.copies)]


def _store_evidence(flow: Flow, command: StoreEvidence) -> list[Event]:
    if not flow.is_finished or flow.evidence is not None:
        return []
    stored = command.evidence
    return [EvidenceStored(stored.file_id, stored.path, stored.sha256)]


def _record_mail(flow: Flow, command: RecordMail) -> list[Event]:
    if any((m.mail, m.person, m.round) == (command.mail, command.person, command.round) for m in flow.mails):
        return []
    if command.reason is None:
        return [MailAccepted(command.mail, command.person, command.round, command.message_id)]
    return [MailFailed(command.mail, command.person, command.round, command.reason)]


def _check_role(recipient: Recipient, role: Role) -> None:
    if recipient.role is not role:
        raise Invalid("", "wrong-act", role=str(recipient.role))


def _check_shown(flow: Flow, recipient: Recipient, shown: dict[int, str]) -> None:
    """Every document is named, by a revision that was current in this round or came after it.

    Raises: Invalid for a set of documents that is not the flow's; Conflict documents-changed for another content.
    """
    known = {d.n for d in flow.documents}
    for n in sorted(set(shown) - known):
        raise Invalid(f"documents.{n}", "no-such-document", n=n)
    for n in sorted(known - set(shown)):
        raise Invalid(f"documents.{n}", "document-missing", n=n)
    for document in flow.documents:
        accepted = document.revisions or (document.sha256,)
        begun = recipient.since[document.n] if document.n < len(recipient.since) else accepted[0]
        if begun in accepted:
            accepted = accepted[accepted.index(begun) :]
        if shown[document.n] not in accepted:
            raise Conflict("documents-changed", n=document.n, state=str(flow.state))

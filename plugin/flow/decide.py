"""``decide(flow, command)``: the events that a command makes, or the reason why it makes none.

Pure: the same flow and command give the same events. Facts about files and seals come with the command.
"""

from __future__ import annotations

from datetime import UTC, datetime

from plugin.flow.commands import Approve, Command, Finish, Launch, RecordMail, Refuse, Resume, Sign, Suspend, View
from plugin.flow.errors import Conflict, Invalid, NotAvailableYet
from plugin.flow.events import (
    FORMAT,
    Approved,
    Completed,
    Event,
    Invited,
    Launched,
    MailAccepted,
    MailFailed,
    RefusedByRecipient,
    Resumed,
    ShownRevision,
    Signed,
    Suspended,
    Trace,
    Viewed,
)
from plugin.flow.evolve import evolve
from plugin.flow.launch_rules import check_launch
from plugin.flow.model import Flow, FlowState, Recipient, RecipientState, Role

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""The time does not matter while looking ahead at who comes next."""


def decide(flow: Flow | None, command: Command) -> list[Event]:
    """Raises: Invalid, Conflict. Nothing is owed to the caller but the events."""
    if isinstance(command, Launch):
        return _launch(command)
    if flow is None:
        raise ValueError("only a launch begins a flow")
    match command:
        case View():
            return _view(flow, command)
        case Approve():
            return _approve(flow, command)
        case Sign():
            return _sign(flow, command)
        case Refuse():
            return _refuse(flow, command)
        case Suspend():
            return _suspend(flow, command)
        case Resume():
            return _resume(flow, command)
        case Finish():
            return _finish(flow, command)
        case RecordMail():
            return _record_mail(flow, command)


def is_repeat(recipient: Recipient, trace: Trace) -> bool:
    """The same act again, after success: same body, or same Idempotency-Key."""
    if not recipient.state.is_decided:
        return False
    if recipient.request == trace.request:
        return True
    return trace.request_key is not None and recipient.request_key == trace.request_key


def check_turn(flow: Flow, recipient_id: str) -> Recipient:
    """Whoever may act now, else why not, before anything of the request is looked at.

    Raises: Conflict replaced, already-decided, flow-ended, flow-suspended, not-your-turn (``before``: names).
    """
    recipient = flow.recipient(recipient_id)
    if recipient.state is RecipientState.REPLACED:
        raise Conflict("replaced")
    if recipient.state.is_decided:
        raise Conflict("already-decided", state=str(recipient.state))
    if flow.state.is_ended:
        raise Conflict("flow-ended", state=str(flow.state))
    if flow.state is FlowState.SUSPENDED:
        raise Conflict("flow-suspended")
    if not recipient.state.is_open:
        raise Conflict("not-your-turn", before=waits_for(flow, recipient_id))
    return recipient


def waits_for(flow: Flow, recipient_id: str) -> list[str]:
    """The names of those whose decision comes before this person's, still open ones only."""
    own = flow.step_of(recipient_id)
    earlier = (flow.recipient(r) for step in flow.steps[:own] for r in step.recipients)
    return [r.shown_name for r in earlier if r.state is RecipientState.WAITING or r.state.is_open]


def _launch(command: Launch) -> list[Event]:
    check_launch(command)
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
    )
    flow = evolve(None, launched, _ANY_TIME)
    return [launched, *_invitations(flow)]


def _view(flow: Flow, command: View) -> list[Event]:
    recipient = check_turn(flow, command.recipient)
    known = {d.n for d in flow.documents}
    unknown = sorted(command.documents - known)
    if unknown:
        raise Invalid("documents", "no-such-document", n=unknown[0])
    new = sorted(command.documents - recipient.viewed)
    if not new and recipient.state is RecipientState.VIEWED:
        return []
    return [Viewed(recipient.id, recipient.round, tuple(new))]


def _approve(flow: Flow, command: Approve) -> list[Event]:
    recipient = check_turn(flow, command.recipient)
    _check_role(recipient, Role.VALIDATOR)
    _check_shown(flow, recipient, command.shown)
    shown = tuple(ShownRevision(n, sha) for n, sha in sorted(command.shown.items()))
    return _then(flow, Approved(recipient.id, recipient.round, shown, command.comment, command.trace))


def _sign(flow: Flow, command: Sign) -> list[Event]:
    recipient = check_turn(flow, command.recipient)
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
    return _then(flow, signed)


def _refuse(flow: Flow, command: Refuse) -> list[Event]:
    recipient = check_turn(flow, command.recipient)
    if not (command.reason.value or "").strip():
        raise Invalid("reason", "reason-required")
    return [RefusedByRecipient(recipient.id, recipient.round, command.reason, command.trace)]


def _suspend(flow: Flow, command: Suspend) -> list[Event]:
    """Once is enough; what has ended stays as it is."""
    if flow.state is not FlowState.RUNNING:
        return []
    since = command.since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [Suspended(command.reason, since)]


def _resume(flow: Flow, command: Resume) -> list[Event]:
    """Whoever had been invited still is."""
    if command.choice != "continue":
        raise NotAvailableYet("choice")
    if flow.state.is_ended:
        raise Conflict("flow-ended", state=str(flow.state))
    if flow.state is not FlowState.SUSPENDED:
        raise Conflict("not-suspended")
    return [Resumed(command.choice)]


def _finish(flow: Flow, command: Finish) -> list[Event]:
    """Nothing to do twice: a flow that is finished stays as it is."""
    if flow.is_finished or not flow.all_decided:
        return []
    return [Completed(command.copies)]


def _record_mail(flow: Flow, command: RecordMail) -> list[Event]:
    done = {(m.mail, m.person, m.round) for m in flow.mails}
    if (command.mail, command.person, command.round) in done:
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
            raise Conflict("documents-changed", n=document.n)


def _then(flow: Flow, event: Event) -> list[Event]:
    """The event, and what follows from it at once: the next round, or the end of a validation."""
    after = evolve(flow, event, _ANY_TIME)
    if not after.all_decided:
        return [event, *_invitations(after)]
    if any(document.revisions for document in after.documents):
        return [event]
    return [event, Completed(())]


def _invitations(flow: Flow) -> list[Event]:
    """The rounds that begin now: those of the first step that is not done, unless they began already."""
    documents = tuple(ShownRevision(d.n, d.current_sha256) for d in flow.documents)
    for step in flow.steps:
        if flow.step_is_done(step):
            continue
        waiting = [flow.recipient(r) for r in step.recipients]
        return [Invited(r.id, r.round, documents) for r in waiting if r.state is RecipientState.WAITING]
    return []

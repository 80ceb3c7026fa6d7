"""What the creator, an administrator, the clock or the outside do to a flow that is on its way.

Each of them may be asked twice: what is so already makes no event.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from plugin.flow.commands import (
    Cancel,
    Delegate,
    Erase,
    Extend,
    NewLink,
    NoteSource,
    Remind,
    Replace,
    Restart,
    Resume,
    Suspend,
)
from plugin.flow.errors import Conflict, Invalid, NotFound
from plugin.flow.events import (
    AskedRecipient,
    Cancelled,
    Delegated,
    Event,
    Expired,
    Extended,
    Invited,
    LinkRenewed,
    PersonErased,
    Reminded,
    Replaced,
    Restarted,
    Resumed,
    SourceChanged,
    Suspended,
)
from plugin.flow.evolve import evolve
from plugin.flow.launch_rules import MAX_RECIPIENTS, check_deadline
from plugin.flow.model import (
    CREATOR,
    By,
    Flow,
    FlowState,
    Kind,
    Personal,
    Recipient,
    RecipientState,
    Role,
    SourceState,
    SuspendReason,
)
from plugin.flow.reminders import heard_at, next_reminder
from plugin.flow.times import instant, is_decent
from plugin.flow.turns import check_not_ended, check_running, check_turn, invitations, shown_now

REMIND_AGAIN_AFTER = timedelta(hours=1)
DOUBLE_CLICK = timedelta(seconds=60)
"""What is asked for again within it was meant once."""


def remind(flow: Flow, command: Remind, now: datetime) -> list[Event]:
    """Raises: Conflict flow-ended, flow-suspended, nobody-to-remind, not-invited-yet, reminded-recently
    (``again_at``)."""
    if command.by is By.SYSTEM:
        if flow.state is not FlowState.RUNNING or flow.has_passed(now):
            return []
        due = [r for r in _named(flow, command.recipients) if r.state.is_open and _is_due(flow, r, now)]
        return [Reminded(r.id, r.round, r.reminders + 1, command.by) for r in due]
    check_running(flow, now)
    asked = [r for r in _named(flow, command.recipients) if r.state.is_open]
    if not asked:
        raise Conflict("nobody-to-remind", state=str(flow.state))
    heard = heard_at(flow)
    asked = [r for r in asked if (r.id, r.round) in heard]
    if not asked:
        raise Conflict("not-invited-yet", state=str(flow.state))
    clicked_twice = [r for r in asked if r.reminded_at is not None and now - r.reminded_at < DOUBLE_CLICK]
    ready = [r for r in asked if r.reminded_at is None or now - r.reminded_at >= REMIND_AGAIN_AFTER]
    if not ready and not clicked_twice:
        last = max(r.reminded_at for r in asked if r.reminded_at is not None)
        raise Conflict("reminded-recently", again_at=instant(last + REMIND_AGAIN_AFTER), state=str(flow.state))
    return [Reminded(r.id, r.round, r.reminders + 1, command.by) for r in ready]


def _named(flow: Flow, recipients: tuple[str, ...] | None) -> list[Recipient]:
    if recipients is None:
        return list(flow.recipients)
    return [_known(flow, recipient) for recipient in dict.fromkeys(recipients)]


def _known(flow: Flow, recipient: str) -> Recipient:
    """Raises: NotFound."""
    try:
        return flow.recipient(recipient)
    except KeyError:
        raise NotFound from None


def _is_due(flow: Flow, recipient: Recipient, now: datetime) -> bool:
    due = next_reminder(flow, recipient)
    return due is not None and due <= now and is_decent(now, flow.time_zone, flow.quiet_days)


def replace_recipient(flow: Flow, command: Replace, now: datetime) -> list[Event]:
    """Raises: NotFound; Conflict already-decided, replaced, not-needed, flow-ended; Invalid duplicate-recipient."""
    old = _known(flow, command.recipient)
    if _is_there_already(flow, old, command.new):
        return []
    if old.state is RecipientState.REPLACED:
        raise Conflict("replaced", state=str(old.state))
    if old.state.is_decided:
        raise Conflict("already-decided", state=str(old.state))
    check_not_ended(flow, now)
    if old.state is RecipientState.SKIPPED:
        raise Conflict("not-needed", state=str(old.state))
    _check_new(flow, old, command.new, corrects=_who(command.new) == _who(old))
    return _in_place(flow, Replaced(old.id, old.round, command.new, command.by), now)


def delegate(flow: Flow, command: Delegate, now: datetime) -> list[Event]:
    """Raises: as `replace_recipient`, and Conflict not-your-turn, delegation-not-allowed."""
    old = _known(flow, command.recipient)
    if old.has_delegated and _is_there_already(flow, old, command.new):
        return []
    old = check_turn(flow, command.recipient, now, command.link_round)
    if not flow.allow_delegation:
        raise Conflict("delegation-not-allowed", state=str(flow.state))
    _check_new(flow, old, command.new)
    return _in_place(flow, Delegated(old.id, old.round, command.new, command.comment, command.trace), now)


def _in_place(flow: Flow, event: Replaced | Delegated, now: datetime) -> list[Event]:
    return [event, *invitations(evolve(flow, event, now))]


def _is_there_already(flow: Flow, old: Recipient, new: AskedRecipient) -> bool:
    """The same replacement was made before."""
    by = next((r for r in flow.recipients if r.replaces == old.id), None)
    return by is not None and _who(by) == _who(new)


def _who(person: Recipient | AskedRecipient) -> tuple[str, str]:
    user, email = (_folded(value) for value in (person.user, person.email))
    return (user, "") if user else ("", email)


def _described(person: Recipient | AskedRecipient) -> tuple[str, ...]:
    """Somebody whose name or language was wrong may be put in his own place."""
    texts = (person.user, person.email, person.first_name, person.last_name)
    return (*((value.value or "") if value is not None else "" for value in texts), person.language)


def _folded(value: Personal | None) -> str:
    return (value.value or "").casefold() if value is not None else ""


def _check_new(flow: Flow, old: Recipient, new: AskedRecipient, *, corrects: bool = False) -> None:
    """``corrects``: it is the same person, whose name or language was wrong. Raises: Invalid."""
    path = "user" if new.user is not None else "email"
    taking_part = [
        r for r in flow.recipients if r.state is not RecipientState.REPLACED and not (corrects and r.id == old.id)
    ]
    if corrects and _described(new) == _described(old):
        raise Invalid(path, "duplicate-recipient")
    for other in taking_part:
        same_user = bool(_folded(new.user)) and _folded(new.user) == _folded(other.user)
        if same_user or (bool(_folded(new.email)) and _folded(new.email) == _folded(other.email)):
            raise Invalid(path, "duplicate-recipient")
    if len(flow.recipients) >= 2 * MAX_RECIPIENTS:
        raise Invalid(path, "too-many-recipients", limit=2 * MAX_RECIPIENTS)
    if new.id != flow.next_recipient_id or new.role is not old.role:
        raise ValueError("a replacement has the next id and the same role")


def new_link(flow: Flow, command: NewLink, now: datetime) -> list[Event]:
    """A new round: the link of the one before acts no more. Raises: NotFound; Conflict."""
    recipient = _known(flow, command.recipient)
    recipient = check_turn(flow, recipient.id, now)
    if recipient.round > 1 and recipient.invited_at is not None and now - recipient.invited_at < DOUBLE_CLICK:
        return []
    renewed = LinkRenewed(recipient.id, recipient.round, command.by)
    return [renewed, Invited(recipient.id, recipient.round + 1, shown_now(flow))]


def extend(flow: Flow, command: Extend, now: datetime) -> list[Event]:
    """Raises: Conflict flow-ended; Invalid in-the-past, too-far, not-later."""
    check_not_ended(flow, now)
    if flow.all_decided:
        raise Conflict("all-decided", state=str(flow.state))
    wanted = instant(command.expires_at)
    if flow.expires_at is not None and instant(flow.expires_at) == wanted:
        return []
    check_deadline(command.expires_at, now)
    if flow.expires_at is not None and command.expires_at < flow.expires_at:
        raise Invalid("expires_at", "not-later", expires_at=instant(flow.expires_at))
    return [Extended(wanted, command.by)]


def expire(flow: Flow, now: datetime) -> list[Event]:
    if flow.state.is_ended or not flow.has_passed(now) or flow.expires_at is None:
        return []
    return [Expired(instant(flow.expires_at))]


def cancel(flow: Flow, command: Cancel, now: datetime) -> list[Event]:
    """Raises: Conflict flow-ended, all-decided; Invalid reason-required."""
    reason = (command.reason.value or "").strip() if command.reason is not None else ""
    if flow.state is FlowState.CANCELLED and (flow.end_reason.value if flow.end_reason else "") == reason:
        return []
    check_not_ended(flow, now)
    if flow.all_decided:
        raise Conflict("all-decided", state=str(flow.state))
    if not reason and flow.state is not FlowState.SUSPENDED:
        raise Invalid("reason", "reason-required")
    return [Cancelled(Personal(CREATOR, reason) if reason else None, command.by)]


def suspend(flow: Flow, command: Suspend) -> list[Event]:
    """Once is enough; what has ended stays as it is."""
    if flow.state is not FlowState.RUNNING:
        return []
    return [Suspended(command.reason, instant(command.since))]


def resume(flow: Flow, command: Resume, now: datetime) -> list[Event]:
    """Whoever had been invited still is. A validation whose files have changed meanwhile waits for its creator.

    Raises: Conflict flow-ended, not-suspended.
    """
    if command.choice != "continue":
        raise Invalid("choice")
    check_not_ended(flow, now)
    if flow.state is not FlowState.SUSPENDED:
        raise Conflict("not-suspended", state=str(flow.state))
    return _gone_on(flow, Resumed(command.choice), now)


def _gone_on(flow: Flow, resumed: Resumed, now: datetime) -> list[Event]:
    after = evolve(flow, resumed, now)
    reason = _source_reason(after)
    return [resumed, Suspended(reason, instant(now))] if reason is not None else [resumed, *invitations(after)]


def restart(flow: Flow, command: Restart, now: datetime) -> list[Event]:
    """Raises: Conflict flow-ended, not-suspended, only-validations-restart."""
    check_not_ended(flow, now)
    if flow.state is not FlowState.SUSPENDED:
        raise Conflict("not-suspended", state=str(flow.state))
    if flow.kind is not Kind.VALIDATION:
        raise Conflict("only-validations-restart", state=str(flow.state))
    if [(d.n, d.file_id) for d in command.documents] != [(d.n, d.file_id) for d in flow.documents]:
        raise ValueError("a restart is about the same files")
    restarted = Restarted(command.documents, command.by)
    return [restarted, *invitations(evolve(flow, restarted, now))]


def note_source(flow: Flow, command: NoteSource, now: datetime) -> list[Event]:
    """Signatures go on with what was pinned; a validation waits for its creator's choice, and goes on by itself where
    every file is again what it was. Raises: NotFound."""
    if flow.state.is_ended:
        return []
    if not 0 <= command.n < len(flow.documents):
        raise NotFound
    document = flow.documents[command.n]
    state, sha256 = command.state, command.sha256 if command.state is SourceState.CHANGED else None
    if sha256 is not None and sha256 == document.sha256:
        state, sha256 = SourceState.SAME, None  # it was looked at before a restart pinned just that
    if (document.source, document.source_sha256) == (state, sha256):
        return []
    changed = SourceChanged(command.n, state, sha256)
    after = evolve(flow, changed, now)
    reason = _source_reason(after)
    if flow.state is FlowState.RUNNING and reason is not None:
        return [changed, Suspended(reason, instant(now))]
    about_sources = flow.suspension is not None and flow.suspension.reason.is_about_sources
    if flow.state is FlowState.SUSPENDED and about_sources and reason is None:
        return [changed, *_gone_on(after, Resumed("continue"), now)]
    return [changed]


def _source_reason(flow: Flow) -> SuspendReason | None:
    """Why a validation has to wait for its creator, as far as its files are concerned."""
    if flow.kind is not Kind.VALIDATION or flow.all_decided:
        return None
    states = {d.source for d in flow.documents if not d.source.is_pinned_content and not d.source_accepted}
    if SourceState.CHANGED in states:
        return SuspendReason.SOURCE_CHANGED
    return SuspendReason.SOURCE_GONE if states else None


def erase(flow: Flow, command: Erase) -> list[Event]:
    """Raises: NotFound; Conflict flow-running, for somebody who still takes part."""
    if command.person != CREATOR:
        recipient = _known(flow, command.person)
        takes_part = recipient.state is not RecipientState.REPLACED
    else:
        takes_part = True
    if command.person in flow.erased:
        return []
    if takes_part and command.goes_on and not flow.state.is_ended:
        raise Conflict("flow-running", state=str(flow.state))
    return [PersonErased(command.person, command.by)]


def replacement(old: Recipient, new_id: str, new: AskedRecipient) -> AskedRecipient:
    """``new`` as the flow wants it: in that place, with that id."""
    return replace(new, id=new_id, role=Role(old.role))

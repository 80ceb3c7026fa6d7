"""Whose turn it is: who may act, who is before whom, and which rounds begin when something has happened."""

from __future__ import annotations

from datetime import datetime

from plugin.flow.errors import Conflict
from plugin.flow.events import Completed, Event, Invited, ShownRevision, Skipped
from plugin.flow.evolve import evolve
from plugin.flow.model import Flow, FlowState, Recipient, RecipientState


def check_turn(flow: Flow, recipient_id: str, now: datetime, link_round: int | None = None) -> Recipient:
    """Whoever may act now, else why not, before anything of the request is looked at. ``link_round``: of the link by
    which he acts; None: he acts in his session.

    Raises: Conflict replaced (``by`` "newer-link", where it is only the link that was), already-decided, flow-ended,
    not-needed, flow-suspended, not-your-turn (``before``: names); each with the ``state`` of the flow, or of the
    recipient where that is why.
    """
    recipient = flow.recipient(recipient_id)
    if recipient.state is RecipientState.REPLACED:
        raise Conflict("replaced", state=str(recipient.state))
    check_link(recipient, link_round)
    if recipient.state.is_decided:
        raise Conflict("already-decided", state=str(recipient.state))
    check_running(flow, now)
    if recipient.state is RecipientState.SKIPPED:
        raise Conflict("not-needed", state=str(recipient.state))
    if not recipient.state.is_open:
        raise Conflict("not-your-turn", before=waits_for(flow, recipient_id), state=str(recipient.state))
    return recipient


def check_link(recipient: Recipient, link_round: int | None) -> None:
    """Raises: Conflict replaced, with what the link was replaced by."""
    if link_round is not None and is_old_link(recipient, link_round):
        raise Conflict("replaced", by="newer-link", state=str(recipient.state))


def is_old_link(recipient: Recipient, link_round: int) -> bool:
    """A newer link was made for the same person; not where everybody was asked to start again, and he waits."""
    is_next = link_round == recipient.round - 1 and recipient.invited_at is None
    return link_round < recipient.round and not is_next


def check_running(flow: Flow, now: datetime) -> None:
    """Raises: Conflict flow-ended, flow-suspended."""
    check_not_ended(flow, now)
    if flow.state is FlowState.SUSPENDED:
        raise Conflict("flow-suspended", state=str(flow.state))


def check_not_ended(flow: Flow, now: datetime) -> None:
    """A deadline that has passed ends the flow, even before that is written down. Raises: Conflict flow-ended."""
    if flow.state.is_ended:
        raise Conflict("flow-ended", state=str(flow.state))
    if flow.has_passed(now):
        raise Conflict("flow-ended", state=str(FlowState.EXPIRED))


def waits_for(flow: Flow, recipient_id: str) -> list[str]:
    """The names of those whose decision comes before this person's, still open ones only; none for observers."""
    own = next((number for number, step in enumerate(flow.steps) if recipient_id in step.recipients), 0)
    earlier = (flow.recipient(r) for step in flow.steps[:own] for r in step.recipients)
    return [r.shown_name for r in earlier if r.state is RecipientState.WAITING or r.state.is_open]


def invitations(flow: Flow) -> list[Event]:
    """The rounds that begin now: those of the first step that is not done, unless they began already."""
    step = flow.current_step
    if step is None or flow.state is not FlowState.RUNNING:
        return []
    members = frozenset(step.recipients)
    waiting = [r for r in flow.recipients if r.state is RecipientState.WAITING and r.id in members]
    if not waiting:
        return []
    documents = shown_now(flow)
    return [Invited(r.id, r.round, documents) for r in waiting]


def shown_now(flow: Flow) -> tuple[ShownRevision, ...]:
    return tuple(ShownRevision(d.n, d.current_sha256) for d in flow.documents)


def with_what_follows(flow: Flow, event: Event, now: datetime) -> list[Event]:
    """The event, and what follows from it at once: who is not asked any more, who is asked now, or the end of a
    validation."""
    events = [event]
    after = evolve(flow, event, now)
    people = {r.id: r for r in after.recipients}
    for other in (people[recipient] for step in after.done_steps for recipient in step.recipients):
        if other.state is RecipientState.WAITING or other.state.is_open:
            skipped = Skipped(other.id, other.round)
            events.append(skipped)
            after = evolve(after, skipped, now)
    if not after.all_decided:
        return [*events, *invitations(after)]
    if any(document.revisions for document in after.documents):
        return events
    return [*events, Completed(())]

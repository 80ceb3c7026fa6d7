"""What somebody meets who opens his page of a flow."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from plugin.flow.decide import check_turn
from plugin.flow.errors import Conflict
from plugin.flow.model import Flow, FlowState, Recipient, RecipientState, Role

COPIES_FOR = timedelta(days=30)
PageState = Literal["act", "paused", "waiting", "observer", "done", "skipped", "replaced", "old", "ended"]
"""``old``: the link belongs to an earlier round. ``observer``: his copies come when everybody has decided."""


def state_now(flow: Flow, now: datetime) -> FlowState:
    """A deadline that has passed ends a flow, even before that is written down."""
    return FlowState.EXPIRED if not flow.state.is_ended and flow.has_passed(now) else flow.state


def page_state(flow: Flow, recipient: Recipient, now: datetime, *, is_old_link: bool = False) -> PageState:
    if is_old_link:
        return "old"
    if recipient.state is RecipientState.REPLACED:
        return "replaced"
    if state_now(flow, now).is_ended:
        return "ended"
    if recipient.role is Role.OBSERVER:
        return "observer"
    if recipient.state.is_decided:
        return "done"
    if recipient.state is RecipientState.SKIPPED:
        return "skipped"
    if not recipient.state.is_open:
        return "waiting"
    return "paused" if flow.state is FlowState.SUSPENDED else "act"


def own_part(flow: Flow, uid: str) -> Recipient | None:
    """Who this platform user is in a flow: the one who may act, else the one who was not replaced."""
    mine = flow.recipients_of_user(uid)
    mine.sort(key=lambda r: (r.state.is_open, r.state is not RecipientState.REPLACED))
    return mine[-1] if mine else None


def check_may_read(flow: Flow, recipient: Recipient, now: datetime) -> None:
    """Whoever's turn has come reads the flow; an observer once it is completed.

    Raises: Conflict not-your-turn (``before``), replaced, not-needed, flow-ended.
    """
    if recipient.state is RecipientState.REPLACED:
        raise Conflict("replaced", state=str(recipient.state))
    if not had_his_turn(flow, recipient):
        check_turn(flow, recipient.id, now)


def may_read(flow: Flow, recipient: Recipient, now: datetime) -> bool:
    try:
        check_may_read(flow, recipient, now)
    except Conflict:
        return False
    return True


def had_his_turn(flow: Flow, recipient: Recipient) -> bool:
    """He was asked, or has his copies: the title and the others are his business. An observer's turn is the end."""
    if recipient.role is Role.OBSERVER:
        return flow.state is FlowState.COMPLETED
    return recipient.invited_at is not None or recipient.state.is_decided


def has_copies(flow: Flow, recipient: Recipient, now: datetime) -> bool:
    """Whether this person may fetch the signed copies, for 30 days after the end: observers, and whoever decided where
    that was asked for at launch."""
    is_meant = recipient.role is Role.OBSERVER or (flow.copy_to_all and recipient.state.is_decided)
    if recipient.state is RecipientState.REPLACED or not (is_meant and flow.is_finished and flow.ended_at):
        return False
    return all(d.signed for d in flow.documents) and now - flow.ended_at <= COPIES_FOR

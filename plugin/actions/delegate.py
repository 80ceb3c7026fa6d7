"""A recipient puts somebody else in his own place, where the creator allowed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plugin.actions.acting import load, steer
from plugin.actions.context import Context
from plugin.actions.order import Asked
from plugin.actions.people import Found, find_newcomer, roughly, text
from plugin.flow.commands import Delegate
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict
from plugin.flow.events import Event, Trace
from plugin.flow.model import Flow
from plugin.flow.turns import check_turn
from plugin.ports_state import Loaded


def check_may_delegate(ctx: Context, flow_id: str, recipient: str) -> bool:
    """Before the body is looked at. Returns: whether he has done so already. Raises: NotFound, Conflict."""
    flow = load(ctx, flow_id).flow
    if flow.recipient(recipient).has_delegated:
        return True
    check_turn(flow, recipient, ctx.clock())
    if not flow.allow_delegation:
        raise Conflict("delegation-not-allowed", state=str(flow.state))
    return False


def delegate(
    ctx: Context, flow_id: str, recipient: str, asked: Asked, trace: Trace, link_round: int | None = None
) -> Loaded:
    """``comment`` of ``asked`` is for the creator. ``link_round``: of the link by which he acts; None: in his session.
    Raises: NotFound, Conflict, Invalid, Unavailable."""
    comment = text(recipient, asked.comment)

    def decided(flow: Flow, new: Found) -> Sequence[Event]:
        person = new.recipient(flow.next_recipient_id, flow.recipient(recipient).role)
        return decide(flow, Delegate(recipient, person, comment, trace, link_round), ctx.clock())

    loaded = load(ctx, flow_id)
    if not decided(loaded.flow, roughly(asked)):
        return loaded
    new = find_newcomer(ctx, loaded.flow, recipient, replace(asked, comment=None))
    return steer(ctx, flow_id, f"recipient:{recipient}", lambda newest: decided(newest.flow, new))

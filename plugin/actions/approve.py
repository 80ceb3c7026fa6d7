"""A validator says yes to exactly this content."""

from __future__ import annotations

from plugin.actions.acting import act
from plugin.actions.context import Context
from plugin.actions.sources import glance
from plugin.flow.commands import Approve
from plugin.flow.decide import decide
from plugin.flow.events import Trace
from plugin.flow.model import Personal
from plugin.ports_state import Loaded


def approve(
    ctx: Context,
    flow_id: str,
    recipient: str,
    shown: dict[int, str],
    comment: str | None,
    trace: Trace,
    link_round: int | None = None,
) -> Loaded:
    """``link_round``: of the link by which he acts; None: in his session.

    Raises: NotFound, Conflict, Invalid, Unavailable.
    """
    glance(ctx, flow_id)
    said = Personal(recipient, comment) if comment else None
    command = Approve(recipient, shown, said, trace, link_round)
    return act(ctx, flow_id, recipient, trace, lambda loaded: decide(loaded.flow, command, ctx.clock()))

"""A recipient says no, with a reason: the flow ends and everybody who took part is told."""

from __future__ import annotations

from plugin.actions.acting import act
from plugin.actions.context import Context
from plugin.flow.commands import Refuse
from plugin.flow.decide import decide
from plugin.flow.events import Trace
from plugin.flow.model import Personal
from plugin.ports_state import Loaded


def refuse(
    ctx: Context, flow_id: str, recipient: str, reason: str, trace: Trace, link_round: int | None = None
) -> Loaded:
    """``link_round``: of the link by which he acts; None: in his session.

    Raises: NotFound, Conflict, Invalid, Unavailable.
    """
    command = Refuse(recipient, Personal(recipient, reason), trace, link_round)
    return act(ctx, flow_id, recipient, trace, lambda loaded: decide(loaded.flow, command, ctx.clock()))

"""The deadline is over: the flow ends, everybody who took part is told."""

from __future__ import annotations

from plugin.actions.acting import steer
from plugin.actions.context import Context
from plugin.flow.commands import Expire
from plugin.flow.decide import decide
from plugin.ports_state import Loaded


def expire(ctx: Context, flow_id: str) -> Loaded:
    """Before the deadline nothing happens. Raises: NotFound, Conflict, Unavailable."""
    return steer(ctx, flow_id, "system", lambda loaded: decide(loaded.flow, Expire(), ctx.clock()))

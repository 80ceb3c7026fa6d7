"""The creator or an administrator ends a flow; everybody who took part is told."""

from __future__ import annotations

from plugin.actions.acting import steer
from plugin.actions.context import Context
from plugin.flow.commands import Cancel
from plugin.flow.decide import decide
from plugin.flow.model import CREATOR, By, Personal
from plugin.ports_state import Loaded


def cancel(ctx: Context, flow_id: str, reason: str | None, by: By) -> Loaded:
    """Raises: NotFound, Conflict, Invalid, Unavailable."""
    command = Cancel(Personal(CREATOR, reason) if reason else None, by)
    return steer(ctx, flow_id, str(by), lambda loaded: decide(loaded.flow, command, ctx.clock()))

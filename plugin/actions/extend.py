"""A later deadline."""

from __future__ import annotations

from datetime import datetime

from plugin.actions.acting import steer
from plugin.actions.context import Context
from plugin.flow.commands import Extend
from plugin.flow.decide import decide
from plugin.flow.model import By
from plugin.ports_state import Loaded


def extend(ctx: Context, flow_id: str, expires_at: datetime, by: By) -> Loaded:
    """Raises: NotFound, Conflict, Invalid, Unavailable."""
    command = Extend(expires_at, by)
    return steer(ctx, flow_id, str(by), lambda loaded: decide(loaded.flow, command, ctx.clock()))

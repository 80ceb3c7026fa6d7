"""Whoever's turn it is hears of it again: when the creator asks for it, or by the flow's rhythm."""

from __future__ import annotations

from plugin.actions.acting import steer
from plugin.actions.context import Context
from plugin.flow.commands import Remind
from plugin.flow.decide import decide
from plugin.flow.model import By
from plugin.ports_state import Loaded


def remind(ctx: Context, flow_id: str, recipients: tuple[str, ...] | None, by: By) -> Loaded:
    """``recipients``: None for everybody whose turn it is. Raises: NotFound, Conflict, Unavailable."""
    command = Remind(recipients, by)
    return steer(ctx, flow_id, str(by), lambda loaded: decide(loaded.flow, command, ctx.clock()))

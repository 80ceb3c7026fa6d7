"""A new link for a recipient: the one before acts no more."""

from __future__ import annotations

from plugin.actions.acting import steer
from plugin.actions.context import Context
from plugin.flow.commands import NewLink
from plugin.flow.decide import decide
from plugin.flow.model import By
from plugin.ports_state import Loaded


def renew(ctx: Context, flow_id: str, recipient: str, by: By) -> Loaded:
    """Raises: NotFound, Conflict, Unavailable."""
    command = NewLink(recipient, by)
    return steer(ctx, flow_id, str(by), lambda loaded: decide(loaded.flow, command, ctx.clock()))

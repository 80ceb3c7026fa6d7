"""A recipient had documents before his eyes."""

from __future__ import annotations

from plugin.actions.acting import act
from plugin.actions.context import Context
from plugin.flow.commands import View
from plugin.flow.decide import decide
from plugin.ports import Loaded


def view(ctx: Context, flow_id: str, recipient: str, documents: frozenset[int]) -> Loaded:
    """Raises: NotFound, Conflict, Invalid, Unavailable."""
    return act(
        ctx, flow_id, recipient, None, lambda loaded: decide(loaded.flow, View(recipient, documents), ctx.clock())
    )

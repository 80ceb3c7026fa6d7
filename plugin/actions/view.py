"""A recipient had documents before his eyes."""

from __future__ import annotations

from plugin.actions.acting import act
from plugin.actions.context import Context
from plugin.flow.commands import View
from plugin.flow.decide import decide
from plugin.ports_state import Loaded


def view(
    ctx: Context, flow_id: str, recipient: str, documents: frozenset[int], link_round: int | None = None
) -> Loaded:
    """``link_round``: of the link by which he looks; None: in his session. Raises: NotFound, Conflict, Invalid,
    Unavailable."""
    command = View(recipient, documents, link_round)
    return act(ctx, flow_id, recipient, None, lambda loaded: decide(loaded.flow, command, ctx.clock()))

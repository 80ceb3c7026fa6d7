"""The creator or an administrator puts somebody else in a recipient's place."""

from __future__ import annotations

from collections.abc import Sequence

from plugin.actions.acting import load, steer
from plugin.actions.context import Context
from plugin.actions.order import Asked
from plugin.actions.people import Found, find_newcomer, roughly
from plugin.flow.commands import Replace
from plugin.flow.decide import decide
from plugin.flow.errors import NotFound
from plugin.flow.events import Event
from plugin.flow.model import By, Flow
from plugin.ports_state import Loaded


def replace(ctx: Context, flow_id: str, recipient: str, asked: Asked, by: By) -> Loaded:
    """Raises: NotFound, Conflict, Invalid, Unavailable."""

    def decided(flow: Flow, new: Found) -> Sequence[Event]:
        role = next((r.role for r in flow.recipients if r.id == recipient), None)
        if role is None:
            raise NotFound
        return decide(flow, Replace(recipient, new.recipient(flow.next_recipient_id, role), by), ctx.clock())

    loaded = load(ctx, flow_id)
    if not decided(loaded.flow, roughly(asked)):
        return loaded
    new = find_newcomer(ctx, loaded.flow, recipient, asked)
    return steer(ctx, flow_id, str(by), lambda newest: decided(newest.flow, new))

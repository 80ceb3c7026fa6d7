"""The frame of every act of a recipient: under the flow's lease, on the newest state, tried again when it moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from plugin.actions.context import Context
from plugin.flow.decide import check_turn, is_repeat
from plugin.flow.errors import Conflict, NotFound
from plugin.flow.events import Event, Trace
from plugin.ports import ChainMoved, Loaded

MAX_TRIES = 4


def act(
    ctx: Context,
    flow_id: str,
    recipient: str,
    trace: Trace | None,
    decide_on: Callable[[Loaded], Sequence[Event]],
) -> Loaded:
    """Loads, checks the turn, decides, appends. The same act after success changes nothing and succeeds again.

    Raises: NotFound, Conflict, Invalid, Unavailable.
    """
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            if trace is not None and is_repeat(loaded.flow.recipient(recipient), trace):
                return loaded
            check_turn(loaded.flow, recipient)
            try:
                loaded = ctx.flows.append(loaded, lease, decide_on(loaded), f"recipient:{recipient}", ctx.clock())
            except ChainMoved:
                continue
            ctx.jobs.look_at(flow_id)
            return loaded
    raise Conflict("state-changed")


def load(ctx: Context, flow_id: str) -> Loaded:
    """Raises: NotFound."""
    loaded = ctx.flows.load(flow_id)
    if loaded is None:
        raise NotFound
    return loaded


def check_may_act(ctx: Context, flow_id: str, recipient: str, trace: Trace) -> Loaded | None:
    """Before the body is looked at: None when this person may act, the flow when it is the same act again.

    Raises: NotFound, Conflict.
    """
    loaded = load(ctx, flow_id)
    if is_repeat(loaded.flow.recipient(recipient), trace):
        return loaded
    check_turn(loaded.flow, recipient)
    return None

"""A suspended flow: goes on with the content pinned at launch, asked for by its creator or an admin, or because the
reason has gone; begins anew; or ends."""

from __future__ import annotations

from plugin.actions.acting import MAX_TRIES, check_known, load, suspension_in
from plugin.actions.context import Context
from plugin.actions.reach import check_reach
from plugin.actions.restart import restart
from plugin.flow.commands import Cancel, Resume, Suspend
from plugin.flow.decide import decide
from plugin.flow.errors import AccountOut, Conflict, NotFound, OutOfReach
from plugin.flow.model import By, FlowState, SuspendReason
from plugin.ports_state import ChainMoved, Lease, Loaded


def resume(ctx: Context, flow_id: str, choice: str, actor: str) -> Loaded:
    """``choice``: continue, restart, cancel.

    Raises: NotFound; as ``restart``; Conflict not-suspended, flow-ended, or the reason while it is still there;
    Unavailable."""
    known = load(ctx, flow_id)
    check_known(known)
    if choice == "restart":
        return restart(ctx, flow_id, By(actor))
    flow = known.flow
    if choice == "cancel":
        return _cancel(ctx, flow_id, By(actor))
    decide(flow, Resume(choice), ctx.clock())
    reason = flow.suspension.reason if flow.suspension is not None else SuspendReason.NO_ACCESS
    if reason is SuspendReason.CREATOR_GONE:
        raise Conflict(str(reason))
    try:
        check_reach(ctx, flow_id)
        with ctx.flows.lease(flow_id) as lease:
            loaded = _go_on(ctx, flow_id, choice, actor, lease)
    except (AccountOut, OutOfReach) as error:
        raise Conflict(str(reason)) from error
    for kind in SuspendReason:
        ctx.vault.end_trouble(flow_id, str(kind), "")
    ctx.jobs.look_at(flow_id)
    return loaded


def _cancel(ctx: Context, flow_id: str, by: By) -> Loaded:
    """Raises: Conflict not-suspended: whoever cancels a running flow gives a reason."""
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded, now = load(ctx, flow_id), ctx.clock()
            if loaded.flow.state is FlowState.RUNNING:
                raise Conflict("not-suspended", state=str(loaded.flow.state))
            try:
                loaded = ctx.flows.append(loaded, lease, decide(loaded.flow, Cancel(None, by), now), str(by), now)
            except OutOfReach:
                ctx.flows.bring_home(flow_id)
                continue
            except AccountOut as error:
                reason = loaded.flow.suspension.reason if loaded.flow.suspension else SuspendReason.CREATOR_OUT
                raise Conflict(str(reason)) from error
            except ChainMoved:
                continue
            ctx.jobs.look_at(flow_id)
            return loaded
    raise Conflict("state-changed")


def _go_on(ctx: Context, flow_id: str, choice: str, actor: str, lease: Lease) -> Loaded:
    """Also writes down a suspension of which the chain could not tell while it lasted."""
    for _ in range(MAX_TRIES):
        loaded = ctx.flows.load(flow_id)
        if loaded is None:
            raise NotFound
        noted, now = suspension_in(ctx.vault.troubles(flow_id)), ctx.clock()
        try:
            if loaded.flow.state is FlowState.RUNNING and noted is not None:
                events = decide(loaded.flow, Suspend(noted.reason, noted.since), ctx.clock())
                loaded = ctx.flows.append(loaded, lease, events, "system", ctx.clock())
            return ctx.flows.append(loaded, lease, decide(loaded.flow, Resume(choice), now), actor, now)
        except ChainMoved:
            continue
    raise Conflict("state-changed")

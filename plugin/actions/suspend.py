"""Nobody may act while a flow's files cannot be served in its creator's name. Noticed by an act, an event or the
patrol; noted in the vault, and written down as soon as there is a place to write."""

from __future__ import annotations

import structlog

from plugin.actions.accounts import creators_account
from plugin.actions.acting import MAX_TRIES, blocked_by, load, suspension_in
from plugin.actions.context import Context
from plugin.actions.reach import check_reach, note_absences
from plugin.actions.resume import resume
from plugin.actions.sources import watch
from plugin.flow.commands import Suspend
from plugin.flow.decide import decide
from plugin.flow.errors import AccountOut, Conflict, OutOfReach
from plugin.flow.model import FlowState, SuspendReason, Suspension
from plugin.ports import Account
from plugin.ports_state import ChainMoved, Loaded

log = structlog.get_logger()


def look_after(ctx: Context, flow_id: str) -> None:
    """A running flow that can no longer be served is suspended, one that can be again goes on.

    Raises: NotFound, ChainBroken, Unavailable: then nobody knows, and nothing was changed.
    """
    loaded = load(ctx, flow_id)
    if loaded.is_newer:
        ctx.flows.check(flow_id)
        return
    suspension = suspension_in(ctx.vault.troubles(flow_id))
    if loaded.flow.state.is_ended:
        return
    if suspension is not None and suspension.reason is SuspendReason.CREATOR_GONE:
        if not _has_come_back(ctx, loaded, suspension):
            return
        suspension = suspension_in(ctx.vault.troubles(flow_id))
    try:
        check_reach(ctx, flow_id)
    except (AccountOut, OutOfReach) as error:
        reason = blocked_by(ctx, loaded, error)
        if reason is None:
            raise
        if reason is SuspendReason.NO_ACCESS:
            suspend(ctx, flow_id, suspension or Suspension(reason, ctx.clock()))
        return
    account = ctx.accounts.state(loaded.place.owner, creators_account(loaded.flow))
    if account is not Account.ACTIVE:
        reason = SuspendReason.CREATOR_GONE if account is Account.GONE else SuspendReason.CREATOR_OUT
        ctx.vault.note_trouble(flow_id, str(reason), "", ctx.clock())
        if reason is SuspendReason.CREATOR_OUT:
            suspend(ctx, flow_id, suspension or Suspension(reason, ctx.clock()))
        return
    if suspension is not None:
        resume(ctx, flow_id, "continue", "system")
        log.info("flow.resumed", flow=flow_id, reason=str(suspension.reason))
    chained = ctx.flows.load(flow_id)
    if chained is not None:
        note_absences(ctx, chained)
        watch(ctx, flow_id)


def _has_come_back(ctx: Context, loaded: Loaded, suspension: Suspension) -> bool:
    """The account that was taken for deleted is there, the very same: the host had told less than the truth."""
    known = creators_account(loaded.flow)
    if known is None or ctx.accounts.state(loaded.place.owner, known) is Account.GONE:
        return False
    ctx.vault.note_trouble(loaded.flow.id, str(SuspendReason.CREATOR_OUT), "", suspension.since)
    ctx.vault.end_trouble(loaded.flow.id, str(SuspendReason.CREATOR_GONE), "")
    return True


def suspend(ctx: Context, flow_id: str, why: Suspension) -> None:
    """Writes it down: where the state file lies, else in the creator's own area.

    Raises: ChainBroken, Unavailable.
    """
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = ctx.flows.load(flow_id)
            if loaded is None or loaded.flow.state is not FlowState.RUNNING:
                return
            events = decide(loaded.flow, Suspend(why.reason, why.since), ctx.clock())
            try:
                ctx.flows.append(loaded, lease, events, "system", ctx.clock())
            except OutOfReach:
                ctx.flows.bring_home(flow_id)
                continue
            except ChainMoved:
                continue
            log.warning("flow.suspended", flow=flow_id, reason=str(why.reason))
            ctx.jobs.look_at(flow_id)
            return
    raise Conflict("state-changed")

"""The frame of every act of a recipient: under the flow's lease, on the newest state, tried again when it moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from plugin.actions.accounts import creators_account
from plugin.actions.context import Context
from plugin.actions.revisions import may_write
from plugin.failpoints import reach
from plugin.flow.decide import check_turn, is_repeat
from plugin.flow.errors import AccountOut, Conflict, NotFound, OutOfReach
from plugin.flow.events import Event, Trace
from plugin.flow.model import CREATOR, Flow, FlowState, Personal, SuspendReason, Suspension
from plugin.ports import Account
from plugin.ports_files import READ_ONLY
from plugin.ports_state import ChainMoved, Loaded
from plugin.ports_vault import Trouble

MAX_TRIES = 4
RECIPIENT_GONE = "recipient-gone"
"""The account of somebody whose turn it was is deleted: whoever bears that login later is somebody else."""


def act(
    ctx: Context,
    flow_id: str,
    recipient: str,
    trace: Trace | None,
    decide_on: Callable[[Loaded], Sequence[Event]],
    *,
    asks_for_jobs: bool = True,
) -> Loaded:
    """Loads, checks the turn, decides, appends. The same act after success changes nothing and succeeds again.

    ``asks_for_jobs`` false: the caller goes on with what the flow then owes, and asks for them himself.

    Raises: NotFound, Conflict, Invalid, Unavailable.
    """
    reach("request-received")
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            reach("state-read")
            if trace is not None and is_repeat(loaded.flow.recipient(recipient), trace):
                return loaded
            check_known(loaded)
            check_turn(loaded.flow, recipient, ctx.clock())
            try:
                loaded = ctx.flows.append(loaded, lease, decide_on(loaded), f"recipient:{recipient}", ctx.clock())
            except ChainMoved:
                continue
            except (AccountOut, OutOfReach) as error:
                if blocked_by(ctx, loaded, error) is None:
                    raise
                ctx.jobs.look_after(flow_id)
                raise Conflict("flow-suspended") from error
            reach("act-appended")
            if asks_for_jobs:
                ctx.jobs.look_at(flow_id)
            return loaded
    raise Conflict("state-changed")


def steer(ctx: Context, flow_id: str, actor: str, decide_on: Callable[[Loaded], Sequence[Event]]) -> Loaded:
    """The frame of what the creator, an administrator or the clock do. Nothing new to say is success.

    Raises: NotFound, Conflict, Invalid, Unavailable.
    """
    reach("request-received")
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            check_known(loaded)
            reach("state-read")
            try:
                loaded = ctx.flows.append(loaded, lease, decide_on(loaded), actor, ctx.clock())
            except ChainMoved:
                continue
            except (AccountOut, OutOfReach) as error:
                reason = blocked_by(ctx, loaded, error)
                if reason is None:
                    raise
                ctx.jobs.look_after(flow_id)
                raise Conflict(str(reason)) from error
            reach("act-appended")
            ctx.jobs.look_at(flow_id)
            return loaded
    raise Conflict("state-changed")


def load(ctx: Context, flow_id: str) -> Loaded:
    """A flow as it stands now, with what its chain cannot tell: a suspension that could not be written down yet, that
    not all of it is understood, and accounts that were deleted, whose logins lead here no more. Raises: NotFound."""
    loaded = ctx.flows.load(flow_id)
    if loaded is None:
        raise NotFound
    if loaded.is_newer and loaded.flow.state is FlowState.RUNNING:
        loaded = replace(loaded, flow=replace(loaded.flow, state=FlowState.SUSPENDED))
    troubles = ctx.vault.troubles(flow_id)
    return replace(loaded, flow=_troubled(loaded.flow, troubles)) if troubles else loaded


def check_known(loaded: Loaded) -> None:
    """Raises: Conflict flow-newer, where nothing may be done, since not all of it is understood."""
    if loaded.is_newer:
        raise Conflict("flow-newer")


def _troubled(flow: Flow, troubles: Sequence[Trouble]) -> Flow:
    blocked = suspension_in(troubles)
    if blocked is not None and flow.state is FlowState.RUNNING:
        flow = replace(flow, state=FlowState.SUSPENDED, suspension=blocked)
    if any(t.reason == SuspendReason.CREATOR_GONE for t in troubles):
        flow = replace(flow, creator=replace(flow.creator, user=Personal(CREATOR, None)))
    gone = {t.person for t in troubles if t.reason == RECIPIENT_GONE}
    recipients = (replace(r, user=Personal(r.id, None)) if r.id in gone else r for r in flow.recipients)
    return replace(flow, recipients=tuple(recipients))


def suspension_in(troubles: Sequence[Trouble]) -> Suspension | None:
    """The gravest of them: of an account that was deleted nothing else matters."""
    found = {t.reason: t.since for t in troubles if not t.person}
    for reason in (SuspendReason.CREATOR_GONE, SuspendReason.CREATOR_OUT, SuspendReason.NO_ACCESS):
        if reason in found:
            return Suspension(reason, found[reason])
    return None


def load_for(ctx: Context, flow_id: str, uid: str) -> Loaded:
    """The same for a platform user who asks: whoever bears a login that was somebody else's at launch is a stranger.

    Raises: NotFound, Unavailable.
    """
    loaded = load(ctx, flow_id)
    flow = loaded.flow
    meant = [(r.account, RECIPIENT_GONE, r.id) for r in flow.recipients_of_user(uid)]
    if flow.creator.user.value == uid:
        meant.append((flow.creator.account, str(SuspendReason.CREATOR_GONE), ""))
    others = [(reason, who) for known, reason, who in meant if known and ctx.accounts.id(uid) != known.value]
    for reason, who in others:
        ctx.vault.note_trouble(flow_id, reason, who, ctx.clock())
    return load(ctx, flow_id) if others else loaded


def is_account_meant(ctx: Context, loaded: Loaded, person: str) -> bool:
    """Whether that platform user's login still leads to the account that was asked; noted where it does not. True for
    external people. Raises: Unavailable."""
    flow = loaded.flow
    if person == CREATOR:
        user, known, trouble = flow.creator.user, flow.creator.account, (str(SuspendReason.CREATOR_GONE), "")
    else:
        recipient = flow.recipient(person)
        if recipient.user is None:
            return True
        user, known, trouble = recipient.user, recipient.account, (RECIPIENT_GONE, person)
    if not user.value:
        return known is None or known.value is None  # else the account is known to have gone
    if known is None or known.value is None or ctx.accounts.id(user.value) == known.value:
        return True
    ctx.vault.note_trouble(flow.id, *trouble, ctx.clock())
    return False


def blocked_by(ctx: Context, loaded: Loaded, error: AccountOut | OutOfReach) -> SuspendReason | None:
    """Notes why nothing can be done in the creator's name; None where it is the host that believes nobody, or that
    refuses one thing in a folder of which it says that all may be written there.

    Raises: Unavailable, where that cannot be found out.
    """
    reason = SuspendReason.NO_ACCESS
    if error.code == READ_ONLY and may_write(ctx, loaded):
        return None
    if isinstance(error, AccountOut):
        account = ctx.accounts.state(loaded.place.owner, creators_account(loaded.flow))
        if account is Account.ACTIVE:
            return None
        reason = SuspendReason.CREATOR_GONE if account is Account.GONE else SuspendReason.CREATOR_OUT
    ctx.vault.note_trouble(loaded.flow.id, str(reason), "", ctx.clock())
    return reason


def check_may_act(ctx: Context, flow_id: str, recipient: str, trace: Trace) -> Loaded | None:
    """Before the body is looked at: None when this person may act, the flow when it is the same act again.

    Raises: NotFound, Conflict.
    """
    loaded = load(ctx, flow_id)
    if is_repeat(loaded.flow.recipient(recipient), trace):
        return loaded
    check_known(loaded)
    check_turn(loaded.flow, recipient, ctx.clock())
    return None

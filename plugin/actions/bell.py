"""The platform's bell beside the mails: rung once with each, put out when nothing is left to do. Best effort."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from plugin.actions.context import Context
from plugin.flow.errors import Unavailable
from plugin.flow.model import CREATOR, FlowState, MailKind
from plugin.flow.owed import MailWork
from plugin.ports_state import Loaded

HUSHED_FOR_S = 90 * 86_400
"""The claim that is kept as a mark: this bell was put out."""

ASKING = frozenset({MailKind.INVITATION, MailKind.RESUMED, MailKind.REMINDER, MailKind.EXPIRING, MailKind.EXTENDED})
"""What asks somebody to do something, and has no sense once that is done."""

log = structlog.get_logger()


def ring(ctx: Context, loaded: Loaded, work: MailWork) -> None:
    """For platform users, whether they have a mail address or not. A failure is logged alone."""
    notice = ctx.notice(loaded, work)
    if notice is None:
        return
    try:
        ctx.bell.ring(notice)
    except Unavailable as error:
        log.warning("bell.not_rung", flow=loaded.flow.id, person=work.person, reason=error.code)


def hush(ctx: Context, loaded: Loaded) -> None:
    """Who has decided, or can no longer decide, is reminded of nothing, nor the creator of a suspension that is over.
    Tried once for each."""
    flow = loaded.flow
    for recipient in flow.recipients:
        still_asked = recipient.state.is_open and not flow.state.is_ended
        if not recipient.was_asked or still_asked or recipient.user is None or not recipient.user.value:
            continue
        asked_in = recipient.round if recipient.invited_at is not None else recipient.round - 1  # before a restart
        rung = {MailKind.INVITATION, *(mail.mail for mail in flow.mails if mail.person == recipient.id)}
        kinds = sorted(rung & ASKING)
        _put_out(ctx, flow.id, recipient.id, asked_in, recipient.user.value, kinds)
    creator = flow.creator.user.value
    if creator and flow.suspensions and flow.state is not FlowState.SUSPENDED:
        _put_out(ctx, flow.id, CREATOR, flow.suspensions, creator, [MailKind.SUSPENDED])


def _put_out(ctx: Context, flow_id: str, person: str, round_: int, user: str, kinds: Sequence[MailKind]) -> None:
    if not ctx.vault.claim(flow_id, f"hush:{person}:{round_}", ctx.clock(), HUSHED_FOR_S):
        return
    try:
        for kind in kinds:
            ctx.bell.hush(user, str(kind), flow_id)
    except Unavailable as error:
        log.warning("bell.not_hushed", flow=flow_id, person=person, reason=error.code)

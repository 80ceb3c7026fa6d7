"""The platform's bell beside the mails: rung once with each, put out when nothing is left to do. Best effort."""

from __future__ import annotations

import structlog

from plugin.actions.context import Context
from plugin.flow.errors import Unavailable
from plugin.flow.model import MailKind
from plugin.flow.owed import MailWork
from plugin.ports import Loaded

HUSHED_FOR_S = 90 * 86_400
"""The claim that is kept as a mark: this bell was put out."""

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
    """Who has decided, or can no longer decide, is reminded of nothing. Tried once for each invitation."""
    flow = loaded.flow
    for recipient in flow.recipients:
        still_asked = recipient.state.is_open and not flow.state.is_ended
        if recipient.invited_at is None or still_asked or recipient.user is None or not recipient.user.value:
            continue
        if not ctx.vault.claim(flow.id, f"hush:{recipient.id}:{recipient.round}", ctx.clock(), HUSHED_FOR_S):
            continue
        try:
            ctx.bell.hush(recipient.user.value, str(MailKind.INVITATION), flow.id)
        except Unavailable as error:
            log.warning("bell.not_hushed", flow=flow.id, person=recipient.id, reason=error.code)

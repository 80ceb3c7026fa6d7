"""Mails that a flow owes: handed over one by one, then recorded. At least once, under a stable Message-ID."""

from __future__ import annotations

import structlog

from plugin.actions.acting import MAX_TRIES, load
from plugin.actions.context import Context
from plugin.flow.commands import RecordMail
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, Unavailable
from plugin.flow.events import Event
from plugin.flow.owed import MailWork, owed
from plugin.ports import ChainMoved, Loaded, MailRefused

CLAIM_TTL_S = 120

log = structlog.get_logger()


def deliver(ctx: Context, flow_id: str) -> None:
    """Hands over what is owed and claimed by nobody else. A server that does not answer is asked again later."""
    loaded = load(ctx, flow_id)
    outcomes: list[RecordMail] = []
    claimed: list[str] = []
    for work in owed(loaded.flow):
        if not isinstance(work, MailWork):
            continue
        key = f"{work.mail}:{work.person}:{work.round}"
        if not ctx.vault.claim(flow_id, key, ctx.clock(), CLAIM_TTL_S):
            continue
        loaded = load(ctx, flow_id)
        if work not in owed(loaded.flow):  # somebody else's claim ended between our look and ours
            ctx.vault.release(flow_id, key)
            continue
        outcome = _hand_over(ctx, loaded, work, key)
        if outcome is not None:
            outcomes.append(outcome)
            claimed.append(key)
    if outcomes:
        _record(ctx, flow_id, outcomes)
        for key in claimed:
            ctx.vault.release(flow_id, key)


def _hand_over(ctx: Context, loaded: Loaded, work: MailWork, key: str) -> RecordMail | None:
    flow_id = loaded.flow.id
    letter = ctx.compose(loaded, work)
    if letter is None:
        return RecordMail(work.mail, work.person, work.round, "", "no-address")
    try:
        ctx.mailer.send(letter)
    except MailRefused as refusal:
        log.warning("mail.refused", flow=flow_id, mail=str(work.mail), person=work.person, reason=refusal.reason)
        return RecordMail(work.mail, work.person, work.round, letter.message_id, refusal.reason)
    except Unavailable as error:
        again = ctx.vault.postpone(flow_id, key, ctx.clock(), error.code)
        log.warning("mail.postponed", flow=flow_id, mail=str(work.mail), person=work.person, until=again.isoformat())
        return None
    log.info("mail.accepted", flow=flow_id, mail=str(work.mail), person=work.person)
    return RecordMail(work.mail, work.person, work.round, letter.message_id)


def _record(ctx: Context, flow_id: str, outcomes: list[RecordMail]) -> None:
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            events: list[Event] = [event for outcome in outcomes for event in decide(loaded.flow, outcome)]
            try:
                ctx.flows.append(loaded, lease, events, "system", ctx.clock())
                return
            except ChainMoved:
                continue
    raise Conflict("state-changed")

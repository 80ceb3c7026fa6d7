"""Mails that a flow owes: handed over one by one, then recorded. At least once, under a stable Message-ID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import structlog

from plugin.actions.acting import MAX_TRIES, is_account_meant, load
from plugin.actions.bell import ring
from plugin.actions.context import Context
from plugin.failpoints import reach
from plugin.flow.commands import RecordMail
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, ParapheurError, Unavailable
from plugin.flow.events import Event
from plugin.flow.model import MailKind
from plugin.flow.owed import MailWork, owed
from plugin.ports import MailRefused
from plugin.ports_state import ChainBroken, ChainMoved, Loaded

CLAIM_TTL_S = 120
HANDED_OVER = "handed-over"
"""Why a piece of work waits that only lacks its line in the chain: a full quota must not send a mail every minute."""
RECORD_AFTER = timedelta(seconds=CLAIM_TTL_S / 2)
"""A slow server must not let the first claims run out before their mails are recorded."""

log = structlog.get_logger()


def deliver(ctx: Context, flow_id: str) -> None:
    """Hands over what is owed and claimed by nobody else. A server that does not answer is asked again later."""
    outcomes = _without_their_line(ctx, flow_id)
    try:
        _hand_over_all(ctx, flow_id, outcomes)
    except Exception:  # those before it are on their way
        _record(ctx, flow_id, outcomes)
        raise
    _record(ctx, flow_id, outcomes)


def _without_their_line(ctx: Context, flow_id: str) -> dict[str, RecordMail]:
    """Mails that were handed over while nothing could be written, and that nobody owes any more: their reason has
    gone, since somebody decided meanwhile. The record tells of them all the same."""
    waiting = [key for key, (_, reason) in ctx.vault.attempts(flow_id).items() if reason == HANDED_OVER]
    found: dict[str, RecordMail] = {}
    if not waiting:
        return found
    loaded = load(ctx, flow_id)
    still_owed = {_key(work) for work in owed(loaded.flow, ctx.clock()) if isinstance(work, MailWork)}
    for key in waiting:
        mail, person, round_ = key.split(":")
        if key in still_owed or not ctx.vault.claim(flow_id, key, ctx.clock(), CLAIM_TTL_S):
            continue
        work = MailWork(MailKind(mail), person, int(round_))
        letter = ctx.compose(loaded, work)
        found[key] = RecordMail(work.mail, person, work.round, letter.message_id if letter is not None else "")
    return found


def _key(work: MailWork) -> str:
    return f"{work.mail}:{work.person}:{work.round}"


def _hand_over_all(ctx: Context, flow_id: str, outcomes: dict[str, RecordMail]) -> None:
    begun = ctx.clock()
    for work in owed(load(ctx, flow_id).flow, ctx.clock()):
        if not isinstance(work, MailWork):
            continue
        if outcomes and ctx.clock() - begun > RECORD_AFTER:
            done, begun = dict(outcomes), ctx.clock()
            outcomes.clear()
            _record(ctx, flow_id, done)
        key = _key(work)
        if not ctx.vault.claim(flow_id, key, ctx.clock(), CLAIM_TTL_S):
            continue
        loaded = load(ctx, flow_id)
        if work not in owed(loaded.flow, ctx.clock()):  # somebody else's claim ended between our look and ours
            ctx.vault.release(flow_id, key)
            continue
        reach("mail-claimed")
        outcome = _hand_over(ctx, loaded, work, key)
        if outcome is not None:
            outcomes[key] = outcome


def _hand_over(ctx: Context, loaded: Loaded, work: MailWork, key: str) -> RecordMail | None:
    flow_id = loaded.flow.id
    attempts = ctx.vault.attempts(flow_id)
    if key in attempts and attempts[key][1] == HANDED_OVER:  # whatever became of his account since
        letter = ctx.compose(loaded, work)
        return RecordMail(work.mail, work.person, work.round, letter.message_id if letter is not None else "")
    try:
        is_meant = is_account_meant(ctx, loaded, work.person)
    except Unavailable as error:
        ctx.vault.postpone(flow_id, key, ctx.clock(), error.code)
        return None
    if not is_meant:
        return RecordMail(work.mail, work.person, work.round, "", "account-gone")
    if key not in attempts:  # with the first try only
        ring(ctx, loaded, work)
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
    reach("mail-handed-over")
    log.info("mail.accepted", flow=flow_id, mail=str(work.mail), person=work.person)
    return RecordMail(work.mail, work.person, work.round, letter.message_id)


def _record(ctx: Context, flow_id: str, outcomes: Mapping[str, RecordMail]) -> None:
    """One line each, in one write; then the claims are let go. Where nothing can be written now, the lines wait."""
    if not outcomes:
        return
    try:
        _append(ctx, flow_id, outcomes.values())
    except (ParapheurError, ChainBroken):
        for key, outcome in outcomes.items():
            if outcome.reason is None:
                ctx.vault.postpone(flow_id, key, ctx.clock(), HANDED_OVER)
        raise
    reach("mails-recorded")
    for key in outcomes:
        ctx.vault.release(flow_id, key)


def _append(ctx: Context, flow_id: str, outcomes: Iterable[RecordMail]) -> None:
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            events: list[Event] = [
                event for outcome in outcomes for event in decide(loaded.flow, outcome, ctx.clock())
            ]
            try:
                ctx.flows.append(loaded, lease, events, "system", ctx.clock())
                return
            except ChainMoved:
                continue
    raise Conflict("state-changed")

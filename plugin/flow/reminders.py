"""When somebody whose turn it is hears of it again: reminders by the creator's rhythm, one warning before the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from plugin.flow.model import Flow, MailDone, MailKind, Recipient
from plugin.flow.times import days_before, days_later, is_decent, morning_of

WARN_DAYS_BEFORE = (2, 1)
"""Days of the calendar; the first that fits."""
SHORT = timedelta(days=1)
"""Whoever has no more time than that from the start needs no warning: his invitation says until when."""
IN_TIME = timedelta(hours=3)
"""A warning comes that long before the end, or not at all."""
APART = timedelta(days=1)
"""A reminder that would come so shortly before the warning, or after it, is left to the warning."""


def warns_at(flow: Flow) -> datetime | None:
    """Two days before the deadline, at a decent hour of no quiet day; nearer to it where it was set shortly before,
    since a warning comes in the second half of the time that there is. None: there is none."""
    end, since = flow.expires_at, flow.deadline_since
    if end is None or since is None or end - since < SHORT:
        return None
    times = [days_before(end, days, flow.time_zone, flow.quiet_days) for days in WARN_DAYS_BEFORE]
    morning = morning_of(end, flow.time_zone)
    if is_decent(morning, flow.time_zone, flow.quiet_days):
        times.append(morning)
    fits = (at for at in times if since + (end - since) / 2 <= at <= end - IN_TIME)
    return next(fits, None)


def heard_at(flow: Flow) -> dict[tuple[str, int], datetime]:
    """(person, round) -> when that round's invitation was handed over, or given up: by it he first hears of the flow,
    or of his new link, and nothing else is told before."""
    return {(m.person, m.round): m.at for m in flow.mails if m.mail is MailKind.INVITATION}


def next_reminder(flow: Flow, recipient: Recipient, mails: Sequence[MailDone] | None = None) -> datetime | None:
    """The creator's number of days after this person last heard of it, moved out of quiet days. None: never, as long
    as the invitation was not handed over, or where another mail comes before. ``mails``: his, where they are known."""
    if flow.remind_every_days is None or recipient.invited_at is None or recipient.id in flow.erased:
        return None
    heard = [recipient.reminded_at] if recipient.reminded_at and recipient.reminded_at >= recipient.invited_at else []
    if flow.resumed_at is not None and flow.resumed_at >= recipient.invited_at:
        heard.append(flow.resumed_at)  # there is a mail that says so
    invited: datetime | None = None
    is_warned = False
    for mail in flow.mails if mails is None else mails:
        if mail.person != recipient.id or not mail.accepted:
            continue
        if mail.mail is MailKind.INVITATION and mail.round == recipient.round:
            invited = mail.at
            heard.append(mail.at)
        elif mail.mail in (MailKind.EXPIRING, MailKind.RESUMED, MailKind.EXTENDED):
            heard.append(mail.at)
            is_warned = is_warned or (mail.mail is MailKind.EXPIRING and mail.round == flow.deadlines)
    if invited is None:
        return None
    due = days_later(max(heard), flow.remind_every_days, flow.time_zone, flow.quiet_days)
    warning = warns_at(flow)
    if warning is not None and not is_warned and invited <= warning < due + APART:
        return None
    return due if flow.expires_at is None or due < flow.expires_at else None

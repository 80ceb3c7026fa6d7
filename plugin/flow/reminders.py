"""When somebody whose turn it is hears of it again: reminders by the creator's rhythm, one warning before the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from plugin.flow.model import Flow, MailDone, MailKind, Recipient
from plugin.flow.times import days_later

WARN_BEFORE = timedelta(days=2)
APART = timedelta(days=1)
"""A reminder that would come so shortly before the warning, or after it, is left to the warning."""


def warns_at(flow: Flow) -> datetime | None:
    """Two days before the deadline; later where that was set shortly before."""
    if flow.expires_at is None or flow.deadline_since is None:
        return None
    return flow.expires_at - min(WARN_BEFORE, (flow.expires_at - flow.deadline_since) / 4)


def next_reminder(flow: Flow, recipient: Recipient, mails: Sequence[MailDone] | None = None) -> datetime | None:
    """The creator's number of days after this person last heard of it, moved out of quiet days. None: never, as long
    as the invitation was not handed over, or where another mail comes before. ``mails``: his, where they are known."""
    if flow.remind_every_days is None or recipient.invited_at is None or recipient.id in flow.erased:
        return None
    heard = [recipient.reminded_at] if recipient.reminded_at and recipient.reminded_at >= recipient.invited_at else []
    if flow.resumed_at is not None and flow.resumed_at >= recipient.invited_at:
        heard.append(flow.resumed_at)  # there is a mail that says so
    invited = is_warned = False
    for mail in flow.mails if mails is None else mails:
        if mail.person != recipient.id or not mail.accepted:
            continue
        if mail.mail is MailKind.INVITATION and mail.round == recipient.round:
            invited = True
            heard.append(mail.at)
        elif mail.mail in (MailKind.EXPIRING, MailKind.RESUMED):
            heard.append(mail.at)
            is_warned = is_warned or (mail.mail is MailKind.EXPIRING and mail.round == flow.deadlines)
    if not invited:
        return None
    due = days_later(max(heard), flow.remind_every_days, flow.time_zone, flow.quiet_days)
    warning = warns_at(flow)
    if warning is not None and not is_warned and recipient.invited_at <= warning < due + APART:
        return None
    return due if flow.expires_at is None or due < flow.expires_at else None

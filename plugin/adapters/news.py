"""What the mails say that tell of a flow on its way, or of its end without a result: one function a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date

from plugin.flow.model import CREATOR, By, Flow, MailKind, Recipient, Role, SuspendReason
from plugin.flow.owed import MailWork
from plugin.flow.times import zone
from plugin.i18n import translations, when


class Words:
    """One language's words and dates."""

    def __init__(self, language: str) -> None:
        self.language = language
        catalogue = translations(language)
        self.gettext = catalogue.gettext
        self.ngettext = catalogue.ngettext

    def short_day(self, at: datetime) -> str:
        return format_date(at, "d MMM", locale=self.language)


@dataclass(frozen=True, slots=True)
class News:
    """``shows_documents``: the documents and the route may be shown to whoever reads it."""

    subject: str
    lead: str
    button: str
    quotes: tuple[str, ...] = ()
    shows_documents: bool = True


def deadline(flow: Flow, words: Words) -> str:
    """The sentence that says until when; "" without a deadline."""
    if flow.expires_at is None:
        return ""
    return words.gettext("You have until %(when)s.") % {"when": _deadline(flow, words)}


def reminder(flow: Flow, recipient: Recipient, words: Words) -> str:
    _ = words.gettext
    if recipient.role is Role.VALIDATOR:
        lead = _("“%(title)s” still waits for your approval.")
    else:
        lead = _("“%(title)s” still waits for your signature.")
    return " ".join(part for part in (lead % _title(flow), deadline(flow, words)) if part)


def _title(flow: Flow) -> dict[str, str]:
    return {"title": flow.title.value or ""}


def _deadline(flow: Flow, words: Words) -> str:
    assert flow.expires_at is not None
    return when(flow.expires_at, words.language, zone(flow.time_zone).key)


def _expiring(flow: Flow, work: MailWork, words: Words) -> News:
    _ = words.gettext
    values = _title(flow) | {"when": _deadline(flow, words) if flow.expires_at is not None else ""}
    subject = _("The deadline is near: %(title)s") % values
    if work.person == CREATOR:
        lead = _("“%(title)s” ends on %(when)s, and not everybody has decided yet. You can extend it until then.")
        return News(subject, lead % values, _("Open the workflow"))
    if flow.recipient(work.person).role is Role.VALIDATOR:
        lead = _("“%(title)s” waits for your approval until %(when)s. After that it ends by itself.")
        return News(subject, lead % values, _("Read and decide"))
    lead = _("“%(title)s” waits for your signature until %(when)s. After that it ends by itself.")
    return News(subject, lead % values, _("Read and sign"))


def _extended(flow: Flow, work: MailWork, words: Words) -> News:
    """To somebody whose turn it is."""
    _ = words.gettext
    values = _title(flow) | {"when": _deadline(flow, words) if flow.expires_at is not None else ""}
    subject = _("New deadline: %(title)s") % values
    if flow.recipient(work.person).role is Role.VALIDATOR:
        lead = _("“%(title)s” has a new deadline: it waits for your approval until %(when)s.")
        return News(subject, lead % values, _("Read and decide"))
    lead = _("“%(title)s” has a new deadline: it waits for your signature until %(when)s.")
    return News(subject, lead % values, _("Read and sign"))


def _expired(flow: Flow, work: MailWork, words: Words) -> News:
    _ = words.gettext
    lead = _("“%(title)s” has ended: its deadline has passed before everybody had decided. Everything is kept.")
    return News(_("Expired: %(title)s") % _title(flow), lead % _title(flow), _("Open the workflow"))


def _cancelled(flow: Flow, work: MailWork, words: Words) -> News:
    _ = words.gettext
    if flow.ended_by is By.ADMIN:
        lead = _("An administrator has cancelled “%(title)s”. Everything is kept; nothing is left for you to do.")
    else:
        lead = _("The sender has cancelled “%(title)s”. Nothing is left for you to do.")
    reason = flow.end_reason.value if flow.end_reason is not None else None
    quotes = (reason,) if reason else ()
    return News(_("Cancelled: %(title)s") % _title(flow), lead % _title(flow), _("Open the workflow"), quotes)


def _replaced(flow: Flow, work: MailWork, words: Words) -> News:
    _ = words.gettext
    lead = _("Somebody else takes your place in “%(title)s”. Nothing is left for you to do.")
    subject = _("You are no longer asked: %(title)s") % _title(flow)
    return News(subject, lead % _title(flow), _("Open the workflow"), shows_documents=False)


def _delegated(flow: Flow, work: MailWork, words: Words) -> News:
    """To the creator: the ``round`` is the number of the recipient who put somebody in his place."""
    _, recipient = words.gettext, f"r{work.round}"
    to = next((r.name for r in flow.recipients if r.replaces == recipient), "")
    names = {"who": flow.recipient(recipient).name, "to": to}
    lead = _("%(who)s has handed “%(title)s” over to %(to)s, who is asked now.") % (_title(flow) | names)
    subject = _("%(who)s has handed over to %(to)s") % names
    comment = flow.recipient(recipient).comment
    quotes = (comment.value,) if comment is not None and comment.value else ()
    return News(subject, lead, _("Open the workflow"), quotes)


SUSPENDED: Mapping[SuspendReason, Callable[[Words], str]] = {
    SuspendReason.SOURCE_CHANGED: lambda words: words.gettext(
        "“%(title)s” is suspended: a file that is to be approved was changed after it was sent. Choose whether it "
        "goes on with the content as it was sent, is asked for again with the new content, or is cancelled."
    ),
    SuspendReason.SOURCE_GONE: lambda words: words.gettext(
        "“%(title)s” is suspended: a file that is to be approved is not there any more. Choose whether it goes on "
        "with the content as it was sent, or is cancelled."
    ),
}


def _suspended(flow: Flow, work: MailWork, words: Words) -> News:
    """To the creator."""
    _ = words.gettext
    reason = flow.suspension.reason if flow.suspension is not None else SuspendReason.NO_ACCESS
    if reason in SUSPENDED:
        lead = SUSPENDED[reason](words)
    else:
        lead = _(
            "“%(title)s” is suspended: you have no access to its documents any more, or only to read, so "
            "nobody can decide. Nothing is lost. It goes on by itself once you have access again."
        )
    return News(_("Suspended: %(title)s") % _title(flow), lead % _title(flow), _("Open the workflow"))


NEWS: Mapping[MailKind, Callable[[Flow, MailWork, Words], News]] = {
    MailKind.EXPIRING: _expiring,
    MailKind.EXTENDED: _extended,
    MailKind.EXPIRED: _expired,
    MailKind.CANCELLED: _cancelled,
    MailKind.REPLACED: _replaced,
    MailKind.DELEGATED: _delegated,
    MailKind.SUSPENDED: _suspended,
}

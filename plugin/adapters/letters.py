"""The words of the mails: one letter per event and person, in the recipient's language, as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from jinja2 import Environment, PackageLoader, select_autoescape

from plugin.adapters.mail import header_text
from plugin.adapters.news import NEWS, Words, deadline, reminder
from plugin.flow.model import CREATOR, Flow, Kind, MailKind, Recipient, RecipientState, Role
from plugin.flow.owed import MailWork, address_of
from plugin.flow.tokens import link_token
from plugin.i18n import known, translations, when
from plugin.ports import Mail
from plugin.ports_bell import Notice
from plugin.ports_state import Loaded
from plugin.whereabouts import where_the_copies_are, where_the_evidence_is


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the route: ``mark`` is ok, now, no or next."""

    mark: str
    number: int
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mail says, before it becomes text or HTML."""

    subject: str
    preheader: str
    greeting: str
    lead: str
    documents: tuple[tuple[str, str], ...]
    quotes: tuple[str, ...]
    button: str
    url: str
    rows: tuple[Row, ...]
    small: str
    footer: str


@dataclass(frozen=True, slots=True)
class Letters:
    """``compose`` of the context. ``mail_host`` is the right side of every Message-ID."""

    public_url: str
    organisation: str
    link_key: bytes
    default_language: str
    mail_host: str
    clock: Callable[[], datetime]

    def compose(self, loaded: Loaded, work: MailWork) -> Mail | None:
        """None where that person has no address (any more)."""
        flow = loaded.flow
        address = address_of(flow, work.person)
        if address is None:
            return None
        language = known(self._language(flow, work.person)) or self.default_language
        words = Words(language)
        letter = self._letter(flow, work, words)
        values = {
            "letter": letter,
            "lang": language,
            "organisation": self.organisation,
            "initials": initials(self.organisation),
            "_": words.gettext,
        }
        name = flow.creator.name.value if work.person == CREATOR else flow.recipient(work.person).name
        return Mail(
            to=address,
            to_name=name or "" if name != address else "",
            subject=letter.subject,
            text=TEMPLATES.get_template("letter.txt").render(values),
            html=TEMPLATES.get_template("letter.html").render(values),
            language=language,
            message_id=f"<{work.mail}.{flow.id}.{work.person}.{work.round}@{self.mail_host}>",
            at=self.clock(),
        )

    def notice(self, loaded: Loaded, work: MailWork) -> Notice | None:
        """What the platform's bell says at the same time; None for external people, and for who was erased."""
        flow = loaded.flow
        user = flow.creator.user if work.person == CREATOR else flow.recipient(work.person).user
        if user is None or not user.value:
            return None
        words = Words(known(self._language(flow, work.person)) or self.default_language)
        letter = self._letter(flow, work, words)
        return Notice(user.value, str(work.mail), flow.id, letter.subject, flow.title.value or "", letter.url)

    def _language(self, flow: Flow, person: str) -> str:
        return flow.language if person == CREATOR else flow.recipient(person).language

    def _letter(self, flow: Flow, work: MailWork, words: Words) -> Letter:
        match work.mail:
            case MailKind.INVITATION:
                return self._invitation(flow, flow.recipient(work.person), words)
            case MailKind.RESUMED:
                return self._resumed(flow, flow.recipient(work.person), words)
            case MailKind.REFUSED:
                return self._refused(flow, work.person, words)
            case MailKind.COMPLETED:
                return self._completed(flow, work, words)
            case MailKind.REMINDER:
                return self._again(flow, flow.recipient(work.person), words)
            case _:
                return self._told(flow, work, words)

    def _invitation(self, flow: Flow, recipient: Recipient, words: Words) -> Letter:
        _, ngettext = words.gettext, words.ngettext
        creator, count = flow.creator.name.value or "", len(flow.documents)
        if recipient.role is Role.VALIDATOR:
            subject = ngettext(
                "%(who)s asks you to approve a document", "%(who)s asks you to approve %(count)s documents", count
            ) % {"who": creator, "count": count}
            lead, button = _("It is your turn. This is what you are asked to approve:"), _("Read and decide")
        else:
            subject = ngettext(
                "%(who)s asks you to sign a document", "%(who)s asks you to sign %(count)s documents", count
            ) % {"who": creator, "count": count}
            lead, button = _("It is your turn. This is what you are asked to sign:"), _("Read and sign")
        hint = _("No account is needed; it takes about two minutes.") if recipient.is_external else ""
        small = " ".join(part for part in (deadline(flow, words), hint) if part)
        quotes = tuple(text.value for text in (flow.comment, recipient.message) if text is not None and text.value)
        return Letter(
            subject=subject,
            preheader=" ".join(part for part in (flow.title.value or "", small) if part),
            greeting=self._greeting(flow, recipient.id, words),
            lead=lead,
            documents=_documents(flow, words),
            quotes=quotes,
            button=button,
            url=self._url(flow, recipient.id),
            rows=_rows(flow, words, recipient.id),
            small=small,
            footer=self._footer(flow, recipient.id, words),
        )

    def _resumed(self, flow: Flow, recipient: Recipient, words: Words) -> Letter:
        """To somebody whose turn it was all the time."""
        _ = words.gettext
        title = {"title": flow.title.value or ""}
        invitation = self._invitation(flow, recipient, words)
        return replace(
            invitation,
            subject=_("It goes on: %(title)s") % title,
            preheader=title["title"],
            lead=_("“%(title)s” was suspended and goes on now. It is your turn.") % title,
        )

    def _again(self, flow: Flow, recipient: Recipient, words: Words) -> Letter:
        """The invitation, once more."""
        _ = words.gettext
        title = {"title": flow.title.value or ""}
        invitation = self._invitation(flow, recipient, words)
        return replace(invitation, subject=_("Reminder: %(title)s") % title, lead=reminder(flow, recipient, words))

    def _told(self, flow: Flow, work: MailWork, words: Words) -> Letter:
        told = NEWS[work.mail](flow, work, words)
        return Letter(
            subject=told.subject,
            preheader=flow.title.value or "",
            greeting=self._greeting(flow, work.person, words),
            lead=told.lead,
            documents=_documents(flow, words) if told.shows_documents else (),
            quotes=told.quotes,
            button=told.button,
            url=self._url(flow, work.person),
            rows=_rows(flow, words, work.person) if told.shows_documents else (),
            small="",
            footer=self._footer(flow, work.person, words),
        )

    def _refused(self, flow: Flow, person: str, words: Words) -> Letter:
        _ = words.gettext
        refuser = next(r for r in flow.recipients if r.state is RecipientState.REFUSED)
        approving = refuser.role is Role.VALIDATOR
        title = flow.title.value or ""
        if person == refuser.id:
            subject = _("Your refusal has been recorded")
            lead = _("You have refused “%(title)s”. The sender and everybody who took part have been told.")
        else:
            who = {"who": refuser.shown_name}
            subject = (_("%(who)s has refused to approve") if approving else _("%(who)s has refused to sign")) % who
            lead = _("“%(title)s” has ended with this refusal. Everything is kept; nothing is left for you to do.")
        reason = refuser.reason.value if refuser.reason is not None else None
        lead %= {"title": title}
        if person == CREATOR:
            lead = f"{lead} {where_the_evidence_is(flow, words)}".rstrip()
        return Letter(
            subject=subject,
            preheader=title,
            greeting=self._greeting(flow, person, words),
            lead=lead,
            documents=_documents(flow, words),
            quotes=(reason,) if reason else (),
            button=_("Open the workflow"),
            url=self._url(flow, person),
            rows=_rows(flow, words, person),
            small="",
            footer=self._footer(flow, person, words),
        )

    def _completed(self, flow: Flow, work: MailWork, words: Words) -> Letter:
        _ = words.gettext
        title, count = {"title": flow.title.value or ""}, len(flow.documents)
        if flow.kind is Kind.VALIDATION:
            subject = _("Everyone has approved: %(title)s") % title
            lead = _("“%(title)s” is finished: everyone has approved.") % title
        else:
            subject = _("Everyone has signed: %(title)s") % title
            lead = _("“%(title)s” is finished: everyone has signed.") % title
        button = _("Open the workflow")
        if work.person == CREATOR and flow.kind is not Kind.VALIDATION:
            lead += " " + where_the_copies_are(flow, words)
        elif work.with_copies and flow.kind is not Kind.VALIDATION:
            lead += " " + words.ngettext(
                "You can download the signed copy for 30 days.",
                "You can download the signed copies for 30 days.",
                count,
            )
            button = words.ngettext("Download the signed copy", "Download the signed copies", count)
        if work.person == CREATOR:
            lead = f"{lead} {where_the_evidence_is(flow, words)}".rstrip()
        return Letter(
            subject=subject,
            preheader=title["title"],
            greeting=self._greeting(flow, work.person, words),
            lead=lead,
            documents=_documents(flow, words),
            quotes=(),
            button=button,
            url=self._url(flow, work.person),
            rows=_rows(flow, words, work.person),
            small="",
            footer=self._footer(flow, work.person, words),
        )

    def _url(self, flow: Flow, person: str) -> str:
        """External people act through their link; platform users, the creator too, in their session."""
        if person == CREATOR or not flow.recipient(person).is_external:
            return f"{self.public_url}/f/{flow.id}"
        recipient = flow.recipient(person)
        return f"{self.public_url}/s/{link_token(self.link_key, flow.id, person, recipient.round)}"

    def _greeting(self, flow: Flow, person: str, words: Words) -> str:
        if person == CREATOR:
            name = flow.creator.name.value or ""
        else:
            recipient = flow.recipient(person)
            first = recipient.first_name.value if recipient.first_name is not None else None
            last = recipient.last_name.value if recipient.last_name is not None else None
            name = first or last or ""
        return words.gettext("Hello %(name)s,") % {"name": name} if name else words.gettext("Hello,")

    def _footer(self, flow: Flow, person: str, words: Words) -> str:
        """Whoever acts through a link is asked to keep it to himself."""
        _ = words.gettext
        sent = _("Sent by Parapheur on behalf of %(organisation)s.") % {"organisation": self.organisation}
        if person == CREATOR or not flow.recipient(person).is_external:
            return sent
        return sent + " " + _("This link is personal: do not forward this message.")


class StampWording:
    """The ``Wording`` port."""

    def stamp_lines(
        self, language: str, name: str, at: datetime, time_zone: str, reason: str | None
    ) -> tuple[str, ...]:
        lines = [name, when(at, known(language) or "en", time_zone)]
        return tuple([*lines, reason] if reason else lines)

    def seal_name(self, language: str, name: str) -> str:
        words = translations(known(language) or "en")
        return words.gettext("Seal of the organisation, put for %(name)s") % {"name": name}


def _documents(flow: Flow, words: Words) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            header_text(d.name.value or ""),
            words.ngettext("%(count)s page", "%(count)s pages", d.pages) % {"count": d.pages} if d.pages else "",
        )
        for d in flow.documents
    )


def _rows(flow: Flow, words: Words, person: str) -> tuple[Row, ...]:
    rows = []
    for number, step in enumerate(flow.steps, start=1):
        for recipient in map(flow.recipient, step.recipients):
            mark, note = _mark(recipient, words)
            name = words.gettext("You") if recipient.id == person else recipient.shown_name
            rows.append(Row(mark, number, name, note))
    return tuple(rows)


def _mark(recipient: Recipient, words: Words) -> tuple[str, str]:
    _ = words.gettext
    on = {"day": words.short_day(recipient.decided_at)} if recipient.decided_at else {}
    match recipient.state:
        case RecipientState.SIGNED:
            return "ok", _("signed on %(day)s") % on
        case RecipientState.APPROVED:
            return "ok", _("approved on %(day)s") % on
        case RecipientState.REFUSED:
            return "no", _("refused on %(day)s") % on
        case RecipientState.INVITED | RecipientState.VIEWED:
            return "now", _("now")
        case _:
            return "next", ""


def initials(name: str) -> str:
    parts = [part for part in name.replace("-", " ").split() if part[0].isalnum()]
    return "".join(part[0] for part in parts[:2]).upper() or "P"


TEMPLATES = Environment(
    loader=PackageLoader("plugin", "templates/mail"),
    autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=False, default=False),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)

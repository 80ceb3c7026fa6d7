"""A person whom somebody named, found: what stands of him in the flow."""

from __future__ import annotations

from dataclasses import dataclass

from plugin.actions.context import Context
from plugin.actions.glyphs import Lettering, check_glyphs
from plugin.actions.names import clean_line
from plugin.actions.order import Asked
from plugin.flow.errors import Invalid
from plugin.flow.events import AskedRecipient
from plugin.flow.model import Flow, Personal, Role
from plugin.i18n import primary
from plugin.ports import Person


@dataclass(frozen=True, slots=True)
class Found:
    """Whoever is asked, before he has an id in a flow. ``account``: of a platform user."""

    user: str | None
    email: str | None
    first_name: str
    last_name: str
    language: str
    message: str | None
    account: str | None

    def recipient(self, recipient: str, role: Role) -> AskedRecipient:
        return AskedRecipient(
            id=recipient,
            role=role,
            user=text(recipient, self.user),
            email=text(recipient, self.email),
            first_name=text(recipient, self.first_name),
            last_name=text(recipient, self.last_name),
            language=self.language,
            message=text(recipient, self.message),
            account=text(recipient, self.account),
        )


def find(ctx: Context, asked: Asked, language: str, known: Person | None = None) -> Found:
    """``language``: where he has none of his own. ``known``: somebody whose record is at hand.

    Raises: Invalid no-such-user; Unavailable.
    """
    email, first, last, own = asked.email, asked.first_name, asked.last_name, asked.language
    if asked.user is not None:
        is_known = known is not None and asked.user == known.uid
        person = known if is_known else ctx.directory.person(asked.user)
        if person is None:
            raise Invalid(asked.field("user"), "no-such-user")
        email, first, last = person.email, None, person.name
        own = own or person.language
    return Found(
        user=asked.user,
        email=email,
        first_name=clean_line(first or "", 120),
        last_name=clean_line(last or "", 120),
        language=primary(own or language or ctx.default_language),
        message=asked.comment,
        account=ctx.accounts.id(asked.user) if asked.user is not None else None,
    )


def roughly(asked: Asked) -> Found:
    """Before the host was asked for him: enough to know whether somebody may come in at all."""
    return Found(asked.user, asked.email, "", "", "", None, None)


def find_newcomer(ctx: Context, flow: Flow, place: str, asked: Asked) -> Found:
    """Somebody who takes the place of the recipient ``place``, and whose name its stamps can show.

    Raises: Invalid no-such-user, glyph-missing; Unavailable.
    """
    found = find(ctx, asked, flow.language)
    field = asked.field("user" if asked.user is not None else "last_name")
    stamps = [p for p in flow.placements if p.recipient == place and p.with_text]
    name = display_name(found.recipient(place, flow.recipient(place).role))
    check_glyphs(ctx, [Lettering(field, name, text_of(p.reason)) for p in stamps])
    return found


def text_of(value: Personal | None) -> str:
    return (value.value or "") if value is not None else ""


def display_name(recipient: AskedRecipient) -> str:
    """What stands on his stamps."""
    parts = [part.value for part in (recipient.first_name, recipient.last_name) if part and part.value]
    return " ".join(parts) or (recipient.email.value or "" if recipient.email else "")


def text(person: str, value: str | None) -> Personal | None:
    return Personal(person, value) if value else None

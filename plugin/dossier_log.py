"""The log of an evidence record in words: one row an event, with what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plugin.i18n import mark as _

EVENTS: Final[Mapping[str, str]] = {
    "flow.launched": _("Workflow started, documents fixed"),
    "recipient.invited": _("Turn began"),
    "recipient.viewed": _("Documents read"),
    "recipient.approved": _("Approved"),
    "recipient.signed": _("Signed, sealed by the server"),
    "recipient.refused": _("Refused"),
    "recipient.skipped": _("Not needed any more"),
    "recipient.reminded": _("Reminded"),
    "recipient.replaced": _("Replaced by somebody else"),
    "recipient.delegated": _("Handed over to somebody else"),
    "link.renewed": _("New link"),
    "flow.extended": _("Deadline extended"),
    "flow.expired": _("Expired"),
    "flow.cancelled": _("Cancelled"),
    "source.changed": _("Original file looked at"),
    "flow.restarted": _("Restarted with new content"),
    "evidence.stored": _("Evidence record stored"),
    "person.erased": _("Personal data erased"),
    "key.rotated": _("New signing key"),
    "flow.suspended": _("Suspended"),
    "flow.resumed": _("Goes on"),
    "flow.completed": _("Finished, copies stored"),
    "mail.accepted": _("E-mail accepted by the mail server"),
    "mail.failed": _("E-mail could not be delivered"),
}
MAILS: Final[Mapping[str, str]] = {
    "invitation": _("invitation"),
    "reminder": _("reminder"),
    "expiring": _("deadline is near"),
    "extended": _("new deadline"),
    "replaced": _("replacement"),
    "delegated": _("handed over"),
    "cancelled": _("cancellation"),
    "expired": _("expiry"),
    "refused": _("refusal"),
    "completed": _("signed copy"),
    "suspended": _("suspension"),
    "resumed": _("resumption"),
}
KINDS_OF_INK: Final[Mapping[str, str]] = {"drawn": _("drawn"), "image": _("image"), "typed": _("typed")}
BY: Final[Mapping[str, str]] = {
    "creator": _("by the sender"),
    "admin": _("by an administrator"),
    "system": _("by the server"),
}
REASONS: Final[Mapping[str, str]] = {
    "creator-out": _("the sender's account is disabled"),
    "creator-gone": _("the sender's account was deleted"),
    "no-access": _("the sender has no access to the documents"),
    "source-changed": _("a file was changed"),
    "source-gone": _("a file is not there any more"),
}
SOURCES: Final[Mapping[str, str]] = {
    "same": _("unchanged"),
    "moved": _("moved"),
    "changed": _("changed"),
    "gone": _("not there any more"),
}


def row(
    one: Mapping[str, Any],
    names: Mapping[str, str],
    documents: Mapping[int, str],
    zone: ZoneInfo,
    start: str,
    gettext: Any,
) -> list[str]:
    """Time, event, person, address, details. ``names``: of the persons by id; ``documents``: by number."""
    data = one["data"]
    person = data.get("recipient") or data.get("person") or one["actor"].partition(":")[2]
    actors = {"system": gettext("server"), "admin": gettext("administrator"), "creator": names["creator"]}
    who = names.get(person) or actors.get(one["actor"]) or str(person or one["actor"])
    trace = data.get("trace") or {}
    name = gettext(EVENTS.get(one["type"], one["type"]))
    if one["type"] == "flow.completed" and not data.get("copies"):
        name = gettext("Finished")
    details = _details(one["type"], data, names, documents, zone, gettext)
    return [shown(one["at"], zone, other_than=start), name, who, trace.get("ip") or "–", details]


def _details(
    event: str,
    data: Mapping[str, Any],
    names: Mapping[str, str],
    documents: Mapping[int, str],
    zone: ZoneInfo,
    gettext: Any,
) -> str:
    by = gettext(BY[data["by"]]) if data.get("by") in BY else ""
    match event:
        case "mail.accepted" | "mail.failed":
            mail = str(data.get("mail") or "-")
            found = [gettext(MAILS.get(mail, mail)), data.get("reason")]
        case "recipient.signed":
            kind = str(data.get("signature_kind") or "-")
            found = [gettext(KINDS_OF_INK.get(kind, kind)), gettext("consent given")]
        case "recipient.refused":
            found = [data.get("reason") or gettext("(erased)")]
        case "recipient.approved":
            found = [data.get("comment")]
        case "recipient.reminded":
            found = [gettext("no. {n}").format(n=data.get("number") or 1), by]
        case "recipient.replaced" | "recipient.delegated":
            new = str((data.get("new") or {}).get("id"))
            found = [names.get(new) or gettext("(erased)"), by, data.get("comment")]
        case "flow.extended" | "flow.expired":
            found = [shown(data["expires_at"], zone) if data.get("expires_at") else "", by]
        case "flow.cancelled":
            found = [by, data.get("reason")]
        case "flow.suspended":
            reason = str(data.get("reason") or "-")
            found = [gettext(REASONS.get(reason, reason))]
        case "source.changed":
            state = str(data.get("state") or "-")
            found = [documents.get(data.get("n", -1)), gettext(SOURCES.get(state, state))]
        case _:
            found = [by]
    return " · ".join(str(text) for text in found if text)


def zone_of(record: Mapping[str, Any]) -> ZoneInfo:
    try:
        return ZoneInfo(record["flow"]["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def time_of(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def shown(text: str, zone: ZoneInfo, other_than: str = "") -> str:
    """With its own offset where that is ``other_than`` the one in the column's head."""
    text_shown = f"{time_of(text).astimezone(zone):%d/%m/%Y %H:%M:%S}"
    own = offset(text, zone)
    return f"{text_shown} ({own})" if other_than and own != other_than else text_shown


def offset(text: str, zone: ZoneInfo) -> str:
    offset = time_of(text).astimezone(zone).strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:]}"

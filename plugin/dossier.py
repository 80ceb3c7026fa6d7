"""The evidence record (`plugin.actions.evidence`) as a sealed PDF in the reader's language, with the record inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pdfops.evidence import DocumentRow, Labels, Sheet, draw
from pdfops.fields import Place
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.signer import Signer
from plugin.i18n import mark as _
from plugin.i18n import translations

RECORD_NAME: Final = "evidence.json"
FIELD: Final = "organisation"
MAX_ADDRESS: Final = 500
ADDRESS: Final = 3
"""Which column of the log holds the IP address."""

KINDS: Final[Mapping[str, str]] = {"signature": _("Digitised signature"), "validation": _("Document approval")}
STATES: Final[Mapping[str, str]] = {
    "running": _("Running"),
    "suspended": _("Suspended"),
    "completed": _("Finished"),
    "refused": _("Refused"),
    "cancelled": _("Cancelled"),
    "expired": _("Expired"),
}
CLOSING_SELF_MADE: Final = _(
    "Sealed by {organisation}: any change makes it invalid. The full record is attached as {file} and signed by the "
    "server's key. The certificate was made by this server and is confirmed by nobody else. Times are this server's "
    "clock."
)
CLOSING: Final = _(
    "Sealed by {organisation}: any change makes it invalid. The full record is attached as {file} and signed by the "
    "server's key. Each document holds the certificates of its seals, with who vouches for them. Times are this "
    "server's clock."
)
DECISIONS: Final[Mapping[str, str]] = {
    "signed": _("signed"),
    "approved": _("approved"),
    "refused": _("refused"),
    "invited": _("asked"),
    "waiting": _("waiting"),
    "viewed": _("asked"),
    "skipped": _("not needed any more"),
    "replaced": _("replaced"),
}
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
    "replaced": _("replacement"),
    "delegated": _("handed over"),
    "cancelled": _("cancellation"),
    "expired": _("expiry"),
    "refused": _("refusal"),
    "completed": _("signed copy"),
    "suspended": _("suspension"),
    "resumed": _("resumption"),
}
MEANS: Final = (_("personal link by e-mail"), _("platform account"))
KINDS_OF_INK: Final[Mapping[str, str]] = {"drawn": _("drawn"), "image": _("image"), "typed": _("typed")}


class NotARecord(Exception):
    """It is not an evidence record that this version can show."""


def dossier(record: Mapping[str, Any], language: str, address: str, workshop: Workshop, signer: Signer) -> bytes:
    """A sealed A4 document. ``address``: where it can be checked, as a square to point a telephone at.

    Raises: NotARecord; PdfError, where it cannot be sealed.
    """
    gettext = translations(language).gettext
    try:
        sheet = _sheet(record, language, address[:MAX_ADDRESS])
        made_at = _time(record["made_at"])
        drawn = draw(sheet, json.dumps(record, ensure_ascii=False, indent=1).encode(), RECORD_NAME)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise NotARecord from error
    lines = (
        gettext("Organisation's seal: {name}").format(name=sheet.organisation)[:80],
        _shown(record["made_at"], _zone(record)),
    )
    place = Place(FIELD, "organisation", drawn.page, *drawn.box, with_text=True)
    order = SealOrder(
        fields=(FIELD,),
        ink=b"",
        texts={FIELD: lines},
        name=gettext("Organisation's seal: {name}").format(name=sheet.organisation),
        reason=sheet.heading,
        signing_time=made_at,
    )
    return workshop.seal(workshop.prepare(drawn.data, [place]), order, signer)


def _sheet(record: Mapping[str, Any], language: str, address: str) -> Sheet:
    gettext = translations(language).gettext
    flow, zone = record["flow"], _zone(record)
    names = {one["id"]: one["name"] or gettext("(erased)") for one in record["recipients"]}
    names["creator"] = flow["creator"]["name"] or gettext("(erased)")
    kind = f"{gettext(KINDS.get(flow['kind'], flow['kind']))}, {_count(gettext, len(record['recipients']))}"
    creator = ", ".join(text for text in (names["creator"], flow["creator"]["email"]) if text)
    span = _shown(flow["created_at"], zone) + (f" – {_shown(flow['ended_at'], zone)}" if flow["ended_at"] else "")
    has_addresses = "ip" not in (record.get("left_out") or ())
    heads = [
        gettext("Date and time ({zone})").format(zone=_offset(flow["created_at"], zone)),
        gettext("Event"),
        gettext("Who"),
        gettext("IP address"),
        gettext("Details"),
    ]
    events = [_event(one, names, zone, _offset(flow["created_at"], zone), gettext) for one in record["events"]]
    for row in [heads, *events]:
        if not has_addresses:
            del row[ADDRESS]
    return Sheet(
        language=language,
        organisation=str(record["organisation"]),
        heading=gettext("Evidence record"),
        title=flow["title"] or gettext("(erased)"),
        facts=(
            (gettext("Workflow"), str(flow["id"])),
            (gettext("Type"), kind),
            (gettext("Sender"), creator),
            (gettext("Start and end"), f"{span} ({_offset(flow['created_at'], zone)})"),
        ),
        result=(gettext("Result"), gettext(STATES.get(flow["state"], flow["state"]))),
        is_good=flow["state"] == "completed",
        documents=tuple(_document(one, gettext, language) for one in record["documents"]),
        people=tuple(
            (
                str(one["step"] + 1),
                names[one["id"]],
                one["email"] or one["user"] or "",
                gettext("personal link by e-mail")
                if one["origin"] == "declared by the sender"
                else gettext("platform account"),
                " ".join(
                    text
                    for text in (
                        gettext(DECISIONS.get(one["state"], one["state"])),
                        _shown(one["decided_at"], zone) if one["decided_at"] else "",
                    )
                    if text
                ),
            )
            for one in record["recipients"]
        ),
        events=tuple(map(tuple, events)),
        closing=gettext(CLOSING_SELF_MADE if _is_self_made(record) else CLOSING).format(
            organisation=record["organisation"], file=RECORD_NAME
        ),
        foot=gettext("Parapheur, record made on {when}").format(when=_shown(record["made_at"], zone)),
        across=gettext("PROVISIONAL") if record["provisional"] else "",
        address=address,
        labels=Labels(
            documents=gettext("Documents"),
            document=gettext("Document"),
            digests=gettext("SHA-256 digest, before and after signing"),
            before=gettext("Before"),
            after=gettext("After"),
            people=gettext("Signatories") if flow["kind"] == "signature" else gettext("Validators"),
            people_heads=(gettext("Step"), gettext("Name"), gettext("Address"), gettext("Means"), gettext("Decision")),
            events=gettext("Log, each line chained to the previous one"),
            event_heads=tuple(heads),
            check=gettext("Check this record"),
            page=gettext("Page {n} of {of}"),
        ),
    )


def _count(gettext: Any, people: int) -> str:
    return str(gettext("one person") if people == 1 else gettext("{n} people in order").format(n=people))


def _document(one: Mapping[str, Any], gettext: Any, language: str) -> DocumentRow:
    size = one["size_bytes"]
    shown = f"{size / 1_000_000:.1f}".replace(".", "," if language == "fr" else ".")
    parts = [
        gettext("{n} MB").format(n=shown)
        if size >= 1_000_000
        else gettext("{n} kB").format(n=max(1, round(size / 1_000)))
    ]
    if one["pages"]:
        parts.insert(0, gettext("one page") if one["pages"] == 1 else gettext("{n} pages").format(n=one["pages"]))
    after = one["sha256_final"] or (one["sha256_revisions"][-1] if len(one["sha256_revisions"]) > 1 else "")
    return DocumentRow(one["name"] or gettext("(erased)"), ", ".join(parts), one["sha256_original"], after)


def _event(one: Mapping[str, Any], names: Mapping[str, str], zone: ZoneInfo, start: str, gettext: Any) -> list[str]:
    data = one["data"]
    person = data.get("recipient") or data.get("person") or one["actor"].partition(":")[2]
    actors = {"system": gettext("server"), "admin": gettext("administrator"), "creator": names["creator"]}
    who = names.get(person) or actors.get(one["actor"]) or str(person or one["actor"])
    trace = data.get("trace") or {}
    details = ""
    if one["type"].startswith("mail."):
        mail = str(data.get("mail") or "-")
        details = gettext(MAILS.get(mail, mail))
    elif one["type"] == "recipient.signed":
        kind = str(data.get("signature_kind") or "-")
        ink = gettext(KINDS_OF_INK.get(kind, kind))
        details = f"{ink}, " + gettext("consent given")
    elif one["type"] == "recipient.refused":
        details = data.get("reason") or gettext("(erased)")
    elif one["type"] == "recipient.approved":
        details = data.get("comment") or ""
    name = gettext(EVENTS.get(one["type"], one["type"]))
    return [_shown(one["at"], zone, other_than=start), name, who, trace.get("ip") or "–", details]


def _zone(record: Mapping[str, Any]) -> ZoneInfo:
    try:
        return ZoneInfo(record["flow"]["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _shown(text: str, zone: ZoneInfo, other_than: str = "") -> str:
    """With its own offset where that is ``other_than`` the one in the column's head."""
    shown = f"{_time(text).astimezone(zone):%d/%m/%Y %H:%M:%S}"
    offset = _offset(text, zone)
    return f"{shown} ({offset})" if other_than and offset != other_than else shown


def _offset(text: str, zone: ZoneInfo) -> str:
    offset = _time(text).astimezone(zone).strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:]}"


def _is_self_made(record: Mapping[str, Any]) -> bool:
    """Whether nobody vouches for the seals' certificate; so it was before records said it."""
    seal = record.get("seal")
    return not isinstance(seal, Mapping) or seal.get("self_made") is not False

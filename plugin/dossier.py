"""The evidence record (`plugin.actions.evidence`) as a sealed PDF in the reader's language, with the record inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from pdfops.evidence import DocumentRow, Labels, Sheet, draw
from pdfops.fields import Place
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.signer import Signer
from plugin.dossier_log import offset, row, shown, time_of, zone_of
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
CLOSING_APPROVALS: Final = _(
    "Sealed by {organisation}: any change makes it invalid. The full record is attached as {file} and signed by the "
    "server's key. Times are this server's clock."
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
MEANS: Final = (_("personal link by e-mail"), _("platform account"))


class NotARecord(Exception):
    """It is not an evidence record that this version can show."""


def dossier(record: Mapping[str, Any], language: str, address: str, workshop: Workshop, signer: Signer) -> bytes:
    """A sealed A4 document. ``address``: where it can be checked, as a square to point a telephone at.

    Raises: NotARecord; PdfError, where it cannot be sealed.
    """
    gettext = translations(language).gettext
    try:
        sheet = _sheet(record, language, address[:MAX_ADDRESS])
        made_at = time_of(record["made_at"])
        drawn = draw(sheet, json.dumps(record, ensure_ascii=False, indent=1).encode(), RECORD_NAME)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise NotARecord from error
    lines = (
        gettext("Organisation's seal: {name}").format(name=sheet.organisation)[:80],
        shown(record["made_at"], zone_of(record)),
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
    flow, zone = record["flow"], zone_of(record)
    names = {one["id"]: one["name"] or gettext("(erased)") for one in record["recipients"]}
    names["creator"] = flow["creator"]["name"] or gettext("(erased)")
    asked = [one for one in record["recipients"] if one["role"] != "observer" and one["state"] != "replaced"]
    kind = f"{gettext(KINDS.get(flow['kind'], flow['kind']))}, {_count(gettext, len(asked))}"
    signs = flow["kind"] != "validation"
    creator = ", ".join(text for text in (names["creator"], flow["creator"]["email"]) if text)
    span = shown(flow["created_at"], zone) + (f" – {shown(flow['ended_at'], zone)}" if flow["ended_at"] else "")
    named = {one["n"]: one["name"] or gettext("(erased)") for one in record["documents"]}
    has_addresses = "ip" not in (record.get("left_out") or ())
    heads = [
        gettext("Date and time ({zone})").format(zone=offset(flow["created_at"], zone)),
        gettext("Event"),
        gettext("Who"),
        gettext("IP address"),
        gettext("Details"),
    ]
    events = [row(one, names, named, zone, offset(flow["created_at"], zone), gettext) for one in record["events"]]
    for cells in [] if has_addresses else [heads, *events]:
        del cells[ADDRESS]
    return Sheet(
        language=language,
        organisation=str(record["organisation"]),
        heading=gettext("Evidence record"),
        title=flow["title"] or gettext("(erased)"),
        facts=(
            (gettext("Workflow"), str(flow["id"])),
            (gettext("Type"), kind),
            (gettext("Sender"), creator),
            (gettext("Start and end"), f"{span} ({offset(flow['created_at'], zone)})"),
        ),
        result=(gettext("Result"), gettext(STATES.get(flow["state"], flow["state"]))),
        is_good=flow["state"] == "completed",
        documents=tuple(_document(one, gettext, language) for one in record["documents"]),
        people=tuple(_person(one, record, names, zone, gettext) for one in record["recipients"]),
        events=tuple(map(tuple, events)),
        closing=gettext(
            CLOSING_SELF_MADE if _is_self_made(record) else CLOSING if signs else CLOSING_APPROVALS
        ).format(organisation=record["organisation"], file=RECORD_NAME),
        foot=gettext("Parapheur, record made on {when}").format(when=shown(record["made_at"], zone)),
        across=gettext("PROVISIONAL") if record["provisional"] else "",
        address=address,
        labels=Labels(
            documents=gettext("Documents"),
            document=gettext("Document"),
            digests=gettext("SHA-256 digest, before and after signing") if signs else gettext("SHA-256 digest"),
            before=gettext("Before") if signs else "",
            after=gettext("After"),
            people=gettext(_people(record)),
            people_heads=(gettext("Step"), gettext("Name"), gettext("Address"), gettext("Means"), gettext("Decision")),
            events=gettext("Log, each line chained to the previous one"),
            event_heads=tuple(heads),
            check=gettext("Check this record"),
            page=gettext("Page {n} of {of}"),
        ),
    )


def _people(record: Mapping[str, Any]) -> str:
    roles = {one["role"] for one in record["recipients"]}
    if roles == {"signatory"}:
        return _("Signatories")
    return _("Validators") if roles == {"validator"} else _("Recipients")


def _person(
    one: Mapping[str, Any], record: Mapping[str, Any], names: Mapping[str, str], zone: ZoneInfo, gettext: Any
) -> tuple[str, ...]:
    by = next((other["id"] for other in record["recipients"] if other.get("replaces") == one["id"]), None)
    if one["state"] == "replaced" and by is not None:
        handed_over = gettext("handed over to {name}") if one.get("has_delegated") else gettext("replaced by {name}")
        decision = handed_over.format(name=names[by])
    elif one["role"] == "observer":
        decision = gettext("gets copies")
    elif one["state"] == "waiting" and record["flow"]["ended_at"]:
        decision = gettext("never asked")
    else:
        decision = gettext(DECISIONS.get(one["state"], one["state"]))
    by_link = one["origin"] == "declared by the sender"
    return (
        _step(one["step"], record.get("steps") or [], gettext),
        names[one["id"]],
        one["email"] or one["user"] or "",
        gettext("personal link by e-mail") if by_link else gettext("platform account"),
        f"{decision} {shown(one['decided_at'], zone) if one['decided_at'] else ''}".rstrip(),
    )


def _step(number: int | None, steps: Sequence[Mapping[str, Any]], gettext: Any) -> str:
    """With how many of a step are enough, where not all of them are needed."""
    if number is None:
        return "–"
    step = steps[number] if number < len(steps) else {"rule": "all"}
    if step["rule"] == "all":
        return str(number + 1)
    enough = 1 if step["rule"] == "any" else step["n"]
    return f"{number + 1} " + str(gettext("({n} of {of})")).format(n=enough, of=len(step["recipients"]))


def _count(gettext: Any, people: int) -> str:
    return str(gettext("one person") if people == 1 else gettext("{n} people").format(n=people))


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


def _is_self_made(record: Mapping[str, Any]) -> bool:
    """Whether nobody vouches for the seals' certificate; so it was before records said it."""
    seal = record.get("seal")
    return not isinstance(seal, Mapping) or seal.get("self_made") is not False

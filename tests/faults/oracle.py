"""What must be true of a flow, whatever happened to the machine: security.md, section 4. Nothing of the product's code
is asked: files are looked at on the host's disk, the chain by an independent verifier, signatures by other programs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tests.faults.cases import CREATOR, Act, Case
from tests.pdfops import oracles
from tests.state import independent_verifier

Json = dict[str, Any]
DECIDED = {"sign": "recipient.signed", "approve": "recipient.approved", "refuse": "recipient.refused"}
LINES = {**DECIDED, "view": "recipient.viewed", "cancel": "flow.cancelled"}
_ONCE = ("recipient.invited", "flow.launched", "flow.completed", "flow.cancelled", "evidence.stored")
_REVISION = re.compile(r"[0-9a-f]{64}")


class Violation(AssertionError):
    """``kind``: lost, duplicated, altered, unproven, unreachable, turns, strays, mails."""

    def __init__(self, kind: str, case: Case, what: str) -> None:
        super().__init__(f"{kind}: case {case.number} ({case.id}): {what}")
        self.kind = kind


def chain(case: Case) -> list[Json]:
    """The lines of its state file; [] where there is none yet. Raises: Violation unproven."""
    try:
        log = (case.flow_folder / "flow.jsonl").read_bytes() if case.id else b""
    except FileNotFoundError:
        log = b""
    if not log:
        return []
    try:
        return _lines(log, case.id)
    except independent_verifier.Bad as bad:
        raise Violation("unproven", case, repr(bad)) from bad


@lru_cache(maxsize=64)
def _lines(log: bytes, flow_id: str) -> list[Json]:
    independent_verifier.verify(log, flow_id)
    return [json.loads(line) for line in log.splitlines()]


@lru_cache(maxsize=64)
def _signed_fields(data: bytes) -> list[int]:
    """The numbers of the fields that bear a signature, as pdfsig finds them."""
    return sorted(int(verdict.field.rpartition("_")[2]) for verdict in oracles.poppler(data))


def check_originals(case: Case) -> None:
    """At any moment whatever: what people had is what they have."""
    for name, data in case.originals.items():
        if (case.on_disk / name).read_bytes() != data:
            raise Violation("altered", case, name)


def check(case: Case) -> list[Json]:
    """At any moment at which nobody writes. Returns: the chain."""
    check_originals(case)
    lines = chain(case)
    happened = Counter((line["type"], line["actor"]) for line in lines if line["type"] in LINES.values())
    for act in case.done:
        if act.name == "launch" and not lines:
            raise Violation("lost", case, "the launch was acknowledged, and there is no state file")
        if act.name in LINES and line_of(act) not in happened:
            raise Violation("lost", case, f"{act} was acknowledged")
    asked = {line_of(act) for act in case.tried if act.name in LINES}
    if set(happened) - asked:
        raise Violation("duplicated", case, f"nobody asked for {set(happened) - asked}")
    once = Counter(
        (line["type"], line["data"].get("recipient", ""))
        for line in lines
        if line["type"] in (*DECIDED.values(), *_ONCE)
    )
    if more := {what: times for what, times in once.items() if times > 1}:
        raise Violation("duplicated", case, str(more))
    _check_turns(case, lines)
    _check_fields(case, lines)
    return lines


def line_of(act: Act) -> tuple[str, str]:
    """What an act leaves in the chain: type, actor."""
    return LINES.get(act.name, ""), f"recipient:r{act.by}" if act.by else "creator"


def _check_turns(case: Case, lines: list[Json]) -> None:
    """Exactly one step's turn while it runs, none afterwards."""
    if not lines:
        return
    invited = [line["data"]["recipient"] for line in lines if line["type"] == "recipient.invited"]
    decided = {line["data"]["recipient"] for line in lines if line["type"] in DECIDED.values()}
    refused = {line["data"]["recipient"] for line in lines if line["type"] == "recipient.refused"}
    expected: list[str] = []
    for step in case.steps:
        expected += step
        if refused & set(step) or not set(step) <= decided:
            break
    if sorted(invited) != sorted(expected) or not decided <= set(invited):
        raise Violation("turns", case, f"invited {invited}, decided {sorted(decided)}")


def _check_fields(case: Case, lines: list[Json]) -> None:
    """Signature fields of the latest revision = signed events, and they are those of whoever signed."""
    signed = [line for line in lines if line["type"] == "recipient.signed"]
    if not signed:
        return
    for document in signed[-1]["data"]["documents"]:
        data = (case.flow_folder / document["sha256"]).read_bytes()
        if hashlib.sha256(data).hexdigest() != document["sha256"]:
            raise Violation("altered", case, f"revision {document['sha256']}")
        fields = _signed_fields(data)
        wanted = [_field(case, document["n"], line["data"]["recipient"]) for line in signed]
        if fields != sorted(wanted):
            raise Violation("duplicated", case, f"fields {fields}, events {wanted}")
    has_copies = any("(signé)" in name for name in _names(case))
    if has_copies and len(signed) < sum(r["role"] == "signatory" for r in case.recipients):
        raise Violation("duplicated", case, "a signed copy before everybody signed")


def _field(case: Case, document: int, recipient: str) -> int:
    position = int(recipient.removeprefix("r")) - 1
    return next(n for n, p in enumerate(case.placements) if (p["document"], p["recipient"]) == (document, position))


def _names(case: Case) -> set[str]:
    """What lies beside the originals, and of this case in the creator's home."""
    mine = re.compile(rf"(^|\D){case.number} \(")
    home = {path.name for path in case.host.root.joinpath(CREATOR).iterdir() if mine.search(path.name)}
    return {path.name for path in case.on_disk.iterdir()} | home


# ---- rest -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Owed:
    """What the world should have got by now."""

    mails: frozenset[tuple[str, str]]
    """(kind, person)"""
    may: frozenset[tuple[str, str]]
    """Invitations of people who decided before theirs was recorded: nothing is owed to them any more."""
    ended: str
    """The line that says so; "" while it runs."""


def owed(case: Case) -> Owed:
    """By what people did, as far as it was acknowledged."""
    decided = {f"r{act.by}" for act in case.done if act.name in DECIDED}
    ends = {act.name for act in case.done} & {"refuse", "cancel"}
    took_part: set[str] = set()
    for step in case.steps:
        took_part |= set(step)
        if not set(step) <= decided:
            break
    if Act("launch") not in case.done:
        return Owed(frozenset(), frozenset(), "")
    invited = {("invitation", person) for person in took_part}
    is_ended = bool(ends) or len(decided) == len(case.recipients)
    if not is_ended:
        due = frozenset(mail for mail in invited if mail[1] not in decided)
        return Owed(due, frozenset(invited) - due, "")
    if "cancel" in ends:  # which the creator knows
        return Owed(frozenset(("cancelled", person) for person in took_part), frozenset(invited), "flow.cancelled")
    kind, line = ("refused", "recipient.refused") if ends else ("completed", "flow.completed")
    return Owed(frozenset((kind, person) for person in {CREATOR_ID, *took_part}), frozenset(invited), line)


CREATOR_ID = "creator"


def is_at_rest(case: Case, may_be_left: Callable[[str], bool] = lambda _path: False) -> str:
    """ "" once everything that is owed was done and recorded and nothing is left over; else what is missing."""
    lines = chain(case)
    recorded = {
        (line["data"]["mail"], line["data"]["person"]) for line in lines if line["type"].startswith("mail.accepted")
    }
    due = owed(case)
    if missing := due.mails - recorded:
        return f"not recorded: {sorted(missing)}"
    said = {line["type"] for line in lines}
    if due.ended and due.ended not in said:
        return f"no {due.ended}"
    if due.ended not in ("", "flow.cancelled") and "evidence.stored" not in said:
        return "no evidence.stored"
    if due.ended and (left := {path for path in strays(case, lines) if not may_be_left(path)}):
        return f"left over: {sorted(left)}"
    return ""


def strays(case: Case, lines: list[Json]) -> set[str]:
    """What lies in ``.flows`` of an ended flow and should not."""
    wanted = {"flow.jsonl", "salts.json"}
    for line in lines:
        if line["type"] == "recipient.signed":
            wanted |= {document["sha256"] for document in line["data"]["documents"]}
        if line["type"] == "flow.launched":
            wanted |= {document.get("prepared_sha256") or document["sha256"] for document in line["data"]["documents"]}
    kept = {case.flow_folder, *(case.flow_folder / name for name in wanted)}
    found = {*case.on_disk.joinpath(".flows").rglob("*"), *case.flow_folder.rglob("*")} - kept
    return {str(path.relative_to(case.host.root)) for path in found if ".DAV" not in path.parts}


def check_ended(case: Case, starts: Sequence[datetime] = ()) -> int:
    """At rest after its end. ``starts``: of the sidecar, each after a death. Returns: how many mails came twice."""
    lines = check(case)
    signed = [line for line in lines if line["type"] == "recipient.signed"]
    expected = set(case.originals)
    if any(line["type"] == "flow.completed" for line in lines) and signed:
        finals = {document["n"]: document["sha256"] for document in signed[-1]["data"]["documents"]}
        for n, (name, original) in enumerate(case.originals.items()):
            copy = f"{name.removesuffix('.pdf')} (signé).pdf"
            laid = [folder / copy for folder in (case.on_disk, case.place) if (folder / copy).exists()]
            data = laid[0].read_bytes() if laid else b""
            if hashlib.sha256(data).hexdigest() != finals[n] or not data.startswith(original):
                raise Violation("lost", case, f"the signed copy {copy}")
            if not oracles.all_well(data, len(signed)):
                raise Violation("unproven", case, f"{copy}: {oracles.poppler(data)}")
            expected.add(copy)
    for line in lines:
        if line["type"] == "evidence.stored":
            expected.add(_check_evidence(case, line["data"]))
    if (found := _names(case) - {".flows", ".DAV"}) != expected:
        raise Violation("duplicated", case, f"there is {sorted(found ^ expected)}")
    return _check_mails(case, starts)


def _check_evidence(case: Case, data: Json) -> str:
    """Returns: its name."""
    name = f"Affaire {case.number} (dossier de preuves).pdf"
    laid = [folder / name for folder in (case.on_disk, case.place) if (folder / name).exists()]
    record = laid[0].read_bytes() if laid else b""
    if hashlib.sha256(record).hexdigest() != data["sha256"] or not oracles.all_well(record, 1):
        raise Violation("lost", case, "the evidence record")
    return name


def _check_mails(case: Case, starts: Sequence[datetime]) -> int:
    """One a person and event. A second one bears the same Message-ID, and the process died between the two."""
    due = owed(case)
    got: dict[tuple[str, str], list[datetime]] = {}
    for mail in case.host.mails():
        kind, flow_id, person, *_ = mail["message_id"].strip("<").split(".")
        if flow_id == case.id:
            got.setdefault((kind, person), []).append(datetime.fromisoformat(mail["at"]))
    if due.mails - set(got) or set(got) - due.mails - due.may:
        raise Violation("mails", case, f"got {set(got)}, due {set(due.mails)}")
    twice = 0
    for mail_, times in got.items():
        for first, second in pairwise(times):
            twice += 1
            if not any(first < start < second for start in starts):
                raise Violation("mails", case, f"twice: {mail_}, and nothing died in between")
    return twice


def documents_are_reachable(case: Case, read: Any) -> None:
    """``read(n)``: what the creator downloads. Raises: Violation."""
    lines = chain(case)
    signed = [line for line in lines if line["type"] == "recipient.signed"]
    launched = lines[0]["data"]["documents"]
    for document in launched:
        latest = document.get("prepared_sha256") or document["sha256"]
        for line in signed:
            latest = next(d["sha256"] for d in line["data"]["documents"] if d["n"] == document["n"])
        if hashlib.sha256(read(document["n"])).hexdigest() != latest:
            raise Violation("unreachable", case, f"document {document['n']}")


__all__ = ["CREATOR", "Violation", "chain", "check", "check_ended", "documents_are_reachable", "is_at_rest", "owed"]

"""A state file read as a story: who was asked when, who did what, and whether it was his turn. By rules of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.simulation.story import Story

Line = dict[str, Any]
DECISIONS = {"recipient.approved": "approve", "recipient.signed": "sign", "recipient.refused": "refuse"}
ENDS = {
    "flow.completed": "completed",
    "recipient.refused": "refused",
    "flow.cancelled": "cancelled",
    "flow.expired": "expired",
}
"""The last act -> the mail that tells of it."""


class Unlawful(Exception):
    """What a chain tells must never have happened."""


class Chronicle:
    """``signed``: in their order, by those whose fields they are: newcomers sign in them. ``copies``: document ->
    (file id, SHA-256), ``instead``: why it is not where it was to be; ``evidence`` likewise. ``pins``: all that was
    ever pinned, as (document, SHA-256). ``end``: type of the last act. ``erased``: of whom the chain says so.

    ``is_steady``: nobody set the server's clock, so that times can be compared.
    """

    def __init__(self, story: Story, *, is_steady: bool = True) -> None:
        self._story = story
        self._is_steady = is_steady
        self.revisions: dict[int, list[str]] = {}
        self.at_home: dict[int, bool] = {}
        self.signed: list[str] = []
        self.copies: dict[int, tuple[str, str]] = {}
        self.instead: dict[int, str] = {}
        self.pins: set[tuple[int, str]] = set()
        self.end: str | None = None
        self.decided: dict[str, tuple[str, str]] = {}
        self.told: set[tuple[str, str, int]] = set()
        self.evidence: tuple[str, str] | None = None
        self.erased: set[str] = set()
        self._steps: list[tuple[list[str], str, int | None]] = []
        self._roles: dict[str, str] = {}
        self._places: dict[str, str] = {}
        """Newcomer -> who was asked for that place at first."""
        self.pinned: dict[int, str] = {}
        self._decisions: set[tuple[str, str, str]] = set()
        """Of all rounds: (person, act, request)."""
        self._asked: set[str] = set()
        self._invited: dict[str, int] = {}
        self._rounds: dict[str, int] = {}
        """Of the last invitation of each, also before everybody was asked anew."""
        self._renewed: set[str] = set()
        self._skipped: set[str] = set()
        self._left: dict[str, str] = {}
        """Those who were replaced -> the mail that tells of it."""
        self._is_suspended = False
        self._expires_at: datetime | None = None

    def tell(self, lines: list[Line]) -> None:
        """Raises: Unlawful."""
        for number, line in enumerate(lines):
            if line["seq"] != number + 1:
                raise Unlawful(f"line {number + 1} has seq {line['seq']}")
            self._tell(line, is_first=number == 0)
        if self._story.is_cancelled and self.end != "flow.cancelled":
            raise Unlawful("its creator was told that it is cancelled")
        if self._story.is_erased and self._story.erased not in self.erased:
            raise Unlawful(f"an administrator was told that {self._story.erased} is erased")
        for rid, acts in self._story.acknowledged.items():
            for act, request in acts:
                if (rid, act, request) not in self._decisions:
                    raise Unlawful(f"{rid} was told that {(act, request)} was done, which the chain does not say")

    def untold(self) -> list[str]:
        """Of whom no line says that he was told of the end, or never can be."""
        story = self._story
        if self.end is None:
            return ["anybody"]
        what = ENDS[self.end]
        addresses = {f"{story.creator}@example.org": "creator"}
        known = {party.rid: party.email for party in story.everybody}
        observers = {rid for rid, role in self._roles.items() if role == "observer" and what == "completed"}
        for rid in sorted(self._asked | observers):
            if rid not in self._left:
                addresses.setdefault(known.get(rid, rid), rid)
        missing = [person for person in addresses.values() if (what, person, 0) not in self.told]
        heard = {(mail, person) for mail, person, _ in self.told}
        missing += [  # whom nothing ever reached need not hear that he is not asked any more
            rid
            for rid, mail in self._left.items()
            if mail == "replaced" and (mail, rid) not in heard and ("invitation", rid) in heard
        ]
        missing += [
            "creator" for mail in self._left.values() if mail == "delegated" and (mail, "creator") not in heard
        ]
        missing = [person for person in missing if person not in self.erased]
        if self.end == "flow.cancelled":
            missing = [person for person in missing if person != "creator"]
        if self.evidence is None and self.end not in ("flow.cancelled", "flow.expired"):
            missing += ["whoever looks for the evidence record"] if "creator" not in self.erased else []
        return missing

    def _tell(self, line: Line, *, is_first: bool) -> None:
        kind, data = line["type"], line["data"]
        if is_first != (kind == "flow.launched"):
            raise Unlawful(f"{kind} where it cannot be")
        if self.end is not None and not kind.startswith(("mail.", "evidence.", "person.", "key.")):
            raise Unlawful(f"{kind} after the end")
        match kind:
            case "flow.launched":
                self._launched(data)
            case "recipient.invited":
                self._is_invited(data)
            case "recipient.viewed":
                self._check_turn(line)
            case "recipient.approved" | "recipient.signed" | "recipient.refused":
                self._decides(line)
            case "flow.completed":
                self._completes(data)
            case "mail.accepted" | "mail.failed":
                self._is_told(data)
            case "link.renewed":
                if data["recipient"] not in self._turn():
                    raise Unlawful(f"{data['recipient']} got a new link, it was the turn of {self._turn()}")
                self._renewed.add(data["recipient"])
            case "recipient.replaced" | "recipient.delegated":
                self._is_replaced(line)
            case "flow.extended":
                self._is_extended(data)
            case "flow.expired":
                self._expires(line)
            case "person.erased":
                self._is_erased(line)
            case "recipient.reminded":
                if data["recipient"] not in self._turn() or data["recipient"] not in self._invited:
                    raise Unlawful(f"{data['recipient']} was reminded, it was the turn of {self._turn()}")
            case "flow.cancelled":
                self.end = kind
            case "recipient.skipped":
                self._is_skipped(data)
            case "evidence.stored":
                if self.evidence is not None:
                    raise Unlawful("two evidence records")
                self.evidence = (data["file_id"], data["sha256"])
            case "flow.suspended" | "flow.resumed":
                self._is_suspended = kind == "flow.suspended"
            case "flow.restarted":
                self._restarts(line)
            case "source.changed" | "key.rotated":
                pass
            case _:
                raise Unlawful(f"{kind} is no kind of event")

    def _launched(self, data: Line) -> None:
        story = self._story
        asked = [(r["id"], r["role"]) for r in data["recipients"]]
        if asked != [(party.rid, party.role) for party in story.parties]:
            raise Unlawful(f"{asked} were asked")
        if [d["file_id"] for d in data["documents"]] != [paper.file_id for paper in story.papers]:
            raise Unlawful("other documents")
        save = data.get("save", {"mode": "beside"})
        if (save["mode"], save.get("folder_id")) != (story.save, story.folder_id):
            raise Unlawful(f"its results are to be saved {save}")
        self._steps = [([*persons], rule, n) for persons, rule, n in story.steps]
        self._roles = dict(asked)
        self._expires_at = _time(data["expires_at"]) if "expires_at" in data else None
        if (self._expires_at is None) != (story.deadline_s is None):
            raise Unlawful(f"its deadline is {self._expires_at}")
        self._pins(data)

    def _pins(self, data: Line) -> None:
        self.at_home = {d["n"]: bool(d["kept_at_home"]) for d in data["documents"]}
        self.revisions = {d["n"]: [d.get("prepared_sha256") or d["sha256"]] for d in data["documents"]}
        self.pinned = {d["n"]: d["sha256"] for d in data["documents"]}
        self.pins |= self.pinned.items()

    def _restarts(self, line: Line) -> None:
        """Everybody is asked again, about what the files hold now."""
        if line["actor"] != "creator" or not self._is_suspended or self._story.on_change != "restart":
            raise Unlawful(f"{line['actor']} let it begin anew")
        self._pins(line["data"])
        self.decided, self._invited, self._is_suspended = {}, {}, False
        self._skipped.clear()
        self._renewed.clear()

    def _is_invited(self, data: Line) -> None:
        rid = data["recipient"]
        if rid in self._invited and rid not in self._renewed:
            raise Unlawful(f"{rid} was invited twice")
        self._renewed.discard(rid)
        if data["round"] <= self._rounds.get(rid, 0):
            raise Unlawful(f"{rid} was invited in round {data['round']} again")
        if rid not in self._turn():
            raise Unlawful(f"{rid} was invited, it was the turn of {self._turn()}")
        self._invited[rid] = self._rounds[rid] = data["round"]
        self._asked.add(rid)

    def _is_skipped(self, data: Line) -> None:
        rid = data["recipient"]
        step = next((step for step in self._steps if rid in step[0]), ((), "all", None))
        if rid in self.decided or rid in self._skipped or rid in self._left or not self._is_done(step):
            raise Unlawful(f"{rid} was skipped")
        self._skipped.add(rid)

    def _turn(self) -> tuple[str, ...]:
        """Whose decisions are wanted now."""
        step = next((step for step in self._steps if not self._is_done(step)), None)
        return tuple(rid for rid in step[0] if rid not in self.decided) if step is not None else ()

    def _is_done(self, step: tuple[Sequence[str], str, int | None]) -> bool:
        persons, rule, n = step
        done = sum(self.decided.get(rid, ("refuse",))[0] != "refuse" for rid in persons)
        return done >= (len(persons) if rule == "all" else n or 1)

    def _check_turn(self, line: Line) -> str:
        rid = str(line["data"]["recipient"])
        if line["actor"] != f"recipient:{rid}":
            raise Unlawful(f"{line['actor']} acted for {rid}")
        if rid in self.decided:
            raise Unlawful(f"{rid} acted after having decided")
        if rid in self._left:
            raise Unlawful(f"{rid} acted though somebody else is in his place")
        if self._is_suspended:
            raise Unlawful(f"{rid} acted while the flow was suspended")
        if rid not in self._invited or rid not in self._turn():
            raise Unlawful(f"{rid} acted before his turn")
        by_link = self._story.sent_by.get(line["data"].get("trace", {}).get("request"))
        if by_link not in (None, self._invited[rid]):
            raise Unlawful(f"{rid} acted by an old link, of round {by_link}; he was asked in {self._invited[rid]}")
        return rid

    def _decides(self, line: Line) -> None:
        rid, data = self._check_turn(line), line["data"]
        act, request = DECISIONS[line["type"]], data["trace"]["request"]
        role = self._roles[rid]
        sent_at = self._story.sent_at.get(request)
        is_late = sent_at is not None and self._expires_at is not None and sent_at > self._expires_at
        if is_late and self._is_steady:
            raise Unlawful(f"{rid} decided at {sent_at}, the deadline was {self._expires_at}")
        if act == "sign":
            if role != "signatory" or request not in self._story.consented.get(rid, ()):
                raise Unlawful(f"{rid} signed without consent")
            self._signs(rid, data)
        elif act == "approve":
            shown = {d["n"]: d["sha256"] for d in data["documents"]}
            if role != "validator" or shown != {n: known[-1] for n, known in self.revisions.items()}:
                raise Unlawful(f"{rid} approved something else")
        self.decided[rid] = (act, request)
        self._decisions.add((rid, act, request))
        if act == "refuse":
            self.end = line["type"]

    def _signs(self, rid: str, data: Line) -> None:
        sealed = {d["n"]: d for d in data["documents"]}
        if sealed.keys() != self.revisions.keys():
            raise Unlawful(f"{rid} signed some of the documents only")
        for n, one in sealed.items():
            if one["shown_sha256"] not in self.revisions[n]:
                raise Unlawful(f"{rid} was shown what was no revision")
            self.revisions[n].append(one["sha256"])
        self.signed.append(self._places.get(rid, rid))

    def _completes(self, data: Line) -> None:
        if self._turn():
            raise Unlawful(f"completed, without {self._turn()}")
        self.copies = {copy["n"]: (copy["file_id"], copy["sha256"]) for copy in data["copies"]}
        self.instead = {copy["n"]: copy["instead"] for copy in data["copies"] if "instead" in copy}
        wanted = set(self.revisions) if self._story.kind == "signature" else set()
        if self.copies.keys() != wanted:
            raise Unlawful(f"completed with copies of {sorted(self.copies)}")
        self.end = "flow.completed"

    def _is_replaced(self, line: Line) -> None:
        """By somebody of the same role, with the next id; whoever left is asked nothing any more."""
        rid, new, is_own = line["data"]["recipient"], line["data"]["new"], line["type"] == "recipient.delegated"
        by = "himself" if is_own else "creator"
        if by not in self._story.replaced.get(rid, ()) or line["actor"] != (f"recipient:{rid}" if is_own else by):
            raise Unlawful(f"{line['actor']} put somebody in {rid}'s place")
        if is_own and not self._story.may_delegate:
            raise Unlawful(f"{rid} handed over, which was not allowed")
        if is_own:
            self._check_turn(line)
        elif rid in self.decided or rid in self._skipped or rid in self._left:
            raise Unlawful(f"{rid} was replaced")
        if (new["id"], new["role"]) != (f"r{len(self._roles) + 1}", self._roles[rid]):
            raise Unlawful(f"{new['id']} came as {new['role']} in the place of {rid}")
        self._roles[new["id"]] = new["role"]
        self._places[new["id"]] = self._places.get(rid, rid)
        for persons in (persons for persons, _, _ in self._steps if rid in persons):  # none of an observer
            persons[persons.index(rid)] = new["id"]
        if is_own or rid in self._asked:
            self._left[rid] = "delegated" if is_own else "replaced"
        else:
            self._left[rid] = "nobody asked him"

    def _is_extended(self, data: Line) -> None:
        later = _time(data["expires_at"])
        if data["expires_at"] not in self._story.extended or (self._expires_at and later <= self._expires_at):
            raise Unlawful(f"its deadline became {later}, it was {self._expires_at}")
        self._expires_at = later

    def _expires(self, line: Line) -> None:
        if line["actor"] != "system" or self._expires_at is None or not self._turn():
            raise Unlawful("it expired")
        if _time(line["at"]) < self._expires_at and self._is_steady:
            raise Unlawful(f"it expired at {line['at']}, its deadline is {self._expires_at}")
        self.end = line["type"]

    def _is_erased(self, line: Line) -> None:
        person = line["data"]["person"]
        if line["actor"] != "admin" or person != self._story.erased or (self.end is None and person not in self._left):
            raise Unlawful(f"{person} was erased by {line['actor']}")
        if person in self.erased:
            raise Unlawful(f"{person} was erased twice")
        self.erased.add(person)

    def _is_told(self, data: Line) -> None:
        mail = (data["mail"], data["person"], data["round"])
        if mail in self.told:
            raise Unlawful(f"{mail} stands there twice")
        what, person, _ = mail
        ended_with = ENDS[self.end] if self.end is not None else None
        if what in ENDS.values() and what != ended_with:
            raise Unlawful(f"{person} was told that it is {what}")
        if self._roles.get(person) == "observer" and (what != "completed" or person in self._left):
            raise Unlawful(f"{person}, an observer, was told by {what}")
        self.told.add(mail)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)

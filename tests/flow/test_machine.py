"""Any order of commands, the wrong ones too, with a clock that moves, against a model of a few lines."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from plugin.flow.commands import (
    Cancel,
    Command,
    Delegate,
    Erase,
    Expire,
    Extend,
    Finish,
    NewLink,
    NoteSource,
    RecordMail,
    Remind,
    Replace,
    Restart,
    Resume,
    StoreEvidence,
    Suspend,
)
from plugin.flow.errors import Conflict, ParapheurError
from plugin.flow.events import AskedRecipient, Event
from plugin.flow.model import (
    CREATOR,
    By,
    MailKind,
    Personal,
    SignedCopy,
    SourceState,
    StoredEvidence,
    SuspendReason,
)
from plugin.flow.owed import EvidenceWork, ExpireWork, FinishWork, MailWork, RemindWork
from tests.flow.builders import (
    NOW,
    Story,
    approving,
    document,
    person,
    recipient,
    refusing,
    sha,
    signing,
    trace,
    viewing,
)
from tests.flow.model import Model, Person, S, Shape, V, launch_of, shapes
from tests.flow.promises import Promises

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

picks = st.integers(0, 20)
rarely = st.integers(0, 3).map(lambda n: n == 0)
spans = st.sampled_from([timedelta(seconds=1), 2 * MINUTE, 61 * MINUTE, DAY, 2 * DAY, 9 * DAY])
addresses = st.sampled_from(["x1@example.org", "x2@example.org", "r1@example.org", "r2@example.org"])


class Flows(Promises):
    @initialize(shape=shapes())
    def launch(self, shape: Shape) -> None:
        asked = launch_of(shape)
        self.at = NOW
        self.shape = shape
        self.model = Model.of(shape, [(r.id, r.role, f"{r.id}@example.org") for r in asked.recipients], NOW)
        self.story = Story(asked)
        self.told: list[tuple[str, str, int]] = []

    # ---- how commands are put ----
    def do(self, command: Command, expected: str) -> list[Event] | None:
        """None where it was refused, as expected: with a code, the state that made it so, and nothing changed."""
        before = self.story.now
        refusal: ParapheurError | None = None
        events: list[Event] = []
        try:
            events = self.story.do(command, self.at)
        except ParapheurError as error:
            refusal = error
        assert (refusal.code if refusal else "") == expected, command
        if refusal is None:
            return events
        assert self.story.now == before
        assert not isinstance(refusal, Conflict) or refusal.values["state"]
        return None

    def one(self, pick: int) -> Person:
        """Anybody, but mostly one whose turn it is."""
        everybody = list(self.model.people.values())
        asked = [p for p in everybody if p.is_open] if pick % 3 else []
        return (asked or everybody)[pick % len(asked or everybody)]

    def newcomer(self, like: Person, address: str) -> AskedRecipient:
        asked = recipient(7, like.role)
        new_id = self.story.now.next_recipient_id
        return replace(asked, id=new_id, email=person(new_id, address), last_name=person(new_id, address[:2]))

    # ---- recipients ----
    @rule(pick=picks, documents=st.sets(st.integers(0, 2)))
    def view(self, pick: int, documents: set[int]) -> None:
        who = self.one(pick)
        unknown = any(n >= self.shape.documents for n in documents)
        expected = self.model.refusal(who.id, self.at) or ("no-such-document" if unknown else "")
        if self.do(viewing(who.id, *documents), expected) is not None:
            who.has_looked = True

    @rule(pick=picks, slip=st.sampled_from(["", "", "", "missing", "unknown", "other"]))
    def approve(self, pick: int, slip: str) -> None:
        who = self.one(pick)
        command = approving(self.story.now, who.id)
        command = replace(command, shown=slipped(command.shown, slip))
        if self.do(command, self.model.refusal(who.id, self.at) or wrong(who, V, slip)) is not None:
            self.model.say(who.id, "approved", self.at)

    @rule(pick=picks, slip=st.sampled_from(["", "", "", "missing", "unknown", "other", "consent"]))
    def sign(self, pick: int, slip: str) -> None:
        who = self.one(pick)
        command = signing(self.story.now, who.id)
        command = replace(command, shown=slipped(command.shown, slip), consented=slip != "consent")
        expected = self.model.refusal(who.id, self.at) or wrong(who, S, slip)
        asked_first = self.do(replace(command, sealed=None), expected)
        assert not asked_first
        if self.do(command, expected) is not None:
            self.model.say(who.id, "signed", self.at)

    @rule(pick=picks, seldom=rarely, reason=st.sampled_from(["Non.", "Non.", " "]))
    def refuse(self, pick: int, seldom: bool, reason: str) -> None:
        who = self.one(pick)
        expected = self.model.refusal(who.id, self.at) or ("" if reason.strip() else "reason-required")
        if (seldom or expected) and self.do(refusing(who.id, reason), expected) is not None:
            self.model.say(who.id, "refused", self.at)

    @rule(pick=picks, address=addresses)
    def delegate(self, pick: int, address: str) -> None:
        who = self.one(pick)
        done = self.has_the_place_of(who, address) and self.story.now.recipient(who.id).has_delegated
        expected = self.model.refusal(who.id, self.at) or ("" if self.shape.delegation else "delegation-not-allowed")
        expected = expected or ("duplicate-recipient" if self.model.is_taken(address) else "")
        new = self.newcomer(who, address)
        events = self.do(Delegate(who.id, new, None, trace(who.id)), "" if done else expected)
        assert not done or events == []
        if events:
            self.model.put(who.id, new.id, address, self.at)

    def has_the_place_of(self, who: Person, address: str) -> bool:
        """The same again is no error, as long as it can be told that it is the same: not of one who was erased."""
        return who.heir == address and who.heir_id not in self.model.erased

    # ---- the creator ----
    @rule(pick=picks, address=addresses)
    def replace_somebody(self, pick: int, address: str) -> None:
        who = self.one(pick)
        done = self.has_the_place_of(who, address)
        expected = "replaced" if who.heir else "already-decided" if who.said else ""
        if self.model.has_ended(self.at):
            expected = expected or "flow-ended"
        expected = expected or ("not-needed" if who.is_spared else "")
        corrects = address == who.address and self.story.now.recipient(who.id).replaces is None  # the name differs
        expected = expected or ("duplicate-recipient" if self.model.is_taken(address) and not corrects else "")
        new = self.newcomer(who, address)
        events = self.do(Replace(who.id, new, By.CREATOR), "" if done else expected)
        assert not done or events == []
        if events:
            self.model.put(who.id, new.id, address, self.at)

    @rule(pick=picks)
    def new_link(self, pick: int) -> None:
        who = self.one(pick)
        events = self.do(NewLink(who.id, By.CREATOR), self.model.refusal(who.id, self.at))
        if events is None:
            return
        assert who.asked_at is not None
        twice = who.round > 1 and self.at - who.asked_at < MINUTE
        assert bool(events) == (not twice)
        if events:
            who.round, who.asked_at, who.has_looked, who.reminded_at = who.round + 1, self.at, False, None

    @rule(pick=picks, everybody=st.booleans())
    def remind(self, pick: int, everybody: bool) -> None:
        meant = list(self.model.people.values()) if everybody else [self.one(pick)]
        is_open = [p for p in meant if p.is_open]
        asked = [p for p in is_open if (MailKind.INVITATION, p.id, p.round) in self.told]
        ready = [p for p in asked if p.reminded_at is None or self.at - p.reminded_at >= 60 * MINUTE]
        just_now = [p for p in asked if p.reminded_at is not None and self.at - p.reminded_at < MINUTE]
        expected = (
            self.model.shut(self.at) or ("" if is_open else "nobody-to-remind") or ("" if asked else "not-invited-yet")
        )
        expected = expected or ("" if ready or just_now else "reminded-recently")
        named = None if everybody else (meant[0].id,)
        events = self.do(Remind(named, By.CREATOR), expected)
        if events is not None:
            assert [e.recipient for e in events] == sorted((p.id for p in ready), key=self.place)  # type: ignore[union-attr]  # a kind that has it
            for p in ready:
                p.reminded_at = self.at

    def place(self, who: str) -> int:
        return [r.id for r in self.story.now.recipients].index(who)

    @rule(days=st.integers(-1, 30))
    def extend(self, days: int) -> None:
        before, wanted = self.model.deadline, self.at + days * DAY
        expected = "flow-ended" if self.model.has_ended(self.at) else "all-decided" if self.model.all_said else ""
        if not expected and wanted != before:
            expected = "in-the-past" if days <= 0 else "not-later" if before and wanted < before else ""
        events = self.do(Extend(wanted, By.CREATOR), expected)
        if events is not None:
            assert bool(events) == (wanted != before)
            self.model.deadline = wanted

    @precondition(lambda self: CREATOR not in self.model.erased)
    @rule(seldom=rarely, reason=st.sampled_from(["Obsolete.", "", "Other."]))
    def cancel(self, seldom: bool, reason: str) -> None:
        again = self.story.now.end_reason is not None and self.story.now.end_reason.value == reason
        again = self.model.over == "cancelled" and (again or (not reason and self.story.now.end_reason is None))
        expected = "flow-ended" if self.model.has_ended(self.at) else "all-decided" if self.model.all_said else ""
        expected = expected or ("" if reason or self.model.held else "reason-required")
        if not (seldom or expected):
            return
        command = Cancel(Personal(CREATOR, reason) if reason else None, By.CREATOR)
        events = self.do(command, "" if again else expected)
        if events is not None:
            assert bool(events) == (not again)
            self.model.over, self.model.held = "cancelled", ""

    # ---- the outside ----
    @rule(seldom=rarely, reason=st.sampled_from([r for r in SuspendReason if not r.is_about_sources]))
    def suspend(self, seldom: bool, reason: SuspendReason) -> None:
        if seldom:
            events = self.do(Suspend(reason, self.at), "")
            assert bool(events) == (not self.model.held and not self.model.over)
            self.model.hold(str(reason))

    @rule()
    def resume(self) -> None:
        expected = "flow-ended" if self.model.has_ended(self.at) else "" if self.model.held else "not-suspended"
        if self.do(Resume("continue"), expected) is not None:
            self.model.release(self.at)

    @rule(version=st.integers(1, 3))
    def restart(self, version: int) -> None:
        expected = "flow-ended" if self.model.has_ended(self.at) else "" if self.model.held else "not-suspended"
        expected = expected or ("only-validations-restart" if self.model.signs else "")
        anew = tuple(
            replace(document(n, is_pdf=self.model.signs), sha256=sha("version", version, n))
            for n in range(self.shape.documents)
        )
        if self.do(Restart(anew, By.CREATOR), expected) is not None:
            self.model.again(self.at)

    @rule(n=st.integers(0, 2), state=st.sampled_from(SourceState), version=st.integers(1, 2))
    def note_source(self, n: int, state: SourceState, version: int) -> None:
        known = n < self.shape.documents
        before = self.story.now.documents[n] if known else None
        events = self.do(NoteSource(n, state, sha("new", version)), "" if known or self.model.over else "not-found")
        if events and before is not None:
            self.model.source(n, "" if state.is_pinned_content else str(state), self.at)
            assert self.do(NoteSource(n, state, sha("new", version)), "") == []

    @rule(pick=st.integers(-1, 20))
    def erase(self, pick: int) -> None:
        who = CREATOR if pick < 0 else self.one(pick).id
        takes_part = who == CREATOR or not self.model.people[who].heir
        refused = takes_part and not self.model.over and who not in self.model.erased
        events = self.do(Erase(who, By.ADMIN), "flow-running" if refused else "")
        if events is not None:
            assert bool(events) == (who not in self.model.erased)
            self.model.erased.add(who)

    @rule(by=spans)
    def wait(self, by: timedelta) -> None:
        self.at += by

    # ---- what is owed ----
    @rule()
    def expire_too_early_or_not(self) -> None:
        too_late = not self.model.over and self.model.has_ended(self.at)
        events = self.do(Expire(), "")
        assert bool(events) == too_late
        if too_late:
            self.model.over, self.model.held = "expired", ""

    @rule()
    def finish_too_early_or_not(self) -> None:
        ready = self.model.signs and self.model.all_said and not self.model.over and not self.model.held
        copies = tuple(
            SignedCopy(d.n, str(900 + d.n), Personal(CREATOR, f"{d.n}.pdf"), d.current_sha256)
            for d in self.story.now.documents
        )
        assert (FinishWork() in self.owed()) == ready
        assert bool(self.do(Finish(copies), "")) == ready
        if ready:
            self.model.over = "completed"

    @rule()
    def store_evidence_too_early_or_not(self) -> None:
        before = self.story.now.evidence
        done = self.do(StoreEvidence(StoredEvidence("77", Personal(CREATOR, "evidence.pdf"), sha("e"))), "")
        assert bool(done) == (bool(self.model.over) and before is None)

    @rule(pick=picks, everybody=st.booleans())
    def remind_by_the_rhythm(self, pick: int, everybody: bool) -> None:
        due = {work.recipient for work in self.owed() if isinstance(work, RemindWork)}
        who = self.one(pick).id
        events = self.do(Remind(None if everybody else (who,), By.SYSTEM), "")
        assert {e.recipient for e in events or []} == (due if everybody else due & {who})  # type: ignore[union-attr]  # a kind that has it
        for e in events or []:
            self.model.people[e.recipient].reminded_at = self.at  # type: ignore[union-attr]  # a kind that has it

    @precondition(lambda self: any(isinstance(work, MailWork) for work in self.owed()))
    @rule(pick=picks, accepted=st.booleans())
    def mail(self, pick: int, accepted: bool) -> None:
        works = [work for work in self.owed() if isinstance(work, MailWork)]
        self.hand_over(works[pick % len(works)], accepted)

    def hand_over(self, work: MailWork, accepted: bool) -> None:
        record = RecordMail(work.mail, work.person, work.round, "<1@x>", None if accepted else "address-refused")
        assert self.do(record, "")
        assert self.do(record, "") == []
        assert (work.mail, work.person, work.round) not in self.told
        self.told.append((work.mail, work.person, work.round))
        assert work not in self.owed()

    @rule()
    def do_everything_owed(self) -> None:
        for _ in range(60):
            works = self.owed()
            if not works:
                break
            match works[0] if len(works) == 1 or isinstance(works[0], MailWork) else works[1]:
                case MailWork() as work:
                    self.hand_over(work, accepted=True)
                case FinishWork():
                    self.finish_too_early_or_not()
                case ExpireWork():
                    self.expire_too_early_or_not()
                case EvidenceWork():
                    self.store_evidence_too_early_or_not()
                case RemindWork():
                    self.remind_by_the_rhythm(0, everybody=True)
        assert self.owed() == []


def slipped(shown: dict[int, str], slip: str) -> dict[int, str]:
    match slip:
        case "missing":
            return {n: value for n, value in shown.items() if n}
        case "unknown":
            return shown | {9: sha("9")}
        case "other":
            return shown | {0: sha("other")}
    return shown


def wrong(who: Person, role: Any, slip: str) -> str:
    if who.role is not role:
        return "wrong-act"
    codes = {"missing": "document-missing", "unknown": "no-such-document", "other": "documents-changed"}
    return "consent-required" if slip == "consent" else codes.get(slip, "")


TestFlows = Flows.TestCase
TestFlows.settings = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "80")),
    stateful_step_count=int(os.environ.get("MACHINE_STEPS", "30")),
    deadline=None,
    phases=tuple(set(Phase) - {Phase.shrink}) if os.environ.get("MACHINE_QUICK") else tuple(Phase),
    suppress_health_check=list(HealthCheck),
)

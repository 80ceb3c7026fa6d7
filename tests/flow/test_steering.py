"""What the creator, an administrator, the clock and the outside do to a flow on its way, one sentence each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from plugin.flow.commands import (
    Cancel,
    Command,
    Delegate,
    Erase,
    Expire,
    Extend,
    Finish,
    Launch,
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
from plugin.flow.decide import decide, is_repeat
from plugin.flow.errors import Conflict, Invalid, NotFound, ParapheurError
from plugin.flow.events import AskedRecipient, Event
from plugin.flow.model import (
    CREATOR,
    By,
    FlowState,
    MailKind,
    RecipientState,
    Role,
    SaveMode,
    SaveTo,
    SourceState,
    StoredEvidence,
    SuspendReason,
)
from plugin.flow.owed import EvidenceWork, ExpireWork, MailWork, RemindWork, TidyWork, due_at, owed
from tests.flow.builders import (
    NOW,
    Story,
    approving,
    document,
    order,
    person,
    recipient,
    refusing,
    sha,
    shown,
    signing,
    trace,
    viewing,
)

V, S = Role.VALIDATOR, Role.SIGNATORY
DAY = timedelta(days=1)


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def refused(story: Story, command: Command, at: datetime | None = None) -> ParapheurError:
    before = story.now
    with pytest.raises(ParapheurError) as caught:
        story.do(command, at)
    assert story.now == before
    if isinstance(caught.value, Conflict):
        assert caught.value.values["state"], "the state that made it refused"
    return caught.value


def someone(number: int, story: Story, role: Role = V) -> AskedRecipient:
    return replace(recipient(number, role), id=story.now.next_recipient_id)


def mails(story: Story, at: datetime | None = None) -> list[tuple[str, str]]:
    return [(str(w.mail), w.person) for w in story.owed(at) if isinstance(w, MailWork)]


def told(story: Story, at: datetime | None = None) -> None:
    """Every mail that is owed is handed over."""
    for work in story.owed(at):
        if isinstance(work, MailWork):
            story.do(RecordMail(work.mail, work.person, work.round, "<m@x>"), at)


def until(launch: Launch, expires_at: datetime) -> Launch:
    return replace(launch, expires_at=expires_at)


# ---- cancelling ----
def test_a_cancelled_flow_has_ended_and_whoever_had_been_asked_is_told() -> None:
    story = Story(order([V, V, V]))
    story.do(approving(story.now, "r1"))
    told(story)
    assert kinds(story.do(Cancel(person(CREATOR, "Obsolete."), By.CREATOR))) == ["flow.cancelled"]
    assert story.now.state is FlowState.CANCELLED
    assert mails(story) == [("cancelled", "r1"), ("cancelled", "r2")]
    assert refused(story, approving(story.now, "r2")).code == "flow-ended"


def test_cancelling_twice_is_once_and_another_reason_comes_too_late() -> None:
    story = Story(order([V]))
    story.do(Cancel(person(CREATOR, "Obsolete."), By.CREATOR))
    assert story.do(Cancel(person(CREATOR, "Obsolete."), By.CREATOR)) == []
    assert refused(story, Cancel(person(CREATOR, "Other."), By.CREATOR)).code == "flow-ended"


def test_a_creator_hears_of_a_cancellation_by_an_administrator() -> None:
    story = Story(order([V]))
    story.do(Cancel(person(CREATOR, "Left."), By.ADMIN))
    assert mails(story) == [("cancelled", CREATOR), ("cancelled", "r1")]


def test_a_cancellation_needs_a_reason_unless_the_flow_is_suspended() -> None:
    story = Story(order([V]))
    assert refused(story, Cancel(None, By.CREATOR)).code == "reason-required"
    assert refused(story, Cancel(person(CREATOR, "  "), By.CREATOR)).code == "reason-required"
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    assert kinds(story.do(Cancel(None, By.CREATOR))) == ["flow.cancelled"]


def test_what_everybody_has_signed_cannot_be_cancelled_any_more() -> None:
    story = Story(order([S]))
    story.do(signing(story.now, "r1"))
    assert refused(story, Cancel(person(CREATOR, "No."), By.CREATOR)).code == "all-decided"


# ---- the deadline ----
def test_nobody_acts_after_the_deadline_even_before_it_is_written_down() -> None:
    story = Story(until(order([V]), NOW + DAY))
    late = refused(story, approving(story.now, "r1"), NOW + DAY)
    assert (late.code, late.values["state"]) == ("flow-ended", "expired")
    assert refused(story, viewing("r1", 0), NOW + DAY).code == "flow-ended"
    assert story.owed(NOW + DAY) == [ExpireWork()]
    assert kinds(story.do(Expire(), NOW + DAY)) == ["flow.expired"]
    assert story.do(Expire(), NOW + 2 * DAY) == []
    assert mails(story, NOW + DAY) == [("expired", CREATOR), ("expired", "r1")]


def test_before_the_deadline_nothing_expires() -> None:
    story = Story(until(order([V]), NOW + DAY))
    assert story.do(Expire(), NOW + DAY - timedelta(milliseconds=1)) == []


def test_what_everybody_has_signed_in_time_does_not_expire_while_its_copies_wait() -> None:
    story = Story(until(order([S]), NOW + DAY))
    story.do(signing(story.now, "r1"))
    assert story.do(Expire(), NOW + 9 * DAY) == []


def test_a_suspended_flow_expires_too() -> None:
    story = Story(until(order([V]), NOW + DAY))
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    assert kinds(story.do(Expire(), NOW + DAY)) == ["flow.expired"]


def test_creator_and_whose_turn_it_is_are_warned_once_two_days_before() -> None:
    story = Story(until(order([V, V]), NOW + 10 * DAY))
    told(story)
    before, then = NOW + 8 * DAY - timedelta(seconds=1), NOW + 8 * DAY
    assert story.owed(before) == []
    assert due_at(story.now, NOW) == then
    assert mails(story, then) == [("expiring", CREATOR), ("expiring", "r1")]
    told(story, then)
    assert story.owed(then + DAY) == []


def test_whoever_is_invited_after_the_warning_reads_the_deadline_in_his_invitation() -> None:
    story = Story(until(order([V, V]), NOW + 10 * DAY))
    told(story)
    at = NOW + 9 * DAY
    told(story, at)
    story.do(approving(story.now, "r1"), at)
    assert mails(story, at) == [("invitation", "r2")]


def test_an_extended_deadline_warns_again() -> None:
    story = Story(until(order([V]), NOW + 4 * DAY))
    told(story)
    told(story, NOW + 3 * DAY)
    assert kinds(story.do(Extend(NOW + 20 * DAY, By.CREATOR), NOW + 3 * DAY)) == ["flow.extended"]
    assert story.do(Extend(NOW + 20 * DAY, By.CREATOR), NOW + 3 * DAY) == []
    assert mails(story, NOW + 3 * DAY) == [("extended", "r1")]
    told(story, NOW + 3 * DAY)
    assert story.owed(NOW + 5 * DAY) == []
    two_days_before = NOW + 18 * DAY + timedelta(hours=1)  # at the same hour in Paris, where the clocks go forward
    assert story.owed(two_days_before - timedelta(seconds=1)) == []
    assert mails(story, two_days_before) == [("expiring", CREATOR), ("expiring", "r1")]


def test_what_an_extension_may_not_be() -> None:
    story = Story(until(order([V]), NOW + 4 * DAY))
    assert refused(story, Extend(NOW + 3 * DAY, By.CREATOR)).code == "not-later"
    assert refused(story, Extend(NOW - DAY, By.CREATOR)).code == "in-the-past"
    assert refused(story, Extend(NOW + 4000 * DAY, By.CREATOR)).code == "too-far"
    assert refused(story, Extend(NOW + 9 * DAY, By.CREATOR), NOW + 5 * DAY).code == "flow-ended"


def test_a_deadline_of_a_launch_lies_ahead() -> None:
    for bad, code in ((NOW, "in-the-past"), (NOW + 4000 * DAY, "too-far")):
        with pytest.raises(Invalid, match=code):
            decide(None, until(order([V]), bad), NOW)
    for days in (0, 91):
        with pytest.raises(Invalid, match="out-of-range"):
            decide(None, replace(order([V]), remind_every_days=days), NOW)


# ---- reminders ----
MONDAY = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def reminding(roles: list[Role], days: int = 3, **more: object) -> Story:
    return Story(replace(order(roles), remind_every_days=days, quiet_days=(6, 7), **more))  # type: ignore[arg-type]  # any of them


def test_reminders_come_by_the_rhythm_and_not_on_quiet_days() -> None:
    story = reminding([V, V])
    told(story, MONDAY)
    thursday = MONDAY + 3 * DAY
    assert story.owed(thursday - timedelta(seconds=1)) == []
    assert story.owed(thursday) == [RemindWork("r1", 1)]
    assert kinds(story.do(Remind(None, By.SYSTEM), thursday)) == ["recipient.reminded"]
    assert story.do(Remind(None, By.SYSTEM), thursday) == []
    assert mails(story, thursday) == [("reminder", "r1")]
    told(story, thursday)
    # three days later is a Sunday: Monday morning, eight o'clock in Paris
    assert due_at(story.now, NOW) == datetime(2026, 3, 16, 7, 0, tzinfo=UTC)


def test_an_invitation_that_nobody_took_is_not_followed_by_reminders() -> None:
    story = reminding([V])
    assert mails(story, MONDAY + 9 * DAY) == [("invitation", "r1")]
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "", "address-refused"), MONDAY)
    assert story.owed(MONDAY + 9 * DAY) == []


def test_after_a_long_silence_there_is_one_reminder_and_not_three() -> None:
    story = reminding([V])
    told(story, MONDAY)
    late = MONDAY + 15 * DAY
    story.do(Remind(None, By.SYSTEM), late)
    told(story, late)
    assert story.owed(late + timedelta(hours=1)) == []


def test_nobody_gets_a_reminder_with_the_mail_that_it_goes_on_or_beside_the_warning() -> None:
    story = reminding([V])
    told(story, MONDAY)
    story.do(Suspend(SuspendReason.NO_ACCESS, MONDAY), MONDAY)
    late = MONDAY + 9 * DAY
    story.do(Resume("continue"), late)
    assert mails(story, late) == [("resumed", "r1")]
    assert not any(isinstance(work, RemindWork) for work in story.owed(late))

    near = reminding([V], 3, expires_at=MONDAY + 10 * DAY - timedelta(hours=12))
    told(near, MONDAY)
    near.do(Remind(None, By.SYSTEM), MONDAY + 3 * DAY)
    told(near, MONDAY + 3 * DAY)
    warning = MONDAY + 7 * DAY + timedelta(hours=8)  # at six in the evening in Paris, not at ten
    assert near.owed(warning - timedelta(seconds=1)) == []  # a reminder in the morning of that day is left out
    assert mails(near, warning) == [("expiring", CREATOR), ("expiring", "r1")]

    down = reminding([V], 2, expires_at=MONDAY + 10 * DAY)
    told(down, MONDAY)
    assert mails(down, MONDAY + 9 * DAY) == [("expiring", CREATOR), ("expiring", "r1")]
    assert not any(isinstance(work, RemindWork) for work in down.owed(MONDAY + 9 * DAY))


def test_a_reminder_may_be_asked_for_but_not_all_the_time() -> None:
    story = Story(order([V, V]))
    told(story)
    at = NOW + timedelta(hours=3)
    assert kinds(story.do(Remind(("r1",), By.CREATOR), at)) == ["recipient.reminded"]
    assert story.do(Remind(("r1",), By.CREATOR), at + timedelta(seconds=5)) == []
    soon = refused(story, Remind(("r1",), By.CREATOR), at + timedelta(minutes=20))
    assert (soon.code, soon.values["again_at"]) == ("reminded-recently", "2026-03-09T13:00:00.000Z")
    assert refused(story, Remind(("r2",), By.CREATOR), at).code == "nobody-to-remind"
    with pytest.raises(NotFound):
        story.do(Remind(("r9",), By.CREATOR), at)
    assert mails(story, at) == [("reminder", "r1")]


def test_whoever_decided_is_not_reminded_even_if_it_was_asked_for() -> None:
    story = Story(order([V, V]))
    told(story)
    story.do(Remind(None, By.CREATOR))
    story.do(approving(story.now, "r1"))
    assert mails(story) == [("invitation", "r2")]


# ---- somebody else ----
def test_a_replacement_is_asked_in_the_same_place_with_the_same_stamps() -> None:
    story = Story(order([S, S]))
    told(story)
    new = someone(7, story, S)
    events = story.do(Replace("r1", new, By.CREATOR))
    assert kinds(events) == ["recipient.replaced", "recipient.invited"]
    flow = story.now
    assert [(r.id, str(r.state), r.replaces) for r in flow.recipients] == [
        ("r1", "replaced", None),
        ("r3", "invited", "r1"),
        ("r2", "waiting", None),
    ]
    assert flow.steps[0].recipients == ("r1", "r3")
    assert [p.recipient for p in flow.placements] == ["r3", "r2"]
    assert refused(story, signing(flow, "r1")).code == "replaced"
    assert mails(story) == [("invitation", "r3"), ("replaced", "r1")]
    story.do(signing(story.now, "r3"))
    assert story.now.recipient("r2").state is RecipientState.INVITED


def test_whoever_was_never_asked_hears_nothing_of_being_replaced() -> None:
    story = Story(order([V, V]))
    told(story)
    assert kinds(story.do(Replace("r2", someone(7, story), By.CREATOR))) == ["recipient.replaced"]
    assert mails(story) == []


def test_the_same_replacement_again_changes_nothing() -> None:
    story = Story(order([V]))
    new = someone(7, story)
    story.do(Replace("r1", new, By.CREATOR))
    assert story.do(Replace("r1", replace(someone(7, story)), By.CREATOR)) == []
    assert refused(story, Replace("r1", someone(8, story), By.CREATOR)).code == "replaced"


def test_who_has_decided_or_takes_part_already_is_no_replacement() -> None:
    story = Story(order([V, V, V]))
    story.do(approving(story.now, "r1"))
    assert refused(story, Replace("r1", someone(7, story), By.CREATOR)).code == "already-decided"
    double = replace(someone(7, story), email=person("r4", "R3@example.org"))
    assert refused(story, Replace("r2", double, By.CREATOR)).code == "duplicate-recipient"
    story.do(refusing("r2"))
    assert refused(story, Replace("r3", someone(7, story), By.CREATOR)).code == "flow-ended"


def test_delegating_is_the_creators_to_allow_and_he_hears_of_it() -> None:
    closed = Story(order([V]))
    act = Delegate("r1", someone(7, closed), None, trace("r1"))
    assert refused(closed, act).code == "delegation-not-allowed"
    story = Story(replace(order([V, V]), allow_delegation=True))
    told(story)
    assert refused(story, Delegate("r2", someone(7, story), None, trace("r2"))).code == "not-your-turn"
    assert kinds(story.do(Delegate("r1", someone(7, story), None, trace("r1")))) == [
        "recipient.delegated",
        "recipient.invited",
    ]
    assert story.do(Delegate("r1", someone(7, story), None, trace("r1"))) == []
    assert mails(story) == [("invitation", "r3"), ("delegated", CREATOR)]
    told(story)
    story.do(Delegate("r3", someone(8, story), None, trace("r3")))
    assert mails(story) == [("invitation", "r4"), ("delegated", CREATOR)]


def test_of_a_replaced_person_the_rule_asks_nothing() -> None:
    story = Story(order([V, V]))
    story.do(Replace("r1", someone(7, story), By.CREATOR))
    story.do(approving(story.now, "r3"))
    story.do(approving(story.now, "r2"))
    assert story.now.state is FlowState.COMPLETED


# ---- links ----
def test_a_new_link_begins_a_new_round_with_a_mail_of_its_own() -> None:
    story = Story(order([V, V]))
    told(story)
    assert kinds(story.do(NewLink("r1", By.CREATOR))) == ["link.renewed", "recipient.invited"]
    assert story.now.recipient("r1").round == 2
    assert mails(story) == [("invitation", "r1")]
    assert story.do(NewLink("r1", By.CREATOR), story.events[-1][1] + timedelta(seconds=5)) == []
    assert refused(story, NewLink("r2", By.CREATOR)).code == "not-your-turn"
    story.do(approving(story.now, "r1"))
    assert refused(story, NewLink("r1", By.CREATOR)).code == "already-decided"


# ---- sources ----
def test_a_validation_waits_for_its_creator_when_a_file_has_changed() -> None:
    story = Story(order([V, V], documents=2))
    told(story)
    change = NoteSource(1, SourceState.CHANGED, sha("new"))
    assert kinds(story.do(change)) == ["source.changed", "flow.suspended"]
    assert story.do(change) == []
    assert refused(story, approving(story.now, "r1")).code == "flow-suspended"
    assert mails(story) == [("suspended", CREATOR)]
    assert kinds(story.do(Resume("continue"))) == ["flow.resumed"]
    story.do(approving(story.now, "r1"))
    assert kinds(story.do(NoteSource(1, SourceState.CHANGED, sha("newer")))) == ["source.changed", "flow.suspended"]


def test_a_validation_goes_on_by_itself_when_its_files_are_again_what_they_were() -> None:
    story = Story(order([V], documents=2))
    story.do(NoteSource(0, SourceState.GONE))
    story.do(NoteSource(1, SourceState.CHANGED, sha("new")))
    assert kinds(story.do(NoteSource(0, SourceState.SAME))) == ["source.changed"]
    assert kinds(story.do(NoteSource(1, SourceState.SAME))) == ["source.changed", "flow.resumed"]


def test_signatures_go_on_with_what_was_pinned_and_a_moved_file_stops_nothing() -> None:
    story = Story(order([S]))
    assert kinds(story.do(NoteSource(0, SourceState.CHANGED, sha("new")))) == ["source.changed"]
    assert story.now.documents[0].source is SourceState.CHANGED
    assert kinds(story.do(signing(story.now, "r1"))) == ["recipient.signed"]
    moved = Story(order([V]))
    assert kinds(moved.do(NoteSource(0, SourceState.MOVED))) == ["source.changed"]


def test_access_that_is_back_does_not_hide_that_a_file_has_changed() -> None:
    story = Story(order([V]))
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    assert kinds(story.do(NoteSource(0, SourceState.CHANGED, sha("new")))) == ["source.changed"]
    assert kinds(story.do(Resume("continue"))) == ["flow.resumed", "flow.suspended"]
    assert story.now.suspension is not None
    assert story.now.suspension.reason is SuspendReason.SOURCE_CHANGED


def test_a_restart_asks_everybody_again_about_the_new_content() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    told(story)
    old_links = {r.id: r.round for r in story.now.recipients}
    story.do(NoteSource(0, SourceState.CHANGED, sha("new")))
    new = replace(document(0, is_pdf=False), sha256=sha("new"))
    assert kinds(story.do(Restart((new,), By.CREATOR))) == ["flow.restarted", "recipient.invited"]
    flow = story.now
    assert [(r.id, str(r.state), r.round) for r in flow.recipients] == [("r1", "invited", 2), ("r2", "waiting", 2)]
    assert all(r.round > old_links[r.id] for r in flow.recipients)
    assert not is_repeat(flow.recipient("r1"), trace("r1"))
    assert shown(flow) == {0: sha("new")}
    assert mails(story) == [("invitation", "r1")]
    story.do(approving(story.now, "r1"))


def test_a_signature_cannot_be_restarted() -> None:
    story = Story(order([S]))
    assert refused(story, Restart((document(0),), By.CREATOR)).code == "not-suspended"
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    assert refused(story, Restart((document(0),), By.CREATOR)).code == "only-validations-restart"


# ---- the end ----
def test_the_evidence_is_laid_once_where_it_was_asked_for() -> None:
    story = Story(replace(order([V]), save=SaveTo(SaveMode.BESIDE, with_evidence=True)))
    story.do(approving(story.now, "r1"))
    assert story.owed()[:2] == [TidyWork(), EvidenceWork()]
    stored = StoredEvidence("77", person(CREATOR, "Contrats/evidence.pdf"), sha("evidence"))
    assert kinds(story.do(StoreEvidence(stored))) == ["evidence.stored"]
    assert story.do(StoreEvidence(stored)) == []
    assert EvidenceWork() not in story.owed()


def test_what_is_stored_late_brings_nothing_of_an_erased_person_back() -> None:
    story = Story(replace(order([V]), save=SaveTo(SaveMode.BESIDE, with_evidence=True)))
    story.do(approving(story.now, "r1"))
    story.do(Erase(CREATOR, By.ADMIN))
    story.do(StoreEvidence(StoredEvidence("77", person(CREATOR, "Contrats/evidence.pdf"), sha("evidence"))))
    assert story.now.evidence is not None
    assert story.now.evidence.path.value is None


def test_a_suspended_flow_does_not_finish() -> None:
    story = Story(order([S]))
    story.do(signing(story.now, "r1"))
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    assert story.do(Finish(())) == []
    story.do(Resume("continue"))
    assert kinds(story.do(Finish(()))) == ["flow.completed"]
    assert story.now.suspension is None


def test_a_cancelled_flow_leaves_its_evidence_where_it_can_be_asked_for() -> None:
    story = Story(replace(order([V]), save=SaveTo(SaveMode.BESIDE, with_evidence=True)))
    story.do(Cancel(person(CREATOR, "No."), By.CREATOR))
    assert EvidenceWork() not in story.owed()


def test_nobody_who_takes_part_is_erased_before_the_end() -> None:
    story = Story(order([V, V]))
    assert refused(story, Erase("r1", By.ADMIN)).code == "flow-running"
    assert refused(story, Erase(CREATOR, By.ADMIN)).code == "flow-running"
    story.do(Replace("r1", someone(7, story), By.CREATOR))
    assert kinds(story.do(Erase("r1", By.ADMIN))) == ["person.erased"]
    assert story.do(Erase("r1", By.ADMIN)) == []
    with pytest.raises(NotFound):
        story.do(Erase("r9", By.ADMIN))
    assert story.now.recipient("r1").name == ""
    assert story.now.recipient("r2").name == "Nom 2"


def test_whoever_was_erased_is_written_to_no_more() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    story.do(approving(story.now, "r2"))
    story.do(Erase("r1", By.ADMIN))
    assert mails(story) == [("completed", CREATOR), ("completed", "r2")]


def test_what_is_owed_is_known_beforehand() -> None:
    """From the time that ``due_at`` names something is owed, and nothing before."""
    story = reminding([V], 2, expires_at=MONDAY + 30 * DAY)
    at = MONDAY
    for _ in range(40):
        due = due_at(story.now, at)
        if due is None:
            break
        at = max(at, due)
        assert owed(story.now, due)
        assert not owed(story.now, due - timedelta(milliseconds=1)) or due <= story.events[-1][1]
        for work in owed(story.now, at):
            if isinstance(work, RemindWork):
                story.do(Remind(None, By.SYSTEM), at)
            elif isinstance(work, ExpireWork):
                story.do(Expire(), at)
        told(story, at)
    assert story.now.state is FlowState.EXPIRED
    assert [m.mail for m in story.now.mails].count(MailKind.EXPIRING) == 2
    assert due_at(story.now, at) is None


def test_whoever_was_replaced_just_before_the_end_still_hears_of_it() -> None:
    story = Story(order([V]))
    told(story)
    story.do(Replace("r1", someone(7, story), By.CREATOR))
    told_new = [work for work in story.owed() if isinstance(work, MailWork) and work.mail is MailKind.INVITATION]
    story.do(RecordMail(MailKind.INVITATION, told_new[0].person, 1, "<m@x>"))
    story.do(approving(story.now, "r2"))
    assert mails(story) == [("replaced", "r1"), ("completed", CREATOR), ("completed", "r2")]

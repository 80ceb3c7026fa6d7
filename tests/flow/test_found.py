"""What a hostile reader found, one sentence each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from plugin.flow.commands import Cancel, Delegate, NewLink, NoteSource, RecordMail, Remind, Replace, Restart, Suspend
from plugin.flow.errors import Conflict, Invalid
from plugin.flow.events import AskedRecipient, AskedStep
from plugin.flow.model import CREATOR, By, MailKind, Role, SourceState, SuspendReason
from plugin.flow.owed import MailWork, RemindWork, due_at
from plugin.flow.states import RecipientState
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
    signing,
    trace,
    viewing,
)

V, S = Role.VALIDATOR, Role.SIGNATORY
DAY = timedelta(days=1)


def mails(story: Story, at: datetime | None = None) -> list[tuple[str, str]]:
    return [(str(w.mail), w.person) for w in story.owed(at) if isinstance(w, MailWork)]


def told(story: Story, at: datetime | None = None) -> None:
    for work in story.owed(at):
        if isinstance(work, MailWork):
            story.do(RecordMail(work.mail, work.person, work.round, "<m@x>"), at)


def someone(number: int, story: Story) -> AskedRecipient:
    return replace(recipient(number, V), id=story.now.next_recipient_id)


def test_a_flow_that_all_have_signed_and_that_is_suspended_tells_its_creator() -> None:
    story = Story(order([S]))
    told(story)
    story.do(signing(story.now, "r1"))
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    assert mails(story) == [("suspended", CREATOR)]
    assert due_at(story.now, NOW) is not None


def test_whoever_was_asked_before_a_restart_hears_of_the_end() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    told(story)
    story.do(NoteSource(0, SourceState.CHANGED, sha("new")))
    story.do(Restart((replace(document(0, is_pdf=False), sha256=sha("new")),), By.CREATOR))
    assert story.now.recipient("r2").state is RecipientState.WAITING
    story.do(Cancel(person(CREATOR, "No."), By.CREATOR))
    assert mails(story) == [("cancelled", "r1"), ("cancelled", "r2")]


def test_whoever_was_asked_before_a_restart_hears_that_he_is_replaced() -> None:
    story = Story(order([V, V]))
    story.do(approving(story.now, "r1"))
    told(story)
    story.do(NoteSource(0, SourceState.CHANGED, sha("new")))
    story.do(Restart((replace(document(0, is_pdf=False), sha256=sha("new")),), By.CREATOR))
    told(story)
    story.do(Replace("r2", someone(7, story), By.CREATOR))
    assert mails(story) == [("replaced", "r2")]


def test_only_who_decided_is_promised_copies() -> None:
    launch = replace(order([V, V], copy_to_all=True), steps=(AskedStep("any", ("r1", "r2")),))
    story = Story(launch)
    story.do(approving(story.now, "r1"))
    copies = {w.person: w.with_copies for w in story.owed() if isinstance(w, MailWork)}
    assert copies == {CREATOR: True, "r1": True, "r2": False}


def test_after_an_outage_nobody_is_reminded_at_night_or_on_a_quiet_day() -> None:
    story = Story(replace(order([V]), remind_every_days=2, quiet_days=(6, 7)))
    told(story, NOW)
    saturday, monday_night = datetime(2026, 3, 14, 9, tzinfo=UTC), datetime(2026, 3, 16, 2, tzinfo=UTC)
    for closed in (saturday, monday_night):
        assert story.owed(closed) == []
        assert story.do(Remind(None, By.SYSTEM), closed) == []
    assert story.owed(datetime(2026, 3, 16, 9, tzinfo=UTC)) == [RemindWork("r1", 1)]


def test_whoever_has_the_creators_address_is_warned_as_the_creator_and_not_reminded_beside_it() -> None:
    launch = replace(order([V]), remind_every_days=2, expires_at=NOW + 10 * DAY)
    himself = replace(launch.recipients[0], email=person("r1", "alice@example.org"))
    story = Story(replace(launch, recipients=(himself,)))
    told(story, NOW)
    late = NOW + 8 * DAY
    assert mails(story, late) == [("expiring", CREATOR)]
    assert not any(isinstance(work, RemindWork) for work in story.owed(late))


def test_naming_somebody_twice_reminds_him_once() -> None:
    story = Story(order([V]))
    told(story)
    assert len(story.do(Remind(("r1", "r1"), By.CREATOR))) == 1


def test_somebody_whose_name_was_wrong_is_put_into_his_own_place() -> None:
    story = Story(order([V, V]))
    corrected = replace(recipient(1, V), id=story.now.next_recipient_id, last_name=person("r3", "Nom juste"))
    story.do(Replace("r1", corrected, By.CREATOR))
    assert story.now.recipient("r3").name == "Nom juste"
    other = Story(order([V, V]))
    with pytest.raises(Invalid, match="duplicate-recipient"):
        other.do(Replace("r1", replace(recipient(1, V), id="r3"), By.CREATOR))
    with pytest.raises(Invalid, match="duplicate-recipient"):
        other.do(Replace("r1", replace(recipient(2, V), id="r3"), By.CREATOR))


def test_nobody_delegates_to_himself() -> None:
    story = Story(replace(order([V]), allow_delegation=True))
    himself = replace(recipient(1, V), id="r2", last_name=person("r2", "Autre"))
    with pytest.raises(Invalid, match="duplicate-recipient"):
        story.do(Delegate("r1", himself, None, trace("r1")))


def test_a_look_from_before_a_restart_does_not_suspend_the_new_round() -> None:
    story = Story(order([V]))
    story.do(NoteSource(0, SourceState.CHANGED, sha("new")))
    story.do(Restart((replace(document(0, is_pdf=False), sha256=sha("new")),), By.CREATOR))
    assert story.do(NoteSource(0, SourceState.CHANGED, sha("new"))) == []
    assert MailKind.SUSPENDED not in {m.mail for m in story.now.mails}


def test_what_is_sent_by_an_old_link_is_refused_in_the_decision() -> None:
    story = Story(replace(order([V, V]), allow_delegation=True))
    told(story)
    acts = [
        viewing("r1", 0),
        approving(story.now, "r1"),
        refusing("r1"),
        Delegate("r1", someone(7, story), None, trace("r1")),
    ]
    story.do(NewLink("r1", By.CREATOR))
    for act in acts:
        with pytest.raises(Conflict) as caught:
            story.do(replace(act, link_round=1))
        assert (caught.value.code, caught.value.values["by"]) == ("replaced", "newer-link")
    assert story.do(replace(acts[1], link_round=2))

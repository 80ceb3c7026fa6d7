"""Who hears what first, and when of the deadline, one sentence each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.flow.commands import Delegate, Extend, NewLink, RecordMail, Remind, Replace, Restart, Resume, Suspend
from plugin.flow.errors import Conflict
from plugin.flow.model import CREATOR, By, MailKind, Role, SuspendReason
from plugin.flow.owed import MailWork
from plugin.flow.reminders import warns_at
from plugin.flow.times import FIRST_HOUR, LAST_HOUR, zone
from tests.flow.builders import NOW, Story, order, person, trace
from tests.flow.test_found import mails, someone, told

V, S = Role.VALIDATOR, Role.SIGNATORY
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PARIS = zone("Europe/Paris")


def invited(story: Story, at: datetime | None = None) -> None:
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "<m@x>"), at)


# ---- first the invitation ----
def test_nobody_hears_that_it_goes_on_before_his_invitation_nor_beside_it() -> None:
    story = Story(order([V]))
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    story.do(Resume("continue"))
    assert mails(story) == [("invitation", "r1")]
    invited(story)
    assert mails(story) == []


def test_nobody_is_reminded_of_what_he_has_not_heard_of() -> None:
    story = Story(order([V]))
    with pytest.raises(Conflict, match="not-invited-yet"):
        story.do(Remind(None, By.CREATOR))
    invited(story)
    story.do(Remind(None, By.CREATOR))
    assert mails(story) == [("reminder", "r1")]
    told(story)
    story.do(NewLink("r1", By.CREATOR))
    assert mails(story) == [("invitation", "r1")]
    with pytest.raises(Conflict, match="not-invited-yet"):
        story.do(Remind(None, By.CREATOR))


def test_an_invitation_that_was_given_up_may_be_followed_by_a_reminder() -> None:
    story = Story(order([V]))
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "", "mailbox-full"))
    story.do(Remind(None, By.CREATOR))
    assert mails(story) == [("reminder", "r1")]


def test_whoever_was_never_told_of_the_flow_is_not_told_that_somebody_took_his_place() -> None:
    story = Story(order([V]))
    story.do(Replace("r1", someone(7, story), By.CREATOR))
    assert mails(story) == [("invitation", "r2")]
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "<m@x>"))  # it had been handed over, and its line came late
    assert ("replaced", "r1") in mails(story)


def test_a_warning_does_not_come_beside_a_late_invitation() -> None:
    story = Story(replace(order([V]), expires_at=NOW + 10 * DAY))
    late = NOW + 9 * DAY
    assert mails(story, late) == [("invitation", "r1"), ("expiring", CREATOR)]
    invited(story, late)
    assert mails(story, late) == [("expiring", CREATOR)]


def test_a_new_round_knows_no_reminder_of_the_one_before() -> None:
    story = Story(order([V]))
    told(story)
    story.do(Remind(None, By.CREATOR))
    told(story)
    story.do(Suspend(SuspendReason.SOURCE_CHANGED, NOW))
    documents = replace(order([V]), flow_id=story.now.id).documents
    story.do(Restart(documents, By.CREATOR))
    assert story.now.recipient("r1").reminded_at is None


# ---- the deadline ----
def test_a_later_deadline_is_told_to_whoever_is_asked_and_knows_the_one_before() -> None:
    story = Story(replace(order([V, V]), expires_at=NOW + 4 * DAY))
    story.do(Extend(NOW + 6 * DAY, By.CREATOR))
    assert mails(story) == [("invitation", "r1")], "which names the new one"
    told(story)
    story.do(Extend(NOW + 8 * DAY, By.CREATOR))
    story.do(Extend(NOW + 9 * DAY, By.ADMIN))
    assert [(w.person, w.round) for w in story.owed() if isinstance(w, MailWork) and w.mail is MailKind.EXTENDED] == [
        ("r1", 4)
    ], "once, of the last one"
    told(story)
    assert mails(story) == []


def test_a_first_deadline_that_is_set_on_the_way_is_told_too() -> None:
    story = Story(order([V]))
    told(story)
    story.do(Extend(NOW + 9 * DAY, By.CREATOR))
    assert mails(story) == [("extended", "r1")]


def test_the_creator_who_is_asked_himself_is_not_told_what_he_did() -> None:
    launch = order([V])
    himself = replace(launch.recipients[0], email=person("r1", "alice@example.org"))
    story = Story(replace(launch, recipients=(himself,), expires_at=NOW + 4 * DAY))
    told(story)
    story.do(Extend(NOW + 9 * DAY, By.CREATOR))
    assert mails(story) == []


def test_whoever_hears_that_it_goes_on_reads_the_new_deadline_there() -> None:
    story = Story(replace(order([V]), expires_at=NOW + 4 * DAY))
    told(story)
    story.do(Suspend(SuspendReason.NO_ACCESS, NOW))
    story.do(Extend(NOW + 9 * DAY, By.CREATOR))
    story.do(Resume("continue"))
    assert mails(story) == [("resumed", "r1")]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("launched", "ends", "warns"),
    [
        ("2026-03-09T10:00+01:00", "2026-03-20T14:00+01:00", "2026-03-18T14:00+01:00"),
        ("2026-03-09T10:00+01:00", "2026-03-19T23:59:59+01:00", "2026-03-17T18:00+01:00"),  # not at midnight
        ("2026-03-09T10:00+01:00", "2026-03-20T03:00+01:00", "2026-03-18T08:00+01:00"),
        ("2026-03-20T10:00+01:00", "2026-03-30T09:00+02:00", "2026-03-27T09:00+01:00"),  # Saturday: the Friday before
        (
            "2026-03-26T10:00+01:00",
            "2026-03-31T10:00+02:00",
            "2026-03-30T10:00+02:00",
        ),  # Sunday is quiet: a day before
        ("2026-03-09T10:00+01:00", "2026-03-12T10:00+01:00", "2026-03-11T10:00+01:00"),  # three days: a day before
        ("2026-03-09T10:00+01:00", "2026-03-10T18:00+01:00", "2026-03-10T08:00+01:00"),  # that very morning
        ("2026-03-09T10:00+01:00", "2026-03-10T10:30+01:00", None),  # too late to be of use
        ("2026-03-09T10:00+01:00", "2026-03-09T23:59:59+01:00", None),
        ("2026-03-09T10:00+01:00", "2026-03-09T10:20+01:00", None),
    ],
)
def test_the_warning_comes_in_time_by_day_and_never_minutes_after_the_invitation(
    launched: str, ends: str, warns: str | None
) -> None:
    launch = replace(order([V]), expires_at=at(ends), remind_every_days=90, quiet_days=(6, 7))
    story = Story.__new__(Story)
    story.events, story.flow = [], None
    story.do(launch, at(launched))
    assert warns_at(story.now) == (at(warns) if warns is not None else None)


@given(hours=st.integers(1, 24 * 30), begun=st.integers(0, 24 * 14))
def test_no_warning_at_night_on_a_quiet_day_too_late_or_too_soon(hours: int, begun: int) -> None:
    since = NOW + begun * HOUR
    launch = replace(order([V]), expires_at=since + hours * HOUR, remind_every_days=90, quiet_days=(6, 7))
    story = Story.__new__(Story)
    story.events, story.flow = [], None
    story.do(launch, since)
    warning = warns_at(story.now)
    if warning is None:
        assert hours < 24 * 5
        return
    there = warning.astimezone(PARIS)
    assert FIRST_HOUR <= there.time() <= LAST_HOUR
    assert there.isoweekday() < 6
    assert since + hours * HOUR / 2 <= warning <= since + hours * HOUR - 3 * HOUR


def test_after_an_outage_nobody_is_warned_at_night() -> None:
    story = Story(replace(order([V]), expires_at=NOW + 10 * DAY))
    told(story)
    warning = warns_at(story.now)
    assert warning is not None
    assert mails(story, warning + 14 * HOUR) == []
    assert mails(story, warning + DAY) == [("expiring", CREATOR), ("expiring", "r1")]


def test_whoever_takes_over_hears_of_it_by_his_invitation() -> None:
    story = Story(replace(order([V]), allow_delegation=True))
    told(story)
    story.do(Delegate("r1", someone(7, story), None, trace("r1")))
    assert mails(story) == [("invitation", "r2"), ("delegated", CREATOR)]


def test_whoever_is_replaced_while_the_flow_is_suspended_hears_of_it_at_once() -> None:
    story = Story(order([V]))
    told(story)
    story.do(Suspend(SuspendReason.SOURCE_CHANGED, NOW))
    told(story)
    story.do(Replace("r1", someone(7, story), By.CREATOR))
    assert mails(story) == [("replaced", "r1")], "whoever comes in is asked once it goes on"

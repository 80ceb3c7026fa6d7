"""The calendar of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.flow.times import days_later, zone

PARIS = "Europe/Paris"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("begun", "days", "quiet", "due"),
    [
        ("2026-03-09T09:30+01:00", 3, (), "2026-03-12T09:30+01:00"),
        ("2026-03-11T09:30+01:00", 3, (6, 7), "2026-03-16T08:00+01:00"),  # Saturday -> Monday morning
        ("2026-03-13T22:15+01:00", 1, (6, 7), "2026-03-16T08:00+01:00"),  # late on a Saturday
        ("2026-03-09T03:00+01:00", 1, (), "2026-03-10T08:00+01:00"),
        ("2026-03-09T19:00+01:00", 1, (), "2026-03-11T08:00+01:00"),
        ("2026-03-27T10:00+01:00", 3, (), "2026-03-30T10:00+02:00"),  # over the night when clocks go forward
        ("2026-10-24T10:00+02:00", 2, (), "2026-10-26T10:00+01:00"),
        ("2026-03-09T09:30+01:00", 1, (1, 2, 3, 4, 5, 6, 7), "2026-03-10T09:30+01:00"),  # all days quiet: none is
    ],
)
def test_the_same_hour_some_days_later_in_decent_hours_on_no_quiet_day(
    begun: str, days: int, quiet: tuple[int, ...], due: str
) -> None:
    assert days_later(at(begun), days, PARIS, quiet) == at(due)


def test_a_zone_that_nobody_knows_is_utc() -> None:
    assert zone("Atlantis/Capital").key == zone("").key == zone("../etc/passwd").key == "UTC"


@given(
    begun=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive there
    days=st.integers(1, 90),
    quiet=st.sets(st.integers(1, 7), max_size=6),
    where=st.sampled_from([PARIS, "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "UTC"]),
)
def test_nobody_is_written_to_at_night_or_on_a_quiet_day(
    begun: datetime, days: int, quiet: set[int], where: str
) -> None:
    local = days_later(begun, days, where, quiet).astimezone(zone(where))
    assert 8 <= local.hour <= 18
    assert local.isoweekday() not in quiet
    assert timedelta(days=days) - timedelta(hours=2) <= local - begun <= timedelta(days=days + 8)

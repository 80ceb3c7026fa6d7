"""Instants in events, and the calendar of people: days of their time zone, quiet days, decent hours."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIRST_HOUR = time(8)
LAST_HOUR = time(18)


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with Z, milliseconds (cut, not rounded)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_instant(text: str) -> datetime:
    """Raises: ValueError."""
    return datetime.fromisoformat(text)


def zone(name: str) -> ZoneInfo:
    """UTC where the name is not known here: a flow launched elsewhere must not stop."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def is_decent(at: datetime, time_zone: str, quiet_days: Collection[int] = ()) -> bool:
    """One may write to somebody now."""
    return days_later(at, 0, time_zone, quiet_days) <= at


def days_before(at: datetime, days: int, time_zone: str, quiet_days: Collection[int] = ()) -> datetime:
    """The same time of day that many days of the calendar before, where the people are, moved to an hour of that day
    at which one may write to somebody, and back to one that is no quiet day. Shape: UTC."""
    here = zone(time_zone)
    local = at.astimezone(here).replace(tzinfo=None) - timedelta(days=days)
    local = datetime.combine(local.date(), min(max(local.time(), FIRST_HOUR), LAST_HOUR))
    quiet = set(quiet_days) if len(set(quiet_days)) < 7 else set()
    while local.isoweekday() in quiet:
        local -= timedelta(days=1)
    return local.replace(tzinfo=here).astimezone(UTC)


def morning_of(at: datetime, time_zone: str) -> datetime:
    """Of that day, where the people are: from then on one may write to somebody. Shape: UTC."""
    here = zone(time_zone)
    return datetime.combine(at.astimezone(here).date(), FIRST_HOUR, here).astimezone(UTC)


def days_later(at: datetime, days: int, time_zone: str, quiet_days: Collection[int] = ()) -> datetime:
    """The same time of day that many days later, where the people are, moved on to the next time at which one may
    write to somebody: from 8 to 18 o'clock, on no quiet day (ISO weekdays, 1 is Monday). Shape: UTC.
    """
    here = zone(time_zone)
    local = at.astimezone(here).replace(tzinfo=None) + timedelta(days=days)
    quiet = set(quiet_days) if len(set(quiet_days)) < 7 else set()
    if local.time() > LAST_HOUR:
        local = datetime.combine(local.date() + timedelta(days=1), FIRST_HOUR)
    elif local.time() < FIRST_HOUR:
        local = datetime.combine(local.date(), FIRST_HOUR)
    while local.isoweekday() in quiet:
        local = datetime.combine(local.date() + timedelta(days=1), FIRST_HOUR)
    return local.replace(tzinfo=here).astimezone(UTC)

"""Times as people send them: an instant with its zone, or a day that ends where they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import cache
from zoneinfo import available_timezones

from plugin.flow.errors import Invalid
from plugin.flow.times import zone

LAST_SECOND = time(23, 59, 59)


def deadline(path: str, sent: str, time_zone: str) -> datetime:
    """Raises: Invalid bad-time."""
    try:
        if len(sent) == len("2026-01-31"):
            return end_of_day(date.fromisoformat(sent), time_zone)
        at = datetime.fromisoformat(sent)
        if at.tzinfo is None:
            raise Invalid(path, "bad-time")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(path, "bad-time") from error


def end_of_day(day: date, time_zone: str) -> datetime:
    """Raises: OverflowError for the last of all days."""
    return datetime.combine(day, LAST_SECOND, zone(time_zone)).astimezone(UTC)


def known_zone(path: str, name: str) -> str:
    """Raises: Invalid no-such-time-zone."""
    if name not in _zones():
        raise Invalid(path, "no-such-time-zone")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())

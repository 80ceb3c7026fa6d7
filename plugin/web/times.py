"""Times as people send them: an instant with its zone, or a day that ends where they are."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from functools import cache
from zoneinfo import available_timezones

from plugin.flow.errors import Invalid
from plugin.flow.times import zone

LAST_SECOND = time(23, 59, 59)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def deadline(path: str, sent: str, time_zone: str) -> datetime:
    """``sent``: a day (YYYY-MM-DD) or an instant (RFC 3339), nothing else of ISO 8601. Raises: Invalid bad-time."""
    try:
        if _DAY.fullmatch(sent):
            return end_of_day(date.fromisoformat(sent), time_zone)
        if not _INSTANT.fullmatch(sent):
            raise Invalid(path, "bad-time")
        return datetime.fromisoformat(sent.upper()).astimezone(UTC)
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

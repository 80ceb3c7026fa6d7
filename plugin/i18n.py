"""Words for people, in their language: gettext with English msgids, one catalogue for Python and TypeScript."""

from __future__ import annotations

import gettext
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, get_timezone_name
from babel.support import Translations

LANGUAGES = ("en", "fr")
LOCALE = Path(__file__).parent / "locale"
BUNDLES = Path(__file__).parent / "static" / "ui" / "i18n.json"


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Unknown languages speak English."""
    return Translations.load(str(LOCALE), [language]) if language in LANGUAGES else gettext.NullTranslations()


def mark(msgid: str) -> str:
    """Marks a sentence for the catalogue where it stands far from its translation."""
    return msgid


def primary(language: str) -> str:
    """The primary subtag (RFC 5646): ``fr-FR``, ``fr_FR`` -> ``fr``; ``fil`` is another language than ``fi``."""
    return language.replace("_", "-").partition("-")[0].lower()


def known(language: str | None) -> str | None:
    """``fr-FR`` -> ``fr``; None for a language without a catalogue, as ``frp``."""
    short = primary(language or "")
    return short if short in LANGUAGES else None


def when(at: datetime, language: str, time_zone: str) -> str:
    """Date and time with the name of the zone, as ``23 nov. 2026, 10:12 (UTC+01:00)``."""
    zone = ZoneInfo(time_zone)
    local = at.astimezone(zone)
    offset = local.strftime("%z")
    return f"{format_datetime(local, 'd MMM y, HH:mm', tzinfo=zone, locale=language)} (UTC{offset[:3]}:{offset[3:]})"


def day(at: datetime, language: str, time_zone: str) -> str:
    return format_date(at.astimezone(ZoneInfo(time_zone)).date(), "long", locale=language)


def zone_name(time_zone: str, language: str) -> str:
    return get_timezone_name(ZoneInfo(time_zone), locale=language)


def bundle_words(language: str, bundle: str) -> Mapping[str, object]:
    """The words that a script bundle needs in this language; empty for English and before the first build."""
    return _bundles().get(language, {}).get(bundle, {})


@cache
def _bundles() -> dict[str, dict[str, dict[str, object]]]:
    try:
        loaded: dict[str, dict[str, dict[str, object]]] = json.loads(BUNDLES.read_text())
    except FileNotFoundError:
        return {}
    return loaded

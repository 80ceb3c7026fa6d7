"""The bell of the embedded host: what it shows, and what it drops without a word, as the platform does."""

from __future__ import annotations

import itertools
import re
import threading
from typing import Any, Final

Json = Any
_ID_AT_MOST: Final = 64


class TooLong(Exception):
    """The platform answers 500 to an id that its table does not hold."""


class Bell:
    """Notices by user, until the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._kept: dict[int, dict[str, Json]] = {}

    def ring(self, app: str, user: str, params: dict[str, Json]) -> None:
        """Raises: TooLong; KeyError for what is missing."""
        what, object_id = str(params["object"]), str(params["object_id"])
        if len(what) > _ID_AT_MOST or len(object_id) > _ID_AT_MOST or len(str(params["subject_type"])) > _ID_AT_MOST:
            raise TooLong
        shown = params["subject_params"]
        subject = _sentence(shown, "rich_subject")
        if subject is None or not str(shown.get("link", "")).startswith(("http://", "https://")):
            return
        with self._lock:
            number = next(self._numbers)
            self._kept[number] = {
                "notification_id": number,
                "app": app,
                "user": user,
                "object_type": what,
                "object_id": object_id,
                "subject": subject,
                "message": _sentence(shown, "rich_message") or "",
                "link": shown["link"],
            }

    def of(self, user: str) -> list[dict[str, Json]]:
        """Newest first."""
        with self._lock:
            return [notice for _, notice in sorted(self._kept.items(), reverse=True) if notice["user"] == user]

    def dismiss(self, user: str, number: int) -> None:
        with self._lock:
            if self._kept.get(number, {}).get("user") == user:
                del self._kept[number]


def _sentence(shown: dict[str, Json], field: str) -> str | None:
    """The sentence with its values put in; None where the platform would drop it."""
    text, params = shown.get(field), shown.get(f"{field}_params")
    if not isinstance(text, str) or not isinstance(params, dict) or "%" in text.replace("%%", ""):
        return None
    for name in re.findall(r"\{([^}]*)\}", text):
        value = params.get(name)
        if len(name) < 2 or not isinstance(value, dict) or {"type", "id", "name"} - set(value):
            return None
        if not all(isinstance(part, str) for part in value.values()):
            return None
        text = text.replace("{" + name + "}", value["name"])
    return text.replace("%%", "%")

"""What the app hooks into the host, kept by the embedded one as AppAPI keeps it: entries, subscriptions, short texts.

Nothing of it shows on the embedded host's own pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UI = re.compile(r"/apps/app_api/api/v[12]/ui/(files-actions-menu|top-menu|script|style)")
_CONFIG = "/apps/app_api/api/v1/ex-app/config"
_EVENTS = "/apps/webhook_listeners/api/v1/webhooks"
_Json = Any


class Hooked:
    """``entries``: by their kind and what names them among their kind."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, ...], Mapping[str, _Json]] = {}
        self.texts: dict[str, str] = {}
        self.events: list[Mapping[str, _Json]] = []

    def answer(self, method: str, path: str, body: Mapping[str, _Json]) -> _Json:
        """Raises: LookupError for a path that is none of these, or an entry that is not there."""
        entry = _UI.fullmatch(path)
        match method, path:
            case "POST", _ if entry:
                self.entries[_key(entry[1], body)] = body
            case "DELETE", _ if entry:
                del self.entries[_key(entry[1], body)]
            case "POST", text if text == _CONFIG:
                self.texts[str(body["configKey"])] = str(body["configValue"])
            case "POST", texts if texts == f"{_CONFIG}/get-values":
                wanted = [name for name in body["configKeys"] if name in self.texts]
                return [{"configkey": name, "configvalue": self.texts[name]} for name in wanted]
            case "GET", events if events == _EVENTS:
                return self.events
            case "POST", events if events == _EVENTS:
                self.events.append(body)
            case _:
                raise LookupError(path)
        return []


def _key(kind: str, body: Mapping[str, _Json]) -> tuple[str, ...]:
    return kind, *(str(body[name]) for name in ("type", "name", "path") if name in body)

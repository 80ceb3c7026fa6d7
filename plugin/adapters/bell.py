"""The platform's bell: the ``Bell`` port, through AppAPI and the host's notifications app.

The host answers 200 to what it will never show: a relative link, a value that is no text, a placeholder that is
unknown or has one letter, a ``%`` or a brace in the sentence. So the sentence is one placeholder, its value our words.
"""

from __future__ import annotations

from typing import Final

from plugin.adapters.mail import header_text
from plugin.adapters.ocs_calls import OcsCalls
from plugin.flow.errors import HostUnavailable
from plugin.ports_bell import Notice

_RING: Final = "/apps/app_api/api/v1/notification"
_LIST: Final = "/apps/notifications/api/v2/notifications"


class HostBell:
    def __init__(self, calls: OcsCalls, app_id: str) -> None:
        self._calls = calls
        self._app_id = app_id

    def ring(self, notice: Notice) -> None:
        shown: dict[str, object] = {
            "link": notice.link,
            "rich_subject": "{text}",
            "rich_subject_params": {"text": _words(notice.flow_id, notice.text)},
        }
        if notice.title:
            shown["rich_message"] = "{title}"
            shown["rich_message_params"] = {"title": _words(notice.flow_id, notice.title)}
        params = {
            "object": notice.what,
            "object_id": notice.flow_id,
            "subject_type": notice.what,
            "subject_params": shown,
        }
        if self._calls.send("POST", notice.user, _RING, {"params": params}) is None:
            raise HostUnavailable

    def hush(self, user: str, what: str, flow_id: str) -> None:
        found = self._calls.get(user, _LIST)
        for one in found if isinstance(found, list) else ():
            if not isinstance(one, dict) or one.get("app") != self._app_id:
                continue
            if (one.get("object_type"), one.get("object_id")) == (what, flow_id):
                number = int(one.get("notification_id", 0))
                self._calls.send("DELETE", user, f"{_LIST}/{number}", {})


def _words(flow_id: str, text: str) -> dict[str, str]:
    return {"type": "highlight", "id": flow_id, "name": header_text(text) or "…"}

"""The host's people by OCS: the ``Directory`` port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from requests.auth import AuthBase

from plugin.adapters.host_session import Line, Timeout
from plugin.adapters.ocs_calls import Denied, OcsCalls
from plugin.flow.errors import HostUnavailable
from plugin.ports import Account, Person, Suggestion

_AT_MOST: Final = 20


class OcsDirectory:
    """``plugin.ports.Directory`` on a host's ``/ocs/v2.php``."""

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout = (3.0, 15.0),
        ca_file: str | None = None,
        line: Line | None = None,
    ) -> None:
        self._calls = OcsCalls(base_url, auth_for, timeout_s, ca_file, line)

    def person(self, uid: str) -> Person | None:
        if not uid:
            return None
        try:
            record = self._calls.get(uid, "/cloud/user")
        except Denied:  # nobody of that name, somebody who is disabled, or we are not believed at all: then this too
            self.users()
            return None
        if not isinstance(record, dict) or record.get("id") != uid:
            return None
        name = record.get("displayname") or record.get("display-name") or uid
        groups = record.get("groups")
        return Person(
            uid=uid,
            name=str(name),
            email=str(record["email"]) if record.get("email") else None,
            language=str(record.get("language") or "en"),
            groups=tuple(str(group) for group in groups) if isinstance(groups, list) else (),
            time_zone=str(record["timezone"]) if record.get("timezone") else None,
        )

    def account(self, uid: str) -> Account:
        """The host answers 401 for somebody who is disabled and for nobody; only the former is on its list. Any other
        answer tells nothing."""
        try:
            record = self._calls.get(uid, "/cloud/user") if uid else None
        except Denied:
            return Account.OUT if uid in self.users() else Account.GONE
        if not isinstance(record, dict) or record.get("id") != uid:
            raise HostUnavailable
        return Account.ACTIVE

    def search(self, as_user: str, text: str) -> list[Suggestion]:
        params = {"search": text, "shareTypes[]": "0", "limit": str(_AT_MOST)}
        entries = self._calls.get(as_user, "/core/autocomplete/get", params)
        found: dict[str, Suggestion] = {}
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("source", "users") == "users" and entry.get("id"):
                uid = str(entry["id"])
                found.setdefault(uid, Suggestion(uid, str(entry.get("label") or uid), _email_of(entry)))
        return list(found.values())[:_AT_MOST]

    def users(self) -> list[str]:
        """Asked as the app itself, by AppAPI's own list. Without it nobody is known to be there or not."""
        data = self._calls.get("", "/apps/app_api/api/v1/users")
        if not isinstance(data, list) or not data:
            raise HostUnavailable
        return [str(uid) for uid in data]


def _email_of(entry: dict[str, Any]) -> str | None:
    for field in ("shareWithDisplayNameUnique", "subline"):
        value = entry.get(field)
        if isinstance(value, str) and "@" in value and " " not in value:
            return value
    return None

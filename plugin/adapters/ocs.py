"""The host's people by OCS: the ``Directory`` port, through nextcloud-api-wrapper.

That library, outside this file: caches headers per class, changes its classes when the host lives below a path,
collects a list entry per request, ignores timeouts after ``login()``, and tells HTTP failures only as ``is_ok`` false.
So: one wrapper object per request, a session of our own put in as the logged-in one, and every answer checked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
import stamina
import structlog
from nextcloud.api_wrappers import API_WRAPPER_CLASSES  # noqa: F401 - the library's modules load in this order only
from nextcloud.base import OCSv2ApiWrapper
from nextcloud.exceptions import NextCloudConnectionError
from nextcloud.session import Session
from requests.auth import AuthBase

from plugin.adapters.host_session import Timeout, host_session
from plugin.flow.errors import HostUnavailable
from plugin.ports import Person, Suggestion

_AT_MOST: Final = 20
_log = structlog.get_logger()


class _Broken(HostUnavailable):
    """No answer, or a failure of the host: worth another try."""


class _Denied(HostUnavailable):
    """401: the host does not let us act as that user."""


class _UserSession(Session):  # type: ignore[misc]
    """The library's session, logged in from the start, with the timeouts it would leave out."""

    def __init__(self, origin: str, user: str, auth: AuthBase, http: requests.Session, timeout_s: Timeout) -> None:
        super().__init__(url=origin, user=user or "app", auth=auth)
        self.session = http
        self._timeout_s = timeout_s

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        kwargs.update(auth=self.auth, timeout=self._timeout_s)
        response: requests.Response = super().request(method, url, **kwargs)
        if response.status_code >= 500:
            raise _Broken
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            raise HostUnavailable  # the library would parse XML unguarded, and HTML means a login page
        return response


class _Ocs(OCSv2ApiWrapper):  # type: ignore[misc]
    """Any OCS path; ``VERIFIED = False`` keeps the library from adding it to its own client."""

    API_URL = ""
    VERIFIED = False


class _Client:
    """What an ``OCSv2ApiWrapper`` wants of a client."""

    def __init__(self, session: _UserSession) -> None:
        self.session = session
        self.user = session.user


class OcsDirectory:
    """``plugin.ports.Directory`` on a host's ``/ocs/v2.php``."""

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout = (3.0, 15.0),
        ca_file: str | None = None,
    ) -> None:
        parts = urlsplit(base_url.rstrip("/"))
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._below = parts.path
        self._auth_for = auth_for
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._local = threading.local()

    def person(self, uid: str) -> Person | None:
        if not uid:
            return None
        try:
            record = self._get(uid, "/cloud/user")
        except _Denied as denied:  # either nobody of that name, or we are not believed at all
            if uid in self.users():
                raise HostUnavailable from denied
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

    def search(self, as_user: str, text: str) -> list[Suggestion]:
        params = {"search": text, "shareTypes[]": "0", "limit": str(_AT_MOST)}
        entries = self._get(as_user, "/core/autocomplete/get", params)
        found: dict[str, Suggestion] = {}
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("source", "users") == "users" and entry.get("id"):
                uid = str(entry["id"])
                found.setdefault(uid, Suggestion(uid, str(entry.get("label") or uid), _email_of(entry)))
        return list(found.values())[:_AT_MOST]

    def users(self) -> list[str]:
        """Asked as the app itself, by AppAPI's own list."""
        data = self._get("", "/apps/app_api/api/v1/users")
        return [str(uid) for uid in data] if isinstance(data, list) else []

    def _get(self, user: str, path: str, params: dict[str, str] | None = None) -> Any:
        """The envelope's data, None for a person the host does not know. Raises HostUnavailable."""
        retries = stamina.retry_context(on=_Broken, attempts=3, timeout=8.0, wait_initial=0.1, wait_max=1.0)
        for attempt in retries:
            with attempt:
                return self._got(user, path, params)
        raise HostUnavailable

    def _got(self, user: str, path: str, params: dict[str, str] | None) -> Any:
        session = _UserSession(self._origin, user, self._auth_for(user), self._http(), self._timeout_s)
        wrapper = _Ocs(_Client(session))
        try:
            response = wrapper.requester.get(f"{quote(self._below)}/ocs/v2.php{path}", params=params)
        except NextCloudConnectionError as failure:
            _log.warning("host.people.no_answer", error=type(failure.obj).__name__)
            raise _Broken from None  # the cause's text holds the query
        except (ValueError, KeyError, TypeError) as nonsense:
            raise HostUnavailable from nonsense
        if not isinstance(response.full_data, dict) or "ocs" not in response.full_data:
            raise HostUnavailable
        if response.is_ok:
            return response.data
        if response.status_code in (404, 998) or response.raw.status_code == 404:
            return None
        _log.warning("host.people.refused", status=response.raw.status_code, code=response.status_code)
        raise _Denied if response.raw.status_code == 401 else HostUnavailable

    def _http(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = host_session(self._ca_file)
        return session


def _email_of(entry: dict[str, Any]) -> str | None:
    for field in ("shareWithDisplayNameUnique", "subline"):
        value = entry.get(field)
        if isinstance(value, str) and "@" in value and " " not in value:
            return value
    return None

"""OCS calls to the host, through nextcloud-api-wrapper.

That library, outside this file: caches headers per class, changes its classes when the host lives below a path,
collects a list entry per request, ignores timeouts after ``login()``, and tells HTTP failures only as ``is_ok`` false.
So: one wrapper object per request, a session of our own put in as the logged-in one, and every answer checked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
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

from plugin.adapters.host_session import Line, Timeout, host_pool, host_session, is_maintenance
from plugin.flow.errors import HostMaintenance, HostRefuses, HostSlow, HostUnavailable

_METHODS: Final = {"POST": "post/json", "PUT": "put/json", "DELETE": "delete/json"}
_log = structlog.get_logger()


class Broken(HostUnavailable):
    """No answer, or a failure of the host: worth another try."""


class Denied(HostUnavailable):
    """401: the host does not let us act as that user. As the app itself it is HostRefuses."""


class _UserSession(Session):  # type: ignore[misc]  # the library has no types
    """The library's session, logged in from the start, with the timeouts it would leave out."""

    def __init__(self, origin: str, user: str, auth: AuthBase, http: requests.Session, timeout_s: Timeout) -> None:
        super().__init__(url=origin, user=user or "app", auth=auth)
        self.session = http
        self._timeout_s = timeout_s

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        kwargs.update(auth=self.auth, timeout=self._timeout_s)
        response: requests.Response = super().request(method, url, **kwargs)
        if is_maintenance(response):
            raise HostMaintenance
        if response.status_code >= 500:
            raise Broken
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            raise HostUnavailable  # the library would parse XML unguarded, and HTML means a login page
        return response


class _Ocs(OCSv2ApiWrapper):  # type: ignore[misc]  # the library has no types
    """Any OCS path; ``VERIFIED = False`` keeps the library from adding it to its own client."""

    API_URL = ""
    VERIFIED = False


class _Client:
    """What an ``OCSv2ApiWrapper`` wants of a client."""

    def __init__(self, session: _UserSession) -> None:
        self.session = session
        self.user = session.user


class OcsCalls:
    """OCS paths below ``/ocs/v2.php``, asked as a user; "" is the app itself. Safe from any thread."""

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout = (3.0, 15.0),
        ca_file: str | None = None,
        line: Line | None = None,
    ) -> None:
        parts = urlsplit(base_url.rstrip("/"))
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._below = parts.path
        self._auth_for = auth_for
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._pool = host_pool()
        self._line = line
        self._local = threading.local()

    def get(self, user: str, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The envelope's data; None for what the host does not know. A failure that may pass is tried again.

        Raises: HostUnavailable; of it Denied for 401, HostRefuses where that meant the app itself.
        """
        retries = stamina.retry_context(on=Broken, attempts=3, timeout=8.0, wait_initial=0.1, wait_max=1.0)
        for attempt in retries:
            with attempt:
                return self._named(user, "get", path, params=dict(params or {}))
        raise HostUnavailable

    def send(self, method: str, user: str, path: str, body: Mapping[str, object]) -> Any:
        """POST, PUT or DELETE with a JSON body, once. Raises: as ``get``."""
        return self._named(user, _METHODS[method], path, data=json.dumps(body))

    def _named(self, user: str, method: str, path: str, **kwargs: Any) -> Any:
        """What is known of the host says more than one answer that failed."""
        try:
            return self._answer(user, method, path, **kwargs)
        except Denied:
            raise
        except HostUnavailable as error:
            known = self._line.known() if self._line is not None else None
            raise known or error from None

    def _answer(self, user: str, method: str, path: str, **kwargs: Any) -> Any:
        session = _UserSession(self._origin, user, self._auth_for(user), self._http(), self._timeout_s)
        wrapper = _Ocs(_Client(session))
        if "/json" in method:
            kwargs["headers"] = {"Content-Type": "application/json"}
        try:
            response = wrapper.requester.request(method, f"{quote(self._below)}/ocs/v2.php{path}", **kwargs)
        except NextCloudConnectionError as failure:
            _log.warning("host.ocs.no_answer", error=type(failure.obj).__name__)
            is_late = isinstance(failure.obj, requests.ReadTimeout)
            raise HostSlow if is_late else Broken from None  # the cause's text holds the query
        except (ValueError, KeyError, TypeError) as nonsense:
            raise HostUnavailable from nonsense
        if not isinstance(response.full_data, dict) or "ocs" not in response.full_data:
            raise HostUnavailable
        if response.is_ok:
            return response.data
        if response.status_code in (404, 998) or response.raw.status_code == 404:
            return None
        _log.warning("host.ocs.refused", status=response.raw.status_code, code=response.status_code)
        if response.raw.status_code == 401:
            raise Denied if user else HostRefuses
        raise HostUnavailable

    def _http(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = host_session(self._pool, self._ca_file, self._line)
        return session

"""One request of WebDAV at a time, through webdavclient3: who asks, how long, and what a refusal means.

Every call is made by ``execute_request``, which takes conditions and gives the answer's headers; the client's
comfortable methods do neither. One client a thread. What is logged are methods and status codes, never a header, a
path or a body.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
import stamina
import structlog
from requests.auth import AuthBase
from webdav3.client import Client
from webdav3.exceptions import (
    MethodNotSupported,
    NotEnoughSpace,
    RemoteResourceNotFound,
    ResourceLocked,
    ResponseErrorCode,
)

from plugin.adapters.host_session import Line, Timeout, body_of, host_pool, host_session, is_maintenance, pieces_of
from plugin.flow.errors import AccountOut, HostBusy, HostFull, HostMaintenance, HostSlow, HostUnavailable
from plugin.ports_files import PreconditionFailed

_ATTEMPTS: Final = 4
_AGAIN_WITHIN_S: Final = 8.0
_NO_HOME: Final = b"no home"
_MAINTENANCE: Final = b"maintenance"
_LOCKED: Final = b"locked"
_LOCK_IN_THE_WAY: Final = b"<s:exception>OCP\\Lock\\LockedException<"
"""With 500 instead of 423, as a folder is answered that is to be moved while something is written into it."""
_log = structlog.get_logger()


class Locked(HostBusy):
    """423: somebody writes at this moment; the host did nothing."""


class Broken(HostUnavailable):
    """No answer, or a failure of the host: a read may be tried again."""


class Missing(Exception):
    """404."""


class Unsupported(Exception):
    """405 or 501: the host does not know this method here."""


class Denied(Exception):
    """403."""


class NoHome(Exception):
    """The search's answer for somebody who has never opened his files: he has none."""


class Empty(Exception):
    """416: the range asked for lies behind the file's end."""


class DavCalls:
    """To a host's ``/remote.php/dav``. ``auth_for(user)`` gives the requests auth object that acts as that user."""

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout,
        ca_file: str | None,
        line: Line | None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.dav_path = urlsplit(self.base_url).path + "/remote.php/dav"
        self._auth_for = auth_for
        self.timeout_s = timeout_s
        self._ca_file = ca_file
        self._pool = host_pool()
        self._line = line
        self._local = threading.local()

    def address(self, user: str, path: str) -> str | None:
        clean = clean_path(path)
        if clean is None or "/" in user or user in ("", ".", ".."):
            return None
        return "/".join(
            ["/remote.php/dav/files", quote(user, safe=""), *(quote(part, safe="") for part in split(clean))]
        )

    @contextmanager
    def sent(
        self,
        user: str,
        action: str,
        address: str,
        data: bytes | Iterable[bytes] | None = None,
        headers: list[str] | None = None,
        *,
        read_s: float | None = None,
    ) -> Iterator[requests.Response]:
        """One request; its answer is closed afterwards. ``read_s``: how long the host may take to begin it, where that
        is not as always. Raises the port's errors and this module's own.
        """
        client = self._client()
        client.session.auth = self._auth_for(user)
        client.timeout = self.timeout_s if read_s is None else (self.timeout_s[0], read_s)
        try:
            response: requests.Response = client.execute_request(action, address, data=data, headers_ext=headers or [])
        except RemoteResourceNotFound:
            raise Missing from None
        except MethodNotSupported:
            raise Unsupported from None
        except ResourceLocked:
            raise Locked from None
        except NotEnoughSpace:
            raise HostFull from None
        except ResponseErrorCode as failure:
            if failure.message == _NO_HOME:
                raise NoHome from None
            if failure.message == _MAINTENANCE:
                raise HostMaintenance from None
            if failure.message == _LOCKED:
                raise Locked from None
            raise self._named(_error_for(action, int(failure.code))) from None
        except requests.RequestException as failure:
            raise self._no_answer(action, failure) from None  # the cause's text names the address
        try:
            yield response
        except (requests.RequestException, OSError) as failure:
            raise self._no_answer(action, failure) from None
        finally:
            response.close()

    def pieces(self, response: requests.Response, size_bytes: int | None) -> Iterator[bytes]:
        """The body as it comes. Raises: HostUnavailable, when it stops, or ends before ``size_bytes``."""
        came = 0
        try:
            for piece in pieces_of(response, self.timeout_s[1]):
                came += len(piece)
                yield piece
        except (requests.RequestException, OSError) as failure:
            raise self._no_answer("download", failure) from None
        if size_bytes is not None and came != size_bytes:
            raise Broken

    def _no_answer(self, action: str, failure: Exception) -> Exception:
        _log.warning("host.files.no_answer", action=action, error=type(failure).__name__)
        return self._named(HostSlow() if isinstance(failure, requests.ReadTimeout) else Broken())

    def _named(self, error: Exception) -> Exception:
        """What is known of the host says more than one answer that failed."""
        known = self._line.known() if self._line is not None and isinstance(error, HostUnavailable) else None
        return known or error

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            client = Client({"webdav_hostname": self.base_url, "webdav_override_methods": {"search": "SEARCH"}})
            client.session.close()
            client.session = host_session(self._pool, self._ca_file, self._line)
            client.session.hooks["response"].append(_drain_failure)
            client.verify = self._ca_file or True
            self._local.client = client
        return client


def clean_path(path: str) -> str | None:
    """Without slashes at the ends; None when it could mean a place outside the user's root."""
    parts = split(path)
    return None if any(part in (".", "..") or "\x00" in part for part in parts) else "/".join(parts)


def bare_etag(etag: str) -> str:
    """The tag alone: no quotes, no ``W/``, no ``-gzip`` that a compressing front server appends."""
    return re.sub(r"-(?:gzip|br|deflate)$", "", etag.strip().removeprefix("W/").strip('"'))


def split(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def again(*kinds: type[Exception]) -> Any:
    return stamina.retry_context(
        on=kinds, attempts=_ATTEMPTS, timeout=_AGAIN_WITHIN_S, wait_initial=0.1, wait_max=1.5, wait_jitter=0.2
    )


def _error_for(action: str, status: int) -> Exception:
    if status == 412:
        return PreconditionFailed()
    if status == 409:
        return Missing()
    if status == 403:
        return Denied()
    if status == 501 or (status == 502 and action == "copy"):  # RFC 4918, 9.8.5: not from here to there
        return Unsupported()
    if status == 416:
        return Empty()
    _log.warning("host.files.refused", action=action, status=status)
    if status == 401:
        return AccountOut()
    if status == 429:
        return HostBusy()
    return Broken() if status >= 500 else HostUnavailable()


def _drain_failure(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """A refused request's body is read to its end, or the connection would be lost to the pool."""
    if response.status_code >= 400:
        said = body_of(response, 100_000)
        nobody_home = response.request.method == "SEARCH" and b"<s:exception>OCP\\Files\\NotFoundException<" in said
        # the library puts the body into its exception: keep other people's text out of it
        known = {
            _NO_HOME: nobody_home,
            _MAINTENANCE: is_maintenance(response, said),
            _LOCKED: _LOCK_IN_THE_WAY in said,
        }
        response._content = next((word for word, holds in known.items() if holds), b"")
        response.close()
    return response

"""The HTTP session every adapter uses towards the host.

The headers it carries open every account, so it goes to the configured address alone: no redirect is followed, no
proxy or credential is taken from the environment. Cookies are refused, or one user's session would answer for another.

It waits no longer than the work that asks has patience left, for bodies that drip as well; a large body may take its
time as long as it comes at a pace. It asks nothing while its ``Line`` says that nothing can come of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from plugin.flow.errors import HostUnavailable
from plugin.patience import give_back, left_s, waiting
from plugin.runtime import runtime

Timeout = tuple[float, float]
"""Connect and read, in seconds."""
_KEPT_CONNECTIONS: Final = 40
"""As many as threads ask the host at once."""

_LEAST_S: Final = 0.05
_PIECE: Final = 1 << 16
_LARGE_PIECE: Final = 1 << 20
_PACE_BYTES: Final = 1_000_000
"""What has to come of a large body within the time that a read may take."""


def host_pool() -> HTTPAdapter:
    """Connections that stand, for the sessions of many threads: a request rarely finds the thread of the last one."""
    return HTTPAdapter(max_retries=0, pool_maxsize=_KEPT_CONNECTIONS)


class Line(Protocol):
    """What is known of the host as a whole."""

    def check(self) -> None:
        """Before a call. Raises: HostUnavailable, where it would only wait, or be counted against us."""
        ...

    def failed(self) -> None:
        """After a call that got no proper answer: have a look what is the matter."""
        ...

    def known(self) -> HostUnavailable | None:
        """What was the matter a moment ago."""
        ...


class HostSession(requests.Session):
    """Of one thread. Raises, beside what requests does: HostUnavailable, from the line."""

    def __init__(self, pool: HTTPAdapter, ca_file: str | None, line: Line | None) -> None:
        super().__init__()
        self._line = line
        self.trust_env = False
        self.max_redirects = 0
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["Accept-Encoding"] = "identity"
        self.headers["User-Agent"] = "parapheur"
        self.verify = ca_file or True
        self.mount("http://", pool)
        self.mount("https://", pool)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if self._line is not None:
            self._line.check()
        is_streamed = kwargs.get("stream", False)
        try:
            with waiting():
                timeout = _clipped(kwargs.get("timeout"))
                response = super().send(request, **{**kwargs, "stream": True, "timeout": timeout})
                if not is_streamed:
                    response._content = _whole(response)
        except requests.RequestException:
            self._has_failed()
            raise
        if response.status_code == 401 or response.status_code >= 500:
            self._has_failed()
        return response

    def _has_failed(self) -> None:
        if self._line is not None:
            self._line.failed()


def host_session(pool: HTTPAdapter, ca_file: str | None = None, line: Line | None = None) -> HostSession:
    """A session of one thread. ``ca_file``: a PEM bundle for a host with a certificate of its own authority."""
    return HostSession(pool, ca_file, line)


def body_of(response: requests.Response, at_most: int | None = None) -> bytes:
    """The body, or its first ``at_most`` bytes. Raises: requests.RequestException, when it is late or cut off."""
    pieces, length = [], 0
    try:
        with waiting():
            while at_most is None or length < at_most:
                piece = response.raw.read1(_PIECE if at_most is None else min(_PIECE, at_most - length))
                if not piece:
                    break
                pieces.append(piece)
                length += len(piece)
                if left_s(_LEAST_S) <= 0:
                    raise requests.ReadTimeout("the answer came too slowly")
    except requests.RequestException:
        raise  # these are OSErrors too
    except ReadTimeoutError as late:
        raise requests.ReadTimeout("the answer stopped") from late
    except (HTTPError, OSError) as cut:
        raise requests.ConnectionError("the answer was cut off") from cut
    return b"".join(pieces)


def _whole(response: requests.Response) -> bytes:
    """What breaks off is not waited for any longer. Raises: as `body_of`."""
    try:
        return body_of(response)
    except requests.RequestException:
        response.close()
        raise


def pieces_of(response: requests.Response, stall_s: float) -> Iterator[bytes]:
    """The body of an answer of any size, one piece at a time. What its reader does in between is not held against it.

    Raises: requests.RequestException, when less than ``_PACE_BYTES`` came in ``stall_s`` seconds of waiting, or it is
    cut off.
    """
    waited_s, came = 0.0, 0
    last = runtime().monotonic()
    try:
        while True:
            begun = runtime().monotonic()
            piece = response.raw.read1(_LARGE_PIECE)
            now = runtime().monotonic()
            waited_s, came = waited_s + now - begun, came + len(piece)
            give_back(now - last)
            last = now
            if not piece:
                return
            if came >= _PACE_BYTES:
                waited_s, came = 0.0, 0
            elif waited_s > stall_s:
                break
            yield piece
    except ReadTimeoutError as late:
        raise requests.ReadTimeout("the answer stopped") from late
    except (HTTPError, OSError) as cut:
        raise requests.ConnectionError("the answer was cut off") from cut
    raise requests.ReadTimeout("the answer came too slowly")


def is_maintenance(response: requests.Response, said: bytes = b"") -> bool:
    """By header on OCS and on pages, by the name of the exception on WebDAV."""
    return response.status_code == 503 and (
        response.headers.get("X-Nextcloud-Maintenance-Mode") == "1" or b"\\ServerMaintenanceMode<" in said
    )


def _clipped(timeout: Any) -> Timeout:
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    left = left_s(max(connect, read))
    if left < _LEAST_S:
        raise requests.ReadTimeout("no time is left for this call")
    return min(connect, left), min(read, left)

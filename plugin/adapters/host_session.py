"""The HTTP session every adapter uses towards the host.

The headers it carries open every account, so it goes to the configured address alone: no redirect is followed, no
proxy or credential is taken from the environment. Cookies are refused, or one user's session would answer for another.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
from requests.adapters import HTTPAdapter

Timeout = tuple[float, float]
"""Connect and read, in seconds."""
_KEPT_CONNECTIONS: Final = 40
"""As many as threads ask the host at once."""


def host_pool() -> HTTPAdapter:
    """Connections that stand, for the sessions of many threads: a request rarely finds the thread of the last one."""
    return HTTPAdapter(max_retries=0, pool_maxsize=_KEPT_CONNECTIONS)


def host_session(pool: HTTPAdapter, ca_file: str | None = None) -> requests.Session:
    """A session of one thread. ``ca_file``: a PEM bundle for a host with a certificate of its own authority."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["Accept-Encoding"] = "identity"
    session.headers["User-Agent"] = "parapheur"
    session.verify = ca_file or True
    session.mount("http://", pool)
    session.mount("https://", pool)
    return session

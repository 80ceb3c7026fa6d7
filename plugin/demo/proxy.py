"""The stand-in for the AppAPI proxy: whoever comes through it is who his session says, whatever his headers say."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from plugin.demo.sessions import Sessions
from plugin.demo.wire import APP_ID, App, Environ, StartResponse, answer, basic_user, decoded_segments, raw_path

AA_VERSION: Final = "32.0.0"
_OWNED: Final = frozenset(
    {
        "AUTHORIZATION_APP_API",
        "AUTHORIZATION",
        "EX_APP_ID",
        "EX_APP_VERSION",
        "AA_VERSION",
        "AA_REQUEST_ID",
        "X_ORIGIN_IP",
        "PROXY_AUTHORIZATION",
    }
)
_UNDECLARED: Final = frozenset({"heartbeat", "init", "enabled", "events"})
_PAST_THE_PROXY: Final = frozenset({"/healthz", "/metrics"})
"""Operators ask the sidecar itself; here it has no port of its own."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


class AppApiProxy:
    """WSGI middleware before the sidecar.

    Promise: what the sidecar sees in the AppAPI headers was put there by this class. Nobody logged in: an empty user
    with a valid secret. The paths the app never declared as routes are 404, however they are written.
    """

    def __init__(self, sidecar: App, sessions: Sessions, secret: str, app_version: str) -> None:
        self._sidecar = sidecar
        self._sessions = sessions
        self._secret = secret
        self._app_version = app_version

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not is_declared(raw_path(environ)):
            return answer(
                start_response, 404, headers=[("Cache-Control", "no-store, private"), ("Connection", "close")]
            )
        if environ["REQUEST_METHOD"] not in _METHODS:
            return answer(
                start_response, 405, headers=[("Allow", ", ".join(sorted(_METHODS))), ("Connection", "close")]
            )
        person = self._sessions.person(environ)
        uid = person.uid if person is not None else basic_user(environ) or ""
        return self._sidecar(self._vouched_for(environ, uid), start_response)

    def _vouched_for(self, environ: Environ, uid: str) -> Environ:
        clean = {name: value for name, value in environ.items() if not is_owned(name)}
        clean["HTTP_AUTHORIZATION_APP_API"] = b64encode(f"{uid}:{self._secret}".encode()).decode()
        clean["HTTP_EX_APP_ID"] = APP_ID
        clean["HTTP_EX_APP_VERSION"] = self._app_version
        clean["HTTP_AA_VERSION"] = AA_VERSION
        clean["HTTP_AA_REQUEST_ID"] = secrets.token_hex(10)
        if raw_path(environ) not in _PAST_THE_PROXY:
            clean["HTTP_X_ORIGIN_IP"] = str(environ.get("REMOTE_ADDR", ""))
        return clean


def is_owned(environ_name: str) -> bool:
    """A header only the proxy may set, in any spelling a server could have made of it."""
    name = environ_name.upper().replace("-", "_")
    return name.removeprefix("HTTP_") in _OWNED and name.startswith("HTTP_")


def is_declared(quoted_path: str) -> bool:
    """False for lifecycle and event paths, and for every spelling that could end up there."""
    segments = decoded_segments(quoted_path.replace("\\", "/").replace("%5C", "/").replace("%5c", "/"))
    if segments is None:
        return False
    if any(segment.split(";", 1)[0].strip(". ") == "" for segment in segments):
        return False
    return not segments or segments[0].split(";", 1)[0].strip().lower() not in _UNDECLARED

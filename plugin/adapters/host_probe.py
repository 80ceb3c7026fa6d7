"""One look at the host: two small requests, and what their answers mean.

``/status.php`` needs no account and is answered in maintenance too. ``/ex-app/state`` is answered to an app that is
disabled, which is what tells that from a wrong secret. Source: Nextcloud ``status.php``, AppAPI ``OCSApiController``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from requests.auth import AuthBase

from plugin.adapters.host_session import HostSession, Timeout, host_pool, host_session, is_maintenance
from plugin.patience import at_most
from plugin.ports_health import Finding

OLDEST_MAJOR: Final = 32
NEWEST_MAJOR: Final = 34
SKEW_S: Final = 60.0
_STATE: Final = "/ocs/v2.php/apps/app_api/ex-app/state"

DOWN: Final = Finding(
    "host-down", "no connection to the platform: see that it runs, and that PARAPHEUR_HOST_URL is its address"
)
CERTIFICATE: Final = Finding("host-certificate", "the platform's certificate is not one that this machine trusts")
REDIRECTS: Final = Finding(
    "host-redirects", "the platform sends calls elsewhere: PARAPHEUR_HOST_URL must be its final address"
)
MAINTENANCE: Final = Finding(
    "host-maintenance", "the platform is in maintenance mode: everything goes on by itself once it is switched off"
)
UPGRADE: Final = Finding("host-upgrade", "the platform waits for its upgrade to be finished: occ upgrade")
NO_WRITES: Final = Finding("host-no-writes", "the platform's file area does not take writes")
REFUSED: Final = Finding(
    "secret-refused",
    "the platform does not know this app, or not with this secret: set APP_SECRET to the one it was registered with, "
    "or register it again; asked again every four minutes, and as soon as the platform calls",
)
DISABLED: Final = Finding("app-disabled", "the app is disabled on the platform: occ app_api:app:enable parapheur")
NO_APPAPI: Final = Finding("appapi-missing", "AppAPI is not enabled on the platform: occ app:enable app_api")
THROTTLED: Final = Finding(
    "secret-throttled",
    "the platform does not answer for a while after too many calls with a wrong secret: it does again within half an "
    "hour, or after occ security:bruteforce:reset <this machine's address>",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """``trust`` stays None, and ``asked_trust`` false, where the host was not asked whether it knows us."""

    seconds: float = 0.0
    """The slower of its answers, or how long none came."""
    host: Finding | None = None
    hangs: bool = False
    asked_trust: bool = False
    trust: Finding | None = None
    major: int | None = None
    skew_s: float | None = None
    """How far our clock is ahead of the host's; None where it cannot be told, 0 where it may be right."""


class Probe:
    """``takes_writes``: a further question, on a host of our own."""

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout,
        *,
        takes_writes: Callable[[], bool] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._auth_for = auth_for
        self._timeout_s = timeout_s
        self._takes_writes = takes_writes
        self._wall = wall

    def look(self, *, ask_trust: bool) -> Seen:
        """Raises nothing; takes the time of two calls at most."""
        with host_session(host_pool()) as session, at_most(2 * sum(self._timeout_s)):
            begun = time.monotonic()
            try:
                seen = self._status(session)
                if seen.host is None and ask_trust:
                    seen = self._trust(session, seen)
            except requests.RequestException as failure:
                return _no_answer(failure, time.monotonic() - begun)
        if seen.host is None and self._takes_writes is not None and not self._takes_writes():
            return replace(seen, host=NO_WRITES)
        return seen

    def _status(self, session: HostSession) -> Seen:
        begun = self._wall()
        answer = session.get(f"{self._base_url}/status.php", timeout=self._timeout_s)
        seen = Seen(seconds=answer.elapsed.total_seconds(), skew_s=_skew_s(answer, begun, self._wall()))
        told = _json(answer)
        if is_maintenance(answer) or told.get("maintenance") is True:
            return replace(seen, host=MAINTENANCE)
        if told.get("needsDbUpgrade") is True:
            return replace(seen, host=UPGRADE)
        if answer.status_code >= 400:
            return replace(seen, host=_failing(answer.status_code))
        major = str(told.get("version") or "").partition(".")[0]
        return replace(seen, major=int(major) if major.isascii() and major.isdigit() else None)

    def _trust(self, session: HostSession, seen: Seen) -> Seen:
        answer = session.get(
            self._base_url + _STATE,
            timeout=self._timeout_s,
            auth=self._auth_for(""),
            headers={"Accept": "application/json"},
        )
        seen = replace(seen, seconds=max(seen.seconds, answer.elapsed.total_seconds()))
        if is_maintenance(answer):
            return replace(seen, host=MAINTENANCE)
        known = {401: REFUSED, 429: THROTTLED, 404: NO_APPAPI, 200: None if _is_enabled(answer) else DISABLED}
        if answer.status_code in known:
            return replace(seen, asked_trust=True, trust=known[answer.status_code])
        return replace(seen, host=_failing(answer.status_code))


def _failing(status: int) -> Finding:
    return Finding("host-failing", f"the platform answers with error {status}: see its own log")


def slow(seconds: float) -> Finding:
    return Finding("host-slow", f"the platform takes {seconds:.0f} s for an answer: see what keeps it busy")


def hanging(seconds: float) -> Finding:
    return Finding("host-slow", f"the platform has not answered for {seconds:.0f} s: see what keeps it busy")


def _no_answer(failure: requests.RequestException, seconds: float) -> Seen:
    if isinstance(failure, requests.exceptions.SSLError):
        return Seen(host=CERTIFICATE)
    if isinstance(failure, requests.TooManyRedirects):
        return Seen(host=REDIRECTS)
    if isinstance(failure, requests.ReadTimeout):
        return Seen(seconds=seconds, host=hanging(seconds), hangs=True)
    return Seen(host=DOWN)


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _is_enabled(answer: requests.Response) -> bool:
    ocs = _json(answer).get("ocs")
    return bool(ocs.get("data")) if isinstance(ocs, dict) else False


def _skew_s(answer: requests.Response, begun: float, ended: float) -> float | None:
    """The answer was made between ``begun`` and ``ended``, and its Date leaves out the fraction of a second."""
    if "Age" in answer.headers:  # from somebody's cache
        return None
    try:
        made = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    at = made.replace(tzinfo=made.tzinfo or UTC).timestamp()
    least, most = begun - (at + 1.0), ended - at
    return 0.0 if least <= 0.0 <= most else least if least > 0 else most


def clock_problem(skew_s: float | None) -> Finding | None:
    if skew_s is None or abs(skew_s) <= SKEW_S:
        return None
    code, side = ("clock-ahead", "ahead of") if skew_s > 0 else ("clock-behind", "behind")
    return Finding(
        code,
        f"this machine's clock is {abs(skew_s):.0f} s {side} the platform's, and the evidence bears this one's times: "
        "let both be set by NTP",
    )


def platform_problem(major: int | None) -> Finding | None:
    if major is None or OLDEST_MAJOR <= major <= NEWEST_MAJOR:
        return None
    if major < OLDEST_MAJOR:
        return Finding("platform-too-old", f"this is Nextcloud {major}, and at least {OLDEST_MAJOR} is needed")
    words = f"this is Nextcloud {major}, and what was tried is {OLDEST_MAJOR} to {NEWEST_MAJOR}"
    return Finding("platform-newer", words, is_warning=True)

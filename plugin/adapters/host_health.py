"""What is known of the host as a whole: for the health page, and for every call before it is made.

Looks are made in the background, so that nobody waits for a host that hangs: not the health page, and not the person
whose request would only have waited its time out. While the host hangs, or does not take our secret, calls fail at
once; the looks go on, and the first one that succeeds lets them through again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from plugin.adapters.host_probe import (
    MAINTENANCE,
    UPGRADE,
    Probe,
    Seen,
    clock_problem,
    hanging,
    platform_problem,
    slow,
)
from plugin.adapters.registration import Registration
from plugin.flow.errors import HostMaintenance, HostRefuses, HostSlow, HostUnavailable
from plugin.patience import left_s
from plugin.ports_health import Finding, HostFindings

WHILE_OUT_EVERY_S: Final = 1.0
REFUSED_EVERY_S: Final = 240.0
"""The host counts calls with a wrong secret: with eleven in half an hour it would answer none for a while."""
KNOWN_FOR_S: Final = 10.0
WAIT_S: Final = 1.5
"""For a look that is under way."""
_log = structlog.get_logger()

UNKNOWN: Final = Finding("host-unknown", "the platform has not been asked yet")


class HostHealth:
    """A ``Line``. ``slow_after_s``: answers that take longer are called slow, and looks are no more frequent than that
    while all is well.
    """

    def __init__(
        self,
        probe: Probe,
        registration: Registration,
        slow_after_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._registration = registration
        self._slow_after_s = slow_after_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._begun_at = 0.0
        self._seen: Seen | None = None
        self._seen_at = 0.0
        self._trust: Finding | None = None
        self._trust_at = -REFUSED_EVERY_S
        self._closed = False

    # ---- for every call ---------------------------------------------------------------------------------------------
    def check(self) -> None:
        """Raises: HostSlow, HostRefuses."""
        error = self._closed_to_us()
        if error is not None:
            self._look()
            raise error

    def failed(self) -> None:
        self._look()

    def known(self) -> HostUnavailable | None:
        if self._monotonic() - self._seen_at > KNOWN_FOR_S:
            return None
        if self._seen is not None and self._seen.host in (MAINTENANCE, UPGRADE):
            return HostMaintenance()
        return self._closed_to_us()

    def heard(self, version: str) -> None:
        """A call of the host, with our secret, and the version it has on record."""
        self._registration.heard(version)
        if self._trust is not None:
            with self._lock:
                self._trust, self._trust_at = None, -REFUSED_EVERY_S
            self._look()

    # ---- for the health page ----------------------------------------------------------------------------------------
    def findings(self) -> HostFindings:
        """Waits a moment for a look that is under way, never for the host."""
        self._look()
        self._idle.wait(left_s(WAIT_S))
        with self._lock:
            seen, trust = self._seen, self._trust
            waiting_s = 0.0 if self._idle.is_set() else self._monotonic() - self._begun_at
        version = self._registration.problem()
        is_waiting = waiting_s > self._slow_after_s
        if seen is None:
            return HostFindings(hanging(waiting_s) if is_waiting else UNKNOWN, None, version, None, is_out=True)
        host = hanging(waiting_s) if is_waiting and seen.host is None else seen.host
        is_out = host is not None or trust is not None
        if host is None and seen.seconds > self._slow_after_s:
            host = slow(seen.seconds)
        version = version or platform_problem(seen.major)
        return HostFindings(host, trust, version, clock_problem(seen.skew_s), is_out)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._idle.wait(WAIT_S)

    # ---- looking ----------------------------------------------------------------------------------------------------
    def _closed_to_us(self) -> HostUnavailable | None:
        if self._trust is not None:
            return HostRefuses()
        return HostSlow() if self._seen is not None and self._seen.hangs else None

    def _look(self) -> None:
        """Begins a look in the background, unless one is under way or was made a moment ago."""
        with self._lock:
            now = self._monotonic()
            is_well = self._seen is not None and self._seen.host is None
            every_s = self._slow_after_s if is_well else min(WHILE_OUT_EVERY_S, self._slow_after_s)
            is_fresh = self._seen is not None and now - self._seen_at < every_s
            if is_fresh or self._closed or not self._idle.is_set():
                return
            ask_trust = self._trust is None or now - self._trust_at >= REFUSED_EVERY_S
            self._idle.clear()
            self._begun_at = now
        threading.Thread(target=self._run, args=(ask_trust,), name="host-health", daemon=True).start()

    def _run(self, ask_trust: bool) -> None:
        try:
            self._take_in(self._probe.look(ask_trust=ask_trust))
        except Exception as error:
            _log.error("host.look_failed", error=type(error).__name__)
        finally:
            self._idle.set()

    def _take_in(self, seen: Seen) -> None:
        with self._lock:
            before, self._seen, self._seen_at = self._seen, seen, self._monotonic()
            if seen.asked_trust:
                self._trust, self._trust_at = seen.trust, self._seen_at
            if before is not None and seen.major is None:
                self._seen = replace(seen, major=before.major)
            if before is not None and seen.skew_s is None:
                self._seen = replace(self._seen, skew_s=before.skew_s)
        found = [finding.code for finding in (seen.host, seen.trust) if finding is not None]
        if before is None or found != [f.code for f in (before.host, before.trust) if f is not None]:
            _log.info("host", found=found, seconds=round(seen.seconds, 1))

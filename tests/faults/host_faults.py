"""A host that fails one call in many, in every way that hosts fail: ``campaign``.

For every act a fault is armed at a call drawn by a seed; the person tries again once the host works again, as people
do; the sweep does what nobody waits for; then an oracle looks.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import cases, hosts, oracle
from tests.faults.cases import Act, Case, NotNow
from tests.faults.crash import STUCK_AFTER_S, report
from tests.faults.proxy import KINDS, Fault, FaultProxy
from tests.faults.sidecar import Reply, Sidecar, settings_for

HOST_TIMEOUT_S = 3.0
LATE_S = 3.6
CLOCK_SPEED = 4.0
"""The sidecar's clock runs ahead, so that the pause before something is tried again passes quickly. No faster: a claim
on a mail that is on its way would run out on a busy machine."""
WAITS_AS_A_PERSON = {503}
NOT_NOW = {"flow-suspended", "documents-changed", "state-changed", "no-such-file", "invalid", "unusable-document"}


@dataclass
class Tally:
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    met_by: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    """What people were told at once, under a fault."""
    flows: int = 0
    suspended: int = 0
    quarantined: int = 0
    slowest_s: float = 0.0
    violations: list[str] = field(default_factory=list)


def campaign(
    folder: Path,
    kind: str,
    faults: int,
    seed: int,
    tally: Tally,
    within_s: float = 3600.0,
    enough: Callable[[Tally], bool] = lambda _tally: False,
) -> None:
    """On one host, until that many faults were met, or until it is ``enough`` after a flow."""
    dice = random.Random(f"{seed} {kind}")
    end = time.monotonic() + within_s
    with hosts.running(kind, folder) as host, contextlib.closing(FaultProxy(host.url, LATE_S)) as proxy:
        settings = settings_for(
            folder / "data",
            proxy.url,
            host.within.smtp_port,
            host_timeout_s=HOST_TIMEOUT_S,
            host_slow_after_s=HOST_TIMEOUT_S / 2,
            patrol_every_s=60,
        )
        with Sidecar(settings, folder / "sidecar.log", clock_speed=CLOCK_SPEED) as sidecar:
            sidecar.start()
            number = 0
            while tally.hosts[kind] < faults and time.monotonic() < end and not enough(tally):
                number += 1
                _Run(cases.made(number, dice, host), sidecar, proxy, tally, dice).go()
                tally.flows += 1


def unmet(tally: Tally) -> list[str]:
    return [kind for kind in KINDS if not tally.faults[kind]]


class _Run:
    def __init__(self, case: Case, sidecar: Sidecar, proxy: FaultProxy, tally: Tally, dice: random.Random) -> None:
        self.case, self.sidecar, self.proxy, self.tally, self.dice = case, sidecar, proxy, tally, dice
        self.met: list[tuple[str, str]] = []

    def go(self) -> None:
        self.case.upload()
        try:
            for act in self.case.acts:
                self._prepare(act)
                self._under_faults(act)
                self._recover(act)
            oracle.check_ended(self.case)
            oracle.documents_are_reachable(self.case, self._download)
            self._count_traces()
        except oracle.Violation as violation:
            self.tally.violations.append(report(self.case, self.sidecar, f"{violation} after {self.met}"))

    def _prepare(self, act: Act) -> None:
        deadline = time.monotonic() + STUCK_AFTER_S
        while True:
            with contextlib.suppress(NotNow):
                self.case.prepare(act, self.sidecar)
                return
            if time.monotonic() > deadline:
                raise oracle.Violation("stuck", self.case, f"{act}: cannot be prepared")
            threading.Event().wait(0.1)

    def _under_faults(self, act: Act) -> None:
        """Some faults one after another, as long as there is something left to do."""
        for _ in range(self.dice.choice((2, 3, 4))):
            rarest = sorted(KINDS, key=lambda kind: (self.tally.faults[kind], self.dice.random()))
            are_all_met = self.tally.faults[rarest[0]] > 0
            kind = self.dice.choice(KINDS) if are_all_met and self.dice.random() < 0.5 else rarest[0]
            before = len(self.proxy.met)
            self.proxy.arm(Fault(kind, self.dice.randint(1, 6 if are_all_met else 2)))
            with contextlib.suppress(NotNow):
                self._take(act, self.case.send(act, self.sidecar))
            self._wait_for_it(before)
            self.proxy.release()
            for kind_met, call in self.proxy.met[before:]:
                self.met.append((kind_met, call))
                self.tally.faults[kind_met] += 1
                self.tally.met_by[call] += 1
                self.tally.hosts[self.case.host.kind] += 1
            oracle.check_originals(self.case)  # the chain may be torn by now, on a host that keeps half of a PUT

    def _take(self, act: Act, reply: Reply) -> None:
        self.tally.answers[f"{reply.status} {reply.code}".strip()] += 1
        if reply.is_done:
            self.case.acknowledge(act, reply)
        elif reply.status >= 500 and reply.status != 503:
            raise oracle.Violation("broken", self.case, f"{act}: {reply.text}")

    def _wait_for_it(self, before: int) -> None:
        """The fault may be met by what is done behind the answer."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline and len(self.proxy.met) == before:
            threading.Event().wait(0.02)

    def _recover(self, act: Act) -> None:
        begun, pause, told = time.monotonic(), threading.Event(), ""
        while True:
            with contextlib.suppress(NotNow):
                reply = self.case.send(act, self.sidecar)
                told = f"{reply.status} {reply.code}"
                if reply.is_done:
                    self.case.acknowledge(act, reply)
                    break
                if reply.status != 503 and reply.code not in NOT_NOW:
                    raise oracle.Violation("stuck", self.case, f"{act}: {reply.text}")
            if time.monotonic() - begun > STUCK_AFTER_S:
                raise oracle.Violation("stuck", self.case, f"{act}: not served, {told}")
            pause.wait(0.1)
        served = time.monotonic()
        while left := self._left():
            if time.monotonic() - served > STUCK_AFTER_S:
                raise oracle.Violation("stuck", self.case, left)
            pause.wait(0.05)
        self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - begun)
        oracle.check(self.case)

    def _left(self) -> str:
        try:
            return oracle.is_at_rest(self.case, may_be_left=self._may_be_left)
        except oracle.Violation as violation:
            return str(violation)  # until it is put right: not for longer than anything else

    def _may_be_left(self, path: str) -> bool:
        """What was put into quarantine stays; so does what could not be deleted (403), as the recap says."""
        name = path.rpartition("/")[2]
        return name.startswith("quarantine-") or (len(name) == 64 and ("403", "DELETE revision") in self.met)

    def _count_traces(self) -> None:
        self.tally.quarantined += sum(1 for _ in self.case.flow_folder.glob("quarantine-*"))
        self.tally.suspended += sum(line["type"] == "flow.suspended" for line in oracle.chain(self.case))

    def _download(self, n: int) -> bytes:
        return self.sidecar.ask("GET", f"/api/v1/flows/{self.case.id}/documents/{n}", oracle.CREATOR).body

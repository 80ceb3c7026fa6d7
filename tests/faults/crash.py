"""kill -9 at every named point, during every act: ``campaign``.

The sidecar is started armed, asked for an act, dies at the point, is started again on the same data, and asked for the
same again; in between an oracle looks. Which point and which time it is reached is drawn by a seed, those that were
met least often first.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from plugin.failpoints import NAMES
from tests.faults import cases, hosts, oracle
from tests.faults.cases import Act, Case, NotNow
from tests.faults.sidecar import Died, Reply, Sidecar, settings_for

STUCK_AFTER_S = 60.0
STORED_WITHIN_S = 10.0
_MAILS = ("mail-claimed", "mail-handed-over", "mails-recorded")
_AFTER = ("lease-taken", "state-put", "state-sent", "vault-updated", "index-updated", "effects-queued", *_MAILS)
_ANY = ("request-received", "lease-taken", "state-read", "state-put", "state-sent", "vault-updated", "index-updated")
_ANY = (*_ANY, "act-appended", "effects-queued")
_SIGN = ("document-read", "hashes-checked", "ink-made", "sealed", "revision-uploaded", "revision-checked", "decided")
_LAST = ("evidence-noted", "evidence-laid")
_END = ("copy-laid", "copies-laid", "tidying", *_LAST)
POINTS = {
    "launch": (
        *("launch-received", "document-read", "launch-noted", "revision-uploaded", "revision-checked"),
        *("prepared-stored", "salts-written", "first-line-stored", "launch-ended", *_AFTER),
    ),
    "view": _ANY,
    "approve": (*_ANY, *_MAILS),
    "last approve": (*_ANY, *_LAST, *_MAILS),
    "refuse": (*_ANY, *_LAST, *_MAILS),
    "cancel": (*_ANY, *_MAILS),
    "sign": (*_ANY, *_SIGN, *_MAILS),
    "last sign": (*_ANY, *_SIGN, *_END, *_MAILS),
}
"""Act -> where it can be cut off. A new act is a line here and one in cases.made."""
_SEVERAL = {"lease-taken", "revision-uploaded", "revision-checked", "copy-laid", "mail-handed-over", "index-updated"}
"""What one act reaches more than once."""


@dataclass
class Tally:
    seed: int
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(point, act)"""
    hosts: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    """Kills after the answer had come."""
    flows: int = 0
    mails_twice: int = 0
    slowest_s: dict[str, float] = field(default_factory=dict)
    """Point -> the longest time from the restart until the same request was served and nothing was owed."""
    violations: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def of_point(self, point: str) -> int:
        return sum(times for (where, _), times in self.kills.items() if where == point)


def campaign(
    folder: Path,
    kind: str,
    kills: int,
    seed: int,
    tally: Tally,
    within_s: float = 3600.0,
    enough: Callable[[Tally], bool] = lambda _tally: False,
) -> None:
    """On one host, until that many kills, or until it is ``enough`` after a flow."""
    dice = random.Random(f"{seed} {kind}")
    end = time.monotonic() + within_s
    with hosts.running(kind, folder) as host:
        settings = settings_for(folder / "data", host.url, host.within.smtp_port)
        with Sidecar(settings, folder / "sidecar.log") as sidecar:
            sidecar.start()
            number = 0
            while tally.hosts[kind] < kills and time.monotonic() < end and not enough(tally):
                number += 1
                case = cases.made(number, dice, host)
                _Run(case, sidecar, tally, dice, kills).go()
                tally.flows += 1


class _Run:
    """One flow from its launch to its end."""

    def __init__(self, case: Case, sidecar: Sidecar, tally: Tally, dice: random.Random, kills: int) -> None:
        self.case, self.sidecar, self.tally, self.dice = case, sidecar, tally, dice
        self.most = kills

    def go(self) -> None:
        self.case.upload()
        try:
            for act in self.case.acts:
                self.case.prepare(act, self.sidecar)
                deaths = self._cut_off(act)
                self._recover(act, deaths)
            self.tally.mails_twice += oracle.check_ended(self.case, self.sidecar.starts)
            oracle.documents_are_reachable(self.case, self._download)
        except oracle.Violation as violation:
            what = f"{violation} after {dict(self.case.kills)}"
            self.tally.violations.append(report(self.case, self.sidecar, what))
            self.sidecar.start()

    def _cut_off(self, act: Act) -> list[str]:
        """Returns: the points at which it died."""
        deaths: list[str] = []
        wanted, tries = self.dice.choice((3, 4, 5, 6)), 0
        while len(deaths) < wanted and tries < wanted + 2 and self.tally.hosts[self.case.host.kind] < self.most:
            tries += 1
            is_in = act in self.case.done or self._is_in_chain(act)
            behind = (*_AFTER, *(point for point in POINTS[act.kind] if point in _END))
            points = behind if is_in else POINTS[act.kind]
            point = min(points, key=lambda p: (self.tally.of_point(p), self.dice.random()))
            if self.dice.random() < 0.5 and not unmet(self.tally):
                point = self.dice.choice(points)
            if point in ("document-read", "hashes-checked"):
                self._forget_files()
            hits = self.dice.choice((1, 1, 2, 3)) if point in _SEVERAL else 1
            if self._dies(act, point, hits):
                deaths.append(point)
                self.case.kills[point] += 1
                self.tally.kills[point, act.kind] += 1
                self.tally.hosts[self.case.host.kind] += 1
                self._check_soon()
        return deaths

    def _check_soon(self) -> None:
        """What a host had got when the process died it may still be storing: rclone writes in place."""
        deadline, pause = time.monotonic() + STORED_WITHIN_S, threading.Event()
        while True:
            oracle.check_originals(self.case)
            try:
                oracle.check(self.case)
            except oracle.Violation:
                if time.monotonic() > deadline:
                    raise
                pause.wait(0.05)
            else:
                return

    def _is_in_chain(self, act: Act) -> bool:
        lines = oracle.chain(self.case)
        return any((line["type"], line["actor"]) == oracle.line_of(act) for line in lines)

    def _dies(self, act: Act, point: str, hits: int) -> bool:
        try:
            self.sidecar.start(f"{point}:{hits}")
            reply = self._asked(act)
        except Died:
            return True
        self.case.acknowledge(act, reply)
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline:
            if self.sidecar.has_died(0.02):
                self.tally.acknowledged += 1
                return True
            if not oracle.is_at_rest(self.case):
                return self.sidecar.has_died(0.0)
        return self.sidecar.has_died(0.0)

    def _recover(self, act: Act, deaths: list[str]) -> None:
        """Whatever happened: the same request again is served, and nothing stays owed."""
        begun = time.monotonic()
        self.sidecar.start()
        self.case.acknowledge(act, self._asked(act))
        pause = threading.Event()
        while left := oracle.is_at_rest(self.case):
            if time.monotonic() - begun > STUCK_AFTER_S:
                self.tally.stuck.append(f"case {self.case.number} ({self.case.id}) {act} after {deaths}: {left}")
                raise oracle.Violation("stuck", self.case, left)
            pause.wait(0.05)
        took = time.monotonic() - begun
        for point in deaths:
            self.tally.slowest_s[point] = max(self.tally.slowest_s.get(point, 0.0), took)
        oracle.check(self.case)

    def _asked(self, act: Act) -> Reply:
        """As a person does: again, where the answer says that it is only not possible now. Raises: Died."""
        deadline, pause = time.monotonic() + STUCK_AFTER_S, threading.Event()
        while True:
            with contextlib.suppress(NotNow):
                reply = self.case.send(act, self.sidecar)
                if reply.is_done:
                    return reply
                assert reply.status == 503, (act, reply)
            if time.monotonic() > deadline:
                raise oracle.Violation("stuck", self.case, f"{act}: not served")
            pause.wait(0.05)

    def _forget_files(self) -> None:
        for path in (self.sidecar.settings.data / "cache").glob("*"):
            path.unlink()

    def _download(self, n: int) -> bytes:
        return self.sidecar.ask("GET", f"/api/v1/flows/{self.case.id}/documents/{n}", oracle.CREATOR).body


def report(case: Case, sidecar: Sidecar, what: str) -> str:
    """A violation, with the last the log said of that flow and what lies there; shown at once."""
    told = [line for line in sidecar.log.read_text().splitlines() if case.id and case.id in line][-12:]
    told += sorted(str(path.relative_to(case.host.root)) for path in case.on_disk.rglob("*"))
    text = "\n    ".join([f"{case.host.kind}: {what}", *told])
    print(text, file=sys.stderr, flush=True)
    return text


def unmet(tally: Tally) -> list[str]:
    return [point for point in NAMES if not tally.of_point(point)]

"""``make test-faults``: kills, host faults and races, some parts side by side, and one table of what came of them.

``--kills N --faults N --pairs N --submits N``: how many; ``--seed N``; ``--at-a-time N``: parts side by side; ``--keep
FOLDER``: where each part's tally is kept: a part whose tally is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plugin.failpoints import NAMES
from tests.faults import at_once, crash, host_faults, hosts
from tests.faults.part import merged
from tests.faults.proxy import KINDS

ROOT = Path(__file__).parents[2]
SHARES = {"embedded": 50, "apache": 20, "wsgidav": 15, "rclone": 15}
"""Of kills and host faults, in per cent."""
CHUNK = 250
"""The most that one part does: parts wait more than they work, so several run side by side."""
MORE = 4
"""Of so many races there is one more on PostgreSQL."""


@dataclass(frozen=True)
class Part:
    what: str
    host: str
    amount: int
    seed: int

    @property
    def file(self) -> str:
        return f"{self.what}-{self.host}-{self.seed}.json"


def plan(kills: int, faults: int, pairs: int, submits: int, seed: int) -> list[Part]:
    there = {kind: share for kind, share in SHARES.items() if hosts.missing(kind) is None}
    parts = []
    for what, amount in (("kills", kills), ("host faults", faults)):
        for kind, share in there.items():
            parts.append(Part(what, kind, -(-amount * share // sum(there.values())), seed))
    parts += [Part("pairs", "embedded", pairs, seed), Part("identical", "embedded", submits, seed)]
    parts += [
        Part(f"{what} on postgresql", "embedded", amount // MORE, seed)
        for what, amount in (("pairs", pairs), ("identical", submits))
    ]
    return [chunk for part in parts for chunk in _chunks(part)]


def _chunks(part: Part) -> list[Part]:
    """Each with a seed of its own."""
    begun = range(0, part.amount, CHUNK)
    return [replace(part, amount=min(CHUNK, part.amount - at), seed=part.seed + 1000 * (at // CHUNK)) for at in begun]


def run(part: Part, folder: Path) -> None:
    kept = folder / part.file
    if kept.exists() and kept.stat().st_size:
        return
    command = [sys.executable, "-m", "tests.faults.part", part.what, part.host, str(part.amount), str(part.seed)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    kept.write_bytes(ended.stdout)


def read(folder: Path, what: str, whole: Any) -> Any:
    """All tallies of one kind that are kept there, as one."""
    for path in sorted(folder.glob(f"{what}-*.json")):
        if path.stat().st_size:
            merged(whole, json.loads(path.read_text()))
    return whole


# ---- the table ------------------------------------------------------------------------------------------------------
def report(folder: Path) -> int:
    """Returns: how many rules were broken."""
    seeds = sorted({int(path.stem.rpartition("-")[2]) for path in folder.glob("*.json")})
    kills = read(folder, "kills", crash.Tally(0))
    faults = read(folder, "host faults", host_faults.Tally(0))
    races = read(folder, "identical*", read(folder, "pairs*", at_once.Tally(0)))
    print(f"seeds: {', '.join(map(str, seeds))}\n")
    _kills(kills)
    _faults(faults)
    _races(races)
    broken = [*kills.violations, *faults.violations, *races.violations]
    for text in broken:
        print(text)
    unmet = [
        *(crash.unmet(kills) if kills.flows else ()),
        *(k for k in KINDS if faults.flows and not faults.faults[k]),
    ]
    if unmet:
        print(f"never met: {', '.join(unmet)}")
    left_out = [f"{kind} (install Debian's {hosts.missing(kind)})" for kind in hosts.KINDS if hosts.missing(kind)]
    if left_out:
        print(f"hosts left out: {', '.join(left_out)}")
    return len(broken) + len(unmet) + len(left_out)


def _kills(tally: crash.Tally) -> None:
    if not tally.flows:
        return
    acts = sorted({act for _, act in tally.kills}, key=list(crash.POINTS).index)
    print(_row("killed at", "runs", *acts, "slowest s"))
    for point in NAMES:
        slowest = tally.slowest_s.get(point)
        counts = [tally.kills[point, act] or "" for act in acts]
        print(_row(point, tally.of_point(point), *counts, "" if slowest is None else f"{slowest:.1f}"))
    print(
        _row(
            "all",
            sum(tally.kills.values()),
            *(sum(n for (_, a), n in tally.kills.items() if a == act) for act in acts),
        )
    )
    print(f"on {_counted(tally.hosts)}; {tally.flows} flows; {tally.acknowledged} kills after the answer")
    print(f"{_verdict(tally.violations)}; mails twice under one Message-ID: {tally.mails_twice}\n")


def _faults(tally: host_faults.Tally) -> None:
    if not tally.flows:
        return
    print(_row("host fault", "met"))
    for kind in KINDS:
        print(_row(kind, tally.faults[kind]))
    print(_row("all", sum(tally.faults.values())))
    print(f"on {_counted(tally.hosts)}; {tally.flows} flows; slowest recovery {tally.slowest_s:.1f} s")
    print(f"met by: {_counted(tally.met_by)}")
    print(f"people were told at once: {_counted(tally.answers)}")
    print(f"{_verdict(tally.violations)}; put aside: {tally.quarantined}; flows suspended: {tally.suspended}\n")


def _races(tally: at_once.Tally) -> None:
    if tally.pairs:
        print(f"{sum(tally.pairs.values())} pairs on two processes: {_counted(tally.pairs)}")
    if tally.identical:
        print(f"{tally.identical} flows on two processes, {tally.submits} identical submits: one event each")
    if tally.databases:
        print(f"on {_counted(tally.databases)}")
    if tally.answers:
        print(f"answers: {_counted(tally.answers)}\n{_verdict(tally.violations)}\n")


def _verdict(violations: Iterable[str]) -> str:
    found = Counter(word for text in violations for word in WORDS if f" {word}: " in f" {text}"[:40])
    return ", ".join(f"{found[word]} {word}" for word in WORDS)


WORDS = ("lost", "duplicated", "stuck", "altered", "unproven", "unreachable", "turns", "mails", "broken")


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {times}" for name, times in counter.most_common())


def _row(first: object, *cells: object) -> str:
    return f"{first!s:20}" + "".join(f"{cell!s:>13}" for cell in cells)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    for name, default in (("kills", 2000), ("faults", 3000), ("pairs", 1000), ("submits", 200), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--at-a-time", type=int, default=3 * (os.cpu_count() or 1))
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        parts = plan(asked.kills, asked.faults, asked.pairs, asked.submits, asked.seed)
        with ThreadPoolExecutor(asked.at_a_time) as pool:
            list(pool.map(lambda part: run(part, folder), parts))
        return 1 if report(folder) else 0


if __name__ == "__main__":
    sys.exit(main())

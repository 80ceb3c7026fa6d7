"""A part of ``make test-faults``, in a process: ``python -m tests.faults.part WHAT HOST AMOUNT SEED [SECONDS]``.

Says its tally as JSON on standard output, violations at once on standard error.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import structlog

from tests.faults import at_once, crash, host_faults


def run(what: str, host: str, amount: int, seed: int, within_s: float = 36_000.0) -> Any:
    """Returns: the tally."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        if what == "kills":
            kills = crash.Tally(seed)
            crash.campaign(Path(folder), host, amount, seed, kills, within_s)
            return kills
        if what == "host faults":
            faults = host_faults.Tally(seed)
            host_faults.campaign(Path(folder), host, amount, seed, faults, within_s)
            return faults
        races = at_once.Tally(seed)
        kind, _, database = what.partition(" on ")
        pairs, identical = (amount, 0) if kind == "pairs" else (0, amount)
        at_once.campaign(Path(folder), host, pairs, identical, seed, races, within_s, database=database or "sqlite")
        return races


def as_json(tally: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return (
            [[list(k) if isinstance(k, tuple) else k, n] for k, n in value.items()]
            if isinstance(value, dict)
            else value
        )

    return {f.name: plain(getattr(tally, f.name)) for f in dataclasses.fields(tally)}


def merged(target: Any, said: dict[str, Any]) -> None:
    """Adds a part's tally to a whole one."""
    for name, value in said.items():
        mine = getattr(target, name)
        if isinstance(mine, Counter):
            mine.update({tuple(k) if isinstance(k, list) else k: n for k, n in value})
        elif isinstance(mine, dict):
            for key, seconds in value:
                mine[key] = max(mine.get(key, 0.0), seconds)
        elif isinstance(mine, list):
            mine.extend(value)
        elif isinstance(mine, float):
            setattr(target, name, max(mine, value))
        elif isinstance(mine, bool):
            setattr(target, name, mine or value)
        elif name != "seed":
            setattr(target, name, mine + value)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that hosts and sidecars are ended, too
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    kind_, host_, amount_, seed_, *within = sys.argv[1:]
    print(json.dumps(as_json(run(kind_, host_, int(amount_), int(seed_), *map(float, within)))))

"""``python -m tests.simulation``: many worlds, one a seed; or one seed again, to the letter."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import time
from collections import Counter
from pathlib import Path

from tests.simulation.callers import OBSERVES, OLD
from tests.simulation.world import Result, World

FLOWS = 100_000
FLOWS_A_WORLD = 25
SQL_EVERY = 40
"""So many worlds have real SQL below them; the others the same tables without."""
LINES = 80


def on_sql(seed: int) -> bool:
    return seed % SQL_EVERY == 0


def _begins() -> None:
    """Garbage is looked for seldom: a world makes a great many objects and is gone within a second."""
    gc.set_threshold(100_000, 20, 20)


def run_one(seed: int) -> Result:
    return World(seed, FLOWS_A_WORLD, on_sql=on_sql(seed)).run()


def replay(seed: int, write_to: Path) -> int:
    """Returns: 0, or 1 where something did not hold."""
    result = World(seed, FLOWS_A_WORLD, on_sql=on_sql(seed), write_to=write_to).run()
    print(f"seed {seed}: {result.events:,} events, hash {result.hash}, written to {write_to}")
    if result.broken is None:
        print("everything held")
        return 0
    print_broken(result)
    return 1


def print_broken(result: Result) -> None:
    print(f"\nseed {result.seed} is broken: {result.broken}")
    print("\n".join(result.tail[-LINES:]))
    print(f"again: make simulate SEED={result.seed}\n")


class Sum:
    def __init__(self) -> None:
        self.worlds = self.flows = self.events = self.checks = self.sql = 0
        self.simulated_s = 0.0
        self.counts: Counter[str] = Counter()
        self.slowest_end: tuple[float, int] = (0.0, 0)
        self.slowest_told: tuple[float, int] = (0.0, 0)
        self.broken: list[int] = []

    def add(self, result: Result) -> None:
        self.worlds += 1
        self.sql += on_sql(result.seed)
        self.flows += result.flows
        self.events += result.events
        self.checks += result.checks
        self.simulated_s += result.simulated_s
        self.counts.update(result.counts)
        self.slowest_end = max(self.slowest_end, (result.slowest_end_s, result.seed))
        self.slowest_told = max(self.slowest_told, (result.slowest_told_s, result.seed))
        if result.broken is not None:
            self.broken.append(result.seed)

    def show(self, first: int, took_s: float) -> None:
        counts = self.counts
        host = {name[6:]: n for name, n in sorted(counts.items()) if name.startswith("host: ")}
        copies = {name[8:]: n for name, n in sorted(counts.items()) if name.startswith("copies: ")}
        vain = [counts[f"in vain: {why}"] for why in (OBSERVES, OLD)]
        rows = {
            "worlds": f"{self.worlds:,} (seeds {first} to {first + self.worlds - 1}), {self.sql:,} of them on SQL",
            "flows": f"{self.flows:,}",
            "acts acknowledged": f"{counts['acts']:,}",
            "  of creators on the way": f"{counts['steered']:,}",
            "  by observers, by old links, in vain": f"{vain[0]:,}, {vain[1]:,}",
            "folders moved, files moved": f"{counts['folders moved']:,}, {counts['files moved']:,}",
            "accounts out": f"{counts['accounts out']:,}",
            "  met a closed door by that": f"{counts['closed doors: creator-out']:,}",
            "events in the traces": f"{self.events:,}",
            "simulated time": f"{self.simulated_s / 86_400:,.1f} days",
            "crashes": f"{counts['crashes']:,}",
            "pauses of a process": f"{counts['pauses']:,}",
            "faults of the host": f"{sum(host.values()):,}",
            **{f"  {name}": f"{n:,}" for name, n in host.items()},
            "faults of the database": f"{counts['storage faults']:,}",
            "keys rotated": f"{counts['keys rotated']:,}",
            "  chains of several keys": f"{counts['chains of several keys']:,}",
            "indexes lost": f"{counts['indexes lost']:,}",
            "clock jumps": f"{counts['clock jumps']:,}",
            "jobs": f"{counts['jobs']:,}",
            "  dropped": f"{counts['jobs dropped']:,}",
            "  doubled": f"{counts['jobs doubled']:,}",
            "  late": f"{counts['jobs late']:,}",
            "signed copies": f"{sum(copies.values()):,}",
            **{f"  {name}": f"{n:,}" for name, n in copies.items()},
            "names taken by others, folders moved": f"{counts['names taken']:,}, {counts['folders moved']:,}",
            "originals changed": f"{counts['originals changed']:,}",
            "double clicks": f"{counts['double clicks']:,}",
            "mails taken": f"{counts['mails']:,}",
            "  refused for now, reply lost": f"{counts['mail errors']:,}, {counts['mail replies lost']:,}",
            "looks of the oracle": f"{self.checks:,}",
            "chains verified": f"{counts['chains verified']:,}",
            "slowest end after calm": f"{self.slowest_end[0]:.0f} s (seed {self.slowest_end[1]})",
            "slowest last mail after calm": f"{self.slowest_told[0]:.0f} s (seed {self.slowest_told[1]})",
            "took": f"{took_s:,.0f} s: {self.flows / took_s:,.0f} flows, {self.events / took_s:,.0f} events a second",
            "broken": f"{len(self.broken)}" + (f": seeds {self.broken[:20]}" if self.broken else ""),
        }
        width = max(map(len, rows))
        print("\n".join(f"{name:<{width}}  {value}" for name, value in rows.items()))


def run(first: int, flows: int, workers: int) -> int:
    """Returns: 0, or 1 where something did not hold."""
    seeds = range(first, first + -(-flows // FLOWS_A_WORLD))
    found, begun = Sum(), time.monotonic()
    told_at = begun
    with multiprocessing.get_context("spawn").Pool(workers, _begins) as pool:
        for result in pool.imap_unordered(run_one, seeds, chunksize=4):
            found.add(result)
            if result.broken is not None:
                print_broken(result)
            if time.monotonic() - told_at > 60.0:
                told_at = time.monotonic()
                print(f"{found.flows:,} of {flows:,} flows, {len(found.broken)} seeds broken", flush=True)
    found.show(first, time.monotonic() - begun)
    return 1 if found.broken else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seed", type=int, help="this one alone, again")
    parser.add_argument("--trace", type=Path, default=Path("build/simulation.trace"))
    parser.add_argument("--first", type=int, default=1, help="the first of many seeds")
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.seed is not None:
        asked.trace.parent.mkdir(parents=True, exist_ok=True)
        return replay(asked.seed, asked.trace)
    return run(asked.first, asked.flows, asked.workers)

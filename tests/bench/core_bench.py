"""What the core costs as a flow grows, and a decision in the largest flow; nothing in this file is a result.

    python -m tests.bench.core_bench [--runs N]

- decide: an approval; owed: with reminders; evolve: one more event. In a flow of ten people, of which reminders and
  other mails make 10, 100, 1,000 and 10,000 events; microseconds, the fastest of the runs. Per event: microseconds
  that owed takes for each further event, from row to row. decide and evolve do not read what happened before.
- a decision in a flow of 200 recipients and 50 documents: load, decide, append (lines encrypted, signed, hashed,
  verified; vault and index committed on the disk), without the host's time, whose files are in memory here.
  Milliseconds are median/minimum; CPU beside it, since a busy machine makes others wait.
- limit: what no implementation can avoid for the same bytes: the new lines as canonical JSON, one Ed25519 signature
  each, SHA-256 of the state file, and one commit of SQLite that holds it.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import rfc8785

from plugin.flow.commands import Command, Launch, RecordMail
from plugin.flow.decide import decide
from plugin.flow.events import AskedStep, MailAccepted
from plugin.flow.evolve import evolve
from plugin.flow.model import Flow, MailKind, Role
from plugin.flow.owed import owed
from tests.bench.timing import once, shown
from tests.flow.builders import NOW, Story, approving, order, signing
from tests.state.world import FaultyFiles, World, place

EVENTS = (10, 100, 1_000, 10_000)
RUNS = 25
RECIPIENTS, DOCUMENTS = 200, 50
MINUTE = timedelta(minutes=1)


# ---- the core alone ----
def grown(events: int) -> Story:
    """Ten people, the first of whom has heard very often of it."""
    story = Story(replace(order([Role.VALIDATOR] * 10), remind_every_days=3))
    for number in range(1, events - len(story.events) + 1):
        kind = (MailKind.INVITATION, MailKind.REMINDER)[number > 1]
        story.do(RecordMail(kind, "r1", number, "<mail@example.org>"))
    return story


@dataclass(frozen=True)
class Core:
    events: int
    decide_us: float
    owed_us: float
    evolve_us: float


def core(events: int, runs: int) -> Core:
    story = grown(events)
    flow, now = story.now, story.time
    command, mail = approving(flow, "r1"), MailAccepted(MailKind.RESUMED, "r1", 1, "<mail@example.org>")

    def fastest(job: Callable[[], object]) -> float:
        return min(once(job) for _ in range(runs)) * 1000

    return Core(
        len(story.events),
        fastest(lambda: decide(flow, command, now)),
        fastest(lambda: owed(flow, now)),
        fastest(lambda: evolve(flow, mail, now)),
    )


# ---- a decision in the largest flow ----
class TimedFiles(FaultyFiles):
    """A host in memory, whose time is counted apart."""

    spent_s = 0.0
    spent_cpu_s = 0.0

    @contextmanager
    def _called(self) -> Iterator[Any]:
        wall, cpu = time.perf_counter(), time.process_time()
        with super()._called():
            yield
        self.spent_s += time.perf_counter() - wall
        self.spent_cpu_s += time.process_time() - cpu


@dataclass
class Decisions:
    """Milliseconds, without the host's."""

    label: str
    log_bytes: int = 0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    limit_cpu: list[float] = field(default_factory=list)

    def line(self) -> str:
        ratio = statistics.median(self.cpu) / statistics.median(self.limit_cpu)
        return (
            f"{self.label}, state file of {self.log_bytes:,} B: {shown(self.wall)}, CPU {shown(self.cpu)}; "
            f"limit {shown(self.limit)}, CPU {shown(self.limit_cpu)} ({ratio:.1f}x)"
        )


def side_by_side() -> Launch:
    launch = order([Role.VALIDATOR] * RECIPIENTS, DOCUMENTS)
    return replace(launch, steps=(AskedStep("all", tuple(r.id for r in launch.recipients)),))


def decisions(label: str, launch: Launch, act: Callable[[Flow, str], Command], runs: int) -> Decisions:
    found = Decisions(label)
    with tempfile.TemporaryDirectory() as folder:
        files = TimedFiles()
        world, flow_id = World(Path(folder), files), launch.flow_id
        files.make_folder("alice", "Contracts")
        world.store.create(place(flow_id, "Contracts"), decide(None, launch, NOW), NOW)
        alone = sqlite3.connect(Path(folder) / "limit.db", isolation_level=None)
        alone.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE one (log BLOB)")
        with closing(alone):
            for number in range(1, runs + 3):
                who, at = launch.recipients[number - 1].id, NOW + number * MINUTE
                loaded = world.store.load(flow_id)
                assert loaded is not None
                command = act(loaded.flow, who)  # as a browser sends it
                before = len(world.state(flow_id, "Contracts"))
                wall, cpu = _timed(files, lambda: _decision(world, flow_id, command, who, at))  # noqa: B023 - called at once
                log = world.state(flow_id, "Contracts")
                limit, limit_cpu = _timed(files, lambda: _limit(world, alone, log, before))  # noqa: B023 - called at once
                if number > 2:  # warm
                    found.wall.append(wall)
                    found.cpu.append(cpu)
                    found.limit.append(limit)
                    found.limit_cpu.append(limit_cpu)
                    found.log_bytes = len(log)
        world.close()
    return found


def _decision(world: World, flow_id: str, command: Command, who: str, at: Any) -> None:
    with world.store.lease(flow_id) as lease:
        loaded = world.store.load(flow_id)
        assert loaded is not None
        world.store.append(loaded, lease, decide(loaded.flow, command, at), f"recipient:{who}", at)


def _limit(world: World, alone: sqlite3.Connection, log: bytes, before: int) -> None:
    for line in log[before:].splitlines():
        world.keys.active.private.sign(rfc8785.dumps({"line": line.decode()}))
    hashlib.sha256(log).hexdigest()
    alone.execute("BEGIN IMMEDIATE")
    alone.execute("DELETE FROM one")
    alone.execute("INSERT INTO one VALUES (?)", (log,))
    alone.execute("COMMIT")


def _timed(files: TimedFiles, job: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds, and those of the CPU, without the host's."""
    files.spent_s = files.spent_cpu_s = 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    return (
        (time.perf_counter() - wall - files.spent_s) * 1000,
        (time.process_time() - cpu - files.spent_cpu_s) * 1000,
    )


def lines(runs: int = RUNS) -> list[str]:
    rows = [core(events, runs) for events in EVENTS]
    out = [f"the core alone, us, the fastest of {runs} runs"]
    for before, row in zip([None, *rows], rows, strict=False):
        grew = (
            f"{(row.owed_us - before.owed_us) / (row.events - before.events):.2f} per further event" if before else ""
        )
        times = f"decide {row.decide_us:.0f}, evolve {row.evolve_us:.0f}, owed {row.owed_us:.0f}"
        out.append(f"{row.events:,} events: {times} {grew}".rstrip())
    out.append(f"a decision among {RECIPIENTS} recipients and {DOCUMENTS} documents, ms, median/min of {runs} runs")
    signers = order([Role.SIGNATORY] * RECIPIENTS, DOCUMENTS)
    out.append(decisions("signing in turn", signers, signing, runs).line())
    out.append(decisions("approving side by side", side_by_side(), approving, runs).line())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=RUNS)
    print("\n".join(lines(parser.parse_args().runs)))


if __name__ == "__main__":
    main()

"""One seed's world: host, replicas, people and faults for a while; then calm, in which everything comes to its end."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from plugin.actions.context import Context
from plugin.runtime import Runtime, running_on
from tests.simulation.absences import Absences
from tests.simulation.bystanders import with_observers
from tests.simulation.chance import Chances, drawn
from tests.simulation.database import Disk
from tests.simulation.files import Weather
from tests.simulation.host import Host
from tests.simulation.keyring import Keyring
from tests.simulation.keys import BEGINNING, steady_secrets
from tests.simulation.memory import Tables
from tests.simulation.movers import Movers
from tests.simulation.operator import rotates
from tests.simulation.oracle import Oracle
from tests.simulation.outside import Post
from tests.simulation.papers import undrawn_records
from tests.simulation.people import People
from tests.simulation.replica import Replica
from tests.simulation.results import Results
from tests.simulation.saving import Neighbours, choose
from tests.simulation.scheduler import Scheduler, side_by_side
from tests.simulation.shortcuts import shortcuts
from tests.simulation.story import Paper, Story, drawn_content, drawn_story
from tests.simulation.trace import Trace

USERS = ("alice", "bob", "carol", "dave")
STORM_S = 400.0
"""Launches come within this time; the faults end when everybody has acted, or after twice as long."""
END_WITHIN_S = 140.0
"""After the last act: work that had failed waits for up to 60 s, then for a sweep; a lease that somebody dead held,
a few calls."""
TOLD_WITHIN_S = 300.0
"""A mail whose claim a dead process held waits for 120 s, one that was refused for up to 60 s more."""

VERIFY_EVERY = 4
"""Of so many flows one is read by the verifier that shares no code with the product."""
CUT_OFF_S = 3_700.0
"""A launch that was cut off on one of several replicas is cleared after an hour."""
LAST_SWEEPS_S = 90.0
"""One that waits for an answer when the time comes gives up after 30 s; the next is due 20 s later."""


@dataclass(frozen=True)
class Result:
    seed: int
    flows: int
    hash: str
    counts: dict[str, int]
    events: int
    checks: int
    slowest_end_s: float
    slowest_told_s: float
    simulated_s: float
    broken: str | None
    tail: tuple[str, ...]


class World:
    def __init__(
        self,
        seed: int,
        flows: int,
        chances: Chances | None = None,
        write_to: Path | None = None,
        *,
        on_sql: bool = True,
    ) -> None:
        self.seed = seed
        self.dice = random.Random(f"world {seed}")
        self.chances = chances if chances is not None else drawn(self.dice)
        self.trace = Trace(write_to)
        self.scheduler = Scheduler(self.dice)
        self.broken: str | None = None
        self.calm_since: float | None = None
        self._jumped_s = 0.0
        self._hash = ""
        self._is_judged = False
        self._late: set[str] = set()
        chances_ = self.chances
        self.host = Host(
            lambda: self.now,
            USERS,
            etags=chances_.etags,
            honours_conditions=chances_.honours_conditions,
            weak_for_a_second=chances_.weak_for_a_second,
            makes_folders=chances_.makes_folders,
        )
        self.weather = Weather()
        one = chances_.one_database
        self.disk: Disk | Tables = Disk(one_database=one) if on_sql else Tables(one)
        self.post = Post()
        self.keyring = Keyring(is_steady=not chances_.clock_jump)
        self.stories = self._stories(flows)
        self.neighbours = Neighbours(self)
        self.oracle = Oracle(
            self.host,
            self.post,
            lambda: self.now,
            self.fails,
            self.trace.count,
            is_tidy=chances_.is_tidy,
            is_steady=not chances_.clock_jump,
            searches=chances_.searches,
            results=Results(self.host, chances_, self.trace.count),
            neighbours=self.neighbours,
            keyring=self.keyring,
            salts=self.disk.salts_of,
            index=self.disk.said_of,
        )
        self.movers = Movers(self)
        self.absences = Absences(self, self.host)
        self.people = People(self)
        self.post.on_mail = self.people.hears
        names = "AB"[: chances_.replicas]
        self.replicas = [
            Replica(self, name, self.disk, self.host, self.weather, self.post, USERS, self.keyring, self._surprised)
            for name in names
        ]

    # ---- what processes and people ask ------------------------------------------------------------------------------
    @property
    def now(self) -> float:
        return self.scheduler.now

    @property
    def wall(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.scheduler.now + self._jumped_s)

    def latency(self) -> float:
        return 0.001 + 0.04 * self.dice.random() ** 2

    def happens(self, chance: float) -> bool:
        return chance > 0.0 and self.calm_since is None and self.dice.random() < chance

    def fault_of(self, possible: frozenset[str]) -> str | None:
        if self.calm_since is not None or not self.chances.host:
            return None
        drawn_ = self.dice.random()
        for fault, chance in self.chances.host.items():
            drawn_ -= chance
            if drawn_ < 0.0:
                if fault not in possible:
                    return None
                self.trace.count(f"host: {fault}")
                return fault
        return None

    def later(self, path: str, job: Callable[[], None]) -> None:
        """What the host does when nobody waits any more."""
        self._late.add(path)
        self.scheduler.spawn("late", job, after=self.dice.uniform(0.1, 60.0))

    def has_moved(self, before: str, after: str) -> None:
        """What arrived late in there moved along."""
        self.host.moves += 1
        self._late |= {after + path[len(before) :] for path in self._late if f"{path}/".startswith(f"{before}/")}

    def ask(self, name: str, job: Callable[[Context], Any], timeout: float) -> Any:
        return self.dice.choice(self.replicas).request(name, job, timeout)

    def fails(self, why: str) -> None:
        if self.broken is None:
            self.broken = why
            self.trace.say(self.now, "ORACLE", why)

    def _surprised(self, surprise: BaseException) -> None:
        frame = surprise.__traceback__
        places = []
        while frame is not None:
            places.append(f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}")
            frame = frame.tb_next
        self.fails(f"nobody expects {surprise!r} at {' > '.join(places[-6:])}")

    # ---- the whole of it --------------------------------------------------------------------------------------------
    def run(self) -> Result:
        runtime = Runtime(
            lambda: self.scheduler.now,
            lambda seconds: self.replicas[0].process.world.scheduler.sleep(seconds),
            lambda jobs: side_by_side(self.scheduler, jobs),
        )
        with (
            tempfile.TemporaryDirectory(prefix="simulation-") as folder,
            steady_secrets(f"secrets {self.seed}"),
            running_on(runtime),
            self._logs(),
            undrawn_records(),
            shortcuts(),
        ):
            self.keyring.folder = Path(folder) / "keys"
            self.scheduler.takes_context()
            self._begins()
            self._storm()
            self._calm()
            if self.broken is None:
                self._judge()
            for replica in self.replicas:
                replica.process.is_dead = True
            self.scheduler.close()
        self.trace.close()
        self.disk.close()
        return self._result()

    def _begins(self) -> None:
        self.disk.make_index()
        for replica in self.replicas:
            replica.start(after=self.dice.random())
        for story in self.stories:
            self.scheduler.spawn(
                f"launches {story.number}", lambda story=story: self.people.launches(story), after=story.launched_at
            )
        loses_index, at = self.dice.random() < self.chances.lost_index, self.dice.uniform(0.0, STORM_S)
        if loses_index and isinstance(self.disk, Disk):
            self.scheduler.spawn("index", self._loses_index, after=at)
        if self.chances.clock_jump:
            self.scheduler.spawn("clock", self._jumps)
        is_late = "late" in self.chances.host
        if not self.chances.moves:
            self.neighbours.begin(STORM_S, puts=self.chances.keeps_names_apart, moves=not is_late)
        for _ in range(self.chances.rotations):
            self.scheduler.spawn("rotates", lambda: rotates(self), after=self.dice.uniform(20.0, STORM_S))
        self.absences.begin(USERS, STORM_S)
        self.movers.begin(dict.fromkeys(story.creator for story in self.stories), STORM_S)

    def _storm(self) -> None:
        last = max(story.launched_at for story in self.stories)
        self.scheduler.run(until=last)
        self.scheduler.run(until=2 * STORM_S, is_done=lambda: self.broken is not None or self.people.busy == 0)

    def _calm(self) -> None:
        self.calm_since = self.now
        self.weather.clear()
        self.absences.end()
        self.trace.say(self.now, "WORLD", "calm")
        end = self.now + TOLD_WITHIN_S + 600.0
        while self.broken is None and self.now < end and not self._all_settled():
            self.scheduler.run(until=self.now + 4.0)
        if self.broken is None and not self._all_settled():
            left = [f"{story.number} {story.flow_id}" for story in self.stories if story.settled_at is None]
            self.fails(f"{len(left)} flows never come to their end: {left[:5]}, {self.people.busy} people are busy")

    def _all_settled(self) -> bool:
        for story in self.stories:
            if story.flow_id is None or self.broken is not None:
                continue
            if story.ended_at is None and self.oracle.has_ended(story):
                story.ended_at = self.now
            if story.ended_at is not None and story.settled_at is None and self.oracle.is_settled(story):
                story.settled_at = self.now
        return self.people.busy == 0 and all(story.settled_at is not None for story in self.stories)

    def _judge(self) -> None:
        self._jumped_s += CUT_OFF_S
        self._is_judged = True
        self.scheduler.run(until=self.now + LAST_SWEEPS_S)
        anchors = self.disk.heads_of_all()
        late = frozenset(self._late)
        for story in self.stories:
            if story.flow_id is None:
                continue  # its deadline had come before it could be launched
            verify = story.number % VERIFY_EVERY == self.seed % VERIFY_EVERY
            if verify:
                self.trace.count("chains verified")
            self.oracle.judge(story, verify=verify, late=late, anchor=anchors.get(str(story.flow_id)))
            self._judge_time(story)
        for user in USERS:
            self.oracle.judge_area(user, self.stories, late)
        self._hash = self.trace.hash
        if isinstance(self.disk, Disk) and self.broken is None:
            self._judge_index(self.disk)

    def _judge_index(self, disk: Disk) -> None:
        """Rebuilt from the files alone, it has the same rows."""
        before = disk.rows()
        disk.lose_index()
        self.scheduler.run(until=self.now + 60.0)
        after = disk.rows()
        for name, rows in before.items():
            if rows != after.get(name):
                extra, gone = (
                    [r for r in after.get(name, []) if r not in rows],
                    [r for r in rows if r not in after[name]],
                )
                self.fails(f"{name} is rebuilt otherwise: {str(gone)[:300]} became {str(extra)[:300]}")

    def _judge_time(self, story: Story) -> None:
        since = self._since(story)
        if (story.ended_at or 0.0) - since > END_WITHIN_S:
            self.fails(f"{story.flow_id} came to its end after {(story.ended_at or 0.0) - since:.0f} s")
        if (story.settled_at or 0.0) - since > TOLD_WITHIN_S:
            self.fails(f"{story.flow_id} was told of after {(story.settled_at or 0.0) - since:.0f} s")

    def _since(self, story: Story) -> float:
        """From when on it had to come to its end."""
        due = (story.deadline - BEGINNING).total_seconds() - self._jumped_s if story.deadline is not None else 0.0
        due += CUT_OFF_S if self._is_judged else 0.0
        return max(self.calm_since or 0.0, story.last_act_at, due)

    # ---- pieces -----------------------------------------------------------------------------------------------------
    def _stories(self, flows: int) -> list[Story]:
        dice = self.dice
        shared: dict[str, list[Paper]] = {user: [] for user in USERS}
        stories = []
        for number in range(flows):
            creator = USERS[number % 2]
            papers: list[Paper] = []
            for place in range(dice.choice((1, 1, 1, 2, 2, 3))):
                known = [paper for paper in shared[creator] if paper not in papers]
                may_meet = self.chances.keeps_names_apart
                if known and may_meet and dice.random() < 0.15:
                    papers.append(dice.choice(known))
                    continue
                folder = f"Folder {dice.randrange(4)}"
                name = f"Contract {number}-{place if dice.random() < 0.7 or not may_meet else 'x'}.pdf"
                if self.host.node(creator, f"{folder}/{name}") is not None:
                    name = f"Contract {number}-{place} again.pdf"
                self.host.make_folder(creator, folder)
                data = drawn_content(dice, number * 10 + place)
                node = self.host.put(creator, f"{folder}/{name}", data)
                homes = [(0.0, node.made_in)]
                papers.append(Paper(node.file_id, folder, name, [data], homes, [name]))
                shared[creator].append(papers[-1])
            at = dice.uniform(0.0, STORM_S)
            story = drawn_story(dice, number, USERS, papers, at, self.chances.mail_refused)
            stories.append(with_observers(dice, story, USERS, self.chances.mail_refused))
            if not self.chances.moves:
                choose(dice, self.host, stories[-1], may_change=self.chances.keeps_names_apart)
        return stories

    def _loses_index(self) -> None:
        assert isinstance(self.disk, Disk)
        self.trace.count("indexes lost")
        self.trace.say(self.now, "WORLD", "the index is lost")
        self.disk.lose_index()

    def _jumps(self) -> None:
        """The wall clock is set: by up to half a minute, there and back."""
        while self.calm_since is None:
            self.scheduler.sleep(self.dice.uniform(10.0, 120.0))
            self._jumped_s += self.dice.uniform(-30.0, 30.0)
            self.trace.count("clock jumps")
            self.trace.say(self.now, "WORLD", f"the clock is {self._jumped_s:.1f} s off")

    @contextmanager
    def _logs(self) -> Iterator[None]:
        """What the product logs in this thread stands in the trace."""
        mine = threading.get_ident()

        def told(_logger: object, _level: str, event: dict[str, Any]) -> Any:
            if threading.get_ident() != mine:
                raise structlog.DropEvent
            what = " ".join(f"{name}={event[name]}" for name in sorted(event) if name != "event")
            self.trace.say(self.now, "log", f"{event['event']} {what}")
            self.trace.count(f"log: {event['event']}")
            raise structlog.DropEvent

        before = structlog.get_config()
        structlog.configure(processors=[told], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**before)

    def _result(self) -> Result:
        ends = [(s.ended_at or 0.0) - self._since(s) for s in self.stories]
        told = [(s.settled_at or 0.0) - self._since(s) for s in self.stories]
        return Result(
            seed=self.seed,
            flows=len(self.stories),
            hash=self._hash or self.trace.hash,
            counts=dict(self.trace.counts),
            events=self.trace.events,
            checks=self.oracle.checks,
            slowest_end_s=max(ends),
            slowest_told_s=max(told),
            simulated_s=self.now,
            broken=self.broken,
            tail=tuple(self.trace.tail),
        )

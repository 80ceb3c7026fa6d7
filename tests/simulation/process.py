"""One process of ours, from its start to its end: what it has in memory goes with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tests.simulation.chance import Chances
from tests.simulation.scheduler import Crash, Scheduler
from tests.simulation.trace import Trace


class Surroundings(Protocol):
    """What of the world a process touches."""

    dice: random.Random
    scheduler: Scheduler
    trace: Trace
    chances: Chances

    @property
    def now(self) -> float: ...
    @property
    def wall(self) -> datetime: ...
    def latency(self) -> float: ...
    def happens(self, chance: float) -> bool: ...
    def fault_of(self, possible: frozenset[str]) -> str | None: ...
    def later(self, path: str, job: Callable[[], None]) -> None: ...


class Process:
    """``on_death``: called once, by whoever it dies of."""

    def __init__(self, world: Surroundings, name: str, on_death: Callable[[], None]) -> None:
        self.world = world
        self.name = name
        self.is_dead = False
        self.died_at: datetime | None = None
        self.stands_until = 0.0
        self.in_transaction = False
        self.stood_still = False
        self.storage_failed_at = -1.0
        self._on_death = on_death

    def clock(self) -> datetime:
        return self.world.wall

    def unix_s(self) -> float:
        return self.world.wall.timestamp()

    def say(self, what: str) -> None:
        self.world.trace.say(self.world.now, self.name, what)

    def check(self) -> None:
        """Raises: Crash, for whoever still unwinds after its end."""
        if self.is_dead:
            raise Crash

    def waits(self, seconds: float) -> None:
        self.check()
        assert not self.in_transaction, "nobody waits within a transaction"
        self.world.scheduler.sleep(seconds)
        self.check()
        if self.stands_until > self.world.now:
            self.world.scheduler.sleep(self.stands_until - self.world.now)
            self.check()

    def at_boundary(self, where: str) -> None:
        """It may die here, or stand still for a while, as a virtual machine does that is moved. Raises: Crash."""
        self.check()
        chances = self.world.chances
        if self.world.happens(chances.crash):
            self.say(f"dies at {where}")
            self.die()
        if self.world.happens(chances.pause):
            seconds = self.world.dice.uniform(1.0, 40.0)
            self.say(f"stands still for {seconds:.1f} s at {where}")
            self.world.trace.count("pauses")
            self.stands_until = self.world.now + seconds
            self.stood_still = True
            self.waits(0.0)

    def may_die(self, where: str) -> None:
        """Within a transaction: nobody else goes on meanwhile. Raises: Crash."""
        self.check()
        if self.world.happens(self.world.chances.crash):
            self.say(f"dies at {where}")
            self.die()

    def die(self) -> None:
        """Raises: Crash."""
        self.end()
        raise Crash

    def end(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            self.died_at = self.clock()
            self.world.trace.count("crashes")
            self.world.scheduler.kill(self)
            self._on_death()

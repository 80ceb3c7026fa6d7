"""Who goes on when: tasks that take turns in simulated time, one at a time, as the dice decide.

A task goes on until it waits. Whoever waits is put into a queue by the time at which he goes on; of several at one
time the dice choose. Nothing here looks at the machine's clock, at threads or at hashes.
"""

from __future__ import annotations

import contextvars
import heapq
import random
from collections.abc import Callable, Sequence
from typing import Any

from greenlet import getcurrent, greenlet

NEVER = float("inf")


class Crash(BaseException):
    """The process is gone: nothing of it goes on. No ``except Exception`` sees it."""


class Stuck(AssertionError):
    """Somebody waits for what cannot come any more."""


class Task:
    """One line of doing. ``process``: with which it dies; None: somebody outside."""

    __slots__ = ("done", "error", "flesh", "is_joined", "is_killed", "joiners", "name", "process", "result", "ticket")

    def __init__(self, name: str, process: object, is_joined: bool) -> None:
        self.name = name
        self.process = process
        self.is_joined = is_joined
        """Somebody looks at how it ended; else what it raises ends the world."""
        self.flesh: greenlet | None = None
        self.ticket = 0
        """Rises with each turn: an entry of the queue with an older one is void."""
        self.is_killed = False
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.joiners: list[Task] = []

    @property
    def crashed(self) -> bool:
        return isinstance(self.error, Crash)


class Scheduler:
    """``now``: seconds since the world began."""

    def __init__(self, dice: random.Random) -> None:
        self.now = 0.0
        self.turns = 0
        self.dice = dice
        self.alive: dict[int, Task] = {}
        self._by_flesh: dict[greenlet, Task] = {}
        self._queue: list[tuple[float, float, int, int, Task]] = []
        self._count = 0
        self._horizon = NEVER
        self._hub = getcurrent()
        self._context = contextvars.copy_context()

    # ---- for tasks --------------------------------------------------------------------------------------------------
    @property
    def current(self) -> Task:
        return self._by_flesh[getcurrent()]

    def sleep(self, seconds: float) -> None:
        """Others go on meanwhile. Raises: Crash, when the process of this task dies."""
        at = self.now + seconds
        if at <= self._horizon and (not self._queue or at < self._queue[0][0]):
            self.now = at
            return
        self._queued(self.current, at)
        self._wait()

    def join(self, task: Task, timeout: float = NEVER) -> bool:
        """Returns: whether it has come to its end."""
        me, end = self.current, self.now + timeout
        while not task.done and self.now < end:
            task.joiners.append(me)
            if end < NEVER:
                self._queued(me, end)
            self._wait()
        return task.done

    def waits_for(self, waiters: list[Task], timeout: float) -> bool:
        """Until somebody wakes the first of ``waiters``. Returns: false when time is up."""
        me, end = self.current, self.now + timeout
        waiters.append(me)
        self._queued(me, end)
        self._wait()
        if me in waiters:
            waiters.remove(me)
            return False
        return True

    def wake(self, task: Task) -> None:
        self._queued(task, self.now)

    def takes_context(self) -> None:
        """What tasks find in their variables is what is there now."""
        self._context = contextvars.copy_context()

    # ---- for whoever runs the world ---------------------------------------------------------------------------------
    def spawn(
        self,
        name: str,
        job: Callable[[], Any],
        process: object = None,
        after: float = 0.0,
        *,
        joined: bool = False,
        context: contextvars.Context | None = None,
    ) -> Task:
        """``context``: of its variables; None: that of whoever made the scheduler."""
        task = Task(name, process, joined)
        task.flesh = greenlet(lambda: self._lived(task, job), parent=self._hub)
        task.flesh.gr_context = context if context is not None else self._context.copy()
        self._by_flesh[task.flesh] = task
        self.alive[id(task)] = task
        self._queued(task, self.now + after)
        return task

    def kill(self, process: object) -> None:
        """Every task of that process raises Crash where it waits, but for the one that asks."""
        for task in [task for task in self.alive.values() if task.process is process]:
            task.is_killed = True
            if task.flesh is not getcurrent():
                self._queued(task, self.now)

    def run(self, until: float = NEVER, is_done: Callable[[], bool] = lambda: False) -> None:
        """Raises: what a task raised at whose end nobody looks, but for Crash."""
        self._horizon = until
        while self._queue and not is_done():
            at, _, _, ticket, task = self._queue[0]
            if at > until:
                self.now = until
                return
            heapq.heappop(self._queue)
            if task.done or ticket != task.ticket:
                continue
            self.now = max(self.now, at)
            self.turns += 1
            task.ticket += 1
            assert task.flesh is not None
            task.flesh.switch()

    def close(self) -> None:
        """Nobody goes on any more."""
        for task in list(self.alive.values()):
            task.is_killed = True
            if task.flesh:  # it has begun
                task.flesh.throw(Crash)

    # ---- inside -----------------------------------------------------------------------------------------------------
    def _queued(self, task: Task, at: float) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self.dice.random(), self._count, task.ticket, task))

    def _wait(self) -> None:
        task = self.current
        if task.is_killed:
            raise Crash
        self._hub.switch()
        if task.is_killed:
            raise Crash

    def _lived(self, task: Task, job: Callable[[], Any]) -> None:
        try:
            task.result = job() if not task.is_killed else _dead()
        except BaseException as error:
            task.error = error
        task.done = True
        del self.alive[id(task)]
        del self._by_flesh[getcurrent()]
        for joiner in task.joiners:
            if not joiner.done:
                self.wake(joiner)
        task.joiners = []
        if task.error is not None and not task.crashed and not task.is_joined:
            raise task.error


class TurnLock:
    """As ``threading.RLock``, for tasks: may be taken again by whoever holds it; the first to wait is the next."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._owner: Task | None = None
        self._depth = 0
        self._waiting: list[Task] = []

    def acquire(self, *, timeout: float) -> bool:
        me = self._scheduler.current
        end = self._scheduler.now + timeout
        while self._owner is not None and self._owner is not me:
            left = end - self._scheduler.now
            if left <= 0 or not self._scheduler.waits_for(self._waiting, left):
                return False
        self._owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            if self._waiting:
                self._scheduler.wake(self._waiting.pop(0))


def side_by_side(scheduler: Scheduler, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """As `plugin.actions.together`: the first one here, each other in a task of the same process."""
    process = scheduler.current.process
    others = [
        scheduler.spawn("together", job, process, joined=True, context=contextvars.copy_context()) for job in jobs[1:]
    ]
    try:
        first = jobs[0]()
    except Exception:
        _joined(scheduler, others)
        raise
    _joined(scheduler, others)
    for other in others:
        if other.error is not None:
            raise other.error
    return [first, *(other.result for other in others)]


def _joined(scheduler: Scheduler, tasks: Sequence[Task]) -> None:
    for task in tasks:
        scheduler.join(task)


def _dead() -> None:
    """Killed before its first turn."""
    raise Crash

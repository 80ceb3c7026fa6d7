"""How long one piece of work may wait for the platform, all its calls together.

A job and a check set a limit of time (``at_most``), a request of a person one of waiting alone (``waits_at_most``):
what it does itself, reading a body or sealing a PDF, is not the platform's fault. Adapters ask what is left before
every call. Without a limit each call waits its own time alone.

What takes as long as a file is large counts against no limit: a copy made by the platform (``unhurried``), a stream
whose pace is watched (``give_back``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from plugin.runtime import runtime


class _Budget:
    """Seconds of waiting. Calls side by side, in threads of one piece of work, wait the same seconds."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._left_s = seconds
        self._waiting = 0
        self._since = 0.0

    def left_s(self) -> float:
        with self._lock:
            return self._left_s - (runtime().monotonic() - self._since if self._waiting else 0.0)

    @contextmanager
    def spending(self) -> Iterator[None]:
        with self._lock:
            if self._waiting == 0:
                self._since = runtime().monotonic()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if self._waiting == 0:
                    self._left_s -= runtime().monotonic() - self._since


class _Limit:
    """A moment, and the limits that it stands within."""

    def __init__(self, end: float, outer: _Limit | None) -> None:
        self.end = end
        self.outer = outer

    def left_s(self) -> float:
        left = self.end - runtime().monotonic()
        return left if self.outer is None else min(left, self.outer.left_s())

    def give_back(self, seconds: float) -> None:
        self.end += seconds
        if self.outer is not None:
            self.outer.give_back(seconds)


_until: ContextVar[_Limit | None] = ContextVar("parapheur_patience", default=None)
_budget: ContextVar[_Budget | None] = ContextVar("parapheur_budget", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done within may take this long. A limit within another one never makes that longer."""
    token = _until.set(_Limit(runtime().monotonic() + seconds, _until.get()))
    try:
        yield
    finally:
        _until.reset(token)


@contextmanager
def waits_at_most(seconds: float) -> Iterator[None]:
    """What is done within may wait this long for the platform, whatever else it takes. Not to be nested."""
    token = _budget.set(_Budget(seconds))
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def waiting() -> Iterator[None]:
    """Around every wait for the platform."""
    budget = _budget.get()
    if budget is None:
        yield
        return
    with budget.spending():
        yield


@contextmanager
def unhurried() -> Iterator[None]:
    """Around one call that takes as long as a file is large: it waits its own time alone."""
    tokens, begun = (_until.set(None), _budget.set(None)), runtime().monotonic()
    try:
        yield
    finally:
        _budget.reset(tokens[1])
        _until.reset(tokens[0])
        give_back(runtime().monotonic() - begun)


def give_back(seconds: float) -> None:
    """So long a stream went on whose pace is watched: whatever comes after it has as much time as before."""
    limit = _until.get()
    if limit is not None:
        limit.give_back(seconds)


def left_s(at_most_s: float) -> float:
    """Seconds that may still be waited, ``at_most_s`` of them; 0 when nothing is left."""
    limit, budget = _until.get(), _budget.get()
    left = at_most_s if limit is None else min(at_most_s, limit.left_s())
    return max(0.0, left if budget is None else min(left, budget.left_s()))

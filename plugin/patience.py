"""How long one piece of work may wait for the platform, all its calls together.

A job and a check set a limit of time (``at_most``), a request of a person one of waiting alone (``waits_at_most``):
what it does itself, reading a body or sealing a PDF, is not the platform's fault. Adapters ask what is left before
every call. Without a limit each call waits its own time alone.
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


_until: ContextVar[float | None] = ContextVar("parapheur_patience", default=None)
_budget: ContextVar[_Budget | None] = ContextVar("parapheur_budget", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done within may take this long. A limit within another one never makes that longer."""
    end, outer = runtime().monotonic() + seconds, _until.get()
    token = _until.set(end if outer is None else min(end, outer))
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


def left_s(at_most_s: float) -> float:
    """Seconds that may still be waited, ``at_most_s`` of them; 0 when nothing is left."""
    end, budget = _until.get(), _budget.get()
    left = at_most_s if end is None else min(at_most_s, end - runtime().monotonic())
    return max(0.0, left if budget is None else min(left, budget.left_s()))

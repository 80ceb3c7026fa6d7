"""How a process waits and does things side by side: with the machine's clock and threads, or as a simulation says.

Only what waits asks for it; values of time that people see come from the clock that actions are handed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Runtime:
    """``side_by_side``: does all jobs and returns their results in order; None: in threads.

    Units: seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], object] = time.sleep
    side_by_side: Callable[[Sequence[Callable[[], Any]]], list[Any]] | None = None


_MACHINE = Runtime()
_current: ContextVar[Runtime] = ContextVar("parapheur_runtime", default=_MACHINE)


def runtime() -> Runtime:
    return _current.get()


@contextmanager
def running_on(other: Runtime) -> Iterator[None]:
    """For what is done within."""
    token = _current.set(other)
    try:
        yield
    finally:
        _current.reset(token)

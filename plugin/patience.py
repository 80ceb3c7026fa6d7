"""How long one piece of work may wait for the platform, all its calls together.

A request of a person, a job and a check each set a limit for what is done within them; adapters ask what is left of
it before every call. Without a limit each call waits its own time alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float | None] = ContextVar("parapheur_patience", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is done within may wait this long together. A limit within another one never makes that longer."""
    end, outer = time.monotonic() + seconds, _until.get()
    token = _until.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _until.reset(token)


def left_s(at_most_s: float) -> float:
    """Seconds that may still be waited, ``at_most_s`` of them; 0 when nothing is left."""
    end = _until.get()
    return at_most_s if end is None else max(0.0, min(at_most_s, end - time.monotonic()))

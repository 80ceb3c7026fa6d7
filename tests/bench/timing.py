"""How long one run takes, and how a column of times is shown."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def timed(job: Callable[[], object]) -> tuple[float, object]:
    """Milliseconds, and what came of it."""
    start = time.perf_counter()
    result = job()
    return (time.perf_counter() - start) * 1000, result


def once(job: Callable[[], object]) -> float:
    """Milliseconds."""
    return timed(job)[0]


def shown(times: list[float]) -> str:
    """Median/minimum."""
    return f"{statistics.median(times):.1f}/{min(times):.1f}"

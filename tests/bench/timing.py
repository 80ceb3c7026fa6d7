"""How long one run takes, and how a column of times is shown."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def once(job: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    job()
    return (time.perf_counter() - start) * 1000


def shown(times: list[float]) -> str:
    """Median/minimum."""
    return f"{statistics.median(times):.1f}/{min(times):.1f}"

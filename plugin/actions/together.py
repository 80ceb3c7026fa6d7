"""Several calls of the host side by side: what they take is the longest of them, not the sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from plugin.runtime import runtime

T = TypeVar("T")

AT_ONCE: Final = 4
"""For each request: the host has others to serve."""


def together(jobs: Sequence[Callable[[], T]], at_once: int = AT_ONCE) -> list[T]:
    """Does all of them, the first in this thread. Returns their results, in order.

    When one fails the others still come to their end; then the first one's exception is raised.
    """
    if len(jobs) < 2:
        return [job() for job in jobs]
    side_by_side = runtime().side_by_side
    if side_by_side is not None:
        return side_by_side(jobs)
    with ThreadPoolExecutor(min(len(jobs), at_once) - 1, thread_name_prefix="together") as pool:
        others = [pool.submit(copy_context().run, job) for job in jobs[1:]]  # which know how long they may wait
        first = jobs[0]()
    return [first, *(other.result() for other in others)]

"""What runs every few seconds, and once at start."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from plugin.actions.context import Context
from plugin.actions.rebuild import Report
from plugin.actions.sweep import CatchUp, Forgotten, Patrol, clear_launches, finish_erasing, sweep
from plugin.flow.errors import ParapheurError, RebuildElsewhere

log = structlog.get_logger()


class Sweeper:
    """It also brings back an index that is gone: until then links answer that the list is being rebuilt. One flow that
    the platform cannot serve holds up no other.
    """

    def __init__(
        self,
        ctx: Callable[[], Context],
        index_is_missing: Callable[[], bool],
        run_rebuild: Callable[[], Report],
        patrol_every: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ctx = ctx
        self._index_is_missing = index_is_missing
        self._run_rebuild = run_rebuild
        self._catch_up = CatchUp(monotonic)
        self._patrol = Patrol(patrol_every, monotonic=monotonic)
        self._forgotten = Forgotten()

    def __call__(self) -> None:
        try:
            clear_launches(self._ctx())  # first: a rebuild would take them in
            if self._index_is_missing():
                self._run_rebuild()
                self._catch_up.is_done = True
            self._catch_up(self._ctx())
            finish_erasing(self._ctx())
            sweep(self._ctx(), self._catch_up.first)
            self._patrol(self._ctx())
            self._forgotten(self._ctx())
        except RebuildElsewhere as error:
            log.info("rebuild.elsewhere", done=error.done, total=error.total)
        except ParapheurError as error:
            log.warning("sweep.later", reason=error.code)

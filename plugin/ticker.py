"""Progress for whoever watches a command: one line that changes on a terminal, else a plain line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from plugin.ports_state import Progress

EVERY_S = 5.0
"""Between plain lines."""


class Ticker:
    """Called with each progress."""

    def __init__(
        self, out: TextIO, *, is_quiet: bool = False, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._is_quiet = is_quiet
        self._monotonic = monotonic
        self._next_at = monotonic()
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        line = f"{progress.done:,} of {progress.total:,} flows{_left(progress.left_s)}"
        if self._is_quiet:
            return
        if self._out.isatty():
            print(f"\r{line:<{self._width}}", end="", file=self._out, flush=True)
            self._width = len(line)
        elif progress.done >= progress.total or self._monotonic() >= self._next_at:
            self._next_at = self._monotonic() + EVERY_S
            print(line, file=self._out, flush=True)

    def say(self, sentence: str) -> None:
        """On a line of its own."""
        if not self._is_quiet:
            self.end()
            print(sentence, file=self._out, flush=True)

    def end(self) -> None:
        """The line that changes is done with."""
        if self._width:
            print(file=self._out, flush=True)
        self._width = 0


def _left(seconds: int | None) -> str:
    if not seconds:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f", about {minutes} min {rest} s left" if minutes else f", about {rest} s left"

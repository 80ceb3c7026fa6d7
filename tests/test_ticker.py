from __future__ import annotations

import io
import itertools

from plugin.ports_state import Progress
from plugin.ticker import Ticker


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_updated_elsewhere_lines_are_few() -> None:
    steps = [Progress(done, 10_000, 100 - done // 100 or None) for done in range(0, 10_001, 100)]
    terminal, pipe, now = Terminal(), io.StringIO(), itertools.count()
    for out in (terminal, pipe):
        ticker = Ticker(out, monotonic=lambda: float(next(now)))
        for step in steps:
            ticker(step)
        ticker.end()
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().split("\r")[33].rstrip() == "3,200 of 10,000 flows, about 1 min 8 s left"
    lines = pipe.getvalue().splitlines()
    assert lines[0].startswith("0 of 10,000 flows")
    assert lines[-1] == "10,000 of 10,000 flows"
    assert len(lines) < len(steps) / 3
    assert "\r" not in pipe.getvalue()


def test_a_quiet_one_says_nothing() -> None:
    out = Terminal()
    ticker = Ticker(out, is_quiet=True)
    ticker(Progress(1, 2, 3))
    ticker.say("x")
    ticker.end()
    assert out.getvalue() == ""

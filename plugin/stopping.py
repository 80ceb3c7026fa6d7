"""Waiting for the signal that ends a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def stop_signal() -> Callable[[], None]:
    """Call it in the main thread: from then on SIGTERM and SIGINT are kept, and the answer waits for the first one.

    A pipe, not a ``threading.Event``: of two signals that follow each other closely (a group is told, and its leader
    passes it on) one handler runs inside the other, and an event's lock would hold both for ever.
    """
    read_end, write_end = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (os.write(write_end, b"."), None)[1])
    return lambda: (os.read(read_end, 1), None)[1]

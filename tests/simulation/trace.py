"""What happened, one line an event; its hash tells whether two runs were the same to the letter."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from pathlib import Path
from typing import TextIO

TAIL = 250


class Trace:
    """``count`` what outcomes there were; ``tail``: the last lines."""

    def __init__(self, write_to: Path | None = None) -> None:
        self.events = 0
        self.counts: Counter[str] = Counter()
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._hash = hashlib.sha256()
        self._file: TextIO | None = write_to.open("w") if write_to is not None else None

    def say(self, now: float, who: str, what: str) -> None:
        line = f"{now:11.4f} {who:<9} {what}"
        self.events += 1
        self._hash.update(line.encode())
        self.tail.append(line)
        if self._file is not None:
            self._file.write(line + "\n")

    def count(self, what: str) -> None:
        self.counts[what] += 1

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

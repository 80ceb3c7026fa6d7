"""A directory that remembers people for a little while: pages ask for the same person again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from plugin.ports import Directory, Person, Suggestion

KEPT_FOR_S = 60.0
KEPT_AT_MOST = 5_000


class KeptPeople:
    """The ``Directory`` port over another one. A person's record is at most a minute old."""

    def __init__(self, directory: Directory, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Person | None]] = {}

    def person(self, uid: str) -> Person | None:
        with self._lock:
            found = self._kept.get(uid)
        if found is not None and self._monotonic() - found[0] < KEPT_FOR_S:
            return found[1]
        person = self._directory.person(uid)
        with self._lock:
            if len(self._kept) >= KEPT_AT_MOST:
                self._kept.clear()
            self._kept[uid] = (self._monotonic(), person)
        return person

    def search(self, as_user: str, text: str) -> Sequence[Suggestion]:
        return self._directory.search(as_user, text)

    def users(self) -> Sequence[str]:
        return self._directory.users()

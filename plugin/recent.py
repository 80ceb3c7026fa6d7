"""What was used lately, kept in memory within a bound: the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict


class Recent:
    """Bytes by a key that says all about them: the same key always means the same bytes."""

    def __init__(self, limit_bytes: int) -> None:
        """One entry may take half of ``limit_bytes`` at most."""
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> bytes | None:
        with self._lock:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
            return data

    def drop(self, key: str) -> None:
        with self._lock:
            self._bytes -= len(self._kept.pop(key, b""))

    def put(self, key: str, data: bytes) -> None:
        if len(data) > self._limit_bytes // 2:
            return
        with self._lock:
            if key not in self._kept:
                self._kept[key] = data
                self._bytes += len(data)
            while self._bytes > self._limit_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest)

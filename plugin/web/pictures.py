"""Pages that were drawn lately, kept in memory: each signatory turns the same ones, and large documents are costly."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

LIMIT_BYTES: Final = 64_000_000


class Pictures:
    """By the tag of what they show (revision, page, width, format); the least recently used go first."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, tag: str, draw: Callable[[], bytes]) -> bytes:
        """``draw`` is called where it is not kept; what it raises passes through."""
        with self._lock:
            kept = self._kept.get(tag)
            if kept is not None:
                self._kept.move_to_end(tag)
                return kept
        picture = draw()
        with self._lock:
            if tag not in self._kept and len(picture) <= self._limit_bytes:
                self._kept[tag] = picture
                self._bytes += len(picture)
            while self._bytes > self._limit_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest)
        return picture

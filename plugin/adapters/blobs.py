"""A bounded local cache of revisions, one file each, named by its SHA-256. Anything may be missing at any time.

The last few stay in memory as well: whoever signs has just read the pages, and the signed copy is the last revision.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from pathlib import Path

import structlog

from plugin.recent import Recent

_log = structlog.get_logger()
_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)


def drop_from(folder: Path, sha256: str) -> None:
    """For whoever is not the one that keeps this cache: in another process it is not given out any more either."""
    if _NAME.fullmatch(sha256):
        (folder / sha256).unlink(missing_ok=True)


class FolderBlobs:
    """The port ``Blobs`` in a folder; the least recently used go once all together exceed ``limit_bytes``, and from
    memory once they exceed ``memory_bytes``."""

    def __init__(self, folder: Path, limit_bytes: int = 1_000_000_000, memory_bytes: int = 64_000_000) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._recent = Recent(memory_bytes)
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in folder.glob(".*"):
            left_over.unlink(missing_ok=True)
        self._total_bytes = sum(size for _, size, _ in self._entries())

    def get(self, sha256: str) -> bytes | None:
        if not _NAME.fullmatch(sha256):
            return None
        path = self._folder / sha256
        try:
            os.utime(path)
            data = self._recent.get(sha256)
            if data is not None:
                return data
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            path.unlink(missing_ok=True)
            return None
        self._recent.put(sha256, data)
        return data

    def put(self, data: bytes, sha256: str | None = None) -> str:
        if sha256 is None:
            sha256 = hashlib.sha256(data).hexdigest()
        path = self._folder / sha256
        if self.get(sha256) is not None:
            return sha256
        try:
            self._write(path, data)
        except OSError as error:  # a full disk: it works without, only slower
            _log.warning("cache.not_written", errno=error.errno)
            return sha256
        with self._lock:
            self._total_bytes += len(data)
            if self._total_bytes > self._limit_bytes:
                self._shrink()
        self._recent.put(sha256, data)
        return sha256

    def drop(self, sha256: str) -> None:
        drop_from(self._folder, sha256)
        self._recent.drop(sha256)

    def _write(self, path: Path, data: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=".", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _shrink(self) -> None:
        entries = sorted(self._entries())
        self._total_bytes = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if self._total_bytes <= self._limit_bytes * 9 // 10:
                return
            path.unlink(missing_ok=True)
            self._total_bytes -= size

    def _entries(self) -> list[tuple[int, int, Path]]:
        """(last used in ns, bytes, path)"""
        found = []
        for path in self._folder.iterdir():
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            if _NAME.fullmatch(path.name):
                found.append((stat.st_mtime_ns, stat.st_size, path))
        return found

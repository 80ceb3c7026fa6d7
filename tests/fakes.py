"""In-memory stand-ins for ports, kept honest by the contract suites that also run on the real thing."""

from __future__ import annotations

import hashlib
import itertools
import mimetypes
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from plugin.flow.errors import HostUnavailable
from plugin.ports_files import (
    FileInfo,
    PreconditionFailed,
    Streamed,
    Written,
)


class MemoryFiles:
    """``plugin.ports_files.Files`` in memory. ``failing``: raised by every call while set. Counts ``calls``."""

    def __init__(self, users: Iterable[str] = ("alice", "bob", "carol"), *, offers_search: bool = True) -> None:
        self.offers_search = offers_search
        self.offers_copy = True
        self.failing: Exception | None = None
        self.calls = 0
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._nodes: dict[str, dict[str, tuple[str, bytes | None]]] = {
            user: {"": (str(next(self._ids)), None)} for user in users
        }

    # -- the port -----------------------------------------------------------------------------------------------------
    def stat(self, user: str, path: str) -> FileInfo | None:
        with self._called():
            return self._info(user, _clean(path))

    def by_id(self, user: str, file_id: str) -> FileInfo | None:
        with self._called():
            found = (path for path, (known, _) in self._area(user).items() if known == file_id)
            path = next(found, None)
            return None if path is None else self._info(user, path)

    def by_ids(self, user: str, file_ids: Iterable[str]) -> dict[str, FileInfo] | None:
        with self._called():
            if not self.offers_search:
                return None
            found = ((file_id, self.by_id(user, file_id)) for file_id in file_ids)
            return {file_id: info for file_id, info in found if info is not None}

    def list(self, user: str, path: str) -> Sequence[FileInfo]:
        with self._called():
            clean = _clean(path)
            if clean is None:
                return []
            below = [key for key in sorted(self._area(user)) if key and _parent(key) == clean]
            return [info for key in below if (info := self._info(user, key)) is not None]

    def find_by_name(self, user: str, name: str) -> Sequence[FileInfo] | None:
        with self._called():
            if not self.offers_search:
                return None
            infos = (self._info(user, key) for key in sorted(self._area(user)))
            return [info for info in infos if info is not None and info.name == name and not info.is_folder]

    def read(self, user: str, path: str) -> bytes | None:
        found = self.read_with_etag(user, path)
        return None if found is None else found[0]

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        with self._called():
            _, data = self._area(user).get(_clean(path) or "", ("", None))
            return None if data is None else (data, _etag(data))

    def read_start(self, user: str, path: str, length: int) -> bytes | None:
        data = self.read(user, path)
        return None if data is None else data[:length]

    def write(
        self,
        user: str,
        path: str,
        data: bytes,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        make_folders: bool = False,
    ) -> Written:
        with self._called():
            area, clean = self._area(user), _clean(path)
            if not clean or _parent(clean) not in area or area[_parent(clean)][1] is not None:
                raise HostUnavailable
            file_id, before = area.get(clean, ("", None))
            if (only_new and file_id) or (if_match is not None and (before is None or _etag(before) != if_match)):
                raise PreconditionFailed
            if file_id and before is None:
                raise HostUnavailable
            area[clean] = (file_id or str(next(self._ids)), bytes(data))
            return Written(_etag(data), area[clean][0], hashlib.sha256(data).hexdigest())

    @contextmanager
    def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
        found = self.read_with_etag(user, path)
        yield None if found is None else Streamed(found[1], len(found[0]), iter([found[0]] if found[0] else []))

    def write_stream(self, user: str, path: str, pieces: Iterable[bytes], size_bytes: int) -> Written:
        data = b"".join(pieces)
        if len(data) != size_bytes:
            raise HostUnavailable
        return self.write(user, path, data, only_new=True)

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        with self._called():
            if not self.offers_copy:
                return False
            self._way_is_free(user, source, target)
            for key, (_, data) in [*self._area(user).items()]:
                if key == source or key.startswith(source + "/"):
                    self._area(user)[target + key[len(source) :]] = (str(next(self._ids)), data)
            return True

    def move(self, user: str, source: str, target: str) -> None:
        with self._called():
            self._way_is_free(user, source, target)
            area = self._area(user)
            for key in [key for key in area if key == source or key.startswith(source + "/")]:
                area[target + key[len(source) :]] = area.pop(key)

    def make_folder(self, user: str, path: str) -> None:
        with self._called():
            area, clean = self._area(user), _clean(path)
            if clean is None:
                raise HostUnavailable
            for depth in range(1, len(clean.split("/")) + 1):
                level = "/".join(clean.split("/")[:depth])
                if area.setdefault(level, (str(next(self._ids)), None))[1] is not None:
                    raise HostUnavailable

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        with self._called():
            clean = _clean(path)
            there = self._info(user, clean)
            if there is not None and if_match is not None and there.etag != if_match:
                raise PreconditionFailed
            for key in [key for key in self._area(user) if clean and (key == clean or key.startswith(clean + "/"))]:
                del self._area(user)[key]

    # -- inside -------------------------------------------------------------------------------------------------------
    def _called(self) -> threading.RLock:
        with self._lock:
            self.calls += 1
            if self.failing is not None:
                raise self.failing
        return self._lock

    def _way_is_free(self, user: str, source: str, target: str) -> None:
        area = self._area(user)
        if _clean(source) not in area or area.get(_parent(_clean(target) or ""), ("", b""))[1] is not None:
            raise HostUnavailable("no-such-file")
        if _clean(target) in area:
            raise PreconditionFailed

    def _area(self, user: str) -> dict[str, tuple[str, bytes | None]]:
        return self._nodes.get(user, {})

    def _info(self, user: str, path: str | None) -> FileInfo | None:
        found = None if path is None else self._area(user).get(path)
        if path is None or found is None:
            return None
        file_id, data = found
        name = path.rsplit("/", 1)[-1]
        is_folder = data is None
        return FileInfo(
            file_id=file_id,
            path=path,
            name=name,
            size_bytes=0 if data is None else len(data),
            etag=f"folder-{file_id}" if data is None else _etag(data),
            mime="" if is_folder else mimetypes.guess_type(name)[0] or "application/octet-stream",
            is_folder=is_folder,
            modified_at=self.now,
            can_write=True,
        )


def _clean(path: str) -> str | None:
    parts = [part for part in path.split("/") if part]
    return None if any(part in (".", "..") or "\x00" in part for part in parts) else "/".join(parts)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

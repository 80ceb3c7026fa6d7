"""The port ``Files`` of one replica: the host's answers on their way, late, lost, wrong or half."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from plugin.flow.errors import AccountOut, HostBusy, HostFull, HostSlow, HostUnavailable
from plugin.patience import left_s
from plugin.ports_files import (
    FileInfo,
    PreconditionFailed,
    Streamed,
    Written,
)
from tests.simulation.host import Host, Node, info_of
from tests.simulation.process import Process

T = TypeVar("T")
READ_TIMEOUT_S = 30.0
STALE_FOR_S = 2.0
READS = frozenset({"error", "gone-for-a-moment", "slow"})
WRITES = frozenset(
    {
        "error",
        "lost-reply",
        "half-written",
        "half-stored",
        "not-written",
        "false-412",
        "condition-ignored",
        "locked",
        "full",
        "slow",
        "late",
    }
)


class Weather:
    """What the whole host suffers from for a while: locks of paths, a full quota."""

    def __init__(self) -> None:
        self.locked_until: dict[str, float] = {}
        self.full_until = 0.0

    def clear(self) -> None:
        self.locked_until.clear()
        self.full_until = 0.0


class SimFiles:
    def __init__(self, host: Host, weather: Weather, process: Process) -> None:
        self._host = host
        self._weather = weather
        self._process = process
        self._world = process.world

    # ---- reading ----------------------------------------------------------------------------------------------------
    def stat(self, user: str, path: str) -> FileInfo | None:
        return self._read("STAT", user, path, lambda: _told(self._host.node(user, path)))

    def by_id(self, user: str, file_id: str) -> FileInfo | None:
        return self._read("FIND", user, file_id, lambda: _told(self._host.by_id(user, file_id)))

    def by_ids(self, user: str, file_ids: Collection[str]) -> Mapping[str, FileInfo] | None:
        if not self._world.chances.searches:
            return None

        def found() -> dict[str, FileInfo]:
            nodes = ((file_id, self._host.by_id(user, file_id)) for file_id in sorted(file_ids))
            return {file_id: info_of(node) for file_id, node in nodes if node is not None}

        return self._read("SEARCH", user, "by ids", found) or {}

    def list(self, user: str, path: str) -> Sequence[FileInfo]:
        def children() -> list[FileInfo]:
            folder = self._host.node(user, path)
            there = folder.children if folder is not None else {}
            return [info_of(there[name]) for name in sorted(there)]

        return self._read("LIST", user, path, children) or []

    def find_by_name(self, user: str, name: str) -> Sequence[FileInfo] | None:
        if not self._world.chances.searches:
            return None
        return self._read("SEARCH", user, name, lambda: [info_of(node) for node in self._host.named(user, name)]) or []

    def read(self, user: str, path: str) -> bytes | None:
        found = self.read_with_etag(user, path)
        return found[0] if found is not None else None

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        fault = self._begun("GET", user, path, READS | {"stale-read"})
        if fault == "error":
            raise HostUnavailable
        node = self._host.node(user, path)
        if node is None or node.data is None or fault == "gone-for-a-moment":
            self._ended()
            return None
        found = (node.data, node.etag)
        if fault == "stale-read" and node.before is not None and self._world.now - node.written_at < STALE_FOR_S:
            found = node.before
        self._ended()
        return found

    def read_start(self, user: str, path: str, length: int) -> bytes | None:
        data = self.read(user, path)
        return data[:length] if data is not None else None

    # ---- writing ----------------------------------------------------------------------------------------------------
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
        conditions = (if_match, only_new, make_folders)
        fault = self._begun("PUT", user, path, WRITES)
        match fault:
            case "error":
                raise HostUnavailable
            case "false-412" if if_match is not None or only_new:
                raise PreconditionFailed
            case "late" if if_match is not None or only_new:
                self._world.later(path, lambda: self._late(user, path, data, *conditions))
                raise HostSlow
            case "half-written":
                self._host.put(user, path, self._half(data), *conditions, is_damaged=True)
                raise HostUnavailable
            case "half-stored":
                node = self._host.put(user, path, self._half(data), *conditions, is_damaged=True)
            case "not-written" if not make_folders:
                there = self._host.node(user, path)
                self._ended()
                return Written(there.etag if there else "nothing", there.file_id if there else None, None)
            case _:
                node = self._host.put(user, path, data, *conditions, is_forced=fault == "condition-ignored")
        answer = self._answer(node)
        self._ended()
        if fault == "lost-reply":
            raise HostUnavailable
        return answer

    def make_folder(self, user: str, path: str) -> None:
        self._changed("MKCOL", user, path, lambda: self._host.make_folder(user, path))

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        self._changed("DELETE", user, path, lambda: self._host.delete(user, path, if_match))

    def write_stream(self, user: str, path: str, pieces: Iterable[bytes], size_bytes: int) -> Written:
        data = b"".join(pieces)
        if len(data) != size_bytes:
            raise HostUnavailable
        return self.write(user, path, data, only_new=True)

    @contextmanager
    def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
        found = self.read_with_etag(user, path)
        yield None if found is None else Streamed(found[1], len(found[0]), iter([found[0]] if found[0] else []))

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        if not self._world.chances.copies:
            return False
        self._changed("COPY", user, target, lambda: self._host.copy(user, source, target))
        return True

    def move(self, user: str, source: str, target: str) -> None:
        self._changed("MOVE", user, target, lambda: self._host.move(user, source, target))

    # ---- inside -----------------------------------------------------------------------------------------------------
    def _read(self, what: str, user: str, path: str, job: Callable[[], T]) -> T | None:
        fault = self._begun(what, user, path, READS)
        if fault == "error":
            raise HostUnavailable
        if fault == "gone-for-a-moment":
            return None
        found = job()
        self._ended()
        return found

    def _changed(self, what: str, user: str, path: str, job: Callable[[], None]) -> None:
        fault = self._begun(what, user, path, frozenset({"error", "lost-reply", "locked", "full", "slow"}))
        if fault == "error":
            raise HostUnavailable
        job()
        self._ended()
        if fault == "lost-reply":
            raise HostUnavailable

    def _begun(self, what: str, user: str, path: str, possible: frozenset[str]) -> str | None:
        """The request is on its way. Returns: what goes wrong with it.

        Raises: AccountOut, HostSlow, HostBusy, HostFull, Crash."""
        world, process = self._world, self._process
        if left_s(READ_TIMEOUT_S) <= 0:
            raise HostSlow
        process.waits(world.latency())
        process.at_boundary(f"{what} {path}")
        if user in self._host.out:
            self._say(what, path, f"{user} is out")
            raise AccountOut
        fault = world.fault_of(possible)
        self._say(what, path, fault or "")
        if fault == "slow":
            wanted = world.dice.uniform(2.0, 60.0)
            left = left_s(READ_TIMEOUT_S)
            process.waits(min(wanted, left))
            if wanted > left:
                raise HostSlow
        if what in ("PUT", "MKCOL", "DELETE", "COPY", "MOVE"):
            self._check_weather(path, fault, what)
        return fault

    def _check_weather(self, path: str, fault: str | None, what: str) -> None:
        weather, world = self._weather, self._world
        if fault == "locked":
            weather.locked_until[path] = world.now + world.dice.uniform(0.05, 90.0)
        if fault == "full":
            weather.full_until = world.now + world.dice.uniform(0.05, 90.0)
        if weather.locked_until.get(path, 0.0) > world.now:
            raise HostBusy
        if weather.full_until > world.now and what != "DELETE":
            raise HostFull

    def _ended(self) -> None:
        """The answer is on its way."""
        self._process.waits(self._world.latency())
        self._process.at_boundary("answer")

    def _late(
        self, user: str, path: str, data: bytes, if_match: str | None, only_new: bool, make_folders: bool
    ) -> None:
        self._say("PUT", path, "arrives")
        try:
            self._host.put(user, path, data, if_match, only_new)
        except (PreconditionFailed, HostUnavailable):
            self._say("PUT", path, "too late")

    def _half(self, data: bytes) -> bytes:
        return data[: self._world.dice.randrange(max(1, len(data)))]

    def _answer(self, node: Node) -> Written:
        sha256 = None
        if self._world.chances.tells_hashes:
            sha256 = hashlib.sha256(node.data or b"").hexdigest()
        return Written(node.etag, node.file_id, sha256)

    def _say(self, what: str, path: str, outcome: str) -> None:
        self._process.say(f"{what} {path[-60:]} {outcome}")


def _told(node: Node | None) -> FileInfo | None:
    return info_of(node) if node is not None else None

"""A host whose files survive a kill: a folder, written atomically. Run as a program it appends until it is killed."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import cast

from plugin.flow.errors import HostUnavailable
from plugin.flow.events import MailAccepted
from plugin.flow.model import MailKind
from plugin.ports_files import FileInfo, PreconditionFailed, Written
from plugin.ports_state import ChainMoved
from tests.state.world import FLOW_ID, NOW, FaultyFiles, World


class DiskFiles:
    """What the store asks of ``Files``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def by_id(self, _user: str, _file_id: str) -> FileInfo | None:
        return None

    def find_by_name(self, user: str, name: str) -> list[FileInfo] | None:
        found = sorted((self._root / user).rglob(name))
        return [self._info(path, str(path.relative_to(self._root / user))) for path in found]

    def stat(self, user: str, path: str) -> FileInfo | None:
        target = self._root / user / path
        return self._info(target, path) if target.exists() else None

    def read(self, user: str, path: str) -> bytes | None:
        try:
            return (self._root / user / path).read_bytes()
        except FileNotFoundError:
            return None

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        data = self.read(user, path)
        return None if data is None else (data, hashlib.sha256(data).hexdigest())

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
        target = self._root / user / path
        before = self.read_with_etag(user, path)
        if (only_new and before) or (if_match is not None and (before is None or before[1] != if_match)):
            raise PreconditionFailed
        if not target.parent.is_dir():
            raise HostUnavailable
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_bytes(data)
        temporary.replace(target)
        sha256 = hashlib.sha256(data).hexdigest()
        return Written(sha256, None, sha256)

    def make_folder(self, user: str, path: str) -> None:
        (self._root / user / path).mkdir(parents=True, exist_ok=True)

    def plant(self, path: str, data: bytes, user: str = "alice") -> None:
        """Somebody writes past the product."""
        self.write(user, path, data)

    def _info(self, there: Path, path: str) -> FileInfo:
        status = there.stat()
        return FileInfo(
            file_id=str(status.st_ino),
            path=path,
            name=there.name,
            size_bytes=status.st_size,
            etag="" if there.is_dir() else hashlib.sha256(there.read_bytes()).hexdigest(),
            mime="application/octet-stream",
            is_folder=there.is_dir(),
            modified_at=NOW,
            can_write=True,
        )


def opened(folder: Path) -> World:
    return World(folder / "data", cast("FaultyFiles", DiskFiles(folder / "host")))


def append_for_ever(world: World) -> None:
    """Prints each event's number once it was acknowledged."""
    while True:
        with world.store.lease(FLOW_ID) as lease:
            loaded = world.store.load(FLOW_ID)
            assert loaded is not None
            number = len(loaded.flow.mails)
            event = MailAccepted(MailKind.COMPLETED, f"p{number}", 0, "<m@x>")
            try:
                world.store.append(loaded, lease, [event], "system", NOW)
            except ChainMoved:
                continue
        print(number, flush=True)


if __name__ == "__main__":
    append_for_ever(opened(Path(sys.argv[1])))

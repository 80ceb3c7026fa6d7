"""The users' files on disk, with ids and ETags that keep: what the WebDAV surface and the file manager page stand on.

A file's ETag is the SHA-256 of its content; a folder's changes whenever something below it does. An id is given once
and stays with the node through a move and a restart. Whoever changes an area holds its one lock, which covers the
condition, the rename and the row; bytes travel into a temporary file before the lock is taken. After a crash between
rename and row the disk is right: the next look finds another inode and writes the row anew.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from plugin.demo.database import Database
from plugin.demo.disk import as_stored, copy_content, hash_of, remove, sync_folder
from plugin.demo.people import PEOPLE
from plugin.demo.versions import Versions

Parts = tuple[str, ...]
"""A decoded path below a user's root; () is the root itself."""


class AreaError(Exception):
    """What an area refuses, with the HTTP status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Node:
    file_id: int
    owner: str
    parts: Parts
    is_folder: bool
    etag: str
    size_bytes: int
    mtime_ns: int
    can_write: bool

    @property
    def name(self) -> str:
        return self.parts[-1] if self.parts else self.owner

    @property
    def path(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True)
class Condition:
    """If-Match and If-None-Match as sent; bare ETags, or ("*",)."""

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    def holds(self, node: Node | None) -> bool:
        if self.match is not None and (node is None or not ("*" in self.match or node.etag in self.match)):
            return False
        return not (self.none_match is not None and node and ("*" in self.none_match or node.etag in self.none_match))


NO_CONDITION = Condition()


def checked(parts: Parts) -> Parts:
    """The path in NFC, or AreaError(400) when a name could mean something else than itself."""
    clean = tuple(unicodedata.normalize("NFC", part) for part in parts)
    for part in clean:
        if part in ("", ".", "..") or "/" in part or "\\" in part or len(part.encode("utf-8", "replace")) > 250:
            raise AreaError(400)
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in part):
            raise AreaError(400)
    return clean


class Area:
    """Every user's files. Unknown users and foreign paths are AreaError(404)."""

    def __init__(self, root: Path, database: Database) -> None:
        self._files = root / "files"
        self._incoming = root / "incoming"
        self.versions = Versions(root / "versions")
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._files, self._incoming, *(self._files / uid for uid in PEOPLE)):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = database
        self._locks = {uid: threading.RLock() for uid in PEOPLE}
        self.held: set[tuple[str, str]] = set()
        """(owner, path) of what is open in somebody's editor: it can be read, and is not changed by anybody else."""
        self.folds_case = False
        """Whether names that differ only in case are the same, as on many disks and shares."""
        self.room_bytes: dict[str, int] = {}
        """What each owner's quota leaves; whoever is not in it has room without end."""

    # -- looking ------------------------------------------------------------------------------------------------------
    def node(self, owner: str, parts: Parts) -> Node | None:
        path = self._on_disk(owner, parts)
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        row = self._row(owner, parts, status)
        if row is not None:
            return row
        with self._locks[owner]:
            return self._refresh(owner, self._named(owner, parts))

    def children(self, owner: str, parts: Parts) -> list[Node]:
        try:
            names = sorted(path.name for path in self._on_disk(owner, parts).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        found: list[Node] = []
        for name in names:
            with suppress(AreaError):  # a name from outside that could not be asked for either
                node = self.node(owner, (*self._named(owner, parts), name))
                found += [node] if node is not None else []
        return found

    def empty(self, owner: str) -> None:
        """Everything goes, and the home gets another id: as for somebody who is made anew under the same login."""
        for child in self.children(owner, ()):
            self.delete(owner, child.parts)
        with self._locks[owner]:
            self._forget(owner, ())

    def walk(self, owner: str, parts: Parts = ()) -> Iterator[Node]:
        """Every node below, folders before what they hold."""
        for child in self.children(owner, parts):
            yield child
            if child.is_folder:
                yield from self.walk(owner, child.parts)

    def by_id(self, owner: str, file_id: int) -> Node | None:
        row = self._database.row("SELECT path FROM nodes WHERE owner = ? AND file_id = ?", owner, file_id)
        if row is None:
            return None
        node = self.node(owner, tuple(part for part in str(row["path"]).split("/") if part))
        return node if node is not None and node.file_id == file_id else None

    def open(self, owner: str, parts: Parts) -> tuple[Node, BinaryIO] | None:
        """The node and its content, opened together: what is read has that ETag. The caller closes the file."""
        with self._locks.get(owner, threading.RLock()):
            node = self.node(owner, parts)
            if node is None or node.is_folder:
                return None
            return node, self._on_disk(owner, parts).open("rb")

    # -- changing -----------------------------------------------------------------------------------------------------
    def incoming(self) -> Path:
        """A fresh path on the same file system, for bytes that are still on their way."""
        return self._incoming / secrets.token_hex(16)

    @contextmanager
    def changing(self, owner: str) -> Iterator[None]:
        """Hold the area's lock: nobody else changes anything in it meanwhile."""
        self._root(owner)
        with self._locks[owner]:
            yield

    def put(self, owner: str, parts: Parts, spooled: Path, condition: Condition = NO_CONDITION) -> tuple[Node, bool]:
        """Make the spooled bytes the file's content; says whether the file is new. ``spooled`` is gone afterwards."""
        parts = self._named(owner, parts)
        path = self._on_disk(owner, parts)
        with self._locks[owner]:
            before = self.node(owner, parts)
            if not condition.holds(before):
                raise AreaError(412)
            self._parent_takes_writes(owner, parts, before)
            if before is not None and (before.is_folder or not before.can_write):
                raise AreaError(409 if before.is_folder else 403)
            self._free(owner, parts)
            self._take_room(owner, spooled.stat().st_size - (before.size_bytes if before is not None else 0))
            spooled.chmod(0o600)
            if before is not None and not any(part.startswith(".") for part in parts):
                self.versions.keep(owner, before.file_id, path)
            spooled.replace(path)
            sync_folder(path.parent)
            node = self._refresh(owner, parts)
            self._touch_above(owner, parts)
        if node is None:
            raise AreaError(500)
        return node, before is None

    def make_folder(self, owner: str, parts: Parts) -> Node:
        parts = self._named(owner, parts)
        with self._locks[owner]:
            if self.node(owner, parts) is not None:
                raise AreaError(405)
            self._parent_takes_writes(owner, parts, None)
            self._on_disk(owner, parts).mkdir(mode=0o700)
            node = self._refresh(owner, parts)
            self._touch_above(owner, parts)
        if node is None:
            raise AreaError(500)
        return node

    def delete(self, owner: str, parts: Parts, condition: Condition = NO_CONDITION) -> None:
        parts = self._named(owner, parts)
        with self._locks[owner]:
            node = self.node(owner, parts)
            if node is None:
                raise AreaError(404)
            if not parts or not node.can_write:
                raise AreaError(403)
            if not condition.holds(node):
                raise AreaError(412)
            self._free(owner, parts)
            doomed = self.incoming()
            self._on_disk(owner, parts).rename(doomed)
            self._forget(owner, parts)
            self._touch_above(owner, parts)
        remove(doomed)

    def move(self, owner: str, source: Parts, target: Parts, *, overwrite: bool) -> bool:
        """Rename; ids and file ETags stay. Says whether the target is new."""
        source, target = self._named(owner, source), self._named(owner, target)
        with self._locks[owner]:
            node, is_new = self._way_is_free(owner, source, target, overwrite)
            if not node.can_write:
                raise AreaError(403)
            self._free(owner, source)
            if not is_new:
                self.delete(owner, target)
            with self._database.transaction():
                old, _, prefix = _below(source)
                self._forget(owner, target)
                self._database.run(
                    "UPDATE nodes SET path = ? || substr(path, ?)"
                    " WHERE owner = ? AND (path = ? OR substr(path, 1, ?) = ?)",
                    "/".join(target), len(old) + 1, owner, old, len(prefix), prefix,
                )  # fmt: skip
                self._on_disk(owner, source).rename(self._on_disk(owner, target))
            self._touch_above(owner, source)
            self._touch_above(owner, target)
            return is_new

    def copy(self, owner: str, source: Parts, target: Parts, *, overwrite: bool) -> bool:
        """Copy a file or a whole folder; the copies have ids of their own. The bytes of a file travel before the lock
        is taken: they are those that it had at the beginning, and so is the ETag."""
        source, target = self._named(owner, source), self._named(owner, target)
        fresh = self.incoming()
        try:
            with self._locks.get(owner, threading.RLock()):
                node, _ = self._way_is_free(owner, source, target, overwrite)
                content = None if node.is_folder else self._on_disk(owner, source).open("rb")
                if node.is_folder:
                    shutil.copytree(self._on_disk(owner, source), fresh)
            if content is not None:
                with content:
                    copy_content(content, fresh)
            with self._locks[owner]:
                _, is_new = self._way_is_free(owner, source, target, overwrite)
                if not node.is_folder:
                    self._take_room(owner, node.size_bytes)
                if not is_new:
                    self.delete(owner, target)
                fresh.rename(self._on_disk(owner, target))
                self._refresh(owner, target, None if node.is_folder else node.etag)
                self._touch_above(owner, target)
                return is_new
        finally:
            remove(fresh)

    # -- inside -------------------------------------------------------------------------------------------------------
    def _named(self, owner: str, parts: Parts) -> Parts:
        """The path in NFC; where case is folded, by the names that are there."""
        return as_stored(self._files / owner, checked(parts)) if self.folds_case else checked(parts)

    def _root(self, owner: str) -> Path:
        if owner not in self._locks:
            raise AreaError(404)
        return self._files / owner

    def _on_disk(self, owner: str, parts: Parts) -> Path:
        return self._root(owner).joinpath(*self._named(owner, parts))

    def _parent_takes_writes(self, owner: str, parts: Parts, before: Node | None) -> None:
        if not parts:
            raise AreaError(405)
        parent = self.node(owner, parts[:-1])
        if parent is None or not parent.is_folder:
            raise AreaError(409)
        if before is None and not parent.can_write:
            raise AreaError(403)

    def _free(self, owner: str, parts: Parts) -> None:
        if (owner, "/".join(parts)) in self.held:
            raise AreaError(423)

    def _take_room(self, owner: str, size_bytes: int) -> None:
        left = self.room_bytes.get(owner)
        if left is None:
            return
        if size_bytes > left:
            raise AreaError(507)
        self.room_bytes[owner] = left - size_bytes

    def _way_is_free(self, owner: str, source: Parts, target: Parts, overwrite: bool) -> tuple[Node, bool]:
        node = self.node(owner, source)
        if node is None:
            raise AreaError(404)
        if not source or target[: len(source)] == source:
            raise AreaError(403)
        at_target = self.node(owner, target)
        if at_target is not None and not overwrite:
            raise AreaError(412)
        if source[: len(target)] == target:
            raise AreaError(403)
        self._parent_takes_writes(owner, target, at_target)
        return node, at_target is None

    def _row(self, owner: str, parts: Parts, status: os.stat_result) -> Node | None:
        """The stored row when it still describes what lies on disk."""
        row = self._database.row(
            "SELECT * FROM nodes WHERE owner = ? AND path = ?", owner, "/".join(self._named(owner, parts))
        )
        is_folder = stat.S_ISDIR(status.st_mode)
        if row is None or bool(row["is_folder"]) != is_folder or row["inode"] != status.st_ino:
            return None
        if not is_folder and (row["size_bytes"], row["mtime_ns"]) != (status.st_size, status.st_mtime_ns):
            return None
        return _node(owner, self._named(owner, parts), int(row["file_id"]), str(row["etag"]), status)

    def _refresh(self, owner: str, parts: Parts, known_etag: str | None = None) -> Node | None:
        """Write the row for what lies on disk now; under the lock. ``known_etag``: of a file's content."""
        path = self._on_disk(owner, parts)
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(status.st_mode):
            return None  # a link could lead out of the area: it does not exist here
        known = self._row(owner, parts, status)
        if known is not None:
            return known
        is_folder = stat.S_ISDIR(status.st_mode)
        etag = secrets.token_hex(20) if is_folder else known_etag or hash_of(path)
        fresh = (int(is_folder), etag, 0 if is_folder else status.st_size, status.st_mtime_ns, status.st_ino)
        with self._database.transaction():
            moved = self._database.row(
                "SELECT file_id, path FROM nodes WHERE owner = ? AND inode = ? AND is_folder = ? AND path <> ?"
                " AND (is_folder OR (size_bytes = ? AND mtime_ns = ?))",
                owner, status.st_ino, int(is_folder), "/".join(parts), status.st_size, status.st_mtime_ns,
            )  # fmt: skip
            if moved is not None and not self._files.joinpath(owner, str(moved["path"])).exists():
                self._database.run("DELETE FROM nodes WHERE owner = ? AND path = ?", owner, "/".join(parts))
                self._database.run("UPDATE nodes SET path = ? WHERE file_id = ?", "/".join(parts), moved["file_id"])
            self._database.run(
                "INSERT INTO nodes (owner, path, is_folder, etag, size_bytes, mtime_ns, inode) VALUES (?,?,?,?,?,?,?)"
                " ON CONFLICT (owner, path) DO UPDATE SET is_folder = excluded.is_folder, etag = excluded.etag,"
                " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, inode = excluded.inode",
                owner, "/".join(parts), *fresh,
            )  # fmt: skip
        return self._row(owner, parts, status)

    def _forget(self, owner: str, parts: Parts) -> None:
        self._database.run(
            "DELETE FROM nodes WHERE owner = ? AND (path = ? OR substr(path, 1, ?) = ?)", owner, *_below(parts)
        )

    def _touch_above(self, owner: str, parts: Parts) -> None:
        token = secrets.token_hex(20)
        for depth in range(len(parts)):
            self.node(owner, parts[:depth])
            self._database.run(
                "UPDATE nodes SET etag = ? WHERE owner = ? AND path = ?", token, owner, "/".join(parts[:depth])
            )


def _node(owner: str, parts: Parts, file_id: int, etag: str, status: os.stat_result) -> Node:
    is_folder = stat.S_ISDIR(status.st_mode)
    can_write = bool(status.st_mode & stat.S_IWUSR)
    return Node(
        file_id, owner, parts, is_folder, etag, 0 if is_folder else status.st_size, status.st_mtime_ns, can_write
    )


def _below(parts: Parts) -> tuple[str, int, str]:
    """The three values that select a path and everything under it."""
    path = "/".join(parts)
    return path, len(path) + 1, path + "/"

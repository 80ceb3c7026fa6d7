"""The platform's files: what lies there, and how it answers. What lies there survives every crash of ours."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from plugin.flow.errors import HostUnavailable
from plugin.ports_files import FileInfo, PreconditionFailed

WEAK_FOR_S = 1.0
OURS = ".flows"
MODIFIED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Node:
    """A file (``data``) or a folder (None). ``before``: what a stale answer still tells."""

    path: str
    file_id: str
    data: bytes | None
    etag: str
    written_at: float
    children: dict[str, Node] = field(default_factory=dict)
    before: tuple[bytes, str] | None = None
    is_damaged: bool = False
    """By a fault of the host: whoever asks for what is acknowledged has to wait until it is put right."""
    is_written_over: bool = False
    """By a write whose condition did not hold, and was not looked at: the same."""
    earlier: list[bytes] = field(default_factory=list)
    """What it held before, oldest first: the platform's versions. None are kept of what lies in ``.flows``."""
    made_at: float = 0.0
    made_in: str = ""
    """The id of the folder in which it was made, wherever it was moved to since."""

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


class Host:
    """``now``: seconds. ``etags``, ``honours_conditions``, …: see `Chances`."""

    def __init__(
        self,
        now: Callable[[], float],
        users: tuple[str, ...],
        *,
        etags: str = "content",
        honours_conditions: bool = True,
        weak_for_a_second: bool = False,
        makes_folders: bool = False,
    ) -> None:
        self._now = now
        self._etags = etags
        self._honours = honours_conditions
        self._weak = weak_for_a_second
        self._makes_folders = makes_folders
        self._numbers = 0
        self.out: set[str] = set()
        """Users whose accounts are out of service."""
        self.were_out: set[str] = set()
        self.moves = 0
        """Of people, in all areas."""
        self.had: dict[str, set[str]] = {}
        """The paths that each folder ever had, by its id."""
        self._paths: dict[str, dict[str, Node]] = {}
        self._ids: dict[str, dict[str, Node]] = {}
        for user in users:
            self._paths[user], self._ids[user] = {}, {}
            self._add(user, "", None)

    # ---- what is asked ----------------------------------------------------------------------------------------------
    def node(self, user: str, path: str) -> Node | None:
        return self._paths.get(user, {}).get(clean(path))

    def by_id(self, user: str, file_id: str) -> Node | None:
        return self._ids.get(user, {}).get(file_id)

    def named(self, user: str, name: str) -> list[Node]:
        nodes = self._paths.get(user, {})
        return [nodes[path] for path in sorted(nodes) if nodes[path].name == name and nodes[path].data is not None]

    def folders(self, user: str) -> list[Node]:
        nodes = self._paths.get(user, {})
        return [nodes[path] for path in sorted(nodes) if nodes[path].data is None]

    def below(self, user: str, folder: str) -> Iterator[Node]:
        """Every file and folder in it, at any depth."""
        top = self.node(user, folder)
        waiting = [top] if top is not None else []
        while waiting:
            for child in waiting.pop().children.values():
                yield child
                if child.data is None:
                    waiting.append(child)

    # ---- what changes -----------------------------------------------------------------------------------------------
    def put(
        self,
        user: str,
        path: str,
        data: bytes,
        if_match: str | None = None,
        only_new: bool = False,
        make_folders: bool = False,
        *,
        is_forced: bool = False,
        is_damaged: bool = False,
    ) -> Node:
        """``is_forced``: its conditions are not looked at. Raises: PreconditionFailed, HostUnavailable."""
        path = clean(path)
        folder = path.rpartition("/")[0]
        if make_folders and self._makes_folders:
            self.make_folder(user, folder)
        parent = self.node(user, folder)
        if not path or parent is None or parent.data is not None:
            raise HostUnavailable
        node = self.node(user, path)
        is_written_over = False
        try:
            self._check(node, if_match, only_new)
        except PreconditionFailed:
            if self._honours and not is_forced:
                raise
            is_written_over = True
        if node is None:
            node = self._add(user, path, data)
        elif node.data is None:
            raise HostUnavailable
        else:
            node.before = (node.data, node.etag)
            if OURS not in path.split("/"):
                node.earlier.append(node.data)
            node.data, node.etag, node.written_at = data, self._tag(data), self._now()
        node.is_damaged, node.is_written_over = is_damaged, is_written_over
        return node

    def make_folder(self, user: str, path: str) -> None:
        path = clean(path)
        for depth in range(path.count("/") + 1 if path else 0):
            level = "/".join(path.split("/")[: depth + 1])
            node = self.node(user, level)
            if node is None:
                self._add(user, level, None)
            elif node.data is not None:
                raise HostUnavailable

    def delete(self, user: str, path: str, if_match: str | None = None) -> None:
        """Raises: PreconditionFailed."""
        node = self.node(user, path)
        if node is None or not node.path:
            return
        if self._honours:
            self._check(node, if_match, only_new=False)
        self._paths[user][node.path.rpartition("/")[0]].children.pop(node.name)
        for gone in (node, *self.below(user, node.path)):
            self._ids[user].pop(gone.file_id)
            del self._paths[user][gone.path]

    def copy(self, user: str, source: str, target: str) -> None:
        """A file. Raises: PreconditionFailed, HostUnavailable."""
        node = self._free(user, source, target)
        self._add(user, clean(target), node.data)

    def move(self, user: str, source: str, target: str) -> None:
        """A file, or a folder with all that is in it: ids stay. Raises: PreconditionFailed, HostUnavailable."""
        node, target = self._free(user, source, target), clean(target)
        before = node.path
        moved = [node, *self.below(user, before)]
        self._paths[user][before.rpartition("/")[0]].children.pop(node.name)
        for one in moved:
            del self._paths[user][one.path]
            one.path = target + one.path[len(before) :]
            if one.data is None:
                self.had[one.file_id].add(one.path)
            self._paths[user][one.path] = one
        self._paths[user][target.rpartition("/")[0]].children[node.name] = node

    # ---- inside -----------------------------------------------------------------------------------------------------
    def _free(self, user: str, source: str, target: str) -> Node:
        node, folder = self.node(user, source), self.node(user, clean(target).rpartition("/")[0])
        if node is None or folder is None or folder.data is not None:
            raise HostUnavailable("no-such-file")
        if self.node(user, target) is not None:
            raise PreconditionFailed
        return node

    def _check(self, node: Node | None, if_match: str | None, only_new: bool) -> None:
        if only_new and node is not None:
            raise PreconditionFailed
        if if_match is None:
            return
        is_weak = self._weak and node is not None and self._now() - node.written_at < WEAK_FOR_S
        if node is None or node.etag != if_match or is_weak:
            raise PreconditionFailed

    def _add(self, user: str, path: str, data: bytes | None) -> Node:
        self._numbers += 1
        node = Node(path, str(self._numbers), data, "", self._now())
        node.etag = self._tag(data) if data is not None else f"folder-{node.file_id}"
        self._paths[user][path] = self._ids[user][node.file_id] = node
        if data is None:
            self.had[node.file_id] = {path}
        if path:
            above = self._paths[user][path.rpartition("/")[0]]
            above.children[node.name] = node
            node.made_at, node.made_in = self._now(), above.file_id
        return node

    def _tag(self, data: bytes) -> str:
        self._numbers += 1
        match self._etags:
            case "content":
                return hashlib.sha256(data).hexdigest()[:20]
            case "second":
                return f"t{int(self._now())}"
            case _:
                return f"n{self._numbers}"


def clean(path: str) -> str:
    return "/".join(part for part in path.split("/") if part)


def info_of(node: Node) -> FileInfo:
    is_folder = node.data is None
    return FileInfo(
        file_id=node.file_id,
        path=node.path,
        name=node.name,
        size_bytes=len(node.data or b""),
        etag=node.etag,
        mime="" if is_folder else mimetypes.guess_type(node.name)[0] or "application/octet-stream",
        is_folder=is_folder,
        modified_at=MODIFIED_AT,
        can_write=True,
    )

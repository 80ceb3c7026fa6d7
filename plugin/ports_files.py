"""``plugin.ports``, the part about the host's file area."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

READ_ONLY = "read-only"
"""The code of an OutOfReach: the host answers, and does not let this user write there (403)."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or folder as the host tells it."""

    file_id: str
    path: str
    name: str
    size_bytes: int
    etag: str
    mime: str
    is_folder: bool
    modified_at: datetime
    can_write: bool
    """Files: may be overwritten. Folders: new files may be made in them, and written again later."""

    @property
    def folder(self) -> str:
        """The path of the folder that it lies in; "" for the user's root."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Written:
    """What a PUT answered. ``sha256`` (hex) is set only where the host itself hashed what it stored (``X-Hash``)."""

    etag: str
    file_id: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Streamed:
    """A file that is being read. ``size_bytes`` is None where the host does not say it. ``pieces`` may be read once;
    they raise HostUnavailable when they stop, or end early."""

    etag: str
    size_bytes: int | None
    pieces: Iterator[bytes]


class PreconditionFailed(Exception):
    """If-Match or If-None-Match did not hold (412): somebody else wrote. Never retried by the adapter."""


class Files(Protocol):
    """The host's files, by WebDAV, in a user's name.

    Raises HostUnavailable (no answer, 5xx, nonsense; of it AccountOut for 401, OutOfReach(READ_ONLY) where a write is
    denied), HostBusy (423, 429), HostFull (507), PreconditionFailed (412); FileTooLarge, from what reads a whole file.
    A file that is not there, or not this user's to see, is None.
    """

    def stat(self, user: str, path: str) -> FileInfo | None: ...
    def by_id(self, user: str, file_id: str) -> FileInfo | None: ...
    def by_ids(self, user: str, file_ids: Collection[str]) -> Mapping[str, FileInfo] | None:
        """Those of them that are there, by one call; None where the host cannot tell (it does not search)."""
        ...

    def list(self, user: str, path: str) -> Sequence[FileInfo]:
        """The folder's direct children, hidden ones too; [] where the folder is not there."""
        ...

    def find_by_name(self, user: str, name: str) -> Sequence[FileInfo] | None:
        """Every file of that name in the user's area (DAV SEARCH); None where the host does not offer it."""
        ...

    def read(self, user: str, path: str) -> bytes | None: ...
    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None: ...
    def read_start(self, user: str, path: str, length: int) -> bytes | None:
        """The first bytes alone, at most ``length``; no more than those are fetched where the host knows ranges."""
        ...

    def open_stream(self, user: str, path: str) -> AbstractContextManager[Streamed | None]:
        """Content of any size, never whole in memory. It may take as long as it comes at a pace."""
        ...

    def write_stream(self, user: str, path: str, pieces: Iterable[bytes], size_bytes: int) -> Written:
        """PUT of a new file of any size, only where none is. The pieces are read once, so nothing is tried again."""
        ...

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        """A copy made by the host itself, only where none is. The folder must exist. ``size_bytes``: how much there is
        to do, and so how long it may take. Returns: False, where the host does not copy, or not from there to there.

        Raises: PreconditionFailed; HostUnavailable("no-such-file") where there is no source or no folder.
        """
        ...

    def move(self, user: str, source: str, target: str) -> None:
        """Another name, only where none is. Raises: as ``copy``."""
        ...

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
        """PUT. Asks the host to hash what it stored; parent folders must exist (HostUnavailable otherwise).

        ``make_folders``: they need not, where the host can make them by the same call.
        """
        ...

    def make_folder(self, user: str, path: str) -> None:
        """MKCOL of every missing level; already there is fine."""
        ...

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        """Gone already is fine. Skips the trash where the host allows it. ``if_match``: only what has that ETag.

        Raises: PreconditionFailed.
        """
        ...

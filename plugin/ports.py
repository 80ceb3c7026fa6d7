"""What the actions are handed from outside, as Protocols of a few methods each. Implementations: ``plugin.adapters``.

Paths are decoded, relative to the user's root, without a leading slash (``Contracts/2026/a.pdf``). ``user`` is the
login of the person in whose name the host is asked. File ids are decimal strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


# ---- the host's file area -------------------------------------------------------------------------------------------
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
    """Files: may be overwritten. Folders: new files may be made in them."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a PUT answered. ``sha256`` (hex) is set only where the host itself hashed what it stored (``X-Hash``)."""

    etag: str
    file_id: str | None
    sha256: str | None


class PreconditionFailed(Exception):
    """If-Match or If-None-Match did not hold (412): somebody else wrote. Never retried by the adapter."""


class Files(Protocol):
    """The host's files, by WebDAV, in a user's name.

    Raises HostUnavailable (no answer, 5xx, nonsense), HostBusy (423, 429), HostFull (507), PreconditionFailed (412).
    A file that is not there, or not this user's to see, is None.
    """

    def stat(self, user: str, path: str) -> FileInfo | None: ...
    def by_id(self, user: str, file_id: str) -> FileInfo | None: ...
    def list(self, user: str, path: str) -> list[FileInfo]:
        """The folder's direct children, hidden ones too; [] where the folder is not there."""
        ...

    def find_by_name(self, user: str, name: str) -> list[FileInfo] | None:
        """Every file of that name in the user's area (DAV SEARCH); None where the host does not offer it."""
        ...

    def read(self, user: str, path: str) -> bytes | None: ...
    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None: ...
    def write(
        self, user: str, path: str, data: bytes, *, if_match: str | None = None, only_new: bool = False
    ) -> Written:
        """PUT. Asks the host to hash what it stored; parent folders must exist (HostUnavailable otherwise)."""
        ...

    def make_folder(self, user: str, path: str) -> None:
        """MKCOL of every missing level; already there is fine."""
        ...

    def delete(self, user: str, path: str) -> None:
        """Gone already is fine. Skips the trash where the host allows it."""
        ...


# ---- the host's people ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Person:
    uid: str
    name: str
    email: str | None
    language: str
    groups: tuple[str, ...]
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A platform user as the directory shows him to somebody who types."""

    uid: str
    name: str
    email: str | None


class Directory(Protocol):
    """The host's users, by OCS. Raises HostUnavailable."""

    def person(self, uid: str) -> Person | None:
        """That user's own record, asked as that user (only so are e-mail and language told)."""
        ...

    def search(self, as_user: str, text: str) -> list[Suggestion]:
        """By name, login or e-mail, as the host's own share dialog finds them; each user once, at most 20."""
        ...

    def users(self) -> list[str]:
        """Every login of the platform (for rebuild)."""
        ...


# ---- mail -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Mail:
    """One message. ``message_id`` is stable: the same event and person give the same one."""

    to: str
    to_name: str
    subject: str
    text: str
    html: str
    language: str
    message_id: str
    list_id: str = "parapheur"


class MailRefused(Exception):
    """The server will never take it (5xx, malformed address). ``reason`` holds no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Mailer(Protocol):
    """Hands a mail over. Raises MailRefused (for good), HostUnavailable (try again)."""

    def send(self, mail: Mail) -> None: ...


__all__ = [
    "AbstractContextManager",
    "Directory",
    "FileInfo",
    "Files",
    "Iterator",
    "Mail",
    "MailRefused",
    "Mailer",
    "Person",
    "PreconditionFailed",
    "Sequence",
    "Suggestion",
    "Written",
]

"""What the actions are handed from outside, as Protocols of a few methods each. Implementations: ``plugin.adapters``.
Files, flows, the vault and others have parts of their own, ``plugin.ports_…``.

Paths are decoded, relative to the user's root, without a leading slash (``Contracts/2026/a.pdf``). ``user`` is the
login of the person in whose name the host is asked. File ids are decimal strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


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

    def search(self, as_user: str, text: str) -> Sequence[Suggestion]:
        """By name, login or e-mail, as the host's own share dialog finds them; each user once, at most 20."""
        ...

    def users(self) -> Sequence[str]:
        """Every login of the platform (for rebuild)."""
        ...


class Account(StrEnum):
    """``OUT``: it is disabled. ``GONE``: there is no such login, or it is somebody else's now."""

    ACTIVE = "active"
    OUT = "out"
    GONE = "gone"


class Accounts(Protocol):
    """Whether a login still leads to the account that it led to. Raises HostUnavailable. What was found out holds for
    a little while."""

    def id(self, uid: str, *, fresh: bool = False) -> str | None:
        """What no other account of that login will bear; None where there is no such account. ``fresh``: asked of the
        host now, whatever was found out before."""
        ...

    def state(self, uid: str, known_id: str | None) -> Account:
        """``known_id``: what ``id`` said of the account that is meant; None where that was never asked."""
        ...


# ---- the host's own interface ---------------------------------------------------------------------------------------
class Platform(Protocol):
    """What the app hooks into the host, as the app itself. Raises HostUnavailable."""

    def report_progress(self, percent: int, error: str = "") -> None:
        """How far the first set-up is; 100 is done."""
        ...

    def put_entry(self, what: str, body: Mapping[str, object]) -> None:
        """Registers an entry of the interface: file action, page, script, style. Again is fine."""
        ...

    def remove_entry(self, what: str, body: Mapping[str, object]) -> None:
        """Gone already is fine."""
        ...

    def subscribe(self, event: str, path: str) -> None:
        """Asks for a kind of event at a path of ours. Again is fine."""
        ...

    def recall(self, key: str) -> str:
        """What the host keeps for us under a key; "" where it keeps nothing."""
        ...

    def remember(self, key: str, value: str) -> None:
        """Lets the host keep a short text for us, readable by its administrators."""
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
    at: datetime


class MailRefused(Exception):
    """The server will never take it (5xx, malformed address). ``reason`` holds no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Mailer(Protocol):
    """Hands a mail over. Raises MailRefused (for good), HostUnavailable (try again)."""

    def send(self, mail: Mail) -> None: ...


class Blobs(Protocol):
    """A bounded local cache of revisions by their SHA-256; anything may be missing at any time."""

    def get(self, sha256: str) -> bytes | None:
        """Verified on the way out."""
        ...

    def put(self, data: bytes, sha256: str | None = None) -> str:
        """``sha256`` of whoever has just computed it. Returns: the SHA-256, hex."""
        ...

    def drop(self, sha256: str) -> None:
        """It is not to be had here any more."""
        ...


class Jobs(Protocol):
    """Asks for ``owed`` of a flow to be looked at soon, outside this request. May be lost: the sweep comes behind."""

    def look_at(self, flow_id: str) -> None: ...
    def look_after(self, flow_id: str) -> None:
        """The same for what the host has become: moved, deleted, out of reach."""
        ...


# ---- words ----------------------------------------------------------------------------------------------------------
class Wording(Protocol):
    """Sentences that are put into documents, translated."""

    def stamp_lines(
        self, language: str, name: str, at: datetime, time_zone: str, reason: str | None
    ) -> tuple[str, ...]:
        """The lines of a stamp with text: name, date with its time zone, reason."""
        ...

    def seal_name(self, language: str, name: str) -> str:
        """What the seal says of itself: that it is the organisation's, put there for that person."""
        ...

"""What happened, in the past tense. Each class is one line of the state file; ``codec`` turns it into its JSON form.

Members that may be missing are None and left out. Texts of people are ``Personal``. Times are the line's own ``at``.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import ClassVar

from plugin.flow.model import (
    Creator,
    Kind,
    MailKind,
    PageSize,
    Personal,
    Placement,
    Role,
    SignedCopy,
    SuspendReason,
)

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PinnedDocument:
    n: int
    file_id: str
    name: Personal
    folder: Personal
    size_bytes: int
    mime: str
    sha256: str
    pages: int | None
    page_sizes: tuple[PageSize, ...]
    prepared_sha256: str | None
    kept_at_home: bool
    certified: bool | None = None
    """By the organisation, at launch; None where it was not."""


@dataclass(frozen=True, slots=True)
class AskedRecipient:
    id: str
    role: Role
    user: Personal | None
    email: Personal | None
    first_name: Personal | None
    last_name: Personal | None
    language: str
    message: Personal | None
    account: Personal | None = None


@dataclass(frozen=True, slots=True)
class AskedStep:
    rule: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Launched:
    type: ClassVar[str] = "flow.launched"
    format: int
    flow_id: str
    kind: Kind
    title: Personal
    creator: Creator
    language: str
    time_zone: str
    comment: Personal | None
    copy_to_all: bool
    documents: tuple[PinnedDocument, ...]
    recipients: tuple[AskedRecipient, ...]
    steps: tuple[AskedStep, ...]
    placements: tuple[Placement, ...]
    request: str | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class ShownRevision:
    n: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Invited:
    """A recipient's round began. ``documents`` is what was current then."""

    type: ClassVar[str] = "recipient.invited"
    recipient: str
    round: int
    documents: tuple[ShownRevision, ...]


@dataclass(frozen=True, slots=True)
class Viewed:
    type: ClassVar[str] = "recipient.viewed"
    recipient: str
    round: int
    documents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """From where an act came. ``ip_source`` says how the address was obtained; ``request`` tells two submits apart."""

    ip: Personal | None
    ip_source: str
    user_agent: Personal | None
    request: str
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Approved:
    type: ClassVar[str] = "recipient.approved"
    recipient: str
    round: int
    documents: tuple[ShownRevision, ...]
    comment: Personal | None
    trace: Trace


@dataclass(frozen=True, slots=True)
class SealedRevision:
    n: int
    shown_sha256: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Consent:
    """The exact sentence that was agreed to, its language and its SHA-256."""

    text: str
    language: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Signed:
    type: ClassVar[str] = "recipient.signed"
    recipient: str
    round: int
    documents: tuple[SealedRevision, ...]
    signature_kind: str
    ink_sha256: str
    consent: Consent
    trace: Trace


@dataclass(frozen=True, slots=True)
class RefusedByRecipient:
    type: ClassVar[str] = "recipient.refused"
    recipient: str
    round: int
    reason: Personal
    trace: Trace


@dataclass(frozen=True, slots=True)
class Suspended:
    """Nobody may act. ``since``: when it was noticed (RFC 3339, UTC); the line itself may have had to wait."""

    type: ClassVar[str] = "flow.suspended"
    reason: SuspendReason
    since: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """It goes on; ``choice`` is how. The line's actor says who decided it, ``system``: the reason had gone."""

    type: ClassVar[str] = "flow.resumed"
    choice: str


@dataclass(frozen=True, slots=True)
class Completed:
    """Every step is done and the results lie in the creator's folder."""

    type: ClassVar[str] = "flow.completed"
    copies: tuple[SignedCopy, ...]


@dataclass(frozen=True, slots=True)
class MailAccepted:
    """A mail server took it. It says nothing about arrival."""

    type: ClassVar[str] = "mail.accepted"
    mail: MailKind
    person: str
    round: int
    message_id: str


@dataclass(frozen=True, slots=True)
class MailFailed:
    """Nobody will ever take it."""

    type: ClassVar[str] = "mail.failed"
    mail: MailKind
    person: str
    round: int
    reason: str


Event = (
    Launched
    | Invited
    | Viewed
    | Approved
    | Signed
    | RefusedByRecipient
    | Suspended
    | Resumed
    | Completed
    | MailAccepted
    | MailFailed
)

BY_TYPE: dict[str, type[Event]] = {cls.type: cls for cls in typing.get_args(Event)}

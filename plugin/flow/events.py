"""What happened, in the past tense. Each class is one line of the state file; ``codec`` turns it into its JSON form.

Members that may be missing are None and left out. Texts of people are ``Personal``. Times are the line's own ``at``.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import ClassVar

from plugin.flow.model import (
    By,
    Creator,
    Kind,
    MailKind,
    PageSize,
    Personal,
    Placement,
    Role,
    SaveTo,
    SignedCopy,
    SourceState,
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
    """``rule``: "all", "any" or "n"; ``n`` only with the last."""

    rule: str
    recipients: tuple[str, ...]
    n: int | None = None


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
    expires_at: str | None = None
    """RFC 3339, UTC."""
    remind_every_days: int | None = None
    quiet_days: tuple[int, ...] | None = None
    allow_delegation: bool | None = None
    save: SaveTo | None = None


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
class Skipped:
    """Enough others of the step have decided: this person is not asked any more."""

    type: ClassVar[str] = "recipient.skipped"
    recipient: str
    round: int


@dataclass(frozen=True, slots=True)
class Reminded:
    """The ``number``-th reminder of this person; its mail follows."""

    type: ClassVar[str] = "recipient.reminded"
    recipient: str
    round: int
    number: int
    by: By


@dataclass(frozen=True, slots=True)
class Replaced:
    """``new`` takes the place of ``recipient``, with the same stamps; whoever acted before stays in the record."""

    type: ClassVar[str] = "recipient.replaced"
    recipient: str
    round: int
    new: AskedRecipient
    by: By


@dataclass(frozen=True, slots=True)
class Delegated:
    """The recipient himself put ``new`` in his place."""

    type: ClassVar[str] = "recipient.delegated"
    recipient: str
    round: int
    new: AskedRecipient
    comment: Personal | None
    trace: Trace


@dataclass(frozen=True, slots=True)
class LinkRenewed:
    """The link of this round acts no more; the next line begins a new one."""

    type: ClassVar[str] = "link.renewed"
    recipient: str
    round: int
    by: By


@dataclass(frozen=True, slots=True)
class Extended:
    type: ClassVar[str] = "flow.extended"
    expires_at: str
    by: By


@dataclass(frozen=True, slots=True)
class Expired:
    type: ClassVar[str] = "flow.expired"
    expires_at: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    type: ClassVar[str] = "flow.cancelled"
    reason: Personal | None
    by: By


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """What was found where the original should be. ``sha256``: of a changed one."""

    type: ClassVar[str] = "source.changed"
    n: int
    state: SourceState
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Restarted:
    """Everybody is asked again, about this content; a new round for each."""

    type: ClassVar[str] = "flow.restarted"
    documents: tuple[PinnedDocument, ...]
    by: By


@dataclass(frozen=True, slots=True)
class EvidenceStored:
    """The evidence record lies in the creator's folder."""

    type: ClassVar[str] = "evidence.stored"
    file_id: str
    path: Personal
    sha256: str


@dataclass(frozen=True, slots=True)
class PersonErased:
    """The personal values of ``person`` can be read by nobody any more."""

    type: ClassVar[str] = "person.erased"
    person: str
    by: By


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """Lines from here on are signed by another key; the chain keeps it beside this event."""

    type: ClassVar[str] = "key.rotated"


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
    | Skipped
    | Reminded
    | Replaced
    | Delegated
    | LinkRenewed
    | Extended
    | Expired
    | Cancelled
    | SourceChanged
    | Restarted
    | EvidenceStored
    | PersonErased
    | KeyRotated
    | Suspended
    | Resumed
    | Completed
    | MailAccepted
    | MailFailed
)

BY_TYPE: dict[str, type[Event]] = {cls.type: cls for cls in typing.get_args(Event)}

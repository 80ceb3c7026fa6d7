"""What somebody asks of a flow. Facts that need the outside (hashes, seals, addresses) were found out before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from plugin.flow.events import (
    AskedRecipient,
    AskedStep,
    Consent,
    PinnedDocument,
    SealedRevision,
    Trace,
)
from plugin.flow.model import Creator, Kind, MailKind, Personal, Placement, SignedCopy, SuspendReason


@dataclass(frozen=True, slots=True)
class Launch:
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
class View:
    recipient: str
    documents: frozenset[int]


@dataclass(frozen=True, slots=True)
class Approve:
    recipient: str
    shown: dict[int, str]
    comment: Personal | None
    trace: Trace


@dataclass(frozen=True, slots=True)
class Sign:
    """``sealed`` is None while asking whether the signature would be accepted, before any seal is made."""

    recipient: str
    shown: dict[int, str]
    consented: bool
    sealed: tuple[SealedRevision, ...] | None
    signature_kind: str
    ink_sha256: str
    consent: Consent
    trace: Trace


@dataclass(frozen=True, slots=True)
class Refuse:
    recipient: str
    reason: Personal
    trace: Trace


@dataclass(frozen=True, slots=True)
class Suspend:
    """``since``: when the reason was noticed."""

    reason: SuspendReason
    since: datetime


@dataclass(frozen=True, slots=True)
class Resume:
    """``choice``: "continue", with the content pinned at launch."""

    choice: str


@dataclass(frozen=True, slots=True)
class Finish:
    copies: tuple[SignedCopy, ...]


@dataclass(frozen=True, slots=True)
class RecordMail:
    """``reason`` is None when the mail was accepted."""

    mail: MailKind
    person: str
    round: int
    message_id: str
    reason: str | None = None


Command = Launch | View | Approve | Sign | Refuse | Suspend | Resume | Finish | RecordMail

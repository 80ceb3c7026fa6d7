"""What somebody asks of a flow. Facts that need the outside (hashes, seals, addresses) were found out before.

``link_round`` of what recipients do: the round of the link by which they ask; None: in their session.
"""

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
from plugin.flow.model import (
    BESIDE,
    By,
    Creator,
    Kind,
    MailKind,
    Personal,
    Placement,
    SaveTo,
    SignedCopy,
    SourceState,
    StoredEvidence,
    SuspendReason,
)


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
    expires_at: datetime | None = None
    remind_every_days: int | None = None
    quiet_days: tuple[int, ...] = ()
    allow_delegation: bool = False
    save: SaveTo = BESIDE


@dataclass(frozen=True, slots=True)
class View:
    recipient: str
    documents: frozenset[int]
    link_round: int | None = None


@dataclass(frozen=True, slots=True)
class Approve:
    recipient: str
    shown: dict[int, str]
    comment: Personal | None
    trace: Trace
    link_round: int | None = None


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
    link_round: int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    recipient: str
    reason: Personal
    trace: Trace
    link_round: int | None = None


@dataclass(frozen=True, slots=True)
class Suspend:
    """``since``: when the reason was noticed."""

    reason: SuspendReason
    since: datetime


@dataclass(frozen=True, slots=True)
class Resume:
    """``choice``: "continue", with the content pinned at launch. To restart is ``Restart``, to cancel ``Cancel``."""

    choice: str


@dataclass(frozen=True, slots=True)
class Restart:
    """``documents``: what the originals hold now, pinned anew, in the same order."""

    documents: tuple[PinnedDocument, ...]
    by: By


@dataclass(frozen=True, slots=True)
class NoteSource:
    """``sha256``: of a changed original."""

    n: int
    state: SourceState
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Remind:
    """``recipients``: None for everybody whose turn it is. By ``SYSTEM`` only those who are due for it."""

    recipients: tuple[str, ...] | None
    by: By


@dataclass(frozen=True, slots=True)
class Replace:
    """``new`` has the next id of the flow (``Flow.next_recipient_id``) and the role of the one before."""

    recipient: str
    new: AskedRecipient
    by: By


@dataclass(frozen=True, slots=True)
class Delegate:
    recipient: str
    new: AskedRecipient
    comment: Personal | None
    trace: Trace
    link_round: int | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    recipient: str
    by: By


@dataclass(frozen=True, slots=True)
class Extend:
    expires_at: datetime
    by: By


@dataclass(frozen=True, slots=True)
class Expire:
    """Its deadline is over."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """``reason``: may be missing only for a flow that is suspended."""

    reason: Personal | None
    by: By


@dataclass(frozen=True, slots=True)
class StoreEvidence:
    evidence: StoredEvidence


@dataclass(frozen=True, slots=True)
class Erase:
    """``person``: an id of the flow, the creator's too. ``goes_on``: false where the creator's account was deleted, so
    that nobody will ever act again."""

    person: str
    by: By
    goes_on: bool = True


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


Command = (
    Launch
    | View
    | Approve
    | Sign
    | Refuse
    | Suspend
    | Resume
    | Restart
    | NoteSource
    | Remind
    | Replace
    | Delegate
    | NewLink
    | Extend
    | Expire
    | Cancel
    | Finish
    | StoreEvidence
    | Erase
    | RecordMail
)

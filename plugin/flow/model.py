"""What a flow is: the words of the house as types. Values only; nothing here does anything to the outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

CREATOR = "creator"
"""The creator's id among the persons of a flow; recipients are r1, r2, …"""

MIN_STAMP_WIDTH_PT = 90.0
MIN_STAMP_HEIGHT_PT = 28.0
MILLION = 1_000_000


class Kind(StrEnum):
    VALIDATION = "validation"
    SIGNATURE = "signature"
    EIDAS_SIMPLE = "eidas_simple"
    EIDAS_ADVANCED = "eidas_advanced"


class FlowState(StrEnum):
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_ended(self) -> bool:
        return self not in (FlowState.RUNNING, FlowState.SUSPENDED)


class RecipientState(StrEnum):
    WAITING = "waiting"
    INVITED = "invited"
    VIEWED = "viewed"
    APPROVED = "approved"
    SIGNED = "signed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    REPLACED = "replaced"

    @property
    def is_decided(self) -> bool:
        return self in (RecipientState.APPROVED, RecipientState.SIGNED, RecipientState.REFUSED)

    @property
    def is_open(self) -> bool:
        """It is this person's turn."""
        return self in (RecipientState.INVITED, RecipientState.VIEWED)


class Role(StrEnum):
    VALIDATOR = "validator"
    SIGNATORY = "signatory"
    OBSERVER = "observer"


class SuspendReason(StrEnum):
    """Why nobody may act: the flow's files are read and written as its creator, and that does not work now."""

    CREATOR_OUT = "creator-out"
    """The creator's account is disabled."""
    CREATOR_GONE = "creator-gone"
    """It was deleted: whoever bears that login later is somebody else."""
    NO_ACCESS = "no-access"
    """The creator does not reach a document any more, nor what is kept beside it."""


class MailKind(StrEnum):
    INVITATION = "invitation"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REFUSED = "refused"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Personal:
    """A value that belongs to a person. It stands encrypted in the state file; None once that person was erased."""

    person: str
    value: str | None

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True, slots=True)
class PageSize:
    """The displayed size, in thousandths of a point, of ``page`` (1-based) and of all up to the next entry."""

    page: int
    width_mpt: int
    height_mpt: int


@dataclass(frozen=True, slots=True)
class SignedCopy:
    """A result in the creator's folder."""

    n: int
    file_id: str
    path: Personal
    sha256: str


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the flow. ``revisions`` are SHA-256, oldest first: the prepared one, then one a signatory."""

    n: int
    file_id: str
    name: Personal
    folder: Personal
    size_bytes: int
    mime: str
    sha256: str
    pages: int | None
    page_sizes: tuple[PageSize, ...]
    revisions: tuple[str, ...]
    kept_at_home: bool
    signed: SignedCopy | None = None
    is_certified: bool = False
    """By the organisation, at launch."""

    @property
    def current_sha256(self) -> str:
        return self.revisions[-1] if self.revisions else self.sha256

    def page_size_pt(self, page: int) -> tuple[float, float]:
        """Shape: (width, height) of the displayed page in points. ``page`` is 1-based."""
        found = self.page_sizes[0]
        for size in self.page_sizes:
            if size.page <= page:
                found = size
        return found.width_mpt / 1000, found.height_mpt / 1000

    def sizes_pt(self) -> list[tuple[float, float]]:
        sizes: list[tuple[float, float]] = []
        for entry, after in zip(self.page_sizes, [*self.page_sizes[1:], None], strict=True):
            last = after.page if after is not None else (self.pages or 0) + 1
            sizes += [(entry.width_mpt / 1000, entry.height_mpt / 1000)] * (last - entry.page)
        return sizes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a stamp goes: millionths of the displayed page, from its top left. ``field`` is the PDF field's name."""

    field: str
    document: int
    page: int
    recipient: str
    x: int
    y: int
    w: int
    h: int
    with_text: bool
    reason: Personal | None = None


@dataclass(frozen=True, slots=True)
class Creator:
    """``account``: what tells this account from another one that bears the same login later."""

    user: Personal
    name: Personal
    email: Personal | None
    account: Personal | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    id: str
    role: Role
    user: Personal | None
    email: Personal | None
    first_name: Personal | None
    last_name: Personal | None
    language: str
    message: Personal | None
    state: RecipientState = RecipientState.WAITING
    round: int = 1
    since: tuple[str, ...] = ()
    """Per document: the revision that was current when this round began."""
    invited_at: datetime | None = None
    viewed: frozenset[int] = frozenset()
    decided_at: datetime | None = None
    comment: Personal | None = None
    reason: Personal | None = None
    request: str | None = None
    request_key: str | None = None
    replaces: str | None = None
    account: Personal | None = None
    """Of a platform user, as ``Creator.account``."""

    @property
    def name(self) -> str:
        """First and last name, else the address or the login; empty once erased."""
        parts = [part.value for part in (self.first_name, self.last_name) if part and part.value]
        if parts:
            return " ".join(parts)
        for other in (self.email, self.user):
            if other and other.value:
                return other.value
        return ""

    @property
    def shown_name(self) -> str:
        """For the others of a flow: of somebody known by his address alone, the part before the @."""
        if self.is_external and not (self.first_name or self.last_name):
            return self.name.partition("@")[0]
        return self.name

    @property
    def is_external(self) -> bool:
        return self.user is None


@dataclass(frozen=True, slots=True)
class Step:
    rule: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MailDone:
    """A mail that was handed over (``accepted``) or that nobody will ever take."""

    mail: MailKind
    person: str
    round: int
    accepted: bool
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """``since``: when it was noticed, which may be before it could be written down."""

    reason: SuspendReason
    since: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    id: str
    kind: Kind
    state: FlowState
    title: Personal
    creator: Creator
    language: str
    time_zone: str
    comment: Personal | None
    copy_to_all: bool
    created_at: datetime
    documents: tuple[Document, ...]
    recipients: tuple[Recipient, ...]
    steps: tuple[Step, ...]
    placements: tuple[Placement, ...]
    mails: tuple[MailDone, ...] = ()
    is_finished: bool = False
    ended_at: datetime | None = None
    request: str | None = None
    request_key: str | None = None
    suspension: Suspension | None = None
    suspensions: int = 0
    """How often it was suspended so far."""
    resumed_at: datetime | None = None

    def recipient(self, recipient_id: str) -> Recipient:
        """Raises: KeyError when there is nobody of that id."""
        for recipient in self.recipients:
            if recipient.id == recipient_id:
                return recipient
        raise KeyError(recipient_id)

    def step_of(self, recipient_id: str) -> int:
        for number, step in enumerate(self.steps):
            if recipient_id in step.recipients:
                return number
        raise KeyError(recipient_id)

    def step_is_done(self, step: Step) -> bool:
        """Every recipient of it has approved or signed (the rule "all", the only one so far)."""
        done = (RecipientState.APPROVED, RecipientState.SIGNED)
        return all(self.recipient(recipient).state in done for recipient in step.recipients)

    @property
    def steps_done(self) -> int:
        return sum(1 for step in self.steps if self.step_is_done(step))

    @property
    def all_decided(self) -> bool:
        return self.steps_done == len(self.steps)

    def is_last_to_decide(self, recipient_id: str) -> bool:
        """Whether nobody else has to decide any more."""
        left = (RecipientState.WAITING, RecipientState.INVITED, RecipientState.VIEWED)
        others = (r for r in self.recipients if r.id != recipient_id and r.role is not Role.OBSERVER)
        return not any(r.state in left for r in others)

    def recipients_of_user(self, uid: str) -> list[Recipient]:
        return [r for r in self.recipients if r.user is not None and r.user.value == uid]

    def placements_of(self, recipient_id: str, document: int) -> list[Placement]:
        return [p for p in self.placements if p.recipient == recipient_id and p.document == document]

"""What a flow is: the words of the house as types. Values only; nothing here does anything to the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from plugin.flow.states import By as By
from plugin.flow.states import FlowState as FlowState
from plugin.flow.states import Instead as Instead
from plugin.flow.states import Kind as Kind
from plugin.flow.states import MailKind as MailKind
from plugin.flow.states import RecipientState as RecipientState
from plugin.flow.states import Role as Role
from plugin.flow.states import SaveMode as SaveMode
from plugin.flow.states import SourceState as SourceState
from plugin.flow.states import SuspendReason as SuspendReason

CREATOR = "creator"
"""The creator's id among the persons of a flow; recipients are r1, r2, …"""

MIN_STAMP_WIDTH_PT = 90.0
MIN_STAMP_HEIGHT_PT = 28.0
MILLION = 1_000_000


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
    """A result in the creator's folder. ``instead``: why it is not where it was asked for."""

    n: int
    file_id: str
    path: Personal
    sha256: str
    instead: Instead | None = None


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
    source: SourceState = SourceState.SAME
    source_sha256: str | None = None
    """Of the changed original."""
    source_accepted: bool = False
    """The creator went on with the pinned content all the same."""

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
    reminded_at: datetime | None = None
    reminders: int = 0
    """How many there were so far, in all rounds."""
    was_asked: bool = False
    """In this round or an earlier one."""
    has_delegated: bool = False
    """He put somebody in his place himself."""

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
    """Recipients who act in any order. ``rule``: "all", "any", or "n" of them (``n``). A replaced one stays listed."""

    rule: str
    recipients: tuple[str, ...]
    n: int | None = None


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
class SaveTo:
    """Where results go. ``folder_id``, ``folder``: of the chosen folder; its path as it was at launch.

    ``with_evidence``: the evidence record is laid there too.
    """

    mode: SaveMode
    with_evidence: bool
    folder_id: str | None = None
    folder: Personal | None = None


BESIDE = SaveTo(SaveMode.BESIDE, with_evidence=False)


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """The evidence record in the creator's folder."""

    file_id: str
    path: Personal
    sha256: str


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
    expires_at: datetime | None = None
    deadline_since: datetime | None = None
    """When that deadline was set."""
    deadlines: int = 0
    """How many were set so far: that of the launch, and each extension."""
    remind_every_days: int | None = None
    quiet_days: tuple[int, ...] = ()
    """ISO weekdays (1 is Monday) on which nobody is reminded."""
    allow_delegation: bool = False
    save: SaveTo = BESIDE
    ended_by: By | None = None
    """Who cancelled it."""
    end_reason: Personal | None = None
    evidence: StoredEvidence | None = None
    delegations: int = 0
    restarts: int = 0
    erased: frozenset[str] = frozenset()

    def recipient(self, recipient_id: str) -> Recipient:
        """Raises: KeyError when there is nobody of that id."""
        for recipient in self.recipients:
            if recipient.id == recipient_id:
                return recipient
        raise KeyError(recipient_id)

    def step_of(self, recipient_id: str) -> int:
        """Raises: KeyError for observers, who are in none, and for strangers."""
        for number, step in enumerate(self.steps):
            if recipient_id in step.recipients:
                return number
        raise KeyError(recipient_id)

    def _is_done(self, step: Step, states: Mapping[str, RecipientState]) -> bool:
        found = [states[recipient] for recipient in step.recipients]
        done = sum(state in (RecipientState.APPROVED, RecipientState.SIGNED) for state in found)
        if step.rule == "all":
            return done == sum(state is not RecipientState.REPLACED for state in found)
        return done >= (step.n or 1)

    @property
    def done_steps(self) -> list[Step]:
        """As many have approved or signed as their rules ask for."""
        states = {r.id: r.state for r in self.recipients}
        return [step for step in self.steps if self._is_done(step, states)]

    @property
    def steps_done(self) -> int:
        return len(self.done_steps)

    @property
    def current_step(self) -> Step | None:
        """The first that is not done."""
        states = {r.id: r.state for r in self.recipients}
        return next((step for step in self.steps if not self._is_done(step, states)), None)

    @property
    def all_decided(self) -> bool:
        return self.current_step is None

    def is_last_to_decide(self, recipient_id: str) -> bool:
        """Whether nobody else has to decide once this person has."""
        signed = (replace(r, state=RecipientState.SIGNED) if r.id == recipient_id else r for r in self.recipients)
        return replace(self, recipients=tuple(signed)).all_decided

    @property
    def observers(self) -> tuple[Recipient, ...]:
        return tuple(r for r in self.recipients if r.role is Role.OBSERVER)

    @property
    def next_recipient_id(self) -> str:
        """Of somebody who comes in now."""
        return f"r{max(int(r.id[1:]) for r in self.recipients) + 1}"

    def has_passed(self, now: datetime) -> bool:
        """The deadline is over, whether that was written down or not."""
        return self.expires_at is not None and self.expires_at <= now and not self.all_decided

    def recipients_of_user(self, uid: str) -> list[Recipient]:
        return [r for r in self.recipients if r.user is not None and r.user.value == uid]

    def placements_of(self, recipient_id: str, document: int) -> list[Placement]:
        return [p for p in self.placements if p.recipient == recipient_id and p.document == document]

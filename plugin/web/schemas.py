"""What is answered over the wire (see ``schemas_base``)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from plugin.web.schemas_asked import BoxModel, NOf
from plugin.web.schemas_base import Answer, FlowStateName, Kind, RecipientStateName, RoleName


class Problem(Answer):
    """application/problem+json (RFC 9457). ``code`` is stable; ``title`` is a sentence in the caller's language."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str | None = None
    path: str | None = None
    errors: list[dict[str, Any]] = Field(default=[])


class LimitsOut(Answer):
    """Of one flow. ``validation_file_bytes`` is of one file; null: of any size."""

    collection_bytes: int
    validation_file_bytes: int | None
    documents: int
    recipients: int


class Me(Answer):
    user: str
    name: str
    email: str | None
    groups: list[str]
    language: str
    time_zone: str
    is_admin: bool
    csrf_token: str
    collection_limit_bytes: int
    limits: LimitsOut


class TypeInfo(Answer):
    kind: Kind
    label: str
    description: str
    available: bool
    code: str | None
    reason: str | None


class Types(Answer):
    types: list[TypeInfo]


class DocumentProblem(Answer):
    code: str
    message: str


class Inspected(Answer):
    file_id: str
    name: str
    size_bytes: int
    mime: str
    is_pdf: bool
    pages: int | None
    page_sizes_pt: list[tuple[float, float]]
    signatures: int
    saved_in: Literal["beside", "home"]
    """Where the signed copy will be: beside the document, or in the caller's root where that folder takes no files."""
    problems: list[DocumentProblem]


class InspectAnswer(Answer):
    documents: list[Inspected]
    total_bytes: int
    limit_bytes: int


class Undrawable(Answer):
    """Of each text the characters that no stamp can show; "" where all is well."""

    missing: list[str]


class Uploaded(Answer):
    file_id: str
    name: str
    size_bytes: int


class RecipientSuggestion(Answer):
    user: str
    name: str
    email: str | None


class RecipientSuggestions(Answer):
    recipients: list[RecipientSuggestion]


class CreatorOut(Answer):
    user: str
    name: str
    email: str | None


class Delivery(Answer):
    """How the newest invitation to this person fared: queued, accepted (by the mail server) or failed."""

    state: Literal["queued", "accepted", "failed"]
    at: str | None
    reason: str | None


class RecipientOut(Answer):
    """``reminded_at``: in this round. ``next_reminder_at``: by the flow's rhythm, as long as nothing happens."""

    id: str
    role: RoleName
    user: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    name: str
    language: str | None
    state: RecipientStateName
    round: int
    opened_at: str | None
    decided_at: str | None
    message: str | None
    comment: str | None
    reason: str | None
    replaces: str | None
    reminded_at: str | None
    next_reminder_at: str | None
    delivery: Delivery | None


class SignatureVerdictOut(Answer):
    field: str
    signer: str
    name: str
    signed_at: str | None
    covers: Literal["file", "revision", "part"]
    integrity: Literal["intact", "changed", "broken", "unsigned", "unverifiable"]
    trust: Literal["trusted", "unknown", "test"]
    kind: Literal["signature", "timestamp"]
    reason: str
    attested_at: str | None
    level: Literal["B-B", "B-T", "B-LT", "B-LTA"] | None


class VerdictOut(Answer):
    """``signed_bytes``: the file's first bytes are the version that was signed last, where more was added to it."""

    integrity: Literal["intact", "changed", "broken", "unsigned", "unverifiable"]
    trust: Literal["trusted", "unknown", "test"]
    message: str
    signatures: list[SignatureVerdictOut]
    changes: list[str]
    signed_bytes: int | None
    size_bytes: int
    sha256: str


class StepOut(Answer):
    rule: Literal["all", "any"] | NOf
    recipients: list[RecipientOut]


class SourceOut(Answer):
    """What became of the original since it was sent, for creator and admins. ``path``: where it was last seen."""

    state: Literal["same", "moved", "changed", "gone"]
    path: str | None


class SignedOut(Answer):
    file_id: str
    path: str | None
    sha256: str


class DocumentOut(Answer):
    n: int
    file_id: str
    name: str
    size_bytes: int
    mime: str
    pages: int | None
    page_sizes_pt: list[tuple[float, float]]
    sha256: str
    current_sha256: str
    signed: SignedOut | None
    source: SourceOut | None = None


class EventOut(Answer):
    seq: int
    at: str
    type: str
    actor: str
    data: dict[str, Any]


class PlacementOut(Answer):
    document: int
    page: int
    recipient: str
    box: BoxModel
    with_text: bool
    reason: str | None
    mine: bool


class SuspensionOut(Answer):
    """Why nobody may act, and since when that is known."""

    reason: Literal["creator-out", "creator-gone", "no-access", "source-changed", "source-gone"]
    since: str


class SaveOut(Answer):
    """Where the results go. ``folder``: the path that was chosen, for who may read it."""

    mode: Literal["beside", "version", "folder"]
    folder: str | None


class CancelledOut(Answer):
    by: Literal["creator", "admin", "system"]
    reason: str | None


class WaitingOut(Answer):
    """Results that cannot be laid down now: it is tried again until they can."""

    reason: str
    since: str
    sentence: str


class FlowOut(Answer):
    """``steps`` hold who was replaced, too; ``observers`` are in none. ``remind_every``: in days."""

    id: str
    kind: Kind
    state: FlowStateName
    title: str
    creator: CreatorOut
    comment: str | None
    created_at: str
    expires_at: str | None
    time_zone: str
    copy_to_all: bool
    remind_every: int | None
    allow_delegation: bool
    save: SaveOut
    steps: list[StepOut]
    observers: list[RecipientOut]
    documents: list[DocumentOut]
    placements: list[PlacementOut]
    events: list[EventOut]
    warnings: list[str]
    suspension: SuspensionOut | None
    cancelled: CancelledOut | None
    waiting: WaitingOut | None
    evidence: SignedOut | None


class MineOut(Answer):
    """Who the caller is in this flow."""

    id: str
    role: RoleName
    state: RecipientStateName
    round: int
    name: str
    email: str | None
    user: str | None
    my_turn: bool
    is_old_link: bool
    """A newer link was sent: this one shows nothing any more."""


class LinkFlowOut(Answer):
    """``flow.json``: what a recipient sees. Lists are empty where nothing may be shown."""

    id: str
    kind: Kind
    state: FlowStateName
    title: str
    creator: CreatorOut
    comment: str | None
    created_at: str
    expires_at: str | None
    time_zone: str
    allow_delegation: bool
    cancelled: CancelledOut | None
    me: MineOut
    csrf_token: str
    steps: list[StepOut]
    documents: list[DocumentOut]
    placements: list[PlacementOut]
    consent: str


class FlowSummary(Answer):
    id: str
    kind: Kind
    state: FlowStateName
    title: str
    creator: CreatorOut
    created_at: str
    updated_at: str
    steps_done: int
    steps_total: int
    my_turn: bool


class FlowList(Answer):
    flows: list[FlowSummary]
    next_cursor: str | None


class LaunchProgress(Answer):
    """How far a launch is that was asked for with an Idempotency-Key. Bytes are those of the documents, and null where
    it is over in a moment; ``unknown``: none is on its way with that key, or it failed."""

    state: Literal["unknown", "running", "done"]
    done_bytes: int | None
    total_bytes: int | None
    flow_id: str | None


class FileFlow(Answer):
    """A flow as the Informations panel of one of its files shows it."""

    id: str
    kind: Kind
    state: FlowStateName
    title: str | None
    created_at: str
    steps_done: int
    steps_total: int
    detail: FlowOut | None


class FileFlows(Answer):
    flows: list[FileFlow]


class Check(Answer):
    name: str
    state: Literal["ok", "degraded", "failed"]
    reason: str | None


class Health(Answer):
    status: Literal["ok", "degraded", "starting"]
    checks: list[Check]

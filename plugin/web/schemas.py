"""What goes over the wire, as models: the one place that says which fields exist. Bytes in are checked here, once.

Times are RFC 3339 with Z. Hashes are lower-case hex SHA-256. Boxes are fractions of the displayed page, from its top
left. Unknown fields are an error; a known field that this version does not do is ``not-available-yet`` when it differs
from its default (see ``not_yet``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["validation", "signature", "eidas_simple", "eidas_advanced"]
RoleName = Literal["validator", "signatory", "observer"]
FlowStateName = Literal["running", "suspended", "completed", "refused", "cancelled", "expired"]
RecipientStateName = Literal["waiting", "invited", "viewed", "approved", "signed", "refused", "skipped", "replaced"]


def _text_id(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


FileId = Annotated[str, BeforeValidator(_text_id), Field(pattern=r"^[0-9]{1,18}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Comment = Annotated[str, Field(max_length=4000)]
EmailText = Annotated[str, Field(min_length=3, max_length=254)]
TimeText = Annotated[str, Field(max_length=64)]
"""RFC 3339 with its zone, or a date: the end of that day."""
PersonName = Annotated[str, Field(max_length=120)]


class Model(BaseModel):
    """What is asked for: exactly these fields, of exactly these types. ``"consent": "yes"`` is no consent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


# ---- requests -------------------------------------------------------------------------------------------------------
class InspectRequest(Model):
    file_ids: Annotated[list[FileId], Field(min_length=1, max_length=100)]


class StampTexts(Model):
    texts: Annotated[list[Annotated[str, Field(max_length=400)]], Field(min_length=1, max_length=200)]


class DocumentIn(Model):
    file_id: FileId


class PersonIn(Model):
    """A platform user, or somebody outside by his address. ``comment``: what the sender tells this person alone."""

    user: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    email: EmailText | None = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}([_-][A-Za-z]{2,4})?$")] | None = None
    comment: Comment | None = None


class RecipientIn(PersonIn):
    role: RoleName | None = None
    step: Annotated[int, Field(ge=0, le=1000)] | None = None


class NOf(Model):
    n: Annotated[int, Field(ge=1, le=1000)]


class StepIn(Model):
    step: Annotated[int, Field(ge=0, le=1000)]
    rule: Literal["all", "any"] | NOf = "all"


class BoxModel(Model):
    x: Annotated[float, Field(allow_inf_nan=False)]
    y: Annotated[float, Field(allow_inf_nan=False)]
    w: Annotated[float, Field(allow_inf_nan=False)]
    h: Annotated[float, Field(allow_inf_nan=False)]


class PlacementIn(Model):
    document: Annotated[int, Field(ge=0)]
    page: Annotated[int, Field(ge=1)]
    recipient: Annotated[int, Field(ge=0)] | Literal["me"]
    box: BoxModel
    with_text: bool = False
    reason: Annotated[str, Field(max_length=200)] | None = None


class SaveIn(Model):
    mode: Literal["beside", "version", "folder"] = "beside"
    folder: Annotated[str, Field(max_length=4000)] | None = None


class LaunchRequest(Model):
    kind: Kind
    title: Annotated[str, Field(max_length=200)] | None = None
    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=100)]
    recipients: Annotated[list[RecipientIn], Field(max_length=200)] = []
    steps: Annotated[list[StepIn], Field(max_length=200)] | None = None
    placements: Annotated[list[PlacementIn], Field(max_length=5000)] = []
    comment: Comment | None = None
    copy_to_all: bool = False
    copy_emails: Annotated[list[EmailText], Field(max_length=200)] | None = None
    add_me: bool = False
    allow_delegation: bool = False
    expires_at: TimeText | None = None
    remind_every: int | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    save: SaveIn | None = None


class ViewRequest(Model):
    documents: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=100)] = []


class ApproveRequest(Model):
    documents: dict[Annotated[str, Field(pattern=r"^[0-9]{1,3}$")], Sha256]
    comment: Comment | None = None


class RefuseRequest(Model):
    reason: Annotated[str, Field(max_length=4000)]


class SignatureIn(Model):
    """``drawn``: from ``strokes``, else from ``png_base64``. ``typed``: from ``text``.

    A stroke is a list of points ``[x, y, width]`` in CSS pixels, y growing downwards.
    """

    kind: Literal["drawn", "image", "typed"]
    png_base64: str | None = None
    strokes: list[Any] | None = Field(default=None, examples=[[[[10, 20, 1.5], [40.5, 22, 2.8]]]])
    text: Annotated[str, Field(max_length=400)] | None = None


class SignRequest(Model):
    signature: SignatureIn
    consent: bool
    documents: dict[Annotated[str, Field(pattern=r"^[0-9]{1,3}$")], Sha256]
    code_token: str | None = None


# ---- answers --------------------------------------------------------------------------------------------------------
class Problem(Answer):
    """application/problem+json (RFC 9457). ``code`` is stable; ``title`` is a sentence in the caller's language."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str | None = None
    path: str | None = None
    errors: list[dict[str, Any]] = []


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

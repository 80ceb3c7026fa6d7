"""A signatory signs: every document of the collection gets his stamp and a seal, in one revision each, or none does.

The appended ``recipient.signed`` is the signature. What was made before it and never came into the chain is swept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

import structlog

from pdfops.errors import PdfError
from pdfops.lasting import Lasting
from pdfops.sandbox import Signed
from pdfops.seal import SealOrder
from plugin.actions.acting import act
from plugin.actions.context import Context
from plugin.actions.finish import finish, targets_for_copies
from plugin.actions.names import clean_line
from plugin.actions.papers import UNATTESTED, unusable
from plugin.actions.places import Targets
from plugin.actions.revisions import add, fetch, may_come_late, take_back
from plugin.actions.together import together
from plugin.actions.waiting import COPIES, wait
from plugin.failpoints import reach
from plugin.flow.commands import Sign
from plugin.flow.decide import decide
from plugin.flow.errors import Invalid, ParapheurError, UnusableDocument
from plugin.flow.events import Consent, Event, SealedRevision, Trace
from plugin.flow.model import Document, Recipient
from plugin.ports_state import Loaded

log = structlog.get_logger()

InkPath = Literal["signature.png_base64", "signature.strokes", "signature.text"]


@dataclass(frozen=True, slots=True)
class Signing:
    """What the signatory sent. ``ink``, as it came: pen strokes (JSON), a name (text), or a PNG or JPEG; ``path``: the
    field it came in; ``shown``: document -> SHA-256 of what he saw."""

    kind: str
    ink: bytes | str
    path: InkPath
    shown: dict[int, str]
    consented: bool
    consent_text: str
    consent_language: str


def sign(
    ctx: Context, flow_id: str, recipient: str, signing: Signing, trace: Trace, link_round: int | None = None
) -> Loaded:
    """``link_round``: of the link by which he acts; None: in his session.

    Raises: NotFound, Conflict, Invalid, UnusableDocument, Unavailable.
    """
    ink = _normalised(ctx, signing)
    reach("ink-made")
    command = Sign(
        recipient=recipient,
        shown=signing.shown,
        consented=signing.consented,
        sealed=None,
        signature_kind=signing.kind,
        ink_sha256=hashlib.sha256(ink).hexdigest(),
        consent=Consent(
            signing.consent_text,
            signing.consent_language,
            hashlib.sha256(signing.consent_text.encode()).hexdigest(),
        ),
        trace=trace,
        link_round=link_round,
    )

    known: Targets = {}
    uploaded: set[str] = set()

    def seal_and_decide(loaded: Loaded) -> list[Event]:
        nonlocal known
        now = ctx.clock()
        decide(loaded.flow, command, now)
        is_last = loaded.flow.is_last_to_decide(recipient)
        lasting = ctx.lasting
        if lasting is not None:
            lasting = lasting.for_one_act()
            lasting = lasting if is_last else lasting.for_now()
        make = partial(_made, ctx, loaded, command=command, ink=ink, path=signing.path, now=now, lasting=lasting)
        made = together([partial(make, document) for document in loaded.flow.documents])
        uploaded.update(one.signed.sha256 for one in made)
        lay = [partial(_laid, ctx, loaded, one, command) for one in made]
        check = [partial(_check, ctx, one) for one in made]
        look = partial(targets_for_copies, ctx, loaded) if is_last else dict
        side_by_side: list[Callable[[], Any]] = [*lay, *check, look]
        try:
            *done, known = together(side_by_side)
        except UnusableDocument:
            for one in made:
                take_back(ctx, loaded, one.document, one.signed.sha256)
            raise
        reach("decided")
        return decide(loaded.flow, replace(command, sealed=tuple(done[: len(made)])), now)

    try:
        loaded = act(ctx, flow_id, recipient, trace, seal_and_decide, asks_for_jobs=False)
    except Exception:
        if uploaded:
            may_come_late(ctx, flow_id)
        raise
    if uploaded.difference(*(document.revisions for document in loaded.flow.documents)):
        may_come_late(ctx, flow_id)  # another try came first, and the flow may be over since
    try:
        if loaded.flow.all_decided and not loaded.flow.is_finished:
            return finish(ctx, flow_id, known)
    except ParapheurError as error:
        if not wait(ctx, flow_id, COPIES, error):
            log.warning("finish.later", flow=flow_id, reason=error.code)
    ctx.jobs.look_at(flow_id)  # not before: a job would compete with this request for the lease and the host
    return loaded


@dataclass(frozen=True, slots=True)
class _Made:
    """A new revision of a document, and the one before it."""

    document: Document
    before: bytes
    signed: Signed


def _normalised(ctx: Context, signing: Signing) -> bytes:
    """The ink as it is drawn. Raises: Invalid."""
    try:
        if isinstance(signing.ink, str):
            return ctx.workshop.normalise_typed(signing.ink)
        if signing.path == "signature.strokes":
            return ctx.workshop.normalise_strokes(signing.ink)
        return ctx.workshop.normalise_ink(signing.ink)
    except PdfError as error:
        characters = error.values.get("characters")
        if isinstance(signing.ink, str) and isinstance(characters, str):
            raise Invalid(signing.path, error.code, text=clean_line(signing.ink), characters=characters) from error
        raise Invalid(signing.path, error.code) from error


def _stamped(error: PdfError, recipient: Recipient) -> dict[str, str]:
    """Whose stamp it is, where a font is not there any more."""
    return {"text": clean_line(recipient.name)} if error.code == "glyph-missing" else {}


def _made(
    ctx: Context,
    loaded: Loaded,
    document: Document,
    command: Sign,
    ink: bytes,
    path: InkPath,
    now: datetime,
    lasting: Lasting | None,
) -> _Made:
    before = fetch(ctx, loaded, document, document.current_sha256)
    recipient = loaded.flow.recipient(command.recipient)
    order = _order(ctx, loaded, document, recipient, ink, now)
    try:
        signed = ctx.workshop.sign(before, order, ctx.signer, lasting)
    except PdfError as error:
        if error.code in UNATTESTED:
            log.warning("seal.not_attested", code=error.code, reason=error.values.get("reason"))
        raise unusable(error, document.file_id, document.name.value or "", **_stamped(error, recipient)) from error
    if len(signed.data) - len(before) > ctx.limits.growth_bytes:
        raise Invalid(path, "too-much-growth")
    reach("sealed")
    return _Made(document, before, signed)


def _check(ctx: Context, made: _Made) -> None:
    """While the revision is on its way: the chain speaks of nothing that has not passed. Raises: UnusableDocument."""
    try:
        ctx.workshop.check(made.before, made.signed)
    except PdfError as error:
        raise unusable(error, made.document.file_id, made.document.name.value or "") from error


def _laid(ctx: Context, loaded: Loaded, made: _Made, command: Sign) -> SealedRevision:
    """Uploads a new revision and makes sure of it: the chain speaks of nothing that is not there."""
    number, signed = made.document.n, made.signed
    add(ctx, loaded, made.document, signed.data, signed.sha256)
    return SealedRevision(number, command.shown[number], signed.sha256, len(signed.data))


def _order(
    ctx: Context, loaded: Loaded, document: Document, recipient: Recipient, ink: bytes, now: datetime
) -> SealOrder:
    flow = loaded.flow
    placements = flow.placements_of(recipient.id, document.n)
    name = clean_line(recipient.name, 120)
    reasons = [clean_line(p.reason.value) for p in placements if p.reason is not None and p.reason.value]
    texts = {
        p.field: ctx.wording.stamp_lines(
            flow.language, name, now, flow.time_zone, clean_line(p.reason.value or "") if p.reason else None
        )
        for p in placements
        if p.with_text
    }
    return SealOrder(
        fields=tuple(p.field for p in placements),
        ink=ink,
        texts=texts,
        name=ctx.wording.seal_name(flow.language, name),
        reason=reasons[0] if reasons else "",
        signing_time=now,
    )

"""The acts of a recipient, the same for a link and for a platform user: turn first, body after, then the action."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from plugin.actions.acting import check_known, check_may_act, load
from plugin.actions.approve import approve
from plugin.actions.delegate import check_may_delegate, delegate
from plugin.actions.refuse import refuse
from plugin.actions.sign import InkPath, Signing, sign
from plugin.actions.view import view
from plugin.flow.decide import check_turn
from plugin.flow.errors import Conflict, Invalid, NotAvailableYet, NotFound, Refused
from plugin.flow.events import Trace
from plugin.flow.model import RecipientState
from plugin.i18n import mark as _
from plugin.i18n import translations
from plugin.ports_state import Loaded
from plugin.web.bodies import body, trace
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.orders import person_of
from plugin.web.schemas_asked import ApproveRequest, RefuseRequest, SignatureIn, SignRequest, ViewRequest
from plugin.web.schemas_steering import DelegateRequest

IMAGE_LIMIT = 2_000_000
ONE = _("I have read the document. I agree to sign it electronically and be bound by this signature.")
MANY = _("I have read the %(count)s documents. I agree to sign them electronically and be bound by this signature.")

Act = Callable[[str, str, int | None], Loaded]
"""Takes flow, recipient, and the round of the link by which he acts; None: in his session."""


def act_of(name: str) -> Act:
    """Raises: NotFound for a name that is no act."""
    try:
        return _ACTS[name]
    except KeyError as error:
        raise NotFound from error


def consent_text(documents: int, lang: str) -> str:
    """The sentence that a signatory agrees to; it is recorded word for word."""
    words = translations(lang)
    return words.gettext(ONE) if documents == 1 else words.gettext(MANY) % {"count": documents}


def _view(flow_id: str, recipient: str, link_round: int | None) -> Loaded:
    ctx = office().ctx
    loaded = load(ctx, flow_id)
    check_known(loaded)
    check_turn(loaded.flow, recipient, ctx.clock())
    asked = body(ViewRequest)
    return view(ctx, flow_id, recipient, frozenset(asked.documents), link_round)


def _approve(flow_id: str, recipient: str, link_round: int | None) -> Loaded:
    trace_, done = _before(flow_id, recipient, "approve")
    if done is not None:
        return done
    asked = body(ApproveRequest)
    return approve(office().ctx, flow_id, recipient, _shown(asked.documents), asked.comment, trace_, link_round)


def _refuse(flow_id: str, recipient: str, link_round: int | None) -> Loaded:
    trace_, done = _before(flow_id, recipient, "refuse")
    if done is not None:
        return done
    return refuse(office().ctx, flow_id, recipient, body(RefuseRequest).reason, trace_, link_round)


def _sign(flow_id: str, recipient: str, link_round: int | None) -> Loaded:
    trace_, done = _before(flow_id, recipient, "sign")
    if done is not None:
        return done
    asked = body(SignRequest)
    if asked.code_token is not None:
        raise NotAvailableYet("code_token")
    lang = language(load(office().ctx, flow_id).flow.recipient(recipient).language)
    ink, path = _ink(asked.signature)
    signing = Signing(
        kind=asked.signature.kind,
        ink=ink,
        path=path,
        shown=_shown(asked.documents),
        consented=asked.consent,
        consent_text=consent_text(len(asked.documents), lang),
        consent_language=lang,
    )
    return sign(office().ctx, flow_id, recipient, signing, trace_, link_round)


def _delegate(flow_id: str, recipient: str, link_round: int | None) -> Loaded:
    """Whoever came by a link names an address: the platform's users are none of an outsider's business."""
    ctx = office().ctx
    is_done = check_may_delegate(ctx, flow_id, recipient)
    try:
        sent = body(DelegateRequest)
        if sent.user is not None and load(ctx, flow_id).flow.recipient(recipient).is_external:
            raise Invalid("user", "email-only")
        asked = person_of(sent)
    except Refused as error:
        if is_done:
            raise Conflict("replaced", state=str(RecipientState.REPLACED)) from error
        raise
    came = trace(recipient, f"delegate {flow_id} {recipient}")
    return delegate(ctx, flow_id, recipient, asked, came, link_round)


def _before(flow_id: str, recipient: str, act: str) -> tuple[Trace, Loaded | None]:
    trace_ = trace(recipient, f"{act} {flow_id} {recipient}")
    return trace_, check_may_act(office().ctx, flow_id, recipient, trace_)


def _shown(documents: dict[str, str]) -> dict[int, str]:
    return {int(n): sha for n, sha in documents.items()}


def _ink(sent: SignatureIn) -> tuple[bytes | str, InkPath]:
    """What is drawn of what was sent: the text of a typed signature, the strokes of a drawn one, or else the image."""
    if sent.kind == "typed":
        if not sent.text or not sent.text.strip():
            raise Invalid("signature.text", "field-missing")
        return sent.text, "signature.text"
    if sent.kind == "drawn" and (sent.strokes or (sent.strokes is not None and not sent.png_base64)):
        return json.dumps(sent.strokes).encode("ascii"), "signature.strokes"
    return _image(sent.png_base64), "signature.png_base64"


def _image(encoded: str | None) -> bytes:
    if not encoded:
        raise Invalid("signature.png_base64", "field-missing")
    text = encoded.partition(",")[2] if encoded.startswith("data:image/") else encoded
    if len(text) > IMAGE_LIMIT * 4 // 3 + 4:
        raise Invalid("signature.png_base64", "image-too-large")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Invalid("signature.png_base64", "bad-image") from error


_ACTS: dict[str, Act] = {"view": _view, "approve": _approve, "refuse": _refuse, "sign": _sign, "delegate": _delegate}

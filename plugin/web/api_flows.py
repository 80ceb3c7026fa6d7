"""Flows for platform users: launch, list, read, decide."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.wrappers import Response as BaseResponse

from pdfops.errors import PdfError
from plugin.actions.acting import load_for
from plugin.actions.evidence import evidence
from plugin.actions.hands import troubled_flows
from plugin.actions.launch import launch
from plugin.actions.papers import unusable
from plugin.actions.progress import progress
from plugin.dossier import NotARecord, dossier
from plugin.flow.decide import check_turn
from plugin.flow.errors import Conflict, NotFound, Unavailable
from plugin.flow.model import Document, Flow, Recipient
from plugin.flow.tokens import request_digest
from plugin.i18n import translations
from plugin.ports_state import Loaded
from plugin.web.acts import act_of, consent_text
from plugin.web.bodies import JSON_LIMIT, MAX_KEY, body, idempotency_key, key_digest, raw_body
from plugin.web.callers import is_admin, steers_as_admin, user, user_acting, user_token
from plugin.web.downloads import document_answer
from plugin.web.headers import attachment, download
from plugin.web.images import page_answer
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.openapi import answers, spec
from plugin.web.orders import order_of
from plugin.web.page_state import check_may_read, has_copies, own_part
from plugin.web.reading import Reader, read_flow, read_for_recipient, time
from plugin.web.schemas import CreatorOut, FlowList, FlowOut, FlowSummary, LaunchProgress, LinkFlowOut
from plugin.web.schemas_asked import ApproveRequest, LaunchRequest, RefuseRequest, SignRequest, ViewRequest
from plugin.web.schemas_steering import DelegateRequest

api = Blueprint("flows", __name__, url_prefix="/api/v1/flows")
launches = Blueprint("launches", __name__, url_prefix="/api/v1/launches")

PAGE_SIZE = 50
BOXES = ("todo", "sent", "done")


@api.post("")
@user_acting
@spec.validate(json=LaunchRequest, resp=answers(HTTP_201=FlowOut), skip_validation=True)
def create() -> Response:
    ctx = office().ctx
    uid = g.uid
    asked = body(LaunchRequest)
    digest = request_digest(office().secrets.request_key, f"launch {uid}", raw_body(JSON_LIMIT))
    person = ctx.directory.person(uid)
    zone = (person.time_zone if person else None) or ctx.default_time_zone
    order = order_of(asked, uid, zone, ctx.habits, ctx.clock(), digest, idempotency_key(f"launch {uid}"))
    loaded = launch(ctx, uid, order)
    answer = _flow_answer(loaded, Reader(_own_id(loaded.flow, uid), sees_all=True, uid=uid))
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/flows/{loaded.flow.id}"
    return answer


@launches.get("/<key>")
@user
@spec.validate(resp=answers(HTTP_200=LaunchProgress), skip_validation=True)
def launching(key: str) -> Response:
    """How far the launch is that this user asked for with this Idempotency-Key. Always 200: pages may poll it."""
    found = progress(office().ctx, g.uid, key_digest(f"launch {g.uid}", key[:MAX_KEY]))
    return jsonify(LaunchProgress(**asdict(found)).model_dump())


@api.get("")
@user
@spec.validate(resp=answers(HTTP_200=FlowList), skip_validation=True)
def listing() -> Response:
    """``box=hand``, for admins alone: flows that need a hand."""
    box = request.args.get("box", "sent")
    ctx = office().ctx
    if box == "hand" and is_admin(g.uid):
        rows = troubled_flows(ctx.vault, ctx.index, PAGE_SIZE)
    elif box in BOXES:
        text, state = request.args.get("q", "")[:200], request.args.get("state", "")[:20]
        account = ctx.accounts.id(g.uid)
        rows = ctx.index.box(g.uid, account, box, text, state, request.args.get("cursor"), PAGE_SIZE + 1)
    else:
        raise NotFound
    flows = [
        FlowSummary(
            id=row.flow_id,
            kind=row.kind,  # type: ignore[arg-type]  # a word of the enumeration
            state=row.state,  # type: ignore[arg-type]  # a word of the enumeration
            title=row.title,
            creator=CreatorOut(user=row.creator, name=row.creator_name, email=row.creator_email),
            created_at=time(row.created_at) or "",
            updated_at=time(row.updated_at) or "",
            steps_done=row.steps_done,
            steps_total=row.steps_total,
            my_turn=row.my_turn,
        )
        for row in rows[:PAGE_SIZE]
    ]
    more = flows[-1].id if len(rows) > PAGE_SIZE else None
    return jsonify(FlowList(flows=flows, next_cursor=more).model_dump())


@api.get("/<flow_id>")
@user
@spec.validate(resp=answers(HTTP_200=FlowOut), skip_validation=True)
def one(flow_id: str) -> Response:
    loaded, reader = readable(flow_id)
    return _flow_answer(loaded, reader)


@api.get("/<flow_id>/flow.json")
@user
@spec.validate(resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def as_recipient(flow_id: str) -> Response:
    """What this user reads as a recipient: the same shape as behind a link."""
    loaded, recipient = _as_recipient(flow_id)
    return _as_he_reads(loaded, recipient.id)


def _as_he_reads(loaded: Loaded, recipient_id: str) -> Response:
    recipient, now = loaded.flow.recipient(recipient_id), office().ctx.clock()
    consent = consent_text(len(loaded.flow.documents), language(recipient.language))
    return jsonify(read_for_recipient(loaded, recipient, user_token(g.uid), consent, now).model_dump())


@api.get("/<flow_id>/documents/<int:n>")
@user
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def document(flow_id: str, n: int) -> BaseResponse:
    loaded, found = _readable_document(flow_id, n)
    return document_answer(loaded, found)


@api.get("/<flow_id>/documents/<int:n>/pages/<int:page>")
@user
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def page(flow_id: str, n: int, page: int) -> Response:
    loaded, found = _readable_document(flow_id, n)
    return page_answer(loaded, found, page)


@api.get("/<flow_id>/evidence")
@user
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def evidence_record(flow_id: str) -> Response:
    """The full record as signed JSON, or as a sealed PDF with that record inside, for the creator and admins."""
    loaded, reader = readable(flow_id)
    if not reader.sees_all:
        raise NotFound
    wanted = request.accept_mimetypes.best_match(["application/json", "application/pdf"])
    if wanted == "application/pdf" or request.args.get("format") == "pdf":
        return _dossier(loaded)
    answer = jsonify(evidence(office().ctx, loaded))
    answer.headers["Content-Disposition"] = attachment(f"{loaded.flow.id}.json")
    return answer


def _dossier(loaded: Loaded) -> Response:
    ctx, lang = office().ctx, language()
    try:
        data = dossier(evidence(ctx, loaded), lang, f"{office().public_url}/verify", ctx.workshop, ctx.signer)
    except PdfError as error:
        raise unusable(error, "", "") from error
    except NotARecord as error:
        raise Unavailable from error
    ending = translations(lang).gettext("evidence record")
    return download(data, "application/pdf", f"{loaded.flow.title.value or loaded.flow.id} ({ending}).pdf")


@api.post("/<flow_id>/view")
@user_acting
@spec.validate(json=ViewRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def view(flow_id: str) -> Response:
    return _act(flow_id, "view")


@api.post("/<flow_id>/approve")
@user_acting
@spec.validate(json=ApproveRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def approve(flow_id: str) -> Response:
    return _act(flow_id, "approve")


@api.post("/<flow_id>/refuse")
@user_acting
@spec.validate(json=RefuseRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def refuse(flow_id: str) -> Response:
    return _act(flow_id, "refuse")


@api.post("/<flow_id>/sign")
@user_acting
@spec.validate(json=SignRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def sign(flow_id: str) -> Response:
    return _act(flow_id, "sign")


@api.post("/<flow_id>/delegate")
@user_acting
@spec.validate(json=DelegateRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def delegate(flow_id: str) -> Response:
    """A recipient puts somebody in his own place, where the creator allowed it; nothing of it is his business then."""
    _, own = _as_recipient(flow_id)
    return _as_he_reads(act_of("delegate")(flow_id, own.id, None), own.id)


def readable(flow_id: str) -> tuple[Loaded, Reader]:
    """The flow for who may read it: creator, admin, recipients once their turn has come.

    Raises: NotFound; Conflict("not-your-turn").
    """
    ctx = office().ctx
    uid: str = g.uid
    loaded = load_for(ctx, flow_id, uid)
    flow = loaded.flow
    own = own_part(flow, uid)
    if flow.creator.user.value == uid or steers_as_admin(uid, own):
        return loaded, Reader(own.id if own else None, sees_all=True, uid=uid)
    if own is None:
        raise NotFound
    check_may_read(flow, own, ctx.clock())
    return loaded, Reader(own.id, sees_all=False, uid=uid)


def _readable_document(flow_id: str, n: int) -> tuple[Loaded, Document]:
    """The host is asked whether somebody is an admin only where he may not read it as a recipient."""
    loaded, uid = load_for(office().ctx, flow_id, g.uid), g.uid
    flow, own, now = loaded.flow, own_part(loaded.flow, g.uid), office().ctx.clock()
    document = flow.documents[n] if n < len(flow.documents) else None
    if own is not None and flow.creator.user.value != uid:
        try:
            check_may_read(flow, own, now)
            if document is not None and not has_copies(flow, own, now):
                check_turn(flow, own.id, now)
        except Conflict:
            if not steers_as_admin(uid, own):
                raise
    elif flow.creator.user.value != uid and not is_admin(uid):
        raise NotFound
    if document is None:
        raise NotFound
    return loaded, document


def _own_id(flow: Flow, uid: str) -> str | None:
    own = own_part(flow, uid)
    return own.id if own is not None else None


def _as_recipient(flow_id: str) -> tuple[Loaded, Recipient]:
    loaded = load_for(office().ctx, flow_id, g.uid)
    own = own_part(loaded.flow, g.uid)
    if own is None:
        raise NotFound
    return loaded, own


def _act(flow_id: str, name: str) -> Response:
    loaded, own = _as_recipient(flow_id)
    loaded = act_of(name)(flow_id, own.id, None)
    sees_all = loaded.flow.creator.user.value == g.uid
    return _flow_answer(loaded, Reader(own.id, sees_all=sees_all, uid=g.uid))


def _flow_answer(loaded: Loaded, reader: Reader) -> Response:
    read: dict[str, Any] = read_flow(loaded, reader).model_dump()
    return jsonify(read)

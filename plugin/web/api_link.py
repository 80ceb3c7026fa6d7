"""What an external person's link leads to, as JSON, files and pictures. The page itself is in ``pages``."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, jsonify
from werkzeug.wrappers import Response as BaseResponse

from plugin.flow.decide import check_turn
from plugin.flow.errors import NotAvailableYet, NotFound
from plugin.flow.model import Document
from plugin.web.acts import act_of, consent_text
from plugin.web.callers import Held, link, link_acting, token_of_link
from plugin.web.downloads import document_answer
from plugin.web.images import page_answer
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.openapi import answers, spec
from plugin.web.page_state import has_copies
from plugin.web.reading import read_for_recipient
from plugin.web.schemas import LinkFlowOut
from plugin.web.schemas_asked import ApproveRequest, RefuseRequest, SignRequest, ViewRequest
from plugin.web.schemas_steering import DelegateRequest

api = Blueprint("link", __name__, url_prefix="/s")


@api.get("/<token>/flow.json")
@link
@spec.validate(resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def flow_json(held: Held) -> Response:
    return jsonify(read_link(held).model_dump())


def read_link(held: Held) -> LinkFlowOut:
    consent = consent_text(len(held.loaded.flow.documents), language(held.recipient.language))
    csrf, now = token_of_link(held.token, held.round), office().ctx.clock()
    return read_for_recipient(held.loaded, held.recipient, csrf, consent, now, is_old_link=held.is_old)


@api.get("/<token>/documents/<int:n>")
@link
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def document(held: Held, n: int) -> BaseResponse:
    return document_answer(held.loaded, _shown(held, n))


@api.get("/<token>/documents/<int:n>/pages/<int:page>")
@link
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def page(held: Held, n: int, page: int) -> Response:
    return page_answer(held.loaded, _shown(held, n), page)


@api.post("/<token>/view")
@link_acting
@spec.validate(json=ViewRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def view(held: Held) -> Response:
    return _act(held, "view")


@api.post("/<token>/approve")
@link_acting
@spec.validate(json=ApproveRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def approve(held: Held) -> Response:
    return _act(held, "approve")


@api.post("/<token>/refuse")
@link_acting
@spec.validate(json=RefuseRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def refuse(held: Held) -> Response:
    return _act(held, "refuse")


@api.post("/<token>/sign")
@link_acting
@spec.validate(json=SignRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def sign(held: Held) -> Response:
    return _act(held, "sign")


@api.post("/<token>/delegate")
@link_acting
@spec.validate(json=DelegateRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def delegate(held: Held) -> Response:
    return _act(held, "delegate")


@api.post("/<token>/<any(code, identity):what>")
@api.post("/<token>/<any(code):what>/verify")
@link_acting
def later(held: Held, what: str) -> Response:
    raise NotAvailableYet(what)


def _act(held: Held, name: str) -> Response:
    after = act_of(name)(held.loaded.flow.id, held.recipient.id, held.round)
    recipient = after.flow.recipient(held.recipient.id)
    return jsonify(read_link(replace(held, loaded=after, recipient=recipient)).model_dump())


def _shown(held: Held, n: int) -> Document:
    """A document while it is this person's turn, or the signed copy where entitled. Raises: Conflict, NotFound."""
    held.check_newest()
    flow, now = held.loaded.flow, office().ctx.clock()
    if not has_copies(flow, held.recipient, now):
        check_turn(flow, held.recipient.id, now)
    if n >= len(flow.documents):
        raise NotFound
    return flow.documents[n]

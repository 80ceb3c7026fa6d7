"""What an external person's link leads to, as JSON, files and pictures. The page itself is in ``pages``."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from werkzeug.wrappers import Response as BaseResponse

from plugin.flow.decide import check_turn
from plugin.flow.errors import NotAvailableYet, NotFound
from plugin.flow.model import Document, Recipient
from plugin.ports import Loaded
from plugin.web.acts import act_of, consent_text
from plugin.web.callers import link, link_acting, token_of_link
from plugin.web.downloads import document_answer
from plugin.web.images import page_answer
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.openapi import answers, spec
from plugin.web.reading import has_copies, read_for_recipient
from plugin.web.schemas import ApproveRequest, LinkFlowOut, RefuseRequest, SignRequest, ViewRequest

api = Blueprint("link", __name__, url_prefix="/s")


@api.get("/<token>/flow.json")
@link
@spec.validate(resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def flow_json(token: str, loaded: Loaded, recipient: Recipient) -> Response:
    return jsonify(read_link(token, loaded, recipient).model_dump())


def read_link(token: str, loaded: Loaded, recipient: Recipient) -> LinkFlowOut:
    consent = consent_text(len(loaded.flow.documents), language(recipient.language))
    csrf = token_of_link(token, recipient.round)
    return read_for_recipient(loaded, recipient, csrf, consent, office().ctx.clock())


@api.get("/<token>/documents/<int:n>")
@link
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def document(token: str, loaded: Loaded, recipient: Recipient, n: int) -> BaseResponse:
    return document_answer(loaded, _shown(loaded, recipient, n))


@api.get("/<token>/documents/<int:n>/pages/<int:page>")
@link
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def page(token: str, loaded: Loaded, recipient: Recipient, n: int, page: int) -> Response:
    return page_answer(loaded, _shown(loaded, recipient, n), page)


@api.post("/<token>/view")
@link_acting
@spec.validate(json=ViewRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def view(token: str, loaded: Loaded, recipient: Recipient) -> Response:
    return _act(token, loaded, recipient, "view")


@api.post("/<token>/approve")
@link_acting
@spec.validate(json=ApproveRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def approve(token: str, loaded: Loaded, recipient: Recipient) -> Response:
    return _act(token, loaded, recipient, "approve")


@api.post("/<token>/refuse")
@link_acting
@spec.validate(json=RefuseRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def refuse(token: str, loaded: Loaded, recipient: Recipient) -> Response:
    return _act(token, loaded, recipient, "refuse")


@api.post("/<token>/sign")
@link_acting
@spec.validate(json=SignRequest, resp=answers(HTTP_200=LinkFlowOut), skip_validation=True)
def sign(token: str, loaded: Loaded, recipient: Recipient) -> Response:
    return _act(token, loaded, recipient, "sign")


@api.post("/<token>/<any(code, identity):what>")
@api.post("/<token>/<any(code):what>/verify")
@link_acting
def later(token: str, loaded: Loaded, recipient: Recipient, what: str) -> Response:
    raise NotAvailableYet(what)


def _act(token: str, loaded: Loaded, recipient: Recipient, name: str) -> Response:
    after = act_of(name)(loaded.flow.id, recipient.id)
    return jsonify(read_link(token, after, after.flow.recipient(recipient.id)).model_dump())


def _shown(loaded: Loaded, recipient: Recipient, n: int) -> Document:
    """A document while it is this person's turn, or the signed copy where entitled. Raises: Conflict, NotFound."""
    if not has_copies(loaded.flow, recipient, office().ctx.clock()):
        check_turn(loaded.flow, recipient.id, office().ctx.clock())
    if n >= len(loaded.flow.documents):
        raise NotFound
    return loaded.flow.documents[n]

"""Drafts and templates. What is not the caller's, nor shared with him, is not there."""

from __future__ import annotations

from flask import Blueprint, Response, g, json, jsonify

from plugin.actions.keep import Content, change, keep, keeper, listed, read, throw_away
from plugin.flow.errors import Refused
from plugin.ports_shelf import Keeper, Kept, KeptKind
from plugin.web.bodies import body
from plugin.web.callers import user, user_acting
from plugin.web.office import office
from plugin.web.openapi import answers, spec
from plugin.web.reading import time
from plugin.web.schemas_shelf import (
    DraftIn,
    DraftList,
    DraftOut,
    DraftSummary,
    TemplateBody,
    TemplateIn,
    TemplateList,
    TemplateOut,
    TemplateSummary,
)

api = Blueprint("shelf", __name__, url_prefix="/api/v1")

BODY_LIMIT = 500_000
DRAFT, TEMPLATE = KeptKind.DRAFT, KeptKind.TEMPLATE


@api.get("/templates")
@user
@spec.validate(resp=answers(HTTP_200=TemplateList), skip_validation=True)
def templates() -> Response:
    """The caller's own, and those that his groups share."""
    who = _who()
    found = [_template_summary(kept, who) for kept in listed(office().ctx, office().shelf, TEMPLATE, who)]
    return jsonify(TemplateList(templates=found).model_dump())


@api.post("/templates")
@user_acting
@spec.validate(json=TemplateIn, resp=answers(HTTP_201=TemplateOut), skip_validation=True)
def new_template() -> Response:
    who = _who()
    return _created("templates", keep(office().ctx, office().shelf, TEMPLATE, who, _template_content()), who)


@api.get("/templates/<kept_id>")
@user
@spec.validate(resp=answers(HTTP_200=TemplateOut), skip_validation=True)
def template(kept_id: str) -> Response:
    who = _who()
    return _answer(read(office().ctx, office().shelf, TEMPLATE, who, kept_id), who)


@api.put("/templates/<kept_id>")
@user_acting
@spec.validate(json=TemplateIn, resp=answers(HTTP_200=TemplateOut), skip_validation=True)
def other_template(kept_id: str) -> Response:
    who = _who()
    return _answer(change(office().ctx, office().shelf, TEMPLATE, who, kept_id, _template_content()), who)


@api.delete("/templates/<kept_id>")
@user_acting
@spec.validate(resp=answers(HTTP_204=None), skip_validation=True)
def no_template(kept_id: str) -> Response:
    throw_away(office().shelf, TEMPLATE, _who(), kept_id)
    return Response(status=204)


@api.get("/drafts")
@user
@spec.validate(resp=answers(HTTP_200=DraftList), skip_validation=True)
def drafts() -> Response:
    found = [_draft_summary(kept) for kept in listed(office().ctx, office().shelf, DRAFT, _who())]
    return jsonify(DraftList(drafts=found).model_dump())


@api.post("/drafts")
@user_acting
@spec.validate(json=DraftIn, resp=answers(HTTP_201=DraftOut), skip_validation=True)
def new_draft() -> Response:
    who = _who()
    return _created("drafts", keep(office().ctx, office().shelf, DRAFT, who, _draft_content()), who)


@api.get("/drafts/<kept_id>")
@user
@spec.validate(resp=answers(HTTP_200=DraftOut), skip_validation=True)
def draft(kept_id: str) -> Response:
    who = _who()
    return _answer(read(office().ctx, office().shelf, DRAFT, who, kept_id), who)


@api.put("/drafts/<kept_id>")
@user_acting
@spec.validate(json=DraftIn, resp=answers(HTTP_200=DraftOut), skip_validation=True)
def other_draft(kept_id: str) -> Response:
    who = _who()
    return _answer(change(office().ctx, office().shelf, DRAFT, who, kept_id, _draft_content()), who)


@api.delete("/drafts/<kept_id>")
@user_acting
@spec.validate(resp=answers(HTTP_204=None), skip_validation=True)
def no_draft(kept_id: str) -> Response:
    throw_away(office().shelf, DRAFT, _who(), kept_id)
    return Response(status=204)


def _who() -> Keeper:
    return keeper(office().ctx, g.uid)


def _template_content() -> Content:
    sent = body(TemplateIn)
    return Content(sent.name, sent.group or "", _kept_body(sent.body))


def _draft_content() -> Content:
    sent = body(DraftIn)
    return Content(sent.name, "", _kept_body(sent.body))


def _kept_body(sent: TemplateBody) -> str:
    """What was sent, without what was not. Raises: Refused too-large."""
    text = sent.model_dump_json(exclude_unset=True)
    if len(text.encode()) > BODY_LIMIT:
        raise Refused("too-large")
    return text


def _created(where: str, kept: Kept, who: Keeper) -> Response:
    answer = _answer(kept, who)
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/{where}/{kept.id}"
    return answer


def _answer(kept: Kept, who: Keeper) -> Response:
    """``body`` as it was sent: what was left out stays left out, so that the administrator's habits hold."""
    summary = _draft_summary(kept) if kept.kind is DRAFT else _template_summary(kept, who)
    return jsonify({**summary.model_dump(), "body": json.loads(kept.body)})


def _template_summary(kept: Kept, who: Keeper) -> TemplateSummary:
    return TemplateSummary(
        id=kept.id,
        name=kept.name,
        group=kept.group or None,
        mine=kept.owner == who,
        created_at=time(kept.created_at) or "",
        updated_at=time(kept.updated_at) or "",
    )


def _draft_summary(kept: Kept) -> DraftSummary:
    return DraftSummary(
        id=kept.id, name=kept.name, created_at=time(kept.created_at) or "", updated_at=time(kept.updated_at) or ""
    )

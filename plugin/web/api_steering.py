"""What a flow's creator and administrators do to it while it is on its way; to everybody else it is not there."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify

from plugin.actions.acting import load_for
from plugin.actions.cancel import cancel
from plugin.actions.erase import erase
from plugin.actions.extend import extend
from plugin.actions.remind import remind
from plugin.actions.renew import renew
from plugin.actions.replace import replace
from plugin.actions.resume import resume
from plugin.flow.errors import NotAvailableYet, NotFound
from plugin.flow.model import By, Flow
from plugin.i18n import translations
from plugin.ports_state import Loaded
from plugin.web.bodies import body
from plugin.web.callers import is_admin, user_acting
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.openapi import answers, spec
from plugin.web.orders import person_of
from plugin.web.page_state import own_part
from plugin.web.reading import Reader, read_flow
from plugin.web.schemas import FlowOut
from plugin.web.schemas_steering import CancelRequest, ExtendRequest, RemindRequest, ReplaceRequest, ResumeRequest
from plugin.web.times import deadline
from plugin.web.warnings import ERASED_HERE

api = Blueprint("steering", __name__, url_prefix="/api/v1/flows")


@api.post("/<flow_id>/remind")
@user_acting
@spec.validate(json=RemindRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def remind_now(flow_id: str) -> Response:
    """Whoever's turn it is hears of it again."""
    _, by = _steered(flow_id)
    asked = body(RemindRequest).recipients
    return _answer(remind(office().ctx, flow_id, tuple(asked) if asked is not None else None, by))


@api.post("/<flow_id>/cancel")
@user_acting
@spec.validate(json=CancelRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def call_off(flow_id: str) -> Response:
    """The flow ends; everybody who took part is told, with the reason."""
    _, by = _steered(flow_id)
    return _answer(cancel(office().ctx, flow_id, body(CancelRequest).reason, by))


@api.post("/<flow_id>/extend")
@user_acting
@spec.validate(json=ExtendRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def give_time(flow_id: str) -> Response:
    """A later deadline."""
    flow, by = _steered(flow_id)
    expires_at = deadline("expires_at", body(ExtendRequest).expires_at, flow.time_zone)
    return _answer(extend(office().ctx, flow_id, expires_at, by))


@api.post("/<flow_id>/resume")
@user_acting
@spec.validate(json=ResumeRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def choose(flow_id: str) -> Response:
    """A suspended flow goes on with the content pinned at launch, begins again, or ends."""
    _, by = _steered(flow_id)
    return _answer(resume(office().ctx, flow_id, body(ResumeRequest).choice, str(by)))


@api.put("/<flow_id>/recipients/<rid>")
@user_acting
@spec.validate(json=ReplaceRequest, resp=answers(HTTP_200=FlowOut), skip_validation=True)
def put_in_place(flow_id: str, rid: str) -> Response:
    """Somebody else takes this recipient's place, his stamps included; the first one stays in the record."""
    _, by = _steered(flow_id)
    return _answer(replace(office().ctx, flow_id, rid, person_of(body(ReplaceRequest)), by))


@api.post("/<flow_id>/recipients/<rid>/link")
@user_acting
@spec.validate(resp=answers(HTTP_200=FlowOut), skip_validation=True)
def new_link(flow_id: str, rid: str) -> Response:
    """A new link by mail; the one before acts no more."""
    _, by = _steered(flow_id)
    return _answer(renew(office().ctx, flow_id, rid, by))


@api.post("/<flow_id>/recipients/<rid>/erase")
@user_acting
@spec.validate(resp=answers(HTTP_200=FlowOut), skip_validation=True)
def erase_person(flow_id: str, rid: str) -> Response:
    """For admins: what is known of this person (``creator``, too) can be read by nobody any more."""
    if not is_admin(g.uid):
        raise NotFound
    ctx = office().ctx
    done = erase(ctx.flows, ctx.accounts, ctx.clock, flow_id, rid)
    return _answer(done.loaded, *([] if done.is_beside else [ERASED_HERE]))


@api.post("/<flow_id>/recipients/<rid>/unlock")
@user_acting
def unlock(flow_id: str, rid: str) -> Response:
    _steered(flow_id)
    raise NotAvailableYet("unlock")


def _steered(flow_id: str) -> tuple[Flow, By]:
    """Raises: NotFound, to recipients as to everybody else."""
    flow = load_for(office().ctx, flow_id, g.uid).flow
    if flow.creator.user.value == g.uid:
        return flow, By.CREATOR
    if is_admin(g.uid):
        return flow, By.ADMIN
    raise NotFound


def _answer(loaded: Loaded, *more: str) -> Response:
    """``more``: what there is to know besides, among the warnings."""
    own = own_part(loaded.flow, g.uid)
    reader = Reader(own.id if own is not None else None, sees_all=True, uid=g.uid)
    read = read_flow(loaded, reader).model_dump()
    words = translations(language()).gettext
    return jsonify({**read, "warnings": [*map(words, more), *read["warnings"]]})

"""What a platform user asks before a flow exists: who am I, which types fit, are these files fit, who is there."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify, request

from pdfops.errors import PdfError
from pdfops.preview import ImageFormat
from plugin.actions.acting import load_for
from plugin.actions.documents import Examined, examine, page_image, put_beside, starts_as_pdf
from plugin.actions.may_launch import in_groups, too_large_to_approve
from plugin.flow.errors import NotFound, Refused
from plugin.flow.model import Kind
from plugin.i18n import mark as _
from plugin.i18n import translations
from plugin.ports import Person
from plugin.web.bodies import body, one_file
from plugin.web.callers import is_admin, user, user_acting, user_token
from plugin.web.images import format_of_request, plain_image, width_of_request
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.openapi import answers, spec
from plugin.web.page_state import may_read, state_now
from plugin.web.problems import from_pdf_error, sentence
from plugin.web.reading import Reader, read_flow, time
from plugin.web.schemas import (
    DocumentProblem,
    FileFlow,
    FileFlows,
    InspectAnswer,
    Inspected,
    LimitsOut,
    Me,
    RecipientSuggestion,
    RecipientSuggestions,
    TypeInfo,
    Types,
    Undrawable,
    Uploaded,
)
from plugin.web.schemas_asked import InspectRequest, StampTexts

api = Blueprint("host", __name__, url_prefix="/api/v1")

PDF_ONLY = _("PDF only")
LATER = _("Not available yet")
TYPES = (
    ("validation", _("Document approval"), _("Approve or refuse, any file")),
    ("signature", _("Digitised"), _("Drawn stamp or image")),
    ("eidas_simple", _("eIDAS simple"), _("Trust provider, SMS code")),
    ("eidas_advanced", _("eIDAS advanced"), _("SMS and ID document")),
)


@api.get("/me")
@user
@spec.validate(resp=answers(HTTP_200=Me), skip_validation=True)
def me() -> Response:
    ctx = office().ctx
    person = _me()
    return jsonify(
        Me(
            user=person.uid,
            name=person.name,
            email=person.email,
            groups=list(person.groups),
            language=language(person.language),
            time_zone=person.time_zone or ctx.default_time_zone,
            is_admin="admin" in person.groups,
            csrf_token=user_token(g.uid),
            collection_limit_bytes=ctx.limits.collection_bytes,
            limits=LimitsOut(
                collection_bytes=ctx.limits.collection_bytes,
                validation_file_bytes=ctx.limits.validation_file_bytes,
                documents=ctx.limits.documents,
                recipients=ctx.limits.recipients,
            ),
        ).model_dump()
    )


def _me() -> Person:
    """Raises: NotFound: the host does not know its own user any more."""
    person = office().ctx.directory.person(g.uid)
    if person is None:
        raise NotFound
    return person


@api.get("/types")
@user
@spec.validate(resp=answers(HTTP_200=Types), skip_validation=True)
def types() -> Response:
    """Which types fit the selection, judged by content, and the person's groups; the others with their reason."""
    ctx = office().ctx
    lang = language()
    words = translations(lang).gettext
    person = _me()
    asked = request.args.get("file_ids", "").split(",")[:100]
    ids = [part for part in asked if part.isascii() and part.isdigit() and len(part) <= 18]
    found = []
    for kind, label, description in TYPES:
        code, reason = None, None
        if not in_groups(ctx.limits, person, Kind(kind)):
            code = "not-for-your-groups"
            reason = sentence(code, lang)
        elif kind.startswith("eidas"):
            code, reason = "not-available-yet", words(LATER)
        elif kind == "signature" and ids and not all(starts_as_pdf(ctx, g.uid, one) for one in ids):
            code, reason = "not-a-pdf", words(PDF_ONLY)
        found.append(
            TypeInfo(
                kind=kind,  # type: ignore[arg-type]  # a word of the enumeration
                label=words(label),
                description=words(description),
                available=code is None,
                code=code,
                reason=reason,
            )
        )
    return jsonify(Types(types=found).model_dump())


@api.post("/documents/inspect")
@user
@spec.validate(json=InspectRequest, resp=answers(HTTP_200=InspectAnswer), skip_validation=True)
def inspect() -> Response:
    """Changes nothing, so it needs no page token."""
    ctx = office().ctx
    lang = language()
    found = [_inspected(one, lang) for one in examine(ctx, g.uid, body(InspectRequest).file_ids)]
    limit = ctx.limits.collection_bytes
    answer = InspectAnswer(documents=found, total_bytes=sum(d.size_bytes for d in found), limit_bytes=limit)
    return jsonify(answer.model_dump())


@api.post("/stamps/undrawable")
@user
@spec.validate(json=StampTexts, resp=answers(HTTP_200=Undrawable), skip_validation=True)
def undrawable() -> Response:
    """Asked while stamps are placed, so that nobody hears of it only when all is done. Changes nothing."""
    try:
        missing = office().ctx.workshop.undrawable(body(StampTexts).texts)
    except PdfError as error:
        raise from_pdf_error(error) from error
    return jsonify(Undrawable(missing=[one[:20] for one in missing]).model_dump())


def _inspected(one: Examined, lang: str) -> Inspected:
    info, inspection = one.info, one.inspection
    values: dict[str, object] = {"limit_mb": office().ctx.limits.collection_bytes // 1_000_000}
    if one.page is not None:
        values["page"] = one.page
    problems = [DocumentProblem(code=one.problem, message=sentence(one.problem, lang, values))] if one.problem else []
    limits = office().ctx.limits
    if info is not None and too_large_to_approve(limits, info.size_bytes):
        values = {"limit_mb": (limits.validation_file_bytes or 0) // 1_000_000}
        code = "file-over-the-limit"
        problems.append(DocumentProblem(code=code, message=sentence(code, lang, values)))
    return Inspected(
        file_id=one.file_id,
        name=info.name if info else "",
        size_bytes=info.size_bytes if info else 0,
        mime=info.mime if info else "application/octet-stream",
        is_pdf=one.problem != "not-a-pdf" and inspection is not None,
        pages=inspection.pages if inspection else None,
        page_sizes_pt=list(inspection.page_sizes_pt) if inspection else [],
        signatures=inspection.signatures if inspection else 0,
        saved_in="home" if one.at_home else "beside",
        problems=problems,
    )


@api.get("/documents/<int:file_id>/pages/<int:page>")
@api.get("/documents/<int:file_id>/pages/<int:page>.png", defaults={"image_format": "png"})
@user
@spec.validate(resp=answers(HTTP_200=None), skip_validation=True)
def page(file_id: int, page: int, image_format: ImageFormat | None = None) -> Response:
    chosen = image_format or format_of_request()
    try:
        image = page_image(office().ctx, g.uid, str(file_id), page, width_of_request(), chosen)
    except PdfError as error:
        if error.code == "no-such-page":
            raise NotFound from error
        raise from_pdf_error(error) from error
    return plain_image(image, chosen)


@api.post("/documents/beside/<int:file_id>")
@user_acting
@spec.validate(resp=answers(HTTP_201=Uploaded), skip_validation=True)
def beside(file_id: int) -> Response:
    return _upload(str(file_id))


@api.post("/documents")
@user_acting
@spec.validate(resp=answers(HTTP_201=Uploaded), skip_validation=True)
def at_home() -> Response:
    return _upload(None)


def _upload(file_id: str | None) -> Response:
    ctx = office().ctx
    limit = ctx.limits.collection_bytes
    try:
        name, data = one_file(limit)
    except Refused as error:
        if error.code != "too-large":
            raise
        raise Refused("over-the-limit", limit_mb=limit // 1_000_000) from error
    name = name or request.args.get("name", "")
    placed = put_beside(ctx, g.uid, file_id, name or "document.pdf", data)
    answer = jsonify(Uploaded(file_id=placed.file_id, name=placed.name, size_bytes=placed.size_bytes).model_dump())
    answer.status_code = 201
    return answer


@api.post("/menu")
@user
def menu() -> Response:
    """The host's right-click entry was chosen: where its browser goes; ``?fileIds=…`` is added by the host."""
    return jsonify({"redirect_handler": "workflow/new"})


@api.get("/recipients")
@user
@spec.validate(resp=answers(HTTP_200=RecipientSuggestions), skip_validation=True)
def recipients() -> Response:
    text = request.args.get("search", "").strip()[:100]
    found = office().ctx.directory.search(g.uid, text) if text else []
    people = [RecipientSuggestion(user=one.uid, name=one.name, email=one.email) for one in found]
    return jsonify(RecipientSuggestions(recipients=people).model_dump())


@api.get("/files/<int:file_id>/flows")
@user
@spec.validate(resp=answers(HTTP_200=FileFlows), skip_validation=True)
def flows_of_file(file_id: int) -> Response:
    """Whoever can read the file sees kind, state, dates and counts; names only creator and participants."""
    ctx = office().ctx
    uid: str = g.uid
    shown = []
    reads_file: bool | None = None
    for flow_id in ctx.index.flows_of_file(str(file_id)):
        loaded = load_for(ctx, flow_id, uid)
        flow = loaded.flow
        is_creator = flow.creator.user.value == uid
        turn_came = [r for r in flow.recipients_of_user(uid) if may_read(flow, r, ctx.clock())]
        if not is_creator and not turn_came:
            if reads_file is None:
                reads_file = ctx.files.by_id(uid, str(file_id)) is not None
            if not reads_file:
                break
        detail = None
        sees_all = is_creator or (flow.suspension is not None and is_admin(uid))
        if sees_all or turn_came:
            detail = read_flow(loaded, Reader(turn_came[0].id if turn_came else None, sees_all=sees_all, uid=uid))
        shown.append(
            FileFlow(
                id=flow.id,
                kind=flow.kind.value,
                state=state_now(flow, ctx.clock()).value,
                title=detail.title if detail else None,
                created_at=time(flow.created_at) or "",
                steps_done=flow.steps_done,
                steps_total=len(flow.steps),
                detail=detail,
            )
        )
    return jsonify(FileFlows(flows=shown).model_dump())

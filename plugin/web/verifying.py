"""Anybody checks a signed PDF: a page to put it on, and the verdict, as a page for people or as JSON for programs."""

from __future__ import annotations

import hashlib
from typing import Final

from flask import Blueprint, Response, jsonify, make_response, request

from pdfops.text import shown_name
from plugin.actions.names import clean_line
from plugin.checking import Checked
from plugin.flow.errors import ParapheurError, Refused
from plugin.verdict import change_sentences, verdict_sentence
from plugin.web.bodies import raw_body
from plugin.web.callers import anyone, host_caller
from plugin.web.headers import PAGE_POLICY
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.pages import render
from plugin.web.problems import sentence, status_of
from plugin.web.schemas import SignatureVerdictOut, VerdictOut

verifying = Blueprint("verifying", __name__)

MAX_BYTES: Final = 50_000_000
ROOM_BYTES: Final = 10_000
"""What a form puts around its file."""

POLICY: Final = PAGE_POLICY.replace("form-action 'none'", "form-action 'self'")
"""The page works without a script: the file is then sent by its form."""


@verifying.get("/verify")
@anyone
def page() -> Response:
    host_caller()
    return _page("drop")


@verifying.post("/verify")
@anyone
def verify() -> Response:
    """A PDF in, as the body or as the one file of a form; the verdict out. Nothing is kept, nothing is written."""
    host_caller()
    for_people = request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"
    try:
        name, data = _sent()
        with office().checker.place():
            checked = office().checker.check(data)
    except ParapheurError as error:
        if not for_people:
            raise
        answer = _page("refused", message=sentence(error.code, language(), dict(error.values)))
        answer.status_code = status_of(error)
        return answer
    verdict = _verdict(checked, data)
    if for_people:
        return _page("verdict", verdict=verdict.model_dump(), name=name, size_bytes=len(data))
    return jsonify(verdict.model_dump())


def _sent() -> tuple[str, bytes]:
    """The file's name ("" where it was not said) and its bytes. Raises: Refused("too-large", "field-missing")."""
    if request.mimetype != "multipart/form-data":
        data = raw_body(MAX_BYTES)
        if not data:
            raise Refused("not-a-pdf")
        return "", data
    if (request.content_length or 0) > MAX_BYTES + ROOM_BYTES:
        raise Refused("too-large")
    request.max_content_length = MAX_BYTES + ROOM_BYTES
    sent = request.files.get("file")
    if sent is None:
        raise Refused("not-a-pdf")
    data = sent.stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Refused("too-large")
    return clean_line(sent.filename or "", 200), data


def _verdict(checked: Checked, data: bytes) -> VerdictOut:
    found, lang = checked.verification, language()
    ends = [one.signed_bytes for one in found.signatures if one.intact and one.signed_bytes]
    return VerdictOut(
        integrity=found.integrity,
        trust=checked.trust,
        message=verdict_sentence(found, lang),
        signatures=[
            SignatureVerdictOut(
                field=shown_name(one.field),
                signer=one.signer,
                signed_at=one.signed_at.isoformat() if one.signed_at else None,
                covers=one.covers,
                integrity=one.integrity,
                trust=trust,
                kind="timestamp" if one.is_timestamp else "signature",
            )
            for one, trust in zip(found.signatures, checked.each, strict=True)
        ],
        changes=change_sentences(found, lang),
        signed_bytes=ends[-1] if ends and ends[-1] < len(data) else None,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _page(state: str, **values: object) -> Response:
    answer = make_response(render("verify.html", external=True, state=state, **values))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer

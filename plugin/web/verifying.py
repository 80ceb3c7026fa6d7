"""Anybody checks a signed PDF: a page to put it on, and the verdict, as a page for people or as JSON for programs."""

from __future__ import annotations

import hashlib
from typing import Final

from flask import Blueprint, Response, jsonify, make_response, request

from plugin.actions.names import clean_line
from plugin.flow.errors import ParapheurError
from plugin.verdict import verdict
from plugin.web.bodies import one_file
from plugin.web.callers import anyone, host_caller
from plugin.web.headers import PAGE_POLICY
from plugin.web.language import language
from plugin.web.office import office
from plugin.web.pages import render
from plugin.web.problems import sentence, status_of
from plugin.web.schemas import VerdictOut

verifying = Blueprint("verifying", __name__)

MAX_BYTES: Final = 50_000_000

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
        name, data = one_file(MAX_BYTES)
        found = office().checker.check(data)
    except ParapheurError as error:
        if not for_people:
            raise
        answer = _page("refused", message=sentence(error.code, language(), dict(error.values)))
        answer.status_code = status_of(error)
        return answer
    facts = VerdictOut(
        **verdict(found, office().checker.roots, language()),
        signed_bytes=found.signed_bytes if 0 < found.signed_bytes < len(data) else None,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    ).model_dump()
    return _page("verdict", verdict=facts, name=clean_line(name, 200)) if for_people else jsonify(facts)


def _page(state: str, **values: object) -> Response:
    answer = make_response(render("verify.html", external=True, state=state, limit_bytes=MAX_BYTES, **values))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer

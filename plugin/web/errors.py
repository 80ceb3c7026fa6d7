"""What escapes from a route becomes an answer here; what nobody expected is logged by its place, never by its data."""

from __future__ import annotations

import time
import traceback

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram
from werkzeug.exceptions import HTTPException

from pdfops.errors import PdfError
from plugin.flow.errors import Conflict, NotFound, ParapheurError, Unavailable
from plugin.ports_state import ChainBroken, ChainMoved
from plugin.web.bodies import BadBody
from plugin.web.language import language
from plugin.web.problems import from_pdf_error, problem, sentence

log = structlog.get_logger()

ANSWERS = Counter("parapheur_answers", "Answers by route and status", ["route", "status"])
SECONDS = Histogram("parapheur_answer_seconds", "Time to an answer, by route", ["route"])

_HTTP_CODES = {405: "method-not-allowed", 413: "too-large"}


def install(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_count)
    app.register_error_handler(BadBody, _bad_body)
    app.register_error_handler(ParapheurError, lambda error: problem(error, language()))
    app.register_error_handler(PdfError, lambda error: problem(from_pdf_error(error), language()))
    app.register_error_handler(ChainBroken, _broken)
    app.register_error_handler(ChainMoved, lambda _: problem(Conflict("state-changed"), language()))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def not_now(code: str) -> Response:
    """503 for something of ours that gave way for a while: the database, its disk."""
    log.error("not_now", route=request.endpoint, code=code)
    return problem(Unavailable(code), language())


def _begin() -> None:
    g.begun = time.perf_counter()


def _count(response: Response) -> Response:
    route = request.endpoint or "none"
    elapsed = time.perf_counter() - g.get("begun", time.perf_counter())
    ANSWERS.labels(route, str(response.status_code)).inc()
    SECONDS.labels(route).observe(elapsed)
    log.debug("answer", route=route, status=response.status_code, ms=round(elapsed * 1000))
    return response


def _bad_body(error: BadBody) -> Response:
    lang = language()
    return problem(error, lang, [{"path": p, "code": c, "message": sentence(c, lang)} for p, c in error.fields])


def _broken(error: ChainBroken) -> Response:
    log.error("chain.broken", route=request.endpoint, reason=error.reason)
    return problem(Conflict(error.code), language())


def _http(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:
        return Response(status=error.code, headers=error.get_headers())
    if error.code == 404:
        return problem(NotFound(), language())
    return problem(ParapheurError(_HTTP_CODES.get(error.code or 500, "invalid")), language())


def _unexpected(error: Exception) -> Response:
    where = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    log.error("unexpected", route=request.endpoint, error=type(error).__name__, where=where[-6:])
    return problem(ParapheurError("internal"), language())

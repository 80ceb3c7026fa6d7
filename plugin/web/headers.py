"""Headers that every answer bears."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.datastructures import Headers

from plugin.actions.names import clean_line
from plugin.flow.errors import NotFound

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
FILE_POLICY = "sandbox; default-src 'none'"


def install(app: Flask) -> None:
    app.before_request(_check_ending)
    app.after_request(_add)


def _check_ending() -> None:
    """The host's proxy puts its nonce into every script of an answer on such a path: nothing lies there."""
    if request.path.endswith(".html"):
        raise NotFound


def _add(response: Response) -> Response:
    is_page = response.mimetype == "text/html"
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else DATA_POLICY)
    response.headers.setdefault("Cache-Control", "no-store, private")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    if request.path.startswith("/api/") or is_page:
        response.vary.update(("Cookie", "Accept-Language"))
    return response


def attachment(name: str) -> str:
    """The header's value for any name: an ASCII stand-in, and the name itself encoded. Source: RFC 6266, RFC 8187."""
    shown = clean_line(name) or "document"
    plain = "".join(c for c in unicodedata.normalize("NFKD", shown) if " " <= c < "\x7f" and c not in '"\\%;/')
    stand_in = plain.strip() if plain.strip(" .") else "document"
    return f"attachment; filename=\"{stand_in}\"; filename*=UTF-8''{quote(shown, safe='')}"


def download(data: bytes, mime: str, name: str) -> Response:
    """A file of a flow: always an attachment, of a neutral type unless it is a PDF that was checked by its content."""
    response = Response(data, mimetype=neutral_type(mime, data))
    as_file(response.headers, name)
    return response


def neutral_type(mime: str, start: bytes) -> str:
    is_checked_pdf = mime == "application/pdf" and start.startswith(b"%PDF-")
    return "application/pdf" if is_checked_pdf else "application/octet-stream"


def as_file(headers: Headers, name: str) -> None:
    headers["Content-Disposition"] = attachment(name)
    headers["Content-Security-Policy"] = FILE_POLICY

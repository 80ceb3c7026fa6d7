"""Headers that every answer bears."""

from __future__ import annotations

from flask import Flask, Response, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
FILE_POLICY = "sandbox; default-src 'none'"


def install(app: Flask) -> None:
    app.after_request(_add)


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


def download(data: bytes, mime: str, name: str) -> Response:
    """A file of a flow: always an attachment, of a neutral type unless it is a PDF that was checked by its content."""
    checked_pdf = mime == "application/pdf" and data.startswith(b"%PDF-")
    response = Response(data, mimetype="application/pdf" if checked_pdf else "application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response

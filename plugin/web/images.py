"""Pages as pictures, cut to a few widths so that they can be kept."""

from __future__ import annotations

import hashlib

from flask import Response, request

from pdfops.errors import PdfError
from pdfops.preview import ImageFormat
from plugin.actions.revisions import fetch
from plugin.flow.errors import NotFound, Refused
from plugin.flow.model import Document
from plugin.ports_state import Loaded
from plugin.web.office import office
from plugin.web.problems import from_pdf_error

WIDTHS = (120, 240, 480, 820, 1240, 1640, 2480)
MIMES = {"text": "text/plain", "jpeg": "image/jpeg", "webp": "image/webp", "png": "image/png"}


def width_of_request() -> int:
    """``?w=`` raised to the next width that is made; 820 without one."""
    try:
        asked = int(request.args.get("w", "820"))
    except ValueError as error:
        raise Refused("invalid", path="w") from error
    return next((width for width in WIDTHS if width >= asked), WIDTHS[-1])


def format_of_request() -> ImageFormat:
    """WebP or JPEG by Accept; JPEG where both are taken, since it is made five times faster."""
    best = request.accept_mimetypes.best_match(["image/jpeg", "image/webp"], default="image/jpeg")
    return "webp" if best == "image/webp" and request.accept_mimetypes["image/jpeg"] == 0 else "jpeg"


def page_answer(loaded: Loaded, document: Document, page: int) -> Response:
    """A page of the latest revision, as a picture, or with ``?as=text`` what it says, for those who hear it.

    Its ETag is that of content, page and width.
    """
    if document.pages is None or not 1 <= page <= document.pages:
        raise NotFound
    if request.args.get("as") == "text":
        return _text_answer(loaded, document, page)
    width, image_format = width_of_request(), format_of_request()
    tag = image_tag(document.current_sha256, page, width, image_format)
    if tag in request.if_none_match:
        return _answer(b"", image_format, tag, 304)
    picture = office().pictures.get(tag)
    if picture is None:
        data = fetch(office().ctx, loaded, document, document.current_sha256)
        picture = render(data, page, width, image_format)
        office().pictures.put(tag, picture)
    return _answer(picture, image_format, tag, 200)


def _text_answer(loaded: Loaded, document: Document, page: int) -> Response:
    tag = image_tag(document.current_sha256, page, 0, "text")
    if tag in request.if_none_match:
        return _answer(b"", "text", tag, 304)
    words = office().pictures.get(tag)
    if words is None:
        data = fetch(office().ctx, loaded, document, document.current_sha256)
        try:
            words = office().ctx.workshop.page_text(data, page).encode()
        except PdfError as error:
            raise from_pdf_error(error) from error
        office().pictures.put(tag, words)
    return _answer(words, "text", tag, 200)


def render(data: bytes, page: int, width: int, image_format: ImageFormat) -> bytes:
    """Raises: NotFound for a page that is not there; Refused with the parser's code."""
    try:
        return office().ctx.workshop.preview(data, page, width, image_format)
    except PdfError as error:
        if error.code == "no-such-page":
            raise NotFound from error
        raise from_pdf_error(error) from error


def image_tag(sha256: str, page: int, width: int, image_format: str) -> str:
    return hashlib.sha256(f"{sha256} {page} {width} {image_format}".encode()).hexdigest()[:32]


def _answer(image: bytes, image_format: str, tag: str, status: int) -> Response:
    answer = Response(image, status=status, mimetype=MIMES[image_format])
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Accept"
    return answer


def plain_image(image: bytes, image_format: str) -> Response:
    return Response(image, mimetype=MIMES[image_format])

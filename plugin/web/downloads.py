"""A document of a flow, to be kept: whole from the cache, or as a stream where it is too large for that."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain

import structlog
from werkzeug.wrappers import Response as BaseResponse

from plugin.actions.pinning import is_large
from plugin.actions.revisions import fetch, opened
from plugin.flow.errors import ParapheurError
from plugin.flow.model import Document
from plugin.ports_state import Loaded
from plugin.web.headers import as_file, download, neutral_type
from plugin.web.office import office

log = structlog.get_logger()


def document_answer(loaded: Loaded, document: Document) -> BaseResponse:
    """The latest revision. Of a large one that turns out to be altered the last bytes never come, so that nobody takes
    it for the document.

    Raises: Unavailable, as long as nothing was sent.
    """
    ctx = office().ctx
    mime = document.mime if document.pages is None else "application/pdf"
    name = document.name.value or "document"
    if not is_large(ctx, document.size_bytes):
        return download(fetch(ctx, loaded, document, document.current_sha256), mime, name)
    with ExitStack() as undo:
        pieces = undo.enter_context(opened(ctx, loaded, document, document.current_sha256))
        first = next(pieces)
        # Not Flask's own class: the library that describes the routes would put the stream together
        answer = BaseResponse(chain((first,), _cut_off(pieces)), mimetype=neutral_type(mime, first))
        answer.content_length = document.size_bytes
        as_file(answer.headers, name)
        answer.call_on_close(undo.pop_all().close)
        return answer


def _cut_off(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A stream that fails ends the connection, which is all that can be said once the first bytes are out."""
    try:
        yield from pieces
    except ParapheurError as error:
        log.warning("download.cut_off", reason=error.code)
        raise BrokenPipeError(errno.EPIPE, "the document ended early") from None

"""What a parser of foreign input refused, told as the mistake it is: the document's, or ours for a moment."""

from __future__ import annotations

from pdfops.errors import PdfError
from plugin.flow.errors import ParapheurError, Unavailable, UnusableDocument


def unusable(error: PdfError, file_id: str, name: str, **values: int) -> ParapheurError:
    """Every child was busy: try again. Anything else: the document cannot take part, and ``code`` says why."""
    if error.code == "too-slow" and error.values.get("waiting"):
        return Unavailable("workshop-busy")
    page = error.values.get("page")
    if error.code == "unrenderable" and isinstance(page, int):
        values["page"] = page
    return UnusableDocument(error.code, file_id, name, **values)

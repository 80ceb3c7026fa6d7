"""What a parser of foreign input refused, told as the mistake it is: the document's, or ours for a moment."""

from __future__ import annotations

from pdfops.errors import PdfError
from plugin.flow.errors import ParapheurError, Unavailable, UnusableDocument

UNATTESTED = frozenset({"unreachable", "timestamp-refused", "validation-data-missing"})
"""Nothing is wrong with the document: an authority did not answer, or not well. Why is in the log."""


def unusable(error: PdfError, file_id: str, name: str, **values: str | int) -> ParapheurError:
    """Every child was busy, or the key's token is away: try again. Anything else: the document cannot take part, and
    ``code`` says why."""
    if error.code == "too-slow" and error.values.get("waiting"):
        return Unavailable("workshop-busy")
    if error.code in UNATTESTED:
        return Unavailable("time-not-attested")
    if error.code == "key-unavailable":
        return Unavailable(error.code)
    page = error.values.get("page")
    if error.code == "unrenderable" and isinstance(page, int):
        values["page"] = page
    characters = error.values.get("characters")
    if error.code == "glyph-missing" and isinstance(characters, str):
        values = {"text": name, "characters": characters, **values}
    return UnusableDocument(error.code, file_id, name, **values)

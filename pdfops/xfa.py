"""XFA: a form within the form, of which few programs know anything and which shows what it likes to those that do.

Pages that are made only at opening cannot be shown to signatories, so nobody can sign them. A form whose pages are
there is an ordinary form once its XFA part is gone: the preparing revision drops it, and from then on every reader
shows what the signatories see. In a document that somebody signed that would be an alteration, and to leave it there
would mean to sign what may look otherwise elsewhere: it is refused.

Source: ISO 32000-1, 12.7.8; deprecated by ISO 32000-2, 12.7.3 (/XFA) and 7.7.2 (/NeedsRendering).
"""

from __future__ import annotations

from typing import Any

from pyhanko.pdf_utils import generic

from pdfops.errors import PdfError
from pdfops.reading import entry


def check_xfa(root: Any, *, is_signed: bool) -> bool:
    """Returns whether there is an XFA part that has to be dropped. Raises: PdfError xfa-form."""
    form = entry(root, "/AcroForm")
    has_xfa = isinstance(form, generic.DictionaryObject) and "/XFA" in form
    needs_rendering = entry(root, "/NeedsRendering")
    is_made_at_opening = isinstance(needs_rendering, generic.BooleanObject) and needs_rendering.value
    fields = entry(form, "/Fields") if has_xfa else None
    has_fields = isinstance(fields, generic.ArrayObject) and len(fields) > 0
    if is_made_at_opening or (has_xfa and (is_signed or not has_fields)):
        raise PdfError("xfa-form")
    return has_xfa

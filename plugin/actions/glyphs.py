"""A stamp with text that no font here can draw is refused when its person is named, not when he signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pdfops.errors import PdfError
from plugin.actions.context import Context
from plugin.actions.names import clean_line
from plugin.actions.papers import unusable
from plugin.flow.errors import Invalid


@dataclass(frozen=True, slots=True)
class Lettering:
    """What a stamp with text shows. ``path``: of the field of the request that would be refused."""

    path: str
    name: str
    reason: str


def check_glyphs(ctx: Context, stamps: Sequence[Lettering]) -> None:
    """Raises: Invalid("glyph-missing"), with the characters and the name or reason that they stand in; Unavailable."""
    if not stamps:
        return
    # Many stamps bear the same name.
    asked = list(dict.fromkeys(text for stamp in stamps for text in (stamp.name, stamp.reason)))
    try:
        missing = dict(zip(asked, ctx.workshop.undrawable(asked), strict=True))
    except PdfError as error:
        raise unusable(error, "", "") from error
    for stamp in stamps:
        for text, shown in ((stamp.name, stamp.name), (stamp.reason, f"{stamp.reason} ({stamp.name})")):
            if missing[text]:
                raise Invalid(stamp.path, "glyph-missing", text=clean_line(shown), characters=missing[text][:20])

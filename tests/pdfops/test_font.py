"""The subset of a stamp's font, beside the one that fontTools makes of the same font for the same characters."""

from __future__ import annotations

import io
from importlib import resources
from typing import Any

from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfops.font import FONT_FILE, FONT_PACKAGE, stamp_font

WHOLE = resources.files(FONT_PACKAGE).joinpath("files", FONT_FILE).read_bytes()
CHARACTERS = sorted(chr(code) for code in TTFont(io.BytesIO(WHOLE)).getBestCmap())


def by_fonttools(characters: set[str]) -> Any:
    font: Any = TTFont(io.BytesIO(WHOLE))
    wanted = Options(hinting=False, layout_features=[], notdef_outline=True, recalc_bounds=False)
    subsetter = Subsetter(wanted)
    subsetter.populate(text="".join(characters))
    subsetter.subset(font)
    output = io.BytesIO()
    font.save(output)
    return TTFont(io.BytesIO(output.getvalue()))


def drawn(font: Any, name: str) -> list[Any]:
    """The outline of a glyph as what a pen does, parts put in their places."""
    pen: Any = DecomposingRecordingPen(font.getGlyphSet())
    font.getGlyphSet()[name].draw(pen)
    return list(pen.value)


@given(st.sets(st.sampled_from(CHARACTERS), min_size=1, max_size=40))
@settings(deadline=None, max_examples=15)
def test_glyphs_are_drawn_and_spaced_as_in_fonttools_own_subset(characters: set[str]) -> None:
    subset, theirs = stamp_font().subset(characters), by_fonttools(characters)
    ours: Any = TTFont(io.BytesIO(subset.font_file), lazy=False, checkChecksums=2)
    names, cmap = ours.getGlyphOrder(), theirs.getBestCmap()
    assert drawn(ours, names[0]) == drawn(theirs, ".notdef")
    for character, number in subset.glyphs.items():
        other = cmap[ord(character)]
        assert drawn(ours, names[number]) == drawn(theirs, other), character
        assert ours["hmtx"][names[number]] == theirs["hmtx"][other], character
    assert len(names) <= len(theirs.getGlyphOrder())  # no glyph that no character needs
    assert ours["head"].unitsPerEm == theirs["head"].unitsPerEm
    assert (ours["hhea"].ascent, ours["hhea"].descent) == (theirs["hhea"].ascent, theirs["hhea"].descent)

"""The font of typed names for the signing page: the letters of the embedded font, as the browser wants them.

Two files, so that a page loads only what a name needs: Latin with its accents, and Cyrillic. Kerning and alternates
are left out: a stamp sets letters one by one, and the page shows what the stamp will.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Final

from fontTools import subset
from fontTools.ttLib import TTFont

from pdfops.font import script_font

OUT: Final = Path(__file__).resolve().parent.parent / "plugin" / "static" / "ui"
LATIN: Final = (*range(0x20, 0x7F), *range(0xA1, 0x17F), *map(ord, "‘’“”–—…"))
FILES: Final = {"hand.woff2": LATIN, "handcyrillic.woff2": tuple(range(0x400, 0x460))}
"""plugin/ui/src/sign/typed.ts and styles/hand.css know the same ranges."""

VARIATIONS: Final = ("fvar", "gvar", "avar", "HVAR", "MVAR", "STAT")


def made(characters: tuple[int, ...]) -> bytes:
    """A WOFF2 file of these characters in the font's own weight."""
    font: Any = TTFont(BytesIO(script_font().font_file), recalcTimestamp=False)
    for table in VARIATIONS:
        if table in font:
            del font[table]
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[], drop_tables=["GSUB", "GPOS", "GDEF"])
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    font.flavor = "woff2"
    output = BytesIO()
    font.save(output)
    return output.getvalue()


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, characters in FILES.items():
        (OUT / name).write_bytes(made(characters))


if __name__ == "__main__":
    main()

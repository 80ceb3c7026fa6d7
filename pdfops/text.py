"""Text of people, made fit to be shown: on a stamp, in a signature dictionary, as a signer's name."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST_NAME: Final = 200
_JOINERS: Final = "\u200c\u200d"


def printable(text: str) -> str:
    """A line as it may stand on a stamp: composed, on one line, without control, format and bidi characters.

    The two joiners stay between letters of scripts that are spelled with them, and nowhere else.
    """
    composed = unicodedata.normalize("NFC", text)
    kept = []
    for character in composed:
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\n\r":
            kept.append(" ")
        elif category[0] != "C" or (character in _JOINERS and kept and _joins(kept[-1])):
            kept.append(character)
    for at in range(len(kept) - 1, -1, -1):
        if kept[at] in _JOINERS and not _joins("".join(kept[at + 1 : at + 2])):
            del kept[at]
    return " ".join("".join(kept).split())


def _joins(character: str) -> bool:
    """Whether it is a letter or mark from Arabic on: before that, joiners mean nothing."""
    return character >= "\u0600" and unicodedata.category(character)[0] in "LM"


def shown_name(text: str) -> str:
    """A name found in a foreign file, printable and of bounded length."""
    return printable(text[: 4 * LONGEST_NAME])[:LONGEST_NAME]

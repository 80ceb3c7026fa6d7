"""Text of people, made fit to be shown: on a stamp, in a signature dictionary, as a signer's name."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST_NAME: Final = 200


def printable(text: str) -> str:
    """A line as it may stand on a stamp: composed, on one line, without control, format and bidi characters."""
    composed = unicodedata.normalize("NFC", text)
    kept = []
    for character in composed:
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\n\r":
            kept.append(" ")
        elif category[0] != "C":
            kept.append(character)
    return " ".join("".join(kept).split())


def shown_name(text: str) -> str:
    """A name found in a foreign file, printable and of bounded length."""
    return printable(text[: 4 * LONGEST_NAME])[:LONGEST_NAME]

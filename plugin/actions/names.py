"""File names made by us."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from plugin.i18n import primary

_SUFFIX = {"fr": "signé"}
_RECORD = {"fr": "dossier de preuves"}
_FORBIDDEN = set('\\/:*?"<>|')
MAX_NAME_BYTES = 200
MAX_NUMBER = 200
_JOINERS = "\u200c\u200d"
"""Letters of Persian and of Indic scripts need them; every other format character can deceive."""


def signed_name(name: str, language: str) -> str:
    """``<stem> (signé).pdf`` in the creator's language, ``<stem> (signed).pdf`` in any other."""
    stem = name[:-4] if name.lower().endswith(".pdf") else name
    ending = f" ({_SUFFIX.get(primary(language), 'signed')}).pdf"
    made = (shortened(stem, MAX_NAME_BYTES - len(ending.encode())) + ending).lstrip()
    while made.startswith(".") and not name.startswith("."):  # what begins with a point is hidden
        made = made[1:].lstrip()
    return made


def shortened(text: str, limit_bytes: int) -> str:
    """At most that many bytes of UTF-8, cut between characters."""
    return text.encode()[:limit_bytes].decode(errors="ignore").rstrip()


def evidence_name(title: str, language: str) -> str:
    """``<title> (dossier de preuves).pdf`` in the creator's language, ``(evidence record)`` in any other."""
    ending = f" ({_RECORD.get(primary(language), 'evidence record')}).pdf"
    stem = " ".join("".join("-" if c in _FORBIDDEN else c for c in clean_line(title)).split()).strip(" .")
    return (shortened(stem, MAX_NAME_BYTES - len(ending.encode())) + ending).lstrip()


def names_like(name: str, sha256: str) -> Iterator[str]:
    """The name, then the next ones; after hundreds of them one that is made of the content's hash, as no other is."""
    yield from (next_name(name, number) for number in range(1, MAX_NUMBER))
    yield next_name(name, sha256[:16])


def next_name(name: str, number: int | str) -> str:
    """The first is the name itself, then `` 2``, `` 3`` before the ending."""
    if number == 1:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem} {number}.{ending}" if dot and stem else f"{name} {number}"


def stem_of(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def safe_name(name: str) -> str:
    """A name for a file from somebody's computer: no path, no control characters, not hidden, with a PDF's ending."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c not in _FORBIDDEN and unicodedata.category(c)[0] != "C").strip(" .")
    kept = unicodedata.normalize("NFC", kept)
    if not kept.lower().endswith(".pdf"):
        kept = f"{kept or 'document'}.pdf"
    while len(kept.encode()) > MAX_NAME_BYTES:
        kept = kept[: len(kept) - 5].rstrip() + ".pdf"
    return kept


def clean_line(text: str, limit: int = 200) -> str:
    """One line of somebody's text for a stamp, a header or a title: no control, bidi or private characters."""
    spaced = "".join(" " if c in "\t\r\n\u2028\u2029" else c for c in text)
    kept = "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return " ".join(kept.split())[:limit]

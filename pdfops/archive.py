"""PDF/A: what a document claims of itself, and what that asks of the revisions we add.

Of no claim is it said here whether it is true; one that is stays true.

- Nothing transparent in part 1, nor where no output intent says in which colours transparency is blended.
- Colours that mean the same on every device, whatever the intent: calibrated ones.
- A subset of a font lists its characters (/CIDSet).
- A button shows a named state; all that is shown is in the normal appearance, and no field is without one.
- /Info and the XMP metadata say the same, so neither is touched.

Source: ISO 19005-1, 6.2.3.3, 6.3.5, 6.4, 6.5.3, 6.7.3, 6.9; ISO 19005-2 and -3, 6.2.4.3, 6.2.10, 6.3.3, 6.4.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic

from pdfops.reading import entries, entry

MAX_METADATA_BYTES: Final = 4_000_000
_PART: Final = re.compile(rb"pdfaid:part\s*(?:=\s*[\"']|>)\s*(\d)")


@dataclass(frozen=True, slots=True)
class Rules:
    """``part`` of ISO 19005 that is claimed, 0 for none."""

    part: int = 0
    may_be_transparent: bool = True

    @property
    def is_archive(self) -> bool:
        return self.part > 0


def rules_of(root: Any) -> Rules:
    """What holds for a document, by its catalogue. Metadata that cannot be read claim nothing."""
    part = _claimed_part(root)
    if not part:
        return Rules()
    return Rules(part, may_be_transparent=part > 1 and _has_output_intent(root))


def _claimed_part(root: Any) -> int:
    metadata = entry(root, "/Metadata")
    if not isinstance(metadata, generic.StreamObject):
        return 0
    try:
        said = bytes(metadata.data)[:MAX_METADATA_BYTES]
    except MemoryError:
        raise
    except Exception:
        # A filter on foreign bytes raises whatever it likes.
        return 0
    found = _PART.search(said.replace(b"\0", b""))  # in UTF-16 every other byte is one
    return int(found[1]) if found else 0


def _has_output_intent(root: Any) -> bool:
    intents = entry(root, "/OutputIntents")
    if not isinstance(intents, generic.ArrayObject):
        return False
    return any(
        isinstance(intent, generic.DictionaryObject)
        and entry(intent, "/S") == "/GTS_PDFA1"
        and entry(intent, "/DestOutputProfile") is not None
        for intent in entries(intents)
    )

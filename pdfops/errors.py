"""What can be wrong with a PDF or an ink image, as one tree.

    PdfError                  code, values
    ├── not-a-pdf               the first five bytes are not ``%PDF-``
    ├── encrypted               a password protects it, be it an empty one
    ├── damaged                 it cannot be read, or not be written to without guessing
    ├── certified               a certification or a field lock forbids what would have to be added
    ├── already-signed          it carries a signature, so that it can no longer be certified
    ├── xfa-form                an XFA form whose pages are made at opening, or that somebody signed
    ├── too-many-pages          ``limit``, ``pages``
    ├── unrenderable            ``page``: it has no visible area, or showing it fails or takes too much
    ├── too-slow                killed on time (``limit_s``), or no child was free in time
    ├── too-heavy               killed on memory, or refused an allocation
    ├── bad-image               not a PNG or JPEG, damaged, blank, or a speck
    ├── image-too-large         in bytes or pixels (``limit``)
    ├── outside-page            a place does not lie inside its page (``field``)
    ├── no-such-page            ``page``, ``pages``
    ├── field-missing           ``field``: not there, or already filled in
    ├── field-taken             ``field``: the document has a field of that name already
    ├── glyph-missing           ``characters``: the font cannot draw them
    ├── not-verified            our own output failed its check (``reason``): it must not be stored
    ├── too-much-growth         a revision would append more than ``limit`` bytes
    ├── timestamp-refused       what a timestamp authority answered is no timestamp of ours (``reason``)
    ├── validation-data-missing it cannot be shown that a certificate is good (``reason``)
    ├── unreachable             a timestamp authority or issuer could not be asked (``reason``)
    └── key-unavailable         the token that holds the key does not sign now; it may later

Codes are stable; text for people is made at the edge of the product. Nothing in ``values`` is secret.
"""

from __future__ import annotations

from typing import Final

CODES: Final = frozenset(
    {
        "not-a-pdf",
        "encrypted",
        "damaged",
        "certified",
        "already-signed",
        "xfa-form",
        "too-many-pages",
        "unrenderable",
        "too-slow",
        "too-heavy",
        "bad-image",
        "image-too-large",
        "outside-page",
        "no-such-page",
        "field-missing",
        "field-taken",
        "glyph-missing",
        "not-verified",
        "too-much-growth",
        "timestamp-refused",
        "validation-data-missing",
        "unreachable",
        "key-unavailable",
    }
)


class PdfError(Exception):
    """A file that cannot be used as asked. ``code`` is one of `CODES`; ``values`` fill the sentence made of it."""

    def __init__(self, code: str, **values: str | int) -> None:
        if code not in CODES:
            raise ValueError(f"unknown code {code!r}")
        super().__init__(code)
        self.code = code
        self.values: dict[str, str | int] = values

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in sorted(self.values.items()))
        return f"{self.code} ({shown})" if shown else self.code

"""A detached proof for a file of any kind: CAdES baseline B-B in one DER object, beside the file.

Source: ETSI EN 319 122-1, 6.3; RFC 5652. ``openssl cms -verify -binary -inform DER -in PROOF -content FILE`` reads it.
"""

from __future__ import annotations

import datetime as dt

from pdfops.cms_seal import package, signed_attributes
from pdfops.signer import Signer


def prove(sha256: bytes, signer: Signer, signing_time: dt.datetime) -> bytes:
    """``sha256``: the 32 bytes that were computed over the file; ``signing_time`` is aware. Returns: DER."""
    if len(sha256) != 32:
        raise ValueError("not a SHA-256 digest")
    attributes = signed_attributes(signer, sha256, signing_time)
    return package(signer, attributes, signer.sign(attributes))

"""Checks a state file with nothing but the standard library and ``cryptography``, from the written format alone.

It shares no code with the product, on purpose: it is what somebody else would write after reading docs. Run it as
``python independent_verifier.py flow.jsonl``; prints the head and length, exits 1 with the reason otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256


class Bad(Exception):
    """The file proves nothing."""


def canonical(value: object) -> bytes:
    """RFC 8785 for objects with ASCII names, lists, strings and integers: that is all a state file holds."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def unbase64url(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Bad("base64url that is not the only one for its bytes")
    return data


def public_key(first: dict[str, Any], certificate_sha256: str | None) -> Ed25519PublicKey:
    """The chain's key as the first line tells it, vouched for by the organisation's certificate."""
    key = first["data"]["key"]
    der = base64.b64decode(key["certificate"])
    if certificate_sha256 is not None and hashlib.sha256(der).hexdigest() != certificate_sha256:
        raise Bad("another certificate than the one expected")
    organisation = x509.load_der_x509_certificate(der).public_key()
    statement, signature = canonical(["parapheur chain key v1", key["jwk"]]), unbase64url(key["signature"])
    if isinstance(organisation, RSAPublicKey):
        organisation.verify(signature, statement, PKCS1v15(), SHA256())
    elif isinstance(organisation, EllipticCurvePublicKey):
        organisation.verify(signature, statement, ECDSA(SHA256()))
    else:
        raise Bad("the certificate's key is neither RSA nor on a curve")
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(canonical(key["jwk"])).digest()).decode()
    if first["kid"] != thumbprint[:16]:
        raise Bad("kid")
    return Ed25519PublicKey.from_public_bytes(unbase64url(key["jwk"]["x"]))


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(name.isascii() and plain(member) for name, member in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return type(value) in (str, int)


def verify(
    log: bytes,
    flow_id: str | None = None,
    certificate_sha256: str | None = None,
    anchor: tuple[str, int] | None = None,
) -> tuple[str, int]:
    """Returns: (head, length). ``anchor``: a head and length that must be in it. Raises: Bad."""
    try:
        return _verify(log, flow_id, certificate_sha256, anchor)
    except Bad:
        raise
    except Exception as error:
        raise Bad(repr(error)) from error


def _verify(
    log: bytes, flow_id: str | None, certificate_sha256: str | None, anchor: tuple[str, int] | None
) -> tuple[str, int]:
    if not log.endswith(b"\n"):
        raise Bad("torn")
    prev, fence, at, kid = "0" * 64, 1, "", None
    key: Ed25519PublicKey | None = None
    heads: list[str] = []
    for number, raw in enumerate(log[:-1].split(b"\n"), start=1):
        line = json.loads(raw.decode())
        if set(line) != {"seq", "at", "actor", "type", "data", "prev", "fence", "kid", "sig"}:
            raise Bad("members")
        if not plain(line) or canonical(line) != raw:
            raise Bad("not canonical")
        if line["seq"] != number or line["prev"] != prev or line["fence"] < fence or line["at"] < at:
            raise Bad("order")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"]):
            raise Bad("time")
        datetime.fromisoformat(line["at"])
        if key is None:
            key, kid = public_key(line, certificate_sha256), line["kid"]
            if line["type"] != "flow.launched" or line["data"]["format"] != 1:
                raise Bad("first line")
            if flow_id is not None and line["data"]["flow_id"] != flow_id:
                raise Bad("another flow")
        if line["kid"] != kid:
            raise Bad("another key")
        key.verify(unbase64url(line.pop("sig")), canonical(line))
        prev, fence, at = hashlib.sha256(raw).hexdigest(), line["fence"], line["at"]
        heads.append(prev)
    if anchor is not None and (len(heads) < anchor[1] or heads[anchor[1] - 1] != anchor[0]):
        raise Bad("rolled back, or another branch")
    return prev, len(heads)


if __name__ == "__main__":
    try:
        print(*verify(Path(sys.argv[1]).read_bytes()))
    except Bad as bad:
        sys.exit(f"not proven: {bad}")

"""Keys that this server does not hold, and that its own seal vouches for: another server's of the same house, or one
that came after the backup of keys that was put back. What they signed is no damage."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from plugin.adapters.chain import KEY, PublicKeys, canonical
from plugin.adapters.keys import key_statement, kid_of, unb64url

Vouches = Callable[[bytes], bool]
"""Whether the first line of a state file that is signed by a key unknown here is so by one the seal vouches for."""


def vouches(keys: PublicKeys, certificates: Callable[[], Collection[bytes]]) -> Vouches:
    """``certificates``: those of the seal and of the seals before it, in DER. A key that a stranger's seal vouches
    for, or none, is a stranger's."""

    def is_vouched_for(log: bytes) -> bool:
        try:
            lines = [json.loads(raw) for raw in log.splitlines()]
            unknown = next(line for line in lines if line["kid"] not in keys)
            return _is_ours(unknown, certificates())
        except (InvalidSignature, StopIteration, ValueError, KeyError, TypeError, RecursionError, binascii.Error):
            return False

    return is_vouched_for


def _is_ours(line: dict[str, Any], certificates: Collection[bytes]) -> bool:
    """Raises: InvalidSignature; ValueError, KeyError, TypeError for what is no such line."""
    entry: Mapping[str, Any] = line["data"][KEY]
    certificate, jwk = base64.b64decode(entry["certificate"], validate=True), entry["jwk"]
    if certificate not in certificates or kid_of(jwk) != line["kid"]:
        return False
    _check(certificate, unb64url(entry["signature"]), key_statement(jwk))
    signed = canonical({name: member for name, member in line.items() if name != "sig"})
    Ed25519PublicKey.from_public_bytes(unb64url(jwk["x"])).verify(unb64url(line["sig"]), signed)
    return True


def _check(certificate: bytes, signature: bytes, data: bytes) -> None:
    """Raises: InvalidSignature."""
    public = x509.load_der_x509_certificate(certificate).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), SHA256())
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, data, ec.ECDSA(SHA256()))
    else:
        raise InvalidSignature

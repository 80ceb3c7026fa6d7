"""A seal in two requests, for a key that lies with somebody else: first what is to be signed, later the signature.

Between the two a `Pending` is kept by the caller, as bytes. It holds no secret; it is trusted as far as the place
where it is kept, and the second half is refused unless it belongs to the very same document and certificate.

Source: Cloud Signature Consortium API, 11.9 (signatures/signHash); ETSI EN 319 142-1.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pdfops.cms_seal import package, signed_attributes
from pdfops.errors import PdfError
from pdfops.seal import Stamp, Unsigned, covered_digest, filled
from pdfops.signer import Certified, Identity

_PREFIX = struct.Struct(">4sI")
_MAGIC = b"PPR1"
_MAX_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Pending:
    """Half of a seal. ``chain``: the certificates of the key that is elsewhere, DER; ``to_sign``: the bytes the
    signature has to be over (DER of the signed attributes); ``field``: the name of the one that it fills,
    ``unsigned.left`` those that need another signature."""

    unsigned: Unsigned
    chain: tuple[bytes, ...]
    to_sign: bytes
    field: str
    base_sha256: str

    @property
    def holder(self) -> Identity:
        return Certified.of(self.chain)

    @property
    def digest(self) -> bytes:
        """SHA-256 of ``to_sign``, 32 bytes: what a provider's signHash takes."""
        return hashlib.sha256(self.to_sign).digest()

    def to_bytes(self) -> bytes:
        header = {
            "hole": [self.unsigned.hole_start, self.unsigned.hole_end],
            "left": list(self.unsigned.left),
            "before": self.unsigned.signatures_before,
            "chain": [one.hex() for one in self.chain],
            "to_sign": self.to_sign.hex(),
            "field": self.field,
            "base_sha256": self.base_sha256,
        }
        body = json.dumps(header, separators=(",", ":")).encode()
        return _PREFIX.pack(_MAGIC, len(body)) + body + self.unsigned.tail

    @classmethod
    def from_bytes(cls, data: bytes) -> Pending:
        """Raises: ValueError for anything that `to_bytes` did not make."""
        try:
            magic, size = _PREFIX.unpack_from(data[:_MAX_BYTES])
            header = json.loads(data[_PREFIX.size : _PREFIX.size + size])
            start, end = (int(number) for number in header["hole"])
            left = tuple(str(name) for name in header["left"])
            unsigned = Unsigned(data[_PREFIX.size + size :], start, end, left, int(header["before"]))
            chain = Certified.of([bytes.fromhex(one) for one in header["chain"]]).chain
            to_sign = bytes.fromhex(header["to_sign"])
            found = cls(unsigned, chain, to_sign, str(header["field"]), str(header["base_sha256"]))
        except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
            raise ValueError("not a pending seal") from error
        if magic != _MAGIC:
            raise ValueError("not a pending seal")
        return found


def begin(data: bytes, unsigned: Unsigned, holder: Identity, field: str) -> Pending:
    """``unsigned``: what `seal.draw_up` made of ``data``, with room for `cms_seal.reserved_bytes` of the holder.

    Raises: PdfError not-verified, too-much-growth.
    """
    hashed = hashlib.sha256(data)
    attributes = signed_attributes(holder, covered_digest(data, unsigned, hashed))
    return Pending(unsigned, holder.chain, attributes, field, hashed.hexdigest())


def finish(data: bytes, pending: Pending, signature: bytes, stamp: Stamp | None = None) -> bytes:
    """What has to be appended to ``data``, the document that `begin` was given.

    Raises: PdfError not-verified when the document is another one, or the signature not that of the certificate's key
    over ``to_sign``; and what ``stamp`` raises.
    """
    hashed = hashlib.sha256(data)
    if hashed.hexdigest() != pending.base_sha256:
        raise PdfError("not-verified", reason="another document")
    holder = pending.holder
    if signed_attributes(holder, covered_digest(data, pending.unsigned, hashed)) != pending.to_sign:
        raise PdfError("not-verified", reason="another revision")
    _check(holder, pending.to_sign, signature)
    token = stamp(hashlib.sha256(signature).digest()) if stamp is not None else b""
    return filled(len(data), pending.unsigned, package(holder, pending.to_sign, signature, token))


def _check(holder: Identity, signed: bytes, signature: bytes) -> None:
    key = x509.load_der_x509_certificate(holder.chain[0]).public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise PdfError("not-verified", reason="signature") from error

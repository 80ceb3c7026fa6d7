"""The CMS inside a seal: PAdES baseline B-B, one signer, detached.

Signed attributes: content type, message digest, signing certificate v2, algorithm protection. The claimed time of
signing stands in the signature dictionary's /M, as PAdES wants it.

What never changes for a signer is encoded once; the rest is put together from bytes, because encoding the whole tree
anew takes several times as long as the signature itself.

Source: RFC 5652, 5.3; RFC 5035; RFC 6211; ETSI EN 319 142-1, 6.3.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any, Final

from asn1crypto import algos, cms, x509
from pyhanko.sign.general import as_signing_certificate_v2

from pdfops.signer import Signer

DIGEST: Final = "sha256"
SLACK_BYTES: Final = 32

SEQUENCE, SET, OCTET_STRING, CONTEXT_0 = 0x30, 0x31, 0x04, 0xA0
_VERSION_1: Final = bytes.fromhex("020101")
_SIGNED_DATA: Final = cms.ContentType("signed_data").dump()
_DETACHED_DATA: Final = cms.EncapsulatedContentInfo({"content_type": "data"}).dump()
_MESSAGE_DIGEST: Final = cms.CMSAttributeType("message_digest").dump()


class _Template:
    """What does not change between two seals of one signer, in DER."""

    def __init__(self, chain: tuple[bytes, ...], algorithm: str) -> None:
        leaf = x509.Certificate.load(chain[0])
        digest_algorithm = algos.DigestAlgorithm({"algorithm": DIGEST})
        signature_algorithm = algos.SignedDigestAlgorithm({"algorithm": algorithm})
        protection = cms.CMSAlgorithmProtection(
            {"digest_algorithm": digest_algorithm, "signature_algorithm": signature_algorithm}
        )
        self.digest_algorithm: bytes = digest_algorithm.dump()
        self.signature_algorithm: bytes = signature_algorithm.dump()
        self.signer: bytes = cms.IssuerAndSerialNumber(
            {"issuer": leaf.issuer, "serial_number": leaf.serial_number}
        ).dump()
        self.certificates = _der(CONTEXT_0, *chain)
        self.fixed_attributes: tuple[bytes, ...] = (
            _attribute("content_type", "data"),
            _attribute("signing_certificate_v2", as_signing_certificate_v2(leaf)),
            _attribute("cms_algorithm_protection", protection),
        )


@lru_cache(maxsize=8)
def _template(chain: tuple[bytes, ...], algorithm: str) -> _Template:
    return _Template(chain, algorithm)


def signed_attributes(signer: Signer, digest: bytes, signing_time: dt.datetime | None = None) -> bytes:
    """The attributes to sign, in DER (as a SET), over the SHA-256 digest of a document's byte range.

    ``signing_time`` (aware) is for what is no PDF: CAdES wants the claimed time here, PAdES forbids it.
    """
    template = _template(signer.chain, signer.algorithm)
    message_digest = _der(SEQUENCE, _MESSAGE_DIGEST, _der(SET, _der(OCTET_STRING, digest)))
    times = () if signing_time is None else (_attribute("signing_time", _time(signing_time)),)
    return _der(SET, *sorted((*template.fixed_attributes, message_digest, *times)))


def package(signer: Signer, attributes: bytes, signature: bytes) -> bytes:
    """The CMS object, in DER, around signed attributes and the signature over them."""
    return _package(_template(signer.chain, signer.algorithm), attributes, signature)


def reserved_bytes(signer: Signer) -> int:
    """How many bytes the CMS object of this signer takes at most."""
    template = _template(signer.chain, signer.algorithm)
    attributes = signed_attributes(signer, bytes(32))
    return len(_package(template, attributes, bytes(signer.signature_size_bytes))) + SLACK_BYTES


def _package(template: _Template, attributes: bytes, signature: bytes) -> bytes:
    signer_info = _der(
        SEQUENCE,
        _VERSION_1,
        template.signer,
        template.digest_algorithm,
        bytes([CONTEXT_0]) + attributes[1:],
        template.signature_algorithm,
        _der(OCTET_STRING, signature),
    )
    signed_data = _der(
        SEQUENCE,
        _VERSION_1,
        _der(SET, template.digest_algorithm),
        _DETACHED_DATA,
        template.certificates,
        _der(SET, signer_info),
    )
    return _der(SEQUENCE, _SIGNED_DATA, _der(CONTEXT_0, signed_data))


def _time(moment: dt.datetime) -> cms.Time:
    """Until 2049 in UTC time, as RFC 5652, 11.3 wants it."""
    at = moment.astimezone(dt.UTC).replace(microsecond=0)
    return cms.Time({"utc_time": at} if at.year < 2050 else {"general_time": at})


def _attribute(kind: str, value: Any) -> bytes:
    return bytes(cms.CMSAttribute({"type": cms.CMSAttributeType(kind), "values": (value,)}).dump())


def _der(tag: int, *parts: bytes) -> bytes:
    """One DER value: tag, length, contents."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body

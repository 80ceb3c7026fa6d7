"""The CMS inside a seal: PAdES baseline B-B, or B-T with a timestamp on the signature; one signer, detached.

Signed attributes: content type, message digest, signing certificate v2, algorithm protection. The claimed time of
signing stands in the signature dictionary's /M, as PAdES wants it. A timestamp is the one unsigned attribute.

What never changes for a signer is encoded once; the rest is put together from bytes, because encoding the whole tree
anew takes several times as long as the signature itself.

Source: RFC 5652, 5.3; RFC 5035; RFC 6211; RFC 3161, appendix A; ETSI EN 319 142-1, 6.3.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any, Final

from asn1crypto import algos, cms, x509
from pyhanko.sign.general import as_signing_certificate_v2

from pdfops.signer import Identity

DIGEST: Final = "sha256"
SLACK_BYTES: Final = 32

SEQUENCE, SET, OCTET_STRING, CONTEXT_0, CONTEXT_1 = 0x30, 0x31, 0x04, 0xA0, 0xA1
_VERSION_1: Final = bytes.fromhex("020101")
_SIGNED_DATA: Final = cms.ContentType("signed_data").dump()
_DETACHED_DATA: Final = cms.EncapsulatedContentInfo({"content_type": "data"}).dump()
_MESSAGE_DIGEST: Final = cms.CMSAttributeType("message_digest").dump()
_TIMESTAMP: Final = cms.CMSAttributeType("signature_time_stamp_token").dump()


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


def signed_attributes(signer: Identity, digest: bytes, signing_time: dt.datetime | None = None) -> bytes:
    """The attributes to sign, in DER (as a SET), over the SHA-256 digest of a document's byte range.

    ``signing_time`` (aware) is for what is no PDF: CAdES wants the claimed time here, PAdES forbids it.
    """
    template = _template(signer.chain, signer.algorithm)
    message_digest = _der(SEQUENCE, _MESSAGE_DIGEST, _der(SET, _der(OCTET_STRING, digest)))
    times = () if signing_time is None else (_attribute("signing_time", _time(signing_time)),)
    return _der(SET, *sorted((*template.fixed_attributes, message_digest, *times)))


def package(signer: Identity, attributes: bytes, signature: bytes, token: bytes = b"") -> bytes:
    """The CMS object, in DER, around signed attributes and the signature over them.

    ``token``: a timestamp over SHA-256 of ``signature`` (`pdfops.timestamp.Token`), or empty.
    """
    return _package(_template(signer.chain, signer.algorithm), attributes, signature, token)


def reserved_bytes(signer: Identity, token_bytes: int = 0) -> int:
    """How many bytes the CMS object of this signer takes at most, with a timestamp of ``token_bytes``."""
    template = _template(signer.chain, signer.algorithm)
    attributes = signed_attributes(signer, bytes(32))
    whole = _package(template, attributes, bytes(signer.signature_size_bytes), bytes(token_bytes))
    return len(whole) + SLACK_BYTES


def _package(template: _Template, attributes: bytes, signature: bytes, token: bytes) -> bytes:
    stamped = (_der(CONTEXT_1, _der(SEQUENCE, _TIMESTAMP, _der(SET, token))),) if token else ()
    signer_info = _der(
        SEQUENCE,
        _VERSION_1,
        template.signer,
        template.digest_algorithm,
        bytes([CONTEXT_0]) + attributes[1:],
        template.signature_algorithm,
        _der(OCTET_STRING, signature),
        *stamped,
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
    return cms.Time({"utc_time": at} if at.year < 2050 else {"generalized_time": at})


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

"""The CMS inside a seal: PAdES baseline B-B, one signer, detached.

Signed attributes: content type, message digest, signing certificate v2, algorithm protection. The claimed time of
signing stands in the signature dictionary's /M, as PAdES wants it.

Source: RFC 5652, 5.3; RFC 5035; RFC 6211; ETSI EN 319 142-1, 6.3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from asn1crypto import algos, cms, x509
from pyhanko.sign.general import as_signing_certificate_v2

from pdfops.signer import Signer

DIGEST: Final = "sha256"
SLACK_BYTES: Final = 32


class _Template:
    """What does not change between two seals of one signer, parsed and encoded once."""

    def __init__(self, chain: tuple[bytes, ...], algorithm: str) -> None:
        certificates = [x509.Certificate.load(der) for der in chain]
        self.leaf = certificates[0]
        self.certificates = [cms.CertificateChoices("certificate", certificate) for certificate in certificates]
        self.digest_algorithm = algos.DigestAlgorithm({"algorithm": DIGEST})
        self.signature_algorithm = algos.SignedDigestAlgorithm({"algorithm": algorithm})
        self.fixed_attributes = [
            _attribute("content_type", "data"),
            _attribute("signing_certificate_v2", as_signing_certificate_v2(self.leaf)),
            _attribute(
                "cms_algorithm_protection",
                cms.CMSAlgorithmProtection(
                    {"digest_algorithm": self.digest_algorithm, "signature_algorithm": self.signature_algorithm}
                ),
            ),
        ]


@lru_cache(maxsize=8)
def _template(chain: tuple[bytes, ...], algorithm: str) -> _Template:
    return _Template(chain, algorithm)


def signed_attributes(signer: Signer, digest: bytes) -> bytes:
    """The attributes to sign, in DER (as a SET), over the SHA-256 digest of a document's byte range."""
    template = _template(signer.chain, signer.algorithm)
    return bytes(cms.CMSAttributes([*template.fixed_attributes, _attribute("message_digest", digest)]).dump())


def package(signer: Signer, attributes: bytes, signature: bytes) -> bytes:
    """The CMS object, in DER, around signed attributes and the signature over them."""
    template = _template(signer.chain, signer.algorithm)
    signer_info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": template.leaf.issuer, "serial_number": template.leaf.serial_number}
                    )
                }
            ),
            "digest_algorithm": template.digest_algorithm,
            "signed_attrs": cms.CMSAttributes.load(attributes),
            "signature_algorithm": template.signature_algorithm,
            "signature": signature,
        }
    )
    signed_data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": cms.DigestAlgorithms((template.digest_algorithm,)),
            "encap_content_info": {"content_type": "data"},
            "certificates": template.certificates,
            "signer_infos": [signer_info],
        }
    )
    return bytes(cms.ContentInfo({"content_type": cms.ContentType("signed_data"), "content": signed_data}).dump())


@lru_cache(maxsize=8)
def _size(chain: tuple[bytes, ...], algorithm: str, signature_size: int) -> int:
    class Sized:
        pass

    blank: Any = Sized()
    blank.chain, blank.algorithm = chain, algorithm
    return len(package(blank, signed_attributes(blank, bytes(32)), bytes(signature_size)))


def reserved_bytes(signer: Signer) -> int:
    """How many bytes the CMS object of this signer takes at most."""
    return _size(signer.chain, signer.algorithm, signer.signature_size_bytes) + SLACK_BYTES


def _attribute(kind: str, value: Any) -> Any:
    return cms.CMSAttribute({"type": cms.CMSAttributeType(kind), "values": (value,)})

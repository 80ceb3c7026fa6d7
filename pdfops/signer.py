"""Where seals come from: the holder of a private key, and the certificate that says whose it is.

A `Signer` never sees a PDF and the code that parses PDFs never sees a `Signer`: the child process prepares, the parent
signs a digest that it computed itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

RSA_BITS: Final = 3_072
SMALLEST_RSA_BITS: Final = 2_048
LIFETIME_DAYS: Final = 3_652
LONGEST_NAME_BYTES: Final = 64
"""X.520's upper bound for a common or organisation name, as the library counts it: in UTF-8."""

WRONG_KIND: Final = "the key of a seal is RSA of 2,048 bits or more, or P-256"

DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


class Identity(Protocol):
    """Whose seal it is: all that must be known before anything is signed, and the key not among it."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Certificates in DER; the signer's own first."""
        ...

    @property
    def algorithm(self) -> str:
        """``sha256_rsa`` (PKCS #1 v1.5) or ``sha256_ecdsa``."""
        ...

    @property
    def signature_size_bytes(self) -> int:
        """The size that no signature exceeds."""
        ...


class Signer(Identity, Protocol):
    """Something that signs with one key. Safe to call from many threads."""

    def sign(self, data: bytes) -> bytes:
        """The signature over SHA-256 of ``data``."""
        ...


class Certified:
    """What its certificates say of a key, wherever that lies: an `Identity`. Immutable once made."""

    def __init__(self, chain: Sequence[x509.Certificate]) -> None:
        """``chain``: the key's own certificate first.

        Raises: ValueError for none, and for a key that is neither RSA of 2,048 bits or more nor P-256.
        """
        if not chain:
            raise ValueError("there is no certificate")
        self._algorithm, self._size = kind_of(chain[0].public_key())
        self._chain = tuple(certificate.public_bytes(serialization.Encoding.DER) for certificate in chain)

    @classmethod
    def of(cls, chain: Sequence[bytes]) -> Certified:
        """The same from DER: for a key that is with somebody else. Raises: ValueError."""
        return Certified([x509.load_der_x509_certificate(one) for one in chain])

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._chain

    @property
    def algorithm(self) -> str:
        return self._algorithm

    @property
    def signature_size_bytes(self) -> int:
        return self._size


class KeySigner(Certified):
    """A signer whose key lies in memory: RSA of at least 2,048 bits, or P-256. The key is parsed once, here."""

    def __init__(self, key_pem: bytes, chain_pem: bytes, password: bytes | None = None) -> None:
        """``chain_pem`` holds the signer's certificate first.

        Raises: ValueError when key and certificate do not belong together, or the key is of another kind.
        """
        key = serialization.load_pem_private_key(key_pem, password)
        certificates: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(chain_pem)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(WRONG_KIND)  # noqa: TRY004 - one error for whatever cannot be used
        kind_of(key.public_key())
        if not certificates or _public_bytes(certificates[0].public_key()) != _public_bytes(key.public_key()):
            raise ValueError("the certificate does not belong to the key")
        super().__init__(certificates)
        self._key = key

    @classmethod
    def from_pkcs12(cls, data: bytes, password: bytes | None = None) -> KeySigner:
        """A key and its certificates in one file (RFC 7292). Raises: ValueError, for a wrong password as well."""
        key, certificate, others = pkcs12.load_key_and_certificates(data, password)
        if key is None or certificate is None:
            raise ValueError("there is no key with its certificate in it")
        pem = serialization.Encoding.PEM
        key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return cls(key_pem, b"".join(one.public_bytes(pem) for one in (certificate, *others)))

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:
        return f"KeySigner({self._algorithm})"


def kind_of(public_key: object) -> tuple[str, int]:
    """What a key makes: (`Signer.algorithm`, `Signer.signature_size_bytes`). Raises: ValueError for another kind."""
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size >= SMALLEST_RSA_BITS:
        return "sha256_rsa", (public_key.key_size + 7) // 8
    if isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(public_key.curve, ec.SECP256R1):
        return "sha256_ecdsa", 72
    raise ValueError(WRONG_KIND)


def make_organisation_certificate(
    organisation: str, now: dt.datetime | None = None, unit: str | None = None
) -> tuple[bytes, bytes]:
    """A new RSA-3072 key and a certificate that names the organisation and is vouched for by nobody else.

    ``unit``: an organisational unit, as `pdfops.trust.TEST_MARK`.

    Returns (private key, certificate), both PEM, the key unencrypted: the caller keeps it (mode 0600) or wraps it.
    It is valid for ten years, can sign documents and nothing else, and cannot issue certificates.

    Source: RFC 5280, 4.2.1; RFC 9336 (document signing); ETSI EN 319 412-3.
    """
    clean = "".join(character for character in " ".join(organisation.split()) if character.isprintable())
    name = clean.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore").strip() or "Parapheur"
    key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            *units,
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    start = (now or dt.datetime.now(dt.UTC)).replace(microsecond=0) - dt.timedelta(minutes=5)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def _public_bytes(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

"""A seal that is the same in every run, and randomness that follows from the seed."""

from __future__ import annotations

import datetime as dt
import random
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

BEGINNING = dt.datetime(2026, 3, 1, 9, 0, 0, tzinfo=dt.UTC)
_SEAL_NUMBER = 0x5EA1


class SteadySigner:
    """The organisation's seal: the same bytes give the same signature. A `pdfops.signer.Signer`."""

    algorithm = "sha256_ecdsa"
    signature_size_bytes = 72

    def __init__(self) -> None:
        self._key = ec.derive_private_key(_SEAL_NUMBER, ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulated organisation")])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(BEGINNING)
            .not_valid_after(BEGINNING + dt.timedelta(days=3650))
            .sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        )

    @property
    def chain(self) -> tuple[bytes, ...]:
        return (self._certificate.public_bytes(serialization.Encoding.DER),)

    @property
    def certificate_pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


@cache
def signer() -> SteadySigner:
    return SteadySigner()


@contextmanager
def steady_secrets(seed: str) -> Iterator[None]:
    """What ``secrets`` gives to this thread while this lasts follows from the seed: salts, nonces, ids of flows, and
    so do the chain keys that are made. For a simulation alone: whoever knows the seed knows them all."""
    dice, mine = random.Random(seed), threading.get_ident()
    before = (secrets.token_bytes, secrets.token_hex, secrets.randbits)

    def bytes_of(nbytes: int | None = None) -> bytes:
        return dice.randbytes(nbytes or 32) if threading.get_ident() == mine else before[0](nbytes)

    secrets.token_bytes = bytes_of
    secrets.token_hex = lambda nbytes=None: bytes_of(nbytes).hex()
    secrets.randbits = lambda k: dice.getrandbits(k) if threading.get_ident() == mine else before[2](k)
    generate = Ed25519PrivateKey.generate

    def made(cls: type[Ed25519PrivateKey]) -> Ed25519PrivateKey:
        return cls.from_private_bytes(dice.randbytes(32)) if threading.get_ident() == mine else generate()

    Ed25519PrivateKey.generate = classmethod(made)  # type: ignore[assignment, method-assign]  # put back below
    try:
        yield
    finally:
        secrets.token_bytes, secrets.token_hex, secrets.randbits = before
        Ed25519PrivateKey.generate = generate  # type: ignore[method-assign]  # as it was

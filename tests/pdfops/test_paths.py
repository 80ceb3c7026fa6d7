"""Chains that were made to be slow, or to be no certificates: judged where everybody else's requests are served."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pdfops.trust import trust_of_chain
from tests.pdfops import samples

NOW = dt.datetime.now(dt.UTC)


def certificate(public: Any, issuer: Any, subject: str = "X", issued_by: str = "X") -> bytes:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    built = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issued_by)).public_key(public)
    built = built.serial_number(x509.random_serial_number()).not_valid_before(NOW - dt.timedelta(days=1))
    return built.not_valid_after(NOW + dt.timedelta(days=1)).sign(issuer, hashes.SHA256()).public_bytes(Encoding.DER)


def slow_keys() -> Iterator[rsa.RSAPublicKey]:
    """With an exponent as long as the modulus: whoever verifies computes as long as who signs, and longer."""
    while True:
        modulus = secrets.randbits(3_072) | 1 | 1 << 3_071
        yield rsa.RSAPublicNumbers((1 << 3_070) + 1, modulus).public_key()


def test_certificates_of_one_name_and_slow_keys_keep_nobody_waiting() -> None:
    key, keys = rsa.generate_private_key(public_exponent=65_537, key_size=3_072), slow_keys()
    chain = [certificate(next(keys), key) for _ in range(20)]
    root = certificate(key.public_key(), key)
    begun = time.process_time()
    for at in range(10):
        assert trust_of_chain([*chain[at:], *chain[:at]], [certificate(next(keys), key)]) == "unknown"
    assert time.process_time() - begun < 1
    assert trust_of_chain([chain[0]], [root]) == "trusted"


def test_a_chain_is_found_among_others_of_the_same_name() -> None:
    root, middle, leaf, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
    others = [certificate(other.public_key(), other, "middle", "root") for _ in range(10)]
    anchor = certificate(root.public_key(), root, "root", "root")
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "middle")]))
    builder = builder.issuer_name(x509.load_der_x509_certificate(anchor).subject).public_key(middle.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW - dt.timedelta(days=1))
    builder = builder.not_valid_after(NOW + dt.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    between = builder.sign(root, hashes.SHA256()).public_bytes(Encoding.DER)
    own = certificate(leaf.public_key(), middle, "leaf", "middle")
    assert trust_of_chain([own, *others, between], [anchor]) == "trusted"
    assert trust_of_chain([own, *others], [anchor]) == "unknown"


@pytest.mark.parametrize("version", [3, 31, 255])
def test_what_is_no_certificate_is_nobodys(version: int) -> None:
    """Not every library calls it a wrong value."""
    (own,) = samples.organisation().chain
    at = own.index(bytes.fromhex("a003020102"))
    odd = own[: at + 4] + bytes([version]) + own[at + 5 :]
    assert trust_of_chain([odd], [own]) == "unknown"
    named = asn1_x509.Certificate.load(own).subject.dump()
    broken = own.replace(named, b"\x30\x00" + named[2:])
    for chain in ([broken], [own, broken], [broken, own]):
        assert trust_of_chain(chain, [odd]) == "unknown"

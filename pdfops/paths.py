"""The way from a certificate to a root, by signatures that really fit.

The library tries every order of certificates of one name, of which somebody can make as many as he likes; so the one
way is found here first, and the library checks that one: validity, constraints, policies, usage, revocation.

Source: RFC 5280, 6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from asn1crypto import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509 import InvalidVersion, load_der_x509_certificate
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, ValidationError

MAX_DEPTH, MAX_CERTIFICATES = 8, 20
MAX_TRIES: Final = 24
"""Signatures that are checked to find one way: of certificates with the same name somebody can make many."""

MAX_RSA_BITS, MAX_EXPONENT_BITS = 8_192, 33
MAY_SIGN: Final = {"digital_signature", "non_repudiation"}
_Result = TypeVar("_Result")


def leads_to(chain: Sequence[bytes], roots: Sequence[bytes], at: dt.datetime, *, for_timestamps: bool = False) -> bool:
    """Whether the first certificate led to a root at that time. All DER; revocation is not asked for.

    Raises: ValueError, TypeError, KeyError on what is no certificate.
    """
    certificates = [x509.Certificate.load(one, strict=True) for one in chain]
    anchors = [x509.Certificate.load(root) for root in roots]
    usage = certificates[0].key_usage_value
    if not anchors or (usage is not None and not MAY_SIGN & usage.native):
        return False
    between = chain_between(certificates, anchors)
    if between is None:
        return False
    context = ValidationContext(trust_roots=anchors, other_certs=between, moment=at, allow_fetching=False)
    validator = CertificateValidator(certificates[0], between, validation_context=context)
    try:
        driven(validated(validator, for_timestamps=for_timestamps))
    except (PathBuildingError, PathValidationError, ValidationError):
        return False
    return True


def validated(validator: CertificateValidator, *, for_timestamps: bool) -> Coroutine[Any, Any, Any]:
    """The library's check, for `driven`. Raises: its errors."""
    if for_timestamps:
        return validator.async_validate_usage(set(), {"time_stamping"})  # type: ignore[no-untyped-call]  # the library's, as below
    return validator.async_validate_usage(set())  # type: ignore[no-untyped-call]  # the library's


def chain_between(
    certificates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> list[x509.Certificate] | None:
    """What lies between the first certificate and an anchor, by signatures that really fit; None without a way."""
    way: list[x509.Certificate] = []
    here, left = certificates[0], list(certificates[1:MAX_CERTIFICATES])
    tries = iter(range(MAX_TRIES))
    for _ in range(MAX_DEPTH):
        if any(is_issued(one, here) for one in anchors):
            return way
        named = (one for one in left if one.subject == here.issuer)
        above = next((one for one, _try in zip(named, tries, strict=False) if is_issued(one, here)), None)
        if above is None:
            return None
        left.remove(above)
        way.append(above)
        here = above
    return None


def is_issued(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    """Whether ``issuer``'s key signed ``issued``. A key that is made to be slow signed nothing."""
    if issuer.subject != issued.issuer:
        return False
    try:
        above = load_der_x509_certificate(issuer.dump())
        if _is_slow(above.public_key()):
            return False
        load_der_x509_certificate(issued.dump()).verify_directly_issued_by(above)
    except (InvalidSignature, InvalidVersion, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_slow(key: Any) -> bool:
    """Checking by it takes many times as long as by any that is in use: RSA by its size and exponent, all DSA."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size > MAX_RSA_BITS or key.public_numbers().e.bit_length() > MAX_EXPONENT_BITS
    return not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)


def driven(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of a coroutine that never waits for anything: a child can open no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    coroutine.close()
    raise RuntimeError("it waits")

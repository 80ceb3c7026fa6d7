"""Who vouches for a signer: a certificate that leads to one of the given roots, or nobody that we know.

A certificate that is itself among the roots is trusted: an organisation's self-made seal is known by being known. What
is marked as a test stays a test, whoever vouches for it. Revocation is not asked for here.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from asn1crypto import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import load_der_x509_certificate
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, ValidationError

from pdfops.verify import Verification

Trust = Literal["trusted", "unknown", "test"]

MAX_DEPTH, MAX_CERTIFICATES, MAX_CHAINS = 8, 20, 50
TEST_MARK: Final = "TEST - no legal value"
"""The organisational unit of certificates that were made for trying things out."""


def trust_of(verification: Verification, roots: Sequence[bytes], moment: dt.datetime | None = None) -> Trust:
    """What the signatures of a file are worth together. ``roots``: certificates, DER; ``moment``: aware, else now."""
    return together(verification, trust_of_each(verification, roots, moment))


def together(verification: Verification, each: Sequence[Trust]) -> Trust:
    """That of the weakest; ``each`` as `trust_of_each` gave it. Timestamps do not count as long as nothing was changed
    behind the last other signature."""
    places = [at for at, one in enumerate(verification.signatures) if not one.is_timestamp]
    if places and verification.changes is not None and all(c.after <= places[-1] for c in verification.changes):
        each = [each[at] for at in places]
    order: tuple[Trust, ...] = ("test", "unknown", "trusted")
    return next((one for one in order if one in each), "unknown")


def trust_of_each(
    verification: Verification, roots: Sequence[bytes], moment: dt.datetime | None = None
) -> list[Trust]:
    """That of every signature, in their order; the same certificates are looked at once."""
    known: dict[tuple[bytes, ...], Trust] = {}
    for one in verification.signatures:
        if one.certificates not in known:
            known[one.certificates] = (
                trust_of_chain(one.certificates, roots, moment) if len(known) < MAX_CHAINS else "unknown"
            )
    return [known[one.certificates] for one in verification.signatures]


def trust_of_chain(chain: Sequence[bytes], roots: Sequence[bytes], moment: dt.datetime | None = None) -> Trust:
    """``chain``: DER, the signer's certificate first. Unreadable certificates are nobody's."""
    try:
        certificates = [x509.Certificate.load(one, strict=True) for one in chain]
        if not certificates:
            return "unknown"
        if any(_is_test(one) for one in certificates):
            return "test"
        at = moment or dt.datetime.now(dt.UTC)
        leaf = certificates[0]
        if chain[0] in roots:
            return "trusted" if leaf.not_valid_before <= at <= leaf.not_valid_after else "unknown"
        return "trusted" if _leads_to_a_root(certificates, roots, at) else "unknown"
    except (ValueError, TypeError, KeyError):
        return "unknown"


def _leads_to_a_root(certificates: Sequence[x509.Certificate], roots: Iterable[bytes], at: dt.datetime) -> bool:
    anchors = [x509.Certificate.load(root) for root in roots]
    usage = certificates[0].key_usage_value
    if not anchors or (usage is not None and not {"digital_signature", "non_repudiation"} & usage.native):
        return False
    between = _chain(certificates, anchors)
    if between is None:
        return False
    context = ValidationContext(trust_roots=anchors, other_certs=between, moment=at, allow_fetching=False)
    validator = CertificateValidator(certificates[0], between, validation_context=context)
    try:
        asyncio.run(validator.async_validate_usage(set()))  # type: ignore[no-untyped-call]  # the library's own
    except (PathBuildingError, PathValidationError, ValidationError):
        return False
    return True


def _chain(
    certificates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> list[x509.Certificate] | None:
    """The one way from the first certificate to an anchor, by signatures that really fit; None without one.

    The library tries every order of certificates of one name, which somebody can make as many of as he likes.
    """
    way: list[x509.Certificate] = []
    here, left = certificates[0], list(certificates[1:MAX_CERTIFICATES])
    for _ in range(MAX_DEPTH):
        if any(_issued(one, here) for one in anchors):
            return way
        above = next((one for one in left if _issued(one, here)), None)
        if above is None:
            return None
        left.remove(above)
        way.append(above)
        here = above
    return None


def _issued(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    if issuer.subject != issued.issuer:
        return False
    try:
        load_der_x509_certificate(issued.dump()).verify_directly_issued_by(load_der_x509_certificate(issuer.dump()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_test(certificate: x509.Certificate) -> bool:
    units = certificate.subject.native.get("organizational_unit_name")
    return TEST_MARK in (units if isinstance(units, list) else [units])

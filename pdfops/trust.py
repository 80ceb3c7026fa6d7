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
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, ValidationError

from pdfops.verify import Verification

Trust = Literal["trusted", "unknown", "test"]

TEST_MARK: Final = "TEST - no legal value"
"""The organisational unit of certificates that were made for trying things out."""


def trust_of(verification: Verification, roots: Sequence[bytes], moment: dt.datetime | None = None) -> Trust:
    """What the signatures of a file are worth together: that of the weakest; timestamps do not count, unless there is
    nothing else. ``roots``: certificates in DER; ``moment``: aware, now unless said otherwise.
    """
    signatures = [one for one in verification.signatures if not one.is_timestamp] or verification.signatures
    found = {trust_of_chain(one.certificates, roots, moment) for one in signatures}
    order: tuple[Trust, ...] = ("test", "unknown", "trusted")
    return next((one for one in order if one in found), "unknown")


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
    context = ValidationContext(
        trust_roots=anchors, other_certs=list(certificates[1:]), moment=at, allow_fetching=False
    )
    validator = CertificateValidator(certificates[0], list(certificates[1:]), validation_context=context)
    try:
        asyncio.run(validator.async_validate_usage(set()))  # type: ignore[no-untyped-call]
    except (PathBuildingError, PathValidationError, ValidationError):
        return False
    return True


def _is_test(certificate: x509.Certificate) -> bool:
    units = certificate.subject.native.get("organizational_unit_name")
    return TEST_MARK in (units if isinstance(units, list) else [units])

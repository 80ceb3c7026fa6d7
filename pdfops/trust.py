"""Who vouches for a signer: a certificate that leads to one of the given roots, or nobody that we know.

A certificate that is itself among the roots is trusted: an organisation's self-made seal is known by being known. What
is marked as a test stays a test, whoever vouches for it. A certificate is judged by the earliest time that a trusted
timestamp attests, so what was signed in time stays good when it expires. Nobody is asked whether it was revoked; what
the document itself holds on that counts.

Source: ETSI EN 319 102-1, 5.6 (the past is judged from the last timestamp backwards).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from asn1crypto import x509

from pdfops.paths import leads_to
from pdfops.timestamp import may_stamp
from pdfops.verify import Verification

Trust = Literal["trusted", "unknown", "test"]

MAX_CHAINS: Final = 100
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


@dataclass(frozen=True, slots=True)
class Judged:
    """``attested_at``: when the signature was there at the latest, by a timestamp of somebody trusted; else None."""

    trust: Trust
    attested_at: dt.datetime | None


def trust_of_each(
    verification: Verification, roots: Sequence[bytes], moment: dt.datetime | None = None
) -> list[Trust]:
    """That of every signature, in their order."""
    return [one.trust for one in judge(verification, roots, moment)]


def judge(verification: Verification, roots: Sequence[bytes], moment: dt.datetime | None = None) -> list[Judged]:
    """Every signature, in their order, judged from the last one backwards: each trusted timestamp takes those before
    it to its own time. The same certificates are looked at once for each time."""
    at = moment or dt.datetime.now(dt.UTC)
    attested: dt.datetime | None = None
    known: dict[tuple[tuple[bytes, ...], dt.datetime, bool], Trust] = {}

    def trust(chain: tuple[bytes, ...], when: dt.datetime, *, stamps: bool = False) -> Trust:
        key = (chain, when, stamps)
        if key not in known:
            is_too_many = len(known) >= MAX_CHAINS
            known[key] = "unknown" if is_too_many else trust_of_chain(chain, roots, when, for_timestamps=stamps)
        return known[key]

    found: list[Judged] = []
    for one in reversed(verification.signatures):
        own = attested
        stamps: Trust = "unknown"
        if one.stamped_at is not None and one.intact and not _had_been(one.stamp_revoked_at, at):
            stamps = trust(one.stamp_certificates, at, stamps=True)
        if one.stamped_at is not None and stamps == "trusted":
            own = min(one.stamped_at, attested or one.stamped_at)
        if one.is_timestamp:
            found.append(Judged(stamps, own))
            at, attested = min(at, own or at), own
        else:
            when = min(at, own or at)
            found.append(Judged("unknown" if _had_been(one.revoked_at, when) else trust(one.certificates, when), own))
    return found[::-1]


def _had_been(revoked_at: dt.datetime | None, at: dt.datetime) -> bool:
    return revoked_at is not None and revoked_at <= at


def trust_of_chain(
    chain: Sequence[bytes], roots: Sequence[bytes], moment: dt.datetime | None = None, *, for_timestamps: bool = False
) -> Trust:
    """``chain``: DER, the signer's certificate first. Unreadable certificates are nobody's."""
    try:
        certificates = [x509.Certificate.load(one, strict=True) for one in chain]
        if not certificates:
            return "unknown"
        if any(_is_test(one) for one in certificates):
            return "test"
        at = moment or dt.datetime.now(dt.UTC)
        leaf = certificates[0]
        if for_timestamps and not may_stamp(chain[0]):
            return "unknown"
        if chain[0] in roots:
            return "trusted" if leaf.not_valid_before <= at <= leaf.not_valid_after else "unknown"
        return "trusted" if leads_to(chain, roots, at, for_timestamps=for_timestamps) else "unknown"
    except MemoryError:
        raise
    except Exception:
        # Foreign DER: anything can be raised.
        return "unknown"


def _is_test(certificate: x509.Certificate) -> bool:
    units = certificate.subject.native.get("organizational_unit_name")
    return TEST_MARK in (units if isinstance(units, list) else [units])

"""How long a signature can be checked, by what the document itself holds: the baseline levels of PAdES.

    B-B    the signature alone: as long as its certificate is valid
    B-T    and a timestamp, its own or a later one over the document
    B-LT   and the proofs that no certificate of it, nor of its timestamp, was revoked
    B-LTA  and a later timestamp over those proofs

Proofs count when they lead to a root that the document holds too; who trusts that root is asked in `pdfops.trust`.

Source: ETSI EN 319 142-1, 6.1 to 6.3.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from asn1crypto import crl, ocsp, x509
from pyhanko.pdf_utils import generic
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, RevokedError, ValidationError

from pdfops.paths import MAX_DEPTH, driven, is_issued, validated
from pdfops.reading import entry

Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
Proof = Literal["good", "missing", "revoked"]

MAX_STORED: Final = 200
MAX_JUDGED: Final = 50


@dataclass(frozen=True, slots=True)
class Signed:
    """What has to be known of one signature. ``revision``: which it ends, from 0; ``stamps``: it is a timestamp of
    the document; ``stamped_at``: as attested by an intact timestamp; chains in DER, the signer's certificate first."""

    revision: int
    stamps: bool
    stamped_at: dt.datetime | None
    chain: tuple[bytes, ...]
    stamp_chain: tuple[bytes, ...]


def levels_of(reader: Any, signed: Sequence[Signed], now: dt.datetime) -> list[tuple[Level, bool]]:
    """Level of each signature, in their order, and whether the document itself proves that it had been revoked."""
    store = _store(reader)
    results: list[tuple[Level, bool]] = []
    for place, one in enumerate(signed):
        later = [other for other in signed if other.stamps and other.stamped_at and other.revision > one.revision]
        attested = min((at for at in (one.stamped_at, *(other.stamped_at for other in later)) if at), default=None)
        if store is None or place >= MAX_JUDGED:
            results.append(("B-B" if attested is None else "B-T", False))
            continue
        proof = store.proof(one.chain, attested or now, for_timestamps=one.stamps)
        if proof == "revoked" or attested is None:
            results.append(("B-B" if attested is None else "B-T", proof == "revoked"))
            continue
        stamp = store.proof(one.stamp_chain, now, for_timestamps=True) if one.stamp_chain else "good"
        is_proven = proof == "good" and (stamp == "good" or bool(later))
        is_kept = is_proven and any(_had_store(reader, other.revision) for other in later)
        results.append(("B-LTA" if is_kept else "B-LT" if is_proven else "B-T", False))
    return results


class _Store:
    """The security store of a document, read."""

    def __init__(self, dss: Any) -> None:
        self._certificates = list(dss.load_certs())
        self._ocsps = [ocsp.OCSPResponse.load(one.get_object().data) for one in dss.ocsps]
        self._crls = [crl.CertificateList.load(one.get_object().data) for one in dss.crls]
        self._known: dict[tuple[tuple[bytes, ...], dt.datetime, bool], Proof] = {}

    def proof(self, chain: tuple[bytes, ...], at: dt.datetime, *, for_timestamps: bool) -> Proof:
        key = (chain, at, for_timestamps)
        if key not in self._known:
            self._known[key] = self._proof(chain, at, for_timestamps=for_timestamps)
        return self._known[key]

    def _proof(self, chain: tuple[bytes, ...], at: dt.datetime, *, for_timestamps: bool) -> Proof:
        if not chain:
            return "missing"
        own = [x509.Certificate.load(one) for one in chain]
        way = [own[0]]
        left = [one for one in (*own[1:], *self._certificates) if one.dump() != chain[0]]
        while len(way) <= MAX_DEPTH and way[-1].subject != way[-1].issuer:
            above = next((one for one in left if is_issued(one, way[-1])), None)
            if above is None:
                break
            left.remove(above)
            way.append(above)
        context = ValidationContext(
            trust_roots=[way[-1]],
            other_certs=[*way[1:-1], *self._certificates[:MAX_STORED]],
            moment=at,
            ocsps=self._ocsps,
            crls=self._crls,
            revocation_mode="hard-fail",
            retroactive_revinfo=True,
        )
        validator = CertificateValidator(own[0], way[1:-1], validation_context=context)
        try:
            driven(validated(validator, for_timestamps=for_timestamps))
        except RevokedError:
            return "revoked"
        except (PathBuildingError, PathValidationError, ValidationError):
            return "missing"
        # Without the issuer above it cannot be told whether he revoked the last of them.
        return "good" if way[-1].subject == way[-1].issuer else "missing"


def _store(reader: Any) -> _Store | None:
    raw = entry(reader.root, "/DSS")
    if not isinstance(raw, generic.DictionaryObject):
        return None
    try:
        lists = [entry(raw, key) for key in ("/Certs", "/OCSPs", "/CRLs")]
        if sum(len(one) for one in lists if isinstance(one, generic.ArrayObject)) > MAX_STORED:
            return None
        return _Store(DocumentSecurityStore.read_dss(reader))
    except (MemoryError, RecursionError):
        raise
    except Exception:
        # Foreign bytes: a store that cannot be read proves nothing.
        return None


def _had_store(reader: Any, revision: int) -> bool:
    return entry(reader.get_historical_root(revision), "/DSS") is not None

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
from itertools import pairwise
from typing import Any, Final, Literal

from asn1crypto import crl, ocsp, x509
from pyhanko.pdf_utils import generic
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, RevokedError, ValidationError

from pdfops.paths import MAX_DEPTH, driven, is_issued, validated
from pdfops.reading import entry

Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
SealLevel = Literal["b-b", "b-t", "b-lt", "b-lta"]
"""What a document is to reach by our hand, as settings and commands write it; `Level` is what one has."""

MAX_STORED: Final = 200
MAX_JUDGED: Final = 250
"""Signatures whose level is looked for; each is judged at a time of its own."""

MAX_PROOFS: Final = 5


@dataclass(frozen=True, slots=True)
class Signed:
    """What has to be known of one signature. ``revision``: which it ends, from 0; ``stamps``: it is a timestamp of
    the document; ``stamped_at``: as attested by an intact timestamp; chains in DER, the signer's certificate first."""

    revision: int
    stamps: bool
    stamped_at: dt.datetime | None
    chain: tuple[bytes, ...]
    stamp_chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """``revoked_at``: since when the signer's certificate, or one above it, is revoked, by a proof that the document
    holds; ``stamp_revoked_at``: the same of the timestamp's."""

    level: Level
    revoked_at: dt.datetime | None = None
    stamp_revoked_at: dt.datetime | None = None


def levels_of(reader: Any, signed: Sequence[Signed], now: dt.datetime) -> list[Standing]:
    """Of each signature, in their order. Who made a timestamp is not asked, so none takes a revocation away here."""
    stores: dict[int, _Store | None] = {}

    def store_at(revision: int) -> _Store | None:
        if revision not in stores:
            stores[revision] = _store(reader.get_historical_resolver(revision))
        return stores[revision]

    store = _store(reader)
    results: list[Standing] = []
    for place, one in enumerate(signed):
        later = [other for other in signed if other.stamps and other.stamped_at and other.revision > one.revision]
        attested = min((at for at in (one.stamped_at, *(other.stamped_at for other in later)) if at), default=None)
        level: Level = "B-B" if attested is None else "B-T"
        if store is None:
            results.append(Standing(level))
            continue
        revoked_at, stamp_revoked_at = store.revoked_at(one.chain), store.revoked_at(one.stamp_chain)
        if (
            attested is not None
            and place < MAX_JUDGED
            and store.proves(one, attested, now, is_stamped_later=bool(later))
        ):
            level = "B-LT"
            kept = store_at(max(other.revision for other in later)) if later else None
            if kept is not None and kept.proves(one, attested, now, is_stamped_later=True):
                level = "B-LTA"
        results.append(Standing(level, revoked_at, stamp_revoked_at))
    return results


class _Store:
    """The security store of a document, read."""

    def __init__(self, dss: Any) -> None:
        self._certificates = list(dss.load_certs())
        self._ocsps = [ocsp.OCSPResponse.load(one.get_object().data) for one in dss.ocsps]
        self._crls = [crl.CertificateList.load(one.get_object().data) for one in dss.crls]
        self._known: dict[tuple[tuple[bytes, ...], dt.datetime, bool], bool] = {}
        self._revoked: dict[tuple[bytes, ...], dt.datetime | None] = {}

    def proves(self, one: Signed, attested: dt.datetime, now: dt.datetime, *, is_stamped_later: bool) -> bool:
        """That nothing was revoked when the signature was made, nor the authority of its timestamp by now."""
        if not self._is_proven(one.chain, attested, for_timestamps=one.stamps):
            return False
        return is_stamped_later or not one.stamp_chain or self._is_proven(one.stamp_chain, now, for_timestamps=True)

    def revoked_at(self, chain: tuple[bytes, ...]) -> dt.datetime | None:
        """Since when the first certificate or one above it is revoked, by a proof that whoever issued it made."""
        if chain not in self._revoked:
            way = self._way([x509.Certificate.load(one) for one in chain]) if chain else []
            found = [self._revoked_by(above, one) for one, above in pairwise(way)]
            self._revoked[chain] = min((at for at in found if at), default=None)
        return self._revoked[chain]

    def _revoked_by(self, issuer: x509.Certificate, one: x509.Certificate) -> dt.datetime | None:
        """The library looks at a whole path from its root downwards, and gives up where a proof is missing; here each
        proof counts for itself, at its own time, how old it may be and whether the certificate has expired."""
        for said_at in self._times_of_revocation(one)[:MAX_PROOFS]:
            context = ValidationContext(
                trust_roots=[issuer],
                other_certs=self._certificates[:MAX_STORED],
                moment=min(said_at + dt.timedelta(seconds=1), one.not_valid_after),
                ocsps=self._ocsps,
                crls=self._crls,
                revocation_mode="hard-fail",
                retroactive_revinfo=True,
            )
            try:
                driven(validated(CertificateValidator(one, [], validation_context=context), for_timestamps=False))
            except RevokedError as revoked:
                return revoked.revocation_dt
            except (PathBuildingError, PathValidationError, ValidationError):
                continue
        return None

    def _times_of_revocation(self, one: x509.Certificate) -> list[dt.datetime]:
        """When somebody said that a certificate of that number is revoked; who said it is not asked."""
        times: set[dt.datetime] = set()
        number = bytes(one["tbs_certificate"]["serial_number"].dump())
        for response in self._ocsps:
            if response["response_status"].native != "successful":
                continue
            for single in response.response_data["responses"]:
                if single["cert_status"].name == "revoked" and _number(single) == one.serial_number:
                    times.add(single["this_update"].native)
        for listed in self._crls:
            stated = listed["tbs_cert_list"]
            # Lists can be long: they are taken apart only where those bytes are in them.
            if (
                number in bytes(listed.contents)
                and stated["issuer"] == one.issuer
                and any(
                    entry["user_certificate"].native == one.serial_number for entry in stated["revoked_certificates"]
                )
            ):
                times.add(stated["this_update"].native)
        return sorted(times)

    def _is_proven(self, chain: tuple[bytes, ...], at: dt.datetime, *, for_timestamps: bool) -> bool:
        key = (chain, at, for_timestamps)
        if key not in self._known:
            self._known[key] = self._is_good(chain, at, for_timestamps=for_timestamps)
        return self._known[key]

    def _way(self, own: Sequence[x509.Certificate]) -> list[x509.Certificate]:
        """From the first certificate upwards, as far as there are issuers."""
        way = [own[0]]
        left = [one for one in (*own[1:], *self._certificates) if one.dump() != own[0].dump()]
        while len(way) <= MAX_DEPTH and way[-1].subject != way[-1].issuer:
            above = next((one for one in left if is_issued(one, way[-1])), None)
            if above is None:
                break
            left.remove(above)
            way.append(above)
        return way

    def _is_good(self, chain: tuple[bytes, ...], at: dt.datetime, *, for_timestamps: bool) -> bool:
        if not chain:
            return False
        own = [x509.Certificate.load(one) for one in chain]
        way = self._way(own)
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
        except (PathBuildingError, PathValidationError, ValidationError):
            return False
        # Without the issuer above it cannot be told whether he revoked the last of them.
        return bool(way[-1].subject == way[-1].issuer)


def _number(single: Any) -> int:
    return int(single["cert_id"]["serial_number"].native)


def _store(reader: Any) -> _Store | None:
    """``reader``: of the document, or as it was in some revision."""
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

"""What a signature needs to be checked in many years: the certificates and the proofs that none was revoked, kept in
the document's own security store, and a timestamp over all of it.

Nothing here reaches a network. `gather` says what it still needs, the caller fetches it and asks again, so that
answers of strangers are read in a child, which has no network, and fetched by the parent, which reads nothing.

A good result, for every signature of a document: each has its own timestamp, then comes the store for all of them,
then one timestamp over the whole (B-LTA).

Source: ETSI EN 319 142-1, 5.4 and 6.3; ISO 32000-2, 12.8.4.3 and 12.8.5; RFC 6960; RFC 5280.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from asn1crypto import crl, ocsp, pem, x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    CRLFetchError,
    OCSPFetchError,
    PathBuildingError,
    PathValidationError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.fetchers import CertificateFetcher, CRLFetcher, Fetchers, OCSPFetcher
from pyhanko_certvalidator.fetchers.common_utils import enumerate_delivery_point_urls, format_ocsp_request
from pyhanko_certvalidator.util import get_ocsp_urls, get_relevant_crl_dps

from pdfops.appending import Appender
from pdfops.archive import rules_of
from pdfops.errors import PdfError
from pdfops.fields import empty_appearance, form_list, widget_for
from pdfops.paths import chain_between, driven, validated
from pdfops.permissions import signature_fields
from pdfops.reading import all_pages, open_reader
from pdfops.seal import MAX_GROWTH_BYTES, Unsigned
from pdfops.timestamp import certificates_of

TOOLTIP: Final = "Timestamp"
MAX_NEEDS: Final = 40
MAX_CHAINS: Final = 100
MAX_STORE_BYTES: Final = 1_500_000

Kind = Literal["ocsp", "crl"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates that signed something, DER, the signer's own first. ``stamps``: it made a timestamp."""

    certificates: tuple[bytes, ...]
    stamps: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """Something to fetch: a POST of ``body`` for OCSP, a GET for a CRL."""

    kind: Kind
    url: str
    body: bytes = b""

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.kind} {self.url} ".encode() + self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Material:
    """What goes into the store, all DER."""

    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


def chains_of(data: bytes) -> list[Chain]:
    """The chains of every signature and timestamp in a document, each once; what cannot be read is left out."""
    reader = open_reader(data)
    found: dict[Chain, None] = {}
    for name, signature, field in signature_fields(reader):
        if signature is None:
            continue
        try:
            for chain in _chains(EmbeddedPdfSignature(reader, field, name)):
                found[chain] = None
        except (MemoryError, RecursionError):
            raise
        except Exception:  # noqa: S112  # foreign DER: anything can be raised; it then has no long-term data
            continue
    return list(found)[:MAX_CHAINS]


def _chains(embedded: EmbeddedPdfSignature) -> Iterable[Chain]:
    is_stamp = embedded.signed_data["encap_content_info"]["content_type"].native == "tst_info"
    yield Chain(certificates_of(embedded.signed_data, embedded.signer_info), is_stamp)
    for token in extract_tst_data_iter(embedded.signer_info, signed=False):
        yield Chain(certificates_of(token, token["signer_infos"][0]), stamps=True)


def way_to_root(chain: Sequence[bytes], roots: Sequence[bytes]) -> list[bytes] | None:
    """The certificates of a chain that have to be shown not to be revoked, its own first; None where it leads to none
    of ``roots``. All DER."""
    if chain[0] in roots:
        return []
    parsed = [x509.Certificate.load(one) for one in chain]
    between = chain_between(parsed, [x509.Certificate.load(root) for root in roots])
    return None if between is None else [bytes(one.dump()) for one in (parsed[0], *between)]


def proofs_of(certificate: bytes) -> list[str]:
    """The addresses, by a certificate's own words, where it is said whether it was revoked. DER."""
    parsed = x509.Certificate.load(certificate)
    points = get_relevant_crl_dps(parsed, use_deltas=False)
    return [*get_ocsp_urls(parsed), *(url for point in points for url in enumerate_delivery_point_urls(point))]


def gather(
    chains: Sequence[Chain], roots: Sequence[bytes], answers: Mapping[str, bytes], now: dt.datetime, own: bytes
) -> Need | Material:
    """What proves today that the certificates are good, or what is still needed for it.

    ``answers``: what came for earlier needs, by their ``key``; b"" for what did not come. ``own``: the certificate of
    our seals. Chains of strangers that lead to none of ``roots`` are left out, signatures of strangers that cannot be
    shown to be good, and timestamps whose certificate has expired: of those nothing can be proven any more. Ours, and
    the other timestamps of authorities that we know, may not be left out.

    Raises: PdfError validation-data-missing, with ``reason`` (path, revoked, revocation, size).
    """
    anchors = [x509.Certificate.load(root) for root in roots]
    fetchers = _Fetchers(answers)
    certificates: dict[bytes, None] = {}
    for chain in chains:
        parsed = [x509.Certificate.load(one) for one in chain.certificates]
        if not parsed:
            continue
        between = [] if chain.certificates[0] in roots else chain_between(parsed, anchors)
        if between is None:
            if chain.certificates[0] == own:
                raise PdfError("validation-data-missing", reason="path")
            continue
        is_needed = chain.certificates[0] == own or (chain.stamps and now <= parsed[0].not_valid_after)
        context = ValidationContext(
            trust_roots=anchors,
            other_certs=between,
            moment=now,
            allow_fetching=True,
            fetchers=fetchers.all,
            revocation_mode="hard-fail",
        )
        try:
            validator = CertificateValidator(parsed[0], between, validation_context=context)
            path = driven(validated(validator, for_timestamps=chain.stamps))
        except _NeededError as needed:
            return needed.need
        except (PathBuildingError, PathValidationError, ValidationError) as error:
            if not is_needed:
                continue
            reason = "revoked" if isinstance(error, RevokedError) else "revocation"
            raise PdfError("validation-data-missing", reason=reason) from error
        for one in path.iter_certs(include_root=True):
            certificates[bytes(one.dump())] = None
    material = Material(tuple(certificates), tuple(fetchers.ocsps), tuple(fetchers.crls))
    if sum(map(len, material.certificates + material.ocsps + material.crls)) > MAX_STORE_BYTES:
        raise PdfError("validation-data-missing", reason="size")
    return material


def draw_up_store(data: bytes, material: Material) -> bytes:
    """A revision with the store in it: what has to be appended to ``data``; b"" where there is nothing new.

    Raises: PdfError as `reading.open_reader`, too-much-growth.
    """
    reader = open_reader(data)
    writer = Appender(data, reader, notes_itself=not rules_of(reader.root).is_archive)
    store = DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[x509.Certificate.load(one) for one in material.certificates],
        ocsps=[ocsp.OCSPResponse.load(one) for one in material.ocsps],
        crls=[crl.CertificateList.load(one) for one in material.crls],
    )
    tail = writer.tail() if store.modified else b""
    if len(tail) > MAX_GROWTH_BYTES:
        raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
    return tail


def draw_up_timestamp(data: bytes, cms_bytes: int) -> tuple[Unsigned, str]:
    """A revision with an invisible field that has room for a timestamp over the whole file; and the field's name.

    No certification and no lock forbids it. Source: ISO 32000-2, 12.8.2.2.2.
    Raises: PdfError as `reading.open_reader`.
    """
    reader = open_reader(data)
    taken = [name for name, _value, _field in signature_fields(reader)]
    name = next(n for n in (f"Timestamp-{number}" for number in range(1, len(taken) + 2)) if n not in taken)
    writer = Appender(data, reader, notes_itself=not rules_of(reader.root).is_archive)
    page = all_pages(writer.root)[0]
    stamp = DocumentTimestamp(bytes_reserved=2 * cms_bytes)
    nowhere = generic.ArrayObject(map(generic.NumberObject, (0, 0, 0, 0)))
    field = widget_for(name, TOOLTIP, nowhere, page, empty_appearance(writer))
    field["/FT"] = pdf_name("/Sig")
    field["/V"] = writer.add_object(stamp)
    listed = form_list(writer, frozenset([name]), is_signed=True)
    reference = writer.add_object(field)
    listed.append(reference)
    writer.update_container(listed)
    writer.add_widgets([page], [(page, reference)])
    tail = writer.signed_tail(stamp)
    start, end = stamp.contents.offsets
    return Unsigned(tail, start, end), name


# ---- what the library asks for --------------------------------------------------------------------------------------
class _NeededError(BaseException):
    """Goes through everything that catches errors: the answer is not there yet."""

    def __init__(self, need: Need) -> None:
        super().__init__(need.url)
        self.need = need


class _Fetchers:
    """The library's fetchers, which know nothing but what was fetched before."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self._answers = answers
        self.ocsps: dict[bytes, None] = {}
        self.crls: dict[bytes, None] = {}
        self.all = Fetchers(_Ocsps(self), _Crls(self), _Certificates())

    def answer(self, need: Need) -> bytes:
        if need.key not in self._answers:
            if len(self._answers) >= MAX_NEEDS:
                raise PdfError("validation-data-missing", reason="size")
            raise _NeededError(need)
        return self._answers[need.key]


class _Ocsps(OCSPFetcher):
    def __init__(self, known: _Fetchers) -> None:
        self._known = known
        self._found: dict[bytes, list[Any]] = {}

    async def fetch(self, cert: Any, authority: Any) -> Any:
        # Without a nonce, so that the same question is the same bytes; the answer is fresh by its own times.
        asked = format_ocsp_request(cert, authority, certid_hash_algo="sha1", request_nonces=False)
        for url in get_ocsp_urls(cert):
            answer = self._known.answer(Need("ocsp", url, bytes(asked.dump())))
            try:
                parsed = ocsp.OCSPResponse.load(answer, strict=True) if answer else None
                if parsed is None or parsed["response_status"].native != "successful":
                    continue
            except ValueError:
                continue
            self._known.ocsps[bytes(parsed.dump())] = None
            self._found.setdefault(bytes(cert.dump()), []).append(parsed)
            return parsed
        raise OCSPFetchError("nothing came")

    def fetched_responses(self) -> Iterable[Any]:
        return [one for found in self._found.values() for one in found]

    def fetched_responses_for_cert(self, cert: Any) -> Iterable[Any]:
        return self._found.get(bytes(cert.dump()), [])


class _Crls(CRLFetcher):
    def __init__(self, known: _Fetchers) -> None:
        self._known = known
        self._found: dict[bytes, list[Any]] = {}

    async def fetch(self, cert: Any, *, use_deltas: Any = None) -> Iterable[Any]:
        found = self._found.setdefault(bytes(cert.dump()), [])
        if found:
            return found
        for point in get_relevant_crl_dps(cert, use_deltas=bool(use_deltas)):
            for url in enumerate_delivery_point_urls(point):
                answer = self._known.answer(Need("crl", url))
                try:
                    der = pem.unarmor(answer)[2] if answer and pem.detect(answer) else answer
                    parsed = crl.CertificateList.load(der, strict=True) if der else None
                except ValueError:
                    continue
                if parsed is not None:
                    self._known.crls[bytes(parsed.dump())] = None
                    found.append(parsed)
                    break
        if not found:
            raise CRLFetchError("nothing came")
        return found

    def fetched_crls(self) -> Iterable[Any]:
        return [one for found in self._found.values() for one in found]

    def fetched_crls_for_cert(self, cert: Any) -> Iterable[Any]:
        return self._found[bytes(cert.dump())]


class _Certificates(CertificateFetcher):
    """Chains come whole, or not at all: nobody is asked for an issuer's certificate."""

    async def fetch_cert_issuers(self, cert: Any) -> AsyncGenerator[x509.Certificate, None]:
        nobody: tuple[x509.Certificate, ...] = ()
        for one in nobody:
            yield one

    async def fetch_crl_issuers(self, certificate_list: Any) -> AsyncGenerator[x509.Certificate, None]:
        nobody: tuple[x509.Certificate, ...] = ()
        for one in nobody:
            yield one

    def fetched_certs(self) -> Iterable[x509.Certificate]:
        return ()

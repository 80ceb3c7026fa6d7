"""Are the signatures in a PDF intact, what do they cover, and what came after? "Unknown" is never "intact".

Checked for each: its digest over the byte range, the signature over the signed attributes with the key in its own
certificate, that it covers its revision from the first byte to the last but for itself, and, unless the caller does
without, what later revisions changed. Not checked here: whom the certificate belongs to and who vouches for it, and
revocation.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Literal

from pyhanko.pdf_utils import generic
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter, validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from pdfops.changes import Change, list_changes, removed_signatures
from pdfops.errors import PdfError
from pdfops.history import Reader
from pdfops.inspect import certificate_name, claimed_name, signer_name
from pdfops.levels import Level, Signed, levels_of
from pdfops.permissions import signature_fields
from pdfops.reading import entries, open_reader
from pdfops.timestamp import attestation, imprint_algorithm

State = Literal["intact", "broken", "unverifiable"]
Coverage = Literal["file", "revision", "part"]
Later = Literal["nothing", "signatures", "validation-data", "other"]
Changes = Literal["none", "allowed", "forbidden", "unexamined"]
Integrity = Literal["intact", "changed", "broken", "unsigned", "unverifiable"]

MAX_SIGNATURES: Final = 1_000
MAX_END_BYTES: Final = 10_000
MAX_CERTIFICATES: Final = 20
MAX_TIMESTAMPS: Final = 5
_END_OF_REVISION: Final = re.compile(
    rb"(\s*(trailer\s*)?<<.*>>|\s*(endstream\s+)?(endobj)?)\s*startxref\s+\d+\s+%%EOF\s*", re.DOTALL
)
_COVERAGE: Final[dict[SignatureCoverageLevel, Coverage]] = {
    SignatureCoverageLevel.ENTIRE_FILE: "file",
    SignatureCoverageLevel.ENTIRE_REVISION: "revision",
}


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """One signature, in the order of signing.

    ``signed_at`` is claimed by the signer, None when absent. ``covers``: the file to its last byte, its own revision
    completely, or only a part. ``later``: what the file ends with behind it: nothing, an intact signature, data for
    long-term validation, or anything else. ``changes``: what those revisions did to what was signed; filling in fields
    and signing are allowed. ``reason`` says in English why a state is not intact. ``stamped_at``: what an intact
    timestamp attests, for a timestamp its own time; ``stamp_certificates``: whose it is. ``level``: see
    `pdfops.levels`; ``revoked_at`` and ``stamp_revoked_at``: the document holds a proof that the certificate, or the
    timestamp's, was revoked then. ``name``: what
    the signature says of itself, which its signer vouches for.
    """

    field: str
    signer: str
    signed_at: dt.datetime | None
    state: State
    covers: Coverage
    later: Later
    changes: Changes
    is_timestamp: bool = False
    reason: str = ""
    signed_bytes: int = 0
    certificates: tuple[bytes, ...] = ()
    stamped_at: dt.datetime | None = None
    stamp_certificates: tuple[bytes, ...] = ()
    level: Level = "B-B"
    revoked_at: dt.datetime | None = None
    stamp_revoked_at: dt.datetime | None = None
    name: str = ""

    @property
    def integrity(self) -> Integrity:
        """Of this signature, with what came after it."""
        if self.state != "intact":
            return self.state
        if self.changes == "forbidden" or self.later == "other":
            return "changed"
        return "unverifiable" if self.changes == "unexamined" else "intact"

    @property
    def intact(self) -> bool:
        """The bytes it covers are those that were signed, and it covers a whole revision."""
        return self.state == "intact"

    @property
    def covers_whole_file(self) -> bool:
        return self.covers == "file"


@dataclass(frozen=True, slots=True)
class Verification:
    """Every signature of a file, and whether the file as it lies here ends with one.

    ``changes``: what happened behind the first signature, allowed or not; None where it could not be listed.
    """

    signatures: tuple[SignatureVerdict, ...]
    revisions: int
    changes: tuple[Change, ...] | None = ()

    @property
    def integrity(self) -> Integrity:
        """Of the file as a whole: the worst of its signatures, "broken" first; whatever stands behind the last one
        other than validation data and timestamps is a change."""
        found: set[Integrity] = {one.integrity for one in self.signatures}
        if any(change.is_grave(len(self.signatures)) for change in self.changes or ()):
            found.add("changed")
        if self.changes is None and "changed" not in found:
            found.add("unverifiable")
        order: tuple[Integrity, ...] = ("broken", "unverifiable", "changed", "intact")
        return next((one for one in order if one in found), "unsigned")

    @property
    def signed_bytes(self) -> int:
        """Where the version that the last intact signature covers ends; 0 without one."""
        return next((one.signed_bytes for one in reversed(self.signatures) if one.intact and one.signed_bytes), 0)

    @property
    def is_intact(self) -> bool:
        """There are signatures, all are intact, the file ends with one, and no revision did what it may not."""
        return self.integrity == "intact"

    @property
    def is_unbroken(self) -> bool:
        """As `is_intact`, whatever the revisions between the signatures changed."""
        return bool(self.signatures) and all(one.intact and one.later != "other" for one in self.signatures)


def verify(data: bytes, examine: bool = True) -> Verification:
    """Check every signature; with ``examine`` also what came after it, which can take many times as long.

    Raises: PdfError when the file cannot be read at all. One signature that cannot be read is "unverifiable".
    """
    reader = open_reader(data)
    found: list[tuple[int, SignatureVerdict]] = []
    for name, signature, form_field in signature_fields(reader):
        if signature is None:
            continue
        if len(found) >= MAX_SIGNATURES:
            raise PdfError("damaged")
        found.append(verdict_of(reader, name, signature, form_field, examine=examine))
    found.sort(key=lambda pair: pair[0])
    verdicts = _with_levels(reader, found) if examine else [verdict for _revision, verdict in found]
    ends_well = bool(verdicts) and verdicts[-1].intact and verdicts[-1].later != "other"
    return Verification(
        tuple(
            replace(one, later="signatures") if one.later == "other" and one.intact and ends_well else one
            for one in verdicts
        ),
        int(reader.xrefs.total_revisions),
        _changes(reader, data, [revision for revision, _ in found]) if examine else (),
    )


def _with_levels(reader: Reader, found: list[tuple[int, SignatureVerdict]]) -> list[SignatureVerdict]:
    signed = [
        Signed(
            revision,
            one.is_timestamp and one.intact,
            one.stamped_at if one.intact else None,
            one.certificates,
            one.stamp_certificates,
        )
        for revision, one in found
    ]
    try:
        levels = levels_of(reader, signed, dt.datetime.now(dt.UTC))
    except (MemoryError, RecursionError):
        raise
    except Exception:
        # Foreign bytes: nothing is said of how long it lasts.
        return [one for _revision, one in found]
    return [
        replace(one, level=standing.level, revoked_at=standing.revoked_at, stamp_revoked_at=standing.stamp_revoked_at)
        for (_revision, one), standing in zip(found, levels, strict=True)
    ]


def _changes(reader: Reader, data: bytes, signed_revisions: list[int]) -> tuple[Change, ...] | None:
    if min(signed_revisions, default=0) < 0:
        return None
    try:
        if not signed_revisions:
            return removed_signatures(reader)
        return list_changes(reader, data, signed_revisions)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        # Foreign bytes: the verdict stands without a list.
        return None


def verdict_of(
    reader: Reader,
    name: str,
    signature: generic.DictionaryObject,
    form_field: generic.DictionaryObject,
    *,
    examine: bool,
) -> tuple[int, SignatureVerdict]:
    """A signature and the revision it ends, from 0; -1 where it cannot be read. ``later`` is seen from this signature
    alone."""
    is_timestamp = False
    try:
        embedded = EmbeddedPdfSignature(reader, form_field, name)
        is_timestamp = embedded.signed_data["encap_content_info"]["content_type"].native == "tst_info"
        coverage = _COVERAGE.get(embedded.evaluate_signature_coverage(), "part")
        state, reason = _state(embedded, coverage)
        changes, later = _aftermath(reader, embedded, coverage, examine=examine)
        stamped_at, stamp_certificates = _attested(embedded) if state == "intact" else (None, ())
        return int(embedded.signed_revision), SignatureVerdict(
            field=name,
            signer=certificate_name(embedded.signer_cert),
            signed_at=embedded.self_reported_timestamp,
            state=state,
            covers=coverage,
            later=later,
            changes=changes,
            is_timestamp=is_timestamp,
            reason=reason,
            signed_bytes=_signed_bytes(embedded) if coverage != "part" else 0,
            certificates=_certificates(embedded),
            stamped_at=stamped_at,
            stamp_certificates=stamp_certificates,
            name=claimed_name(signature),
        )
    except MemoryError:
        raise
    except Exception:
        # Foreign bytes: whatever a parser raises, the signature cannot be verified.
        return -1, SignatureVerdict(
            field=name,
            signer=signer_name(signature),
            signed_at=None,
            state="unverifiable",
            covers="part",
            later="other",
            changes="unexamined",
            is_timestamp=is_timestamp,
            reason="it cannot be read",
        )


def _signed_bytes(embedded: EmbeddedPdfSignature) -> int:
    last = entries(embedded.byte_range)[-2:]
    return int(last[0]) + int(last[1])


def _certificates(embedded: EmbeddedPdfSignature) -> tuple[bytes, ...]:
    others = embedded.other_embedded_certs or ()
    return tuple(bytes(one.dump()) for one in [embedded.signer_cert, *others][:MAX_CERTIFICATES])


def _attested(embedded: EmbeddedPdfSignature) -> tuple[dt.datetime | None, tuple[bytes, ...]]:
    """The time that a document timestamp, or the first intact timestamp of a signature, attests; and whose it is."""
    if embedded.signed_data["encap_content_info"]["content_type"].native == "tst_info":
        stated = embedded.signed_data["encap_content_info"]["content"].parsed
        return stated["gen_time"].native, _certificates(embedded)
    signature = embedded.signer_info["signature"].native
    for token in islice(extract_tst_data_iter(embedded.signer_info, signed=False), MAX_TIMESTAMPS):
        try:
            found = attestation(token, hashlib.new(imprint_algorithm(token), signature).digest())
        except (MemoryError, RecursionError):
            raise
        except Exception:  # noqa: S112  # foreign DER: such a timestamp attests nothing
            continue
        if found is not None:
            return found
    return None, ()


def _aftermath(
    reader: Reader, embedded: EmbeddedPdfSignature, coverage: Coverage, *, examine: bool
) -> tuple[Changes, Later]:
    """What the revisions behind a signature did. Source: pyHanko's difference analysis, its default policy."""
    if coverage == "file":
        return "none", "nothing"
    if coverage == "part" or not examine or not reader.says_its_size:
        return "unexamined", "other"
    try:
        embedded.compute_integrity_info()
    except (MemoryError, RecursionError):
        raise
    except Exception:
        # The analysis gives up on many odd but harmless files: no verdict, which is not a good one.
        return "unexamined", "other"
    result: Any = embedded.diff_result
    if not isinstance(result, DiffResult):
        return "forbidden", "other"
    level = result.modification_level
    if level <= ModificationLevel.LTA_UPDATES:
        return "allowed", "validation-data" if _ends_with_revision(embedded) else "other"
    may_fill = embedded.docmdp_level != MDPPerm.NO_CHANGES
    return ("allowed" if level == ModificationLevel.FORM_FILLING and may_fill else "forbidden"), "other"


def _ends_with_revision(embedded: EmbeddedPdfSignature) -> bool:
    """Whether what follows a signature is a revision, and nothing is hidden behind the file's last one."""
    reader = embedded.reader
    last = int(reader.xrefs.total_revisions) - 1
    if int(embedded.signed_revision) >= last:
        return False
    reader.stream.seek(int(reader.xrefs.get_xref_container_info(last).end_location))
    end = reader.stream.read(MAX_END_BYTES + 1)
    return _END_OF_REVISION.fullmatch(end) is not None and end.count(b"startxref") == 1


def _state(embedded: EmbeddedPdfSignature, coverage: Coverage) -> tuple[State, str]:
    content = embedded.signed_data["encap_content_info"]["content_type"].native
    if content == "tst_info":
        digest_matches, is_valid = _timestamp_integrity(embedded)
    elif content == "data":
        digest_matches, is_valid = validate_sig_integrity(
            embedded.signer_info,
            embedded.signer_cert,
            expected_content_type="data",
            actual_digest=embedded.compute_digest(),
        )
    else:
        return "unverifiable", "content type"
    if not digest_matches:
        return "broken", "the signed bytes were changed"
    if not is_valid:
        return "broken", "the signature does not belong to its certificate"
    if coverage == "part":
        return "unverifiable", "it does not cover a whole revision"
    return "intact", ""


def _timestamp_integrity(embedded: EmbeddedPdfSignature) -> tuple[bool, bool]:
    """A document timestamp: the token's imprint is of the file, the token's own signature of its content."""
    content = embedded.signed_data["encap_content_info"]["content"]
    imprint = content.parsed["message_imprint"]["hashed_message"].native
    algorithm = embedded.signer_info["digest_algorithm"]["algorithm"].native
    inner_matches, is_valid = validate_sig_integrity(
        embedded.signer_info,
        embedded.signer_cert,
        expected_content_type="tst_info",
        actual_digest=_digest(algorithm, bytes(content)),
    )
    return inner_matches and imprint == embedded.compute_digest(), is_valid


def _digest(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm, data).digest()

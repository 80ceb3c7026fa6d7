"""Are the signatures in a PDF intact, and what do they cover? Cheap checks; "unknown" is never "intact".

Checked for each: its digest over the byte range, the signature over the signed attributes with the key in its own
certificate, and that it covers its revision from the first byte to the last but for itself. Not checked here: whom
the certificate belongs to and who vouches for it, revocation, and what later revisions changed. `later` says whether
there are any.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pyhanko.pdf_utils import generic
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from pdfops.errors import PdfError
from pdfops.inspect import certificate_name, signer_name
from pdfops.permissions import signature_fields
from pdfops.reading import entry, open_reader
from pdfops.seal import MAX_GROWTH_BYTES

State = Literal["intact", "broken", "unverifiable"]
Coverage = Literal["file", "revision", "part"]
Later = Literal["nothing", "signatures", "other"]

MAX_SIGNATURES: Final = 1_000


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """One signature, in the order of signing.

    ``signed_at`` is claimed by the signer, None when absent. ``covers``: the file to its last byte, its own revision
    completely, or only a part. ``later``: what follows it: nothing, revisions that each end in an intact signature
    (what they changed was not examined), or anything else. ``reason`` says in English why a state is not intact.
    """

    field: str
    signer: str
    signed_at: dt.datetime | None
    state: State
    covers: Coverage
    later: Later
    is_timestamp: bool = False
    reason: str = ""

    @property
    def intact(self) -> bool:
        """The bytes it covers are those that were signed, and it covers a whole revision."""
        return self.state == "intact"

    @property
    def covers_whole_file(self) -> bool:
        return self.covers == "file"


@dataclass(frozen=True, slots=True)
class Verification:
    """Every signature of a file, and whether the file as it lies here ends with one."""

    signatures: tuple[SignatureVerdict, ...]
    revisions: int

    @property
    def is_intact(self) -> bool:
        """There are signatures, all are intact, and nothing unsigned follows any of them."""
        return bool(self.signatures) and all(one.intact and one.later != "other" for one in self.signatures)


def verify(data: bytes) -> Verification:
    """Check every signature.

    Raises: PdfError when the file cannot be read at all. One signature that cannot be read is "unverifiable".
    """
    reader = open_reader(data)
    found: list[tuple[int, SignatureVerdict]] = []
    for name, signature, form_field in signature_fields(reader):
        if signature is None:
            continue
        if len(found) >= MAX_SIGNATURES:
            raise PdfError("damaged")
        found.append(_verdict(reader, name, signature, form_field))
    last = int(reader.xrefs.total_revisions) - 1
    sealed = {revision for revision, verdict in found if verdict.intact}
    verdicts = []
    for revision, verdict in sorted(found, key=lambda pair: pair[0]):
        later: Later
        if verdict.covers == "file":
            later = "nothing"
        elif verdict.intact and all(number in sealed for number in range(revision + 1, last + 1)):
            later = "signatures" if _ends_with_signature(found) else "other"
        else:
            later = "other"
        verdicts.append(_with_later(verdict, later))
    return Verification(tuple(verdicts), last + 1)


def check_seal(data: bytes, input_size: int, fields: tuple[str, ...], signatures_before: int) -> None:
    """Refuse our own output unless it is what it should be.

    ``data`` is the sealed file, whose first ``input_size`` bytes are the input; ``fields`` are the signature fields
    that were signed. Every signature must be there, intact and followed by nothing unsigned, the last one must cover
    the file, and none that was there before may have changed.

    Raises: PdfError not-verified (with ``reason``), too-much-growth.
    """
    if len(data) - input_size > MAX_GROWTH_BYTES * len(fields):
        raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
    try:
        result = verify(data)
    except PdfError as error:
        raise PdfError("not-verified", reason=error.code) from error
    ours = [one for one in result.signatures if one.field in fields]
    earlier = [one for one in result.signatures if one.field not in fields]
    if len(ours) != len(fields) or len(earlier) != signatures_before:
        raise PdfError("not-verified", reason="number of signatures")
    if not all(one.intact for one in ours) or not ours[-1].covers_whole_file:
        raise PdfError("not-verified", reason="new signature")
    if all(one.intact for one in earlier):
        return
    # Somebody else's signature was broken or unreadable before: it may stay so, but not become so.
    former = {one.field: one.state for one in verify(data[:input_size]).signatures}
    if any(one.state != former.get(one.field) for one in earlier):
        raise PdfError("not-verified", reason="earlier signature")


def _verdict(
    reader: Any, name: str, signature: generic.DictionaryObject, form_field: generic.DictionaryObject
) -> tuple[int, SignatureVerdict]:
    is_timestamp = entry(signature, "/Type") == "/DocTimeStamp"
    try:
        embedded = EmbeddedPdfSignature(reader, form_field, name)
        revision = int(embedded.signed_revision)
        coverage: Coverage = {
            SignatureCoverageLevel.ENTIRE_FILE: "file",
            SignatureCoverageLevel.ENTIRE_REVISION: "revision",
        }.get(embedded.evaluate_signature_coverage(), "part")  # type: ignore[assignment]
        state, reason = _state(embedded, coverage)
        return revision, SignatureVerdict(
            field=name,
            signer=certificate_name(embedded.signer_cert),
            signed_at=embedded.self_reported_timestamp,
            state=state,
            covers=coverage,
            later="other",
            is_timestamp=is_timestamp,
            reason=reason,
        )
    except MemoryError:
        raise
    except Exception as error:
        # Foreign bytes: whatever a parser raises, the signature cannot be verified.
        return -1, SignatureVerdict(
            field=name,
            signer=signer_name(signature),
            signed_at=None,
            state="unverifiable",
            covers="part",
            later="other",
            is_timestamp=is_timestamp,
            reason=type(error).__name__,
        )


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


def _ends_with_signature(found: list[tuple[int, SignatureVerdict]]) -> bool:
    return any(verdict.covers == "file" and verdict.intact for _revision, verdict in found)


def _with_later(verdict: SignatureVerdict, later: Later) -> SignatureVerdict:
    return replace(verdict, later=later)

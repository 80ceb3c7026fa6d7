"""Timestamps: what an authority is asked, and whether its answer is worth anything.

An answer is foreign input: it is read in a child. Believed is a token over the very digest that was sent, with the
very nonce, signed by the one certificate it names, which may do nothing but make timestamps and leads to a known root.

Source: RFC 3161; RFC 5816 (ESSCertIDv2); ETSI EN 319 422.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from asn1crypto import algos, cms, core, tsp, x509
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from pdfops.errors import PdfError
from pdfops.paths import leads_to

MAX_ANSWER_BYTES: Final = 64_000
MAX_CERTIFICATES: Final = 20
NONCE_BITS: Final = 64


class _Answer(core.Sequence):  # type: ignore[misc]  # the library has no types
    """A TimeStampResp; without a token where it was refused."""

    _fields: Final = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]


@dataclass(frozen=True, slots=True)
class Token:
    """A TimeStampToken. ``der``: as the authority made it; ``at``: the attested time, aware; ``certificates``: DER,
    the authority's own first."""

    der: bytes
    at: dt.datetime
    certificates: tuple[bytes, ...]


def new_nonce() -> int:
    """Positive, unpredictable: an old answer cannot pass for a new one."""
    return secrets.randbits(NONCE_BITS) | 1 << (NONCE_BITS - 1)


def request(digest: bytes, nonce: int) -> bytes:
    """A TimeStampReq, DER. ``digest``: SHA-256, 32 bytes; the authority's certificates are asked for."""
    if len(digest) != 32:
        raise ValueError("not a SHA-256 digest")
    imprint = {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": digest}
    asked = tsp.TimeStampReq(
        {"version": "v1", "message_imprint": tsp.MessageImprint(imprint), "nonce": nonce, "cert_req": True}
    )
    return bytes(asked.dump())


def read_answer(answer: bytes, digest: bytes, nonce: int, roots: Sequence[bytes]) -> Token:
    """Take the token out of a TimeStampResp. ``roots``: DER of whom the authority's certificate must lead to.

    Raises: PdfError timestamp-refused, with ``reason``.
    """
    if len(answer) > MAX_ANSWER_BYTES:
        raise PdfError("timestamp-refused", reason="size")
    try:
        return _token(_Answer.load(answer, strict=True), digest, nonce, roots)
    except (PdfError, MemoryError, RecursionError):
        raise
    except Exception as error:
        # Foreign DER: anything can be raised.
        raise PdfError("timestamp-refused", reason="unreadable") from error


def _token(found: Any, digest: bytes, nonce: int, roots: Sequence[bytes]) -> Token:
    status = str(found["status"]["status"].native)
    if status not in ("granted", "granted_with_mods"):
        raise PdfError("timestamp-refused", reason=f"status {status}")
    token = found["time_stamp_token"]
    if token["content_type"].native != "signed_data":
        raise PdfError("timestamp-refused", reason="content type")
    signed_data = token["content"]
    stated = signed_data["encap_content_info"]["content"].parsed
    if stated["nonce"].native != nonce:
        raise PdfError("timestamp-refused", reason="nonce")
    if imprint_algorithm(signed_data) != "sha256" or stated["message_imprint"]["hashed_message"].native != digest:
        raise PdfError("timestamp-refused", reason="imprint")
    attested = attestation(signed_data, digest)
    if attested is None:
        raise PdfError("timestamp-refused", reason="signature")
    at, certificates = attested
    if not may_stamp(certificates[0]) or not leads_to(certificates, roots, at, for_timestamps=True):
        raise PdfError("timestamp-refused", reason="certificate")
    return Token(bytes(token.dump()), at, certificates)


def attestation(signed_data: cms.SignedData, digest: bytes) -> tuple[dt.datetime, tuple[bytes, ...]] | None:
    """Time and certificates of a token, if it is a whole one over ``digest`` (by the token's own algorithm).

    None where digest or signature do not fit. Whom the certificate belongs to is not asked.
    Raises: whatever a parser raises on foreign DER.
    """
    content = signed_data["encap_content_info"]
    if content["content_type"].native != "tst_info" or len(signed_data["signer_infos"]) != 1:
        return None
    stated = content["content"].parsed
    signer_info = signed_data["signer_infos"][0]
    certificates = certificates_of(signed_data, signer_info)
    if not certificates:
        return None
    algorithm = signer_info["digest_algorithm"]["algorithm"].native
    matches, is_valid = validate_sig_integrity(
        signer_info,
        x509.Certificate.load(certificates[0]),
        expected_content_type="tst_info",
        actual_digest=hashlib.new(algorithm, bytes(content["content"])).digest(),
    )
    if not (matches and is_valid) or stated["message_imprint"]["hashed_message"].native != digest:
        return None
    at = stated["gen_time"].native
    return at, certificates


def imprint_algorithm(signed_data: cms.SignedData) -> str:
    """The name of the hash a token was made over."""
    stated = signed_data["encap_content_info"]["content"].parsed
    return str(stated["message_imprint"]["hash_algorithm"]["algorithm"].native)


def may_stamp(certificate: bytes) -> bool:
    """Whether a certificate is for timestamps and nothing else (RFC 3161, 2.3)."""
    usage: Any = x509.Certificate.load(certificate).extended_key_usage_value
    return usage is not None and list(usage.native) == ["time_stamping"]


def certificates_of(signed_data: cms.SignedData, signer_info: cms.SignerInfo) -> tuple[bytes, ...]:
    """The signer's certificate, then the others that came with it, DER; none where the signer's is not there."""
    there = [one.chosen for one in signed_data["certificates"] if one.name == "certificate"][:MAX_CERTIFICATES]
    sid = signer_info["sid"]
    mine = next((one for one in there if _is_named(sid, one)), None)
    if mine is None:
        return ()
    return tuple(bytes(one.dump()) for one in (mine, *(one for one in there if one is not mine)))


def _is_named(sid: Any, certificate: x509.Certificate) -> bool:
    if sid.name == "subject_key_identifier":
        return bool(sid.chosen.native == certificate.key_identifier)
    return bool(
        sid.chosen["serial_number"].native == certificate.serial_number and sid.chosen["issuer"] == certificate.issuer
    )

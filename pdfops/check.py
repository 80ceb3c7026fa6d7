"""Our own output before it is kept: is it what it should be?"""

from __future__ import annotations

from pdfops.errors import PdfError
from pdfops.history import Reader
from pdfops.levels import SealLevel
from pdfops.permissions import signature_fields
from pdfops.reading import MAX_OBJECT_NUMBER, entry, highest_number, open_reader
from pdfops.seal import MAX_GROWTH_BYTES
from pdfops.verify import verdict_of, verify


def check_seal(
    data: bytes, input_size: int, fields: tuple[str, ...], signatures_before: int, level: SealLevel = "b-b"
) -> None:
    """Refuse our own output unless it is what it should be.

    ``data`` is the sealed file, whose first ``input_size`` bytes are the input; ``fields`` are the signature fields
    that were signed, in their order, that of a timestamp over the document last. Every signature must be there, intact
    and followed by nothing unsigned but, for ``level`` b-lt, a store; the last one must cover the file, and none that
    was there before may have changed. From b-t on each seal carries an intact timestamp.

    Raises: PdfError not-verified (with ``reason``), too-much-growth.
    """
    if len(data) - input_size > MAX_GROWTH_BYTES * (len(fields) + 1):
        raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
    try:
        result = verify(data, examine=False)
    except PdfError as error:
        raise PdfError("not-verified", reason=error.code) from error
    reader = open_reader(data)
    size = entry(reader.trailer, "/Size")
    if not isinstance(size, int) or max(size - 1, highest_number(reader)) > MAX_OBJECT_NUMBER:
        raise PdfError("not-verified", reason="object numbers")
    ours = [one for one in result.signatures if one.field in fields]
    earlier = [one for one in result.signatures if one.field not in fields]
    if len(ours) != len(fields) or len(earlier) != signatures_before:
        raise PdfError("not-verified", reason="number of signatures")
    if not all(one.intact for one in ours) or not (ours[-1].covers_whole_file or level == "b-lt"):
        raise PdfError("not-verified", reason="new signature")
    if level != "b-b" and not all(one.stamped_at for one in ours):
        raise PdfError("not-verified", reason="timestamp")
    if level in ("b-lt", "b-lta") and entry(reader.root, "/DSS") is None:
        raise PdfError("not-verified", reason="store")
    if level == "b-lta" and not ours[-1].is_timestamp:
        raise PdfError("not-verified", reason="archive timestamp")
    if level == "b-lt" and not ours[-1].covers_whole_file and not _is_followed_by_a_store(reader, ours[-1].field):
        raise PdfError("not-verified", reason="new signature")
    if all(one.intact for one in earlier):
        return
    # Somebody else's signature was broken or unreadable before: it may stay so, but not become so.
    former = {one.field: one.state for one in verify(data[:input_size], examine=False).signatures}
    if any(one.state != former.get(one.field) for one in earlier):
        raise PdfError("not-verified", reason="earlier signature")


def _is_followed_by_a_store(reader: Reader, field: str) -> bool:
    for name, signature, form_field in signature_fields(reader):
        if name == field and signature is not None:
            _revision, verdict = verdict_of(reader, name, signature, form_field, examine=True)
            return verdict.changes == "allowed" and verdict.later == "validation-data"
    return False

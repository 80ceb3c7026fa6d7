"""Frames between the product and its PDF children, and what the frames say. Never pickle: a child may be hostile.

A frame is 4 bytes of magic, the length of a JSON header (4 bytes), the length of each blob (in the header), then
header and blobs. The parent reads what a child wrote with the decoders below, which accept exactly the shapes listed
and raise WireError on anything else.
"""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from pdfops.changes import Change
from pdfops.changes import Kind as ChangeKind
from pdfops.errors import CODES, PdfError
from pdfops.fields import Place
from pdfops.inspect import Inspection
from pdfops.levels import Level
from pdfops.longterm import Chain, Kind, Need
from pdfops.seal import SealOrder, Unsigned
from pdfops.verify import Changes, Coverage, Later, SignatureVerdict, State, Verification

MAGIC: Final = b"PDFO"
PREFIX: Final = struct.Struct(">4sI")
MAX_HEADER_BYTES: Final = 4_000_000
MAX_BLOB_BYTES: Final = 256_000_000
MAX_BLOBS: Final = 4

Header = dict[str, Any]


class WireError(ValueError):
    """A frame or an answer of another shape than agreed."""


def pack(header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """A frame in pieces, so that large blobs are not copied."""
    body = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}, separators=(",", ":")).encode("ascii")
    return [PREFIX.pack(MAGIC, len(body)) + body, *blobs]


def header_size(prefix: bytes) -> int:
    """The length of the header that follows a frame's first bytes. Raises: WireError."""
    magic, size = PREFIX.unpack(prefix)
    if magic != MAGIC or size > MAX_HEADER_BYTES:
        raise WireError("not a frame")
    return int(size)


def parse_header(body: bytes) -> tuple[Header, list[int]]:
    """Header and blob lengths. Raises: WireError."""
    header = json.loads(body)
    if not isinstance(header, dict):
        raise WireError("not a header")
    sizes = header.pop("blobs", None)
    if not isinstance(sizes, list) or len(sizes) > MAX_BLOBS:
        raise WireError("not a list of blobs")
    for size in sizes:
        if type(size) is not int or not 0 <= size <= MAX_BLOB_BYTES:
            raise WireError("not a blob")
    return header, sizes


# What parent and child say about each type: a JSON form, and back.


def inspection_to_json(value: Inspection) -> Header:
    return {
        "page_sizes_pt": [list(size) for size in value.page_sizes_pt],
        "signers": list(value.signers),
        "sha256": value.sha256,
        "size_bytes": value.size_bytes,
        "has_form": value.has_form,
    }


def inspection_from_json(value: Header) -> Inspection:
    sizes = tuple((_float(pair[0]), _float(pair[1])) for pair in _list(value["page_sizes_pt"]))
    signers = tuple(_str(name) for name in _list(value["signers"]))
    return Inspection(
        pages=len(sizes),
        page_sizes_pt=sizes,
        signatures=len(signers),
        signers=signers,
        sha256=_str(value["sha256"]),
        size_bytes=_int(value["size_bytes"]),
        has_form=_bool(value["has_form"]),
    )


def place_to_json(place: Place) -> list[Any]:
    return [place.field, place.recipient, place.page, place.x, place.y, place.w, place.h, place.with_text]


def place_from_json(value: list[Any]) -> Place:
    return Place(*value)


def order_to_json(order: SealOrder) -> Header:
    return {
        "fields": list(order.fields),
        "texts": {name: list(lines) for name, lines in order.texts.items()},
        "name": order.name,
        "reason": order.reason,
        "location": order.location,
        "signing_time": order.signing_time.isoformat(),
        "certifies": order.certifies,
    }


def order_from_json(value: Header, ink: bytes) -> SealOrder:
    return SealOrder(
        fields=tuple(value["fields"]),
        ink=ink,
        texts={name: tuple(lines) for name, lines in value["texts"].items()},
        name=value["name"],
        reason=value["reason"],
        location=value["location"],
        signing_time=dt.datetime.fromisoformat(value["signing_time"]),
        certifies=value["certifies"],
    )


def texts_from_json(value: Header, count: int) -> tuple[str, ...]:
    texts = tuple(_str(text) for text in _list(value["texts"]))
    if len(texts) != count:
        raise WireError("not that many texts")
    return texts


def unsigned_to_json(value: Unsigned) -> Header:
    return {
        "hole": [value.hole_start, value.hole_end],
        "left": list(value.left),
        "signatures_before": value.signatures_before,
    }


def unsigned_from_json(value: Header, tail: bytes) -> Unsigned:
    start, end = (_int(number) for number in _list(value["hole"]))
    left = tuple(_str(name) for name in _list(value["left"]))
    return Unsigned(tail, start, end, left, _int(value["signatures_before"]))


def verification_to_json(value: Verification) -> Header:
    return {
        "revisions": value.revisions,
        "signatures": [
            {
                "field": one.field,
                "signer": one.signer,
                "signed_at": one.signed_at.isoformat() if one.signed_at else None,
                "state": one.state,
                "covers": one.covers,
                "later": one.later,
                "changes": one.changes,
                "is_timestamp": one.is_timestamp,
                "reason": one.reason,
                "signed_bytes": one.signed_bytes,
                "certificates": [certificate.hex() for certificate in one.certificates],
                "stamped_at": one.stamped_at.isoformat() if one.stamped_at else None,
                "stamp_certificates": [certificate.hex() for certificate in one.stamp_certificates],
                "level": one.level,
                "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None,
                "stamp_revoked_at": one.stamp_revoked_at.isoformat() if one.stamp_revoked_at else None,
                "name": one.name,
            }
            for one in value.signatures
        ],
        "changes": None
        if value.changes is None
        else [[one.kind, one.after, one.subject, one.number] for one in value.changes],
    }


def verification_from_json(value: Header) -> Verification:
    changes = value["changes"]
    return Verification(
        tuple(_verdict_from_json(one) for one in _list(value["signatures"])),
        _int(value["revisions"]),
        None if changes is None else tuple(_change_from_json(one) for one in _list(changes)),
    )


def _change_from_json(value: Any) -> Change:
    kind, after, subject, number = _list(value)
    return Change(_one_of(ChangeKind, kind), _int(after), _str(subject), _int(number))


def _verdict_from_json(value: Any) -> SignatureVerdict:
    if not isinstance(value, dict):
        raise WireError("not a verdict")
    return SignatureVerdict(
        field=_str(value["field"]),
        signer=_str(value["signer"]),
        signed_at=_moment(value["signed_at"]),
        state=_one_of(State, value["state"]),
        covers=_one_of(Coverage, value["covers"]),
        later=_one_of(Later, value["later"]),
        changes=_one_of(Changes, value["changes"]),
        is_timestamp=_bool(value["is_timestamp"]),
        reason=_str(value["reason"]),
        signed_bytes=_int(value["signed_bytes"]),
        certificates=_bytes_list(value["certificates"]),
        stamped_at=_moment(value["stamped_at"]),
        stamp_certificates=_bytes_list(value["stamp_certificates"]),
        level=_one_of(Level, value["level"]),
        revoked_at=_moment(value["revoked_at"]),
        stamp_revoked_at=_moment(value["stamp_revoked_at"]),
        name=_str(value["name"]),
    )


def _moment(value: Any) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(_str(value))


def _bytes_list(value: Any) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(_str(one)) for one in _list(value))


def join(*lists: Sequence[bytes]) -> tuple[list[list[int]], bytes]:
    """Lists of byte strings as one blob, and the lengths that part it again."""
    return [[len(one) for one in items] for items in lists], b"".join(one for items in lists for one in items)


def part(lengths: Any, blob: bytes) -> list[tuple[bytes, ...]]:
    """The inverse of `join`. Raises: WireError."""
    lists, at = [], 0
    for items in _list(lengths):
        found = []
        for length in _list(items):
            if _int(length) < 0:
                raise WireError("not a length")
            found.append(blob[at : at + length])
            at += length
        lists.append(tuple(found))
    if at != len(blob):
        raise WireError("not that many bytes")
    return lists


def chain_to_json(chain: Chain) -> Header:
    return {"certificates": [one.hex() for one in chain.certificates], "stamps": chain.stamps}


def chain_from_json(value: Any) -> Chain:
    if not isinstance(value, dict):
        raise WireError("not a chain")
    return Chain(_bytes_list(value["certificates"]), _bool(value["stamps"]))


def need_to_json(need: Need) -> Header:
    return {"kind": need.kind, "url": need.url, "body": need.body.hex()}


def need_from_json(value: Any) -> Need:
    if not isinstance(value, dict):
        raise WireError("not a need")
    return Need(_one_of(Kind, value["kind"]), _str(value["url"]), bytes.fromhex(_str(value["body"])))


def error_to_json(error: PdfError) -> Header:
    return {"error": error.code, "values": error.values}


def error_from_json(value: Header) -> PdfError:
    """The error a child reported; one it may not invent is "damaged"."""
    code, values = value.get("error"), value.get("values")
    if code not in CODES or not isinstance(values, dict):
        return PdfError("damaged")
    clean = {name: item for name, item in values.items() if isinstance(item, (str, int)) and isinstance(name, str)}
    return PdfError(str(code), **clean)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WireError("not a list")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise WireError("not a string")
    return value


def _int(value: Any) -> int:
    if type(value) is not int:
        raise WireError("not an integer")
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise WireError("not a number")
    return float(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WireError("not a boolean")
    return value


def _one_of(choices: Any, value: Any) -> Any:
    if value not in get_args(choices):
        raise WireError("not one of the choices")
    return value


Job = Literal[
    "inspect",
    "preview",
    "text",
    "renders",
    "prepare",
    "ink",
    "draw_up",
    "check",
    "verify",
    "token",
    "chains",
    "gather",
    "store",
    "timestamp",
]

"""The state file: one signed line an event, each holding the hash of the one before. Bytes in, bytes out.

Source: RFC 8785 (canonical JSON), RFC 8032 (Ed25519), RFC 3339 (times, UTC, milliseconds).
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from plugin.adapters.keys import ChainKey, b64url, kid_of, unb64url
from plugin.flow.events import FORMAT, KeyRotated, Launched, PersonErased
from plugin.ports_state import ChainBroken

NO_PARENT = "0" * 64
_LARGEST = 2**53 - 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
KEY = "key"
"""The member of a line's data that brings in the key that signs this line."""
_MEMBERS = {"seq", "at", "actor", "type", "data", "prev", "fence", "kid", "sig"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_ACTOR = re.compile(r"creator|admin|system|recipient:[A-Za-z0-9_-]+", re.ASCII)

PublicKeys = Mapping[str, Ed25519PublicKey]


class UnknownFormat(ChainBroken):
    """A newer version had its hand in it: never to be rewritten, quarantined or restored over, whatever is wrong."""

    code = "flow-newer"


class UnknownKey(UnknownFormat):
    """Signed by a key that this server does not hold, and that its own seal vouches for: left alone as well."""

    code = "unknown-key"


@dataclass(frozen=True, slots=True)
class Line:
    """One verified line. ``data`` is as it stands in the file; ``hash``: hex SHA-256 of its bytes."""

    seq: int
    at: datetime
    actor: str
    type: str
    data: Mapping[str, Any]
    fence: int
    kid: str
    hash: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A whole verified state file."""

    log: bytes
    flow_id: str
    lines: tuple[Line, ...]
    erased: frozenset[str] = frozenset()
    """Persons whose salts must be nowhere any more."""
    format: int = FORMAT
    """As the first line tells it; a greater one is a newer version's."""

    @property
    def head(self) -> str:
        return self.lines[-1].hash

    @property
    def length(self) -> int:
        return len(self.lines)

    @property
    def fence(self) -> int:
        return self.lines[-1].fence

    @property
    def last_at(self) -> datetime:
        return self.lines[-1].at

    @property
    def kids(self) -> tuple[str, ...]:
        """The keys that sign its lines, each brought in by the first of them; oldest first."""
        return tuple(dict.fromkeys(line.kid for line in self.lines))

    def holds(self, head: str, length: int) -> bool:
        """The line of that number is the one of that hash: this chain is that one, or goes on from it."""
        return 0 < length <= len(self.lines) and self.lines[length - 1].hash == head

    @property
    def commitments(self) -> dict[str, str]:
        """Person -> hex SHA-256 of his salt, from every line that brought somebody in; of two the first counts."""
        found: dict[str, str] = {}
        for line in self.lines:
            for person, digest in line.data.get("salts", {}).items():
                found.setdefault(person, digest)
        return found


@dataclass(frozen=True, slots=True)
class Draft:
    """A line to be written. ``data`` holds no clear personal value any more."""

    actor: str
    type: str
    data: Mapping[str, Any]


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with Z, milliseconds (cut, not rounded)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_instant(text: str) -> datetime:
    """Raises: ValueError for any other form."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def written(parent: Chain | None, drafts: Sequence[Draft], key: ChainKey, fence: int, now: datetime) -> bytes:
    """The new lines' bytes. A line's time is never before its predecessor's.

    Raises: ValueError for data that a state file may not hold (floats, booleans, null, names beyond ASCII).
    """
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    prev, seq = (parent.head, parent.length) if parent else (NO_PARENT, 0)
    if parent:
        at = max(at, parent.last_at)
    out = bytearray()
    for draft in drafts:
        _check_plain(draft.data)
        seq += 1
        line: dict[str, Any] = {
            "seq": seq,
            "at": instant(at),
            "actor": draft.actor,
            "type": draft.type,
            "data": dict(draft.data),
            "prev": prev,
            "fence": fence,
            "kid": key.kid,
        }
        line["sig"] = b64url(key.private.sign(rfc8785.dumps(line)))
        raw = rfc8785.dumps(line)
        prev = hashlib.sha256(raw).hexdigest()
        out += raw + b"\n"
    return bytes(out)


def verified(log: bytes, keys: PublicKeys, flow_id: str, known: Chain | None = None) -> Chain:
    """Reads a state file and checks all of it; lines that ``known`` begins with were checked before.

    Raises: ChainBroken torn-line, bad-json, not-canonical, bad-line, bad-seq, bad-prev, bad-order, unknown-key,
    bad-signature, bad-key, other-flow.
    """
    if not log.endswith(b"\n"):
        raise ChainBroken("torn-line")
    lines: list[Line] = []
    rest = log
    if known is not None and known.flow_id == flow_id and log.startswith(known.log):
        lines = list(known.lines)
        rest = log[len(known.log) :]
        if not rest:
            return known
    kids = {line.kid for line in lines}
    erased: set[str] = set(known.erased) if lines and known is not None else set()
    for raw in rest[:-1].split(b"\n"):
        lines.append(_line(raw, keys, lines, flow_id, kids))
        kids.add(lines[-1].kid)
        if lines[-1].type == PersonErased.type:
            erased.add(str(lines[-1].data.get("person")))
    return Chain(log, flow_id, tuple(lines), frozenset(erased), lines[0].data["format"])


def _check_salts(salts: Any) -> None:
    """Who came in with a line. Raises: ChainBroken."""
    if not isinstance(salts, Mapping) or not all(isinstance(digest, str) for digest in salts.values()):
        raise ChainBroken("bad-line")


def flow_id_of(log: bytes) -> str | None:
    """The flow that the first line claims to begin; nothing is verified."""
    try:
        found = json.loads(log.split(b"\n", 1)[0])["data"]["flow_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def _line(raw: bytes, keys: PublicKeys, earlier: Sequence[Line], flow_id: str, kids: Collection[str]) -> Line:
    """``kids``: the keys that the lines before it brought in.

    What is checked here holds in every format: a newer one may have more members and other actors, nothing less.
    """
    obj = _parsed(raw)
    before = earlier[-1] if earlier else None
    first = earlier[0].data if earlier else obj["data"]
    if _format(first) == FORMAT and not (obj.keys() == _MEMBERS and _ACTOR.fullmatch(obj["actor"])):
        raise ChainBroken("bad-line")
    if obj["seq"] != (before.seq + 1 if before else 1):
        raise ChainBroken("bad-seq")
    if obj["prev"] != (before.hash if before else NO_PARENT):
        raise ChainBroken("bad-prev")
    key = keys.get(obj["kid"])
    if key is None:
        raise ChainBroken("unknown-key")
    signature = obj.pop("sig")
    try:
        claimed = unb64url(signature)
        if b64url(claimed) != signature:
            raise ChainBroken("bad-signature")
        key.verify(claimed, canonical(obj))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise ChainBroken("bad-signature") from error
    try:
        at = from_instant(obj["at"])
    except ValueError as error:
        raise ChainBroken("bad-line") from error
    if obj["fence"] < (before.fence if before else 1) or (before and at < before.at):
        raise ChainBroken("bad-order")
    if before is None:
        _check_first(obj, flow_id)
    elif obj["type"] == Launched.type:
        raise ChainBroken("bad-line")
    if before is None or obj["type"] == KeyRotated.type:
        _check_key(obj)
    elif obj["kid"] not in kids:
        raise ChainBroken("bad-key")
    _check_salts(obj["data"].get("salts", {}))
    digest = hashlib.sha256(raw).hexdigest()
    return Line(obj["seq"], at, obj["actor"], obj["type"], obj["data"], obj["fence"], obj["kid"], digest)


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        obj = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ChainBroken("bad-json") from error
    if not isinstance(obj, dict) or not obj.keys() >= _MEMBERS:
        raise ChainBroken("bad-line")
    try:
        _check_plain(obj)
        if canonical(obj) != raw:
            raise ChainBroken("not-canonical")
    except (ValueError, RecursionError) as error:
        raise ChainBroken("bad-line") from error
    texts = all(isinstance(obj[name], str) for name in ("at", "actor", "type", "prev", "kid", "sig"))
    numbers = all(isinstance(obj[name], int) for name in ("seq", "fence"))
    if not (texts and numbers and isinstance(obj["data"], dict)):
        raise ChainBroken("bad-line")
    return obj


def canonical(plain: dict[str, Any]) -> bytes:
    """RFC 8785, of what ``_check_plain`` lets through alone: there the standard library's encoder, which is compiled,
    gives the same bytes as the library that lines are written with, in a fraction of the time.

    Raises: ValueError for texts that are no Unicode.
    """
    return _ENCODER.encode(plain).encode()


def _check_first(obj: Mapping[str, Any], flow_id: str) -> None:
    data = obj["data"]
    if obj["type"] != Launched.type or _format(data) < FORMAT:
        raise ChainBroken("bad-line")
    if data.get("flow_id") != flow_id:
        raise ChainBroken("other-flow")


def _format(first: Mapping[str, Any]) -> int:
    """0 for what is none."""
    found = first.get("format")
    return found if type(found) is int else 0


def _check_key(obj: Mapping[str, Any]) -> None:
    """The line brings in the very key that it is signed by."""
    key = obj["data"].get(KEY)
    jwk = key.get("jwk") if isinstance(key, dict) else None
    if not isinstance(jwk, dict) or kid_of(jwk) != obj["kid"]:
        raise ChainBroken("bad-key")


def _check_plain(value: Any) -> None:
    """Objects with ASCII names, lists, strings, integers that a double holds; nothing else."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if not (isinstance(name, str) and name.isascii()):
                raise ValueError("member name")
            _check_plain(member)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item)
    elif type(value) not in (str, int) or (type(value) is int and abs(value) > _LARGEST):
        raise ValueError(type(value).__name__)

"""Checks a state file with nothing but the standard library and ``cryptography``, from docs/state-format.md alone.

It shares no code with the product, on purpose: it is what somebody else would write after reading that text. Run it as
``python independent_verifier.py flow.jsonl``; prints the head and length, exits 1 with the reason otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MEMBERS = {"seq", "at", "actor", "type", "data", "prev", "fence", "kid", "sig"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
ACTOR = re.compile(r"creator|admin|system|recipient:[A-Za-z0-9_-]+", re.ASCII)


class Bad(Exception):
    """The file proves nothing."""


@dataclass
class Proven:
    """What a whole state file says, once all of it was checked."""

    flow_id: str = ""
    head: str = "0" * 64
    heads: list[str] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, Ed25519PublicKey] = field(default_factory=dict)
    commitments: dict[str, str] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)


def canonical(value: object) -> bytes:
    """RFC 8785 for objects with ASCII names, lists, strings and integers: that is all a state file holds."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def unbase64url(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Bad("base64url that is not the only one for its bytes")
    return data


def introduced(line: dict[str, Any], certificates: set[str] | None) -> Ed25519PublicKey:
    """The key that a line brings in, vouched for by the organisation's certificate."""
    key = line["data"]["key"]
    der = base64.b64decode(key["certificate"], validate=True)
    if certificates is not None and hashlib.sha256(der).hexdigest() not in certificates:
        raise Bad("another certificate than those expected")
    organisation = x509.load_der_x509_certificate(der).public_key()
    statement, signature = canonical(["parapheur chain key v1", key["jwk"]]), unbase64url(key["signature"])
    if isinstance(organisation, RSAPublicKey):
        organisation.verify(signature, statement, PKCS1v15(), SHA256())
    elif isinstance(organisation, EllipticCurvePublicKey):
        organisation.verify(signature, statement, ECDSA(SHA256()))
    else:
        raise Bad("the certificate's key is neither RSA nor on a curve")
    if set(key["jwk"]) != {"crv", "kty", "x"} or (key["jwk"]["crv"], key["jwk"]["kty"]) != ("Ed25519", "OKP"):
        raise Bad("not an Ed25519 key")
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(canonical(key["jwk"])).digest()).decode()
    if line["kid"] != thumbprint[:16]:
        raise Bad("kid")
    return Ed25519PublicKey.from_public_bytes(unbase64url(key["jwk"]["x"]))


def check_plain(value: object) -> None:
    """Objects with ASCII names, lists, strings, integers that every reader holds exactly; nothing else."""
    if isinstance(value, dict):
        if not all(name.isascii() for name in value):
            raise Bad("member name")
        check_plain(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            check_plain(item)
    elif type(value) not in (str, int) or (isinstance(value, int) and abs(value) >= 2**53):
        raise Bad("value")


def check(
    log: bytes, flow_id: str | None = None, certificates: set[str] | None = None, anchor: tuple[str, int] | None = None
) -> Proven:
    """``certificates``: SHA-256 of those to trust; None: whichever the file names. ``anchor``: a head and a length
    that must be in it. Raises: Bad.
    """
    proven = Proven()
    if not log.endswith(b"\n"):
        raise Bad("torn")
    try:
        for raw in log[:-1].split(b"\n"):
            _take(proven, raw, certificates)
    except Bad:
        raise
    except Exception as error:
        raise Bad(repr(error)) from error
    if flow_id is not None and proven.flow_id != flow_id:
        raise Bad("another flow")
    if anchor is not None and (len(proven.heads) < anchor[1] or proven.heads[anchor[1] - 1] != anchor[0]):
        raise Bad("rolled back, or another branch")
    return proven


def _take(proven: Proven, raw: bytes, certificates: set[str] | None) -> None:
    line = json.loads(raw.decode())
    check_plain(line)
    if set(line) != MEMBERS or canonical(line) != raw:
        raise Bad("not canonical, or other members")
    if not all(type(line[name]) is (int if name in ("seq", "fence") else str) for name in MEMBERS - {"data"}):
        raise Bad("member")
    before = proven.lines[-1] if proven.lines else {"fence": 1, "at": ""}
    if (line["seq"], line["prev"]) != (len(proven.lines) + 1, proven.head):
        raise Bad("chain")
    if line["fence"] < before["fence"] or line["at"] < before["at"]:
        raise Bad("order")
    if not (TIME.fullmatch(line["at"]) and datetime.fromisoformat(line["at"]) and ACTOR.fullmatch(line["actor"])):
        raise Bad("form")
    data, is_first = line["data"], not proven.lines
    if is_first is not (line["type"] == "flow.launched") or (is_first and data["format"] != 1):
        raise Bad("first line")
    if is_first or line["type"] == "key.rotated":
        proven.keys[line["kid"]] = introduced(line, certificates)
    signed = canonical({name: line[name] for name in MEMBERS - {"sig"}})
    proven.keys[line["kid"]].verify(unbase64url(line["sig"]), signed)
    proven.flow_id = proven.flow_id or data["flow_id"]
    proven.commitments = {**data.get("salts", {}), **proven.commitments}
    if line["type"] == "person.erased":
        proven.erased.add(data["person"])
    proven.lines.append(line)
    proven.head = hashlib.sha256(raw).hexdigest()
    proven.heads.append(proven.head)


def verify(*arguments: Any, **named: Any) -> tuple[str, int]:
    """As ``check``. Returns: (head, length)."""
    proven = check(*arguments, **named)
    return proven.head, len(proven.lines)


def unwrapped(proven: Proven, salts_json: bytes, secret: bytes) -> dict[str, bytes]:
    """The salts beside the chain, with the instance's secret: those that the chain commits to and nobody erased."""
    content = json.loads(salts_json)
    if (content["format"], content["flow_id"]) != (1, proven.flow_id):
        raise Bad("salts of another flow or format")
    found = {}
    for person, text in content["salts"].items():
        raw, bound = unbase64url(text), canonical(["parapheur salts v1", proven.flow_id, person])
        salt = AESGCM(_derived(secret, b"parapheur salts v1")).decrypt(raw[:12], raw[12:], bound)
        if proven.commitments.get(person) == hashlib.sha256(salt).hexdigest() and person not in proven.erased:
            found[person] = salt
    return found


def personal(proven: Proven, salts: dict[str, bytes], secret: bytes) -> Iterator[tuple[int, str, str | None]]:
    """(line, person, clear value or None) of every personal value."""
    waiting: list[tuple[int, object]] = [(line["seq"], line["data"]) for line in proven.lines]
    while waiting:
        seq, value = waiting.pop(0)
        if isinstance(value, dict) and set(value) == {"person", "jwe"}:
            yield seq, value["person"], _opened(value["jwe"], salts.get(value["person"]), secret)
        elif isinstance(value, dict | list):
            waiting = [(seq, one) for one in (value.values() if isinstance(value, dict) else value)] + waiting


def _opened(jwe: str, salt: bytes | None, secret: bytes) -> str | None:
    if salt is None or not jwe:
        return None
    header, _, nonce, ciphertext, tag = jwe.split(".")
    key = AESGCM(_derived(secret, b"parapheur person v1", salt))
    return key.decrypt(unbase64url(nonce), unbase64url(ciphertext) + unbase64url(tag), header.encode()).decode()


def _derived(secret: bytes, label: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=label).derive(secret)


if __name__ == "__main__":
    try:
        print(*verify(Path(sys.argv[1]).read_bytes()))
    except Bad as bad:
        sys.exit(f"not proven: {bad}")

"""Personal values of one flow: encrypted on the way into a line, clear or None on the way out.

Each person has a random salt. The chain commits to its SHA-256; whoever loses the salt loses the values for ever.
Written here are JWEs (RFC 7516) in compact form, ``dir`` and ``A256GCM`` only: any library opens them, and an empty
value, which the library at hand refuses, is a value too.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plugin.adapters.keys import Keys, b64url, unb64url
from plugin.flow.model import Personal

SALT_BYTES = 32
FORMAT = 1
"""Of ``salts.json``."""
_HEADER = b64url(b'{"alg":"dir","enc":"A256GCM"}')
_TAG_BYTES = 16
_MEMBERS = {"person", "jwe"}

Salts = Mapping[str, bytes]
"""Person -> salt; whoever was erased is missing."""


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def commitment(salt: bytes) -> str:
    """What the chain says of a salt. Shape: 64 hex digits."""
    return hashlib.sha256(salt).hexdigest()


def persons_in(data: Any) -> set[str]:
    """Everybody to whom a value of this data belongs."""
    if isinstance(data, Personal):
        return {data.person}
    if isinstance(data, Mapping):
        return set().union(*map(persons_in, data.values()))
    if isinstance(data, list):
        return set().union(*map(persons_in, data))
    return set()


class Curtain:
    """Hides and shows the personal values of a flow. Keys are derived once a salt."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._derived = lru_cache(maxsize=4096)(self._derive)

    def hide(self, data: Any, salts: Salts) -> Any:
        """Every ``Personal`` becomes {"person", "jwe"}; ``jwe`` is empty where nothing is known or may be written."""
        if isinstance(data, Personal):
            salt = salts.get(data.person)
            jwe = "" if salt is None or data.value is None else self._encrypt(data.value, salt)
            return {"person": data.person, "jwe": jwe}
        if isinstance(data, Mapping):
            return {name: self.hide(member, salts) for name, member in data.items()}
        if isinstance(data, list):
            return [self.hide(item, salts) for item in data]
        return data

    def show(self, data: Any, salts: Salts) -> Any:
        """The inverse; a value whose salt is gone, or that does not open with it, is None."""
        if isinstance(data, dict):
            if data.keys() == _MEMBERS:
                return Personal(str(data["person"]), self._decrypt(str(data["jwe"]), salts.get(str(data["person"]))))
            return {name: self.show(member, salts) for name, member in data.items()}
        if isinstance(data, list):
            return [self.show(item, salts) for item in data]
        return data

    def forget(self) -> None:
        """Keys that were derived are derived again: somebody's salt must be nowhere any more."""
        self._derived.cache_clear()

    def _derive(self, salt: bytes) -> AESGCM:
        return AESGCM(self._keys.person_key(salt))

    def _encrypt(self, value: str, salt: bytes) -> str:
        nonce = secrets.token_bytes(12)
        sealed = self._derived(salt).encrypt(nonce, value.encode(), _HEADER.encode())
        return ".".join([_HEADER, "", b64url(nonce), b64url(sealed[:-_TAG_BYTES]), b64url(sealed[-_TAG_BYTES:])])

    def _decrypt(self, text: str, salt: bytes | None) -> str | None:
        header, _, rest = text.partition("..")
        parts = rest.split(".")
        if salt is None or header != _HEADER or len(parts) != 3:
            return None
        try:
            nonce, ciphertext, tag = map(unb64url, parts)
            return self._derived(salt).decrypt(nonce, ciphertext + tag, header.encode()).decode()
        except (InvalidTag, ValueError):
            return None


def wrap_salts(keys: Keys, flow_id: str, salts: Salts) -> bytes:
    """The content of ``salts.json``: each salt encrypted for this instance, bound to flow and person."""
    wrapped = {}
    for person, salt in sorted(salts.items()):
        nonce = secrets.token_bytes(12)
        wrapped[person] = b64url(nonce + AESGCM(keys.salts_key).encrypt(nonce, salt, _bound(flow_id, person)))
    return rfc8785.dumps({"format": FORMAT, "flow_id": flow_id, "salts": wrapped}) + b"\n"


def unwrap_salts(keys: Keys, flow_id: str, data: bytes) -> dict[str, bytes]:
    """Only entries that are intact and of this flow; anything else is left out."""
    try:
        content = json.loads(data)
        entries = dict(content["salts"])
        if (content["format"], content["flow_id"]) != (FORMAT, flow_id):
            return {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    salts = {}
    for person, text in entries.items():
        try:
            raw = unb64url(text)
            salts[person] = AESGCM(keys.salts_key).decrypt(raw[:12], raw[12:], _bound(flow_id, person))
        except (InvalidTag, ValueError, TypeError):
            continue
    return salts


def is_newer(data: bytes | None) -> bool:
    """A ``salts.json`` of a newer version."""
    try:
        found = json.loads(data or b"{}")["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return type(found) is int and found > FORMAT


def persons_beside(data: bytes | None) -> set[str]:
    """Everybody of whom a ``salts.json`` holds something, intact or not."""
    try:
        return set(json.loads(data or b"{}")["salts"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()


def _bound(flow_id: str, person: str) -> bytes:
    return rfc8785.dumps(["parapheur salts v1", flow_id, person])

"""Personal values of one flow: encrypted on the way into a line, clear or None on the way out.

Each person has a random salt. The chain commits to its SHA-256; whoever loses the salt loses the values for ever.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from plugin.adapters.keys import Keys, b64url
from plugin.flow.model import Personal

SALT_BYTES = 32
_HEADER = '{"alg":"dir","enc":"A256GCM"}'
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

    def _derive(self, salt: bytes) -> JWK:
        return JWK(kty="oct", k=b64url(self._keys.person_key(salt)))

    def _encrypt(self, value: str, salt: bytes) -> str:
        jwe = JWE(value.encode(), _HEADER)
        jwe.add_recipient(self._derived(salt))
        return str(jwe.serialize(compact=True))

    def _decrypt(self, text: str, salt: bytes | None) -> str | None:
        if salt is None or not text:
            return None
        try:
            jwe = JWE()
            jwe.deserialize(text, self._derived(salt))
            return str(jwe.payload.decode())
        except (JWException, ValueError):
            return None


def wrap_salts(keys: Keys, flow_id: str, salts: Salts) -> bytes:
    """The content of ``salts.json``: each salt encrypted for this instance, bound to flow and person."""
    wrapped = {}
    for person, salt in sorted(salts.items()):
        nonce = secrets.token_bytes(12)
        wrapped[person] = b64url(nonce + AESGCM(keys.salts_key).encrypt(nonce, salt, _bound(flow_id, person)))
    return rfc8785.dumps({"format": 1, "flow_id": flow_id, "salts": wrapped}) + b"\n"


def unwrap_salts(keys: Keys, flow_id: str, data: bytes) -> dict[str, bytes]:
    """Only entries that are intact and of this flow; anything else is left out."""
    try:
        content = json.loads(data)
        entries = dict(content["salts"])
    except (ValueError, KeyError, TypeError):
        return {}
    salts = {}
    for person, text in entries.items():
        try:
            raw = binascii.a2b_base64(text.translate(str.maketrans("-_", "+/")) + "==")
            salts[person] = AESGCM(keys.salts_key).decrypt(raw[:12], raw[12:], _bound(flow_id, person))
        except (InvalidTag, ValueError, AttributeError):
            continue
    return salts


def _bound(flow_id: str, person: str) -> bytes:
    return rfc8785.dumps(["parapheur salts v1", flow_id, person])

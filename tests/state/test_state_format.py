"""docs/state-format.md is what the code does: its tables name every event and member, its example is recomputed."""

from __future__ import annotations

import base64
import hashlib
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin.adapters import chain as lines
from plugin.adapters.chain import Chain, Draft, Line
from plugin.adapters.keys import ChainKey, Keys, key_statement, kid_of
from plugin.adapters.personal import Curtain, commitment, unwrap_salts
from plugin.flow.events import BY_TYPE, Event
from plugin.flow.model import Personal
from plugin.ports_state import ChainBroken
from tests.state.independent_verifier import canonical
from tests.state.world import World

DOCS = Path(__file__).parents[2] / "docs" / "state-format.md"
FLOW_ID = "01957c1e-7a00-7000-8000-000000000001"


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---- the tables -----------------------------------------------------------------------------------------------------
def event_rows() -> list[str]:
    return [f"| `{name}` | {_members(cls)} |" for cls in typing.get_args(Event) for name in (cls.type,)]


def object_rows() -> list[str]:
    """Of every object and every list of words that an event may hold."""
    found: dict[str, str] = {}
    for cls in BY_TYPE.values():
        for wanted in _within(cls):
            if is_dataclass(wanted):
                found[wanted.__name__] = f"| {wanted.__name__} | {_members(wanted)} |"
            else:
                words = ", ".join(f"`{word}`" for word in typing.cast("type[StrEnum]", wanted))
                found[wanted.__name__] = f"| {wanted.__name__} | one of {words} |"
    return [found[name] for name in sorted(found)]


def _members(cls: Any) -> str:
    hints = typing.get_type_hints(cls)
    told = []
    for f in fields(cls):
        optional = "?" if type(None) in typing.get_args(hints[f.name]) else ""
        told.append(f"`{f.name}`{optional} {_kind(hints[f.name])}")
    return ", ".join(told) or "none"


def _kind(wanted: Any) -> str:
    origin = typing.get_origin(wanted)
    if origin is types.UnionType:
        return _kind(next(arg for arg in typing.get_args(wanted) if arg is not type(None)))
    if origin is tuple:
        return f"list of {_kind(typing.get_args(wanted)[0])}"
    if wanted is Personal:
        return "personal"
    plain = {str: "string", int: "integer", bool: "0 or 1"}
    return plain[wanted] if wanted in plain else str(wanted.__name__)


def _within(wanted: Any) -> Iterator[Any]:
    """Named kinds of values inside it."""
    if typing.get_origin(wanted) in (types.UnionType, tuple):
        for arg in typing.get_args(wanted):
            yield from _within(arg)
    elif wanted is not Personal and is_dataclass(wanted):
        if wanted not in BY_TYPE.values():
            yield wanted
        for f in fields(wanted):
            yield from _within(typing.get_type_hints(wanted)[f.name])
    elif isinstance(wanted, type) and issubclass(wanted, StrEnum):
        yield wanted


def told_rows(heading: str) -> list[str]:
    """The rows of the table below a heading."""
    section = DOCS.read_text().split(f"\n### {heading}\n", 1)[1].split("\n#", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize(("heading", "rows"), [("Types of events", event_rows), ("Objects within", object_rows)])
def test_the_tables_name_every_event_and_member_as_the_code_has_them(heading: str, rows: Any) -> None:
    assert "\n".join(told_rows(heading)) == "\n".join(rows()), "paste these rows into docs/state-format.md"


def test_every_reason_for_a_broken_chain_is_told() -> None:
    source = Path(lines.__file__).read_text() + Path(lines.__file__).with_name("branches.py").read_text()
    reasons = set(re.findall(r'ChainBroken\("([a-z-]+)"', source)) | set(re.findall(r'else "([a-z-]+)"\)', source))
    told = DOCS.read_text()
    assert len(reasons) >= 12
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in told] == []


# ---- the worked example ---------------------------------------------------------------------------------------------
def example() -> str:
    """Every value of it, from three secrets, by nothing but the primitives that the text names."""
    secret, salt, seed = bytes(range(32)), bytes(range(32, 64)), bytes([7]) * 32
    nonces = bytes(range(100, 112)), bytes(range(112, 124))
    private = Ed25519PrivateKey.from_private_bytes(seed)
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64url(private.public_key().public_bytes_raw())}
    kid = b64url(hashlib.sha256(canonical(jwk)).digest())[:16]

    def derived(label: bytes, with_salt: bytes | None = None) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=with_salt, info=label).derive(secret)

    person_key, salts_key = derived(b"parapheur person v1", salt), derived(b"parapheur salts v1")
    header = b64url(b'{"alg":"dir","enc":"A256GCM"}')
    sealed = AESGCM(person_key).encrypt(nonces[0], "Zoé".encode(), header.encode())
    jwe = f"{header}..{b64url(nonces[0])}.{b64url(sealed[:-16])}.{b64url(sealed[-16:])}"
    bound = canonical(["parapheur salts v1", FLOW_ID, "r1"])
    wrapped = b64url(nonces[1] + AESGCM(salts_key).encrypt(nonces[1], salt, bound))
    line: dict[str, Any] = {
        "seq": 2,
        "at": "2026-03-01T12:00:00.123Z",
        "actor": "recipient:r1",
        "type": "recipient.refused",
        "data": {
            "recipient": "r1",
            "round": 1,
            "reason": {"person": "r1", "jwe": jwe},
            "trace": {"ip_source": "unverified", "request": "d" * 64},
        },
        "prev": "a" * 64,
        "fence": 3,
        "kid": kid,
    }
    unsigned = canonical(line)
    line["sig"] = b64url(private.sign(unsigned))
    told = {
        "instance secret": secret.hex(),
        "salt of r1": salt.hex(),
        "chain key's seed": seed.hex(),
        "JWK": canonical(jwk).decode(),
        "kid": kid,
        "key statement": canonical(["parapheur chain key v1", jwk]).decode(),
        "commitment to the salt": hashlib.sha256(salt).hexdigest(),
        "key of r1": person_key.hex(),
        "nonce": nonces[0].hex(),
        "JWE of Zoé": jwe,
        "key of salts": salts_key.hex(),
        "nonce of the wrapping": nonces[1].hex(),
        "salts.json": canonical({"format": 1, "flow_id": FLOW_ID, "salts": {"r1": wrapped}}).decode(),
        "signed bytes": unsigned.decode(),
        "line": canonical(line).decode(),
        "its hash": hashlib.sha256(canonical(line)).hexdigest(),
    }
    return "\n".join(f"{name}:\n  {value}" for name, value in told.items())


def told_example() -> dict[str, str]:
    block = DOCS.read_text().split("\n## A worked example\n", 1)[1].split("```\n", 2)[1]
    parts = block.splitlines()
    return {name.removesuffix(":"): value.strip() for name, value in zip(parts[::2], parts[1::2], strict=True)}


def test_the_example_is_what_the_primitives_give() -> None:
    told = DOCS.read_text().split("\n## A worked example\n", 1)[1].split("```\n", 2)[1]
    assert told.rstrip("\n") == example(), "paste this into docs/state-format.md"


def test_the_product_makes_and_reads_the_example(world: World) -> None:
    told = told_example()
    keys: Keys = replace(world.keys, secret=bytes.fromhex(told["instance secret"]))
    salt = bytes.fromhex(told["salt of r1"])
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["chain key's seed"]))
    key = ChainKey(told["kid"], private, lines.json.loads(told["JWK"]))
    assert kid_of(key.jwk) == told["kid"]
    assert key_statement(key.jwk).decode() == told["key statement"]
    assert commitment(salt) == told["commitment to the salt"]
    assert keys.person_key(salt).hex() == told["key of r1"]
    assert keys.salts_key.hex() == told["key of salts"]
    assert unwrap_salts(keys, FLOW_ID, told["salts.json"].encode()) == {"r1": salt}
    assert Curtain(keys).show({"person": "r1", "jwe": told["JWE of Zoé"]}, {"r1": salt}) == Personal("r1", "Zoé")
    line = lines.json.loads(told["line"])
    at = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    before = Chain(b"", FLOW_ID, (Line(1, at, "creator", "flow.launched", {}, 1, told["kid"], "a" * 64),))
    drafts = [Draft(line["actor"], line["type"], line["data"])]
    assert lines.written(before, drafts, key, line["fence"], at).decode() == told["line"] + "\n"
    with pytest.raises(ChainBroken, match="bad-seq"):  # a second line alone is no chain
        lines.verified(told["line"].encode() + b"\n", {told["kid"]: private.public_key()}, FLOW_ID)

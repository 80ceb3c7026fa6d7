"""Keys that take turns: what the old ones signed stays proven, and no line counts whose key came from nowhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pdfops.signer import KeySigner
from plugin.actions.rebuild import rebuild
from plugin.adapters.chain import Chain, UnknownKey, verified
from plugin.adapters.index_tables import index_tables
from plugin.adapters.keys import ChainKey, Keys, KeysMissing, restore_keys
from plugin.ports_state import UNKNOWN_KEY, ChainBroken
from tests.state import independent_verifier
from tests.state.past import quarantined, set_index, set_vault
from tests.state.test_index import People
from tests.state.world import FLOW_ID, STATE, World, agrees, append, approval, certificate, types, view

WORDS = "correct horse battery staple"


@pytest.fixture
def rotated(world: World) -> Iterator[World]:
    """The server after its next start; ``world`` is the one that still runs with the old key."""
    world.launch()
    world.act(FLOW_ID, view())
    world.vault.remember_keys([world.keys.rotate()])
    again = World(world.data, world.files)
    yield again
    again.close()


def entries(log: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def resigned(line: dict[str, Any], key: ChainKey, **change: object) -> bytes:
    made = {**line, **change, "kid": key.kid}
    made.pop("sig")
    made["sig"] = base64.urlsafe_b64encode(key.private.sign(rfc8785.dumps(made))).rstrip(b"=").decode()
    return rfc8785.dumps(made) + b"\n"


def check(world: World, log: bytes) -> Chain:
    return verified(log, world.keys.public_keys, FLOW_ID)


def test_the_first_line_under_a_new_key_is_preceded_by_one_that_brings_it_in(world: World, rotated: World) -> None:
    old, new = world.keys.active.kid, rotated.keys.active.kid
    assert old != new
    loaded = rotated.act(FLOW_ID, approval())
    assert types(loaded)[-3:] == ["key.rotated", "recipient.approved", "recipient.invited"]
    lines = entries(rotated.state())
    assert [line["kid"] for line in lines] == [old] * 3 + [new] * 3
    (brought,) = (line for line in lines if line["type"] == "key.rotated")
    assert brought["actor"] == "system"
    assert set(brought["data"]) == {"key"}
    assert brought["data"]["key"]["jwk"] == dict(rotated.keys.active.jwk)
    agrees(rotated)
    assert types(append(rotated)).count("key.rotated") == 1


def test_a_chain_of_two_keys_is_proven_by_itself_and_the_organisations_certificate(rotated: World) -> None:
    rotated.act(FLOW_ID, approval())
    expected = {hashlib.sha256(rotated.keys.seal_cert_der).hexdigest()}
    proven = independent_verifier.check(rotated.state(), FLOW_ID, expected)
    assert list(proven.keys) == list(check(rotated, rotated.state()).kids)
    with pytest.raises(independent_verifier.Bad, match="certificate"):
        independent_verifier.check(rotated.state(), FLOW_ID, {"0" * 64})


def test_what_was_signed_before_a_rotation_stays_proven(world: World, rotated: World) -> None:
    untouched = world.state()
    loaded = rotated.store.load(FLOW_ID)
    assert loaded is not None
    assert "key.rotated" not in types(loaded)
    assert world.state() == untouched
    agrees(rotated)


def test_a_server_that_still_runs_with_the_old_key_reads_the_new_one_and_writes_on(
    world: World, rotated: World
) -> None:
    new = rotated.act(FLOW_ID, approval())
    world.store.refresh(FLOW_ID)
    assert agrees(world) == new
    append(world)
    assert entries(world.state())[-1]["kid"] == world.keys.active.kid
    assert types(rotated.store.refresh(FLOW_ID)).count("key.rotated") == 1
    agrees(rotated)
    assert not [i for i in world.files.list("alice", new.place.folder) if "quarantine" in i.name]


def test_a_new_flow_begins_with_the_new_key(rotated: World) -> None:
    other = "01957c1e-7a00-7000-8000-000000000002"
    rotated.launch(other)
    lines = entries(rotated.state(other))
    assert {line["kid"] for line in lines} == {rotated.keys.active.kid}
    assert "key.rotated" not in {line["type"] for line in lines}


@pytest.mark.parametrize("forgery", ["not brought in", "brought in by the old key", "brings in the old key", "no key"])
def test_a_line_by_a_key_that_nothing_brought_in_breaks_the_chain(world: World, rotated: World, forgery: str) -> None:
    rotated.act(FLOW_ID, approval())
    lines, raw = entries(rotated.state()), rotated.state().splitlines(keepends=True)
    new, old = rotated.keys.active, world.keys.active
    forged = {
        "not brought in": resigned(lines[3], new, type="recipient.viewed", data={"recipient": "r1"}),
        "brought in by the old key": resigned(lines[3], old),
        "brings in the old key": resigned(lines[3], new, data=lines[0]["data"]),
        "no key": resigned(lines[3], new, data={}),
    }[forgery]
    with pytest.raises(ChainBroken, match="bad-key"):
        check(rotated, b"".join([*raw[:3], forged]))
    with pytest.raises(independent_verifier.Bad):
        independent_verifier.verify(b"".join([*raw[:3], forged]), FLOW_ID)


def test_a_key_of_strangers_is_not_trusted_though_a_line_brings_it_in(
    rotated: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rotated.act(FLOW_ID, approval())
    keys = Keys.open(tmp_path_factory.mktemp("stranger") / "keys", "Cabinet Test", False, certificate)
    stranger = keys.sealed_by(KeySigner(keys.seal_key_pem, keys.seal_cert_pem))
    entry = {**entries(rotated.state())[3]["data"]["key"], "jwk": dict(stranger.active.jwk)}
    entry["signature"] = stranger.jwk_signature
    line = resigned(entries(rotated.state())[3], stranger.active, data={"key": entry})
    log = b"".join([*rotated.state().splitlines(keepends=True)[:3], line])
    with pytest.raises(ChainBroken, match="unknown-key"):
        check(rotated, log)


def test_names_that_lead_out_of_the_keys_folder_are_no_keys(world: World) -> None:
    (world.data / "chain-x.pem").write_bytes((next((world.data / "keys").glob("chain-*.pem"))).read_bytes())
    for kid in ("../chain-x", "x/../../chain-x", "0" * 16, "", "\x00" * 16):
        assert kid not in world.keys.public_keys


# ---- the folder -----------------------------------------------------------------------------------------------------
def test_rotating_keeps_the_old_keys_and_asks_for_a_new_backup(world: World, tmp_path: Path) -> None:
    first, backup = world.keys.active.kid, tmp_path / "backup.json"
    world.keys.export(backup, WORDS)
    assert world.keys.exported
    second = world.keys.rotate()
    again = Keys.open(world.data / "keys", "Cabinet Test", True, certificate)
    assert again.active.kid == second
    assert set(again.chain_keys) == {first, second}
    assert {jwk["kid"] for jwk in again.public_jwks} == {first, second}
    assert not again.exported
    assert (again.folder / f"chain-{second}.pem").stat().st_mode & 0o777 == 0o600


def test_a_backup_from_before_a_rotation_puts_back_a_lost_old_key(world: World, tmp_path: Path) -> None:
    backup, old = tmp_path / "backup.json", world.keys.active.kid
    world.keys.export(backup, WORDS)
    new = world.keys.rotate()
    (world.data / "keys" / f"chain-{old}.pem").unlink()
    restore_keys(world.data / "keys", backup, WORDS)
    again = Keys.open(world.data / "keys", "Cabinet Test", True, certificate)
    assert (again.active.kid, set(again.chain_keys)) == (new, {old, new})


def test_a_start_without_a_key_that_signed_lines_is_refused(world: World, rotated: World) -> None:
    rotated.keys.check(rotated.vault.kids())
    (world.data / "keys" / f"chain-{world.keys.active.kid}.pem").unlink()
    again = Keys.open(world.data / "keys", "Cabinet Test", True, certificate)
    with pytest.raises(KeysMissing, match=world.keys.active.kid):
        again.check(rotated.vault.kids())


# ---- a key that was lost, or never was here -------------------------------------------------------------------------
@pytest.fixture
def left_behind(world: World, rotated: World) -> Iterator[World]:
    """A server whose keys are from before the rotation, with the vault and index of then; the file went on."""
    before = world.state()
    rotated.act(FLOW_ID, approval())
    after = rotated.state()
    world.files.plant(STATE, before)
    set_vault(world, before)
    set_index(world, before)
    path = world.data / "keys" / f"chain-{rotated.keys.active.kid}.pem"
    kept = path.read_bytes()
    path.unlink()
    (world.data / "keys" / "active-chain-key").write_text(world.keys.active.kid)
    again = World(world.data, world.files)
    world.files.plant(STATE, after)
    yield again
    path.write_bytes(kept)
    again.close()


@pytest.mark.parametrize("how", ["refresh", "append", "rebuild", "lost index"])
def test_lines_of_a_key_that_is_missing_here_are_no_damage(left_behind: World, how: str) -> None:
    after = left_behind.state()
    if how == "refresh":
        with pytest.raises(UnknownKey):
            left_behind.store.refresh(FLOW_ID)
    elif how == "append":
        with pytest.raises(UnknownKey):
            append(left_behind)
    else:
        if how == "lost index":
            with left_behind.database.index_writing() as connection:
                index_tables.drop_all(connection)
        report = rebuild(left_behind.files, People(), left_behind.adopter)
        assert [(s.flow_id, s.reason) for s in report.skipped] == [(FLOW_ID, "unknown-key")]
    assert (left_behind.state(), quarantined(left_behind)) == (after, [])
    assert how == "lost index" or {t.reason for t in left_behind.vault.troubles()} == {UNKNOWN_KEY}
    assert [t.flow_id for t in left_behind.vault.troubles()] in ([FLOW_ID], [])


def test_once_the_key_is_put_back_the_flow_goes_on_and_the_trouble_ends(left_behind: World, rotated: World) -> None:
    with pytest.raises(UnknownKey):
        left_behind.store.check(FLOW_ID)
    kid, private = rotated.keys.active.kid, rotated.keys.active.private
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (left_behind.data / "keys" / f"chain-{kid}.pem").write_bytes(pem)
    left_behind.store.check(FLOW_ID)
    assert "recipient.approved" in types(agrees(left_behind))
    assert left_behind.vault.troubles() == []


@pytest.mark.parametrize("forged", ["another seal", "no seal", "another line"])
def test_a_key_that_our_seal_does_not_vouch_for_is_damage(
    rotated: World, tmp_path_factory: pytest.TempPathFactory, forged: str
) -> None:
    rotated.act(FLOW_ID, approval())
    good = rotated.state()
    keys = Keys.open(tmp_path_factory.mktemp("stranger") / "keys", "Cabinet Autre", False, certificate)
    stranger = keys.sealed_by(KeySigner(keys.seal_key_pem, keys.seal_cert_pem))
    entry = {**entries(good)[3]["data"]["key"], "jwk": dict(stranger.active.jwk)}
    if forged != "no seal":
        entry["signature"] = stranger.jwk_signature
    if forged == "another seal":
        entry["certificate"] = base64.b64encode(stranger.seal_cert_der).decode()
    data = {} if forged == "another line" else {"key": entry}
    line = resigned(entries(good)[3], stranger.active, data=data)
    rotated.files.plant(STATE, b"".join([*good.splitlines(keepends=True)[:3], line]))
    rotated.store.refresh(FLOW_ID)
    assert rotated.state() == good
    assert len(quarantined(rotated)) == 1

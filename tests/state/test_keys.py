from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from jwcrypto.jwk import JWK

from pdfops.signer import KeySigner
from plugin.adapters.keys import BackupUnreadable, Keys, KeysMissing, key_statement, restore_keys
from tests.pdfops.tokens import Authority
from tests.state.independent_verifier import unbase64url
from tests.state.world import World, certificate

WORDS = "correct horse battery staple"


def opened(folder: Path, *, known: bool = False) -> Keys:
    keys = Keys.open(folder, "Cabinet Test", known, certificate)
    return keys.sealed_by(KeySigner(keys.seal_key_pem, keys.seal_cert_pem))


def derived(keys: Keys) -> list[bytes]:
    return [keys.link_key, keys.csrf_key, keys.request_key, keys.salts_key, keys.person_key(b"s" * 32)]


def test_the_same_folder_gives_the_same_keys(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "keys"), opened(tmp_path / "keys", known=True)
    assert derived(first) == derived(second)
    assert first.active.kid == second.active.kid
    assert first.seal_cert_pem == second.seal_cert_pem
    assert first.instance_id == second.instance_id


def test_every_derived_key_is_another(tmp_path: Path) -> None:
    keys, other = opened(tmp_path / "one" / "keys"), opened(tmp_path / "two" / "keys")
    assert len({*derived(keys), *derived(other), keys.secret, keys.person_key(b"t" * 32)}) == 12


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    opened(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert {"instance-secret", "seal-key.pem", "seal-cert.pem"} < names
    for path in folder.iterdir():
        if not path.name.startswith("."):
            assert path.stat().st_mode & 0o777 == 0o600


def test_the_kid_is_the_thumbprint_and_the_seal_vouches_for_the_key(tmp_path: Path) -> None:
    keys = opened(tmp_path / "keys")
    (jwk,) = keys.public_jwks
    assert jwk["kid"] == JWK(**dict(keys.active.jwk)).thumbprint()[:16] == keys.active.kid
    public = x509.load_der_x509_certificate(keys.seal_cert_der).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    signature = unbase64url(keys.jwk_signature)
    public.verify(signature, key_statement(keys.active.jwk), padding.PKCS1v15(), hashes.SHA256())


def test_a_seal_from_outside_vouches_and_the_ones_before_stay_known(tmp_path: Path) -> None:
    keys, authority = opened(tmp_path / "keys"), Authority()
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    outside = KeySigner(pem, authority.chain_pem(private.public_key()))
    sealed = keys.sealed_by(outside)
    signature = unbase64url(sealed.jwk_signature)
    public = x509.load_der_x509_certificate(sealed.seal_cert_der).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, key_statement(sealed.active.jwk), ec.ECDSA(hashes.SHA256()))
    assert sealed.jwk_signature_over.startswith("ECDSA, SHA-256")
    assert sealed.seal_certificates == (outside.chain[0], keys.seal_cert_der)
    assert opened(tmp_path / "keys").seal_certificates == (keys.seal_cert_der, outside.chain[0])
    backup = tmp_path / "backup.json"
    sealed.export(backup, WORDS)
    restore_keys(tmp_path / "other" / "keys", backup, WORDS)
    assert opened(tmp_path / "other" / "keys").seal_certificates == (keys.seal_cert_der, outside.chain[0])


@pytest.mark.parametrize("name", ["instance-secret", "seal-key.pem", "seal-cert.pem", "active-chain-key", "chain-*"])
def test_no_new_keys_are_made_where_data_knows_older_ones(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "keys"
    opened(folder)
    for path in folder.glob(name):
        path.unlink()
    with pytest.raises(KeysMissing):
        opened(folder, known=True)


def test_a_start_on_an_old_database_without_keys_is_refused(world: World) -> None:
    for path in (world.data / "keys").iterdir():
        path.unlink()
    assert world.vault.knows_keys()
    with pytest.raises(KeysMissing):
        opened(world.data / "keys", known=world.vault.knows_keys())


def test_an_interrupted_first_start_is_finished(tmp_path: Path) -> None:
    folder = tmp_path / "keys"

    def stops(_organisation: str) -> tuple[bytes, bytes]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Keys.open(folder, "Cabinet Test", False, stops)
    secret = (folder / "instance-secret").read_bytes()
    assert opened(folder).secret == secret


def test_a_backup_brings_every_key_back(tmp_path: Path) -> None:
    keys, backup = opened(tmp_path / "keys"), tmp_path / "backup.json"
    assert not keys.exported
    keys.export(backup, WORDS)
    assert opened(tmp_path / "keys").exported
    restore_keys(tmp_path / "other" / "keys", backup, WORDS)
    restored = opened(tmp_path / "other" / "keys", known=True)
    assert derived(restored) == derived(keys)
    assert restored.seal_key_pem == keys.seal_key_pem
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_backup_shows_nothing_without_the_passphrase(tmp_path: Path) -> None:
    keys, backup = opened(tmp_path / "keys"), tmp_path / "backup.json"
    keys.export(backup, WORDS)
    assert keys.secret.hex() not in backup.read_text()
    with pytest.raises(BackupUnreadable):
        restore_keys(tmp_path / "other", backup, "wrong")
    content = json.loads(backup.read_text())
    backup.write_text(json.dumps(content | {"data": "00" + content["data"][2:]}))
    with pytest.raises(BackupUnreadable):
        restore_keys(tmp_path / "other", backup, WORDS)


def test_keys_never_show_in_a_repr(tmp_path: Path) -> None:
    keys = opened(tmp_path / "keys")
    assert repr(keys.secret) not in repr(keys)
    assert "PRIVATE" not in repr(keys)

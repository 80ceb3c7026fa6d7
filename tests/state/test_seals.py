"""Where the organisation's seal comes from, and what is said at the start when it cannot be used."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from pdfops.pkcs11 import Pkcs11Signer
from pdfops.signer import KeySigner
from plugin.adapters.keys import Keys
from plugin.adapters.seals import seal_finding, seal_of
from plugin.settings import BadSettings, Settings, from_environment
from tests.pdfops import tokens
from tests.pdfops.tokens import MODULE, PIN, Authority, Tokens
from tests.state.world import certificate

AUTHORITY = Authority()
SECRET = "bateau rouge"
NEEDED = {
    "PARAPHEUR_DATA": "/nowhere",
    "PARAPHEUR_HOST_URL": "http://host.example",
    "PARAPHEUR_PUBLIC_URL": "http://public.example",
    "PARAPHEUR_APP_SECRET": "secret",
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.open(tmp_path / "keys", "Cabinet Test", False, certificate)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    with tokens.opened(tmp_path_factory.mktemp("softhsm")) as opened:
        opened.make("Mairie")
        yield opened


@pytest.fixture(scope="module")
def in_token(held: Tokens) -> dict[str, str]:
    """The settings of a key in a token, its certificates beside it."""
    public = held.generate("Mairie", "seal")
    for name, days in (("good", 365), ("soon", 20), ("expired", -1)):
        (held.folder / f"{name}.pem").write_bytes(AUTHORITY.chain_pem(public, days=days))
    (held.folder / "other.pem").write_bytes(tokens.pem(AUTHORITY.certificate))
    return {
        "PARAPHEUR_SEAL_PKCS11_MODULE": MODULE,
        "PARAPHEUR_SEAL_PKCS11_TOKEN": "Mairie",
        "PARAPHEUR_SEAL_PKCS11_KEY": "seal",
        "PARAPHEUR_SEAL_PKCS11_PIN": PIN,
        "PARAPHEUR_SEAL_PKCS11_CERTIFICATE": str(held.folder / "good.pem"),
    }


def p12(folder: Path, days: int = 365, with_certificate: bool = True) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    own = AUTHORITY.certificate_for(key.public_key(), days=days) if with_certificate else None
    above = [AUTHORITY.certificate] if with_certificate else None
    wrapping = serialization.BestAvailableEncryption(SECRET.encode())
    path = folder / "seal.p12"
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"seal", key, own, above, wrapping))
    return {"PARAPHEUR_SEAL_P12": str(path), "PARAPHEUR_SEAL_P12_PASSWORD": SECRET}


def settings(**named: str) -> Settings:
    return from_environment({**NEEDED, **named})


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def test_without_a_word_the_server_uses_the_key_it_made(keys: Keys) -> None:
    signer = seal_of(settings(), keys, now())
    assert signer.chain == (
        x509.load_pem_x509_certificate(keys.seal_cert_pem).public_bytes(serialization.Encoding.DER),
    )


def test_a_file_gives_the_key_and_its_chain(keys: Keys, tmp_path: Path) -> None:
    signer = seal_of(settings(**p12(tmp_path)), keys, now())
    assert isinstance(signer, KeySigner)
    assert [x509.load_der_x509_certificate(one).subject.rfc4514_string() for one in signer.chain] == [
        "CN=Mairie d'Étampes",
        "CN=Test authority",
    ]


def test_a_secret_may_lie_in_a_file(keys: Keys, tmp_path: Path) -> None:
    named = p12(tmp_path)
    (tmp_path / "password").write_text(named.pop("PARAPHEUR_SEAL_P12_PASSWORD") + "\n")
    named["PARAPHEUR_SEAL_P12_PASSWORD_FILE"] = str(tmp_path / "password")
    assert seal_of(settings(**named), keys, now()).algorithm == "sha256_ecdsa"


def test_a_token_gives_a_signer(keys: Keys, in_token: dict[str, str]) -> None:
    signer = seal_of(settings(**in_token), keys, now())
    assert isinstance(signer, Pkcs11Signer)
    assert keys.sealed_by(signer).jwk_signature


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PASSWORD": "wrong"}, "PARAPHEUR_SEAL_P12: the password is wrong"),
        ({"PASSWORD": ""}, "PARAPHEUR_SEAL_P12: the password is wrong"),
        ({"": "/nowhere/seal.p12"}, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    keys: Keys, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    changed = {f"PARAPHEUR_SEAL_P12_{name}".rstrip("_"): value for name, value in change.items()}
    with pytest.raises(BadSettings, match=said) as refused:
        seal_of(settings(**{**p12(tmp_path), **changed}), keys, now())
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_without_its_certificate_or_with_an_old_one_is_refused(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no key with its certificate"):
        seal_of(settings(**p12(tmp_path, with_certificate=False)), keys, now())
    with pytest.raises(BadSettings, match=r"the certificate expired on \d{4}-\d\d-\d\d"):
        seal_of(settings(**p12(tmp_path, days=-1)), keys, now())
    with pytest.raises(BadSettings, match="valid from"):
        seal_of(settings(**p12(tmp_path)), keys, now() - dt.timedelta(days=30))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"MODULE": "/nowhere/token.so"}, "/nowhere/token.so cannot be loaded"),
        ({"TOKEN": "Nowhere"}, "there is no token 'Nowhere'"),
        ({"TOKEN": ""}, "PARAPHEUR_SEAL_PKCS11_TOKEN is missing"),
        ({"KEY": "none"}, "there is no key 'none'"),
        ({"CERTIFICATE": "other.pem"}, "does not belong to the key"),
        ({"CERTIFICATE": "expired.pem"}, "PARAPHEUR_SEAL_PKCS11: the certificate expired on"),
        ({"CERTIFICATE": "none.pem"}, "PARAPHEUR_SEAL_PKCS11_CERTIFICATE: .*No such file"),
        ({"CERTIFICATE": ""}, "no certificate for the key on the token"),
        ({"MODULE": ""}, "says nothing without PARAPHEUR_SEAL_PKCS11_MODULE"),
    ],
)
def test_a_token_that_cannot_be_used_is_one_sentence(
    keys: Keys, held: Tokens, in_token: dict[str, str], change: dict[str, str], said: str
) -> None:
    changed = {
        f"PARAPHEUR_SEAL_PKCS11_{name}": str(held.folder / value) if value.endswith(".pem") else value
        for name, value in change.items()
    }
    with pytest.raises(BadSettings, match=said) as refused:
        seal_of(settings(**{**in_token, **changed}), keys, now())
    assert PIN not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_pin_ends_the_start_with_a_sentence(in_token: dict[str, str], tmp_path: Path) -> None:
    """As an operator sees it, in a process of its own."""
    script = "from plugin.wsgi import create; create()"
    environment = {
        **NEEDED,
        **in_token,
        "PARAPHEUR_DATA": str(tmp_path / "data"),
        "PARAPHEUR_SEAL_PKCS11_PIN": "999999",
        "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"],
    }
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "PARAPHEUR_SEAL_PKCS11: the token 'Mairie' does not take this PIN" in run.stderr.splitlines()[-1]
    assert "999999" not in run.stderr + run.stdout


def test_two_seals_exclude_each_other(keys: Keys, in_token: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="exclude each other"):
        seal_of(settings(**p12(tmp_path), **in_token), keys, now())


def test_health_tells_of_a_certificate_that_ends_and_of_a_token_that_is_away(
    keys: Keys, held: Tokens, in_token: dict[str, str]
) -> None:
    good = seal_of(settings(**in_token), keys, now())
    soon_pem = {"PARAPHEUR_SEAL_PKCS11_CERTIFICATE": str(held.folder / "soon.pem")}
    soon = seal_of(settings(**{**in_token, **soon_pem}), keys, now())
    assert seal_finding(good, now()) is None
    later = ((soon, 0, "seal-expires"), (soon, 21, "seal-expired"), (good, 340, "seal-expires"))
    for signer, later_days, code in later:
        found = seal_finding(signer, now() + dt.timedelta(days=later_days))
        assert found is not None
        assert found.code == code
    assert isinstance(good, Pkcs11Signer)
    lost = replace(good._where, token="Gone")
    good._where = lost
    good._module.begin_again()
    with pytest.raises(Exception, match="key-unavailable"):
        good.sign(b"x")
    found = seal_finding(good, now())
    assert found is not None
    assert found.code == "seal-away"

"""Seals whose key lies in a token: a real SoftHSM, keys generated in it, nothing of them ever outside."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pdfops.errors import PdfError
from pdfops.fields import Place, prepare
from pdfops.pkcs11 import KeyRefused, Pkcs11Signer, TokenKey
from pdfops.sandbox import Workshop
from pdfops.seal import SealOrder
from pdfops.signer import make_organisation_certificate
from pdfops.trust import trust_of
from tests.pdfops import oracles, samples, tokens
from tests.pdfops.tokens import MODULE, PIN, Authority, Tokens

TOKEN = "Mairie"
AUTHORITY = Authority()


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    """One token with two keys: ``seal`` (RSA, id 01) and ``curve`` (P-256, id 02)."""
    with tokens.opened(tmp_path_factory.mktemp("softhsm")) as opened:
        opened.make(TOKEN)
        yield opened


@pytest.fixture(scope="module")
def keys(held: Tokens) -> dict[str, Any]:
    return {"seal": held.generate(TOKEN, "seal", "2048", "01"), "curve": held.generate(TOKEN, "curve", "p256", "02")}


def signer(keys: dict[str, Any], label: str = "seal", **more: Any) -> Pkcs11Signer:
    return Pkcs11Signer(TokenKey(MODULE, TOKEN, label, PIN, **more), AUTHORITY.chain_pem(keys[label]))


def fits(public: Any, signature: bytes, data: bytes) -> bool:
    """Raises where it does not."""
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    else:
        public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    return True


@pytest.mark.parametrize("label", ["seal", "curve"])
def test_a_seal_from_a_token_satisfies_every_reader(workshop: Workshop, keys: dict[str, Any], label: str) -> None:
    made = signer(keys, label)
    data = prepare(samples.simple_pdf(), [Place("p", "somebody", 1, 100_000, 100_000, 300_000, 90_000)])
    order = SealOrder(("p",), samples.ink_png(), "Cachet", "Bon pour accord", samples.SIGNED_AT, {})
    sealed = workshop.seal(data, order, made)
    assert oracles.all_well(sealed, 1)
    found = workshop.verify(sealed)
    assert found.is_intact
    assert found.signatures[0].signer == "Mairie d'Étampes"
    assert trust_of(found, [tokens.der(AUTHORITY.certificate)]) == "trusted"


def test_no_signature_is_longer_than_was_said(keys: dict[str, Any]) -> None:
    for label in ("seal", "curve"):
        made = signer(keys, label)
        assert all(len(made.sign(b"%d" % n)) <= made.signature_size_bytes for n in range(50))


def test_a_token_that_hashes_nothing_signs_our_own_digest(
    keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = signer(keys)
    made._mechanism = pkcs11.Mechanism.RSA_PKCS
    asked = made.sign(b"some data")
    assert fits(keys["seal"], asked, b"some data")
    assert asked == signer(keys).sign(b"some data")


def test_a_key_is_found_by_its_id_or_alone(held: Tokens, keys: dict[str, Any]) -> None:
    chain = AUTHORITY.chain_pem(keys["curve"])
    assert fits(keys["curve"], Pkcs11Signer(TokenKey(MODULE, TOKEN, "id:02", PIN), chain).sign(b"x"), b"x")
    with pytest.raises(KeyRefused, match="2 such keys"):
        Pkcs11Signer(TokenKey(MODULE, TOKEN, "", PIN), chain)
    held.make("Alone")
    public = held.generate("Alone", "whatever")
    assert fits(public, Pkcs11Signer(TokenKey(MODULE, "Alone", "", PIN), AUTHORITY.chain_pem(public)).sign(b"x"), b"x")


def test_a_token_is_found_by_its_slot(keys: dict[str, Any]) -> None:
    slot = next(s for s in pkcs11.lib(MODULE).get_slots(token_present=True) if s.get_token().label == TOKEN)
    where = TokenKey(MODULE, f"slot:{slot.slot_id}", "seal", PIN)
    assert fits(keys["seal"], Pkcs11Signer(where, AUTHORITY.chain_pem(keys["seal"])).sign(b"x"), b"x")
    with pytest.raises(KeyRefused, match="no token 'slot:7777777'"):
        Pkcs11Signer(TokenKey(MODULE, "slot:7777777", "seal", PIN))


def test_the_certificates_may_lie_on_the_token(held: Tokens) -> None:
    held.make("Full")
    public = held.generate("Full", "k", "2048", "0a")
    own, root = AUTHORITY.certificate_for(public), AUTHORITY.certificate
    with pytest.raises(KeyRefused, match="no certificate for the key on the token 'Full'"):
        Pkcs11Signer(TokenKey(MODULE, "Full", "k", PIN))
    held.lay("Full", tokens.der(root), "root", "ff")
    held.lay("Full", tokens.der(own), "mine", "0a")
    for named in ("", "mine"):
        made = Pkcs11Signer(TokenKey(MODULE, "Full", "k", PIN, named))
        assert made.chain == (tokens.der(own), tokens.der(root))
    with pytest.raises(KeyRefused, match="no certificate 'other'"):
        Pkcs11Signer(TokenKey(MODULE, "Full", "k", PIN, "other"))
    with pytest.raises(KeyRefused, match="does not belong to the key"):
        Pkcs11Signer(TokenKey(MODULE, "Full", "k", PIN, "root"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pin": "999999"}, "does not take this PIN"),
        ({"token": "Nowhere"}, "no token 'Nowhere'"),
        ({"key": "none"}, "no key 'none'"),
        ({"key": "id:zz"}, "hexadecimal"),
        ({"module": "/nowhere/token.so"}, "/nowhere/token.so cannot be loaded"),
    ],
)
def test_what_is_named_wrongly_is_said(held: Tokens, change: dict[str, str], said: str) -> None:
    """In a process of its own: within one, who is logged in is so for every session."""
    given = {"module": MODULE, "token": TOKEN, "key": "seal", "pin": PIN} | change
    script = (
        "import sys, json\nfrom pdfops.pkcs11 import *\n"
        "try: Pkcs11Signer(TokenKey(**json.loads(sys.argv[1])))\n"
        "except KeyRefused as refused: print(refused)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, json.dumps(given)], capture_output=True, text=True, check=True)
    assert said in run.stdout
    assert given["pin"] not in run.stdout + run.stderr


def test_a_certificate_of_another_key_is_refused(keys: dict[str, Any]) -> None:
    _, other = make_organisation_certificate("Somebody else")
    for chain in (other, AUTHORITY.chain_pem(keys["curve"])):
        with pytest.raises(KeyRefused, match="does not belong to the key"):
            Pkcs11Signer(TokenKey(MODULE, TOKEN, "seal", PIN), chain)
    with pytest.raises(KeyRefused, match="no certificate in the file"):
        Pkcs11Signer(TokenKey(MODULE, TOKEN, "seal", PIN), b"nothing")


def test_a_small_key_is_refused(held: Tokens) -> None:
    public = held.generate(TOKEN, "small", "1024", "0c")
    with pytest.raises(KeyRefused, match=r"2,048 bits or more"):
        Pkcs11Signer(TokenKey(MODULE, TOKEN, "small", PIN), AUTHORITY.chain_pem(public))


def test_two_signers_and_many_threads_at_once(keys: dict[str, Any]) -> None:
    made = {label: signer(keys, label) for label in ("seal", "curve")}
    work = [(label, b"%s %d" % (label.encode(), n)) for n in range(60) for label in made]
    with ThreadPoolExecutor(8) as pool:
        signatures = list(pool.map(lambda one: made[one[0]].sign(one[1]), work))
    assert all(fits(keys[label], got, data) for (label, data), got in zip(work, signatures, strict=True))


def test_a_session_that_was_lost_is_opened_anew(keys: dict[str, Any]) -> None:
    made, other = signer(keys), signer(keys, "curve")
    for lose in (
        lambda: made._key.session.close(),
        lambda: pkcs11.lib(MODULE).reinitialize(),
        lambda: pkcs11.lib(MODULE).finalize(),
    ):
        lose()
        assert fits(keys["seal"], made.sign(b"after"), b"after")
        assert fits(keys["curve"], other.sign(b"after"), b"after")


def test_a_token_that_was_taken_out_is_told_and_found_again(held: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    held.make("Away")
    public = held.generate("Away", "k")
    made = Pkcs11Signer(TokenKey(MODULE, "Away", "k", PIN), AUTHORITY.chain_pem(public))
    folder = held.folder / "tokens"
    aside = held.folder / "aside"
    folder.rename(aside)
    folder.mkdir()
    with caplog.at_level(logging.DEBUG), pytest.raises(PdfError) as refused:
        made.sign(b"x")
    assert refused.value.code == "key-unavailable"
    assert PIN not in caplog.text + str(refused.value)
    assert "there is no token 'Away'" in caplog.text
    folder.rmdir()
    aside.rename(folder)
    assert fits(public, made.sign(b"x"), b"x")


def test_a_pin_that_was_refused_is_not_tried_again(held: Tokens) -> None:
    """A token locks itself after a few wrong tries; a service that tries with every signature would do that."""
    held.make("Changed")
    public = held.generate("Changed", "k")
    script = """
import sys, pkcs11, subprocess
from pathlib import Path
from pdfops.errors import PdfError
from pdfops.pkcs11 import *
module, pin, other, pem = sys.argv[1:]
made = Pkcs11Signer(TokenKey(module, "Changed", "k", pin), Path(pem).read_bytes())
change = '''import sys, pkcs11
with pkcs11.lib(sys.argv[1]).get_token(token_label="Changed").open(rw=True, user_pin=sys.argv[2]) as session:
    session.set_pin(sys.argv[2], sys.argv[3])'''
subprocess.run([sys.executable, "-c", change, module, pin, other], check=True)
pkcs11.lib(module).finalize()
tries = 0
class Counting:
    def __init__(self, library): self.library = library
    def __getattr__(self, name):
        global tries
        tries += name == "get_token"
        return getattr(self.library, name)
made._module.library = Counting(made._module.library)
for _ in range(5):
    try:
        made.sign(b"x")
    except PdfError as error:
        print(error.code)
print(tries)
"""
    chain = held.folder / "changed.pem"
    chain.write_bytes(AUTHORITY.chain_pem(public))
    run = subprocess.run(
        [sys.executable, "-c", script, MODULE, PIN, tokens.OTHER_PIN, str(chain)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["key-unavailable"] * 5 + ["1"]


def test_a_forked_process_signs_and_so_does_its_parent(keys: dict[str, Any]) -> None:
    """As a server does that loads the product before it forks."""
    made = signer(keys)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, made.sign(b"in the child"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        signature = source.read()
    assert os.waitpid(pid, 0)[1] == 0
    assert fits(keys["seal"], signature, b"in the child")
    assert fits(keys["seal"], made.sign(b"in the parent"), b"in the parent")


def test_nothing_shows_the_pin_or_gives_the_key_away(keys: dict[str, Any]) -> None:
    made = signer(keys)
    assert PIN not in repr(made) + repr(made._where) + str(vars(made))
    assert made._key[pkcs11.Attribute.SENSITIVE]
    with pytest.raises(pkcs11.PKCS11Error):
        _ = made._key[pkcs11.Attribute.PRIVATE_EXPONENT]


def test_importing_needs_no_token_library(tmp_path: Path) -> None:
    """The extra is not installed everywhere."""
    script = (
        "import sys; sys.modules['pkcs11'] = None\n"
        "from pdfops.pkcs11 import *\n"
        "try: Pkcs11Signer(TokenKey('/x.so', 'T'))\n"
        "except KeyRefused as refused: print(refused)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "parapheur[pkcs11]" in run.stdout

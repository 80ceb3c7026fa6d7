"""Tokens of SoftHSM in a folder, with keys that were generated in them, and certificates for those keys.

What is done to a token from outside is done by programs of its own, as an operator would: the process under test holds
nothing but the module that it opened itself.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CANDIDATES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
MODULE = next((path for path in CANDIDATES if Path(path).exists()), CANDIDATES[0])
PIN, OTHER_PIN = "246813", "135792"

_GENERATE = """
import sys, pkcs11
from pkcs11.util import ec, rsa
module, token, pin, kind, label, number = sys.argv[1:]
with pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin) as session:
    named = {"label": label, "id": bytes.fromhex(number), "store": True}
    if kind == "p256":
        curve = {pkcs11.Attribute.EC_PARAMS: ec.encode_named_curve_parameters("secp256r1")}
        public, _ = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(**named)
        made = ec.encode_ec_public_key(public)
    else:
        public, _ = session.generate_keypair(pkcs11.KeyType.RSA, int(kind), **named)
        made = rsa.encode_rsa_public_key(public)
sys.stdout.buffer.write(made)
"""
_LAY = """
import sys, pkcs11
from pkcs11.util.x509 import decode_x509_certificate
module, token, pin, label, number = sys.argv[1:]
with pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin) as session:
    said = decode_x509_certificate(sys.stdin.buffer.read())
    said |= {pkcs11.Attribute.TOKEN: True, pkcs11.Attribute.LABEL: label, pkcs11.Attribute.ID: bytes.fromhex(number)}
    session.create_object(said)
"""


@dataclass(frozen=True)
class Tokens:
    """``folder`` holds the tokens; `opened` makes SoftHSM look there."""

    folder: Path

    def make(self, label: str, pin: str = PIN) -> None:
        self._run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", OTHER_PIN)

    def remove(self, label: str) -> None:
        self._run("softhsm2-util", "--delete-token", "--token", label)

    def generate(self, token: str, label: str = "seal", kind: str = "2048", number: str = "01") -> Any:
        """A key in the token; its public half."""
        made = self._run(sys.executable, "-c", _GENERATE, MODULE, token, PIN, kind, label, number)
        return serialization.load_der_public_key(made)

    def lay(self, token: str, certificate: bytes, label: str, number: str) -> None:
        self._run(sys.executable, "-c", _LAY, MODULE, token, PIN, label, number, given=certificate)

    def _run(self, *command: str, given: bytes | None = None) -> bytes:
        run = subprocess.run(command, input=given, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout


@contextmanager
def opened(folder: Path) -> Iterator[Tokens]:
    """SoftHSM's tokens lie in ``folder`` for this process and those that it starts."""
    (folder / "tokens").mkdir(parents=True)
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    pkcs11.lib(MODULE).reinitialize()  # it reads where tokens lie when it begins
    try:
        yield Tokens(folder)
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


class Authority:
    """A certification authority of our own."""

    def __init__(self, name: str = "Test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._made(self._name, self._key.public_key(), is_authority=True)

    def certificate_for(self, public: Any, name: str = "Mairie d'Étampes", days: int = 365) -> x509.Certificate:
        """``days`` from now until it expires; it began ten days before that, or now."""
        return self._made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), public, days=days)

    def chain_pem(self, public: Any, **more: Any) -> bytes:
        return pem(self.certificate_for(public, **more)) + pem(self.certificate)

    def _made(self, subject: x509.Name, public: Any, days: int = 365, is_authority: bool = False) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        end = now + dt.timedelta(days=days)
        usage = dict.fromkeys(
            ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, end) - dt.timedelta(days=10))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=not is_authority,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    **usage,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)

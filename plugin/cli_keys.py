"""Which key a command signs with, and who attests the time: the options, and what they name."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Any, Final, get_args

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pdfops.lasting import Lasting, with_own
from pdfops.levels import SealLevel
from pdfops.pkcs11 import KeyRefused, Pkcs11Signer, TokenKey
from pdfops.signer import KeySigner, Signer, make_organisation_certificate
from pdfops.trust import TEST_MARK
from plugin.app import authority
from plugin.cli_files import Refusal, read

P12_VARIABLE: Final = "PARAPHEUR_P12_PASSWORD"
"""The variable that holds the password of ``--p12``; without it, it is asked for."""

PIN_VARIABLE: Final = "PARAPHEUR_PKCS11_PIN"
"""The same for the PIN of ``--pkcs11``."""


def add_key(parser: Any) -> None:
    parser.add_argument(
        "--p12",
        type=Path,
        help=f"key and certificate (PKCS #12; password in {P12_VARIABLE}); else a key for trying out",
    )
    parser.add_argument("--pkcs11", metavar="MODULE", help=f"the library of the key's token; PIN in {PIN_VARIABLE}")
    parser.add_argument("--token", default="", help="its label, or slot:NUMBER")
    parser.add_argument("--key", default="", help="the key's label, or id:HEX; needless where there is but one")
    parser.add_argument(
        "--certificate",
        default="",
        help="a PEM file, the key's own first, or a label on the token; else by the key",
    )


def add_authority(parser: Any) -> None:
    parser.add_argument("--level", choices=get_args(SealLevel), default="b-b", help="of PAdES; b-t and up need --tsa")
    parser.add_argument("--tsa", action="append", default=[], metavar="URL", help="timestamp authority")
    parser.add_argument("--roots", type=Path, action="append", default=[], help="certificates that have to be led to")
    parser.add_argument("--origin", action="append", default=[], help="where OCSP and CRLs may be fetched")
    parser.add_argument("--private-host", action="append", default=[], help="may have a private address")


def signer_of(chosen: argparse.Namespace) -> tuple[Signer, bool]:
    """The key to sign with, and whether it is but one for trying out."""
    p12: Path | None = chosen.p12
    if chosen.pkcs11 is not None:
        return _from_token(chosen), False
    if p12 is None:
        return KeySigner(*make_organisation_certificate("Parapheur", unit=TEST_MARK)), True
    data = read(p12)
    password = os.environ.get(P12_VARIABLE)
    if password is None and sys.stdin.isatty():
        password = getpass.getpass("Password of the key: ")
    try:
        return KeySigner.from_pkcs12(data, password.encode() if password else None), False
    except ValueError as error:
        raise Refusal("bad-key", f"{p12}: the password is wrong, or it holds no key that can be used.") from error


def lasting_of(chosen: argparse.Namespace, signer: Signer) -> Lasting | None:
    if chosen.level == "b-b":
        return None
    if not chosen.tsa or not chosen.roots:
        raise Refusal("no-authority", f"--level {chosen.level} needs --tsa and --roots.")
    roots = [root for path in chosen.roots for root in certificates_in(path)]
    try:
        reach = authority(chosen.tsa, chosen.origin, chosen.private_host)
    except ValueError as error:
        raise Refusal("bad-address", "--tsa and --origin take addresses with http:// or https://.") from error
    return Lasting(chosen.level, with_own(roots, signer.chain[0]), reach)


def _from_token(chosen: argparse.Namespace) -> Pkcs11Signer:
    if chosen.p12 is not None:
        raise Refusal("bad-key", "Name one key: --p12 or --pkcs11.")
    pin = os.environ.get(PIN_VARIABLE)
    if pin is None and sys.stdin.isatty():
        pin = getpass.getpass("PIN of the token: ")
    is_file = Path(chosen.certificate).is_file()
    chain = read(Path(chosen.certificate)) if is_file else None
    where = TokenKey(chosen.pkcs11, chosen.token, chosen.key, pin or "", "" if is_file else chosen.certificate)
    try:
        return Pkcs11Signer(where, chain)
    except KeyRefused as refused:
        raise Refusal("bad-key", f"{chosen.pkcs11}: {refused}.") from None


def certificates_in(path: Path) -> list[bytes]:
    data = read(path)
    try:
        if data.lstrip().startswith(b"-----"):
            return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(data)]
        return [x509.load_der_x509_certificate(data).public_bytes(Encoding.DER)]
    except ValueError as error:
        raise Refusal("bad-certificate", f"{path}: there are no certificates in it.") from error

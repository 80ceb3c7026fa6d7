"""The organisation's seal: from a file or a token that the settings name, else the key that the server made itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from pdfops.pkcs11 import KeyRefused, Pkcs11Signer, TokenKey
from pdfops.signer import KeySigner, Signer
from plugin.adapters.keys import Keys
from plugin.ports_health import Finding
from plugin.settings import BadSettings, Settings

WARN_BEFORE = timedelta(days=30)
_P12, _TOKEN = "PARAPHEUR_SEAL_P12", "PARAPHEUR_SEAL_PKCS11"


def seal_of(settings: Settings, keys: Keys, now: datetime) -> Signer:
    """Tried out at once, where it comes from outside. Raises: BadSettings: one sentence, no secret in it."""
    _assert_one(settings)
    signer: Signer
    if settings.seal_p12 is not None:
        signer, named = _from_file(settings.seal_p12, settings.seal_p12_password.get_secret_value()), _P12
    elif settings.seal_pkcs11_module:
        signer, named = _from_token(settings), _TOKEN
    else:
        return KeySigner(keys.seal_key_pem, keys.seal_cert_pem)
    starts, ends = _valid(signer)
    if now > ends:
        raise BadSettings(f"{named}: the certificate expired on {ends:%Y-%m-%d}")
    if now < starts:
        raise BadSettings(f"{named}: the certificate is valid from {starts:%Y-%m-%d} on")
    return signer


def seal_finding(signer: Signer, now: datetime) -> Finding | None:
    """What an operator should know of the seal."""
    if isinstance(signer, Pkcs11Signer) and signer.is_away:
        return Finding("seal-away", "the token with the seal's key did not sign when it was asked last: see the log")
    _, ends = _valid(signer)
    if now > ends:
        return Finding("seal-expired", f"the seal's certificate expired on {ends:%Y-%m-%d}: readers refuse new seals")
    if now > ends - WARN_BEFORE:
        return Finding("seal-expires", f"the seal's certificate expires on {ends:%Y-%m-%d}: another is needed by then")
    return None


def _assert_one(settings: Settings) -> None:
    of_a_token = {
        "TOKEN": settings.seal_pkcs11_token,
        "KEY": settings.seal_pkcs11_key,
        "PIN": settings.seal_pkcs11_pin.get_secret_value(),
        "CERTIFICATE": settings.seal_pkcs11_certificate,
    }
    if settings.seal_p12 is not None and settings.seal_pkcs11_module:
        raise BadSettings(f"{_P12} and {_TOKEN}_MODULE exclude each other")
    if settings.seal_p12 is None and settings.seal_p12_password.get_secret_value():
        raise BadSettings(f"{_P12}_PASSWORD says nothing without {_P12}")
    if settings.seal_pkcs11_module and not settings.seal_pkcs11_token:
        raise BadSettings(f"{_TOKEN}_TOKEN is missing: the token's label, or slot:NUMBER")
    for name, value in of_a_token.items():
        if value and not settings.seal_pkcs11_module:
            raise BadSettings(f"{_TOKEN}_{name} says nothing without {_TOKEN}_MODULE")


def _from_file(path: Path, password: str) -> KeySigner:
    data = _read(path, _P12)
    try:
        return KeySigner.from_pkcs12(data, password.encode() or None)
    except ValueError as error:
        text = "the password is wrong, or this is no PKCS #12 file" if "PKCS12" in str(error) else str(error)
        raise BadSettings(f"{_P12}: {text}") from error


def _from_token(settings: Settings) -> Pkcs11Signer:
    named = settings.seal_pkcs11_certificate
    is_file = os.sep in named
    where = TokenKey(
        settings.seal_pkcs11_module,
        settings.seal_pkcs11_token,
        settings.seal_pkcs11_key,
        settings.seal_pkcs11_pin.get_secret_value(),
        "" if is_file else named,
    )
    chain = _read(Path(named), f"{_TOKEN}_CERTIFICATE") if is_file else None
    try:
        return Pkcs11Signer(where, chain)
    except KeyRefused as refused:
        raise BadSettings(f"{_TOKEN}: {refused}") from None


def _read(path: Path, named: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSettings(f"{named}: {path}: {error.strerror}") from error


def _valid(signer: Signer) -> tuple[datetime, datetime]:
    certificate = x509.load_der_x509_certificate(signer.chain[0])
    return certificate.not_valid_before_utc.astimezone(UTC), certificate.not_valid_after_utc.astimezone(UTC)

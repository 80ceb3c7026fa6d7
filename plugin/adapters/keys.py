"""The instance's keys, in ``$DATA/keys/``: secret, chain keys, the organisation's seal. Made once, never replaced."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pdfops.signer import Signer
from plugin.settings import StartRefused

MakeCertificate = Callable[[str], tuple[bytes, bytes]]
"""Organisation's name -> (private key PEM, certificate PEM)."""

_SECRET_FILE = "instance-secret"  # noqa: S105 - a file name
_ACTIVE = "active-chain-key"
_SEAL_KEY = "seal-key.pem"
_SEAL_CERT = "seal-cert.pem"
_SEAL_USED = "seal-used-"
_EXPORTED = "exported"
_INSTANCE = "instance-id"
_BACKUP_FORMAT = "parapheur keys v1"
_KID = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**16, 8, 1


class KeysMissing(StartRefused):
    """The database knows keys that are not in the folder: restore them, new ones would orphan every flow."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is missing, but the data was written with such keys. Put them back: parapheur keys restore FILE, "
            "with what parapheur keys export wrote. New keys would open nothing of it, so none are made."
        )


class BackupUnreadable(StartRefused):
    """Another format, damaged, or the wrong passphrase."""


class KeysDiffer(StartRefused):
    """Keys that are in use are never overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is another key than the backup's. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class ChainKey:
    """One Ed25519 key that signs lines. ``jwk`` is its public half: crv, kty, x."""

    kid: str
    private: Ed25519PrivateKey
    jwk: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class Keys:
    """Promise: the same folder gives the same keys for ever. Nothing of it is ever logged.

    ``seal``: the key that vouches for the chain's keys; without it nothing new can be said of them.
    """

    folder: Path
    secret: bytes
    chain_keys: Mapping[str, ChainKey]
    active: ChainKey
    seal_key_pem: bytes
    seal_cert_pem: bytes
    instance_id: str
    seal: Signer | None = None

    @classmethod
    def open(cls, folder: Path, organisation: str, known_elsewhere: bool, make_certificate: MakeCertificate) -> Keys:
        """Reads the keys, and makes those of a first start (also of one that was interrupted).

        Raises: KeysMissing where one is missing although ``known_elsewhere``.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with locked(folder):
            return cls._opened(folder, organisation, known_elsewhere, make_certificate)

    @classmethod
    def _opened(
        cls, folder: Path, organisation: str, known_elsewhere: bool, make_certificate: MakeCertificate
    ) -> Keys:
        def made(name: str, make: Callable[[], bytes]) -> bytes:
            path = folder / name
            if not path.exists():
                if known_elsewhere:
                    raise KeysMissing(path)
                write_private(path, make())
            return path.read_bytes()

        secret = made(_SECRET_FILE, lambda: secrets.token_bytes(32))
        if len(secret) != 32:
            raise KeysMissing(folder / _SECRET_FILE)
        active = made(_ACTIVE, lambda: _make_chain_key(folder).encode()).decode().strip()
        if not (folder / _SEAL_KEY).exists() or not (folder / _SEAL_CERT).exists():
            if known_elsewhere:
                raise KeysMissing(folder / _SEAL_KEY)
            key_pem, cert_pem = make_certificate(organisation)
            (folder / _SEAL_CERT).unlink(missing_ok=True)
            write_private(folder / _SEAL_KEY, key_pem)
            write_private(folder / _SEAL_CERT, cert_pem)
        chain_keys = {key.kid: key for key in map(_read_chain_key, sorted(folder.glob("chain-*.pem")))}
        if active not in chain_keys:
            raise KeysMissing(folder / f"chain-{active}.pem")
        instance = folder.parent / _INSTANCE
        if not instance.exists():
            write_private(instance, secrets.token_hex(8).encode())
        return cls(
            folder=folder,
            secret=secret,
            chain_keys=chain_keys,
            active=chain_keys[active],
            seal_key_pem=(folder / _SEAL_KEY).read_bytes(),
            seal_cert_pem=(folder / _SEAL_CERT).read_bytes(),
            instance_id=instance.read_text().strip(),
        )

    def check(self, kids: Collection[str]) -> None:
        """Raises: KeysMissing, where one of these chain keys, by which lines may be signed, is not in the folder."""
        for kid in sorted(set(kids) - self.chain_keys.keys()):
            raise KeysMissing(self.folder / f"chain-{kid}.pem")

    @cached_property
    def link_key(self) -> bytes:
        return self._derived(b"parapheur link key v1")

    @cached_property
    def csrf_key(self) -> bytes:
        return self._derived(b"parapheur csrf key v1")

    @cached_property
    def request_key(self) -> bytes:
        return self._derived(b"parapheur request key v1")

    @cached_property
    def salts_key(self) -> bytes:
        return self._derived(b"parapheur salts v1")

    def person_key(self, salt: bytes) -> bytes:
        """Under which one person's values of one flow are encrypted. Shape: 32 bytes."""
        return self._derived(b"parapheur person v1", salt)

    @cached_property
    def public_keys(self) -> Mapping[str, Ed25519PublicKey]:
        """kid -> key, for reading chains; one that was made since the start is found as well."""
        return _PublicKeys(self.folder, {kid: key.private.public_key() for kid, key in self.chain_keys.items()})

    @cached_property
    def public_jwks(self) -> list[dict[str, str]]:
        """For ``/.well-known/parapheur-keys.json``."""
        return [{**key.jwk, "kid": kid, "use": "sig", "alg": "EdDSA"} for kid, key in sorted(self.chain_keys.items())]

    def sealed_by(self, seal: Signer) -> Keys:
        """The same keys, vouched for by ``seal`` from now on. Its certificate is remembered: what it sealed stays
        known when another takes its place."""
        certificate = x509.load_der_x509_certificate(seal.chain[0]).public_bytes(serialization.Encoding.PEM)
        path = self.folder / f"{_SEAL_USED}{hashlib.sha256(certificate).hexdigest()[:16]}.pem"
        if certificate != self.seal_cert_pem and not path.exists():
            write_private(path, certificate)
        return replace(self, seal=seal)

    @cached_property
    def seal_certificates(self) -> tuple[bytes, ...]:
        """Of the seal, and of those before it, in DER."""
        used = [path.read_bytes() for path in sorted(self.folder.glob(f"{_SEAL_USED}*.pem"))]
        return tuple(dict.fromkeys((self.seal_cert_der, *map(_der, (self.seal_cert_pem, *used)))))

    @cached_property
    def seal_cert_der(self) -> bytes:
        return self.seal.chain[0] if self.seal is not None else _der(self.seal_cert_pem)

    @cached_property
    def jwk_signature(self) -> str:
        """base64url of the seal key's signature over ["parapheur chain key v1", jwk]: RSASSA-PKCS1-v1_5 or ECDSA on
        P-256 (in DER), as the certificate's key is, with SHA-256."""
        if self.seal is None:
            raise RuntimeError("no seal was given that could vouch for a key")
        return b64url(self.seal.sign(key_statement(self.active.jwk)))

    def entry(self) -> dict[str, Any]:
        """What the line that brings in the active key says of it."""
        return {
            "jwk": dict(self.active.jwk),
            "signature": self.jwk_signature,
            "certificate": base64.b64encode(self.seal_cert_der).decode(),
        }

    @property
    def jwk_signature_over(self) -> str:
        """The same for people."""
        by = "ECDSA" if self.seal is not None and self.seal.algorithm == "sha256_ecdsa" else "RSASSA-PKCS1-v1_5"
        return f'{by}, SHA-256, over the canonical JSON of ["parapheur chain key v1", jwk]'

    def rotate(self) -> str:
        """Makes a new chain key, with which whoever opens these keys from now on signs. The others stay: they verify
        what they signed. Returns: its kid.
        """
        with locked(self.folder):
            kid = _make_chain_key(self.folder)
            write_private(self.folder / _ACTIVE, kid.encode())
        return kid

    @property
    def exported(self) -> bool:
        """A protected backup was made of these very keys."""
        mark = self.folder / _EXPORTED
        return mark.exists() and mark.read_text().strip() == self._fingerprint()

    def export(self, path: Path, passphrase: str) -> None:
        """Writes every key into one file, encrypted (scrypt, AES-256-GCM), and marks the keys as exported."""
        names = sorted(p.name for p in self.folder.iterdir() if p.name != _EXPORTED and not p.name.startswith("."))
        inner = {name: base64.b64encode((self.folder / name).read_bytes()).decode() for name in names}
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        sealed = AESGCM(_stretched(passphrase, salt)).encrypt(
            nonce, json.dumps(inner).encode(), _BACKUP_FORMAT.encode()
        )
        outer = {"format": _BACKUP_FORMAT, "salt": salt.hex(), "nonce": nonce.hex(), "data": sealed.hex()}
        write_private(path, json.dumps(outer).encode())
        write_private(self.folder / _EXPORTED, self._fingerprint().encode())

    def _fingerprint(self) -> str:
        parts = [self.secret.hex(), *sorted(self.chain_keys), hashlib.sha256(self.seal_cert_pem).hexdigest()]
        return hashlib.sha256(rfc8785.dumps(["parapheur export v1", *parts])).hexdigest()

    def _derived(self, label: bytes, salt: bytes | None = None) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=label).derive(self.secret)


class _PublicKeys(Mapping[str, Ed25519PublicKey]):
    """The keys of a folder. One that is not known yet is looked for there: another process may have rotated."""

    def __init__(self, folder: Path, known: dict[str, Ed25519PublicKey]) -> None:
        self._folder, self._known = folder, known

    def __getitem__(self, kid: str) -> Ed25519PublicKey:
        if kid not in self._known:
            path = self._folder / f"chain-{kid}.pem"
            if not _KID.fullmatch(kid) or not path.is_file():
                raise KeyError(kid)
            key = _read_chain_key(path)
            if key.kid != kid:
                raise KeyError(kid)
            self._known[kid] = key.private.public_key()
        return self._known[kid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def restore_keys(folder: Path, path: Path, passphrase: str) -> None:
    """Puts an exported backup back. Where other keys are there already, nothing is changed; which of them signs lines
    stays as it is.

    Raises: BackupUnreadable, KeysDiffer.
    """
    try:
        outer = json.loads(path.read_bytes())
        if outer["format"] != _BACKUP_FORMAT:
            raise BackupUnreadable(f"{path} is not a backup of keys")
        key = _stretched(passphrase, bytes.fromhex(outer["salt"]))
        opened = AESGCM(key).decrypt(
            bytes.fromhex(outer["nonce"]), bytes.fromhex(outer["data"]), _BACKUP_FORMAT.encode()
        )
        files: dict[str, str] = json.loads(opened)
    except (InvalidTag, ValueError, KeyError, TypeError) as error:
        raise BackupUnreadable(f"{path} cannot be opened: another passphrase, or damaged") from error
    wanted = {folder / Path(name).name: base64.b64decode(data) for name, data in files.items()}
    for target, data in wanted.items():
        if target.exists() and target.read_bytes() != data and target.name != _ACTIVE:
            raise KeysDiffer(target)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for target, data in wanted.items():
        if not target.exists():
            write_private(target, data)


def key_statement(jwk: Mapping[str, Any]) -> bytes:
    """What the seal key signs to vouch for a chain key."""
    return rfc8785.dumps(["parapheur chain key v1", dict(jwk)])


def kid_of(jwk: Mapping[str, str]) -> str:
    """The first 16 characters of the thumbprint (RFC 7638)."""
    return b64url(hashlib.sha256(rfc8785.dumps(dict(jwk))).digest())[:16]


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Lenient: more than one text may give these bytes. Raises: ValueError."""
    return base64.urlsafe_b64decode(text + "==")


def write_private(path: Path, data: bytes) -> None:
    """Atomically: after a crash there is the old content or the new. Mode 0600."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make_chain_key(folder: Path) -> str:
    private = Ed25519PrivateKey.generate()
    kid = kid_of(_jwk(private))
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(folder / f"chain-{kid}.pem", pem)
    return kid


def _read_chain_key(path: Path) -> ChainKey:
    private = cast("Ed25519PrivateKey", serialization.load_pem_private_key(path.read_bytes(), password=None))
    jwk = _jwk(private)
    return ChainKey(kid_of(jwk), private, jwk)


def _jwk(private: Ed25519PrivateKey) -> dict[str, str]:
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": b64url(raw)}


def _der(certificate_pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(certificate_pem).public_bytes(serialization.Encoding.DER)


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(passphrase.encode())

"""A signer whose key lies in a token (a smart card, an HSM) and never leaves it.

The token's maker gives a module, a shared library that speaks PKCS #11. It is loaded into this process, never into a
child that parses documents. All calls into one module are made one after the other: it is initialised without
promising that it may be called by several threads. Source: PKCS #11 v2.40, 6.7 and 11.4.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pdfops.errors import PdfError
from pdfops.signer import Certified

if TYPE_CHECKING:
    from pkcs11 import Session

_log = logging.getLogger("pdfops")

SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before the hash where the token signs blocks that it did not hash. Source: RFC 8017, 9.2, note 1."""

_TRIAL: Final = b"parapheur: does the certificate belong to the key?"


class KeyRefused(ValueError):
    """A key that cannot be used as it was named. The text says why and holds no secret.

    ``is_pin``: the token did not take the PIN, and counts how often it is tried.
    """

    def __init__(self, text: str, is_pin: bool = False) -> None:
        super().__init__(text)
        self.is_pin = is_pin


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Where a key lies. ``module``: the path of the token's library. ``token``: its label, or ``slot:`` and a number.
    ``key``: its label, or ``id:`` and hexadecimal digits; empty where the token holds but one. ``certificate``: the
    label of its certificate on the token; empty for the one that has the key's id."""

    module: str
    token: str
    key: str = ""
    pin: str = field(default="", repr=False)
    certificate: str = ""


class Pkcs11Signer(Certified):
    """RSA of at least 2,048 bits, or P-256. Safe to use from many threads, and after a fork.

    What it signs it checks against the certificate before it is given away. A session that was lost (the token was
    taken out, its service was started again) is opened anew, once for each signature. ``is_away``:
    the last one could not be made.
    """

    def __init__(self, where: TokenKey, chain_pem: bytes | None = None) -> None:
        """Signs something at once, to know that it can. ``chain_pem``: the certificates, the signer's own first; None
        where they lie on the token.

        Raises: KeyRefused.
        """
        self._where = where
        self._module = _loaded(where.module)
        self._life = -1
        self._key: Any = None
        self._mechanism: Any = None
        self._asks_again = False
        self._pin_was_refused = False
        self.is_away = False
        with self._module.lock, _told(where):
            try:
                session = self._open()
            except KeyRefused as refused:
                if refused.is_pin:
                    raise
                self._module.begin_again()  # many a module sees a token that came later only then
                session = self._open()
            given = _from_pem(chain_pem) if chain_pem is not None else self._on_token(session)
            try:
                super().__init__(given)
            except ValueError as error:
                raise KeyRefused(str(error)) from error
            self._certificate = given[0]
            try:
                self._checked(_TRIAL)
            except InvalidSignature as error:
                raise KeyRefused("the certificate does not belong to the key on the token") from error

    def sign(self, data: bytes) -> bytes:
        """Raises: PdfError key-unavailable, when the token does not sign now; it may later."""
        from pkcs11 import PKCS11Error

        with self._module.lock:
            self.is_away = False
            try:
                return self._signed_anew(data) if self._is_stale() else self._checked(data)
            except (PKCS11Error, InvalidSignature, KeyRefused) as lost:
                _log.warning("pdfops.pkcs11.lost: %s", type(lost).__name__)
            try:
                self._module.begin_again()
                return self._signed_anew(data)
            except (PKCS11Error, InvalidSignature, KeyRefused) as error:
                self.is_away = True
                why = error if isinstance(error, KeyRefused) else type(error).__name__
                _log.error("pdfops.pkcs11.unavailable: %s", why)
                raise PdfError("key-unavailable") from None

    def __repr__(self) -> str:
        return f"Pkcs11Signer({self._algorithm})"

    def _is_stale(self) -> bool:
        return self._module.is_forked or self._life != self._module.life

    def _signed_anew(self, data: bytes) -> bytes:
        with _told(self._where):
            self._open()
        return self._checked(data)

    def _open(self) -> Any:
        """Log in and find the key. Raises: KeyRefused, PKCS11Error."""
        if self._pin_was_refused:
            raise KeyRefused("the token refused this PIN before: it is not tried again", is_pin=True)
        self._life = self._module.ready()
        try:
            session = _session(self._module.library, self._where)
        except KeyRefused as refused:
            self._pin_was_refused = refused.is_pin
            raise
        self._key = _key(session, self._where.key)
        self._mechanism = None
        self._asks_again = _says(self._key, "ALWAYS_AUTHENTICATE")
        return session

    def _checked(self, data: bytes) -> bytes:
        """Raises: PKCS11Error, InvalidSignature where it is not what the certificate's key makes."""
        from pkcs11 import KeyType, Mechanism

        public = self._certificate.public_key()
        if isinstance(public, rsa.RSAPublicKey) is not (self._key.key_type is KeyType.RSA):
            raise InvalidSignature
        digest = hashlib.sha256(data).digest()
        more = {"pin": self._where.pin} if self._asks_again else {}
        if isinstance(public, rsa.RSAPublicKey):
            if self._mechanism is None:
                known = self._key.session.token.slot.get_mechanisms()
                hashes_itself = Mechanism.SHA256_RSA_PKCS in known
                self._mechanism = Mechanism.SHA256_RSA_PKCS if hashes_itself else Mechanism.RSA_PKCS
            block = data if self._mechanism is Mechanism.SHA256_RSA_PKCS else SHA256_PREFIX + digest
            signature = bytes(self._key.sign(block, mechanism=self._mechanism, **more))
            public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            return signature
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise InvalidSignature
        raw = bytes(self._key.sign(digest, mechanism=Mechanism.ECDSA, **more))
        half = len(raw) // 2
        signature = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        return signature

    def _on_token(self, session: Session) -> list[x509.Certificate]:
        """The key's certificate, then those on the token that lead on from it. Raises: KeyRefused."""
        from pkcs11 import Attribute, ObjectClass

        label, own = self._where.certificate, None
        others = []
        for one in list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})):
            try:
                certificate = x509.load_der_x509_certificate(one[Attribute.VALUE])
            except ValueError:
                continue  # somebody else's, that we do not have to understand
            is_own = one[Attribute.LABEL] == label if label else one[Attribute.ID] == self._key.id
            if is_own and own is None:
                own = certificate
            else:
                others.append(certificate)
        if own is None:
            named = f"certificate {label!r}" if label else "certificate for the key"
            raise KeyRefused(f"there is no {named} on the token {self._where.token!r}")
        chain = [own]
        while chain[-1].issuer != chain[-1].subject:
            above = [one for one in others if one.subject == chain[-1].issuer and one not in chain]
            if not above:
                break
            chain.append(above[0])
        return chain


class _Module:
    """A loaded module. ``life`` counts its beginnings: a handle of an earlier life means nothing, or another thing."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.life = 0
        self.is_forked = False
        self.library: Any = None

    def ready(self) -> int:
        """Its life. Raises: KeyRefused, PKCS11Error."""
        if self.library is None:
            self._load()
        elif self.is_forked:
            self.begin_again()
        return self.life

    def begin_again(self) -> None:
        """Every session of this process ends; tokens are looked for anew. Raises: PKCS11Error."""
        from pkcs11 import PKCS11Error

        if self.library is None:
            return
        self.life += 1
        self.is_forked = False
        with contextlib.suppress(PKCS11Error):
            self.library.finalize()
        self.library.initialize()

    def _load(self) -> None:
        import pkcs11

        try:
            self.library = pkcs11.lib(self.path)
        except pkcs11.PKCS11Error as error:
            raise KeyRefused(f"the module {self.path} cannot be loaded") from error


_modules: Final[dict[str, _Module]] = {}
_modules_lock = threading.Lock()


def _loaded(path: str) -> _Module:
    with _modules_lock:
        return _modules.setdefault(os.path.realpath(path) if os.sep in path else path, _Module(path))


def _after_fork() -> None:
    """A module that was initialised before a fork must be initialised again; a lock may be held by nobody."""
    global _modules_lock
    _modules_lock = threading.Lock()
    for module in _modules.values():
        module.lock = threading.RLock()
        module.is_forked = True


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def _told(where: TokenKey) -> Any:
    """What a token answers, in words. Raises: KeyRefused."""
    try:
        import pkcs11
    except ImportError as error:
        raise KeyRefused("keys on tokens need the extra parapheur[pkcs11] to be installed") from error
    try:
        yield
    except (pkcs11.NoSuchToken, pkcs11.TokenNotPresent, pkcs11.SlotIDInvalid) as error:
        raise KeyRefused(f"there is no token {where.token!r}") from error
    except pkcs11.MultipleTokensReturned as error:
        raise KeyRefused(f"there are several tokens {where.token!r}: name one by slot:NUMBER") from error
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
        raise KeyRefused(f"the token {where.token!r} does not take this PIN", is_pin=True) from error
    except pkcs11.PinLocked as error:
        raise KeyRefused(f"the token {where.token!r} is locked: a wrong PIN too often", is_pin=True) from error
    except pkcs11.PKCS11Error as error:
        raise KeyRefused(f"the token {where.token!r} cannot be used: {type(error).__name__}") from error


def _session(library: Any, where: TokenKey) -> Any:
    import pkcs11

    with _told(where):
        if where.token.startswith("slot:"):
            number = where.token.removeprefix("slot:")
            token = next((slot.get_token() for slot in library.get_slots() if str(slot.slot_id) == number), None)
            if token is None:
                raise pkcs11.NoSuchToken
        else:
            token = library.get_token(token_label=where.token)
        try:
            return token.open(user_pin=where.pin or None)
        except pkcs11.UserAlreadyLoggedIn:  # by another signer of this process
            return token.open()


def _key(session: Session, named: str) -> Any:
    from pkcs11 import Attribute, ObjectClass

    wanted: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if named.startswith("id:"):
        try:
            wanted[Attribute.ID] = bytes.fromhex(named.removeprefix("id:"))
        except ValueError as error:
            raise KeyRefused(f"{named!r} is no key's id: hexadecimal digits are") from error
    elif named:
        wanted[Attribute.LABEL] = named
    found = list(session.get_objects(wanted))
    if len(found) != 1:
        said = f"no key {named!r}" if named and not found else "no key" if not found else f"{len(found)} such keys"
        raise KeyRefused(f"there is {said} on the token {session.token.label!r}")
    if not hasattr(found[0], "sign"):
        raise KeyRefused(f"the key {named!r} may not be used to sign")
    return found[0]


def _says(key: Any, attribute: str) -> bool:
    from pkcs11 import Attribute, PKCS11Error

    try:
        return bool(key[getattr(Attribute, attribute)])
    except PKCS11Error:
        return False


def _from_pem(chain_pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain_pem)
    except ValueError as error:
        raise KeyRefused("there is no certificate in the file that was named") from error

"""Who attests the time of a seal and vouches for its certificates, and how far a document is to carry that with it.

An `Authority` reaches them; it belongs to the parent, which has a network and reads nothing of what comes. What comes
is read in a child.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from asn1crypto import x509

from pdfops.longterm import Need
from pdfops.paths import is_issued
from pdfops.verify import SealLevel

FIRST_TOKEN_BYTES: Final = 8_000
"""Room for a timestamp before one was seen. Measured tokens with their certificates: 1,500 to 7,000 bytes."""


SPARE_TOKEN_BYTES: Final = 512
"""Room beyond the largest that was seen: signatures and serial numbers differ in length."""


class Authority(Protocol):
    """Reaches timestamp authorities and the issuers of certificates. Safe to call from many threads.

    Both raise PdfError unreachable where nobody answers, in bounded time.
    """

    def stamp(self, request: bytes) -> bytes:
        """The answer (TimeStampResp) to a TimeStampReq, as it came."""
        ...

    def fetch(self, need: Need) -> bytes:
        """An OCSP response or a CRL, as it came."""
        ...


@dataclass(frozen=True, slots=True)
class Lasting:
    """``level``: what a sealed document is to reach; ``roots``: certificates (DER) that timestamps and our seals have
    to lead to."""

    level: SealLevel
    roots: tuple[bytes, ...]
    authority: Authority

    @property
    def with_store(self) -> bool:
        return self.level in ("b-lt", "b-lta")

    @property
    def with_archive_timestamp(self) -> bool:
        return self.level == "b-lta"

    def for_one_act(self) -> Lasting:
        """What was fetched for one document is not fetched again for the next. Not to be kept beyond the act: proofs
        have to be fresh."""
        return replace(self, authority=_Remembering(self.authority))

    def for_now(self) -> Lasting:
        """For a seal that others will follow: its own timestamp, and no store yet."""
        return replace(self, level="b-t")


class _Remembering:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._lock = threading.Lock()
        self._known: dict[str, bytes] = {}

    def stamp(self, request: bytes) -> bytes:
        return self._authority.stamp(request)

    def fetch(self, need: Need) -> bytes:
        with self._lock:
            found = self._known.get(need.key)
        if found is None:
            found = self._authority.fetch(need)
            with self._lock:
                self._known[need.key] = found
        return found


def is_self_issued(certificate: bytes) -> bool:
    """Whether the holder made the certificate himself, and nobody else vouches for it. DER."""
    own = x509.Certificate.load(certificate)
    return is_issued(own, own)


def with_own(roots: Iterable[bytes], certificate: bytes) -> tuple[bytes, ...]:
    """``roots``, and the organisation's certificate where it was issued by nobody else: that one is known by being
    known. One that an authority issued has to be shown to be good like any other. All DER."""
    return (*roots, certificate) if is_self_issued(certificate) else tuple(roots)

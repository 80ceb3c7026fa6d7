"""Who attests the time of a seal and vouches for its certificates, and how far a document is to carry that with it.

An `Authority` reaches them; it belongs to the parent, which has a network and reads nothing of what comes. What comes
is read in a child.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from asn1crypto import x509

from pdfops.errors import PdfError
from pdfops.levels import SealLevel
from pdfops.longterm import Need
from pdfops.paths import is_issued

FIRST_TOKEN_BYTES: Final = 8_000
"""Room for a timestamp before one was seen: several certificates come with it. What does not fit is drawn anew."""


SPARE_TOKEN_BYTES: Final = 512
"""Room beyond the largest that was seen: signatures and serial numbers differ in length."""

ACT_S, CALL_S = 20.0, 2.0
"""An answer may take two seconds, however many documents there are; what answers take beyond that, twenty together."""


class Authority(Protocol):
    """Reaches timestamp authorities and the issuers of certificates. Safe to call from many threads.

    Both raise PdfError unreachable where nobody answers, in bounded time.
    """

    def stamps(self, request: bytes) -> Iterator[bytes]:
        """The answers (TimeStampResp) to a TimeStampReq, as they came: the next authority is asked when one more is
        wanted. None came: unreachable."""
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

    def for_one_act(self, act_s: float = ACT_S, call_s: float = CALL_S) -> Lasting:
        """What was fetched for one document is not fetched again for the next. Nobody is asked any more once what the
        answers took beyond ``call_s`` each adds up to ``act_s``. Not to be kept beyond the act: proofs are fresh ones.
        """
        return replace(self, authority=_Remembering(self.authority, act_s, call_s))

    def for_now(self) -> Lasting:
        """For a seal that others will follow: its own timestamp, and no store yet."""
        return replace(self, level="b-t")


class _Remembering:
    """Remembers who did not answer too, and stops asking when the others were too slow: somebody waits for the act,
    and so do all who want to act on the flow after him."""

    def __init__(self, authority: Authority, act_s: float, call_s: float) -> None:
        self._authority = authority
        self._lock = threading.Lock()
        self._known: dict[str, bytes | None] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._left_s, self._call_s = act_s, call_s

    def stamps(self, request: bytes) -> Iterator[bytes]:
        answers = self._authority.stamps(request)
        while True:
            with self._timed("timestamp"):
                answer = next(answers, None)
            if answer is None:
                return
            yield answer

    def fetch(self, need: Need) -> bytes:
        with self._lock:
            asking = self._asking.setdefault(need.key, threading.Lock())
        with asking:  # whoever needs the same meanwhile waits for this answer
            return self._fetched(need)

    def _fetched(self, need: Need) -> bytes:
        if need.key not in self._known:
            found = None
            try:
                with self._timed(need.kind):
                    found = self._authority.fetch(need)
            except PdfError as error:
                if error.code != "unreachable":
                    raise
            self._known[need.key] = found
        known = self._known[need.key]
        if known is None:
            raise PdfError("unreachable", reason=need.kind)
        return known

    @contextmanager
    def _timed(self, asked: str) -> Iterator[None]:
        with self._lock:
            if self._left_s <= 0:
                raise PdfError("unreachable", reason=f"{asked}: too slow for the whole act")
        begun = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._left_s -= max(0.0, time.monotonic() - begun - self._call_s)


def is_self_issued(certificate: bytes) -> bool:
    """Whether the holder made the certificate himself, and nobody else vouches for it. DER."""
    own = x509.Certificate.load(certificate)
    return is_issued(own, own)


def with_own(roots: Iterable[bytes], certificate: bytes) -> tuple[bytes, ...]:
    """``roots``, and the organisation's certificate where it was issued by nobody else: that one is known by being
    known. One that an authority issued has to be shown to be good like any other. All DER."""
    return (*roots, certificate) if is_self_issued(certificate) else tuple(roots)

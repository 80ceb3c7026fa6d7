"""The check of a signed PDF that anybody may ask for: in a child of its own, one at a time, nothing kept.

Whoever signs is not kept waiting by strangers who check: the children that prepare and seal are others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pdfops.errors import PdfError
from pdfops.sandbox import Limits, Workshop
from pdfops.trust import Trust, trust_of, trust_of_each
from pdfops.verify import Verification
from plugin.actions.papers import unusable
from plugin.flow.errors import Unavailable

WAIT_S: Final = 20.0
"""For the child; then it is said that many documents are being worked on."""

PLACE_WAIT_S: Final = 3.0

AT_ONCE: Final = 4
"""Documents that are read and wait, or are being checked."""


@dataclass(frozen=True, slots=True)
class Checked:
    verification: Verification
    trust: Trust
    each: tuple[Trust, ...]
    """That of every signature, in their order."""


class Checker:
    """Safe to use from many threads; close it at the end. Its child is started by the first check."""

    def __init__(self, roots: Sequence[bytes]) -> None:
        """``roots``: the certificates that are trusted, in DER."""
        self.roots = tuple(roots)
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._workshop: Workshop | None = None
        self._closed = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the few that hold a document in memory at a time. Raises: Unavailable("workshop-busy")."""
        if not self._places.acquire(timeout=PLACE_WAIT_S):
            raise Unavailable("workshop-busy")
        try:
            yield
        finally:
            self._places.release()

    def check(self, data: bytes) -> Checked:
        """Raises: UnusableDocument for what cannot be read, Unavailable("workshop-busy")."""
        try:
            verification = self._opened().verify(data)
        except PdfError as error:
            raise unusable(error, "", "") from error
        each = tuple(trust_of_each(verification, self.roots))
        return Checked(verification, trust_of(verification, self.roots), each)

    def _opened(self) -> Workshop:
        with self._lock:
            if self._workshop is None:
                self._workshop = Workshop(children=1, limits=Limits(wait_s=WAIT_S))
                if self._closed:
                    self._workshop.close()
            return self._workshop

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._workshop is not None:
                self._workshop.close()

"""The check of a signed PDF that anybody may ask for: in a child of its own, one at a time, nothing kept.

Whoever signs is not kept waiting by strangers who check: the children that prepare and seal are others.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from pdfops.errors import PdfError
from pdfops.sandbox import Limits, Workshop
from pdfops.verify import Verification
from plugin.actions.papers import unusable

WAIT_S: Final = 5.0
"""For the child; then it is said that many documents are being worked on."""


class Checker:
    """Safe to use from many threads; close it at the end. Its child is started by the first check."""

    def __init__(self, roots: Sequence[bytes]) -> None:
        """``roots``: the certificates that are trusted, in DER."""
        self.roots = tuple(roots)
        self._lock = threading.Lock()
        self._workshop: Workshop | None = None
        self._closed = False

    def check(self, data: bytes) -> Verification:
        """Raises: UnusableDocument for what cannot be read, Unavailable("workshop-busy")."""
        try:
            return self._opened().verify(data)
        except PdfError as error:
            raise unusable(error, "", "") from error

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

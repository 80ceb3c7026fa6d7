"""The same files on a host that may ignore conditions: rclone's server, say, and many a small one, answer 2xx to a PUT
that they should have refused, and what was there is gone.

Whether a host heeds them is found out once, before the first write that has one: by a PUT that every host that does
must refuse. Where it ignores them, or that is not known yet, it is asked what is there before anything is written.
Between the two somebody else may write: for our own files the leases see to that, for a signed copy nobody does.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

import structlog

from plugin.adapters.dav import DavFiles
from plugin.adapters.dav_calls import bare_etag
from plugin.flow.errors import Unavailable
from plugin.ports_files import PreconditionFailed, Written
from plugin.ports_health import Finding

PROBE: Final = ".parapheur-probe-"
_AGAIN_AFTER_S: Final = 60.0
_log = structlog.get_logger()
IGNORES: Final = Finding(
    "host-ignores-conditions",
    "the platform ignores If-Match and If-None-Match, so each write is preceded by a look, and what somebody else "
    "writes in the very same moment can be lost: use a platform that heeds them",
)


class CarefulFiles(DavFiles):
    """``plugin.ports_files.Files``. One call a process on a host that heeds conditions, one a write on another."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._lock = threading.Lock()
        self._heeds: bool | None = None
        self._asked_at = -_AGAIN_AFTER_S

    def finding(self) -> Finding | None:
        return IGNORES if self._heeds is False else None

    def write(
        self,
        user: str,
        path: str,
        data: bytes,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        make_folders: bool = False,
    ) -> Written:
        if (if_match is not None or only_new) and not self._are_heeded(user):
            self._look(user, path, if_match)
        return super().write(user, path, data, if_match=if_match, only_new=only_new, make_folders=make_folders)

    def write_stream(self, user: str, path: str, pieces: Iterable[bytes], size_bytes: int) -> Written:
        if not self._are_heeded(user):
            self._look(user, path, None)
        return super().write_stream(user, path, pieces, size_bytes)

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        if if_match is not None:  # a host that heeds it of a PUT may not do so here
            self._look(user, path, if_match)
        super().delete(user, path, if_match=if_match)

    def _look(self, user: str, path: str, if_match: str | None) -> None:
        """What the host should have seen to. Raises: PreconditionFailed, Unavailable."""
        there = self.stat(user, path)
        if there is not None and (if_match is None or bare_etag(there.etag) != bare_etag(if_match)):
            raise PreconditionFailed
        if there is None and if_match is not None:
            raise PreconditionFailed

    def _are_heeded(self, user: str) -> bool:
        """Also false while nobody knows."""
        if self._heeds is None:
            with self._lock:
                if self._heeds is None and time.monotonic() - self._asked_at >= _AGAIN_AFTER_S:
                    self._asked_at = time.monotonic()
                    self._heeds = self._ask(user)
        return self._heeds is True

    def _ask(self, user: str) -> bool | None:
        """A file that is not there is written only if it is some other: nothing comes of that on most hosts. Some heed
        conditions for what is there alone, so then that is tried."""
        path = f"{PROBE}{secrets.token_hex(6)}"
        try:
            if self._refuses(user, path, if_match="parapheur"):
                return True
            heeds = self._refuses(user, path, if_match="parapheur") and self._refuses(user, path, only_new=True)
            self.delete(user, path)
        except Unavailable:
            return None
        if not heeds:
            _log.warning("host.ignores_conditions")
        return heeds

    def _refuses(self, user: str, path: str, *, if_match: str | None = None, only_new: bool = False) -> bool:
        try:
            super().write(user, path, b"", if_match=if_match, only_new=only_new)
        except PreconditionFailed:
            return True
        return False

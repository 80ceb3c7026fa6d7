"""The port ``Accounts``: the id of a user's home folder tells his account from a later one of the same login.

Nothing else does: the host gives the same login, storage and time stamps again to whoever is made anew, and tells
apps neither that a user was deleted nor that one was made. A home's id survives being disabled, renamed and moved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from plugin.flow.errors import AccountOut, HostUnavailable
from plugin.ports import Account
from plugin.ports_files import Files

KEPT_FOR_S: Final = 60.0
KEPT_AT_MOST: Final = 20_000


class Registry(Protocol):
    def account(self, uid: str) -> Account: ...


class HomeAccounts:
    def __init__(
        self,
        registry: Registry,
        files: Files,
        kept_for_s: float = KEPT_FOR_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._files = files
        self._kept_for_s = min(KEPT_FOR_S, kept_for_s)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ids: dict[str, tuple[float, str]] = {}
        self._states: dict[str, tuple[float, Account]] = {}

    def id(self, uid: str, *, fresh: bool = False) -> str | None:
        """The host makes the home of somebody who never opened his files. While it does not answer, what was known
        last still holds: lists and pages can be read then."""
        with self._lock:
            at, kept = self._ids.get(uid, (0.0, ""))
        if kept and not fresh and self._monotonic() - at < self._kept_for_s:
            return kept
        try:
            home = self._files.stat(uid, "")
        except AccountOut:
            home = None
        except HostUnavailable:
            if kept and not fresh:
                return kept
            raise
        if home is None and self._registry.account(uid) is not Account.GONE:
            raise HostUnavailable
        with self._lock:
            if len(self._ids) >= KEPT_AT_MOST:
                self._ids.clear()
            self._ids.pop(uid, None)
            if home is not None:
                self._ids[uid] = (self._monotonic(), home.file_id)
        return home.file_id if home is not None else None

    def state(self, uid: str, known_id: str | None) -> Account:
        with self._lock:
            at, kept = self._states.get(uid, (0.0, Account.GONE))
        if kept is not Account.ACTIVE or self._monotonic() - at >= self._kept_for_s:
            kept = self._registry.account(uid)
            with self._lock:
                if len(self._states) >= KEPT_AT_MOST:
                    self._states.clear()
                self._states[uid] = (self._monotonic(), kept)
        if kept is Account.GONE or known_id is None or self.id(uid) == known_id:
            return kept
        return Account.GONE

"""Which version of this app the host has on record.

The host says it in every call (EX-APP-VERSION) and offers no route that an app could ask. It silently takes over a
higher version that an app names, and then refuses the update that would have registered the new routes. So the host
is told what it told us last, also across a restart with a newer version. Source: AppAPI,
``AppAPIService::handleExAppVersionChange``, ``Command/ExApp/Update``; the same in 32 and 34.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Final

from plugin.ports_health import Finding

_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}")


class Registration:
    """``path``: where the recorded version is kept; its folder exists."""

    def __init__(self, path: Path, ours: str) -> None:
        self._path = path
        self._ours = ours
        self._lock = threading.Lock()
        self._recorded = _kept(path)

    def heard(self, version: str) -> None:
        """From a call whose secret was right."""
        if version == self._recorded or not _VERSION.fullmatch(version):
            return
        with self._lock:
            self._recorded = version
            fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            fresh.write_text(version)
            fresh.replace(self._path)

    def to_send(self) -> str:
        return self._recorded or self._ours

    def problem(self) -> Finding | None:
        recorded, ours = self._recorded, self._ours
        if recorded is None or recorded == ours:
            return None
        told = f"the platform has version {recorded} of this app on record, and this is {ours}"
        if _numbers(recorded) > _numbers(ours):
            return Finding("version-behind", f"{told}: start version {recorded}")
        return Finding(
            "version-ahead",
            f"{told}: register it with occ app_api:app:update parapheur --info-xml <the manifest of this version>",
        )


def _kept(path: Path) -> str | None:
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        return None
    return kept if _VERSION.fullmatch(kept) else None


def _numbers(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Ordered as the host orders them, for numbers with an ending or without."""
    numbers, _, ending = version.partition("-")
    return tuple(int(part) for part in re.findall(r"[0-9]+", numbers)), not ending, ending

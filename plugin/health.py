"""The health page: what works, what does not, and what an operator can do. docs/health.md has a row for each code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from plugin.patience import at_most
from plugin.ports_health import Finding, HostFindings
from plugin.ports_state import Progress
from plugin.web.schemas import Check

ANSWER_WITHIN_S = 2.0

COMPANION = {
    "missing": Finding(
        "companion-missing",
        "the companion app is not enabled on the platform: files have no panel, and mails go by SMTP; "
        "occ app:enable parapheur_companion",
    ),
    "older": Finding(
        "companion-older", "the companion app is too old to be asked for anything: put this version's in its place"
    ),
    "broken": Finding("companion-broken", "the companion app answers with errors: see the platform's log"),
    "unknown": Finding("companion-unknown", "the companion app could not be asked yet"),
}
INDEX = Finding("index-missing", "the index is missing: it is rebuilt by itself")
KEYS = Finding("keys-not-exported", "there is no protected backup of the keys: parapheur keys export FILE")


class IndexState(Protocol):
    """Whether lists and links can be looked up; else how far the rebuild is."""

    def is_missing(self) -> bool: ...
    def progress(self) -> Progress | None: ...


def index_finding(index: IndexState) -> Finding | None:
    if not index.is_missing():
        return None
    progress = index.progress()
    if progress is None:
        return INDEX
    return Finding("index-rebuilding", f"rebuilding: {progress.done:,} of {progress.total:,} flows")


@dataclass
class Health:
    """Answers within ``ANSWER_WITHIN_S``, whatever the host does. ``waits``: the start is finished only when the host
    has worked once.
    """

    host: Callable[[], HostFindings]
    index: IndexState
    keys_are_exported: Callable[[], bool]
    companion: Callable[[], str]
    mail: Callable[[], Finding | None]
    troubled_flows: Callable[[], int]
    seal: Callable[[], Finding | None]
    conditions: Callable[[], Finding | None]
    waits: bool

    def checks(self) -> list[Check] | None:
        """None before the start is finished."""
        with at_most(ANSWER_WITHIN_S):
            found = self.host()
            self.waits = self.waits and found.is_out
            if self.waits:
                return None
            return [
                _check("host", found.host),
                _check("secret", found.secret),
                _check("version", found.version),
                _check("clock", found.clock),
                _check("index", index_finding(self.index)),
                _check("conditions", self.conditions()),
                _check("keys-exported", None if self.keys_are_exported() else KEYS),
                # a host that is out says nothing of its apps
                _check("seal", self.seal()),
                _check("companion", None if found.is_out else COMPANION.get(self.companion())),
                _check("mail", None if found.is_out else self.mail()),
                _check("flows", _flows(self.troubled_flows())),
            ]


def _flows(troubled: int) -> Finding | None:
    return Finding("flows-need-a-hand", f"{troubled} need a hand: parapheur troubles") if troubled else None


def _check(name: str, found: Finding | None) -> Check:
    is_ok = found is None or found.is_warning
    return Check(name=name, state="ok" if is_ok else "degraded", reason=None if found is None else str(found))

"""How far a launch is: left as word on its claim, so that whoever asks, at whichever process, is told.

Several GB are hashed in seconds or in minutes, by the host's speed. Meanwhile the claim that keeps its twin out, and
the note by which a crash is cleaned up, are kept from running out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from plugin.actions.context import Context
from plugin.flow.errors import HostBusy
from plugin.runtime import runtime

CLAIM_TTL_S: Final = 60
"""How long a launch with an Idempotency-Key keeps out its twin, should this process die."""
TELL_EVERY_S: Final = 1.0
SLOWEST_BYTES_S: Final = 10_000_000
"""While the host copies, nothing is heard of it."""


def claim_of(request_key: str) -> str:
    return f"launch:{request_key}"


@dataclass(frozen=True, slots=True)
class Progress:
    """``state``: unknown, running, done. Bytes are None where nothing was told of them."""

    state: str
    done_bytes: int | None = None
    total_bytes: int | None = None
    flow_id: str | None = None


class Telling:
    """Is told of every piece, and tells at most once a second, and when it is asked whether it is alone."""

    def __init__(self, ctx: Context, user: str, flow_id: str, request_key: str | None, total_bytes: int) -> None:
        self._ctx = ctx
        self._user = user
        self._flow_id = flow_id
        self._request_key = request_key
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._told_at = runtime().monotonic()

    def __call__(self, came: int) -> None:
        self._done_bytes += came
        if runtime().monotonic() - self._told_at >= TELL_EVERY_S:
            self._tell(0)

    def copying(self, size_bytes: int) -> None:
        """From now on the host is at work for itself."""
        self._tell(size_bytes // SLOWEST_BYTES_S)

    def check_alone(self) -> None:
        """Raises: HostBusy still-launching, where it took so long, or a clock was set so far, that its twin is at
        work, or done: there would be two flows; or stood still for so long that what it had made was removed."""
        if not self._tell(0):
            raise HostBusy("still-launching")

    def _tell(self, longer_s: int) -> bool:
        """Returns: whether it is still this launch's turn."""
        now = self._ctx.clock()
        is_mine = self._ctx.vault.prolong_launch(self._flow_id, now)
        if self._request_key is not None:
            word = json.dumps([min(self._done_bytes, self._total_bytes), self._total_bytes])
            claim = claim_of(self._request_key)
            is_mine = self._ctx.vault.prolong(self._user, claim, now, CLAIM_TTL_S + longer_s, word) and is_mine
        self._told_at = runtime().monotonic()
        return is_mine


def progress(ctx: Context, user: str, request_key: str) -> Progress:
    """Of the launch that this user asked for with that (hashed) key. Raises: IndexMissing."""
    flow_id = ctx.index.flow_of_request(user, request_key)
    if flow_id is not None:
        return Progress("done", flow_id=flow_id)
    word = ctx.vault.word(user, claim_of(request_key), ctx.clock())
    if word is None:
        return Progress("unknown")
    if not word:
        return Progress("running")
    done_bytes, total_bytes = json.loads(word)
    return Progress("running", done_bytes, total_bytes)

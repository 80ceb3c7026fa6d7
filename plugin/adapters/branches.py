"""Which of two histories of one flow counts, and what becomes of the other: never lost, never silently put right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from plugin.adapters.chain import Chain, PublicKeys, UnknownFormat, UnknownKey, verified
from plugin.adapters.host_copy import HostCopy
from plugin.adapters.reader import Reader
from plugin.adapters.vault import Anchor, SqlVault
from plugin.adapters.vouching import Vouches
from plugin.ports_state import (
    DAMAGED,
    NEWER,
    QUARANTINED,
    RESTORED,
    UNKNOWN_KEY,
    ChainBroken,
    StatePlace,
)

_log = structlog.get_logger()


def rank(chain: Chain) -> tuple[int, int, str]:
    """Of two branches the one with the higher fence counts, then the longer one, then always the same one."""
    return chain.fence, chain.length, chain.head


def check_anchor(chain: Chain, anchor: Anchor) -> None:
    """Raises: ChainBroken, where the line that the vault acknowledged is not in it."""
    if not chain.holds(anchor.head, anchor.length):
        raise ChainBroken("rolled-back" if chain.length < anchor.length else "forked")


def _check_rank(chain: Chain, mine: Chain) -> None:
    """Raises: ChainBroken, where ``mine`` counts and not ``chain``."""
    if rank(mine) > rank(chain):
        raise ChainBroken("rolled-back" if mine.holds(chain.head, chain.length) else "forked")


class Judge:
    """What lies on the host against what is known of it. Whatever loses is kept in quarantine, and told to those who
    look after this server."""

    def __init__(
        self,
        host: HostCopy,
        vault: SqlVault,
        public_keys: PublicKeys,
        reader: Reader,
        clock: Callable[[], datetime],
        vouches: Vouches,
    ) -> None:
        self._host = host
        self._reader = reader
        self._vault = vault
        self._public_keys = public_keys
        self._clock = clock
        self._vouches = vouches

    def judged(
        self,
        flow_id: str,
        data: bytes,
        place: StatePlace,
        anchor: Anchor | None,
        mine: Chain | None,
        known: Chain | None,
    ) -> Chain:
        """The host's chain, if it is the one that counts: it holds the vault's head, and ``mine``, the proven copy,
        does not outrank it. ``known``: what it may begin with and was verified before.

        Raises: ChainBroken, with the host's bytes in quarantine; UnknownFormat, where one of the two is a newer
        version's: then nothing was touched; UnknownKey, likewise; Unavailable, where they cannot be kept.
        """
        chain: Chain | None = None
        try:
            chain = verified(data, self._public_keys, flow_id, known)
            if anchor is not None:
                check_anchor(chain, anchor)
            if mine is not None:
                _check_rank(chain, mine)
        except ChainBroken as error:
            if error.reason == UnknownKey.code and self._vouches(data):
                self._unknown_key(flow_id)
                raise UnknownKey(UnknownKey.code) from error
            if any(one is not None and self._reader.is_newer(one) for one in (chain, mine)):
                self.not_restored(flow_id, error.reason)
                raise UnknownFormat(error.reason) from error
            self._quarantine(flow_id, place, data, error.reason)
            raise
        if mine is not None and not chain.holds(mine.head, mine.length):
            self._quarantine(flow_id, place, mine.log, "forked")
        if any(trouble.reason == UNKNOWN_KEY for trouble in self._vault.troubles(flow_id)):
            self._vault.end_trouble(flow_id, UNKNOWN_KEY, "")
        return chain

    def _unknown_key(self, flow_id: str) -> None:
        _log.error("state.unknown_key", flow_id=flow_id)
        self._vault.note_trouble(flow_id, UNKNOWN_KEY, "", self._clock())

    def newer(self, flow_id: str) -> None:
        _log.warning("flow.newer", flow_id=flow_id)
        self._vault.note_trouble(flow_id, NEWER, "", self._clock())

    def understood(self, flow_id: str) -> None:
        self._vault.end_trouble(flow_id, NEWER, "")

    def restored(self, flow_id: str, reason: str) -> None:
        _log.warning("state.restored", flow_id=flow_id, reason=reason)
        self._vault.note_trouble(flow_id, RESTORED, "", self._clock())

    def not_restored(self, flow_id: str, reason: str) -> None:
        _log.error("state.not_restored", flow_id=flow_id, reason=reason)
        self._vault.note_trouble(flow_id, DAMAGED, "", self._clock())

    def _quarantine(self, flow_id: str, place: StatePlace, data: bytes, reason: str) -> None:
        kept_as = self._host.quarantine(place, data)
        _log.error("state.quarantined", flow_id=flow_id, reason=reason, name=kept_as)
        self._vault.note_trouble(flow_id, QUARANTINED, "", self._clock())

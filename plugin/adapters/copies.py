"""What the index keeps of a flow, read, and held against what the vault acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from plugin.adapters.branches import rank
from plugin.adapters.chain import UnknownFormat
from plugin.adapters.index import Copy
from plugin.adapters.reader import Read, Reader
from plugin.adapters.salts import SaltKeeper
from plugin.adapters.vault import Anchor, SqlVault
from plugin.ports_state import ChainBroken

_log = structlog.get_logger()


class Copies:
    """Nothing of a copy is trusted before it was read here."""

    def __init__(self, vault: SqlVault, reader: Reader, salts: SaltKeeper) -> None:
        self._vault = vault
        self._reader = reader
        self._salts = salts

    def verified(self, copy: Copy, anchor: Anchor) -> Read | None:
        salts = self._vault.salts(copy.flow_id)
        kept = self._reader.kept(copy.flow_id, copy.head, salts, copy.place)
        if kept is not None:
            self._salts.drop_erased(kept, salts)
            return kept
        try:
            read = self._reader.read(copy.flow_id, copy.log, salts, copy.place)
        except UnknownFormat:
            raise
        except ChainBroken as error:
            _log.warning("index.copy_broken", flow_id=copy.flow_id, reason=error.reason)
            return None
        if read.chain.head != anchor.head:
            return None
        self._salts.drop_erased(read, salts)
        self._reader.keep(read)
        return read

    def proven(self, copy: Copy | None, anchor: Anchor | None) -> Read | None:
        """The index's copy, where it is a whole chain that holds the vault's head: it may go on from there, where an
        older vault was put back. Nothing of it is current before the host was asked."""
        if copy is None:
            return None
        try:
            read = self._reader.read(copy.flow_id, copy.log, self._vault.salts(copy.flow_id), copy.place)
        except ChainBroken:
            return None
        return read if anchor is None or read.chain.holds(anchor.head, anchor.length) else None

    def best(self, kept: Sequence[Copy], anchor: Anchor | None) -> Copy | None:
        whole = [(copy, read) for copy in kept if (read := self.proven(copy, anchor)) is not None]
        return max(whole, key=lambda pair: rank(pair[1].chain))[0] if whole else None

"""What is on the host is known here from now on: head and salts in the vault, rows in the index, together."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from sqlalchemy.engine import Connection

from plugin.adapters.branches import Judge
from plugin.adapters.host_copy import Stored
from plugin.adapters.index import SqlIndex
from plugin.adapters.reader import Read, Reader
from plugin.adapters.salts import SaltKeeper
from plugin.adapters.sql import Database
from plugin.adapters.vault import Anchor, SqlVault
from plugin.failpoints import reach
from plugin.flow.errors import IndexMissing
from plugin.ports_state import ChainMoved

_log = structlog.get_logger()


class Acknowledge:
    """Raises: ChainMoved, where the vault knows of lines that are not in it."""

    def __init__(
        self, database: Database, vault: SqlVault, index: SqlIndex, reader: Reader, salts: SaltKeeper, judge: Judge
    ) -> None:
        self._database = database
        self._vault = vault
        self._index = index
        self._reader = reader
        self._salts = salts
        self._judge = judge

    def __call__(self, read: Read, stored: Stored, new_salts: Mapping[str, bytes]) -> None:
        loaded, chain = read.loaded, read.chain
        flow_id = loaded.flow.id
        try:
            with self._database.both_writing() as (vault, index):
                is_forgotten = self._move_on(vault, read, stored, new_salts)
                self._index.put(index, loaded, chain.log, stored.etag)
            self._reader.keep(read)
            reach("index-updated")
        except IndexMissing:
            _log.warning("index.missing_at_commit", flow_id=flow_id)
            with self._database.vault_writing() as vault:
                is_forgotten = self._move_on(vault, read, stored, new_salts)
        if is_forgotten:
            self._salts.forgotten()
        if loaded.is_newer:
            self._judge.newer(flow_id)

    def _move_on(self, vault: Connection, read: Read, stored: Stored, new_salts: Mapping[str, bytes]) -> bool:
        """The vault's head moves on along a chain, never off it: whoever came too late, his lease long gone, finds
        another head there and has to look again. Raises: ChainMoved. Returns: whether an erased salt was dropped."""
        flow_id, chain = read.chain.flow_id, read.chain
        current = self._vault.anchor_for_update(vault, flow_id)
        if current is not None and not chain.holds(current.head, current.length):
            raise ChainMoved
        is_forgotten = self._vault.forget_salts(vault, flow_id, chain.erased) if chain.erased else False
        self._vault.put_salts(vault, flow_id, new_salts)
        place, file_id = read.loaded.place, stored.file_id
        self._vault.put_anchor(vault, Anchor(flow_id, chain.head, chain.length, chain.fence, place, file_id))
        return is_forgotten

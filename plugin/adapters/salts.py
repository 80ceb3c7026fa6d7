"""The salts of a flow's persons: in the vault, wrapped beside the chain, and nowhere of whoever was erased."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from functools import partial

import structlog

from plugin.adapters.chain import Chain, UnknownFormat
from plugin.adapters.host_copy import HostCopy
from plugin.adapters.keys import Keys
from plugin.adapters.personal import Salts, commitment, is_newer, persons_beside, unwrap_salts, wrap_salts
from plugin.adapters.reader import Read, Reader
from plugin.adapters.sql import Database
from plugin.adapters.vault import Anchor, SqlVault
from plugin.flow.errors import Conflict, Unavailable
from plugin.flow.model import CREATOR
from plugin.ports_state import ERASING, ChainMoved, StatePlace

_SEEN = 50_000
_log = structlog.get_logger()


class SaltKeeper:
    """Promise: a salt is believed only where the chain commits to it, and never again once its person was erased."""

    def __init__(
        self,
        host: HostCopy,
        database: Database,
        vault: SqlVault,
        keys: Keys,
        reader: Reader,
        clock: Callable[[], datetime],
        drop_cached: Callable[[str], object],
        check_held: Callable[[str], None],
    ) -> None:
        """``drop_cached``: takes a file out of the local cache, by its SHA-256. ``check_held``: that the caller still
        holds that flow's lease."""
        self._check_held = check_held
        self._drop_cached = drop_cached
        self._host = host
        self._database = database
        self._vault = vault
        self._keys = keys
        self._reader = reader
        self._clock = clock
        self._seen: dict[str, str] = {}
        """flow -> ETag of a ``salts.json`` that was read and right."""

    # ---- beside the chain -------------------------------------------------------------------------------------------
    def are_right(self, flow_id: str, etag: str) -> bool:
        """The very file that was read before."""
        return self._seen.get(flow_id) == etag

    def saw(self, flow_id: str, etag: str) -> None:
        if len(self._seen) >= _SEEN:
            self._seen.clear()
        self._seen[flow_id] = etag

    def doubt(self, flow_id: str) -> None:
        self._seen.pop(flow_id, None)

    def late(
        self, chain: Chain, anchor: Anchor | None, place: StatePlace, known: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Of persons who came in after the acknowledged head: their salts never reached the vault. No others, or
        an old file could bring back what the vault was rid of; but all of them, where the vault lost every one.
        """
        promised = {p: said for p, said in chain.commitments.items() if p not in chain.erased}
        acknowledged = anchor.length if anchor is not None else 0
        late: Set[str] = {person for line in chain.lines[acknowledged:] for person in line.data.get("salts", {})}
        if not known and anchor is not None and promised:
            _log.warning("salts.missing", flow_id=chain.flow_id)
            late = promised.keys()
        late = {p for p in late & promised.keys() if p not in known or promised[p] != commitment(known[p])}
        if not late:
            return {}
        beside = unwrap_salts(self._keys, chain.flow_id, self._host.salts(place) or b"")
        return {p: salt for p, salt in beside.items() if p in late and promised.get(p) == commitment(salt)}

    def bring_in(self, flow_id: str, place: StatePlace, known: Salts, new: Salts) -> None:
        """Before a line that brings persons in is sent. It may arrive though nobody is told so: the next try brings
        them in with the same salts, since what the line promised would else be lost with the first ones.

        Raises: ChainMoved, where another try was quicker; Conflict flow-newer; Unavailable.
        """
        if not new:
            return
        with self._database.vault_writing() as vault:
            held = self._vault.hold_salts(vault, flow_id, new)
        if held != new:
            raise ChainMoved
        if not self.put(flow_id, place, {**known, **new}):
            raise Conflict("flow-newer")

    def check_beside(self, read: Read) -> bool:
        """A missing or altered ``salts.json`` is reported and made again from the vault; where the vault lost every
        salt, what lies there stays. Of whoever was erased nothing does. Of a newer version's nothing is touched.

        Returns: whether nothing of the erased is there any more; false where a newer version knows better.
        """
        if read.loaded.is_newer:
            return False
        flow_id, place, erased = read.loaded.flow.id, read.loaded.place, read.chain.erased
        data = self._host.salts(place)
        if is_newer(data):
            return False
        beside = unwrap_salts(self._keys, flow_id, data or b"")
        wanted = read.salts or {person: salt for person, salt in beside.items() if person not in erased}
        if persons_beside(data) & erased:
            _log.warning("salts.erased", flow_id=flow_id)
        elif not read.salts or (data is not None and beside == dict(read.salts)):
            return True
        else:
            _log.warning("salts.restored", flow_id=flow_id)
        self.doubt(flow_id)
        return self.put(flow_id, place, wanted)

    def put(self, flow_id: str, place: StatePlace, salts: Salts) -> bool:
        """As `HostCopy.put_salts`: never by one whose lease is over, since somebody may have been erased meanwhile."""
        return self._host.put_salts(place, wrap_salts(self._keys, flow_id, salts), partial(self._check_held, flow_id))

    def came_back(self, read: Read) -> bool:
        """Something of an erased person lies beside the chain again, as out of the host's versions or trash."""
        return bool(persons_beside(self._host.salts(read.loaded.place)) & read.chain.erased)

    # ---- erasing ----------------------------------------------------------------------------------------------------
    def forget_beside(self, read: Read) -> None:
        """The line is written and the vault has forgotten: what lies beside the chain can wait for the sweep."""
        try:
            self.finish_erasing(read)
        except (Unavailable, UnknownFormat) as error:
            _log.warning("salts.erased_later", flow_id=read.chain.flow_id, reason=error.code)

    def finish_erasing(self, read: Read) -> None:
        """Raises: UnknownFormat, where a newer version wrote what lies beside the chain: who was erased may be in it,
        and only such a version can tell; Unavailable."""
        if not self.check_beside(read) and read.chain.erased:
            raise UnknownFormat(UnknownFormat.code)
        self.finish_here(read)

    def finish_here(self, read: Read) -> None:
        """In this server's own copies."""
        self._forget_names(read)
        self.end_erasing(read.chain.flow_id)

    def _forget_names(self, read: Read) -> None:
        """Where results were about to be put and what originals were called are the creator's; records of evidence,
        made and not laid down yet, or laid down by an earlier version, tell of everybody."""
        flow_id = read.chain.flow_id
        self.drop_records(read)
        if CREATOR in read.chain.erased:
            self._vault.forget_layings(flow_id)
            self._vault.forget_seen(flow_id)
            self._database.scrub()

    def drop_names(self, read: Read) -> None:
        """What a process that stood still while somebody was erased noted since."""
        flow_id = read.chain.flow_id
        if CREATOR in read.chain.erased and (self._vault.layings(flow_id) or self._vault.seen(flow_id)):
            self._forget_names(read)
        else:
            self.drop_records(read)

    def drop_records(self, read: Read) -> None:
        """Out of this replica's cache."""
        for one in self._vault.layings(read.chain.flow_id):
            self._drop_cached(one.sha256)
        if read.loaded.flow.evidence is not None:
            self._drop_cached(read.loaded.flow.evidence.sha256)

    def note_erasing(self, flow_id: str, persons: Set[str]) -> None:
        """Until it is known that nothing of them is anywhere."""
        for person in sorted(persons):
            self._vault.note_trouble(flow_id, ERASING, person, self._clock())

    def drop_erased(self, read: Read, salts: Mapping[str, bytes]) -> None:
        """A salt that came back to the vault, with a backup, of somebody whom the chain calls erased."""
        again = read.chain.erased & salts.keys()
        if not again:
            return
        self.note_erasing(read.chain.flow_id, again)
        with self._database.vault_writing() as vault:
            self._vault.forget_salts(vault, read.chain.flow_id, again)
        self.forgotten()

    def end_erasing(self, flow_id: str) -> None:
        for trouble in self._vault.troubles(flow_id):
            if trouble.reason == ERASING:
                self._vault.end_trouble(flow_id, ERASING, trouble.person)

    def forgotten(self) -> None:
        """A salt was dropped from the vault: nothing of it is left in memory, nor in the database's files."""
        self._reader.forget_keys()
        self._database.scrub()

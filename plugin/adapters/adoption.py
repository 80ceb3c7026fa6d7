"""State files taken into the index, many at a time: what a rebuild asks of vault, chain and index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from plugin.adapters.branches import rank
from plugin.adapters.chain import UnknownFormat
from plugin.adapters.host_copy import HostCopy
from plugin.adapters.index import Copy, Row, SqlIndex
from plugin.adapters.keys import Keys
from plugin.adapters.personal import Curtain, unwrap_salts
from plugin.adapters.reader import Read, Reader
from plugin.adapters.refill import Refill, digest
from plugin.adapters.sql import Database
from plugin.adapters.store import Store
from plugin.adapters.vault import Anchor, SqlVault
from plugin.flow.errors import HostMaintenance, HostRefuses, HostSlow, Unavailable
from plugin.flow.model import CREATOR
from plugin.ports_files import Files
from plugin.ports_state import ChainBroken, Progress, StatePlace

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One verified state file. ``salts``: the vault's, or, where ``beside``, those that lie beside it, since the vault
    has none. ``is_plain``: it ends where the vault says, or the vault knows nothing of it, no salt is to go, no newer
    version had its hand in it, and no copy from before the rebuild ends with a line that is not in it."""

    read: Read
    etag: str
    file_id: str
    salts: Mapping[str, bytes]
    beside: bool
    is_plain: bool

    @property
    def flow_id(self) -> str:
        return self.read.chain.flow_id

    @property
    def place(self) -> StatePlace:
        return self.read.loaded.place

    @property
    def rank(self) -> tuple[int, int, str]:
        return rank(self.read.chain)

    @property
    def creator(self) -> str | None:
        """None once he was erased."""
        return self.read.loaded.flow.creator.user.value

    @property
    def has_erased_its_creator(self) -> bool:
        return CREATOR in self.read.chain.erased


class Adoption:
    """``plugin.actions.adopter.Adopter``."""

    def __init__(
        self,
        files: Files,
        database: Database,
        keys: Keys,
        vault: SqlVault,
        index: SqlIndex,
        refill: Refill,
        store: Store,
    ) -> None:
        self.host = HostCopy(files)
        self.database = database
        self.keys = keys
        self.vault = vault
        self.index = index
        self.refill = refill
        self.store = store

        self._unanchored = 0

    def count_unanchored(self, flows: int) -> None:
        """The vault knew nothing of these: that their files are the latest ones is not proven."""
        self._unanchored += flows

    def begin_rebuild(self) -> bool:
        self._unanchored = 0
        return self.refill.begin()

    def note_progress(self, progress: Progress | None) -> None:
        self.refill.note(progress)

    def leave_rebuild(self) -> None:
        self.refill.leave()

    def end_rebuild(self) -> None:
        self.refill.ready()
        if self._unanchored:
            _log.warning("rebuild.unanchored", flows=self._unanchored)

    def acknowledged(self) -> Mapping[str, StatePlace]:
        """Every flow that the vault knows, and where its state file lay."""
        return {anchor.flow_id: anchor.place for anchor in self.vault.anchors()}

    def batch(self, flow_ids: Sequence[str]) -> Batch:
        return Batch(self, flow_ids)

    def restore(self, flow_id: str) -> bool:
        kept = self.refill.kept(flow_id)
        if not kept:
            return False
        self.store.restore(flow_id, kept)
        return True


class Batch:
    """What the vault says of some flows, asked once. ``is_taken`` and ``read`` may be called from any thread."""

    def __init__(self, own: Adoption, flow_ids: Sequence[str]) -> None:
        self._own = own
        self._flow_ids = flow_ids
        self._reader = Reader(own.keys.public_keys, Curtain(own.keys))
        self._anchors = own.vault.anchors_of(flow_ids)
        self._salts = own.vault.salts_of(flow_ids)
        self._taken = own.refill.taken(flow_ids)
        self._kept = own.refill.kept_heads(flow_ids)

    def is_taken(self, flow_id: str, place: StatePlace, file_id: str, etag: str, size_bytes: int) -> bool:
        """Taken in before a rebuild was cut off, and nothing has changed since: neither the file, by what the host
        says of it, nor what the vault knows."""
        taken, anchor = self._taken.get(flow_id), self._anchors.get(flow_id)
        if taken is None or anchor is None or not etag:
            return False
        file_is_same = (taken.place, taken.etag, taken.size_bytes) == (place, etag, size_bytes)
        vault_is_same = (anchor.head, anchor.place, anchor.file_id) == (taken.head, place, file_id)
        return file_is_same and vault_is_same and taken.salts == digest(self._salts.get(flow_id, {}))

    def read(self, flow_id: str, place: StatePlace, file_id: str, state: bytes, etag: str) -> Candidate:
        """Raises: ChainBroken; what ``Files`` raises, where the salts must be read from beside it."""
        anchor, salts = self._anchors.get(flow_id), self._salts.get(flow_id, {})
        beside = not salts
        if beside:
            salts = unwrap_salts(self._own.keys, flow_id, self._own.host.salts(place) or b"")
        read = self._reader.read(flow_id, state, salts, place)
        chain = read.chain
        comes_back = bool(chain.erased & self._salts.get(flow_id, {}).keys())  # with an old vault; it must go again
        holds_kept = self._kept.get(flow_id, set()) <= {line.hash for line in chain.lines}
        is_plain = not comes_back and not read.loaded.is_newer and holds_kept
        if anchor is None:
            return Candidate(read, etag, file_id, read.salts if beside else salts, beside, is_plain)
        if not chain.holds(anchor.head, anchor.length):
            raise ChainBroken("rolled-back" if chain.length < anchor.length else "forked")
        is_plain = is_plain and chain.head == anchor.head and not beside
        return Candidate(read, etag, file_id, salts, False, is_plain)

    def take_in(self, chosen: Sequence[Candidate], progress: Progress) -> Mapping[str, str]:
        """Writes their rows, in one transaction where nothing is to be settled with the vault.

        Raises: RebuildElsewhere, IndexMissing. Returns: why not, for those that could not be taken in after all.
        """
        plain = [candidate for candidate in chosen if candidate.is_plain]
        for_vault = [c for c in plain if not self._is_known(c)]
        try:
            if for_vault:
                with self._own.database.both_writing() as (vault, index):
                    written = self._write(index, plain, progress)
                    self._settle(vault, [c for c in for_vault if c.flow_id in written])
                self._own.count_unanchored(len(written - self._anchors.keys()))
            else:
                with self._own.database.index_writing() as index:
                    written = self._write(index, plain, progress)
        except sa.exc.IntegrityError:  # another process has just told the vault of one of them
            written = set()
        return self._settled_alone([c for c in chosen if c.flow_id not in written])

    def _write(self, index: Connection, plain: Sequence[Candidate], progress: Progress) -> set[str]:
        """Those of which the vault says the same as when they were read. No lease is taken: an append in flight would
        show as an index that is behind."""
        self._own.refill.keep(index, progress)
        changed = self._changed()
        chosen = [candidate for candidate in plain if candidate.flow_id not in changed]
        if chosen:
            self._own.index.put_all(index, [Row(c.read.loaded, c.read.chain.log, c.etag) for c in chosen])
            self._own.refill.mark(index, {c.flow_id: c.salts for c in chosen})
        return {candidate.flow_id for candidate in chosen}

    def _settle(self, vault: Connection, chosen: Sequence[Candidate]) -> None:
        """The vault learns where they lie now, and of those that it knows nothing of."""
        for one in chosen:
            chain = one.read.chain
            anchor = Anchor(one.flow_id, chain.head, chain.length, chain.fence, one.place, one.file_id)
            self._own.vault.put_anchor(vault, anchor)
        self._own.vault.put_salts_of(vault, {c.flow_id: c.salts for c in chosen if c.beside})

    def _settled_alone(self, chosen: Sequence[Candidate]) -> dict[str, str]:
        failed = {}
        for one in chosen:
            chain = one.read.chain
            kept = self._own.refill.kept(one.flow_id)
            try:
                try:
                    self._own.store.take_in(one.flow_id, one.place, chain.log, one.etag, one.file_id, kept)
                except UnknownFormat:
                    raise
                except ChainBroken:  # it was whole when it was read: the vault moved on, and the host with it
                    read = Copy(one.flow_id, one.place, one.etag, chain.log, chain.head)
                    self._own.store.restore(one.flow_id, [read, *kept])
            except ChainBroken as error:
                failed[one.flow_id] = error.reason
            except (HostMaintenance, HostRefuses, HostSlow):
                raise
            except Unavailable as error:
                failed[one.flow_id] = error.code
        return failed

    def _is_known(self, candidate: Candidate) -> bool:
        """The vault has nothing to learn from it."""
        anchor = self._anchors.get(candidate.flow_id)
        return anchor is not None and (anchor.place, anchor.file_id) == (candidate.place, candidate.file_id)

    def _changed(self) -> set[str]:
        """Flows of which the vault says something else by now."""
        anchors, salts = self._own.vault.anchors_of(self._flow_ids), self._own.vault.salts_of(self._flow_ids)
        return {
            flow_id
            for flow_id in self._flow_ids
            if anchors.get(flow_id) != self._anchors.get(flow_id) or salts.get(flow_id) != self._salts.get(flow_id)
        }

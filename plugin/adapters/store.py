"""The port ``Flows``: state files on the host, their copies in the index, their heads in the vault.

The PUT of the state file is the commit. The vault remembers which head was acknowledged; the index is a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial

import structlog

from plugin.adapters import chain as lines
from plugin.adapters.acknowledge import Acknowledge
from plugin.adapters.branches import Judge, check_anchor
from plugin.adapters.chain import UnknownFormat, verified
from plugin.adapters.copies import Copies
from plugin.adapters.host_copy import HostCopy, Stored
from plugin.adapters.index import Copy, SqlIndex
from plugin.adapters.keys import Keys
from plugin.adapters.leases import Leases
from plugin.adapters.personal import Curtain, unwrap_salts, wrap_salts
from plugin.adapters.reader import Read, Reader
from plugin.adapters.salts import SaltKeeper
from plugin.adapters.sql import Database
from plugin.adapters.vault import Anchor, SqlVault
from plugin.adapters.vouching import vouches
from plugin.flow.errors import AccountOut, Conflict, FileTooLarge, HostBusy
from plugin.flow.events import Event, Launched
from plugin.flow.model import Flow
from plugin.ports import Accounts
from plugin.ports_files import Files
from plugin.ports_state import ChainBroken, ChainMoved, Check, Lease, Loaded, StatePlace, nothing

_log = structlog.get_logger()


class Store:
    """Promise: what ``create`` and ``append`` returned is on the host, signed, and acknowledged in the vault."""

    def __init__(
        self,
        files: Files,
        database: Database,
        keys: Keys,
        vault: SqlVault,
        index: SqlIndex,
        leases: Leases,
        accounts: Accounts,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        drop_cached: Callable[[str], object] = lambda _: None,
    ) -> None:
        """``drop_cached``: takes a file out of the local cache, by its SHA-256."""
        self._host = HostCopy(files)
        self._accounts = accounts
        self._database = database
        self._keys = keys
        self._vault = vault
        self._index = index
        self._leases = leases
        self._reader = Reader(keys.public_keys, Curtain(keys))
        vouched = vouches(keys.public_keys, lambda: keys.seal_certificates)
        self._judge = Judge(self._host, vault, keys.public_keys, self._reader, clock, vouched)
        self._salts = SaltKeeper(self._host, database, vault, keys, self._reader, clock, drop_cached, leases.check)
        self._copies = Copies(vault, self._reader, self._salts)
        self._acknowledge = Acknowledge(database, vault, index, self._reader, self._salts, self._judge)

    def lease(self, flow_id: str) -> AbstractContextManager[Lease]:
        return self._leases.hold(flow_id)

    def check_held(self, lease: Lease) -> None:
        if not self._leases.holds(lease):
            raise HostBusy("flow-busy")

    @contextmanager
    def _looking(self, flow_id: str) -> Iterator[None]:
        """Raises: HostBusy, where somebody else came first, since this lease had run out."""
        try:
            with self._leases.hold(flow_id):
                yield
        except ChainMoved as error:
            raise HostBusy("flow-busy") from error

    # ---- reading ----------------------------------------------------------------------------------------------------
    def load(self, flow_id: str) -> Loaded | None:
        found = self._current(flow_id)
        if found is not None:
            return found.loaded
        if self._index.copy(flow_id) is None and self._vault.anchor(flow_id) is None:
            return None
        with self._looking(flow_id):
            found = self._current(flow_id) or self._refreshed(flow_id)
        return found.loaded if found else None

    def refresh(self, flow_id: str) -> Loaded | None:
        """Also restores what the vault's head proves, with an event in the log; anything else raises ChainBroken."""
        self._index.check()
        with self._looking(flow_id):
            found = self._refreshed(flow_id)
        return found.loaded if found else None

    def check(self, flow_id: str) -> None:
        copy = self._index.copy(flow_id)
        if copy is None:
            self.refresh(flow_id)
            return
        etag, size_bytes, salts = self._host.tags(copy.place)
        if (etag, size_bytes) == (copy.etag, len(copy.log)) and self._salts.are_right(flow_id, salts):
            return
        self._salts.saw(flow_id, salts)  # until refresh finds that they were wrong
        try:
            self.refresh(flow_id)
        except Exception:
            self._salts.doubt(flow_id)
            raise

    def bring_home(self, flow_id: str) -> Loaded:
        with self._leases.hold(flow_id):
            anchor, copy = self._vault.anchor(flow_id), self._index.copy(flow_id)
            mine = self._copies.verified(copy, anchor) if anchor is not None and copy is not None else None
            if mine is None or anchor is None:
                raise ChainBroken("unanchored" if anchor is None else "missing")
            if mine.loaded.is_newer:
                raise UnknownFormat("missing")
            place = StatePlace(anchor.place.owner, f".flows/{flow_id}/flow.jsonl")
            if place != anchor.place:
                self._check_owner(place, mine.loaded.flow)
                _log.warning("state.brought_home", flow_id=flow_id)
                there = self._host.read(place)
                if there is not None:  # brought here before, or copied: it is weighed like any other
                    return self._settled(flow_id, place, *there, anchor, mine).loaded
                mine = mine.at(place)
                stored = self._host.restore(place, mine.chain.log, None, partial(self._leases.check, flow_id))
                self._salts.put(flow_id, place, mine.salts)
                self._commit(mine, stored, {})
            return mine.loaded

    def _current(self, flow_id: str) -> Read | None:
        """The index's copy, if it is intact and the vault acknowledges it."""
        copy, anchor = self._index.copy(flow_id), self._vault.anchor(flow_id)
        if copy is None or anchor is None or copy.head != anchor.head:
            return None
        return self._copies.verified(copy, anchor)

    # ---- writing ----------------------------------------------------------------------------------------------------
    def create(self, place: StatePlace, events: Sequence[Event], now: datetime, check: Check = nothing) -> Loaded:
        """Raises: ChainBroken exists, where this flow was begun before; IndexMissing."""
        launched = events[0]
        assert isinstance(launched, Launched)
        flow_id = launched.flow_id
        self._index.check()
        with self._leases.hold(flow_id) as lease:
            if self._vault.anchor(flow_id) is not None:
                raise ChainBroken("exists")
            drafts, salts = self._reader.drafts(events, "creator", None, {}, self._keys.active.kid, self._keys.entry)
            log = lines.written(None, drafts, self._keys.active, lease.fence, now)
            read = self._reader.read(flow_id, log, salts, place)
            checks = (check, partial(self.check_held, lease))
            stored = self._host.begin(place, wrap_salts(self._keys, flow_id, salts), log, checks)
            self._commit(read, stored, salts)
            return read.loaded

    def append(
        self,
        loaded: Loaded,
        lease: Lease,
        events: Sequence[Event],
        actor: str,
        now: datetime,
        *,
        only_here: bool = False,
    ) -> Loaded:
        if not events:
            return loaded
        flow_id = loaded.flow.id
        if lease.flow_id != flow_id:
            raise ValueError("a lease of another flow")
        copy, anchor = self._index.copy(flow_id), self._vault.anchor(flow_id)
        if copy is None or anchor is None or not loaded.head == copy.head == anchor.head:
            raise ChainMoved
        before = self._copies.verified(copy, anchor)
        if before is None:
            raise ChainMoved
        if before.loaded.is_newer:
            raise Conflict("flow-newer")
        if lease.fence < before.chain.fence:
            raise HostBusy("flow-busy")
        salts = dict(before.salts)
        kid = self._keys.active.kid
        held = partial(self._vault.salts, flow_id)
        drafts, new = self._reader.drafts(events, actor, before.chain, salts, kid, self._keys.entry, held)
        log = before.chain.log + lines.written(before.chain, drafts, self._keys.active, lease.fence, now)
        after = self._reader.read(flow_id, log, salts | new, copy.place)
        self.check_held(lease)
        if only_here:
            self._commit(after, Stored(copy.etag, None), new)
            self._salts.finish_here(after)
            return after.loaded
        self._salts.bring_in(flow_id, copy.place, salts, new)
        erased = after.chain.erased - before.chain.erased
        self._salts.note_erasing(flow_id, erased)
        still = partial(self.check_held, lease)
        outcome = self._host.replace(copy.place, before.chain.log, log, copy.etag, still)
        if not isinstance(outcome, Stored):
            return self._yield_to(outcome, before, anchor, copy, after, new)
        self._commit(after, outcome, new)
        if erased:
            self._salts.forget_beside(after)
        return after.loaded

    def _yield_to(
        self,
        found: tuple[bytes, str] | None,
        before: Read,
        anchor: Anchor,
        copy: Copy,
        after: Read,
        new: dict[str, bytes],
    ) -> Loaded:
        """The host holds something else than what was expected; ``after`` was not written."""
        flow_id, place = anchor.flow_id, copy.place
        if found is None:
            if self._host.locate(anchor) is not None:
                self._refreshed(flow_id)
                raise ChainMoved
            self._check_owner(place, after.loaded.flow)
            place = self._host.home(place, after.loaded.flow)
            after = after.at(place)
            stored = self._host.restore(place, after.chain.log, None, partial(self._leases.check, flow_id))
            self._salts.put(flow_id, place, after.salts)
            self._judge.restored(flow_id, "missing")
            self._commit(after, stored, new)
            return after.loaded
        self._settled(flow_id, place, *found, self._vault.anchor(flow_id), before)
        raise ChainMoved

    # ---- host -> index ----------------------------------------------------------------------------------------------
    def _refreshed(self, flow_id: str, kept: Copy | None = None) -> Read | None:
        """Under the lease. ``kept``: the best of what is known instead of the index's copy, during a rebuild.

        Raises: ChainBroken.
        """
        anchor = self._vault.anchor(flow_id)
        copy = kept if kept is not None else self._index.copy(flow_id)
        if anchor is None:
            return self._anchored(copy) if copy is not None else None
        place = anchor.place
        try:
            found = self._host.read(place)
        except FileTooLarge as error:  # not ours, and cannot be set aside without being read
            self._judge.not_restored(flow_id, error.code)
            raise
        if found is None:
            moved = self._host.locate(anchor)
            if moved is None:
                return self._restored(flow_id, place, self._copies.proven(copy, anchor), "missing", None)
            place, found = moved, self._host.read(moved)
        if found is None:
            raise HostBusy("host-busy")
        mine = self._copies.proven(copy, anchor)
        return self._settled(flow_id, place, *found, anchor, mine, None if kept is not None else copy)

    def _settled(
        self,
        flow_id: str,
        place: StatePlace,
        data: bytes,
        etag: str,
        anchor: Anchor | None,
        mine: Read | None,
        copy: Copy | None = None,
    ) -> Read:
        """What the host holds is taken in, or put right. ``copy``: the index's row, that may be right as it is.

        Raises: ChainBroken.
        """
        known = self._reader.chain(flow_id)
        try:
            chain = self._judge.judged(flow_id, data, place, anchor, mine.chain if mine is not None else None, known)
        except UnknownFormat:
            raise
        except ChainBroken as error:
            return self._restored(flow_id, place, mine, error.reason, etag)
        salts = self._vault.salts(flow_id)
        late = self._salts.late(chain, anchor, place, salts)
        read = self._reader.read(flow_id, chain.log, salts | late, place)
        self._salts.check_beside(read)
        if (
            late
            or copy is None
            or anchor is None
            or salts.keys() & chain.erased
            or (copy.head, copy.etag, copy.place, copy.log) != (chain.head, etag, place, data)
            or (anchor.head != chain.head)
        ):
            if anchor is None:
                _log.warning("flow.unanchored", flow_id=flow_id)
            self._commit(read, Stored(etag, None), late)
            if copy is not None and not copy.etag and not read.loaded.is_newer:
                self._judge.understood(flow_id)
        return read

    def _anchored(self, copy: Copy) -> Read | None:
        """A flow that the vault does not know any more: never taken as current before the host was asked."""
        found = self._host.read(copy.place)
        if found is None:
            raise ChainBroken("unanchored")
        return self._settled(copy.flow_id, copy.place, *found, None, self._copies.proven(copy, None), copy)

    def _adopted(self, flow_id: str, place: StatePlace, data: bytes, etag: str, file_id: str | None) -> Read:
        """Takes in a state file of which the vault knows nothing, with the salts beside it."""
        salts = self._vault.salts(flow_id)
        new = {} if salts else unwrap_salts(self._keys, flow_id, self._host.salts(place) or b"")
        read = self._reader.read(flow_id, data, salts | new, place)
        _log.warning("flow.unanchored", flow_id=flow_id)
        self._commit(read, Stored(etag, file_id), {p: s for p, s in read.salts.items() if p in new})
        return read

    def _restored(self, flow_id: str, place: StatePlace, mine: Read | None, reason: str, etag: str | None) -> Read:
        """Puts the proven copy back. Raises: ChainBroken, where there is none."""
        if mine is None or mine.loaded.is_newer:
            self._judge.not_restored(flow_id, reason)
            raise ChainBroken(reason) if mine is None else UnknownFormat(reason)
        if etag is None:
            self._check_owner(place, mine.loaded.flow)
            place = self._host.home(place, mine.loaded.flow)
        mine = mine.at(place)
        stored = self._host.restore(place, mine.chain.log, etag, partial(self._leases.check, flow_id))
        self._salts.doubt(flow_id)
        self._salts.check_beside(mine)
        self._judge.restored(flow_id, reason)
        self._commit(mine, stored, {})
        return mine

    def _check_owner(self, place: StatePlace, flow: Flow) -> None:
        """Nothing of a flow is put where none of it lies before it is known that the creator's login still leads to
        the creator's account. Raises: AccountOut."""
        known = flow.creator.account
        if known is not None and known.value is not None and self._accounts.id(place.owner, fresh=True) != known.value:
            raise AccountOut

    # ---- erasing ----------------------------------------------------------------------------------------------------
    def forget(self, flow_id: str) -> None:
        with self._looking(flow_id):
            read = self._refreshed(flow_id)
            if read is not None:
                self._salts.finish_erasing(read)
            else:
                self._salts.end_erasing(flow_id)

    def keep_forgotten(self, flow_id: str) -> None:
        read = self._current(flow_id)
        if read is None:
            return
        self._salts.drop_names(read)
        if self._salts.came_back(read):
            self._salts.note_erasing(flow_id, read.chain.erased)
            self.forget(flow_id)

    # ---- rebuild ----------------------------------------------------------------------------------------------------
    def take_in(
        self, flow_id: str, place: StatePlace, state: bytes, etag: str, file_id: str, kept: Sequence[Copy] = ()
    ) -> None:
        """Fills the index from one state file, under its lease; what came into it after the head that the vault knows
        is acknowledged. ``kept``: copies from before: one that goes on from that head and outranks the file counts,
        as it does without a rebuild.

        Raises: ChainBroken, where that head is not in it; HostBusy, where the vault moved on.
        """
        with self._leases.hold(flow_id):
            anchor = self._vault.anchor(flow_id)
            chain = verified(state, self._keys.public_keys, flow_id)
            if anchor is not None:
                check_anchor(chain, anchor)
            best = self._copies.best(kept, anchor)
            mine = self._copies.proven(best, anchor)
            if mine is not None and not chain.holds(mine.chain.head, mine.chain.length):
                self._settled(flow_id, place, state, etag, anchor, mine)
                return
            if anchor is None:
                self._adopted(flow_id, place, state, etag, file_id)
                return
            salts = self._vault.salts(flow_id)
            late = self._salts.late(chain, anchor, place, salts)
            self._commit(self._reader.read(flow_id, state, salts | late, place), Stored(etag, file_id), late)

    def restore(self, flow_id: str, kept: Sequence[Copy]) -> None:
        """A flow that could not be taken in, put right from that copy that goes on from the vault's head and counts.

        Raises: ChainBroken, Unavailable.
        """
        with self._leases.hold(flow_id):
            self._refreshed(flow_id, self._copies.best(kept, self._vault.anchor(flow_id)) or kept[0])

    def _commit(self, read: Read, stored: Stored, new_salts: Mapping[str, bytes]) -> None:
        self._acknowledge(read, stored, new_salts)

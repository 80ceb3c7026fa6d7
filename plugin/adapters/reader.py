"""From a state file's bytes to a flow: verified, decrypted, replayed; what was read before is not done again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plugin.adapters.chain import KEY, Chain, Draft, Line, PublicKeys, UnknownFormat, verified
from plugin.adapters.personal import Curtain, Salts, commitment, new_salt, persons_in
from plugin.flow.codec import UnknownEvent, from_data, to_data
from plugin.flow.events import Event, KeyRotated, Launched
from plugin.flow.evolve import evolve
from plugin.flow.model import CREATOR, Flow
from plugin.ports import ChainBroken, Loaded, Record, StatePlace

_BOOKKEEPING = (KEY, "salts")
"""Members of a line's data that belong to the chain, not to the event."""
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Read:
    """A chain and the flow it tells, with the salts that were there."""

    chain: Chain
    loaded: Loaded
    salts: Mapping[str, bytes]

    def at(self, place: StatePlace) -> Read:
        """The same, found elsewhere."""
        return replace(self, loaded=replace(self.loaded, place=place))


class Reader:
    """Promise: ``read`` of bytes that go on from what was kept does the new lines only; of the same, a comparison."""

    def __init__(self, public_keys: PublicKeys, curtain: Curtain) -> None:
        self._public_keys = public_keys
        self._curtain = curtain
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Read] = OrderedDict()

    def read(self, flow_id: str, log: bytes, salts: Salts, place: StatePlace) -> Read:
        """Raises: ChainBroken, UnknownFormat."""
        known = self._known(flow_id)
        chain = verified(log, self._public_keys, flow_id, known.chain if known else None)
        salts = _committed(chain, salts)
        if known is not None and known.salts == salts and chain.holds(known.chain.head, known.chain.length):
            if known.chain.head == chain.head and known.loaded.place == place:
                return known
            flow, records = known.loaded.flow, list(known.loaded.records)
        else:
            flow, records = None, []
        for line in chain.lines[len(records) :]:
            flow, record = self._step(flow, line, salts)
            records.append(record)
        if flow is None:
            raise ChainBroken("bad-line")
        loaded = Loaded(flow, tuple(records), chain.head, chain.length, place)
        return Read(chain, loaded, dict(salts))

    def kept(self, flow_id: str, head: str, salts: Salts, place: StatePlace) -> Read | None:
        """What was verified before, if it is exactly this."""
        known = self._known(flow_id)
        if known is None or known.chain.head != head or known.salts != _committed(known.chain, salts):
            return None
        if known.loaded.place != place:
            known = known.at(place)
        return known

    def chain(self, flow_id: str) -> Chain | None:
        """What was verified last; another chain may begin with it."""
        known = self._known(flow_id)
        return known.chain if known else None

    def forget_keys(self) -> None:
        """Of persons: a salt was dropped."""
        self._curtain.forget()

    def forget(self, flow_id: str) -> None:
        with self._lock:
            self._kept.pop(flow_id, None)

    def drafts(
        self,
        events: Sequence[Event],
        actor: str,
        chain: Chain | None,
        salts: Salts,
        kid: str,
        key: Callable[[], Mapping[str, Any]],
    ) -> tuple[list[Draft], dict[str, bytes]]:
        """The lines to write, and the salts of persons that come in with them. ``key`` says what stands in a chain's
        first line about the key ``kid``; where the chain does not know that key yet, a line that brings it in comes
        first.
        """
        committed = chain.commitments if chain else {}
        known = dict(salts)
        new: dict[str, bytes] = {}
        drafts = []
        if chain is not None and kid not in chain.kids:
            drafts.append(Draft("system", KeyRotated.type, {KEY: dict(key())}))
        for number, event in enumerate(events):
            data = to_data(event)
            assert not data.keys() & set(_BOOKKEEPING)
            persons = persons_in(data)
            if isinstance(event, Launched):
                persons |= {CREATOR, *(recipient.id for recipient in event.recipients)}
            added = {person: new_salt() for person in sorted(persons - committed.keys() - new.keys())}
            new |= added
            known |= added
            hidden = self._curtain.hide(data, known)
            if chain is None and number == 0:
                hidden[KEY] = dict(key())
            if added:
                hidden["salts"] = {person: commitment(salt) for person, salt in added.items()}
            drafts.append(Draft(actor if number == 0 else "system", event.type, hidden))
        return drafts, new

    def _step(self, flow: Flow | None, line: Line, salts: Salts) -> tuple[Flow, Record]:
        plain = {name: member for name, member in line.data.items() if name not in _BOOKKEEPING}
        data = self._curtain.show(plain, salts)
        try:
            event = from_data(line.type, data)
        except UnknownEvent as error:
            raise UnknownFormat("unknown-event") from error
        try:
            after = evolve(flow, event, line.at)
        except (ValueError, KeyError, IndexError) as error:
            raise ChainBroken("bad-line") from error
        return after, Record(line.seq, line.at, line.type, line.actor, data)

    def _known(self, flow_id: str) -> Read | None:
        with self._lock:
            known = self._kept.get(flow_id)
            if known is not None:
                self._kept.move_to_end(flow_id)
            return known

    def keep(self, read: Read) -> None:
        """What is current now: the next reading goes on from here."""
        flow_id = read.chain.flow_id
        with self._lock:
            self._kept[flow_id] = read
            self._kept.move_to_end(flow_id)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _committed(chain: Chain, salts: Salts) -> dict[str, bytes]:
    """The salts that the chain vouches for, of persons who were not erased; another one is as good as none."""
    promised = chain.commitments
    mine = {person: salt for person, salt in salts.items() if person not in chain.erased}
    return {person: salt for person, salt in mine.items() if promised.get(person) == commitment(salt)}

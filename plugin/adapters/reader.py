"""From a state file's bytes to a flow: verified, decrypted, replayed; what was read before is not done again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plugin.adapters.chain import KEY, Chain, Draft, Line, PublicKeys, UnknownFormat, verified
from plugin.adapters.personal import Curtain, Salts, commitment, new_salt, persons_in
from plugin.flow.codec import UnknownEvent, from_data, is_understood, to_data
from plugin.flow.events import FORMAT, Event, KeyRotated, Launched
from plugin.flow.evolve import evolve
from plugin.flow.model import CREATOR, Flow
from plugin.ports_state import (
    ChainBroken,
    Loaded,
    Record,
    StatePlace,
)

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


@dataclass(slots=True)
class _Told:
    """What the lines so far tell. ``is_newer``: there is something among them that this version does not know."""

    flow: Flow | None
    records: list[Record]
    is_newer: bool


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
        salts = _committed(chain, salts, known)
        if known is not None and known.salts == salts and chain.holds(known.chain.head, known.chain.length):
            if known.chain.head == chain.head and known.loaded.place == place:
                return known
            told = _Told(known.loaded.flow, list(known.loaded.records), known.loaded.is_newer)
        else:
            told = _Told(None, [], chain.format > FORMAT)
        for line in chain.lines[len(told.records) :]:
            self._step(told, line, salts)
        if told.flow is None:
            raise UnknownFormat("unknown-format") if told.is_newer else ChainBroken("bad-line")
        loaded = Loaded(told.flow, tuple(told.records), chain.head, chain.length, place, told.is_newer)
        return Read(chain, loaded, dict(salts))

    def is_newer(self, chain: Chain) -> bool:
        """Whether a newer version had its hand in it."""
        told = _Told(None, [], chain.format > FORMAT)
        for line in chain.lines:
            self._step(told, line, {})
        return told.is_newer

    def kept(self, flow_id: str, head: str, salts: Salts, place: StatePlace) -> Read | None:
        """What was verified before, if it is exactly this."""
        known = self._known(flow_id)
        if known is None or known.chain.head != head or known.salts != _committed(known.chain, salts, known):
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
        held: Callable[[], Salts] = dict,
    ) -> tuple[list[Draft], dict[str, bytes]]:
        """The lines to write, and the salts of persons that come in with them. ``key`` says what stands in a chain's
        first line about the key ``kid``; where the chain does not know that key yet, a line that brings it in comes
        first. ``held``: salts of earlier tries of these lines.
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
            coming = sorted(persons - committed.keys() - new.keys())
            earlier = held() if coming else {}
            added = {person: earlier.get(person) or new_salt() for person in coming}
            new |= added
            known |= added
            hidden = self._curtain.hide(data, known)
            if chain is None and number == 0:
                hidden[KEY] = dict(key())
            if added:
                hidden["salts"] = {person: commitment(salt) for person, salt in added.items()}
            drafts.append(Draft(actor if number == 0 else "system", event.type, hidden))
        return drafts, new

    def _step(self, told: _Told, line: Line, salts: Salts) -> None:
        """One line more. Of one that this version does not know the flow tells nothing, the records that it is there.

        Raises: ChainBroken.
        """
        plain = {name: member for name, member in line.data.items() if name not in _BOOKKEEPING}
        data = self._curtain.show(plain, salts)
        told.records.append(Record(line.seq, line.at, line.type, line.actor, data))
        try:
            event = from_data(line.type, data)
        except UnknownEvent:
            told.is_newer = True
            return
        told.is_newer = told.is_newer or not is_understood(line.type, data)
        try:
            told.flow = evolve(told.flow, event, line.at)
        except (ValueError, KeyError, IndexError) as error:
            if not told.is_newer:  # else it may follow from a line that is not known
                raise ChainBroken("bad-line") from error

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


def _committed(chain: Chain, salts: Salts, known: Read | None) -> dict[str, bytes]:
    """The salts that the chain vouches for, of persons who were not erased; another one is as good as none.

    Those that ``known``, another reading of this flow, was found to vouch for are not hashed again.
    """
    promised, erased = chain.commitments, chain.erased
    vouched: Salts = {}
    if known is not None and chain.holds(known.chain.head, known.chain.length):
        vouched = known.salts
    return {
        person: salt
        for person, salt in salts.items()
        if person not in erased and (vouched.get(person) == salt or promised.get(person) == commitment(salt))
    }

"""The same tables without SQL, some ten times as fast. Held to the real ones: the same seed gives the same trace on
both (`test_simulation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from plugin.adapters import index as ix
from plugin.adapters.chain import instant
from plugin.adapters.index import Copy, SqlIndex
from plugin.adapters.index_tables import READY
from plugin.adapters.leases import Leases
from plugin.adapters.refill import Refill
from plugin.adapters.vault import Anchor
from plugin.flow.errors import IndexMissing
from plugin.flow.model import FlowState
from plugin.ports import Lease, LinkRow, Loaded, StatePlace
from tests.simulation.database import Turns
from tests.simulation.process import Process


class Change:
    """One transaction: what undoes it, newest last."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        if key in table:
            before = table[key]
            self._undo.append(lambda: table.__setitem__(key, before))
        else:
            self._undo.append(lambda: table.pop(key))
        table[key] = value

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        if key in table:
            before = table.pop(key)
            self._undo.append(lambda: table.__setitem__(key, before))

    def roll_back(self) -> None:
        while self._undo:
            self._undo.pop()()


@dataclass(frozen=True, slots=True)
class Claim:
    until: str
    attempts: int
    reason: str
    not_before: str


@dataclass(frozen=True, slots=True)
class Held:
    boot_id: str
    holder: str
    fence: int
    expires_at_ms: int


@dataclass
class Tables:
    """What survives. ``meta``: no "state": no such tables."""

    one_database: bool
    salts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    persons: dict[str, tuple[str, ...]] = field(default_factory=dict)
    heads: dict[str, Anchor] = field(default_factory=dict)
    leases: dict[str, Held] = field(default_factory=dict)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    works: dict[str, tuple[str, ...]] = field(default_factory=dict)
    opened: dict[tuple[str, str, int], str] = field(default_factory=dict)
    troubles: dict[tuple[str, str, str], str] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    flows: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """flow -> table -> rows."""
    links: dict[str, LinkRow] = field(default_factory=dict)

    def make_index(self) -> None:
        self.meta["state"] = READY

    def heads_of_all(self) -> dict[str, tuple[str, int]]:
        return {flow_id: (anchor.head, anchor.length) for flow_id, anchor in self.heads.items()}

    def close(self) -> None:
        pass


class _Base:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @contextmanager
    def vault(self) -> Iterator[Any]:
        yield None

    @contextmanager
    def index(self) -> Iterator[Any]:
        yield None

    @contextmanager
    def vault_writing(self) -> Iterator[Any]:
        change = Change()
        try:
            yield change
        except BaseException:
            change.roll_back()
            raise

    @contextmanager
    def index_writing(self) -> Iterator[Any]:
        change = Change()
        try:
            yield change
        except BaseException:
            change.roll_back()
            raise

    @contextmanager
    def both_writing(self) -> Iterator[tuple[Any, Any]]:
        if self.tables.one_database:
            with _Base.vault_writing(self) as change:
                yield change, change
            return
        with self.index_writing() as index, self.vault_writing() as vault:
            yield vault, index


class MemoryDatabase(Turns, _Base):
    def __init__(self, tables: Tables, process: Process) -> None:
        _Base.__init__(self, tables)
        self._process = process


<<<<<<< HEAD
class MemoryVault(SqlVault):
    _database: Any

    def __init__(self, database: MemoryDatabase, *, only_instance: bool) -> None:
        self._database = database
        self._tables = database.tables
        if only_instance:
            with self._database.vault_writing() as change:
                for key, claim in list(self._tables.claims.items()):
                    change.put(self._tables.claims, key, replace(claim, until=""))

    # ---- heads and salts --------------------------------------------------------------------------------------------
    def anchor(self, flow_id: str) -> Anchor | None:
        with self._database.vault():
            return self._tables.heads.get(flow_id)

    def anchors(self) -> list[Anchor]:
        with self._database.vault():
            return [self._tables.heads[flow_id] for flow_id in sorted(self._tables.heads)]

    def put_anchor(self, connection: Any, anchor: Anchor) -> None:
        before = self._tables.heads.get(anchor.flow_id)
        if anchor.file_id is None and before is not None:
            anchor = replace(anchor, file_id=before.file_id)
        connection.put(self._tables.heads, anchor.flow_id, anchor)

    def anchor_for_update(self, connection: Any, flow_id: str) -> Anchor | None:
        return self._tables.heads.get(flow_id)

    def salts(self, flow_id: str) -> dict[str, bytes]:
        with self._database.vault():
            return {person: self._tables.salts[flow_id, person] for person in self._tables.persons.get(flow_id, ())}

    def put_salts(self, connection: Any, flow_id: str, new: Mapping[str, bytes]) -> None:
        if not new:
            return
        known = self._tables.persons.get(flow_id, ())
        assert not set(known) & set(new)
        for person, salt in new.items():
            connection.put(self._tables.salts, (flow_id, person), salt)
        connection.put(self._tables.persons, flow_id, tuple(sorted({*known, *new})))

    def seen(self, flow_id: str) -> Mapping[int, Seen]:
        with self._database.vault():
            works = [work for work in self._tables.works.get(flow_id, ()) if work.startswith(_SEEN)]
            claims = self._tables.claims
            return {int(work.removeprefix(_SEEN)): Seen(*json.loads(claims[flow_id, work].reason)) for work in works}

    def note_seen(self, flow_id: str, originals: Mapping[int, Seen]) -> None:
        with self._database.vault_writing() as change:
            for n, seen in originals.items():
                self._put_claim(change, flow_id, f"{_SEEN}{n}", Claim("", 0, json.dumps(astuple(seen)), ""))

    def forget_seen(self, flow_id: str) -> None:
        with self._database.vault_writing() as change:
            for work in [work for work in self._tables.works.get(flow_id, ()) if work.startswith(_SEEN)]:
                self._drop_claim(change, flow_id, work)

    def note_layings(self, flow_id: str, layings: Sequence[Laying]) -> None:
        known = {_written(one) for one in self.layings(flow_id)}
        new = [text for text in map(_written, layings) if text not in known]
        if not new:
            return
        with self._database.vault_writing() as change:
            for text in new:
                work = f"{_LAYING}{hashlib.sha256(text.encode()).hexdigest()}"
                self._put_claim(change, flow_id, work, Claim("", 0, text, ""))

    def layings(self, flow_id: str) -> list[Laying]:
        with self._database.vault():
            works = sorted(work for work in self._tables.works.get(flow_id, ()) if work.startswith(_LAYING))
            return [_laying(*json.loads(self._tables.claims[flow_id, work].reason)) for work in works]

    def forget_layings(self, flow_id: str) -> None:
        with self._database.vault():
            works = [work for work in self._tables.works.get(flow_id, ()) if work.startswith(_LAYING)]
        if not works:
            return
        with self._database.vault_writing() as change:
            for work in works:
                self._drop_claim(change, flow_id, work)

    # ---- launches ---------------------------------------------------------------------------------------------------
    def begin_launch(self, attempt: LaunchAttempt, now: datetime) -> None:
        reason = json.dumps([attempt.owner, *attempt.folders])
        with self._database.vault_writing() as change:
            assert (attempt.flow_id, _LAUNCH) not in self._tables.claims
            self._put_claim(change, attempt.flow_id, _LAUNCH, Claim(instant(now + _LAUNCH_WITHIN), 0, reason, ""))

    def give_up_launch(self, flow_id: str, again: datetime) -> None:
        with self._database.vault_writing() as change:
            claim = self._tables.claims.get((flow_id, _LAUNCH))
            if claim is not None:
                self._put_claim(change, flow_id, _LAUNCH, replace(claim, until=instant(again), attempts=1))

    def prolong_launch(self, flow_id: str, now: datetime) -> None:
        with self._database.vault_writing() as change:
            claim = self._tables.claims.get((flow_id, _LAUNCH))
            if claim is not None and claim.attempts == 0:
                self._put_claim(change, flow_id, _LAUNCH, replace(claim, until=instant(now + _LAUNCH_WITHIN)))

    def cut_off_launches(self, now: datetime) -> list[LaunchAttempt]:
        return self._launches(lambda flow_id, claim: flow_id not in self._tables.heads and claim.until <= instant(now))

    def counted_launches(self) -> list[LaunchAttempt]:
        return self._launches(lambda flow_id, _claim: flow_id in self._tables.heads)

    def _launches(self, is_wanted: Callable[[str, Claim], bool]) -> list[LaunchAttempt]:
        with self._database.vault():
            mine = sorted(
                ((f, c) for (f, work), c in self._tables.claims.items() if work == _LAUNCH and is_wanted(f, c)),
                key=lambda one: one[0],
            )
            reasons = [(flow_id, json.loads(claim.reason)) for flow_id, claim in mine]
        return [LaunchAttempt(flow_id, owner, tuple(folders)) for flow_id, (owner, *folders) in reasons]

    # ---- opened, troubles -------------------------------------------------------------------------------------------
    def mark_opened(self, flow_id: str, recipient: str, round_: int, now: datetime) -> None:
        with self._database.vault():
            if (flow_id, recipient, round_) in self._tables.opened:
                return
        with self._database.vault_writing() as change:
            change.put(self._tables.opened, (flow_id, recipient, round_), instant(now))

    def opened(self, flow_id: str) -> Mapping[tuple[str, int], datetime]:
        with self._database.vault():
            found = self._tables.opened.items()
            return {(rid, round_): from_instant(at) for (flow, rid, round_), at in found if flow == flow_id}

    def note_trouble(self, flow_id: str, reason: str, person: str, now: datetime) -> None:
        if any((t.reason, t.person) == (reason, person) for t in self.troubles(flow_id)):
            return
        with self._database.vault_writing() as change:
            if (flow_id, reason, person) not in self._tables.troubles:
                change.put(self._tables.troubles, (flow_id, reason, person), instant(now))

    def troubles(self, flow_id: str | None = None) -> list[Trouble]:
        with self._database.vault():
            found = sorted((since, *key) for key, since in self._tables.troubles.items())
        known = [Trouble(flow, reason, person, from_instant(since)) for since, flow, reason, person in found]
        return [trouble for trouble in known if flow_id is None or trouble.flow_id == flow_id]

    def end_trouble(self, flow_id: str, reason: str, person: str) -> None:
        with self._database.vault_writing() as change:
            change.drop(self._tables.troubles, (flow_id, reason, person))

    # ---- claims -----------------------------------------------------------------------------------------------------
    def claim(self, flow_id: str, work: str, now: datetime, ttl_s: int) -> bool:
        until, at = instant(now + timedelta(seconds=ttl_s)), instant(now)
        with self._database.vault_writing() as change:
            there = self._tables.claims.get((flow_id, work))
            if there is not None and (there.until > at or there.not_before > at):
                return False
            new = replace(there, until=until) if there is not None else Claim(until, 0, "", "")
            self._put_claim(change, flow_id, work, new)
        return True

    def prolong(self, flow_id: str, work: str, now: datetime, ttl_s: int, word: str) -> None:
        until = instant(now + timedelta(seconds=ttl_s))
        with self._database.vault_writing() as change:
            claim = self._tables.claims.get((flow_id, work))
            if claim is not None:
                self._put_claim(change, flow_id, work, replace(claim, until=until, reason=word))

    def postpone(self, flow_id: str, work: str, now: datetime, reason: str) -> datetime:
        with self._database.vault_writing() as change:
            there = self._tables.claims.get((flow_id, work))
            attempts = (there.attempts if there is not None else 0) + 1
            again = now + timedelta(seconds=_pause_s(attempts))
            self._put_claim(change, flow_id, work, Claim("", attempts, reason, instant(again)))
        return again

    def attempts(self, flow_id: str) -> Mapping[str, tuple[int, str]]:
        with self._database.vault():
            claims = ((work, self._tables.claims[flow_id, work]) for work in self._tables.works.get(flow_id, ()))
            return {work: (claim.attempts, claim.reason) for work, claim in claims if claim.attempts > 0}

    def put_off(self, reason: str, now: datetime) -> list[str]:
        at = instant(now)
        with self._database.vault():
            put_off = ((f, c) for (f, _), c in self._tables.claims.items() if c.attempts > 0 and c.reason == reason)
            return sorted({flow_id for flow_id, claim in put_off if claim.not_before <= at})

    def release(self, flow_id: str, work: str) -> None:
        with self._database.vault_writing() as change:
            self._drop_claim(change, flow_id, work)

    def postponed(self, now: datetime) -> set[str]:
        at = instant(now)
        with self._database.vault():
            return {flow_id for (flow_id, _), claim in self._tables.claims.items() if claim.not_before > at}

    def _put_claim(self, change: Change, flow_id: str, work: str, claim: Claim) -> None:
        change.put(self._tables.claims, (flow_id, work), claim)
        works = self._tables.works.get(flow_id, ())
        if work not in works:
            change.put(self._tables.works, flow_id, (*works, work))

    def _drop_claim(self, change: Change, flow_id: str, work: str) -> None:
        if (flow_id, work) in self._tables.claims:
            change.drop(self._tables.claims, (flow_id, work))
            left = tuple(one for one in self._tables.works[flow_id] if one != work)
            change.put(self._tables.works, flow_id, left)


=======
>>>>>>> 43db366 (The simulator's creators remind, send new links and cancel; make simulate, and what it asks for, in docs/simulation.md)
class MemoryLeases(Leases):
    _database: Any

    def holds(self, lease: Lease) -> bool:
        slot = self._slots.get(lease.flow_id)
        if slot is None or slot.lease != lease or self._monotonic() >= slot.good_until:
            return False
        with self._database.vault():
            held = self._database.tables.leases.get(lease.flow_id)
        return held is not None and held.holder == slot.holder and held.fence == lease.fence

    def renew(self) -> None:
        held = [(flow_id, slot, slot.lease) for flow_id, slot in self._slots.items() if slot.lease is not None]
        for flow_id, slot, lease in held:
            begun = self._monotonic()
            with self._database.vault_writing() as change:
                there = self._database.tables.leases.get(flow_id)
                is_mine = there is not None and (there.holder, there.fence) == (slot.holder, lease.fence)
                is_mine = is_mine and there.expires_at_ms > 0
                if is_mine:
                    change.put(self._database.tables.leases, flow_id, replace(there, expires_at_ms=self._expiry_ms()))
            if is_mine:
                slot.good_until = begun + self._ttl_s

    def _try(self, flow_id: str, holder: str) -> int | None:
        tables = self._database.tables
        with self._database.vault_writing() as change:
            head, there = tables.heads.get(flow_id), tables.leases.get(flow_id)
            fence = 1 + max(head.fence if head is not None else 0, there.fence if there is not None else 0)
            expiry = self._expiry_ms()
            if there is not None and there.expires_at_ms > int(self._clock() * 1000):
                return None
            change.put(tables.leases, flow_id, Held(self._boot_id, holder, fence, expiry))
            return fence

    def _give_back(self, flow_id: str, slot: Any) -> None:
        lease, slot.lease = slot.lease, None
        assert lease is not None
        try:
            with self._database.vault_writing() as change:
                there = self._database.tables.leases.get(flow_id)
                if there is not None and (there.holder, there.fence) == (slot.holder, lease.fence):
                    change.put(self._database.tables.leases, flow_id, replace(there, expires_at_ms=0))
        except Turns.FAILS:
            return

    def _free_earlier_boots(self) -> None:
        with self._database.vault_writing() as change:
            for flow_id, held in list(self._database.tables.leases.items()):
                if held.boot_id != self._boot_id:
                    change.put(self._database.tables.leases, flow_id, replace(held, expires_at_ms=0))


class MemoryRefill(Refill):
    """Here nothing is ever lost: rebuilding is for the worlds that have SQL."""

    _database: Any

    def is_missing(self) -> bool:
        with self._database.index():
            return self._database.tables.meta.get("state") != READY


class MemoryIndex(SqlIndex):
    _database: Any

    # ---- the store's side -------------------------------------------------------------------------------------------
    def copy(self, flow_id: str) -> Copy | None:
        row = self._row(flow_id)
        return _copy(row) if row is not None else None

    def put(self, connection: Any, loaded: Loaded, log: bytes, etag: str) -> None:
        tables, flow = self._database.tables, loaded.flow
        if "state" not in tables.meta:
            raise IndexMissing
        self.remove(connection, flow.id)
        connection.put(tables.flows, flow.id, ix._flow_row(loaded, log, etag))
        rows = {"ix_file": ix._file_rows(flow), "ix_person": ix._person_rows(loaded), "ix_link": self._link_rows(flow)}
        connection.put(tables.others, flow.id, rows)
        for row in rows["ix_link"]:
            connection.put(tables.links, row["token_hash"], LinkRow(flow.id, row["recipient"], row["round"]))

    def remove(self, connection: Any, flow_id: str) -> None:
        tables = self._database.tables
        connection.drop(tables.flows, flow_id)
        for row in tables.others.get(flow_id, {}).get("ix_link", ()):
            connection.drop(tables.links, row["token_hash"])
        connection.drop(tables.others, flow_id)

    def flow_ids(self) -> list[str]:
        with self._asked():
            return sorted(self._database.tables.flows)

    # ---- the port ---------------------------------------------------------------------------------------------------
    def link(self, token_hash: str) -> LinkRow | None:
        with self._asked():
            found: LinkRow | None = self._database.tables.links.get(token_hash)
            return found

    def flows_of_file(self, file_id: str) -> Sequence[str]:
        with self._asked():
            others = self._database.tables.others.items()
            return sorted({f for f, t in others for row in t["ix_file"] if row["file_id"] == file_id}, reverse=True)

    def flow_of_request(self, creator: str, request_key: str) -> str | None:
        with self._asked():
            flows = self._database.tables.flows.items()
            mine = (f for f, row in flows if (row["creator"], row["request_key"]) == (creator, request_key))
            return min(mine, default=None)

    def flows_below(self, owner: str, folder: str) -> Sequence[str]:
        inside = f"{folder.strip('/')}/" if folder.strip("/") else ""
        with self._asked():
            flows = self._database.tables.flows.items()
            return sorted(f for f, row in flows if row["owner"] == owner and row["path"].startswith(inside))

    def running(self) -> Sequence[str]:
        ended = {str(state) for state in FlowState if state.is_ended}
        with self._asked():
            return sorted(f for f, row in self._database.tables.flows.items() if row["state"] not in ended)

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        waiting, at = self._postponed(now), instant(now)
        with self._asked():
            flows = self._database.tables.flows.items()
            rows = sorted((row["due_at"], f) for f, row in flows if row["due_at"] is not None and row["due_at"] <= at)
        first = [flow_id for _, flow_id in rows[: limit + len(waiting)]]
        return sorted(first, key=lambda flow_id: flow_id in waiting)[:limit]

    # ---- inside -----------------------------------------------------------------------------------------------------
    def _row(self, flow_id: str) -> dict[str, Any] | None:
        with self._asked():
            found: dict[str, Any] | None = self._database.tables.flows.get(flow_id)
            return found

    @contextmanager
    def _asked(self) -> Iterator[None]:
        with self._database.index():
            if self._database.tables.meta.get("state") != READY:
                raise IndexMissing
            yield

    def check(self) -> None:
        with self._asked():
            return


def _copy(row: Mapping[str, Any]) -> Copy:
    place = StatePlace(row["owner"], row["path"])
    return Copy(row["flow_id"], place, row["etag"], row["log"], row["head"])

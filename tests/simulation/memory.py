"""The same tables without SQL, some ten times as fast. Held to the real ones: the same seed gives the same trace on
both (`test_simulation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from plugin.adapters import index as ix
from plugin.adapters.chain import instant
from plugin.adapters.index import Copy, SqlIndex
from plugin.adapters.index_tables import READY
from plugin.adapters.leases import Leases
from plugin.adapters.refill import Refill
from plugin.adapters.vault import Anchor
from plugin.flow.errors import IndexMissing
from plugin.flow.model import FlowState
from plugin.ports_state import (
    Lease,
    LinkRow,
    Loaded,
    StatePlace,
)
from tests.simulation.database import Turns
from tests.simulation.process import Process

_log = structlog.get_logger()


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
    holder: str = ""


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
    kids: dict[str, bool] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    flows: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """flow -> table -> rows."""
    links: dict[str, LinkRow] = field(default_factory=dict)

    def make_index(self) -> None:
        self.meta["state"] = READY

    def heads_of_all(self) -> dict[str, tuple[str, int]]:
        return {flow_id: (anchor.head, anchor.length) for flow_id, anchor in self.heads.items()}

    def salts_of(self, flow_id: str) -> set[str]:
        return {person for flow, person in self.salts if flow == flow_id}

    def said_of(self, flow_id: str) -> str:
        return f"{self.flows.get(flow_id)} {self.others.get(flow_id)}"

    def close(self) -> None:
        pass


_NOTHING = nullcontext()


class _Base:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def vault(self) -> AbstractContextManager[Any]:
        return _NOTHING

    def index(self) -> AbstractContextManager[Any]:
        return _NOTHING

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

    def scrub(self) -> None:
        """What was dropped is nowhere any more."""


class MemoryLeases(Leases):
    _database: Any

    def _expiry_ms(self) -> int:
        return int(self._clock() * 1000) + self._ttl_ms

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
            _log.warning("lease.not_released", flow_id=flow_id)

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

    def with_erased(self) -> Sequence[str]:
        with self._asked():
            return sorted(f for f, row in self._database.tables.flows.items() if row["erased"] == 1)

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        waiting, at = self._postponed(), instant(now)
        with self._asked():
            flows = self._database.tables.flows.items()
            rows = sorted((row["due_at"], f) for f, row in flows if row["due_at"] is not None and row["due_at"] <= at)
        first = [flow_id for _, flow_id in rows[: limit + len(waiting)]]
        return sorted(first, key=lambda flow_id: waiting.get(flow_id, ""))[:limit]

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

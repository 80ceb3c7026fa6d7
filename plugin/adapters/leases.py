"""The right to append to one flow: a row in the vault for 10 s, renewed while held, with a number that only rises."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
import structlog

from plugin.adapters.sql import Database, heads, leases
from plugin.failpoints import reach
from plugin.flow.errors import HostBusy
from plugin.ports_state import Lease

_log = structlog.get_logger()
_POLL_S = 0.05


def _now_ms(dialect: str, clock: Callable[[], float] | None) -> sa.ColumnElement[int] | int:
    """By which leases run out: the database's clock, where machines share one. Their own may differ by more than a
    lease lasts. Processes on one SQLite file have one clock anyway: that of their machine."""
    if clock is None and dialect == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger)
    return int((clock or time.time)() * 1000)


class Lock(Protocol):
    """As of ``threading.RLock``."""

    def acquire(self, *, timeout: float) -> bool: ...
    def release(self) -> None: ...


@dataclass(slots=True)
class _Slot:
    """One flow within this process: threads wait here before they ask the vault."""

    lock: Lock
    users: int = 0
    depth: int = 0
    lease: Lease | None = None
    holder: str = ""
    good_until: float = 0.0


class Leases:
    """Promise: of all processes on one vault at most one holds a flow's lease, each with a higher fence than the one
    before. Within a thread it may be taken again.
    """

    def __init__(
        self,
        database: Database,
        instance_id: str,
        *,
        only_instance: bool,
        ttl_s: float = 10.0,
        wait_s: float = 10.0,
        clock: Callable[[], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
        lock: Callable[[], Lock] = threading.RLock,
        renews: bool = True,
    ) -> None:
        """``clock``: another than the database's. ``lock``: of one flow, for this process alone; whoever holds it may
        take it again. ``renews`` false: the caller sees to it that ``renew`` is called in time."""
        self._database = database
        self._instance_id = instance_id
        self._boot_id = secrets.token_hex(8)
        self._ttl_s = ttl_s
        self._ttl_ms = int(ttl_s * 1000)
        self._wait_s = wait_s
        self._clock = clock
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._lock = lock
        self._renews = renews
        self._stop = threading.Event()
        self._pause = pause or self._stop.wait
        self._renewer: threading.Thread | None = None
        if only_instance:
            self._free_earlier_boots()

    def close(self) -> None:
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join()

    @contextmanager
    def hold(self, flow_id: str) -> Iterator[Lease]:
        """Raises: HostBusy flow-busy."""
        deadline = self._monotonic() + self._wait_s
        slot = self._slot(flow_id)
        try:
            if not slot.lock.acquire(timeout=self._wait_s):
                raise HostBusy("flow-busy")
            try:
                if slot.lease is None:
                    self._take(flow_id, slot, deadline)
                reach("lease-taken")
                slot.depth += 1
                try:
                    assert slot.lease is not None
                    yield slot.lease
                finally:
                    slot.depth -= 1
                    if slot.depth == 0:
                        self._give_back(flow_id, slot)
            finally:
                slot.lock.release()
        finally:
            self._leave(flow_id, slot)

    def holds(self, lease: Lease) -> bool:
        """It was renewed in time and nobody took it since."""
        with self._guard:
            slot = self._slots.get(lease.flow_id)
        if slot is None or slot.lease != lease or self._monotonic() >= slot.good_until:
            return False
        with self._database.vault() as connection:
            row = connection.execute(sa.select(leases).where(leases.c.flow_id == lease.flow_id)).one_or_none()
        return row is not None and row.holder == slot.holder and row.fence == lease.fence

    def check(self, flow_id: str) -> None:
        """That this thread, which took it, has it still. Raises: HostBusy flow-busy."""
        with self._guard:
            slot = self._slots.get(flow_id)
        if slot is None or slot.lease is None or not self.holds(slot.lease):
            raise HostBusy("flow-busy")

    def renew(self) -> None:
        """Every lease that is held now gets its full time again."""
        with self._guard:
            held = [(flow_id, slot, slot.lease) for flow_id, slot in self._slots.items() if slot.lease is not None]
        for flow_id, slot, lease in held:
            begun = self._monotonic()
            with self._database.vault_writing() as connection:
                kept = connection.execute(
                    sa.update(leases)
                    .where(
                        leases.c.flow_id == flow_id,
                        leases.c.holder == slot.holder,
                        leases.c.fence == lease.fence,
                        leases.c.expires_at_ms > 0,
                    )
                    .values(expires_at_ms=_now_ms(connection.dialect.name, self._clock) + self._ttl_ms)
                )
            if kept.rowcount == 1:
                slot.good_until = begun + self._ttl_s

    def _take(self, flow_id: str, slot: _Slot, deadline: float) -> None:
        holder = secrets.token_hex(8)
        while True:
            begun = self._monotonic()
            fence = self._try(flow_id, holder)
            if fence is not None:
                slot.holder, slot.good_until = holder, begun + self._ttl_s
                slot.lease = Lease(flow_id, fence)
                self._start_renewing()
                return
            if self._monotonic() + _POLL_S >= deadline:
                raise HostBusy("flow-busy")
            self._pause(_POLL_S)

    def _try(self, flow_id: str, holder: str) -> int | None:
        """Returns: the fence, or None: somebody else has it."""
        mine = {"instance_id": self._instance_id, "boot_id": self._boot_id, "holder": holder}
        try:
            with self._database.vault_writing() as connection:
                highest = connection.execute(sa.select(heads.c.fence).where(heads.c.flow_id == flow_id)).scalar()
                row = connection.execute(sa.select(leases).where(leases.c.flow_id == flow_id)).one_or_none()
                fence = 1 + max(highest or 0, row.fence if row is not None else 0)
                now = _now_ms(connection.dialect.name, self._clock)
                values = {**mine, "fence": fence, "expires_at_ms": now + self._ttl_ms}
                if row is None:
                    connection.execute(sa.insert(leases).values(flow_id=flow_id, **values))
                    return fence
                taken = connection.execute(
                    sa.update(leases)
                    .where(
                        leases.c.flow_id == flow_id,
                        leases.c.fence == row.fence,
                        leases.c.expires_at_ms <= now,
                    )
                    .values(values)
                )
                return fence if taken.rowcount == 1 else None
        except sa.exc.IntegrityError:
            return None

    def _give_back(self, flow_id: str, slot: _Slot) -> None:
        lease, slot.lease = slot.lease, None
        assert lease is not None
        try:
            with self._database.vault_writing() as connection:
                connection.execute(
                    sa.update(leases)
                    .where(leases.c.flow_id == flow_id, leases.c.holder == slot.holder, leases.c.fence == lease.fence)
                    .values(expires_at_ms=0)
                )
        except sa.exc.OperationalError:
            _log.warning("lease.not_released", flow_id=flow_id)

    def _free_earlier_boots(self) -> None:
        with self._database.vault_writing() as connection:
            connection.execute(
                sa.update(leases)
                .where(leases.c.instance_id == self._instance_id, leases.c.boot_id != self._boot_id)
                .values(expires_at_ms=0)
            )

    def _slot(self, flow_id: str) -> _Slot:
        with self._guard:
            slot = self._slots.setdefault(flow_id, _Slot(self._lock()))
            slot.users += 1
            return slot

    def _leave(self, flow_id: str, slot: _Slot) -> None:
        with self._guard:
            slot.users -= 1
            if slot.users == 0:
                del self._slots[flow_id]

    def _start_renewing(self) -> None:
        with self._guard:
            if self._renewer is None and self._renews:
                self._renewer = threading.Thread(target=self._keep_renewing, name="leases", daemon=True)
                self._renewer.start()

    def _keep_renewing(self) -> None:
        while not self._stop.wait(self._ttl_s / 3):
            try:
                self.renew()
            except Exception as error:
                _log.warning("lease.renewal_failed", error=type(error).__name__)

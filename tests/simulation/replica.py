"""A replica of the product on this world's host and disk: started, killed, started again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from plugin.actions.context import Context, Identity, Limits
from plugin.actions.rebuild import rebuild
from plugin.actions.suspend import look_after
from plugin.actions.sweep import FLOW_WAIT_S, look_at
from plugin.adapters.adoption import Adoption
from plugin.adapters.index import SqlIndex
from plugin.adapters.leases import Leases
from plugin.adapters.letters import Letters, StampWording
from plugin.adapters.refill import Refill
from plugin.adapters.store import Store
from plugin.adapters.vault import SqlVault
from plugin.flow.errors import ParapheurError
from plugin.patience import at_most, waits_at_most
from plugin.ports_state import ChainBroken
from plugin.sweeper import Sweeper
from tests.simulation.absences import accounts as accounts_of
from tests.simulation.database import Disk, SimDatabase
from tests.simulation.files import SimFiles, Weather
from tests.simulation.host import Host
from tests.simulation.keyring import Keyring
from tests.simulation.keys import signer
from tests.simulation.memory import MemoryDatabase, MemoryIndex, MemoryLeases, MemoryRefill, Tables
from tests.simulation.memory_vault import MemoryVault
from tests.simulation.outside import Post, SimBell, SimBlobs, SimDirectory, SimJobs, SimMailer
from tests.simulation.papers import Papers
from tests.simulation.process import Process, Surroundings
from tests.simulation.scheduler import NEVER, TurnLock

SWEEP_EVERY_S = 20.0
LEASE_S = 10.0
PATIENCE_S = 30.0
PUBLIC_URL = "https://sign.example"
EXPECTED = (ParapheurError, ChainBroken, sa.exc.OperationalError)
"""What an action may raise: an answer for people, or a database that takes nothing for a moment."""


class ConnectionLost(Exception):
    """Nobody knows whether it was done: the process died, or there was none."""


class GaveUp(Exception):
    """The client waits no longer; it may be done yet."""


def vault_on(disk: Disk | Tables, process: Process, *, only_instance: bool) -> tuple[Any, SqlVault]:
    """The databases as this process sees them, and the vault in them."""
    if isinstance(disk, Tables):
        in_memory = MemoryDatabase(disk, process)
        return in_memory, MemoryVault(in_memory, only_instance=only_instance)
    database = SimDatabase(disk, process)
    return database, SqlVault(database, only_instance=only_instance)


class Replica:
    def __init__(
        self,
        world: Surroundings,
        name: str,
        disk: Disk | Tables,
        host: Host,
        weather: Weather,
        post: Post,
        users: tuple[str, ...],
        keyring: Keyring,
        on_surprise: Callable[[BaseException], None],
    ) -> None:
        self.world = world
        self.name = name
        self.ctx: Context | None = None
        self.rebuild: Callable[[], object] = lambda: None
        self._disk, self._host, self._weather, self._post, self._users = disk, host, weather, post, users
        self._keyring = keyring
        self._on_surprise = on_surprise
        self._boots = 0
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._waiting: list[tuple[str, str]] = []
        self.process = self._process()

    # ---- life -------------------------------------------------------------------------------------------------------
    def start(self, after: float = 0.0) -> None:
        self.world.scheduler.spawn(f"{self.name} boots", self._boot, self.process, after)

    def kill(self) -> None:
        self.process.end()

    def _process(self) -> Process:
        self._boots += 1
        return Process(self.world, f"{self.name}.{self._boots}", self._died)

    def _died(self) -> None:
        self.ctx = None
        self.process = self._process()
        if not self.world.chances.jobs_survive:
            self._waiting.clear()
        self.start(after=self.world.dice.uniform(0.5, 12.0))

    def _boot(self) -> None:
        try:
            ctx, leases, sweeper = self._wired(self.process)
        except sa.exc.OperationalError:
            self.process.die()
        process = self.process
        process.say("is up")
        self.ctx = ctx
        scheduler = self.world.scheduler
        scheduler.spawn("renews", lambda: self._renews(process, leases), process)
        waiting, self._waiting = self._waiting, []
        for what, flow_id in waiting:
            self._begin(what, flow_id, self.world.dice.random())
        self._sweeps(process, sweeper)

    def _wired(self, process: Process) -> tuple[Context, Leases, Sweeper]:
        world, only = self.world, self.world.chances.replicas == 1
        in_memory = isinstance(self._disk, Tables)
        database, vault = vault_on(self._disk, process, only_instance=only)
        keys = self._keyring.started(process, vault)
        leases = (MemoryLeases if in_memory else Leases)(
            database,
            "simulated",
            only_instance=only,
            ttl_s=LEASE_S,
            clock=process.unix_s,
            monotonic=lambda: world.now,
            pause=process.waits,
            lock=lambda: TurnLock(world.scheduler),
            renews=False,
        )
        index = (MemoryIndex if in_memory else SqlIndex)(database, keys.link_key, vault.postponed)
        files, directory = SimFiles(self._host, self._weather, process), SimDirectory(process, self._users)
        accounts = accounts_of(self._host, files, process)
        refill = (MemoryRefill if in_memory else Refill)(database, only_instance=only, clock=process.unix_s)
        store = Store(files, database, keys, vault, index, leases, accounts, process.clock)
        adoption = Adoption(files, database, keys, vault, index, refill, store)
        letters = Letters(PUBLIC_URL, "Simulated", keys.link_key, "en", "sign.example", process.clock)
        ctx = Context(
            files=files,
            directory=directory,
            accounts=accounts,
            flows=store,
            index=index,
            vault=vault,
            blobs=SimBlobs(process, self._cache),
            jobs=SimJobs(process, self._begin),
            mailer=SimMailer(process, self._post),
            compose=letters.compose,
            bell=SimBell(process),
            notice=letters.notice,
            workshop=Papers(process),  # type: ignore[arg-type]  # stands in for it
            signer=signer(),
            lasting=None,
            wording=StampWording(),
            identity=Identity("Simulated", keys.active.kid, keys.entry(), keys.active.private.sign),
            limits=Limits(),
            clock=process.clock,
            default_language="en",
            default_time_zone="Europe/Paris",
            version="0",
        )
        self.rebuild = lambda: rebuild(files, directory, adoption, monotonic=lambda: world.now)
        sweeper = Sweeper(
            lambda: ctx,
            refill.is_missing,
            self.rebuild,  # type: ignore[arg-type]  # stands in for it
            timedelta(minutes=5),
            monotonic=lambda: world.now,
        )
        return ctx, leases, sweeper

    # ---- what it does by itself -------------------------------------------------------------------------------------
    def _sweeps(self, process: Process, sweeper: Sweeper) -> None:
        while True:
            self._does("sweep", sweeper)
            process.waits(SWEEP_EVERY_S)

    def _renews(self, process: Process, leases: Leases) -> None:
        while True:
            process.waits(LEASE_S / 3)
            self._does("renewal", leases.renew)

    def _begin(self, what: str, flow_id: str, after: float) -> None:
        job = (what, flow_id)
        self._waiting.append(job)
        self.world.scheduler.spawn(what, lambda: self._works(job), self.process, after)

    def _works(self, job: tuple[str, str]) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
        what, flow_id = job
        ctx = self.ctx
        assert ctx is not None
        if what == "look_at":
            self._does(what, lambda: look_at(ctx, flow_id))
        else:
            self._does(what, lambda: at_most(FLOW_WAIT_S)(look_after)(ctx, flow_id))

    def _does(self, what: str, job: Callable[[], object]) -> None:
        """As the queue of jobs does: whatever it raises is logged."""
        try:
            job()
        except EXPECTED as error:
            self.process.say(f"{what}: {type(error).__name__} {getattr(error, 'code', '')}")
        except Exception as surprise:
            self._on_surprise(surprise)

    # ---- what people ask of it --------------------------------------------------------------------------------------
    def request(self, name: str, job: Callable[[Context], Any], timeout: float = NEVER) -> Any:
        """By somebody outside. Raises: ConnectionLost, GaveUp, and what the job raises."""
        world, ctx = self.world, self.ctx
        world.scheduler.sleep(world.latency())
        if ctx is None or self.process.is_dead:
            raise ConnectionLost
        task = world.scheduler.spawn(name, lambda: waits_at_most(PATIENCE_S)(job)(ctx), self.process, joined=True)
        if not world.scheduler.join(task, timeout):
            raise GaveUp
        world.scheduler.sleep(world.latency())
        if task.crashed:
            raise ConnectionLost
        if task.error is not None:
            if not isinstance(task.error, EXPECTED):
                self._on_surprise(task.error)
            raise task.error
        return task.result

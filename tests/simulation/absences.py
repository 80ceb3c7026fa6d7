"""Accounts that are out of service for a while: nothing can be read or written in their name, and nobody signs in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from plugin.adapters.accounts import HomeAccounts
from plugin.ports import Account
from plugin.ports_files import Files
from tests.simulation.host import Host
from tests.simulation.process import Process, Surroundings


class Registry:
    """What the platform says of a login."""

    def __init__(self, host: Host, process: Process) -> None:
        self._host, self._process = host, process

    def account(self, uid: str) -> Account:
        self._process.waits(self._process.world.latency())
        return Account.OUT if uid in self._host.out else Account.ACTIVE


def accounts(host: Host, files: Files, process: Process) -> HomeAccounts:
    return HomeAccounts(Registry(host, process), files, monotonic=lambda: process.world.now)


class Absences:
    def __init__(self, world: Surroundings, host: Host) -> None:
        self._world, self._host = world, host

    def begin(self, users: Iterable[str], within_s: float) -> None:
        dice = self._world.dice
        for user in users:
            if dice.random() < self._world.chances.absences:
                at = dice.uniform(20.0, within_s)
                self._world.scheduler.spawn("absence", partial(self._is_away, user), after=at)

    def end(self) -> None:
        """Whoever is away is back."""
        self._host.out.clear()

    def _is_away(self, user: str) -> None:
        world, lasts_s = self._world, self._world.dice.uniform(5.0, 250.0)
        self._host.out.add(user)
        self._host.were_out.add(user)
        world.trace.say(world.now, "WORLD", f"{user} is out for up to {lasts_s:.0f} s")
        world.trace.count("accounts out")
        world.scheduler.sleep(lasts_s)
        self._host.out.discard(user)
        world.trace.say(world.now, "WORLD", f"{user} is back")

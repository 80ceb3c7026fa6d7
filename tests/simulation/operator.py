"""Who runs the servers: makes a new chain key now and then, and starts them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tests.simulation.keyring import Keyring
from tests.simulation.process import Process, Surroundings
from tests.simulation.replica import EXPECTED, Replica, vault_on


class Premises(Surroundings, Protocol):
    calm_since: float | None
    disk: Any
    keyring: Keyring
    replicas: Sequence[Replica]


def rotates(world: Premises) -> None:
    """As `parapheur keys rotate` does, which may die of it like any other process. Then each server is started again,
    a while after the one before, or stays with the old key until it dies by itself."""
    process = Process(world, "operator", lambda: None)
    vault = vault_on(world.disk, process, only_instance=False)[1]
    made = world.scheduler.spawn("rotates", lambda: world.keyring.rotate(vault), process, joined=True)
    world.scheduler.join(made)
    if made.error is not None and not (made.crashed or isinstance(made.error, EXPECTED)):
        raise made.error
    world.trace.count("keys rotated")
    world.trace.say(world.now, "WORLD", f"a new chain key: {made.result}")
    for replica in world.replicas:
        world.scheduler.sleep(world.dice.uniform(0.5, 60.0))
        if world.calm_since is None and world.dice.random() < 0.7:
            world.trace.say(world.now, "WORLD", f"{replica.name} is started again")
            replica.kill()

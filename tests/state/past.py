"""Parts of a world put back to how they were: what a restored backup, a lost disk or another replica leaves."""

from __future__ import annotations

import sqlalchemy as sa

from plugin.adapters.chain import verified
from plugin.adapters.host_copy import Stored
from plugin.adapters.reader import Read
from plugin.adapters.sql import heads, salts
from plugin.ports_state import Loaded
from tests.state.world import FLOW_ID, STATE, World, place


def put_back(world: World, loaded: Loaded) -> None:
    """Index, vault and host as they were at ``loaded``: what a replica knows that missed what came after."""
    log = b"".join(world.state().splitlines(keepends=True)[: loaded.length])
    world.files.plant(STATE, log)
    set_vault(world, None)
    world.store._commit(_read(world, log), Stored(_etag(world), None), {})


def set_vault(world: World, log: bytes | None, *, with_salts: bool = True) -> None:
    """The vault knows the flow as ``log`` tells it, or not at all."""
    with world.database.vault_writing() as connection:
        connection.execute(sa.delete(heads).where(heads.c.flow_id == FLOW_ID))
        if not with_salts:
            connection.execute(sa.delete(salts).where(salts.c.flow_id == FLOW_ID))
        if log is not None:
            chain = verified(log, world.keys.public_keys, FLOW_ID)
            values = {"head": chain.head, "length": chain.length, "fence": chain.fence}
            where = {"owner": "alice", "path": STATE}
            connection.execute(sa.insert(heads).values(flow_id=FLOW_ID, **values, **where))


def set_index(world: World, log: bytes) -> None:
    """The index holds this copy."""
    with world.database.index_writing() as connection:
        world.index.put(connection, _read(world, log).loaded, log, _etag(world))


def quarantined(world: World) -> list[bytes]:
    found = world.files.list("alice", place().folder)
    return [world.files.read("alice", i.path) or b"" for i in found if i.name.startswith("quarantine-")]


def _read(world: World, log: bytes) -> Read:
    world.store._reader.forget(FLOW_ID)
    return world.store._reader.read(FLOW_ID, log, world.vault.salts(FLOW_ID), place())


def _etag(world: World) -> str:
    found = world.files.read_with_etag("alice", STATE)
    assert found is not None
    return found[1]


def forget_salt(world: World, person: str, flow_id: str = FLOW_ID) -> None:
    with world.database.vault_writing() as connection:
        world.vault.forget_salts(connection, flow_id, [person])


def salts_file(world: World) -> bytes:
    return world.files.read("alice", f"{place().folder}/salts.json") or b""


def plant_salts(world: World, data: bytes) -> None:
    world.files.plant(f"{place().folder}/salts.json", data)

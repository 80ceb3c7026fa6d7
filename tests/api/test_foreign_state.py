"""State files edited by users while the server runs: nothing of it counts, and nobody is stopped by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.world import Browser, World, pdf

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut": lambda good: good[:-40],
    "rolled back": lambda good: good.splitlines(keepends=True)[0],
    "edited": lambda good: good.replace(b"recipient.invited", b"recipient.refused"),
    "replaced": lambda _: b'{"seq":1}\n',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_signing_over_a_damaged_state_file_puts_it_right_first(world: World, alice: Browser, damage: str) -> None:
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    good = world.state_file(flow_id)
    path = world.office.ctx.flows.load(flow_id).place.path
    foreign = DAMAGES[damage](good)
    assert world.dav("alice", "PUT", path, data=foreign).status_code == 204
    answer = world.recipient("bob", flow_id).sign()
    assert answer.status_code == 200, answer.text
    world.settled(flow_id)
    assert world.state_file(flow_id).startswith(good)
    assert alice.get(f"flows/{flow_id}").json()["state"] == "completed"
    kept = [name for name in world.names(folder) if "quarantine-" in name]
    assert [world.read(f"{folder}/{name}") for name in kept] == [foreign]

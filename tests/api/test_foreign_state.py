"""State files edited by users while the server runs: nothing of it counts, and nobody is stopped by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from plugin.actions.context import Context
from plugin.actions.hands import seen, troubles
from plugin.actions.sweep import CHECK_LIMIT, Patrol, finish_erasing
from plugin.adapters.personal import persons_beside, unwrap_salts
from plugin.flow.errors import HostBusy
from plugin.flow.events import PersonErased
from plugin.flow.model import By
from plugin.ports_state import ERASING, QUARANTINED, RESTORED
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
    ctx = world.office.ctx
    assert {t.reason for t in troubles(ctx.vault, ctx.index) if t.flow_id == flow_id} == {QUARANTINED, RESTORED}
    assert len(alice.get(f"flows/{flow_id}").json()["warnings"]) == 2
    assert (seen(ctx.vault, flow_id), seen(ctx.vault, flow_id)) == (2, 0)
    assert alice.get(f"flows/{flow_id}").json()["warnings"] == []


def later(world: World, by: timedelta) -> Context:
    ctx: Context = world.office.ctx
    return replace(ctx, clock=lambda: ctx.clock() + by)


@pytest.mark.parametrize("name", ["flow.jsonl", "salts.json"])
@pytest.mark.parametrize("is_deleted", [True, False])
def test_damage_is_put_right_within_minutes_though_nobody_acts(
    world: World, alice: Browser, name: str, is_deleted: bool
) -> None:
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    good = world.state_file(flow_id)
    patrol = Patrol()
    assert patrol(world.office.ctx) == 0
    path = f"{folder}/.flows/{flow_id}/{name}"
    assert world.dav("alice", "DELETE", path).status_code == 204
    if not is_deleted:
        assert world.dav("alice", "PUT", path, data=b"\x00").status_code == 201
    in_four = later(world, timedelta(minutes=4))
    while patrol(in_four):  # flows of other tests that are in trouble are looked at more often
        pass
    assert is_deleted is (world.dav("alice", "PROPFIND", path).status_code == 404)
    in_five = later(world, timedelta(minutes=6))
    while patrol(in_five):
        pass
    assert world.state_file(flow_id) == good
    assert unwrap_salts(world.office.ctx.flows._keys, flow_id, world.read(f"{folder}/.flows/{flow_id}/salts.json"))


def test_the_longest_unchecked_come_first_a_few_at_a_time(world: World) -> None:
    checked: list[str] = []

    def look_after(_: Context, flow_id: str) -> None:
        if flow_id == "03":
            raise HostBusy("flow-busy")
        checked.append(flow_id)

    class Index:
        def running(self) -> list[str]:
            return [f"{n:02}" for n in range(CHECK_LIMIT + 5)]

    def at(minutes: int) -> Context:
        return replace(later(world, timedelta(minutes=minutes)), index=cast(Any, Index()))

    patrol = Patrol(look_after=look_after)
    assert [patrol(at(minutes)) for minutes in (0, 6, 7, 8, 12)] == [0, CHECK_LIMIT, 5, 0, CHECK_LIMIT]
    everyone = [flow_id for flow_id in Index().running() if flow_id != "03"]
    assert checked[: len(everyone)] == everyone


def test_the_sweep_finishes_an_erasure_of_an_ended_flow_and_it_is_told_until_then(
    world: World, alice: Browser
) -> None:
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    world.settled(flow_id)
    ctx, path = world.office.ctx, f"{folder}/.flows/{flow_id}/salts.json"
    before = world.read(path)
    with ctx.flows.lease(flow_id) as lease:
        ctx.flows.append(ctx.flows.load(flow_id), lease, [PersonErased("r1", By.CREATOR)], "creator", ctx.clock())
    assert persons_beside(world.read(path)) == {"creator"}
    assert world.dav("alice", "PUT", path, data=before).status_code == 204
    ctx.vault.note_trouble(flow_id, ERASING, "r1", ctx.clock())
    assert flow_id in {t.flow_id for t in troubles(ctx.vault, ctx.index)}
    finish_erasing(ctx)
    assert persons_beside(world.read(path)) == {"creator"}
    assert flow_id not in {t.flow_id for t in troubles(ctx.vault, ctx.index)}
    read = alice.get(f"flows/{flow_id}").json()["steps"][0]["recipients"][0]
    assert (read["name"], read["user"], read["state"]) == ("", None, "signed")

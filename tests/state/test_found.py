"""What a hostile reader found in the state beside the files, one sentence each."""

from __future__ import annotations

import contextlib
import hashlib

import pytest

from plugin.adapters.personal import unwrap_salts
from plugin.flow.errors import HostUnavailable
from plugin.flow.events import RefusedByRecipient
from plugin.flow.model import Personal
from plugin.ports_files import Written
from plugin.ports_state import ChainBroken, ChainMoved, StatePlace
from tests.state.past import plant_salts, put_back, salts_file
from tests.state.test_newer import newer
from tests.state.world import FLOW_ID, FOLDER, STATE, World, agrees, append, approval, lose_reply, place


def test_salts_of_absurd_depth_are_no_salts(world: World) -> None:
    assert unwrap_salts(world.keys, FLOW_ID, b"[" * 200_000) == {}


def test_what_is_set_aside_is_there_before_it_is_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.launch()
    host, foreign = world.store._host, b"somebody's bytes\n"
    name = host.quarantine(place(), foreign)
    assert world.files.read("alice", f"{FOLDER}/.flows/{FLOW_ID}/{name}") == foreign
    assert host.quarantine(place(), foreign) == name

    other = b"other bytes\n"
    short = f"{FOLDER}/.flows/{FLOW_ID}/{host.quarantine(place(), other)}"
    world.files.plant(short, other[:4])  # half of it, of a write that broke off
    kept = host.quarantine(place(), other)
    assert world.files.read("alice", f"{FOLDER}/.flows/{FLOW_ID}/{kept}") == other

    for length in (12, 64):  # broken off under each name: nothing could be set aside any more, and nobody act
        name = f"quarantine-{hashlib.sha256(other).hexdigest()[:length]}.jsonl"
        world.files.plant(f"{FOLDER}/.flows/{FLOW_ID}/{name}", other[:4])
    kept = host.quarantine(place(), other)
    assert world.files.read("alice", f"{FOLDER}/.flows/{FLOW_ID}/{kept}") == other

    monkeypatch.setattr(world.files, "write", lambda *_, **__: Written("e", None, None))  # 201, and nothing stored
    with pytest.raises(HostUnavailable):
        host.quarantine(place(), b"third\n")


HOME = StatePlace("alice", f".flows/{FLOW_ID}/flow.jsonl")


def plant_home(world: World, data: bytes) -> None:
    world.files.make_folder("alice", HOME.folder)
    world.files.plant(HOME.path, data)


def set_aside(world: World) -> list[bytes]:
    found = world.files.list("alice", HOME.folder)
    return [world.files.read("alice", i.path) or b"" for i in found if i.name.startswith("quarantine-")]


@pytest.mark.parametrize("there", [b"somebody's own file\n", b""])
def test_what_lies_where_a_state_file_is_brought_home_to_is_set_aside_not_written_over(
    world: World, there: bytes
) -> None:
    world.launch()
    log = world.state()
    plant_home(world, there)
    assert world.store.bring_home(FLOW_ID).place == HOME
    assert world.files.read("alice", HOME.path) == log
    assert set_aside(world) == [there]
    agrees(world)


def test_lines_that_lie_there_already_and_nowhere_else_are_taken_in(world: World) -> None:
    loaded = world.launch()
    append(world)
    longer = world.state()
    put_back(world, loaded)
    plant_home(world, longer)
    assert world.store.bring_home(FLOW_ID).length == loaded.length + 1
    assert world.files.read("alice", HOME.path) == longer
    assert set_aside(world) == []
    agrees(world)


def test_a_newer_versions_file_there_is_left_alone(world: World) -> None:
    world.launch()
    log = newer(world, "type")
    plant_home(world, log)
    put = world.files.read("alice", HOME.path)
    with contextlib.suppress(ChainBroken):
        world.store.bring_home(FLOW_ID)
    assert world.files.read("alice", HOME.path) == put


def test_somebody_who_came_in_unseen_can_be_read_after_it_was_tried_again(world: World) -> None:
    """The line arrived, its answer was lost, and so was the look that would have told. The second try made another
    salt, and with the first one the newcomer's address was lost for ever: nobody could be invited."""
    world.launch()
    came = RefusedByRecipient("r1", 1, Personal("r3", "Because"), approval().trace)

    def unseen(path: str) -> None:
        if path == STATE:  # its salts are looked at before they are written
            raise HostUnavailable

    world.files.after_write, world.files.before_read = lose_reply, unseen
    with pytest.raises(HostUnavailable):
        append(world, came)
    world.files.before_read = None
    with pytest.raises(ChainMoved):
        append(world, came)
    assert agrees(world).flow.recipient("r1").reason == Personal("r3", "Because")


def test_a_salt_that_was_held_for_a_line_that_never_came_gives_way_to_the_one_that_is_promised(world: World) -> None:
    loaded = world.launch()
    came = RefusedByRecipient("r1", 1, Personal("r3", "Because"), approval().trace)
    append(world, came)
    newest = world.state()
    beside = salts_file(world)
    put_back(world, loaded)
    with world.database.vault_writing() as vault:
        world.vault.put_salts(vault, FLOW_ID, {"r3": bytes(32)})
    world.files.plant(STATE, newest)
    plant_salts(world, beside)
    world.store.refresh(FLOW_ID)
    assert agrees(world).flow.recipient("r1").reason == Personal("r3", "Because")

"""What a hostile reader found in the state beside the files, one sentence each."""

from __future__ import annotations

import hashlib

import pytest

from plugin.adapters.personal import unwrap_salts
from plugin.flow.errors import HostUnavailable
from plugin.ports import Written
from tests.state.world import FLOW_ID, FOLDER, World, place


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

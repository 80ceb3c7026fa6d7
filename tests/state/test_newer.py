"""What a newer version wrote is read as far as it is understood, and never touched."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
import rfc8785
import sqlalchemy as sa
import structlog

from plugin.actions.rebuild import rebuild
from plugin.adapters import chain as lines
from plugin.adapters.chain import Draft, UnknownFormat, verified
from plugin.adapters.index_tables import ix_flow, ix_person
from plugin.adapters.personal import Curtain
from plugin.flow import events
from plugin.flow.errors import Conflict
from plugin.flow.model import FlowState
from plugin.ports_state import (
    DAMAGED,
    NEWER,
    QUARANTINED,
    ChainBroken,
    ChainMoved,
    Loaded,
)
from tests.state.past import plant_salts, quarantined, salts_file, set_index, set_vault
from tests.state.test_index import People
from tests.state.world import COMMENT, FLOW_ID, MAIL, NOW, STATE, TITLE, World, append, mine, types

KINDS = ["type", "member", "inner member", "value", "format"]


def newer(world: World, kind: str) -> bytes:
    """The flow's log with a line that only a later version knows."""
    log = world.state()
    if kind == "format":
        return _of_format_2(world, log)
    where = Curtain(world.keys).hide(mine(COMMENT, "r1"), world.vault.salts(FLOW_ID))
    mail = {"mail": "invitation", "person": "r1", "round": 1, "message_id": "<m@x>"}
    shown = {"recipient": "r1", "round": 1, "documents": [{"n": 0, "sha256": "a" * 64, "seen_ms": 3}]}
    draft = {
        "type": Draft("recipient:r1", "recipient.teleported", {"recipient": "r1", "where": where}),
        "member": Draft("system", "mail.accepted", {**mail, "weight_g": 3}),
        "inner member": Draft("system", "recipient.invited", shown),
        "value": Draft("system", "mail.accepted", {**mail, "mail": "pigeon"}),
    }[kind]
    chain = verified(log, world.keys.public_keys, FLOW_ID)
    return log + lines.written(chain, [draft], world.keys.active, 7, NOW)


def _of_format_2(world: World, log: bytes) -> bytes:
    """More members in each line, another actor, another first line; signed and chained as ever."""
    out, prev = b"", "0" * 64
    for raw in log.splitlines():
        line = json.loads(raw)
        line |= {"prev": prev, "zone": "b", "actor": "robot:7"}
        if line["seq"] == 1:
            line["data"] |= {"format": 2, "mood": "good"}
        del line["sig"]
        line["sig"] = (
            base64.urlsafe_b64encode(world.keys.active.private.sign(rfc8785.dumps(line))).decode().rstrip("=")
        )
        made = rfc8785.dumps(line)
        prev = hashlib.sha256(made).hexdigest()
        out += made + b"\n"
    return out


@pytest.fixture(params=KINDS)
def log(world: World, request: pytest.FixtureRequest) -> bytes:
    """On the host, unknown to the index; the vault knows what came before, or of another format everything."""
    world.launch()
    log = newer(world, request.param)
    world.files.plant(STATE, log)
    if request.param == "format":
        set_vault(world, log)
    world.files.writes.clear()
    return log


def loaded_from(world: World) -> Loaded:
    world.store.refresh(FLOW_ID)
    loaded = world.store.load(FLOW_ID)
    assert loaded is not None
    return loaded


def is_untouched(world: World, log: bytes) -> bool:
    return (world.files.writes, quarantined(world), world.state()) == ([], [], log)


def troubles(world: World) -> set[str]:
    return {trouble.reason for trouble in world.vault.troubles(FLOW_ID)}


def test_it_is_read_as_far_as_it_is_understood(world: World, log: bytes) -> None:
    loaded = loaded_from(world)
    assert loaded.is_newer
    assert loaded.flow.title.value == TITLE
    assert loaded.length == len(loaded.records) == len(log.splitlines())
    assert types(loaded)[:2] == ["flow.launched", "recipient.invited"]
    for record in loaded.records:
        if record.type == "recipient.teleported":
            assert record.data["where"] == mine(COMMENT, "r1")
    assert is_untouched(world, log)
    assert troubles(world) == {NEWER}


def test_a_second_reading_goes_on_from_the_first(world: World, log: bytes) -> None:
    loaded = loaded_from(world)
    for again in (world, World(world.data, world.files)):
        assert loaded_from(again) == loaded
    again.close()


def test_every_act_is_refused_and_nothing_is_written(world: World, log: bytes) -> None:
    loaded_from(world)
    with pytest.raises(Conflict, match="flow-newer"):
        append(world)
    with pytest.raises(UnknownFormat):
        world.store.bring_home(FLOW_ID)
    world.store.check(FLOW_ID)
    world.store.forget(FLOW_ID)
    assert is_untouched(world, log)


def test_its_salts_are_not_put_right(world: World, log: bytes) -> None:
    loaded_from(world)
    plant_salts(world, b'{"format":2}')
    world.files.writes.clear()
    world.store.check(FLOW_ID)
    assert is_untouched(world, log)
    assert salts_file(world) == b'{"format":2}'


def test_an_act_that_meets_it_takes_it_in_and_is_refused(world: World) -> None:
    world.launch()
    log = newer(world, "type")
    world.files.before_write = lambda *_: world.files.plant(STATE, log)
    with pytest.raises(ChainMoved):
        append(world)
    with pytest.raises(Conflict, match="flow-newer"):
        append(world)
    assert world.state() == log


def test_a_rebuild_takes_it_in_as_it_is_and_nothing_is_due(world: World, log: bytes) -> None:
    (world.data / "index.db").unlink()
    assert rebuild(world.files, People(), world.adopter).flows == 1
    loaded = world.store.load(FLOW_ID)
    assert loaded is not None
    assert loaded.is_newer
    with world.database.index() as connection:
        assert [row.due_at for row in connection.execute(sa.select(ix_flow))] == [None]
        assert {row.my_turn for row in connection.execute(sa.select(ix_person))} == {0}
    assert is_untouched(world, log)


@pytest.mark.parametrize("damage", ["rolled back", "cut", "deleted"])
def test_it_is_not_restored_over_whatever_befell_it(world: World, log: bytes, damage: str) -> None:
    loaded_from(world)
    left = {"rolled back": log.splitlines(keepends=True)[0], "cut": log[:-9], "deleted": b""}[damage]
    if damage == "deleted":
        world.files.delete("alice", STATE)
    else:
        world.files.plant(STATE, left)
    world.files.writes.clear()
    with pytest.raises(UnknownFormat):
        world.store.refresh(FLOW_ID)
    assert (world.files.read("alice", STATE) or b"") == left
    assert world.files.writes == []
    assert troubles(world) == {NEWER, DAMAGED}


def test_a_newer_branch_that_loses_is_left_where_it_lies(world: World) -> None:
    world.launch()
    log = newer(world, "type")
    append(world)
    world.files.plant(STATE, log)
    world.files.writes.clear()
    with pytest.raises(UnknownFormat, match="forked"):
        world.store.refresh(FLOW_ID)
    assert is_untouched(world, log)


def test_what_only_claims_to_be_newer_is_damage(world: World) -> None:
    """Without a signature anybody could stop a flow by one number."""
    world.launch()
    good = world.state()
    foreign = good.replace(b'"format":1', b'"format":2')
    world.files.plant(STATE, foreign)
    world.store.refresh(FLOW_ID)
    assert world.state() == good
    assert quarantined(world) == [foreign]
    assert QUARANTINED in troubles(world)


@pytest.mark.parametrize("change", [{"format": 0}, {"format": "2"}, {"format": -1}])
def test_what_is_no_format_is_no_newer_one(world: World, change: dict[str, object]) -> None:
    world.launch()
    chain = verified(world.state(), world.keys.public_keys, FLOW_ID)
    made = lines.written(
        None, [Draft("creator", "flow.launched", {**chain.lines[0].data, **change})], world.keys.active, 1, NOW
    )
    with pytest.raises(ChainBroken, match="bad-line"):
        verified(made, world.keys.public_keys, FLOW_ID)


def test_a_first_line_that_cannot_be_read_at_all_is_left_alone(world: World) -> None:
    world.launch()
    chain = verified(world.state(), world.keys.public_keys, FLOW_ID)
    data = {name: chain.lines[0].data[name] for name in ("flow_id", "key", "salts")} | {"format": 2, "all": "else"}
    log = lines.written(None, [Draft("creator", "flow.launched", data)], world.keys.active, 1, NOW)
    world.files.plant(STATE, log)
    world.files.writes.clear()
    set_vault(world, log)
    with pytest.raises(UnknownFormat):
        world.store.refresh(FLOW_ID)
    assert is_untouched(world, log)
    (world.data / "index.db").unlink()
    report = rebuild(world.files, People(), world.adopter)
    assert [s.reason for s in report.skipped] == ["unknown-format"]
    assert is_untouched(world, log)


def test_the_version_that_knows_it_goes_on_where_the_older_one_stood_still(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.launch()
    append(world)
    log = world.state()
    with monkeypatch.context() as older:
        older.delitem(events.BY_TYPE, "mail.accepted")
        old = World(world.data, world.files)
        set_index(old, log)
        assert loaded_from(old).is_newer
        assert troubles(old) == {NEWER}
        old.close()
    again = World(world.data, world.files)
    with structlog.testing.capture_logs() as logs:
        loaded = loaded_from(again)
    assert not loaded.is_newer
    assert loaded.flow.state is FlowState.RUNNING
    assert troubles(again) == set()
    assert [entry for entry in logs if entry["event"] == "flow.newer"] == []
    assert types(append(again, MAIL))[-2:] == ["mail.accepted", "mail.accepted"]
    again.close()

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from plugin.adapters.personal import unwrap_salts
from plugin.adapters.sql import leases, salts
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, HostBusy
from plugin.flow.events import MailFailed, RefusedByRecipient
from plugin.flow.model import MailKind, Personal
from plugin.ports_state import ChainBroken, ChainMoved
from tests.state.past import forget_salt, put_back, set_vault
from tests.state.world import (
    FLOW_ID,
    FOLDER,
    MAIL,
    NOW,
    STATE,
    FaultyFiles,
    World,
    agrees,
    append,
    approval,
    place,
    types,
    view,
)


# ---- others who write -----------------------------------------------------------------------------------------------
def test_lines_of_another_replica_are_adopted(world: World) -> None:
    loaded = world.launch()
    other = world.act(FLOW_ID, view())
    newer = world.state()
    put_back(world, loaded)
    world.files.plant(STATE, newer)
    with world.store.lease(FLOW_ID) as lease:
        current = world.store.load(FLOW_ID)
        assert current is not None
        assert current.length == 2
        with pytest.raises(ChainMoved):
            world.store.append(current, lease, [MAIL], "system", NOW)
    assert agrees(world) == other
    assert types(append(world))[-2:] == ["recipient.viewed", "mail.accepted"]


def test_appending_to_an_old_reading_is_refused(world: World) -> None:
    loaded = world.launch()
    append(world)
    with world.store.lease(FLOW_ID) as lease, pytest.raises(ChainMoved):
        world.store.append(loaded, lease, [MAIL], "system", NOW)


@pytest.mark.parametrize("by_append", [True, False])
@pytest.mark.parametrize("kind", ["edited", "truncated", "rolled-back", "garbage", "copied", "empty"])
def test_a_foreign_state_file_is_quarantined_and_reported_then_restored_from_proof(
    world: World, kind: str, by_append: bool
) -> None:
    world.launch()
    rolled_back = world.state()
    append(world)
    good = world.state()
    foreign = {
        "edited": good.replace(b'"round":1', b'"round":2'),
        "truncated": good[:-7],
        "rolled-back": rolled_back,
        "garbage": b"\x00\xff not a chain\n",
        "copied": _other_flow(world),
        "empty": b"",
    }[kind]
    world.files.plant(STATE, foreign)
    if by_append:
        with structlog.testing.capture_logs() as logs, pytest.raises(ChainMoved):
            append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    else:
        with structlog.testing.capture_logs() as logs:
            world.store.refresh(FLOW_ID)
    assert [entry["event"] for entry in logs] == ["state.quarantined", "state.restored"]
    assert logs[0]["reason"] == logs[1]["reason"]
    assert world.state() == good
    kept = [i.path for i in world.files.list("alice", place().folder) if i.name.startswith("quarantine-")]
    assert [world.files.read("alice", path) for path in kept] == [foreign]
    agrees(world)
    append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))


def test_a_branch_signed_by_this_instance_loses_against_the_acknowledged_head(world: World) -> None:
    loaded = world.launch()
    append(world, MailFailed(MailKind.INVITATION, "r1", 1, "other"))
    branch = world.state()
    put_back(world, loaded)
    append(world)
    good = world.state()
    world.files.plant(STATE, branch)
    with structlog.testing.capture_logs() as logs, pytest.raises(ChainMoved):
        append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    assert logs[0]["reason"] == "forked"
    assert world.state() == good


def test_a_broken_state_file_is_restored_where_conditions_do_not_hold(world: World) -> None:
    world.launch()
    good = world.state()
    world.files.plant(STATE, good[:-7])
    world.files.refuses_conditions = True
    with pytest.raises(ChainMoved):
        append(world)
    assert world.state() == good
    append(world)
    agrees(world)


def test_a_deleted_state_file_is_restored(world: World) -> None:
    world.launch()
    good = world.state()
    world.files.delete("alice", place().folder)
    world.store.refresh(FLOW_ID)
    assert world.state() == good
    world.files.delete("alice", f"{FOLDER}/.flows")
    append(world)
    world.store.refresh(FLOW_ID)
    agrees(world)


def test_nothing_is_restored_that_the_vault_did_not_acknowledge(world: World) -> None:
    loaded = world.launch()
    old = world.state()
    append(world)
    with world.database.index_writing() as connection:
        world.index.put(connection, loaded, old, "e")
    world.files.plant(STATE, old)
    with pytest.raises(ChainBroken, match="rolled-back"):
        world.store.refresh(FLOW_ID)
    with pytest.raises(ChainBroken):
        world.store.load(FLOW_ID)
    assert world.state() == old


@pytest.mark.parametrize("offers_search", [True, False])
def test_a_moved_folder_keeps_its_flow(world: World, offers_search: bool) -> None:
    world.launch()
    world.files.offers_search = offers_search
    world.files.make_folder("alice", "Archive")
    world.files.move("alice", FOLDER, "Archive/2026")
    with pytest.raises(ChainMoved):
        append(world)
    loaded = append(world)
    assert loaded.place.path == f"Archive/2026/.flows/{FLOW_ID}/flow.jsonl"
    assert world.files.stat("alice", FOLDER) is None
    agrees(world)


def test_a_flow_that_the_vault_forgot_is_anchored_again_after_asking_the_host(world: World) -> None:
    world.launch()
    loaded = append(world)
    set_vault(world, None, with_salts=False)
    with structlog.testing.capture_logs() as logs:
        assert world.store.load(FLOW_ID) == loaded
    assert [entry["event"] for entry in logs] == ["flow.unanchored"]
    agrees(world)


def test_a_flow_that_the_vault_forgot_and_that_is_nowhere_is_not_taken_from_the_index_alone(world: World) -> None:
    world.launch()
    set_vault(world, None)
    world.files.delete("alice", STATE)
    with pytest.raises(ChainBroken, match="unanchored"):
        world.store.load(FLOW_ID)
    assert world.files.read("alice", STATE) is None


# ---- salts ----------------------------------------------------------------------------------------------------------
def test_a_missing_or_altered_salts_file_is_reported_and_restored(world: World) -> None:
    world.launch()
    path = f"{place().folder}/salts.json"
    for damage in (None, b"{}", b"\xff"):
        if damage is None:
            world.files.delete("alice", path)
        else:
            world.files.plant(path, damage)
        with structlog.testing.capture_logs() as logs:
            world.store.refresh(FLOW_ID)
        assert [entry["event"] for entry in logs] == ["salts.restored"]
    with structlog.testing.capture_logs() as logs:
        world.store.refresh(FLOW_ID)
    assert logs == []


def test_the_salt_of_somebody_who_came_in_by_an_adopted_line_is_taken_from_beside_the_chain(world: World) -> None:
    loaded = world.launch()
    trace = approval().trace
    event = RefusedByRecipient("r1", 1, Personal("r3", "Parce que"), trace)
    with world.store.lease(FLOW_ID) as lease:
        newest = world.store.append(loaded, lease, [event], "recipient:r1", NOW)
    assert "r3" in world.vault.salts(FLOW_ID)
    newer = world.state()
    put_back(world, loaded)
    forget_salt(world, "r3")
    world.files.plant(STATE, newer)
    with pytest.raises(ChainMoved):
        append(world)
    assert agrees(world) == newest


def test_salts_that_the_vault_lost_are_taken_from_beside_the_chain_and_never_wiped_there(world: World) -> None:
    loaded = world.launch()
    path = f"{place().folder}/salts.json"
    beside = world.files.read("alice", path)
    with world.database.vault_writing() as connection:
        connection.execute(sa.delete(salts))
    world.files.delete("alice", path)
    lost = world.store.refresh(FLOW_ID)
    assert lost is not None
    assert lost.flow.title == mine_none("creator")
    assert world.files.read("alice", path) is None
    world.files.plant(path, beside or b"")
    assert world.store.refresh(FLOW_ID) == loaded
    assert world.store.load(FLOW_ID) == loaded
    assert set(world.vault.salts(FLOW_ID)) == {"creator", "r1", "r2"}


def mine_none(person: str) -> Personal:
    return Personal(person, None)


def _other_flow(world: World) -> bytes:
    other = "01957c1e-7a00-7000-8000-000000000002"
    world.launch(other)
    return world.state(other)


def test_whoever_looks_with_a_lease_that_has_run_out_finds_the_flow_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FaultyFiles()
    slow, quick = (World(tmp_path, files, only_instance=False) for _ in range(2))
    slow.launch()
    with monkeypatch.context() as patched:
        patched.setattr(type(slow.store), "_commit", dies)
        with pytest.raises(KeyboardInterrupt):
            append(slow)
    real, overtaken = files.read_with_etag, []

    def stands_still(user: str, path: str) -> tuple[bytes, str] | None:
        found = real(user, path)
        if path == STATE and not overtaken:
            overtaken.append(path)
            with quick.database.vault_writing() as vault:
                vault.execute(sa.update(leases).values(expires_at_ms=0))
            quick.store.refresh(FLOW_ID)
            append(quick)
        return found

    monkeypatch.setattr(files, "read_with_etag", stands_still)
    with pytest.raises(HostBusy):
        slow.store.refresh(FLOW_ID)
    assert types(slow.store.refresh(FLOW_ID)).count("mail.accepted") == 2
    for world in (slow, quick):
        agrees(world)
        world.close()


def dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_decide_is_asked_again_after_an_adoption(world: World) -> None:
    loaded = world.launch()
    world.act(FLOW_ID, approval())
    newer = world.state()
    put_back(world, loaded)
    world.files.plant(STATE, newer)
    with world.store.lease(FLOW_ID) as lease:
        stale = world.store.load(FLOW_ID)
        assert stale is not None
        with pytest.raises(ChainMoved):
            world.store.append(stale, lease, decide(stale.flow, view(), NOW), "recipient:r1", NOW)
        current = world.store.load(FLOW_ID)
        assert current is not None
        with pytest.raises(Conflict):
            decide(current.flow, view(), NOW)


def test_a_moved_and_damaged_state_file_is_restored_where_it_lies_now(world: World) -> None:
    world.launch()
    good = world.state()
    world.files.move("alice", FOLDER, "Archive")
    world.files.plant(f"Archive/.flows/{FLOW_ID}/flow.jsonl", good[:-9])
    world.store.refresh(FLOW_ID)
    assert world.state(folder="Archive") == good
    assert agrees(world).place.path.startswith("Archive/")
    assert world.files.stat("alice", FOLDER) is None


# ---- looked at now and then -----------------------------------------------------------------------------------------
def test_an_untouched_flow_is_checked_by_one_call(world: World) -> None:
    world.launch()
    world.store.check(FLOW_ID)
    append(world)
    before = world.files.calls
    world.store.check(FLOW_ID)
    assert world.files.calls == before + 1


@pytest.mark.parametrize("name", ["flow.jsonl", "salts.json"])
@pytest.mark.parametrize("damage", [None, b"", b"\xff{}\n"])
def test_a_check_restores_what_was_deleted_or_garbled(world: World, name: str, damage: bytes | None) -> None:
    world.launch()
    append(world)
    path = f"{place().folder}/{name}"
    world.store.check(FLOW_ID)
    good = world.files.read("alice", path)
    for _ in range(2):
        if damage is None:
            world.files.delete("alice", path)
        else:
            world.files.plant(path, damage)
        with structlog.testing.capture_logs() as logs:
            world.store.check(FLOW_ID)
        assert logs[-1]["event"] == ("state.restored" if name == "flow.jsonl" else "salts.restored")
        restored = world.files.read("alice", path) or b""
        salts_there = unwrap_salts(world.keys, FLOW_ID, restored)
        assert restored == good if name == "flow.jsonl" else salts_there == world.vault.salts(FLOW_ID)
    with structlog.testing.capture_logs() as logs:
        world.store.check(FLOW_ID)
    assert logs == []
    before = world.files.calls
    world.store.check(FLOW_ID)
    assert world.files.calls == before + 1
    agrees(world)


def test_a_check_follows_a_moved_folder(world: World) -> None:
    world.launch()
    world.store.check(FLOW_ID)
    world.files.move("alice", FOLDER, "Archive")
    world.store.check(FLOW_ID)
    assert agrees(world).place.path.startswith("Archive/")

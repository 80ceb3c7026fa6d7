from __future__ import annotations

import threading
from pathlib import Path

import pytest
import structlog

from plugin.adapters.chain import UnknownFormat
from plugin.adapters.host_copy import Stored
from plugin.flow import codec
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, HostBusy, HostUnavailable
from plugin.flow.events import MailAccepted, MailFailed, RefusedByRecipient
from plugin.flow.model import MailKind, Personal, RecipientState
from plugin.ports import ChainBroken, ChainMoved, Files, Flows, Index, Lease, Loaded, Vault
from tests.state import independent_verifier
from tests.state.world import (
    FLOW_ID,
    FOLDER,
    NOW,
    FaultyFiles,
    World,
    approval,
    launched,
    lose_reply,
    mine,
    place,
    view,
)

STATE = place().path
MAIL = MailAccepted(MailKind.INVITATION, "r1", 1, "<m@x>")


def types(loaded: Loaded | None) -> list[str]:
    assert loaded is not None
    return [record.type for record in loaded.records]


def append(world: World, *events: MailAccepted | MailFailed, actor: str = "system") -> Loaded:
    with world.store.lease(FLOW_ID) as lease:
        loaded = world.store.load(FLOW_ID)
        assert loaded is not None
        return world.store.append(loaded, lease, events or (MAIL,), actor, NOW)


def agrees(world: World) -> Loaded:
    """Host, index, vault and an independent reader tell the same."""
    loaded = world.store.load(FLOW_ID)
    anchor = world.vault.anchor(FLOW_ID)
    assert loaded is not None
    assert anchor is not None
    state = world.files.read(anchor.place.owner, anchor.place.path)
    assert state is not None
    seen = independent_verifier.verify(state, FLOW_ID)
    assert seen == (loaded.head, loaded.length) == (anchor.head, anchor.length)
    return loaded


def test_the_parts_are_what_the_ports_ask_for(world: World) -> None:
    flows: Flows = world.store
    vault: Vault = world.vault
    index: Index = world.index
    files: Files = world.files
    assert all((flows, vault, index, files))


def test_a_launched_flow_reads_as_it_was_told(world: World) -> None:
    loaded = world.launch()
    assert loaded == agrees(world)
    assert types(loaded) == ["flow.launched", "recipient.invited"]
    assert loaded.records[0].data["title"] == mine("Bail commercial Lefèvre")
    assert "salts" not in loaded.records[0].data
    assert world.store.load("01957c1e-7a00-7000-8000-00000000ffff") is None


def test_load_asks_the_host_nothing(world: World) -> None:
    world.launch()
    calls = world.files.calls
    for _ in range(3):
        world.store.load(FLOW_ID)
    assert world.files.calls == calls


def test_the_budget_of_host_calls_is_kept(world: World) -> None:
    world.files.make_folder("alice", FOLDER)
    calls = world.files.calls
    world.store.create(place(), launched(), NOW)
    assert world.files.calls - calls == 3
    calls = world.files.calls
    world.act(FLOW_ID, approval())
    assert world.files.calls - calls == 1
    world.files.hashes_writes = False
    calls = world.files.calls
    append(world)
    assert world.files.calls - calls == 2


def test_another_process_reads_the_same_flow_from_the_same_data(world: World) -> None:
    world.launch()
    loaded = world.act(FLOW_ID, approval())
    again = World(world.data, world.files)
    assert again.store.load(FLOW_ID) == loaded
    again.close()


def test_nothing_is_done_for_no_events(world: World) -> None:
    loaded = world.launch()
    with world.store.lease(FLOW_ID) as lease:
        assert world.store.append(loaded, lease, [], "system", NOW) is loaded


def test_a_flow_is_created_once(world: World) -> None:
    world.launch()
    with pytest.raises(ChainBroken, match="exists"):
        world.launch()
    agrees(world)


def test_the_state_file_of_somebody_else_is_not_overwritten(world: World) -> None:
    world.files.make_folder("alice", place().folder)
    world.files.plant(STATE, b"mine\n")
    with pytest.raises(ChainBroken, match="exists"):
        world.launch()
    assert world.files.read("alice", STATE) == b"mine\n"
    assert world.vault.anchor(FLOW_ID) is None


# ---- answers that get lost ------------------------------------------------------------------------------------------
def test_a_lost_answer_to_the_first_put_is_resolved(world: World) -> None:
    world.files.after_write = lose_reply
    world.launch()
    agrees(world)


def test_a_first_put_that_never_arrived_leaves_nothing_acknowledged_and_can_be_repeated(world: World) -> None:
    world.files.before_write = lose_reply
    with pytest.raises(HostUnavailable):
        world.launch()
    assert world.store.load(FLOW_ID) is None
    assert world.vault.salts(FLOW_ID) == {}
    world.launch()
    agrees(world)


def test_a_lost_answer_to_an_append_is_resolved_with_one_event(world: World) -> None:
    world.launch()
    world.files.after_write = lose_reply
    assert types(append(world)).count("mail.accepted") == 1
    assert types(agrees(world)).count("mail.accepted") == 1


def test_a_put_that_never_arrived_changes_nothing(world: World) -> None:
    before = world.launch()
    world.files.before_write = lose_reply
    with pytest.raises(HostUnavailable):
        append(world)
    assert agrees(world) == before


def test_a_host_that_dies_in_the_middle_leaves_the_event_to_be_adopted_not_doubled(world: World) -> None:
    world.launch()

    def die(_path: str, _data: bytes) -> None:
        world.files.failing = HostUnavailable()
        raise HostUnavailable

    world.files.after_write = die
    with pytest.raises(HostUnavailable):
        world.act(FLOW_ID, approval())
    world.files.failing = None
    with pytest.raises(ChainMoved):
        world.act(FLOW_ID, approval())
    with pytest.raises(Conflict, match="already-decided"):
        world.act(FLOW_ID, approval())
    assert types(agrees(world)).count("recipient.approved") == 1


def test_a_half_written_put_is_written_again(world: World) -> None:
    world.launch()

    def tear(path: str, data: bytes) -> None:
        world.files.plant(path, data[: len(data) - 40])
        raise HostUnavailable

    world.files.after_write = tear
    append(world)
    assert types(agrees(world)).count("mail.accepted") == 1


def test_a_201_that_stored_nothing_is_not_believed(world: World) -> None:
    world.launch()
    world.files.hashes_writes = False
    before = world.state()
    world.files.after_write = lambda path, _data: world.files.plant(path, before)
    append(world)
    assert types(agrees(world)).count("mail.accepted") == 1


def test_a_weak_etag_does_not_stop_two_quick_appends(world: World) -> None:
    world.files.etags = lambda etag: f"W/{etag}"
    world.launch()
    append(world)
    agrees(world)


def test_a_crash_between_put_and_vault_is_adopted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.launch()

    class Killed(BaseException):
        pass

    def die(_self: object, *_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(world.store), "_commit", die)
        with pytest.raises(Killed):
            append(world)
    again = World(world.data, world.files)
    assert types(again.store.refresh(FLOW_ID)).count("mail.accepted") == 1
    agrees(again)
    again.close()


def test_an_index_that_is_behind_the_vault_is_refreshed_by_load(world: World) -> None:
    loaded = world.launch()
    old = world.state()
    append(world)
    with world.database.index_writing() as connection:
        world.index.put(connection, loaded, old, "old-etag")
    assert types(world.store.load(FLOW_ID))[-1] == "mail.accepted"
    agrees(world)


def test_a_forged_row_of_the_index_is_not_believed(world: World) -> None:
    loaded = world.launch()
    world.store._reader.forget(FLOW_ID)
    with world.database.index_writing() as connection:
        world.index.put(connection, loaded, world.state().replace(b'"round":1', b'"round":2'), "e")
    assert world.store.load(FLOW_ID) == loaded
    agrees(world)


# ---- others who write -----------------------------------------------------------------------------------------------
def test_lines_of_another_replica_are_adopted(world: World) -> None:
    loaded = world.launch()
    other = world.act(FLOW_ID, view())
    newer = world.state()
    _put_back(world, loaded)
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


@pytest.mark.parametrize("kind", ["edited", "truncated", "rolled-back", "garbage", "copied", "empty"])
def test_a_foreign_state_file_is_quarantined_and_reported_then_restored_from_proof(world: World, kind: str) -> None:
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
    with structlog.testing.capture_logs() as logs, pytest.raises(ChainBroken) as caught:
        append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    assert any(entry["event"] == "state.quarantined" and entry["reason"] == caught.value.reason for entry in logs)
    assert world.files.read("alice", STATE) == foreign
    with structlog.testing.capture_logs() as logs:
        world.store.refresh(FLOW_ID)
    assert "state.restored" in [entry["event"] for entry in logs]
    assert world.state() == good
    kept = [i.path for i in world.files.list("alice", place().folder) if i.name.startswith("quarantine-")]
    assert [world.files.read("alice", path) for path in kept] == [foreign]
    agrees(world)
    append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))


def test_a_branch_signed_by_this_instance_loses_against_the_acknowledged_head(world: World) -> None:
    loaded = world.launch()
    append(world, MailFailed(MailKind.INVITATION, "r1", 1, "other"))
    branch = world.state()
    _put_back(world, loaded)
    append(world)
    good = world.state()
    world.files.plant(STATE, branch)
    with pytest.raises(ChainBroken, match="forked"):
        append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    world.store.refresh(FLOW_ID)
    assert world.state() == good


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


def test_a_flow_of_a_newer_version_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.launch()
    append(world)
    newer = world.state()
    monkeypatch.delitem(codec.BY_TYPE, "mail.accepted")
    world.store._reader.forget(FLOW_ID)
    with pytest.raises(UnknownFormat):
        world.store.load(FLOW_ID)
    with pytest.raises(UnknownFormat):
        world.store.refresh(FLOW_ID)
    assert world.state() == newer
    assert not [i for i in world.files.list("alice", place().folder) if "quarantine" in i.name]


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
    _put_back(world, loaded)
    world.vault.forget_salt(FLOW_ID, "r3")
    world.files.plant(STATE, newer)
    with pytest.raises(ChainMoved):
        append(world)
    assert agrees(world) == newest


def test_an_erased_person_reads_none_and_the_chain_still_verifies(world: World) -> None:
    world.launch()
    world.act(FLOW_ID, approval())
    world.store.forget(FLOW_ID, "r1")
    for reader in (world, World(world.data, world.files)):
        loaded = reader.store.load(FLOW_ID)
        assert loaded is not None
        erased, other = loaded.flow.recipients
        assert (erased.name, erased.email, erased.comment) == ("", mine_none("r1"), mine_none("r1"))
        assert erased.state is RecipientState.APPROVED
        assert other.name == "Zoé Quintard"
        agrees(reader)
    reader.close()
    append(world)
    assert b'"r1"' not in (world.files.read("alice", f"{place().folder}/salts.json") or b"")
    loaded = append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    assert loaded.flow.recipients[0].name == ""


# ---- leases and threads ---------------------------------------------------------------------------------------------
def test_a_lease_that_was_lost_writes_nothing(world: World) -> None:
    loaded = world.launch()
    with world.store.lease(FLOW_ID) as lease:
        stale = Lease(FLOW_ID, lease.fence - 1)
        with pytest.raises(HostBusy):
            world.store.append(loaded, stale, [MAIL], "system", NOW)
    with pytest.raises(HostBusy):
        world.store.append(loaded, lease, [MAIL], "system", NOW)
    assert agrees(world) == loaded


def test_each_append_carries_a_higher_fence(world: World) -> None:
    world.launch()
    append(world)
    append(world, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    fences = [line.fence for line in world.store._reader.chain(FLOW_ID).lines]  # type: ignore[union-attr]
    assert fences == [1, 1, 2, 3]


def test_an_actor_that_no_chain_may_name_is_refused_before_anything_is_written(world: World) -> None:
    world.launch()
    before = world.state()
    with pytest.raises(ChainBroken):
        append(world, actor="somebody else")
    assert world.state() == before
    agrees(world)


def test_two_threads_that_append_at_once_both_get_one_event(world: World) -> None:
    world.launch(recipients=2)
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        start.wait()
        try:
            append(world, MailAccepted(MailKind.COMPLETED, f"p{number}", 0, f"<{number}@x>"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    loaded = agrees(world)
    assert sorted(m.person for m in loaded.flow.mails) == [f"p{number}" for number in range(8)]


def test_two_replicas_that_append_at_once_both_get_one_event(tmp_path: Path) -> None:
    files = FaultyFiles()
    one = World(tmp_path, files, only_instance=False)
    other = World(tmp_path, files, only_instance=False)
    one.launch()
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def work(world: World, name: str) -> None:
        start.wait()
        for number in range(5):
            try:
                append(world, MailAccepted(MailKind.COMPLETED, f"{name}{number}", 0, "<m@x>"))
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in ((one, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(agrees(one).flow.mails) == len(agrees(other).flow.mails) == 10
    one.close()
    other.close()


def test_the_same_approval_at_once_from_many_threads_is_one_event(world: World) -> None:
    world.launch()
    start = threading.Barrier(6)
    outcomes: list[str] = []

    def work() -> None:
        start.wait()
        try:
            world.act(FLOW_ID, approval())
            outcomes.append("done")
        except Conflict as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already-decided"] * 5 + ["done"]
    assert types(agrees(world)).count("recipient.approved") == 1


def mine_none(person: str) -> Personal:
    return Personal(person, None)


def _put_back(world: World, loaded: Loaded) -> None:
    """Index, vault and host as they were at ``loaded``: what a replica knows that missed what came after."""
    chain = world.store._reader.chain(FLOW_ID)
    assert chain is not None
    log = b"".join(chain.log.splitlines(keepends=True)[: loaded.length])
    world.store._reader.forget(FLOW_ID)
    world.files.plant(STATE, log)
    read = world.store._reader.read(FLOW_ID, log, world.vault.salts(FLOW_ID), loaded.place)
    found = world.files.read_with_etag("alice", STATE)
    assert found is not None
    world.store._commit(read, Stored(found[1], None), {})


def _other_flow(world: World) -> bytes:
    other = "01957c1e-7a00-7000-8000-000000000002"
    world.launch(other)
    return world.state(other)


def test_decide_is_asked_again_after_an_adoption(world: World) -> None:
    loaded = world.launch()
    world.act(FLOW_ID, approval())
    newer = world.state()
    _put_back(world, loaded)
    world.files.plant(STATE, newer)
    with world.store.lease(FLOW_ID) as lease:
        stale = world.store.load(FLOW_ID)
        assert stale is not None
        with pytest.raises(ChainMoved):
            world.store.append(stale, lease, decide(stale.flow, view()), "recipient:r1", NOW)
        current = world.store.load(FLOW_ID)
        assert current is not None
        with pytest.raises(Conflict):
            decide(current.flow, view())

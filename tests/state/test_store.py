from __future__ import annotations

import threading
from pathlib import Path

import pytest

from plugin.flow.errors import Conflict, HostBusy, HostUnavailable
from plugin.flow.events import MailAccepted, MailFailed
from plugin.flow.model import MailKind
from plugin.ports_files import Files
from plugin.ports_state import (
    ChainBroken,
    ChainMoved,
    Flows,
    Index,
    Lease,
)
from plugin.ports_vault import Vault
from tests.state.world import (
    FLOW_ID,
    MAIL,
    NOW,
    STATE,
    FaultyFiles,
    World,
    agrees,
    append,
    approval,
    launched,
    lose_reply,
    mine,
    place,
    types,
)


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
    world.files.make_folder("alice", place().folder)  # a launch has put the revisions there
    calls = world.files.calls
    world.store.create(place(), launched(), NOW)
    assert world.files.calls - calls == 2
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
    world.launch()
    world.files.refuses_conditions = True
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
    fences = [line.fence for line in world.store._reader.chain(FLOW_ID).lines]  # type: ignore[union-attr]  # it is known
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

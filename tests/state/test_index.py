from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from plugin.actions.rebuild import Report, rebuild
from plugin.adapters.index_tables import index_tables
from plugin.adapters.sql import Database, heads, salts
from plugin.flow.errors import HostUnavailable, IndexMissing
from plugin.flow.events import MailAccepted
from plugin.flow.model import MailKind
from plugin.flow.tokens import link_token, token_hash
from plugin.ports_files import FileInfo
from plugin.ports_state import LinkRow
from tests.state.world import FLOW_ID, NOW, World, append, approval, erased, place, view

LATER = NOW + dt.timedelta(days=1)


def flow_id(number: int) -> str:
    return f"01957c1e-7a00-7000-8000-{number:012x}"


@dataclass
class People:
    logins: Sequence[str] = ("alice", "bob", "carol")

    def users(self) -> Sequence[str]:
        return self.logins


def dump(world: World) -> dict[str, list[tuple[object, ...]]]:
    with world.database.index() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(sa.select(table)))
            for table in index_tables.sorted_tables
        }


def rebuilt(world: World) -> Report:
    return rebuild(world.files, People(), world.adopter)


@pytest.fixture
def busy(world: World) -> World:
    """Five flows in every state, in two folders."""
    for number in range(1, 6):
        world.launch(flow_id(number), folder="Contracts" if number % 2 else "Autres")
    world.act(flow_id(2), view())
    world.act(flow_id(3), approval())
    world.act(flow_id(4), approval())
    world.act(flow_id(4), approval("r2"), "recipient:r2")
    return world


# ---- lists ----------------------------------------------------------------------------------------------------------
def test_boxes_show_what_is_his_turn_what_he_sent_and_what_ended(busy: World) -> None:
    def ids(uid: str, box: str, **how: object) -> list[str]:
        asked = {"text": "", "state": "", "before": None, "limit": 10} | how
        return [row.flow_id for row in busy.index.box(uid, None, box, **asked)]  # type: ignore[arg-type]  # passed on

    assert ids("bob", "todo") == [flow_id(3)]
    assert ids("alice", "sent") == [flow_id(n) for n in (5, 4, 3, 2, 1)]
    assert ids("alice", "done") == ids("bob", "done") == [flow_id(4)]
    assert ids("alice", "sent", limit=2) == [flow_id(5), flow_id(4)]
    assert ids("alice", "sent", before=flow_id(4), limit=2) == [flow_id(3), flow_id(2)]
    assert ids("alice", "sent", state="completed") == [flow_id(4)]
    assert ids("alice", "sent", text="LEFÈVRE bail") == ids("alice", "sent")
    assert ids("alice", "sent", text="100%") == ids("alice", "sent", text="b_il") == []
    assert ids("carol", "todo") == ids("", "todo") == ids("", "done") == []


def test_links_of_every_recipient_lead_to_him(busy: World) -> None:
    for recipient in ("r1", "r2"):
        found = busy.index.link(token_hash(link_token(busy.keys.link_key, FLOW_ID, recipient, 1)))
        assert found == LinkRow(FLOW_ID, recipient, 1)
    assert busy.index.link("0" * 64) is None


def test_files_and_requests_lead_to_their_flows(busy: World) -> None:
    assert busy.index.flows_of_file("77") == [flow_id(n) for n in (5, 4, 3, 2, 1)]
    assert busy.index.flows_of_file("78") == []
    assert busy.index.flow_of_request("alice", "k" * 64) == flow_id(1)
    assert busy.index.flow_of_request("bob", "k" * 64) is None


def test_what_owes_something_is_due_and_what_failed_a_moment_ago_comes_last(busy: World) -> None:
    assert set(busy.index.due(LATER, 10)) == {flow_id(n) for n in range(1, 6)}
    first = busy.index.due(LATER, 10)[0]
    assert busy.vault.claim(first, "mail", LATER, 30)
    busy.vault.postpone(first, "mail", LATER, "x")
    assert busy.index.due(LATER, 10)[-1] == first
    assert first not in busy.index.due(LATER, 4)
    with busy.store.lease(FLOW_ID) as lease:
        loaded = busy.store.load(FLOW_ID)
        assert loaded is not None
        busy.store.append(loaded, lease, [MailAccepted(MailKind.INVITATION, "r1", 1, "<m@x>")], "system", NOW)
    assert FLOW_ID not in busy.index.due(LATER, 10)
    assert busy.index.due(NOW - dt.timedelta(days=1), 10) == []


# ---- missing --------------------------------------------------------------------------------------------------------
def _delete_index(world: World, *, whole: bool) -> None:
    names = ("index.db", "index.db-wal", "index.db-shm") if whole else ("index.db",)
    for name in names:
        (world.data / name).unlink(missing_ok=True)


@pytest.mark.sqlite_files
@pytest.mark.parametrize("whole", [True, False])
def test_an_index_deleted_under_a_running_process_is_noticed_and_rebuilt(busy: World, whole: bool) -> None:
    before = dump(busy)
    _delete_index(busy, whole=whole)
    assert busy.refill.is_missing()
    for look_up in (
        lambda: busy.index.link("0" * 64),
        lambda: busy.index.due(NOW, 1),
        lambda: busy.store.load(FLOW_ID),
        lambda: busy.store.refresh(FLOW_ID),
        lambda: busy.launch(flow_id(9)),
    ):
        with pytest.raises(IndexMissing):
            look_up()
    assert busy.files.stat("alice", place(flow_id(9)).folder) is None
    assert rebuilt(busy).flows == 5
    assert not busy.refill.is_missing()
    assert dump(busy) == before


@pytest.mark.sqlite_files
@pytest.mark.parametrize("whole", [True, False])
def test_an_index_deleted_at_rest_is_missing_at_the_next_start(busy: World, whole: bool) -> None:
    before = dump(busy)
    busy.close()
    _delete_index(busy, whole=whole)
    again = World(busy.data, busy.files)
    assert again.refill.is_missing()
    rebuilt(again)
    assert dump(again) == before
    again.close()


def test_an_index_deleted_between_load_and_append_loses_no_event(busy: World) -> None:
    with busy.store.lease(FLOW_ID) as lease:
        loaded = busy.store.load(FLOW_ID)
        assert loaded is not None
        event = MailAccepted(MailKind.INVITATION, "r1", 1, "<m@x>")
        busy.files.after_write = lambda _path, _data: _delete_index(busy, whole=True)
        after = busy.store.append(loaded, lease, [event], "system", NOW)
    rebuilt(busy)
    assert busy.store.load(FLOW_ID) == after


def test_while_it_is_rebuilt_it_is_missing(busy: World) -> None:
    busy.adopter.begin_rebuild()
    assert busy.refill.is_missing()
    with pytest.raises(IndexMissing):
        busy.store.load(FLOW_ID)


# ---- rebuild --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("offers_search", [True, False])
def test_a_rebuild_gives_the_same_rows(busy: World, offers_search: bool) -> None:
    busy.files.offers_search = offers_search
    before = dump(busy)
    assert rebuilt(busy) == Report(5, (), 0)
    assert dump(busy) == before
    assert rebuilt(busy) == Report(5, (), 0)
    assert dump(busy) == before


def test_a_rebuild_from_files_alone_gives_the_same_rows(busy: World, tmp_path: Path) -> None:
    before = dump(busy)
    with busy.database.vault_writing() as connection:
        connection.execute(sa.delete(heads))
        connection.execute(sa.delete(salts))
    assert rebuilt(busy) == Report(5, (), 0)
    assert dump(busy) == before
    again = World(busy.data, busy.files)
    assert again.store.load(FLOW_ID) == busy.store.load(FLOW_ID)
    again.close()


def test_a_copied_folder_is_listed_and_does_not_win(busy: World) -> None:
    before = dump(busy)
    copy = place(FLOW_ID, "A copy")
    for name in ("flow.jsonl", "salts.json"):
        data = busy.files.read("alice", f"{place().folder}/{name}")
        assert data is not None
        busy.files.make_folder("alice", copy.folder)
        busy.files.plant(f"{copy.folder}/{name}", data)
    report = rebuilt(busy)
    assert report.flows == 5
    assert [(s.flow_id, s.place, s.reason) for s in report.skipped] == [(FLOW_ID, copy, "copy")]
    assert dump(busy) == before


def test_a_copy_in_a_strangers_area_does_not_win_even_without_a_vault(busy: World) -> None:
    before = dump(busy)
    stranger = place(FLOW_ID, "A", owner="bob")
    busy.files.make_folder("bob", stranger.folder)
    for name in ("flow.jsonl", "salts.json"):
        data = busy.files.read("alice", f"{place().folder}/{name}")
        assert data is not None
        busy.files.plant(f"{stranger.folder}/{name}", data, "bob")
    with busy.database.vault_writing() as connection:
        connection.execute(sa.delete(heads))
        connection.execute(sa.delete(salts))
    report = rebuilt(busy)
    assert [(s.place, s.reason) for s in report.skipped] == [(stranger, "creator-unknown")]
    assert dump(busy) == before


class InCommon:
    """All that Alice has, a hundred others see as well, and first by its path: the same files, with the same ids."""

    others = tuple(f"user{number}" for number in range(100))

    def __init__(self, files: Any) -> None:
        self._files = files
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def find_by_name(self, user: str, name: str) -> list[FileInfo]:
        found: list[FileInfo] = self._files.find_by_name("alice", name)
        return found if user == "alice" else [replace(one, path=f"0/{one.path}") for one in found]

    def read(self, user: str, path: str) -> Any:
        return self._files.read("alice", path.removeprefix("0/"))

    def read_with_etag(self, user: str, path: str) -> Any:
        self.reads += 1
        return self._files.read_with_etag("alice", path.removeprefix("0/"))


@pytest.mark.parametrize("with_vault", [True, False])
def test_one_file_that_many_see_is_its_creators_flow_and_no_copy(busy: World, with_vault: bool) -> None:
    before = dump(busy)
    if not with_vault:
        with busy.database.vault_writing() as connection:
            connection.execute(sa.delete(heads))
            connection.execute(sa.delete(salts))
    files: Any = InCommon(busy.files)
    busy.adopter.host._files = files
    assert rebuild(files, People((*InCommon.others, "alice")), busy.adopter) == Report(5, (), 0)
    assert files.reads == (5 if with_vault else 2 * 5)
    assert dump(busy) == before


def test_a_moved_folder_is_found(busy: World) -> None:
    busy.files.move("alice", "Autres", "Moved")
    assert rebuilt(busy) == Report(5, (), 0)
    loaded = busy.store.load(flow_id(2))
    assert loaded is not None
    assert loaded.place == place(flow_id(2), "Moved")


DAMAGES = pytest.mark.parametrize("damage", ["edited", "rolled-back", "deleted"])


def _damaged(busy: World, damage: str) -> None:
    path = place(flow_id(3)).path
    state = busy.state(flow_id(3))
    if damage == "edited":
        busy.files.plant(path, state.replace(b"a", b"b", 1))
    elif damage == "rolled-back":
        busy.files.plant(path, b"".join(state.splitlines(keepends=True)[:2]))
    else:
        busy.files.delete("alice", path)


@DAMAGES
def test_what_is_not_what_was_written_is_restored_from_the_copy_that_the_vault_proves(
    busy: World, damage: str
) -> None:
    before, state = dump(busy), busy.state(flow_id(3))
    _damaged(busy, damage)
    assert rebuilt(busy) == Report(5, (), 0, (flow_id(3),))
    assert busy.state(flow_id(3)) == state
    assert dump(busy)["ix_person"] == before["ix_person"]
    assert dump(busy)["ix_kept"] == []
    quarantined = [i for i in busy.files.list("alice", place(flow_id(3)).folder) if "quarantine" in i.name]
    assert len(quarantined) == (damage != "deleted")
    assert rebuilt(busy) == Report(5, (), 0)


@DAMAGES
def test_the_proof_outlives_a_rebuild_that_did_not_end(busy: World, damage: str) -> None:
    state = busy.state(flow_id(3))
    _damaged(busy, damage)
    busy.files.failing = HostUnavailable()
    with pytest.raises(HostUnavailable):
        rebuilt(busy)
    busy.files.failing = None
    busy.adopter.begin_rebuild()
    busy.adopter.leave_rebuild()
    again = World(busy.data, busy.files)
    assert rebuilt(again).restored == (flow_id(3),)
    assert again.state(flow_id(3)) == state
    again.close()


def test_a_copy_that_the_vault_does_not_prove_restores_nothing(busy: World) -> None:
    loaded, old = busy.store.load(flow_id(3)), busy.state(flow_id(3))
    assert loaded is not None
    busy.act(flow_id(3), approval("r2"), "recipient:r2")
    with busy.database.index_writing() as connection:
        busy.index.put(connection, loaded, old, "e")
    busy.files.delete("alice", place(flow_id(3)).path)
    report = rebuilt(busy)
    assert (report.flows, report.restored) == (4, ())
    assert [(s.flow_id, s.reason) for s in report.skipped] == [(flow_id(3), "not-found")]


def test_a_damaged_file_beside_a_copied_folder_is_restored_in_its_own_place(busy: World) -> None:
    state = busy.state(flow_id(3))
    busy.files.make_folder("alice", f"Copy/.flows/{flow_id(3)}")
    busy.files.plant(f"Copy/.flows/{flow_id(3)}/flow.jsonl", state[:-5])
    busy.files.plant(place(flow_id(3)).path, state[:-5])
    assert rebuilt(busy).restored == (flow_id(3),)
    assert busy.state(flow_id(3)) == state


def test_a_flow_of_which_another_copy_is_intact_is_counted_once(busy: World) -> None:
    state = busy.state(flow_id(3))
    copy = place(flow_id(3), "Copy")
    busy.files.make_folder("alice", copy.folder)
    busy.files.plant(copy.path, state)
    busy.files.plant(place(flow_id(3)).path, state[:-5])
    report = rebuilt(busy)
    assert (report.flows, report.restored) == (5, ())
    assert [(s.place, s.reason) for s in report.skipped] == [(place(flow_id(3)), "torn-line")]


@pytest.mark.sqlite_files
@DAMAGES
def test_without_any_copy_what_is_not_what_was_written_is_left_out_and_said(busy: World, damage: str) -> None:
    _damaged(busy, damage)
    _delete_index(busy, whole=True)
    report = rebuilt(busy)
    assert (report.flows, report.restored) == (4, ())
    reason = {"edited": ("bad-json", "bad-line", "bad-signature"), "deleted": ("not-found",)}.get(damage, (damage,))
    assert [s.reason in reason for s in report.skipped if s.flow_id == flow_id(3)] == [True]


def test_flows_of_somebody_whom_the_platform_does_not_list_are_found_at_their_known_place(busy: World) -> None:
    before = dump(busy)
    assert rebuild(busy.files, People(("bob",)), busy.adopter) == Report(5, (), 0)
    assert dump(busy) == before


def test_an_erased_person_stays_erased(busy: World) -> None:
    append(busy, erased("r1"))
    before = dump(busy)
    rebuilt(busy)
    assert dump(busy) == before
    loaded = busy.store.load(FLOW_ID)
    assert loaded is not None
    assert loaded.flow.recipients[0].name == ""


def test_a_host_that_does_not_answer_leaves_the_index_missing(busy: World) -> None:
    busy.files.failing = HostUnavailable()
    with pytest.raises(HostUnavailable):
        rebuilt(busy)
    busy.files.failing = None
    assert busy.refill.is_missing()
    assert rebuilt(busy).flows == 5


def test_an_index_whose_tables_were_dropped_is_missing_and_comes_back(busy: World) -> None:
    before = dump(busy)
    with busy.database.index_writing() as connection:
        index_tables.drop_all(connection)
    assert busy.refill.is_missing()
    with pytest.raises(IndexMissing):
        busy.store.load(FLOW_ID)
    assert rebuilt(busy).flows == 5
    assert dump(busy) == before


def test_one_database_can_hold_both(tmp_path: Path) -> None:
    world = World(tmp_path, database=Database(f"sqlite:///{tmp_path / 'both.db'}"))
    world.launch()
    world.act(FLOW_ID, approval())
    before = dump(world)
    assert rebuilt(world).flows == 1
    assert dump(world) == before
    assert not (tmp_path / "index.db").exists()
    world.close()


@pytest.mark.sqlite_files
def test_only_the_owner_reads_the_databases(busy: World) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in busy.data.glob("*.db*")}
    assert {"vault.db", "index.db"} <= modes.keys()
    assert set(modes.values()) == {0o600}

"""A rebuild of many flows: cut off and gone on with, two at once, told of while it runs, and always the same rows."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
import structlog

from plugin.actions.rebuild import Report, Watch, rebuild
from plugin.adapters.index_tables import ix_flow, ix_taken
from plugin.adapters.refill import TTL_S
from plugin.adapters.sql import heads, salts
from plugin.flow.errors import HostMaintenance, HostUnavailable, IndexMissing, RebuildElsewhere
from plugin.flow.events import PersonErased
from plugin.flow.model import CREATOR, By
from plugin.health import index_finding
from plugin.logs import configure
from plugin.ports_state import Progress, StatePlace
from tests.state.disk_host import DiskFiles
from tests.state.many import BEGUN, FOLDERS, USERS, fill, flow_id, life
from tests.state.past import forget_salt
from tests.state.test_index import People, dump
from tests.state.world import FaultyFiles, World, append

BATCH, COUNT = 20, 77
CUT = BATCH + BATCH // 2
HUNDREDS = 300


@dataclass
class Reads:
    """The state files that were read from the host; at the ``fails_at``-th it says ``failure``."""

    files: FaultyFiles
    fails_at: int = 10**9
    failure: Exception = field(default_factory=HostMaintenance)
    paths: list[str] = field(default_factory=list)

    def __enter__(self) -> Reads:
        self.files.before_read = self._note
        return self

    def __exit__(self, *_: object) -> None:
        self.files.before_read = None

    def _note(self, path: str) -> None:
        if path.endswith("flow.jsonl"):
            self.paths.append(path)
            if len(self.paths) >= self.fails_at:
                raise self.failure


def again(world: World, watch: Watch = lambda _: None, **how: Any) -> Report:
    return rebuild(world.files, People(), world.adopter, watch, batch_size=BATCH, **how)


def cut_off(world: World, at: int = CUT) -> int:
    """A rebuild that the host ends. Returns: how many flows it had taken in."""
    with Reads(world.files, at), pytest.raises(HostMaintenance):
        again(world)
    with world.database.index() as connection:
        taken = connection.execute(sa.select(sa.func.count()).select_from(ix_taken)).scalar_one()
    assert 0 < taken < at
    return int(taken)


def lose_vault(world: World) -> None:
    with world.database.vault_writing() as connection:
        connection.execute(sa.delete(heads))
        connection.execute(sa.delete(salts))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("many"))
    fill(world, COUNT)
    yield world
    world.close()


@pytest.fixture
def crowd(template: World, tmp_path: Path) -> Iterator[World]:
    """Some hundred flows in every state and shape."""
    with template.database.vault_writing(), template.database.index_writing():  # nobody writes meanwhile
        shutil.copytree(template.data, tmp_path / "data")
    world = World(tmp_path / "data", template.files.copy())
    yield world
    world.close()


# ---- the same rows --------------------------------------------------------------------------------------------------
def test_every_state_and_shape_is_among_them(crowd: World) -> None:
    rows = dump(crowd)["ix_flow"]
    column = {c.name: n for n, c in enumerate(ix_flow.c)}
    assert {row[column["state"]] for row in rows} >= {"running", "suspended", "refused", "completed"}
    assert {row[column["kind"]] for row in rows} == {"validation", "signature"}
    assert {bool(row[column["due_at"]]) for row in rows} == {True, False}
    assert {str(row[column["path"]]).split("/.flows")[0].removeprefix(".flows") for row in rows} >= set(FOLDERS[1:])


def test_hundreds_of_flows_come_back_row_by_row_with_the_vault_and_without(world: World) -> None:
    fill(world, HUNDREDS)
    before = dump(world)
    assert rebuild(world.files, People(), world.adopter) == Report(HUNDREDS, (), 0)
    assert dump(world) == before
    lose_vault(world)
    assert rebuild(world.files, People(), world.adopter) == Report(HUNDREDS, (), 0)
    assert dump(world) == before


def test_a_host_without_search_is_walked(crowd: World) -> None:
    before = dump(crowd)
    crowd.files.offers_search = False
    assert again(crowd) == Report(COUNT, (), 0)
    assert dump(crowd) == before


def test_a_vault_that_was_lost_comes_back_with_them(crowd: World) -> None:
    before, anchors = dump(crowd), crowd.vault.anchors()
    known = crowd.vault.salts_of([anchor.flow_id for anchor in anchors])
    lose_vault(crowd)
    with structlog.testing.capture_logs() as logs:
        assert again(crowd) == Report(COUNT, (), 0)
    assert dump(crowd) == before
    assert crowd.vault.anchors() == anchors
    assert crowd.vault.salts_of([anchor.flow_id for anchor in anchors]) == known
    assert [log["flows"] for log in logs if log["event"] == "rebuild.unanchored"] == [COUNT]
    assert len(logs) < 20


def test_erased_moved_copied_and_damaged_ones_are_what_they_were(crowd: World) -> None:
    erased, moved, copied, damaged, lost = (flow_id(n) for n in (3, 6, 9, 12, 15))
    append(crowd, PersonErased("r1", By.CREATOR), flow_id=erased)
    places = crowd.adopter.acknowledged()
    there = StatePlace("alice", f"Moved away/.flows/{moved}/flow.jsonl")
    crowd.files.make_folder("alice", "Moved away/.flows")
    crowd.files.move("alice", places[moved].folder, there.folder)
    copy = StatePlace("alice", f"A copy/.flows/{copied}/flow.jsonl")
    crowd.files.make_folder("alice", copy.folder)
    state = crowd.files.read("alice", places[copied].path)
    assert state is not None
    crowd.files.plant(copy.path, state)
    for one in (damaged, lost):
        assert crowd.store.load(one) is not None
    crowd.files.plant(places[damaged].path, b"not a chain\n")
    crowd.files.delete("alice", places[lost].folder)
    before = dump(crowd)
    report = again(crowd)
    assert (report.flows, report.restored) == (COUNT, (damaged, lost))
    assert [(s.flow_id, s.place, s.reason) for s in report.skipped] == [(copied, copy, "copy")]
    after = dump(crowd)
    assert [row for row in after["ix_flow"] if row[0] != moved] == [
        row for row in before["ix_flow"] if row[0] != moved
    ]
    assert [row[:3] for row in after["ix_flow"] if row[0] == moved] == [(moved, "alice", there.path)]
    assert {name: rows for name, rows in after.items() if name != "ix_flow"} == {
        name: rows for name, rows in before.items() if name != "ix_flow"
    }


def test_what_flows_went_through_here_comes_back_row_by_row(world: World) -> None:
    for number in range(24):
        dice = random.Random(number)
        owner, folder = USERS[number % 3], dice.choice(FOLDERS)
        place = StatePlace(owner, f"{folder}/.flows/{flow_id(number)}/flow.jsonl".lstrip("/"))
        for step, (events, actor) in enumerate(life(number, owner, folder, dice)):
            if step == 0:
                world.store.create(place, events, BEGUN)
                continue
            with world.store.lease(flow_id(number)) as lease:
                loaded = world.store.load(flow_id(number))
                assert loaded is not None
                world.store.append(loaded, lease, events, actor, BEGUN + dt.timedelta(hours=step))
    before = dump(world)
    assert again(world) == Report(24, (), 0)
    assert dump(world) == before


# ---- cut off --------------------------------------------------------------------------------------------------------
def test_what_the_host_cut_off_goes_on_where_it_was(crowd: World) -> None:
    before = dump(crowd)
    taken = cut_off(crowd)
    assert crowd.refill.is_missing()
    with Reads(crowd.files) as reads:
        assert again(crowd) == Report(COUNT, (), 0, resumed=taken)
    assert len(reads.paths) == COUNT - taken
    assert dump(crowd) == before


def test_what_was_taken_in_is_read_again_where_the_file_is_another_one_now(crowd: World) -> None:
    taken = cut_off(crowd)
    changed, gone = flow_id(0), flow_id(1)
    place = crowd.adopter.acknowledged()[changed]
    state = crowd.files.read(place.owner, place.path)
    assert state is not None
    crowd.files.plant(place.path, state[:-9] + b"tampered\n", place.owner)
    elsewhere = crowd.adopter.acknowledged()[gone]
    crowd.files.delete(elsewhere.owner, elsewhere.path)
    report = again(crowd)
    assert (report.resumed, report.restored) == (taken - 2, (changed, gone))
    assert crowd.files.read(place.owner, place.path) == state


def test_somebody_erased_after_he_was_taken_in_is_not_in_the_index_that_the_next_one_opens(crowd: World) -> None:
    taken = cut_off(crowd)
    forget_salt(crowd, CREATOR, flow_id(0))
    assert again(crowd).resumed == taken - 1
    column = [c.name for c in ix_flow.c].index("creator")
    assert [row[column] for row in dump(crowd)["ix_flow"] if row[0] == flow_id(0)] == [""]


def test_somebody_erased_while_his_batch_is_read_is_not_in_the_index(crowd: World) -> None:
    def forget(path: str) -> None:
        if flow_id(1) in path:
            forget_salt(crowd, CREATOR, flow_id(0))

    crowd.files.before_read = forget
    again(crowd)
    column = [c.name for c in ix_flow.c].index("creator")
    assert [row[column] for row in dump(crowd)["ix_flow"] if row[0] == flow_id(0)] == [""]


def test_a_host_that_is_gone_ends_the_rebuild_and_no_flow_becomes_unknown(crowd: World) -> None:
    before = dump(crowd)

    def gone(path: str) -> None:
        if len(reads.paths) >= CUT:
            crowd.files.failing = HostUnavailable()
        reads.paths.append(path)

    reads = Reads(crowd.files)
    crowd.files.before_read = gone
    with pytest.raises(HostUnavailable):
        again(crowd)
    assert crowd.refill.is_missing()
    crowd.files.before_read = crowd.files.failing = None
    report = again(crowd)
    assert (report.flows, report.skipped) == (COUNT, ())
    assert report.resumed > 0
    assert dump(crowd) == before


def test_one_storage_that_is_away_leaves_its_flows_out_and_says_so(crowd: World) -> None:
    def away(path: str) -> None:
        if path.startswith("Contracts/"):
            raise HostUnavailable

    crowd.files.before_read = away
    report = again(crowd)
    there = [f for f, place in crowd.adopter.acknowledged().items() if place.path.startswith("Contracts/")]
    assert len(there) > 3
    assert sorted(s.flow_id for s in report.skipped if s.reason == "host-unavailable") == there
    assert report.flows == COUNT - len(there)


def test_a_rebuild_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """kill -9, at whatever point it is: in a process of its own, over files on the disk."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.state.test_rebuild", str(tmp_path), str(COUNT)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "filled\n"
        while int(process.stdout.readline()) < CUT:
            pass
        os.kill(process.pid, signal.SIGKILL)
    world = World(tmp_path / "data", cast("FaultyFiles", DiskFiles(tmp_path / "host")))
    assert world.refill.is_missing()
    assert world.refill.progress() is not None
    report = again(world)
    assert (report.flows, report.skipped) == (COUNT, ())
    assert report.resumed >= BATCH
    before = dump(world)
    again(world)
    assert dump(world) == before
    world.close()


# ---- two at once ----------------------------------------------------------------------------------------------------
def test_who_comes_while_another_is_at_it_is_told_how_far_that_one_is(crowd: World) -> None:
    other = World(crowd.data, crowd.files, only_instance=False)
    seen = []

    def come(progress: Progress) -> None:
        if 0 < progress.done < COUNT and not seen:
            with pytest.raises(RebuildElsewhere) as told:
                again(other)
            seen.append((told.value.done, told.value.total))

    before = dump(crowd)
    again(crowd, come)
    assert seen == [(BATCH, COUNT)]
    assert dump(crowd) == dump(other) == before
    other.close()


def test_who_was_not_heard_of_for_long_is_taken_over_from_and_writes_nothing_more(crowd: World) -> None:
    other = World(crowd.data, crowd.files, only_instance=False)
    reports = []

    def take_over(progress: Progress) -> None:
        if progress.done and not reports:
            other.now_s += TTL_S + 1
            reports.append(again(other))

    before = dump(crowd)
    with pytest.raises(RebuildElsewhere):
        again(crowd, take_over)
    assert reports == [Report(COUNT, (), 0, resumed=BATCH)]
    assert not crowd.refill.is_missing()
    assert dump(crowd) == before
    other.close()


def test_who_ends_after_he_was_taken_over_from_does_not_open_a_half_filled_index(crowd: World) -> None:
    other = World(crowd.data, crowd.files, only_instance=False)
    crowd.adopter.begin_rebuild()
    other.now_s += TTL_S + 1
    other.adopter.begin_rebuild()
    with pytest.raises(RebuildElsewhere):
        crowd.adopter.end_rebuild()
    assert crowd.refill.is_missing()
    other.adopter.end_rebuild()
    assert not crowd.refill.is_missing()
    other.close()


def test_the_only_instance_need_not_wait_for_the_process_before_it(crowd: World) -> None:
    crowd.adopter.begin_rebuild()
    after_restart = World(crowd.data, crowd.files)
    assert again(after_restart).flows == COUNT
    after_restart.close()


# ---- telling --------------------------------------------------------------------------------------------------------
def test_links_and_the_health_page_are_told_how_far_it_is_and_when_to_ask_again(crowd: World) -> None:
    said: list[str | None] = []
    again_in_s: list[int] = []
    ticks = itertools.count(step=40)

    def look(progress: Progress) -> None:
        found = index_finding(crowd.refill)
        said.append(str(found) if found else None)
        with pytest.raises(IndexMissing) as missing:
            crowd.index.link("0" * 64)
        again_in_s.append(missing.value.retry_after_s)

    again(crowd, look, monotonic=lambda: float(next(ticks)))
    assert said[1] == f"index-rebuilding: rebuilding: {BATCH:,} of {COUNT:,} flows"
    assert again_in_s[0] == IndexMissing().retry_after_s
    assert again_in_s[1] > again_in_s[-1] == 3
    assert max(again_in_s) <= 300
    assert index_finding(crowd.refill) is None


def test_the_log_tells_of_a_rebuild_in_a_few_lines_with_counts(crowd: World) -> None:
    with structlog.testing.capture_logs() as logs:
        again(crowd)
    events = [log["event"] for log in logs]
    assert (events[0], events[1], events[-1]) == ("rebuild.begun", "rebuild.found", "rebuild.done")
    assert len(events) <= 13
    assert (logs[1]["flows"], logs[-1]["flows"], logs[-1]["resumed"]) == (COUNT, COUNT, 0)


if __name__ == "__main__":
    configure("error")
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    here = World(folder / "data", cast("FaultyFiles", DiskFiles(folder / "host")))
    fill(here, count)
    print("filled", flush=True)
    again(here, lambda progress: print(progress.done, flush=True))
    sys.stdin.read()

"""Whoever stood still for longer than his lease lasts, as on a machine that slept, is too late for whatever he was at;
and whoever cannot find out what lies elsewhere does not wait for it without end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from plugin.actions.documents import SEARCHES, put_new
from plugin.actions.store_evidence import keep_one
from plugin.actions.sweep import clear_launches, look_at
from plugin.flow.errors import HostBusy, HostFull, HostSlow, HostUnavailable
from plugin.ports_files import Written
from plugin.ports_vault import Laying
from tests.api.saving import HERE, RECORD, VERSION, Idle, ended, into, read, saved, sha, shown
from tests.api.test_kinds import in_hours, read_only
from tests.api.test_saving_waits import Failing
from tests.fakes import MemoryFiles
from tests.world import Browser, World, pdf, stamps

COPY = "Bail (signé).pdf"
WHOLE = b"%PDF-one, and more"

pytestmark = pytest.mark.usefixtures("unswept")


class Halving(MemoryFiles):
    """A host that stores half, and says that all is well."""

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Written:
        return replace(super().write(user, path, data[: len(data) // 2], **more), sha256=None)


def test_half_of_a_result_is_taken_away_only_by_one_who_is_not_too_late() -> None:
    files = Halving()
    ctx: Any = SimpleNamespace(files=files)
    answers = [None, HostBusy("flow-busy")]

    def check_held() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    for check, left in ((lambda: None, []), (check_held, ["a.pdf"])):
        with pytest.raises(HostUnavailable):
            put_new(ctx, "alice", "", "a.pdf", WHOLE, sha(WHOLE), check_held=check)
        assert [info.name for info in files.list("alice", "")] == left
    assert answers == []


class Overtaken(Halving):
    """Somebody writes the rest right before the half, which was looked at, is taken away."""

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        MemoryFiles.write(self, user, path, WHOLE)
        super().delete(user, path, if_match=if_match)


def test_half_of_a_result_is_not_taken_away_once_somebody_wrote_the_rest() -> None:
    files = Overtaken()
    ctx: Any = SimpleNamespace(files=files)
    with pytest.raises(HostUnavailable):
        put_new(ctx, "alice", "", "a.pdf", WHOLE, sha(WHOLE))
    assert files.read("alice", "a.pdf") == WHOLE


class TooLate:
    """The chains; the lease runs out before anything is put."""

    def __init__(self, flows: Any) -> None:
        self._flows = flows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)

    def check_held(self, lease: Any) -> None:
        raise HostBusy("flow-busy")


@pytest.mark.parametrize("save", [HERE, VERSION], ids=["beside", "version"])
def test_who_is_too_late_lays_no_result_and_the_next_one_does(world: World, alice: Browser, save: Any) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, save, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    with world.handed(jobs=Idle(), flows=TooLate(world.office.ctx.flows)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    assert shown(world, folder) == ["Bail.pdf"]
    assert world.read(f"{folder}/Bail.pdf") == pdf()
    ctx = replace(in_hours(world, 1), jobs=Idle())
    with pytest.raises(HostBusy):
        look_at(replace(ctx, flows=TooLate(ctx.flows)), flow_id)
    assert shown(world, folder) == ["Bail.pdf"]
    look_at(in_hours(world, 2), flow_id)
    assert ended(world, alice, flow_id)["state"] == "completed"
    assert shown(world, folder) == sorted([RECORD, "Bail.pdf", *([COPY] if save == HERE else [])])


class Sleeping:
    """The chains; the machine sleeps right before a flow's first line is written."""

    def __init__(self, flows: Any, meanwhile: Callable[[], None]) -> None:
        self._flows, self._meanwhile = flows, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)

    def lease(self, flow_id: str) -> Any:
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return self._flows.lease(flow_id)


def test_a_launch_that_slept_until_what_it_had_made_was_removed_makes_no_flow_without_documents(
    world: World, alice: Browser
) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    ctx = world.office.ctx
    hours_later = replace(ctx, clock=lambda: ctx.clock() + timedelta(hours=2))
    body = {
        "kind": "signature",
        "documents": [{"file_id": file_id}],
        "recipients": [{"user": "bob"}],
        "placements": stamps(1, [0]),
    }
    with world.handed(flows=Sleeping(ctx.flows, lambda: clear_launches(hours_later))):
        answer = alice.post("flows", body)
        assert (answer.status_code, answer.json()["code"]) == (503, "still-launching")
    assert [name for name in world.names(folder) if name not in ("Bail.pdf", ".flows")] == []
    assert ctx.vault.cut_off_launches(hours_later.clock()) == []
    assert saved(world, alice, HERE, [file_id])


class SlowAtTheSalts:
    """The file area; the first PUT of a flow's salts takes so long that ``meanwhile`` happens."""

    def __init__(self, files: Any, meanwhile: Callable[[], None]) -> None:
        self._files, self._meanwhile = files, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith("salts.json"):
            meanwhile, self._meanwhile = self._meanwhile, lambda: None
            meanwhile()
        return self._files.write(user, path, *args, **more)


def test_one_click_is_one_flow_though_a_clock_was_set_while_the_host_was_slow(
    world: World, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim that keeps its twin out runs out by it."""
    folder = world.folder()
    body = {
        "kind": "validation",
        "documents": [{"file_id": world.put(f"{folder}/Bail.pdf", pdf())}],
        "recipients": [{"user": "bob"}],
    }
    ctx, again = world.office.ctx, world.login("alice")
    key, twins = {"Idempotency-Key": f"launch {folder}"}, []

    def twin() -> None:
        with world.handed(clock=lambda: ctx.clock() + timedelta(minutes=2)):
            twins.append(again.post("flows", body, headers=key).json()["id"])

    monkeypatch.setattr(ctx.flows._host, "_files", SlowAtTheSalts(ctx.files, twin))
    first = alice.post("flows", body, headers=key)
    assert (first.status_code, first.json()["code"]) == (503, "still-launching")
    assert [alice.post("flows", body, headers=key).json()["id"]] == twins
    hidden = {name.split("/")[1] for name in world.names(folder) if name.startswith(".flows/")}
    assert hidden == set(twins)


class Unsearchable:
    """A file area that never answers what it is searched for."""

    def __init__(self, files: Any) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def find_by_name(self, user: str, name: str) -> Any:
        raise HostSlow


def test_results_are_laid_also_where_a_search_is_never_answered(world: World, alice: Browser) -> None:
    folder, chosen = world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = world.office.ctx
    with world.handed(files=Failing(ctx.files, 1, HostFull(), arrives=False), jobs=Idle()):
        world.recipient("bob", flow_id).sign()
    for hour in range(1, SEARCHES + 2):
        look_at(replace(in_hours(world, hour), files=Unsearchable(ctx.files), jobs=Idle()), flow_id)
    assert read(alice, flow_id)["state"] == "completed"
    assert COPY in shown(world, chosen)


def test_a_record_that_does_not_count_and_may_not_be_taken_away_is_left(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.recipient("bob", flow_id).sign()
    assert ended(world, alice, flow_id)["state"] == "completed"
    ctx, late = world.office.ctx, b"the second one"
    world.put(f"{folder}/Bail (dossier de preuves) 2.pdf", late)
    noted = Laying("evidence", folder, RECORD, sha(late), "", size_bytes=len(late))
    with read_only(world, folder):
        keep_one(ctx, ctx.flows.load(flow_id), [noted])
    assert (ctx.vault.layings(flow_id), ctx.vault.attempts(flow_id)) == ([], {})
    assert world.read(f"{folder}/Bail (dossier de preuves) 2.pdf") == late

"""Results that cannot be laid down now, and processes that die while they are: in the end each lies there once."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest

from plugin.actions.sweep import look_at, sweep
from plugin.flow.errors import HostFull, HostUnavailable
from plugin.ports_files import Files
from tests.api.saving import (
    HERE,
    RECORD,
    VERSION,
    Idle,
    NeverFinishing,
    ended,
    into,
    later,
    read,
    saved,
    sha,
    shown,
)
from tests.api.test_kinds import held, in_hours, read_only, room
from tests.world import Browser, World, pdf, until

pytestmark = pytest.mark.usefixtures("unswept")


class Failing:
    """The file area; the ``at``-th PDF that is written fails, before or after it arrived, and all from then on."""

    def __init__(self, files: Files, at: int, error: Exception, *, arrives: bool) -> None:
        self._files, self._left, self._error, self._arrives = files, at, error, arrives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        self._left -= path.endswith(".pdf")
        if self._left > 0 or not path.endswith(".pdf"):
            return self._files.write(user, path, *args, **more)
        if self._arrives and self._left == 0:
            self._files.write(user, path, *args, **more)
        raise self._error


@pytest.mark.parametrize("save", ["beside", "version", "folder"])
@pytest.mark.parametrize("arrives", [False, True], ids=["refused", "answer-lost"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_whatever_fails_at_whichever_result_in_the_end_each_lies_there_once(
    world: World, alice: Browser, save: str, at: int, arrives: bool
) -> None:
    folder, chosen = world.folder(), world.folder()
    ids = [world.put(f"{folder}/{name}.pdf", pdf(n)) for n, name in enumerate(("Bail", "Plan"), start=1)]
    save_to = {"beside": HERE, "version": VERSION, "folder": into(chosen)}[save]
    flow_id = saved(world, alice, save_to, ids)
    world.settled(flow_id)
    error: Exception = HostUnavailable() if arrives else HostFull()
    bob = world.recipient("bob", flow_id)
    ctx = world.office.ctx
    failing = Failing(ctx.files, at, error, arrives=arrives)
    with world.handed(files=failing, jobs=Idle()):
        state = bob.sign().json()["state"]
        assert state == ("completed" if at == 3 else "running")
        look_at(replace(in_hours(world, 1), files=failing, jobs=Idle()), flow_id)
    waits = read(alice, flow_id)["waiting"]
    assert waits["reason"] == ("host-unavailable" if arrives else "host-full")
    if at == 3:  # the copies are there, and the mails of the end wait for no record
        assert world.mails(flow_id, "completed", "alice@")
    look_at(in_hours(world, 2), flow_id)
    flow = ended(world, alice, flow_id)
    assert (flow["state"], flow["waiting"]) == ("completed", None)
    results = {
        "beside": [RECORD, "Bail (signé).pdf", "Bail.pdf", "Plan (signé).pdf", "Plan.pdf"],
        "version": [RECORD, "Bail.pdf", "Plan.pdf"],
        "folder": ["Bail.pdf", "Plan.pdf"],
    }
    assert shown(world, folder) == results[save]
    assert shown(world, chosen) == ([RECORD, "Bail (signé).pdf", "Plan (signé).pdf"] if save == "folder" else [])
    for document in flow["documents"]:
        assert sha(world.read(document["signed"]["path"])) == document["signed"]["sha256"]
    assert sha(world.read(flow["evidence"]["path"])) == flow["evidence"]["sha256"]
    types = [line["type"] for line in world.lines(flow_id)]
    assert (types.count("flow.completed"), types.count("evidence.stored")) == (1, 1)
    assert world.office.ctx.vault.layings(flow_id) == []


class Died(BaseException):
    """As a kill does, it passes by whatever answers errors."""


class Dying:
    """The chains; the process dies right before, or right after, a line of that kind is written."""

    def __init__(self, flows: Any, kind: str, *, after: bool) -> None:
        self._flows, self._kind, self._after = flows, kind, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)

    def append(self, loaded: Any, lease: Any, events: Any, actor: str, now: Any) -> Any:
        dies = any(event.type == self._kind for event in events)
        if dies and not self._after:
            raise Died
        done = self._flows.append(loaded, lease, events, actor, now)
        if dies:
            raise Died
        return done


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("meanwhile", ["nothing", "the folder goes", "the folder is read-only", "they are moved"])
@pytest.mark.parametrize("kind", ["flow.completed", "evidence.stored"])
def test_after_a_crash_nothing_is_laid_twice_whatever_happened_to_its_place(
    world: World, alice: Browser, kind: str, meanwhile: str, after: bool
) -> None:
    folder, chosen, elsewhere = world.folder(), world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle(), flows=NeverFinishing(ctx.flows)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    with pytest.raises(Died):
        look_at(replace(ctx, clock=later(ctx, 1), flows=Dying(ctx.flows, kind, after=after)), flow_id)
    laid = shown(world, chosen)
    assert laid == (["Bail (signé).pdf"] if kind == "flow.completed" else [RECORD, "Bail (signé).pdf"])
    with contextlib.ExitStack() as hindrance:
        if meanwhile == "the folder is read-only":
            hindrance.enter_context(read_only(world, chosen))
        elif meanwhile == "the folder goes":
            assert world.dav("alice", "DELETE", chosen).status_code == 204
        elif meanwhile == "they are moved":
            for name in laid:
                ctx.files.move("alice", f"{chosen}/{name}", f"{elsewhere}/{name}")
        ctx.flows.refresh(flow_id)  # as the start after a crash does
        look_at(replace(ctx, clock=later(ctx, 2)), flow_id)
        look_at(replace(ctx, clock=later(ctx, 3)), flow_id)
        flow = ended(world, alice, flow_id)
    everything = [name for place in (folder, chosen, elsewhere) for name in shown(world, place)]
    expected = 1 if meanwhile != "the folder goes" else 1 - (after or kind == "evidence.stored")
    assert everything.count("Bail (signé).pdf") == expected
    assert everything.count(RECORD) <= 1
    assert flow["state"] == "completed"
    assert [line["type"] for line in world.lines(flow_id)].count("evidence.stored") == 1


class DyingAtTheRecord:
    """The file area; the process dies when the record is put, before or after it arrives."""

    def __init__(self, files: Files, *, arrives: bool) -> None:
        self._files, self._arrives = files, arrives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith(RECORD) and not self._arrives:
            raise Died
        done = self._files.write(user, path, *args, **more)
        if path.endswith(RECORD):
            raise Died
        return done


@pytest.mark.parametrize("arrives", [False, True])
def test_a_record_on_its_way_when_the_process_dies_is_there_once(world: World, alice: Browser, arrives: bool) -> None:
    """Even where nothing is cached any more, and what is made anew has other bytes."""
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.txt", b"Bail")], kind="validation")
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle()):
        assert world.recipient("bob", flow_id).approve().json()["state"] == "completed"
    dying = DyingAtTheRecord(ctx.files, arrives=arrives)
    with pytest.raises(Died):
        look_at(replace(ctx, clock=later(ctx, 1), files=dying), flow_id)
    look_at(replace(ctx, clock=later(ctx, 2), blobs=Forgetful(), files=Blinking(ctx.files)), flow_id)
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail.txt"]
    assert flow["evidence"]["sha256"] == sha(world.read(f"{folder}/{RECORD}"))


class Blinking:
    """The file area; for a moment it does not know the record that lies there."""

    def __init__(self, files: Files) -> None:
        self._files, self._is_blind = files, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def stat(self, user: str, path: str) -> Any:
        if path.endswith(RECORD) and self._is_blind:
            self._is_blind = False
            return None
        return self._files.stat(user, path)


class CutOff:
    """The file area; the connection breaks near the end of the first record, or of what else has that name."""

    def __init__(self, files: Files, name: str = RECORD) -> None:
        self._files, self._name, self._is_whole = files, name, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
        if not path.endswith(self._name) or self._is_whole:
            return self._files.write(user, path, data, **more)
        self._is_whole = True
        self._files.write(user, path, data[:-500], **more)
        raise HostUnavailable


def test_of_a_copy_that_was_cut_off_no_half_stays_where_the_original_can_be_written_to_again(
    world: World, alice: Browser
) -> None:
    """It was to lie beside it, since that was locked for a moment."""
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    files = CutOff(world.office.ctx.files, "Bail (signé).pdf")
    with held(world, f"{folder}/Bail.pdf"), world.handed(files=files, jobs=Idle()):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    assert "Bail (signé).pdf" in shown(world, folder)
    look_at(in_hours(world, 1), flow_id)
    signed = ended(world, alice, flow_id)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/Bail.pdf"
    assert shown(world, folder) == [RECORD, "Bail.pdf"]


def test_of_a_record_that_was_cut_off_no_half_stays_though_another_one_was_made_since(
    world: World, alice: Browser
) -> None:
    """The mails of the end do not wait for it, and it tells of them."""
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    files = CutOff(world.office.ctx.files)
    with world.handed(files=files, jobs=Idle()):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        look_at(replace(in_hours(world, 1), files=files, jobs=Idle()), flow_id)
    assert world.mails(flow_id, "completed", "alice@")
    half = world.read(f"{folder}/{RECORD}")
    look_at(in_hours(world, 2), flow_id)
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == sorted([RECORD, "Bail.pdf", "Bail (signé).pdf"])
    record = world.read(f"{folder}/{RECORD}")
    assert sha(record) == flow["evidence"]["sha256"]
    assert not record.startswith(half)


def test_a_record_that_was_laid_down_is_not_kept_in_the_cache_as_well(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, {"mode": "beside"}, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    (stored,) = [line["data"]["sha256"] for line in world.lines(flow_id) if line["type"] == "evidence.stored"]
    assert sha(world.read(f"{folder}/{RECORD}")) == stored
    assert world.office.ctx.blobs.get(stored) is None
    assert world.office.ctx.vault.layings(flow_id) == []


class Forgetful:
    """The ``Blobs`` port: a cache that holds nothing."""

    def get(self, sha256: str) -> None: ...

    def put(self, data: bytes, sha256: str | None = None) -> str:
        return sha256 or sha(data)

    def drop(self, sha256: str) -> None: ...


def test_without_room_for_the_record_the_flow_has_ended_and_is_listed_until_there_is(
    world: World, alice: Browser
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.txt", b"Bail")], kind="validation")
    world.settled(flow_id)
    bob = world.recipient("bob", flow_id)
    with room(world, 15_000):  # for a few lines, and no PDF
        assert bob.approve().json()["state"] == "completed"
        waits = until(lambda: read(alice, flow_id)["waiting"])
        assert waits["reason"] == "host-full"
        assert waits["sentence"].startswith("Le dossier de preuves attend")
        assert flow_id in {row["id"] for row in alice.get("flows?box=hand").json()["flows"]}
        world.mail(flow_id, "completed", "alice@")
    sweep(in_hours(world, 1))
    flow = ended(world, alice, flow_id)
    assert (flow["waiting"], flow["evidence"]["path"]) == (None, f"{folder}/{RECORD}")
    assert flow_id not in {row["id"] for row in alice.get("flows?box=hand").json()["flows"]}

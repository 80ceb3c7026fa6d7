"""What may still come to a flow that has ended: from who stood still, or was slow, and from the host."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from plugin.actions.erase import erase
from plugin.actions.sources import watch
from plugin.actions.store_evidence import keep_one, store_evidence
from plugin.actions.sweep import Forgotten, Patrol, look_at, sweep
from plugin.flow.errors import HostBusy, HostFull
from plugin.ports_vault import Laying
from tests.api.saving import HERE, RECORD, Idle, ended, later, saved, sha
from tests.api.test_kinds import in_hours
from tests.api.test_saving_waits import Failing
from tests.api.test_sources import launched
from tests.api.test_stood_still import TooLate
from tests.world import Browser, World, pdf

pytestmark = pytest.mark.usefixtures("unswept")


def test_patrol_puts_right_the_half_of_a_flow_that_has_ended(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = world.office.ctx
    patrol = Patrol(timedelta(minutes=5))
    patrol(ctx)
    assert flow_id in patrol._checked
    world.recipient("bob", flow_id).sign()
    assert ended(world, alice, flow_id)["state"] == "completed"
    whole = world.state_file(flow_id)
    place = ctx.flows.load(flow_id).place
    world.dav("alice", "PUT", place.path, data=whole[:-100])
    for minutes in (6, 12, 18):
        at = replace(ctx, clock=lambda minutes=minutes: ctx.clock() + timedelta(minutes=minutes))
        for _ in range(20):
            patrol(at)
    assert flow_id not in patrol._checked  # it had its look
    assert world.state_file(flow_id) == whole


class Standing:
    """The file area; whoever looks at a folder for the record stands still there, and ``meanwhile`` happens."""

    def __init__(self, files: Any, meanwhile: Any) -> None:
        self._files, self._meanwhile = files, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def stat(self, user: str, path: str) -> Any:
        self._once()
        return self._files.stat(user, path)

    def by_id(self, user: str, file_id: str) -> Any:
        self._once()
        return self._files.by_id(user, file_id)

    def _once(self) -> None:
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()


def test_a_late_process_leaves_no_name_of_a_creator_who_was_erased(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle()):
        assert world.recipient("bob", flow_id).refuse().status_code == 200
        full = Failing(ctx.files, 1, HostFull(), arrives=False)
        look_at(replace(in_hours(world, 1), files=full, jobs=Idle()), flow_id)  # the record waits, the mails do not
        assert world.mails(flow_id, "refused", "alice@")

    def erased() -> None:  # by another replica, since the lease ran out
        erase(ctx.flows, ctx.accounts, ctx.clock, flow_id, "creator")

    late = replace(ctx, files=Standing(ctx.files, erased), flows=TooLate(ctx.flows))
    with pytest.raises(HostBusy):
        store_evidence(late, flow_id)
    after = replace(ctx, clock=later(ctx, 2))
    sweep(after)
    Forgotten()(after)
    assert ctx.vault.layings(flow_id) == []


class SlowToTell:
    """The file area; while it is asked where the originals are, ``meanwhile`` happens."""

    def __init__(self, files: Any, meanwhile: Any) -> None:
        self._files, self._meanwhile = files, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def by_ids(self, user: str, ids: Any) -> Any:
        found = self._files.by_ids(user, ids)
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return found


def test_a_slow_look_at_originals_leaves_no_path_of_a_creator_who_was_erased(world: World, alice: Browser) -> None:
    """No lease, no standstill: the look holds none, and a large file takes minutes."""
    folder, flow_id = launched(world, alice)
    ctx = world.office.ctx
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Plutot non")

    def meanwhile() -> None:
        assert alice.post(f"flows/{flow_id}/cancel", {"reason": "x"}).status_code == 200
        world.settled(flow_id)
        erase(ctx.flows, ctx.accounts, ctx.clock, flow_id, "creator")
        assert ctx.vault.seen(flow_id) == {}

    watch(replace(ctx, files=SlowToTell(ctx.files, meanwhile)), flow_id)
    after = replace(ctx, clock=later(ctx, 2))
    sweep(after)
    Forgotten()(after)
    assert ctx.vault.seen(flow_id) == {}


class Annotated:
    """Somebody saves notes to the record right before it is taken away."""

    def __init__(self, world: World, files: Any) -> None:
        self._world, self._files = world, files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def delete(self, user: str, path: str, **more: Any) -> None:
        self._world.dav("alice", "PUT", path, data=b"my notes")
        self._files.delete(user, path, **more)


def test_what_somebody_wrote_over_a_record_that_does_not_count_stays(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.recipient("bob", flow_id).sign()
    assert ended(world, alice, flow_id)["state"] == "completed"
    ctx, second = world.office.ctx, b"the second one"
    path = f"{folder}/Bail (dossier de preuves) 2.pdf"
    world.put(path, second)
    noted = Laying("evidence", folder, RECORD, sha(second), "", size_bytes=len(second))
    keep_one(replace(ctx, files=Annotated(world, ctx.files)), ctx.flows.load(flow_id), [noted])
    assert world.read(path) == b"my notes"

"""A host that cannot say now, or ever, what lies elsewhere: nobody waits for that without end, and nothing is laid
twice for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plugin.actions.suspend import look_after
from plugin.actions.sweep import look_at
from plugin.flow.errors import HostSlow
from tests.api.saving import HERE, RECORD, Idle, NeverFinishing, ended, into, saved, shown
from tests.api.test_kinds import in_hours
from tests.api.test_moved_folders import move
from tests.api.test_saving_waits import Died, Dying
from tests.api.test_stood_still import COPY, Unsearchable
from tests.world import Browser, World, pdf

pytestmark = pytest.mark.usefixtures("unswept")


def test_a_search_that_never_answers_does_not_hold_up_the_end(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    move(world, folder, f"{folder} (2)")
    look_after(world.office.ctx, flow_id)
    files = Unsearchable(world.office.ctx.files)
    with world.handed(files=files, jobs=Idle()):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    for hour in range(1, 8):
        look_at(replace(in_hours(world, hour), files=files, jobs=Idle()), flow_id)
    assert world.mails(flow_id, "completed", "alice@")
    assert RECORD in shown(world, f"{folder} (2)")


class NeverAsked(Unsearchable):
    """Nor where files lie that it knows by their ids."""

    def by_ids(self, user: str, ids: Any) -> Any:
        raise HostSlow


def test_who_took_part_hears_of_the_end_though_the_host_answers_no_search(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    with world.handed(jobs=Idle()):
        assert alice.post(f"flows/{flow_id}/cancel", {"reason": "x"}).status_code == 200
    look_at(replace(in_hours(world, 1), files=NeverAsked(world.office.ctx.files), jobs=Idle()), flow_id)
    assert world.mails(flow_id, "cancelled", "bob@")


def test_a_search_that_fails_once_makes_no_second_copy_whatever_else_failed(world: World, alice: Browser) -> None:
    folder, chosen, elsewhere = world.folder(), world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    for _ in range(5):
        ctx.vault.postpone(flow_id, "invitation:r1:1", ctx.clock(), "mail-refused")
    with world.handed(jobs=Idle(), flows=NeverFinishing(ctx.flows)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    with pytest.raises(Died):
        look_at(
            replace(in_hours(world, 1), jobs=Idle(), flows=Dying(ctx.flows, "flow.completed", after=False)), flow_id
        )
    assert shown(world, chosen) == [COPY]
    move(world, f"{chosen}/{COPY}", f"{elsewhere}/{COPY}")
    look_at(replace(in_hours(world, 2), files=Unsearchable(ctx.files), jobs=Idle()), flow_id)
    look_at(in_hours(world, 3), flow_id)
    assert ended(world, alice, flow_id)["state"] == "completed"
    assert [name for place in (folder, chosen, elsewhere) for name in shown(world, place) if name == COPY] == [COPY]
    assert not [work for work in ctx.vault.attempts(flow_id) if work.startswith("search")]

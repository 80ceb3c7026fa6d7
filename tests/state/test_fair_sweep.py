"""Hundreds of flows that nothing can be done for keep no other one waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from plugin.actions.context import Context
from plugin.actions.rebuild import Report
from plugin.actions.sweep import SWEEP_LIMIT
from plugin.flow.decide import decide
from plugin.flow.errors import HostBusy
from plugin.flow.model import Role, SuspendReason
from plugin.ports import Mail
from plugin.ports_state import Loaded
from plugin.sweeper import Sweeper
from tests.flow.builders import order
from tests.state.test_whole_life import FOLDER, MINUTE, Life
from tests.state.world import place

STUCK = SWEEP_LIMIT + 60


def flow_id(number: int) -> str:
    return f"01890000-0000-7000-8000-{number:012x}"


def launch(life: Life, number: int) -> str:
    asked = replace(order([Role.VALIDATOR]), flow_id=flow_id(number))
    life.world.store.create(place(asked.flow_id, FOLDER), decide(None, asked, life.at), life.at)
    return asked.flow_id


def gone(life: Life, flow_ids: list[str]) -> Context:
    """Their creator's account was deleted: they owe an invitation that nobody sends."""
    for one in flow_ids:
        life.world.vault.note_trouble(one, str(SuspendReason.CREATOR_GONE), "", life.at)
    return life.ctx


def failing(life: Life, flow_ids: list[str]) -> Context:
    """Nothing can be done for them at the moment, and the look itself fails."""
    compose: Any = life.ctx.compose

    def refused(loaded: Loaded, work: Any) -> Mail | None:
        if loaded.flow.id in flow_ids:
            raise HostBusy
        found: Mail | None = compose(loaded, work)
        return found

    return replace(life.ctx, compose=refused)


def test_hundreds_of_flows_whose_creator_is_gone_hold_up_no_other(tmp_path: Path) -> None:
    life = Life(tmp_path, 1)
    ctx = gone(life, [life.flow_id, *(launch(life, number) for number in range(2, STUCK + 2))])
    life.at += MINUTE
    healthy = launch(life, STUCK + 2)
    sweeper = Sweeper(lambda: ctx, lambda: False, lambda: Report(0, (), 0), timedelta(days=1))
    for _ in range(3):
        sweeper()
        life.at += timedelta(seconds=20)
    assert [mail for mail in life.post.mails if healthy in mail], "its invitation went out"
    later = launch(life, STUCK + 3)
    sweeper()
    assert [mail for mail in life.post.mails if later in mail], "and the next one's at once"
    life.world.close()


def test_those_that_fail_hold_up_no_other_and_have_their_turn_again(tmp_path: Path) -> None:
    life = Life(tmp_path, 1)
    stuck = [life.flow_id, *(launch(life, number) for number in range(2, STUCK + 2))]
    ctx = failing(life, stuck)
    life.at += MINUTE
    healthy = launch(life, STUCK + 2)
    sweeper = Sweeper(lambda: ctx, lambda: False, lambda: Report(0, (), 0), timedelta(days=1))
    for _ in range(2):
        sweeper()
        life.at += timedelta(seconds=20)
    assert [mail for mail in life.post.mails if healthy in mail], "its invitation went out"
    stuck.clear()  # whatever it was, it is over
    life.at += timedelta(minutes=5)
    sweeper()
    sweeper()
    assert len(life.post.mails) == STUCK + 2
    assert not life.world.vault.postponed(), "nothing is left behind of it"
    life.world.close()

"""What is looked at without being asked: nothing that was written goes unseen, and no backlog holds up the mails."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from plugin.actions.heed import WRITTEN_EVERY_S, Hint, heed, heed_later
from plugin.actions.sweep import CALL_S, CALLS, CHECK_LIMIT, CatchUp, Patrol, sweep
from plugin.flow.errors import HostUnavailable
from tests.state.world import FLOW_ID, NOW, World

SAVED = Hint(("77",), (("alice", "Contracts/bail.pdf"),), is_written=True)


class Office:
    """What actions are handed, over the real vault and index; looks are counted."""

    def __init__(self, world: World) -> None:
        self.vault, self.index = world.vault, world.index
        self.at = 0.0
        self.looks: list[str] = []
        self.jobs = SimpleNamespace(look_after=self.looks.append, look_at=lambda _: None)

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.at)

    def saved(self, at: float) -> None:
        self.at = at
        heed(self, SAVED)  # type: ignore[arg-type]  # stands in for it

    def swept(self, at: float) -> int:
        """How many looks that adds."""
        self.at, before = at, len(self.looks)
        heed_later(self)  # type: ignore[arg-type]  # stands in for it
        return len(self.looks) - before


@pytest.fixture
def office(world: World) -> Office:
    world.launch()
    return Office(world)


def test_the_last_of_several_writes_is_looked_at_as_well(office: Office) -> None:
    office.saved(0)
    assert office.looks == [FLOW_ID]
    for second in (1, 2, 3):
        office.saved(second)
    assert office.looks == [FLOW_ID], "one look for many writes"
    assert office.swept(20) == 1
    assert office.swept(40) == 0, "and no more than that"


def test_a_write_during_the_look_that_makes_up_for_others_asks_for_another(office: Office) -> None:
    office.saved(0)
    office.saved(1)

    def save(_: str) -> None:
        office.looks.append(FLOW_ID)
        office.jobs.look_after = office.looks.append
        office.saved(office.at)

    office.jobs.look_after = save
    assert office.swept(20) == 1
    assert office.swept(40) == 1
    assert office.swept(60) == 0


def test_whoever_saves_all_day_is_looked_at_with_each_sweep_at_most(office: Office) -> None:
    for second in range(600):
        office.saved(second)
        if second % 20 == 0:
            office.swept(second)
    assert 600 / WRITTEN_EVERY_S <= len(office.looks) <= 600 / 20 + 600 / WRITTEN_EVERY_S


# ---- many flows -----------------------------------------------------------------------------------------------------
class Ticks:
    """A clock that goes on by ``step_s`` with every look."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        return self.now_s

    def tick(self, *_: object) -> None:
        self.now_s += self._step_s


def many(count: int, **more: Any) -> Any:
    flows = [f"{n:05}" for n in range(count)]
    index = SimpleNamespace(running=lambda: flows, due=lambda *_: flows[-3:])
    vault = SimpleNamespace(troubles=list, put_off=lambda *_: [])
    return SimpleNamespace(index=index, vault=vault, clock=lambda: NOW, **more)


@pytest.mark.parametrize("running", [CHECK_LIMIT * CALLS, 3000])
def test_the_patrol_comes_to_every_flow_within_its_round_however_many_there_are(running: int) -> None:
    looked: list[str] = []
    ctx, patrol = many(running), Patrol(look_after=lambda _, flow_id: looked.append(flow_id), monotonic=Ticks(0))
    patrol(ctx)
    ctx.clock = lambda: NOW + timedelta(minutes=5)
    for _ in range(CALLS):
        patrol(ctx)
    assert looked == ctx.index.running()


def test_a_flow_that_has_ended_is_looked_at_once_more() -> None:
    looked: list[str] = []
    flows = SimpleNamespace(check=looked.append)
    ctx = many(3, flows=flows)
    patrol = Patrol(look_after=lambda _, flow_id: looked.append(flow_id), monotonic=Ticks(0))
    patrol(ctx)
    ended = ctx.index.running().pop()
    for minutes in (5, 10, 15):
        ctx.clock = lambda minutes=minutes: NOW + timedelta(minutes=minutes)
        patrol(ctx)
    assert looked.count(ended) == 1
    assert [looked.count(running) for running in ctx.index.running()] == [3, 3]


def test_on_a_slow_host_one_round_of_the_patrol_ends_after_some_seconds() -> None:
    ticks = Ticks(CALL_S / 4)
    ctx, patrol = many(100), Patrol(look_after=ticks.tick, monotonic=ticks)
    patrol(ctx)
    ctx.clock = lambda: NOW + timedelta(minutes=5)
    assert [patrol(ctx) for _ in range(3)] == [4, 4, 4]


def test_catching_up_with_many_flows_lets_the_mails_go_out_meanwhile() -> None:
    ticks, refreshed = Ticks(CALL_S / 4), list[str]()

    def refresh(flow_id: str) -> None:
        ticks.tick()
        refreshed.append(flow_id)

    ctx, catch_up = many(10, flows=SimpleNamespace(refresh=refresh)), CatchUp(ticks)
    flows = ctx.index.running()
    catch_up(ctx)
    assert (refreshed, catch_up.is_done) == (flows[:4], False)
    for flow_id in flows[-3:]:  # those that are due do not wait for their turn
        catch_up.first(ctx, flow_id)
    catch_up(ctx)
    assert (refreshed, catch_up.is_done) == ([*flows[:4], *flows[-3:], *flows[4:7]], True)
    catch_up.first(ctx, flows[0])
    assert len(refreshed) == len(flows), "once is enough"


def test_a_flow_that_cannot_be_caught_up_is_not_served_from_what_may_be_old(world: World) -> None:
    world.launch()
    served: list[str] = []

    def away(_: object, flow_id: str) -> None:
        served.append(flow_id)
        raise HostUnavailable

    office = Office(world)
    office.index = SimpleNamespace(due=lambda *_: [FLOW_ID])  # type: ignore[assignment]  # stands in for it
    assert sweep(office, away) == 0  # type: ignore[arg-type]  # stands in for it
    assert served == [FLOW_ID]

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.adapters.leases import Leases
from plugin.adapters.sql import Database
from plugin.flow.errors import HostBusy
from tests.postgresql import Server
from tests.state.world import opened

FLOW = "f1"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(data: Path) -> Iterator[Database]:
    made = opened(data)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def replica(database: Database, clock: Clock, name: str = "one", *, only_instance: bool = False) -> Leases:
    return Leases(database, name, only_instance=only_instance, wait_s=0.0, clock=clock, monotonic=clock)


def test_only_one_of_two_replicas_holds_a_lease(database: Database, clock: Clock) -> None:
    one, other = replica(database, clock), replica(database, clock, "two")
    with one.hold(FLOW) as lease:
        with pytest.raises(HostBusy, match="flow-busy"), other.hold(FLOW):
            pass
        with other.hold("another flow"):
            assert one.holds(lease)
    with other.hold(FLOW) as later:
        assert later.fence == lease.fence + 1
    one.close()
    other.close()


def test_a_lease_expires_and_the_old_holder_notices(database: Database, clock: Clock) -> None:
    one, other = replica(database, clock), replica(database, clock, "two")
    with one.hold(FLOW) as old:
        clock.now += 10
        assert not one.holds(old)
        with other.hold(FLOW) as new:
            assert new.fence > old.fence
            assert other.holds(new)
            one.renew()
            assert not one.holds(old)
        with other.hold(FLOW) as again:
            assert other.holds(again)
    with other.hold(FLOW) as after:
        assert after.fence > again.fence
    one.close()
    other.close()


def test_a_renewed_lease_lasts(database: Database, clock: Clock) -> None:
    one, other = replica(database, clock), replica(database, clock, "two")
    with one.hold(FLOW) as lease:
        for _ in range(5):
            clock.now += 6
            one.renew()
        assert one.holds(lease)
        with pytest.raises(HostBusy), other.hold(FLOW):
            pass
    one.close()
    other.close()


def test_the_only_instance_frees_its_earlier_boots_leases_at_start(database: Database, clock: Clock) -> None:
    killed, stranger = replica(database, clock), replica(database, clock, "two")
    lost, foreign = killed.hold(FLOW), stranger.hold("another flow")
    fence = lost.__enter__().fence
    foreign.__enter__()
    restarted = replica(database, clock, only_instance=True)
    with restarted.hold(FLOW) as lease:
        assert lease.fence == fence + 1
    with pytest.raises(HostBusy), restarted.hold("another flow"):
        pass
    foreign.__exit__(None, None, None)
    lost.__exit__(None, None, None)
    for leases in (killed, stranger, restarted):
        leases.close()


def test_within_a_thread_the_same_lease_is_given_again(database: Database, clock: Clock) -> None:
    one = replica(database, clock)
    with one.hold(FLOW) as outer:
        with one.hold(FLOW) as inner:
            assert inner is outer
        assert one.holds(outer)
    assert not one.holds(outer)
    one.close()


def test_another_thread_of_the_same_process_waits_its_turn(database: Database) -> None:
    one = Leases(database, "one", only_instance=True)
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with one.hold(FLOW):
            order.append("second")

    thread = threading.Thread(target=second)
    with one.hold(FLOW):
        thread.start()
        entered.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    one.close()


def test_an_error_inside_gives_the_lease_back(database: Database, clock: Clock) -> None:
    one, other = replica(database, clock), replica(database, clock, "two")
    with pytest.raises(RuntimeError), one.hold(FLOW):
        raise RuntimeError
    with other.hold(FLOW):
        pass
    one.close()
    other.close()


def test_a_machine_whose_clock_is_an_hour_ahead_takes_no_lease_of_another(
    postgresql_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql_server.new_database()
    mine, its = Database(url), Database(url)
    one, other = (
        Leases(database, name, only_instance=False, wait_s=0.0) for database, name in ((mine, "one"), (its, "two"))
    )
    right = time.time
    with one.hold(FLOW) as lease:
        for ahead_s in (3600, -3600):
            monkeypatch.setattr(time, "time", lambda ahead_s=ahead_s: right() + ahead_s)
            with pytest.raises(HostBusy), other.hold(FLOW):
                pass
            one.renew()
        assert one.holds(lease)
    with other.hold(FLOW) as later:
        assert later.fence == lease.fence + 1
    for leases in (one, other):
        leases.close()
    for database in (mine, its):
        database.close()

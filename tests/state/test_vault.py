from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from plugin.adapters.chain import instant
from plugin.adapters.sql import Database, claims
from plugin.adapters.vault import SqlVault
from plugin.flow.model import Instead
from plugin.ports_vault import LaunchAttempt, Laying, Seen
from tests.postgresql import Server
from tests.state.world import FLOW_ID, FOLDER, NOW, World

SECOND = dt.timedelta(seconds=1)


def test_the_first_opening_wins(world: World) -> None:
    world.vault.mark_opened("f", "r1", 1, NOW)
    world.vault.mark_opened("f", "r1", 1, NOW + SECOND)
    world.vault.mark_opened("f", "r1", 2, NOW + SECOND)
    assert world.vault.opened("f") == {("r1", 1): NOW, ("r1", 2): NOW + SECOND}
    assert world.vault.opened("g") == {}


def test_a_claim_is_given_once_until_it_runs_out(world: World) -> None:
    assert world.vault.claim("f", "mail", NOW, 30)
    assert not world.vault.claim("f", "mail", NOW + 29 * SECOND, 30)
    assert world.vault.claim("f", "finish", NOW, 30)
    assert world.vault.claim("f", "mail", NOW + 30 * SECOND, 30)
    world.vault.release("f", "mail")
    assert world.vault.claim("f", "mail", NOW + 31 * SECOND, 30)


def test_a_postponed_claim_waits_longer_each_time_and_never_more_than_a_minute_at_first(world: World) -> None:
    now, pauses = NOW, []
    for _ in range(7):
        assert world.vault.claim("f", "mail", now, 30)
        again = world.vault.postpone("f", "mail", now, "host-unavailable")
        assert not world.vault.claim("f", "mail", again - SECOND, 30)
        assert world.vault.postponed() == {"f": instant(again)}
        pauses.append((again - now).total_seconds())
        now = again
    assert pauses == [5, 10, 20, 40, 60, 60, 60]
    assert world.vault.attempts("f") == {"mail": (7, "host-unavailable")}
    world.vault.release("f", "mail")
    assert world.vault.attempts("f") == {}


def test_a_claim_taken_at_once_by_many_is_given_to_one(world: World) -> None:
    start, given = threading.Barrier(6), []

    def work() -> None:
        start.wait()
        given.append(world.vault.claim("f", "mail", NOW, 30))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [False] * 5 + [True]


@pytest.mark.parametrize("only_instance", [True, False])
def test_a_restart_of_the_only_instance_frees_claims(world: World, only_instance: bool) -> None:
    assert world.vault.claim("f", "mail", NOW, 30)
    again = World(world.data, world.files, only_instance=only_instance)
    assert again.vault.claim("f", "mail", NOW, 30) is only_instance
    again.close()


def test_a_launch_counts_as_cut_off_once_it_failed_or_took_an_hour_or_was_of_an_earlier_boot(world: World) -> None:
    attempts = [
        LaunchAttempt(name, "alice", {f"Contracts/.flows/{name}": "7", f".flows/{name}": ""}) for name in "abc"
    ]
    for attempt in attempts:
        world.vault.begin_launch(attempt, NOW)
    assert world.vault.cut_off_launches(NOW) == []
    world.vault.give_up_launch("a", NOW, 0 * SECOND)
    world.vault.end_launch("b")
    assert world.vault.cut_off_launches(NOW) == [attempts[0]]
    assert world.vault.cut_off_launches(NOW + 3600 * SECOND) == [attempts[0], attempts[2]]
    assert SqlVault(world.database, only_instance=True).cut_off_launches(NOW) == [attempts[0], attempts[2]]


def test_what_a_failed_launch_may_still_get_is_looked_for_later(world: World) -> None:
    attempt = LaunchAttempt("a", "alice", {".flows/a": ""})
    world.vault.begin_launch(attempt, NOW)
    world.vault.give_up_launch("a", NOW, 45 * SECOND)
    assert world.vault.cut_off_launches(NOW + 44 * SECOND) == []
    assert world.vault.cut_off_launches(NOW + 45 * SECOND) == [attempt]


def test_a_launch_that_an_older_version_noted_is_cut_off_like_others(world: World) -> None:
    """It knew the folders by their paths alone."""
    world.vault.begin_launch(LaunchAttempt("a", "alice", {}), NOW)
    with world.database.vault_writing() as connection:
        noted = json.dumps(["alice", "Contracts/.flows/a", ".flows/a"])
        connection.execute(sa.update(claims).where(claims.c.flow_id == "a").values(reason=noted))
    world.vault.give_up_launch("a", NOW, 0 * SECOND)
    assert world.vault.cut_off_launches(NOW) == [
        LaunchAttempt("a", "alice", {"Contracts/.flows/a": "", ".flows/a": ""})
    ]


def test_a_launch_whose_first_line_was_acknowledged_is_never_cut_off(world: World) -> None:
    world.launch()
    world.vault.begin_launch(LaunchAttempt(FLOW_ID, "alice", {FOLDER: ""}), NOW)
    assert world.vault.cut_off_launches(NOW + 3600 * SECOND) == []


def test_a_launch_of_which_was_heard_is_not_cut_off(world: World) -> None:
    for name in "ab":
        world.vault.begin_launch(LaunchAttempt(name, "alice", {f".flows/{name}": ""}), NOW)
    world.vault.give_up_launch("b", NOW, 0 * SECOND)
    for name in "ab":
        world.vault.prolong_launch(name, NOW + 3000 * SECOND)
    assert [attempt.flow_id for attempt in world.vault.cut_off_launches(NOW + 3600 * SECOND)] == ["b"]
    assert [attempt.flow_id for attempt in world.vault.cut_off_launches(NOW + 6600 * SECOND)] == ["a", "b"]


def test_a_claim_is_kept_for_longer_and_bears_word_of_how_far_its_work_is(world: World) -> None:
    assert world.vault.word("alice", "launch:k", NOW) is None
    assert world.vault.claim("alice", "launch:k", NOW, 60)
    assert world.vault.word("alice", "launch:k", NOW) == ""
    assert world.vault.prolong("alice", "launch:k", NOW + 50 * SECOND, 60, "[1, 2]")
    assert not world.vault.claim("alice", "launch:k", NOW + 100 * SECOND, 60)
    assert world.vault.word("alice", "launch:k", NOW + 100 * SECOND) == "[1, 2]"
    assert world.vault.word("alice", "launch:k", NOW + 110 * SECOND) is None
    world.vault.release("alice", "launch:k")
    assert not world.vault.prolong("alice", "launch:k", NOW, 60, "[2, 2]")
    assert world.vault.word("alice", "launch:k", NOW) is None


def test_what_an_original_was_is_kept_until_it_is_forgotten(world: World) -> None:
    first, second = Seen("e1", 7, "a" * 64, "Contracts/é.pdf", True), Seen("e2", 8, "b" * 64, "x", False)
    assert world.vault.seen("f") == {}
    world.vault.note_seen("f", {0: first, 12: second})
    world.vault.note_seen("g", {0: second})
    world.vault.note_seen("f", {0: replace(first, etag="e3")})
    assert world.vault.seen("f") == {0: replace(first, etag="e3"), 12: second}
    assert world.vault.attempts("f") == {}
    world.vault.forget_seen("f")
    assert (world.vault.seen("f"), world.vault.seen("g")) == ({}, {0: second})


def test_results_about_to_be_put_are_noted_once_and_are_nobodys_work(world: World) -> None:
    one = Laying("copy:0", "Étés/2026", "Bail (signé).pdf", "ab" * 32, "cd" * 32)
    other = Laying("evidence", "", "Bail (dossier de preuves).pdf", "ef" * 32, "cd" * 32, Instead.READ_ONLY, 7)
    world.vault.note_layings("f", [one, other])
    world.vault.note_layings("f", [one])
    world.vault.note_layings("g", [one])
    assert set(world.vault.layings("f")) == {one, other}
    assert len(world.vault.layings("f")) == 2
    assert world.vault.attempts("f") == {}
    assert world.vault.postponed() == {}
    assert world.vault.cut_off_launches(NOW + 7_200 * SECOND) == []
    world.vault.forget_layings("f")
    assert world.vault.layings("f") == []
    assert world.vault.layings("g") == [one]


def test_what_an_earlier_version_noted_is_read(world: World) -> None:
    world.vault.note_layings("f", [Laying("evidence", "", "Bail.pdf", "ef" * 32, "cd" * 32, size_bytes=7)])
    with world.database.vault_writing() as connection:
        text = connection.execute(sa.select(claims.c.reason)).scalar_one()
        connection.execute(sa.update(claims).values(reason=json.dumps(json.loads(text)[:6])))
    assert world.vault.layings("f") == [Laying("evidence", "", "Bail.pdf", "ef" * 32, "cd" * 32)]


def test_work_that_was_put_off_for_a_reason_is_found_once_its_time_has_come(world: World) -> None:
    world.vault.claim("f", "invitation:r1:1", NOW, 60)
    world.vault.postpone("f", "invitation:r1:1", NOW, "handed-over")
    world.vault.postpone("g", "invitation:r1:1", NOW, "host-busy")
    assert world.vault.put_off("handed-over", NOW) == []
    assert world.vault.put_off("handed-over", NOW + 60 * SECOND) == ["f"]
    world.vault.release("f", "invitation:r1:1")
    assert world.vault.put_off("handed-over", NOW + 60 * SECOND) == []


# ---- two processes --------------------------------------------------------------------------------------------------
def test_whoever_held_a_claim_too_long_does_not_end_that_of_another(world: World) -> None:
    slow, fast = world.vault, SqlVault(world.database, only_instance=False)
    assert slow.claim("f", "mail", NOW, 30)
    assert fast.claim("f", "mail", NOW + 31 * SECOND, 30)
    slow.release("f", "mail")
    slow.postpone("f", "mail", NOW + 32 * SECOND, "host-busy")
    slow.prolong("f", "mail", NOW + 32 * SECOND, 1, "mine")
    third = SqlVault(world.database, only_instance=False)
    assert not third.claim("f", "mail", NOW + 60 * SECOND, 30), "the second one's runs on"
    assert third.attempts("f") == {}
    fast.release("f", "mail")
    assert third.claim("f", "mail", NOW + 33 * SECOND, 30)


def test_a_machine_whose_clock_is_an_hour_ahead_takes_no_claim_of_another(postgresql_server: Server) -> None:
    url = postgresql_server.new_database()
    mine, its = Database(url), Database(url)
    one, other = (SqlVault(database, only_instance=False, asks_time=True) for database in (mine, its))
    now, hour = dt.datetime.now(dt.UTC), dt.timedelta(hours=1)
    attempt = LaunchAttempt("g", "alice", {"folder": ""})
    assert one.claim("f", "mail", now, 30)
    one.begin_launch(attempt, now)
    assert not other.claim("f", "mail", now + hour, 30)
    assert other.cut_off_launches(now + 2 * hour) == []
    assert one.prolong("f", "mail", now - hour, 30, "still at it")
    assert other.word("f", "mail", now + hour) == "still at it"
    one.postpone("f", "mail", now, "handed-over")
    assert other.put_off("handed-over", now + hour) == []
    assert not other.claim("f", "mail", now + hour, 30)
    one.release("f", "mail")
    assert other.claim("f", "mail", now - hour, 30)
    one.give_up_launch("g", now + hour, 0 * SECOND)
    assert other.cut_off_launches(now - hour) == [attempt]
    for database in (mine, its):
        database.close()


def test_what_was_put_off_is_anybodys(world: World) -> None:
    other = SqlVault(world.database, only_instance=False)
    assert world.vault.claim("f", "mail", NOW, 30)
    world.vault.postpone("f", "mail", NOW, "host-busy")
    other.postpone("f", "mail", NOW, "host-busy")
    assert other.attempts("f") == {"mail": (2, "host-busy")}
    other.release("f", "mail")
    assert world.vault.attempts("f") == {}

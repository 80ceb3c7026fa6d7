"""A short cut of ``make test-faults``: every point, every fault, every host, and two processes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import at_once, crash, host_faults, hosts

SEED = 1


def there(kind: str) -> None:
    assert hosts.missing(kind) is None, (
        f"this machine lacks Debian's {hosts.missing(kind)}: tools/needs.py installs it"
    )


def test_killed_at_every_point_nothing_is_lost_doubled_or_stuck(tmp_path: Path) -> None:
    tally = crash.Tally(SEED)
    crash.campaign(tmp_path, "embedded", 200, SEED, tally, enough=lambda so_far: not crash.unmet(so_far))
    print(f"{sum(tally.kills.values())} kills, {tally.flows} flows, mails twice: {tally.mails_twice}")
    assert tally.violations == []
    assert crash.unmet(tally) == []


def test_a_host_that_fails_in_every_way_alters_no_original_and_loses_nothing(tmp_path: Path) -> None:
    tally = host_faults.Tally(SEED)
    host_faults.campaign(tmp_path, "embedded", 100, SEED, tally, enough=lambda so_far: not host_faults.unmet(so_far))
    print(f"{sum(tally.faults.values())} faults, {tally.flows} flows, slowest recovery {tally.slowest_s:.1f} s")
    assert tally.violations == []
    assert host_faults.unmet(tally) == []


@pytest.mark.parametrize("kind", [kind for kind in hosts.KINDS if kind != "embedded"])
def test_the_same_on_another_host(kind: str, tmp_path: Path) -> None:
    there(kind)
    kills, faults = crash.Tally(SEED), host_faults.Tally(SEED)
    for folder in ("kills", "faults"):
        (tmp_path / folder).mkdir()
    crash.campaign(tmp_path / "kills", kind, 5, SEED, kills)
    host_faults.campaign(tmp_path / "faults", kind, 3, SEED, faults)
    assert kills.violations + faults.violations == []


@pytest.mark.machine
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_processes_asked_at_once_make_one_event_of_each_decision(database: str, tmp_path: Path) -> None:
    tally = at_once.Tally(SEED)
    at_once.campaign(tmp_path, "embedded", 4, 2, SEED, tally, database=database)
    assert tally.violations == []
    assert (sum(tally.pairs.values()), tally.identical, tally.submits) == (4, 2, 20)

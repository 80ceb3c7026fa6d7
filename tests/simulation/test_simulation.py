"""A short run of what `make simulate` does at length, and what makes it worth something: it replays to the letter."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from tests.simulation.world import World

ROOT = Path(__file__).parents[2]
_HASH = """
import itertools, sys, time

turns = itertools.count()
if sys.argv[2] == "races":
    time.monotonic = time.time = lambda: 3600.0 * next(turns)

from tests.simulation.world import World

print(World(int(sys.argv[1]), 6, on_sql=False).run().hash)
"""


@pytest.mark.parametrize("seed", range(1, 17))
def test_whatever_fails_nothing_is_lost_doubled_out_of_order_or_stuck(seed: int) -> None:
    result = World(seed, 8, on_sql=seed % 12 == 0).run()
    assert result.broken is None, "\n".join((result.broken, *result.tail[-60:]))
    assert result.counts["acts"] > 0


@pytest.mark.parametrize("seed", [27])
def test_a_seed_replays_to_the_letter_in_any_process_however_fast_its_clock_runs(seed: int) -> None:
    hashes = []
    for hash_seed, clock in (("1", "runs"), ("2", "races")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", _HASH, str(seed), clock]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        hashes.append(done.stdout)
    assert hashes[0] == hashes[1]
    assert hashes[0] != World(seed + 1, 6, on_sql=False).run().hash + "\n"


def test_what_other_threads_do_meanwhile_is_no_part_of_it() -> None:
    alone = World(27, 6, on_sql=False).run().hash
    is_over = threading.Event()
    done = 0

    def rest_of_the_process() -> None:
        nonlocal done
        while not is_over.wait(0.001):
            secrets.token_bytes(16), secrets.token_hex(8), secrets.randbits(32)
            structlog.get_logger().warning("somebody.else")
            done += 1

    other = threading.Thread(target=rest_of_the_process)
    other.start()
    try:
        beside = World(27, 6, on_sql=False).run().hash
    finally:
        is_over.set()
        other.join()
    assert done
    assert beside == alone


@pytest.mark.parametrize("seed", [3, 6])
def test_the_tables_without_sql_behave_like_those_with_it(seed: int) -> None:
    chances = replace(World(seed, 1, on_sql=False).chances, lost_index=0.0)
    with_sql, without = (World(seed, 6, chances, on_sql=on_sql).run() for on_sql in (True, False))
    assert with_sql.broken is None, with_sql.broken
    assert without.hash == with_sql.hash


@pytest.mark.parametrize("seed", [3, 27])
def test_what_is_worked_out_once_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = World(seed, 8, on_sql=False).run()
    monkeypatch.setattr("tests.simulation.world.shortcuts", nullcontext)
    assert World(seed, 8, on_sql=False).run().hash == quick.hash

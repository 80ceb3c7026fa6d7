"""What the simulator found, and what no world of its own would show again by itself."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa

from plugin.adapters.letters import Letters
from plugin.flow.model import CREATOR
from tests.simulation import world
from tests.simulation.files import SimFiles
from tests.simulation.many import FLOWS_A_WORLD, on_sql
from tests.simulation.story import Story
from tests.simulation.test_catches import FLOWS, quiet
from tests.simulation.world import World


def test_a_mail_that_was_handed_over_is_recorded_although_the_next_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was sent again two minutes later, when its claim had run out."""
    real, failed = Letters.compose, set()

    def composed(self: Letters, loaded: Any, work: Any) -> Any:
        if work.person != CREATOR and work.mail == "completed" and loaded.flow.id not in failed:
            failed.add(loaded.flow.id)
            raise sa.exc.OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked"))
        return real(self, loaded, work)

    monkeypatch.setattr(Letters, "compose", composed)
    result = World(1, FLOWS, quiet(), on_sql=False).run()
    assert failed
    assert result.broken is None, result.broken


def test_a_copy_that_was_cut_off_where_a_revision_ends_is_nobodys_to_overwrite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be a file that somebody keeps under that name: the whole one lies beside it, and all the rest holds."""
    cut = []

    def half(self: SimFiles, data: bytes) -> bytes:
        start = data[: data.rfind(b"signed ")]
        cut.append(start.count(b"signed "))
        return start

    monkeypatch.setattr(SimFiles, "_half", half)
    for seed in range(1, 31):
        result = World(seed, FLOWS, quiet(host={"half-written": 0.1}), on_sql=False).run()
        assert result.broken is None, result.broken
        if max(cut, default=0) > 0:
            return
    pytest.fail("no copy was cut off there")


def test_a_version_that_was_cut_off_there_is_somebodys_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole one lies beside, and the original is among the platform's versions."""
    monkeypatch.setattr(SimFiles, "_half", lambda _self, data: data[: data.rfind(b"signed ")])
    for seed in range(1, 31):
        result = World(seed, FLOWS, quiet(host={"half-written": 0.1}, honours_conditions=False), on_sql=False).run()
        assert result.broken is None, result.broken
        if result.counts.get("copies: beside for changed", 0) > 0:  # nobody else changes anything there
            return
    pytest.fail("no version was cut off there")


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_what_was_made_on_the_way_is_removed_also_where_the_creator_is_erased_at_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knew any more in which folders his other documents lay; half-signed revisions stayed there for good."""
    real = world.drawn_story

    def drawn(*how: Any) -> Story:
        story = real(*how)
        story.erased = "creator"
        return story

    monkeypatch.setattr(world, "drawn_story", drawn)
    result = World(seed, 12, quiet(job_dropped=1.0), on_sql=False).run()
    assert result.counts["erased"] > 0
    assert result.broken is None, result.broken


@pytest.mark.parametrize("seed", [274, 818, 975, 1076])
def test_whoever_stood_still_for_longer_than_his_lease_leaves_nothing_behind(seed: int) -> None:
    """A launch that took longer than its claim lasts made a second flow beside its twin's (274); half a copy that two
    finished at once was an error nobody expects (818); a revision that was sealed before the pause came after the last
    tidying (975); a second evidence record lay under the next name (1076)."""
    result = World(seed, FLOWS_A_WORLD, on_sql=on_sql(seed)).run()
    assert result.broken is None, result.broken


@pytest.mark.parametrize("seed", [304, 321, 475])
def test_two_who_stand_still_and_lose_answers_leave_one_record_and_no_revision(seed: int) -> None:
    """One who stood still laid a second evidence record and could not tell: by a lost answer, or since the flow was
    held by somebody else when he asked."""
    result = World(seed, FLOWS, quiet(pause=0.03, host={"lost-reply": 0.15}), on_sql=False).run()
    assert result.broken is None, result.broken


@pytest.mark.parametrize("seed", [2, 29, 58])
def test_a_mail_that_was_handed_over_is_not_sent_again_where_its_persons_account_is_out_before_it_is_recorded(
    seed: int,
) -> None:
    """While the quota was full it lacked its line; that nobody could ask for the account overwrote why it waited."""
    result = World(seed, FLOWS, quiet(absences=1.0, host={"full": 0.03}), on_sql=False).run()
    assert result.broken is None, result.broken

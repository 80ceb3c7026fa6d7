"""The index's copies in a rebuild: acknowledged lines that this server alone knows are not lost with the rows."""

from __future__ import annotations

import pytest

from plugin.actions.rebuild import Report, rebuild
from plugin.flow.errors import HostUnavailable
from plugin.ports_state import QUARANTINED, RESTORED
from tests.state.past import quarantined, set_index, set_vault
from tests.state.test_forks import Branches, branches, troubles
from tests.state.test_index import People
from tests.state.world import FLOW_ID, STATE, World, agrees, append

__all__ = ["branches"]


def rebuilt(world: World) -> Report:
    return rebuild(world.files, People(), world.adopter)


def older(log: bytes) -> bytes:
    return b"".join(log.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize("vault", ["behind", "missing"])
def test_a_rebuild_keeps_the_lines_that_the_file_lacks_where_an_older_vault_cannot_tell(
    world: World, branches: Branches, vault: str
) -> None:
    set_vault(world, branches.base if vault == "behind" else None)
    set_index(world, branches.lower)
    world.files.plant(STATE, older(branches.lower))
    assert rebuilt(world).flows == 1
    assert world.state() == branches.lower
    assert quarantined(world) == [older(branches.lower)]
    assert troubles(world) == {QUARANTINED, RESTORED}
    agrees(world)


@pytest.mark.parametrize("on_host", ["lower", "higher"])
@pytest.mark.parametrize("vault", ["behind", "missing"])
def test_of_two_branches_a_rebuild_takes_the_one_that_counts_and_sets_the_other_aside(
    world: World, branches: Branches, vault: str, on_host: str
) -> None:
    set_vault(world, branches.base if vault == "behind" else None)
    set_index(world, branches.lower if on_host == "higher" else branches.higher)
    world.files.plant(STATE, getattr(branches, on_host))
    assert rebuilt(world).flows == 1
    assert world.state() == branches.higher
    assert quarantined(world) == [branches.lower]
    agrees(world)


@pytest.mark.parametrize("vault", ["behind", "missing"])
@pytest.mark.parametrize("then", ["damaged", "deleted"])
def test_a_file_that_is_damaged_or_gone_comes_back_from_a_copy_that_goes_on_from_an_older_vault(
    world: World, branches: Branches, vault: str, then: str
) -> None:
    set_vault(world, branches.base if vault == "behind" else None)
    set_index(world, branches.lower)
    if then == "damaged":
        world.files.plant(STATE, b"not a line\n")
    else:
        world.files.delete("alice", STATE)
    report = rebuilt(world)
    if (vault, then) == ("missing", "deleted"):  # nobody knows whether it was meant to go
        assert report.flows == 0
        return
    assert report.restored == (FLOW_ID,)
    assert world.state() == branches.lower
    agrees(world)


def test_a_copy_that_the_file_holds_or_goes_on_from_changes_nothing(world: World, branches: Branches) -> None:
    set_index(world, branches.base)
    assert rebuilt(world) == Report(1, (), 0)
    assert (quarantined(world), troubles(world)) == ([], set())
    assert world.state() == branches.higher


def test_a_flow_whose_storage_was_away_keeps_its_copy_for_the_next_rebuild(world: World, branches: Branches) -> None:
    def away(path: str) -> None:
        if path == STATE:
            raise HostUnavailable

    world.files.before_read = away
    assert rebuilt(world).flows == 0
    world.files.before_read = None
    world.files.plant(STATE, older(branches.higher))
    assert rebuilt(world).restored == (FLOW_ID,)
    assert world.state() == branches.higher
    agrees(world)
    append(world)
    agrees(world)

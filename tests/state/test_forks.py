"""Two histories of one flow: one counts, the other is set aside and told of, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from plugin.actions.rebuild import rebuild
from plugin.adapters.personal import persons_beside
from plugin.adapters.sql import leases
from plugin.flow.errors import HostBusy, HostFull, HostUnavailable
from plugin.flow.events import MailAccepted
from plugin.flow.model import MailKind
from plugin.ports_files import PreconditionFailed, Written
from plugin.ports_state import (
    DAMAGED,
    ERASING,
    QUARANTINED,
    RESTORED,
    ChainBroken,
    ChainMoved,
)
from tests.state.past import put_back, quarantined, salts_file, set_index, set_vault
from tests.state.test_index import People
from tests.state.world import FLOW_ID, NOW, STATE, TITLE, FaultyFiles, World, agrees, append, erased, place


class Branches(NamedTuple):
    """Both go on from ``base``; ``higher`` was written under the later lease."""

    base: bytes
    lower: bytes
    higher: bytes


@pytest.fixture
def branches(world: World) -> Branches:
    loaded = world.launch()
    base = world.state()
    append(world, mail("lower"))
    append(world, mail("lower too"))
    lower = world.state()
    put_back(world, loaded)
    append(world, mail("higher"))
    return Branches(base, lower, world.state())


def mail(person: str) -> MailAccepted:
    return MailAccepted(MailKind.COMPLETED, person, 0, "<m@x>")


def troubles(world: World) -> set[str]:
    return {trouble.reason for trouble in world.vault.troubles(FLOW_ID)}


# ---- the vault's head decides ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("acknowledged", ["lower", "higher"])
def test_the_branch_that_the_vault_acknowledged_wins_whatever_its_fence(
    world: World, branches: Branches, acknowledged: str
) -> None:
    mine, foreign = getattr(branches, acknowledged), branches.lower if acknowledged == "higher" else branches.higher
    set_vault(world, mine)
    set_index(world, mine)
    world.files.plant(STATE, foreign)
    world.store.refresh(FLOW_ID)
    assert world.state() == mine
    assert quarantined(world) == [foreign]
    assert troubles(world) == {QUARANTINED, RESTORED}
    agrees(world)


def test_a_branch_that_nothing_proves_is_set_aside_and_nothing_is_made_up(world: World, branches: Branches) -> None:
    set_vault(world, branches.higher)
    set_index(world, branches.base)
    world.files.plant(STATE, branches.lower)
    with pytest.raises(ChainBroken, match="forked"):
        world.store.refresh(FLOW_ID)
    assert world.state() == branches.lower
    assert quarantined(world) == [branches.lower]
    assert troubles(world) == {QUARANTINED, DAMAGED}


# ---- an older vault was put back: it acknowledges both --------------------------------------------------------------
@pytest.mark.parametrize("on_host", ["lower", "higher"])
@pytest.mark.parametrize("vault", ["behind", "missing"])
def test_where_the_vault_cannot_tell_the_higher_fence_wins(
    world: World, branches: Branches, vault: str, on_host: str
) -> None:
    there, copy = getattr(branches, on_host), branches.lower if on_host == "higher" else branches.higher
    set_vault(world, branches.base if vault == "behind" else None)
    set_index(world, copy)
    world.files.plant(STATE, there)
    loaded = world.store.load(FLOW_ID)
    assert world.state() == branches.higher
    assert agrees(world) == loaded
    assert quarantined(world) == [branches.lower]
    assert QUARANTINED in troubles(world)
    assert (RESTORED in troubles(world)) is (on_host == "lower")


@pytest.mark.parametrize("vault", ["behind", "missing"])
def test_a_file_that_lacks_lines_of_the_proven_copy_is_older_however_little_the_vault_knows(
    world: World, branches: Branches, vault: str
) -> None:
    older = b"".join(branches.lower.splitlines(keepends=True)[:-1])
    set_vault(world, branches.base if vault == "behind" else None)
    set_index(world, branches.lower)
    world.files.plant(STATE, older)
    world.store.load(FLOW_ID)
    assert world.state() == branches.lower
    assert quarantined(world) == [older]
    assert troubles(world) == {QUARANTINED, RESTORED}
    agrees(world)


def test_a_file_that_goes_on_from_what_the_vault_knows_is_taken_in_and_nothing_is_set_aside(
    world: World, branches: Branches
) -> None:
    set_vault(world, branches.base)
    set_index(world, branches.base)
    world.files.plant(STATE, branches.lower)
    world.store.refresh(FLOW_ID)
    assert world.state() == branches.lower
    assert (quarantined(world), troubles(world)) == ([], set())
    agrees(world)


def test_a_deleted_file_comes_back_from_a_copy_that_an_older_vault_does_not_know_yet(
    world: World, branches: Branches
) -> None:
    set_vault(world, branches.base)
    set_index(world, branches.lower)
    world.files.delete("alice", STATE)
    world.store.load(FLOW_ID)
    assert world.state() == branches.lower
    assert troubles(world) == {RESTORED}
    agrees(world)


@pytest.mark.sqlite_files
@pytest.mark.parametrize("higher_at", ["Autres", "Contracts"])
def test_of_two_files_that_nobody_knows_of_the_one_of_the_higher_fence_is_taken_in(
    world: World, branches: Branches, higher_at: str
) -> None:
    other = place(folder="Autres")
    world.files.make_folder("alice", other.folder)
    for at in ("Autres", "Contracts"):
        world.files.plant(place(folder=at).path, branches.higher if at == higher_at else branches.lower)
        world.files.plant(f"{place(folder=at).folder}/salts.json", salts_file(world))
    set_vault(world, None, with_salts=False)
    (world.data / "index.db").unlink()
    report = rebuild(world.files, People(), world.adopter)
    assert report.flows == 1
    assert [(s.place, s.reason) for s in report.skipped if s.place] == [
        (other if higher_at == "Contracts" else place(), "copy")
    ]
    loaded = agrees(world)
    assert loaded.place == place(folder=higher_at)
    assert [m.person for m in loaded.flow.mails] == ["higher"]
    assert loaded.flow.title.value == TITLE


def test_what_cannot_be_set_aside_is_not_written_over(world: World, branches: Branches) -> None:
    world.files.plant(STATE, branches.lower)
    write = world.files.write

    def no_room(user: str, path: str, data: bytes, **conditions: bool) -> Written:
        if "quarantine-" in path:
            raise HostFull
        return write(user, path, data, **conditions)  # type: ignore[arg-type]  # passed on

    world.files.write = no_room  # type: ignore[method-assign]  # a host that fails from now on
    with pytest.raises(HostFull):
        world.store.refresh(FLOW_ID)
    assert world.state() == branches.lower
    del world.files.write
    world.store.refresh(FLOW_ID)
    assert world.state() == branches.higher
    assert quarantined(world) == [branches.lower]


# ---- two replicas, and a lease that ran out while its holder stood still --------------------------------------------
class Replicas(NamedTuple):
    slow: World
    fast: World


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    files = FaultyFiles()
    slow, fast = World(tmp_path, files, only_instance=False), World(tmp_path, files, only_instance=False)
    slow.launch()
    yield Replicas(slow, fast)
    slow.close()
    fast.close()


def run_out(world: World) -> None:
    with world.database.vault_writing() as connection:
        connection.execute(sa.update(leases).values(expires_at_ms=0))


def overtaken(replicas: Replicas) -> None:
    """The fast one appends while the slow one's lease has run out."""
    run_out(replicas.slow)
    append(replicas.fast, mail("fast"))


def test_a_late_writer_on_a_host_with_conditions_writes_nothing(replicas: Replicas) -> None:
    replicas.slow.files.before_write = lambda *_: overtaken(replicas)
    with pytest.raises(ChainMoved):
        append(replicas.slow, mail("slow"))
    assert [m.person for m in agrees(replicas.slow).flow.mails] == ["fast"]
    append(replicas.slow, mail("slow"))
    assert [m.person for m in agrees(replicas.fast).flow.mails] == ["fast", "slow"]
    assert quarantined(replicas.slow) == []


def test_who_looks_again_with_a_lease_that_ran_out_is_told_that_the_flow_is_held(replicas: Replicas) -> None:
    with replicas.slow.store.lease(FLOW_ID) as lease:
        overtaken(replicas)
        loaded = replicas.slow.store.load(FLOW_ID)
        assert loaded is not None
        with pytest.raises(HostBusy):
            replicas.slow.store.append(loaded, lease, [mail("slow")], "system", NOW)
    assert [m.person for m in agrees(replicas.slow).flow.mails] == ["fast"]


def test_who_stood_still_while_he_read_a_torn_file_does_not_put_an_older_one_in_its_place(replicas: Replicas) -> None:
    """What was told to others meanwhile is in what is whole of it."""
    files = replicas.slow.files
    slept: list[bytes] = []

    def torn_meanwhile(path: str) -> None:
        if path == STATE and not slept:
            slept.append(b"")
            overtaken(replicas)
            slept.append(replicas.fast.state())
            files.plant(STATE, slept[-1] + b'{"half')

    files.before_read = torn_meanwhile
    with pytest.raises(HostBusy):
        replicas.slow.store.refresh(FLOW_ID)
    assert replicas.slow.state().startswith(slept[-1])
    replicas.fast.store.refresh(FLOW_ID)
    assert replicas.fast.state() == slept[-1]
    assert [m.person for m in agrees(replicas.slow).flow.mails] == ["fast"]


@pytest.mark.parametrize("is_there", [False, True])
def test_who_stood_still_while_he_wrote_writes_no_second_time_over_the_others(
    replicas: Replicas, is_there: bool
) -> None:
    """On a host whose ETags match nothing for a second, and where the file lay before but does no more."""
    files = replicas.slow.files
    before = replicas.slow.state()

    def refused(path: str, _data: bytes) -> None:
        overtaken(replicas)
        files.plant(path, before)  # the other's line is on its way back
        if not is_there:
            files.delete("alice", path)
        raise PreconditionFailed

    files.before_write = refused
    with pytest.raises(HostBusy):
        append(replicas.slow, mail("slow"))
    assert files.read("alice", STATE) == (before if is_there else None)
    replicas.fast.store.refresh(FLOW_ID)
    assert [m.person for m in agrees(replicas.fast).flow.mails] == ["fast"]


def test_who_stood_still_while_he_looked_beside_the_chain_brings_nobody_back_who_was_erased(
    replicas: Replicas,
) -> None:
    salts = f"{place().folder}/salts.json"
    before, reads = salts_file(replicas.slow), []
    append(replicas.slow, erased("r2"), actor="admin")
    replicas.slow.files.plant(salts, before)  # as out of the host's versions

    def overtaken_while_it_reads(path: str) -> None:
        reads.extend([path] if path == salts else [])
        if len(reads) == 2:
            reads.append("")
            run_out(replicas.slow)
            append(replicas.fast, erased("r1"), actor="admin")

    replicas.slow.files.before_read = overtaken_while_it_reads
    with pytest.raises(HostBusy):
        replicas.slow.store.keep_forgotten(FLOW_ID)
    assert persons_beside(salts_file(replicas.fast)) == {"creator"}
    assert ERASING not in {trouble.reason for trouble in replicas.fast.vault.troubles(FLOW_ID)}


def test_a_late_writer_that_wrote_over_the_other_gets_no_yes_and_is_set_aside(replicas: Replicas) -> None:
    """On a host that ignores conditions the file is his; the vault's head never was."""
    acknowledged: list[bytes] = []

    def write_over(path: str, data: bytes) -> None:
        overtaken(replicas)
        acknowledged.append(replicas.fast.state())
        replicas.slow.files.plant(path, data)
        raise HostUnavailable  # the answer got lost; reading back finds the own line

    replicas.slow.files.before_write = write_over
    with pytest.raises(ChainMoved):
        append(replicas.slow, mail("slow"))
    late = replicas.slow.state()
    assert late != acknowledged[0]
    replicas.fast.store.check(FLOW_ID)
    assert replicas.fast.state() == acknowledged[0]
    assert quarantined(replicas.fast) == [late]
    assert [m.person for m in agrees(replicas.slow).flow.mails] == ["fast"]
    assert troubles(replicas.fast) == {QUARANTINED, RESTORED}


def test_a_late_writer_whose_line_the_other_went_on_from_does_not_turn_the_vault_back(replicas: Replicas) -> None:
    def taken_in(_path: str, _data: bytes) -> None:
        run_out(replicas.slow)
        with pytest.raises(ChainMoved):
            append(replicas.fast, mail("fast"))
        append(replicas.fast, mail("fast"))

    replicas.slow.files.after_write = taken_in
    with pytest.raises(ChainMoved):
        append(replicas.slow, mail("slow"))
    for world in replicas:
        assert [m.person for m in agrees(world).flow.mails] == ["slow", "fast"]
    assert quarantined(replicas.slow) == []

"""A person who was erased stays erased: whatever was cut off, put back from a backup, restored or rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from plugin.actions.rebuild import rebuild
from plugin.actions.sweep import CHECK_LIMIT, Forgotten
from plugin.adapters.blobs import FolderBlobs
from plugin.adapters.personal import persons_beside
from plugin.adapters.salts import SaltKeeper
from plugin.adapters.store import Store
from plugin.flow.errors import Conflict, HostUnavailable, OutOfReach
from plugin.flow.events import AskedRecipient, EvidenceStored, MailFailed, RefusedByRecipient, Replaced
from plugin.flow.model import CREATOR, By, MailKind, Personal, RecipientState, Role
from plugin.ports_files import Written
from plugin.ports_state import ERASING, ChainBroken, ChainMoved
from plugin.ports_vault import Laying, Seen
from tests.state import independent_verifier
from tests.state.past import plant_salts, put_back, salts_file, set_vault
from tests.state.test_index import People
from tests.state.world import (
    ADDRESS,
    FLOW_ID,
    FOLDER,
    NAME,
    NOW,
    STATE,
    TITLE,
    FaultyFiles,
    World,
    agrees,
    append,
    approval,
    erased,
    place,
    types,
)


class Killed(BaseException):
    """The process is gone."""


def die(*_: object) -> None:
    raise Killed


def none(person: str) -> Personal:
    return Personal(person, None)


@pytest.fixture
def decided(world: World) -> World:
    world.launch()
    world.act(FLOW_ID, approval())
    return world


def is_erased(world: World, person: str = "r1") -> bool:
    """He reads None, and no salt of his is anywhere."""
    loaded = agrees(world)
    nothing_read = all(r.name == "" for r in loaded.flow.recipients if r.id == person)
    nothing_kept = person not in world.vault.salts(FLOW_ID) and person not in persons_beside(salts_file(world))
    return nothing_read and nothing_kept and not is_noted(world)


def is_noted(world: World) -> bool:
    return ERASING in {trouble.reason for trouble in world.vault.troubles(FLOW_ID)}


def test_an_erased_person_reads_none_and_the_chain_still_verifies(decided: World) -> None:
    append(decided, erased("r1"))
    for reader in (decided, World(decided.data, decided.files)):
        assert is_erased(reader)
        gone, other = agrees(reader).flow.recipients
        assert (gone.name, gone.email, gone.comment) == ("", none("r1"), none("r1"))
        assert gone.state is RecipientState.APPROVED
        assert other.name == NAME
    reader.close()
    proven = independent_verifier.check(decided.state(), FLOW_ID)
    found = independent_verifier.unwrapped(proven, salts_file(decided), decided.keys.secret)
    assert (set(found), proven.erased) == ({"creator", "r2"}, {"r1"})
    opened = list(independent_verifier.personal(proven, found, decided.keys.secret))
    assert {value for _, person, value in opened if person == "r1"} == {None}
    assert {TITLE, *NAME.split()} < {value for _, person, value in opened if person != "r1"}


def test_what_is_written_later_of_an_erased_person_holds_nothing_of_him(decided: World) -> None:
    append(decided, erased("r1"))
    loaded = append(decided, MailFailed(MailKind.COMPLETED, "r1", 0, "x"))
    assert loaded.flow.recipients[0].name == ""
    trace = approval().trace
    append(decided, RefusedByRecipient("r1", 2, Personal("r1", "Motif inavouable"), trace))
    assert is_erased(decided)
    assert decided.state().splitlines()[-1].count(b'"jwe":""') == 3


def test_when_everybody_is_erased_nothing_is_missed_and_nothing_comes_back(decided: World) -> None:
    before = salts_file(decided)
    for person in ("r1", "r2", "creator"):
        append(decided, erased(person))
    assert decided.vault.salts(FLOW_ID) == {}
    assert agrees(decided).flow.title == none("creator")
    with structlog.testing.capture_logs() as logs:
        decided.store.refresh(FLOW_ID)
    assert logs == []
    plant_salts(decided, before)
    decided.store.check(FLOW_ID)
    assert persons_beside(salts_file(decided)) == set()
    assert agrees(decided).flow.title == none("creator")


@pytest.mark.sqlite_files
def test_neither_salt_nor_clear_value_is_left_in_any_file_of_the_server(decided: World) -> None:
    gone = decided.vault.salts(FLOW_ID)
    clear = [value.encode() for value in (TITLE, ADDRESS, *NAME.split())]

    def left(wanted: list[bytes]) -> set[bytes]:
        files = (p.read_bytes() for p in decided.data.rglob("*") if p.is_file())
        return {value for data in files for value in wanted if value in data}

    assert left([*gone.values(), TITLE.encode()]) == {*gone.values(), TITLE.encode()}, "or this test sees nothing"
    append(decided, erased("r1"), erased("r2"))
    assert left([gone["r1"], gone["r2"]]) == set()
    append(decided, erased("creator"))
    assert left([*gone.values(), *clear]) == set()


# ---- cut off in the middle ------------------------------------------------------------------------------------------
def before_the_line(world: World, _: pytest.MonkeyPatch) -> None:
    world.files.before_write = die


def after_the_line(world: World, _: pytest.MonkeyPatch) -> None:
    world.files.after_write = die


def before_the_vault(_: World, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(Store, "_commit", die)


def after_the_vault(_: World, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(SaltKeeper, "forget_beside", die)


def before_its_end(_: World, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(SaltKeeper, "end_erasing", die)


@pytest.mark.parametrize("at", [after_the_line, before_the_vault, after_the_vault, before_its_end])
@pytest.mark.parametrize("by_reading", [True, False])
def test_an_erasure_that_was_cut_off_is_finished_by_whoever_comes_next(
    decided: World, monkeypatch: pytest.MonkeyPatch, at: Callable[[World, pytest.MonkeyPatch], None], by_reading: bool
) -> None:
    with monkeypatch.context() as patched:
        at(decided, patched)
        with pytest.raises(Killed):
            append(decided, erased("r1"))
    assert is_noted(decided), "the sweep finds it"
    again = World(decided.data, decided.files)
    if by_reading:
        again.store.refresh(FLOW_ID)
    again.store.forget(FLOW_ID)
    assert is_erased(again)
    assert types(again.store.load(FLOW_ID)).count("person.erased") == 1
    again.close()


def test_an_erasure_that_was_cut_off_before_its_line_never_was(
    decided: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_the_line(decided, monkeypatch)
    with pytest.raises(Killed):
        append(decided, erased("r1"))
    assert is_noted(decided)
    again = World(decided.data, decided.files)
    again.store.forget(FLOW_ID)
    assert agrees(again).flow.recipients[0].name == NAME
    assert not is_noted(again)
    append(again, erased("r1"))
    assert is_erased(again)
    again.close()


def test_a_host_that_fails_after_the_line_has_its_salts_cleaned_later(
    decided: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise HostUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(FaultyFiles, "read", fails)
        append(decided, erased("r1"))
        assert is_noted(decided)
        assert "r1" not in decided.vault.salts(FLOW_ID)
    assert "r1" in persons_beside(salts_file(decided))
    decided.store.forget(FLOW_ID)
    assert is_erased(decided)


# ---- put back from a backup -----------------------------------------------------------------------------------------
def test_a_host_that_says_it_stored_the_salts_and_did_not_is_asked_again(
    decided: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file stayed, with the salt of the erased person in it, and nothing told of it any more."""
    real = decided.files.write

    def write(user: str, path: str, data: bytes, **conditions: Any) -> Written:
        if path.endswith("salts.json"):
            return Written("another", None, None)  # 201, and nothing stored
        return real(user, path, data, **conditions)

    with monkeypatch.context() as patch:
        patch.setattr(decided.files, "write", write)
        append(decided, erased("r1"))
        assert is_noted(decided)
    decided.store.forget(FLOW_ID)
    assert is_erased(decided)


def test_salts_put_back_beside_the_chain_are_cleaned_and_not_believed(decided: World) -> None:
    before = salts_file(decided)
    append(decided, erased("r1"))
    plant_salts(decided, before)
    with structlog.testing.capture_logs() as logs:
        decided.store.check(FLOW_ID)
    assert [entry["event"] for entry in logs] == ["salts.erased"]
    assert is_erased(decided)
    assert persons_beside(salts_file(decided)) == {"creator", "r2"}


@pytest.mark.parametrize("lost", [False, True])
def test_an_older_vault_and_older_salts_bring_nobody_back(decided: World, lost: bool) -> None:
    """``lost``: the vault knows nothing at all any more."""
    log, beside, known = decided.state(), salts_file(decided), decided.vault.salts(FLOW_ID)
    append(decided, erased("r1"))
    set_vault(decided, None if lost else log, with_salts=False)
    if not lost:
        put_salts(decided, known)
    plant_salts(decided, beside)
    again = World(decided.data, decided.files)
    again.store.load(FLOW_ID)
    assert is_erased(again)
    assert set(again.vault.salts(FLOW_ID)) == {"creator", "r2"}
    again.close()


def test_a_salt_put_back_into_the_vault_alone_is_dropped_by_whoever_reads(decided: World) -> None:
    known = decided.vault.salts(FLOW_ID)
    append(decided, erased("r1"))
    put_salts(decided, {"r1": known["r1"]})
    decided.store.load(FLOW_ID)
    assert set(decided.vault.salts(FLOW_ID)) == {"creator", "r2"}
    decided.store.forget(FLOW_ID)
    assert is_erased(decided)


@pytest.mark.parametrize("vault", ["has him again", "is empty"])
def test_a_rebuild_brings_nobody_back(decided: World, vault: str) -> None:
    beside, known = salts_file(decided), decided.vault.salts(FLOW_ID)
    append(decided, erased("r1"))
    plant_salts(decided, beside)
    if vault == "is empty":
        set_vault(decided, None, with_salts=False)
    else:
        put_salts(decided, {"r1": known["r1"]})
    rebuild(decided.files, People(), decided.adopter)
    decided.store.load(FLOW_ID)
    decided.store.check(FLOW_ID)
    decided.store.forget(FLOW_ID)
    assert is_erased(decided)


def test_a_restored_folder_holds_nothing_of_him(decided: World) -> None:
    append(decided, erased("r1"))
    decided.files.delete("alice", place().folder)
    decided.store.refresh(FLOW_ID)
    assert is_erased(decided)
    assert persons_beside(salts_file(decided)) == {"creator", "r2"}


def test_an_older_state_file_with_its_salts_brings_nobody_back(decided: World) -> None:
    log, beside = decided.state(), salts_file(decided)
    append(decided, erased("r1"))
    newest = decided.state()
    decided.files.plant(STATE, log)
    plant_salts(decided, beside)
    decided.store.check(FLOW_ID)
    assert decided.state() == newest
    assert is_erased(decided)


def test_of_somebody_who_came_in_and_was_erased_unseen_no_salt_is_fetched(world: World) -> None:
    loaded = world.launch()
    came = RefusedByRecipient("r1", 1, Personal("r3", "Parce que"), approval().trace)
    append(world, came)
    beside = salts_file(world)
    append(world, erased("r3"))
    newest = world.state()
    put_back(world, loaded)
    world.files.plant(STATE, newest)
    plant_salts(world, beside)
    with pytest.raises(ChainMoved):
        append(world)
    assert "r3" not in world.vault.salts(FLOW_ID)
    world.store.check(FLOW_ID)
    assert is_erased(world, "r3")


def put_salts(world: World, known: dict[str, bytes]) -> None:
    with world.database.vault_writing() as connection:
        world.vault.put_salts(connection, FLOW_ID, known)


# ---- what lies beside the chain of a flow that nobody looks at any more ---------------------------------------------
def look(world: World) -> None:
    world.store.keep_forgotten(FLOW_ID)


def test_a_salt_that_is_put_back_beside_an_ended_flow_goes_again(decided: World) -> None:
    decided.act(FLOW_ID, approval("r2"), "recipient:r2")
    before = salts_file(decided)
    append(decided, erased("r1"))
    assert decided.index.with_erased() == [FLOW_ID]
    writes = list(decided.files.writes)
    look(decided)
    assert decided.files.writes == writes, "nothing came back: nothing is written"
    plant_salts(decided, before)
    look(decided)
    assert persons_beside(salts_file(decided)) == {"creator", "r2"}
    assert is_erased(decided)


def test_one_that_cannot_be_removed_now_is_noted_and_removed_later(decided: World) -> None:
    before = salts_file(decided)
    append(decided, erased("r1"))
    plant_salts(decided, before)
    write = decided.files.write

    def out(user: str, path: str, data: bytes, **conditions: bool) -> Written:
        if path.endswith("salts.json"):
            raise HostUnavailable
        return write(user, path, data, **conditions)  # type: ignore[arg-type]  # passed on

    decided.files.write = out  # type: ignore[method-assign]  # a host that fails from now on
    with pytest.raises(HostUnavailable):
        look(decided)
    assert is_noted(decided)
    del decided.files.write
    decided.store.forget(FLOW_ID)
    assert is_erased(decided)


def test_what_lies_beside_ended_flows_is_looked_at_every_hour_a_few_at_a_time(world: World) -> None:
    flows = [f"{n:02}" for n in range(CHECK_LIMIT + 5)]
    looked: list[str] = []

    def at(minutes: int) -> Any:
        def keep(flow_id: str) -> None:
            looked.append(flow_id)
            if flow_id == "03":
                raise OutOfReach

        state = SimpleNamespace(keep_forgotten=keep, load=lambda _: None, lease=lambda _: nullcontext())
        index = SimpleNamespace(with_erased=lambda: flows)
        return SimpleNamespace(clock=lambda: NOW + timedelta(minutes=minutes), flows=state, index=index)

    forgotten = Forgotten()
    assert [forgotten(at(minutes)) for minutes in (0, 1, 2, 59, 60, 61)] == [20, 5, 0, 0, 20, 5]
    assert looked == flows * 2


# ---- names beside the chain: in the vault's notes and in the cache --------------------------------------------------
@pytest.mark.sqlite_files
def test_the_vault_forgets_the_names_of_an_erased_creators_files_and_folders(decided: World) -> None:
    folder, name = "Divorce Lefèvre", "Convention.pdf"
    laying = Laying("copy:0", folder, name, "c" * 64, "h")
    decided.vault.note_layings(FLOW_ID, [laying])
    decided.vault.note_seen(FLOW_ID, {0: Seen("e", 3, "a" * 64, f"{folder}/{name}", True)})
    append(decided, erased("r1"))
    assert decided.vault.layings(FLOW_ID) == [laying], "they are not his"
    append(decided, erased("creator"))
    assert (decided.vault.layings(FLOW_ID), decided.vault.seen(FLOW_ID)) == ([], {})
    databases = list(decided.data.glob("vault.db*"))
    assert databases
    for path in databases:
        assert folder.encode() not in path.read_bytes()
        assert name.encode() not in path.read_bytes()


@pytest.mark.parametrize("person", ["r1", "creator"])
def test_a_record_of_evidence_that_the_cache_holds_goes_with_the_person(decided: World, person: str) -> None:
    blobs = FolderBlobs(decided.data / "cache")
    other = World(decided.data, decided.files, drop_cached=blobs.drop)
    made, laid, kept = (blobs.put(text) for text in (b"made", b"laid", b"somebody else's"))
    append(other, EvidenceStored("78", Personal(CREATOR, "bail (dossier de preuves).pdf"), laid))
    other.vault.note_layings(FLOW_ID, [Laying("evidence", FOLDER, "bail.pdf", made, "h")])
    append(other, erased(person))
    assert [blobs.get(sha256) for sha256 in (made, laid, kept)] == [None, None, b"somebody else's"]
    other.close()


def test_another_replica_drops_the_record_from_its_own_cache_when_it_looks_after_the_erased(decided: World) -> None:
    blobs = FolderBlobs(decided.data / "cache")
    laid, kept = (blobs.put(text) for text in (b"laid", b"somebody else's"))
    append(decided, EvidenceStored("78", Personal(CREATOR, "bail (dossier de preuves).pdf"), laid))
    append(decided, erased("r1"))
    assert blobs.get(laid) == b"laid", "the one that erases has another cache"
    other = World(decided.data, decided.files, drop_cached=blobs.drop)
    other.store.keep_forgotten(FLOW_ID)
    assert [blobs.get(sha256) for sha256 in (laid, kept)] == [None, b"somebody else's"]
    other.close()


# ---- salts of a newer version ---------------------------------------------------------------------------------------
NEWER = b'{"format":2,"salts":"elsewhere"}'


def test_salts_of_a_newer_version_are_never_written_over(decided: World) -> None:
    plant_salts(decided, NEWER)
    asked = decided.store.load(FLOW_ID)
    assert asked is not None
    other = AskedRecipient("r3", Role.VALIDATOR, None, Personal("r3", ADDRESS), None, None, "fr", None)
    before = decided.state()
    with pytest.raises(Conflict, match="flow-newer"):  # the salt of whoever comes in has no place
        append(decided, Replaced("r2", 1, other, By.CREATOR))
    assert (salts_file(decided), decided.state()) == (NEWER, before)
    append(decided)  # whoever brings nobody in goes on
    decided.files.delete("alice", STATE)
    decided.store.refresh(FLOW_ID)
    assert salts_file(decided) == NEWER
    decided.store.bring_home(FLOW_ID)
    agrees(decided)


def test_an_erasure_is_not_called_done_while_a_newer_version_holds_the_salts(decided: World) -> None:
    plant_salts(decided, NEWER)
    append(decided, erased("r1"))
    assert is_noted(decided)
    with pytest.raises(ChainBroken):
        decided.store.forget(FLOW_ID)
    assert (is_noted(decided), salts_file(decided)) == (True, NEWER)
    decided.files.delete("alice", f"{place().folder}/salts.json")
    decided.store.forget(FLOW_ID)
    assert is_erased(decided)

"""Where results go: beside, over the original, into a folder; what is in the way loses nothing and is told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from plugin.actions.sweep import look_at
from plugin.flow.errors import FileTooLarge, HostUnavailable
from plugin.ports_files import Files, PreconditionFailed, Written
from tests.api.saving import (
    HERE,
    RECORD,
    VERSION,
    Idle,
    NeverFinishing,
    ended,
    into,
    later,
    read,
    saved,
    sha,
    shown,
    told,
)
from tests.api.test_kinds import held, in_hours, read_only
from tests.api.test_races import at_once
from tests.world import Browser, World, pdf


# ---- as a new version -----------------------------------------------------------------------------------------------
def test_as_a_new_version_the_original_is_the_signed_copy(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    flow_id = saved(world, alice, VERSION, [file_id])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail.pdf"]
    signed = flow["documents"][0]["signed"]
    assert (signed["file_id"], signed["path"]) == (file_id, f"{folder}/Bail.pdf")
    content = world.read(f"{folder}/Bail.pdf")
    assert signed["sha256"] == sha(content)
    assert content.startswith(pdf())
    assert world.demo.host.area.versions.of("alice", int(file_id)) == [pdf()]
    assert flow["warnings"] == []
    assert "La copie signée est la dernière version de l’original." in told(world, flow_id)
    assert [f["id"] for f in alice.get(f"files/{file_id}/flows").json()["flows"]] == [flow_id]


def test_somebodys_change_of_the_original_is_never_overwritten(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(5)).status_code == 204
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert world.read(f"{folder}/Bail.pdf") == pdf(5)
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé).pdf"
    assert world.read(f"{folder}/Bail (signé).pdf").startswith(pdf())
    (warning,) = flow["warnings"]
    assert warning.startswith("Modifié entre-temps, donc laissé tel quel")
    assert warning.endswith("Bail.pdf.")
    mail = told(world, flow_id)
    assert "La copie signée se trouve à côté de l’original. Modifié entre-temps" in mail


class Meddling:
    """The file area; ``before`` happens each time before a write of ``path``."""

    def __init__(self, files: Files, path: str, before: Callable[[], object]) -> None:
        self._files, self._path, self._before = files, path, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path == self._path:
            self._before()
        return self._files.write(user, path, *args, **more)


def test_a_change_at_the_last_moment_is_not_overwritten_either(world: World, alice: Browser) -> None:
    """Between our look at the original and our write."""
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    bob = world.recipient("bob", flow_id)

    def change() -> None:
        assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(4)).status_code == 204

    with world.handed(files=Meddling(world.office.ctx.files, f"{folder}/Bail.pdf", change)):
        assert bob.sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    assert world.read(f"{folder}/Bail.pdf") == pdf(4)
    assert world.read(f"{folder}/Bail (signé).pdf").startswith(pdf())


@pytest.mark.parametrize("why", ["locked", "read-only", "gone"])
def test_an_original_that_takes_no_version_is_left_and_the_copy_is_not_lost(
    world: World, alice: Browser, why: str
) -> None:
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    bob = world.recipient("bob", flow_id)
    bob.flow()
    with contextlib.ExitStack() as hindrance:
        if why == "locked":
            hindrance.enter_context(held(world, path))
        elif why == "read-only":
            hindrance.enter_context(read_only_file(world, path))
        else:
            assert world.dav("alice", "DELETE", path).status_code == 204
        assert bob.sign().json()["state"] == "completed"
        flow = ended(world, alice, flow_id)
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé).pdf"
    (completed,) = [line for line in world.lines(flow_id) if line["type"] == "flow.completed"]
    assert completed["data"]["copies"][0]["instead"] == why
    assert len(flow["warnings"]) == 1
    if why != "gone":
        assert world.read(path) == pdf()


@contextlib.contextmanager
def read_only_file(world: World, path: str) -> Iterator[None]:
    there = world.demo.host.area._files / "alice" / path
    there.chmod(0o400)
    try:
        yield
    finally:
        there.chmod(0o600)


def test_of_two_flows_on_one_file_the_second_leaves_the_firsts_version(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    first, second = (saved(world, alice, VERSION, [file_id]) for _ in range(2))
    for flow_id in (first, second):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        world.settled(flow_id)
    copies = [read(alice, flow_id)["documents"][0]["signed"] for flow_id in (first, second)]
    assert [copy["path"] for copy in copies] == [f"{folder}/Bail.pdf", f"{folder}/Bail (signé).pdf"]
    assert [sha(world.read(copy["path"])) for copy in copies] == [copy["sha256"] for copy in copies]


def test_a_version_that_was_written_by_half_is_written_again(world: World, alice: Browser) -> None:
    """As a host without part files leaves it when the connection breaks."""
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    bob = world.recipient("bob", flow_id)
    with world.handed(files=HalfWriting(world.office.ctx.files, path)):
        assert bob.sign().json()["state"] == "running"
    assert not world.read(path).endswith(b"%%EOF\n")
    assert read(alice, flow_id)["waiting"]["reason"] == "host-unavailable"
    look_at(in_hours(world, 1), flow_id)
    flow = ended(world, alice, flow_id)
    assert sha(world.read(path)) == flow["documents"][0]["signed"]["sha256"]
    assert shown(world, folder) == [RECORD, "Bail.pdf"]


@pytest.mark.parametrize("why", ["locked", "refused"])
def test_a_version_that_was_written_by_half_is_not_left_like_that(world: World, alice: Browser, why: str) -> None:
    """Somebody opens it, or the host refuses a tag that is still the current one: it waits, and lies nowhere else."""
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    with world.handed(files=HalfWriting(world.office.ctx.files, path)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    with contextlib.ExitStack() as hindrance:
        if why == "locked":
            hindrance.enter_context(held(world, path))
        else:
            hindrance.enter_context(world.handed(files=Refusing(world.office.ctx.files, path)))
        look_at(in_hours(world, 1), flow_id)
        assert read(alice, flow_id)["waiting"]["reason"] == "host-busy"
    look_at(in_hours(world, 2), flow_id)
    flow = ended(world, alice, flow_id)
    assert sha(world.read(path)) == flow["documents"][0]["signed"]["sha256"]
    assert shown(world, folder) == [RECORD, "Bail.pdf"]


@pytest.mark.parametrize("what", ["emptied", "half", "older revision"])
def test_an_original_that_its_owner_emptied_or_put_an_older_revision_into_is_left_as_it_is(
    world: World, alice: Browser, what: str
) -> None:
    folder = world.folder()
    path = f"{folder}/Bail.pdf"
    flow_id = saved(world, alice, VERSION, [world.put(path, pdf())])
    bob = world.recipient("bob", flow_id)
    prepared = bob.get("documents/0").content
    assert prepared.startswith(pdf())
    assert prepared != pdf()
    there = {"emptied": b"", "half": pdf()[:500], "older revision": prepared}[what]
    assert world.dav("alice", "PUT", path, data=there).status_code == 204
    assert bob.sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert world.read(path) == there
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé).pdf"
    (completed,) = [line for line in world.lines(flow_id) if line["type"] == "flow.completed"]
    assert completed["data"]["copies"][0]["instead"] == "changed"


def test_an_original_that_grows_beyond_all_measure_is_left_and_the_copy_lies_beside(
    world: World, alice: Browser
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])

    class Grown:
        """Between the look and the reading."""

        def __init__(self, files: Files) -> None:
            self._files = files

        def __getattr__(self, name: str) -> Any:
            return getattr(self._files, name)

        def read_with_etag(self, user: str, path: str) -> Any:
            if path == f"{folder}/Bail.pdf":
                raise FileTooLarge
            return self._files.read_with_etag(user, path)

    bob = world.recipient("bob", flow_id)
    with world.handed(files=Grown(world.office.ctx.files)):
        assert bob.sign().json()["state"] == "completed"
    ended(world, alice, flow_id)
    assert world.read(f"{folder}/Bail.pdf") == pdf()
    assert f"{folder}/Bail (signé).pdf" == read(alice, flow_id)["documents"][0]["signed"]["path"]


class HostWith:
    """A host that does something else for one path."""

    def __init__(self, files: Files, path: str) -> None:
        self._files, self._path = files, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


class HalfWriting(HostWith):
    def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
        if path == self._path:
            self._files.write(user, path, data[: len(data) - 900], **more)
            raise HostUnavailable
        return self._files.write(user, path, data, **more)


class Pretending(HostWith):
    """Says that it stored what it did not."""

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
        return Written("e", None, None) if path == self._path else self._files.write(user, path, data, **more)


class Refusing(HostWith):
    """As Apache does within a second of the last write."""

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
        if path == self._path and "if_match" in more:
            raise PreconditionFailed
        return self._files.write(user, path, data, **more)


@pytest.mark.parametrize("changed", [False, True])
def test_after_a_crash_a_version_is_not_laid_beside_as_well_unless_somebody_wrote_over_it(
    world: World, alice: Browser, changed: bool
) -> None:
    folder = world.folder()
    flow_id = saved(world, alice, VERSION, [world.put(f"{folder}/Bail.pdf", pdf())])
    world.settled(flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())
    with world.handed(jobs=Idle(), flows=NeverFinishing(ctx.flows)):
        assert world.recipient("bob", flow_id).sign().json()["state"] == "running"
    if changed:
        assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(3)).status_code == 204
    look_at(replace(ctx, clock=later(ctx, 1)), flow_id)
    flow = ended(world, alice, flow_id)
    signed = flow["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/{'Bail (signé).pdf' if changed else 'Bail.pdf'}"
    assert sha(world.read(signed["path"])) == signed["sha256"]
    assert shown(world, folder) == [RECORD, *(["Bail (signé).pdf"] if changed else []), "Bail.pdf"]
    assert (world.read(f"{folder}/Bail.pdf") == pdf(3)) is changed


# ---- into a chosen folder -------------------------------------------------------------------------------------------
def test_into_a_chosen_folder_wherever_it_was_moved_to(world: World, alice: Browser) -> None:
    folder, chosen = world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    to = {"Destination": f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(folder)}/Archives"}
    assert world.dav("alice", "MOVE", chosen, headers=to).status_code == 201
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    assert shown(world, f"{folder}/Archives") == [RECORD, "Bail (signé).pdf"]
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Archives/Bail (signé).pdf"
    assert flow["warnings"] == []
    mail = told(world, flow_id).replace("\u00a0", " ")
    assert f"La copie signée se trouve dans le dossier « {folder}/Archives »." in mail


@pytest.mark.parametrize("why", ["gone", "read-only"])
def test_where_the_chosen_folder_takes_nothing_results_lie_beside_and_it_is_told(
    world: World, alice: Browser, why: str
) -> None:
    folder, chosen = world.folder(), world.folder()
    flow_id = saved(world, alice, into(chosen), [world.put(f"{folder}/Bail.pdf", pdf())])
    with contextlib.ExitStack() as hindrance:
        if why == "gone":
            assert world.dav("alice", "DELETE", chosen).status_code == 204
        else:
            hindrance.enter_context(read_only(world, chosen))
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        flow = ended(world, alice, flow_id)
    assert shown(world, folder) == [RECORD, "Bail (signé).pdf", "Bail.pdf"]
    (warning,) = flow["warnings"]
    assert warning.startswith("Le dossier choisi pour les résultats")
    assert warning in told(world, flow_id)


def test_documents_of_one_name_from_two_folders_meet_under_two_names(world: World, alice: Browser) -> None:
    chosen, one, other = world.folder(), world.folder(), world.folder()
    ids = [world.put(f"{one}/Bail.pdf", pdf()), world.put(f"{other}/bail.PDF", pdf(2))]
    flow_id = saved(world, alice, into(chosen), ids)
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    flow = ended(world, alice, flow_id)
    paths = [document["signed"]["path"] for document in flow["documents"]]
    assert len(set(paths)) == 2
    for document in flow["documents"]:
        assert sha(world.read(document["signed"]["path"])) == document["signed"]["sha256"]


# ---- names ----------------------------------------------------------------------------------------------------------
def test_an_older_version_that_somebody_keeps_under_that_name_is_not_taken_for_half_a_copy(
    world: World, alice: Browser
) -> None:
    """It begins the copy, as half of one does, and is none of this flow's revisions."""
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    first = saved(world, alice, VERSION, [file_id])
    assert world.recipient("bob", first).sign().json()["state"] == "completed"
    ended(world, alice, first)
    world.put(f"{folder}/Bail (signé).pdf", pdf())
    second = saved(world, alice, HERE, [file_id])
    assert world.recipient("bob", second).sign().json()["state"] == "completed"
    assert ended(world, alice, second)["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé) 2.pdf"
    assert world.read(f"{folder}/Bail (signé).pdf") == pdf()


def test_what_somebody_keeps_is_not_taken_away_where_the_host_only_says_that_it_stored_the_copy(
    world: World, alice: Browser
) -> None:
    """What then lies there is no half of it, though it begins like it."""
    folder = world.folder()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    path = f"{folder}/Bail (signé).pdf"
    world.put(path, pdf())
    with world.handed(files=Pretending(world.office.ctx.files, path)):
        assert world.recipient("bob", flow_id).sign().status_code == 200
        assert world.read(path) == pdf()
    look_at(in_hours(world, 1), flow_id)
    flow = ended(world, alice, flow_id)
    assert flow["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé) 2.pdf"
    assert world.read(path) == pdf()


def test_a_file_of_that_name_that_holds_an_earlier_content_is_not_taken_for_the_signed_copy(
    world: World, alice: Browser
) -> None:
    folder, data = world.folder(), pdf()
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", data)])
    prepared = world.read(f"{folder}/.flows/{flow_id}/{read(alice, flow_id)['documents'][0]['current_sha256']}")
    for name, content in (("Bail (signé).pdf", data), ("Bail (signé) 2.pdf", prepared)):
        world.put(f"{folder}/{name}", content)
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    signed = ended(world, alice, flow_id)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/Bail (signé) 3.pdf"
    assert sha(world.read(signed["path"])) == signed["sha256"]
    assert (world.read(f"{folder}/Bail (signé).pdf"), world.read(f"{folder}/Bail (signé) 2.pdf")) == (data, prepared)


def test_however_many_names_are_taken_one_is_found(world: World, alice: Browser) -> None:
    folder = world.folder()
    place = world.demo.host.area._files / "alice" / folder
    for number in range(1, 200):
        (place / f"Bail (signé){f' {number}' if number > 1 else ''}.pdf").write_bytes(b"taken")
    flow_id = saved(world, alice, HERE, [world.put(f"{folder}/Bail.pdf", pdf())])
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    signed = ended(world, alice, flow_id)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/Bail (signé) {signed['sha256'][:16]}.pdf"
    assert sum(path.read_bytes() == b"taken" for path in place.glob("*.pdf")) == 199


@pytest.mark.parametrize("save", ["beside", "version"])
def test_two_flows_that_finish_on_one_file_at_the_same_moment_get_two_names(
    world: World, alice: Browser, save: str
) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    flow_ids = [saved(world, alice, {"mode": save}, [file_id]) for _ in range(3)]
    bobs = [world.recipient("bob", flow_id) for flow_id in flow_ids]
    for bob in bobs:
        bob.flow()
    answers = at_once(*(bob.sign for bob in bobs))
    assert [answer.json()["state"] for answer in answers] == ["completed"] * 3
    copies = [ended(world, alice, flow_id)["documents"][0]["signed"] for flow_id in flow_ids]
    names = {"Bail (signé).pdf", "Bail (signé) 2.pdf", "Bail.pdf" if save == "version" else "Bail (signé) 3.pdf"}
    assert {copy["path"] for copy in copies} == {f"{folder}/{name}" for name in names}
    assert all(sha(world.read(copy["path"])) == copy["sha256"] for copy in copies)
    records = [name for name in shown(world, folder) if "dossier de preuves" in name]
    assert len(records) == 3

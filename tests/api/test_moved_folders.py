"""Folders renamed, moved or cleared in the middle of a flow: it goes on where its documents lie now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from plugin.actions.sweep import clear_launches
from plugin.adapters.dav import DavFiles
from plugin.ports_files import Written
from plugin.ports_vault import LaunchAttempt
from tests.api.test_stood_still import Sleeping
from tests.world import Browser, World, pdf, until


def launched(world: World, alice: Browser, documents: int = 1) -> tuple[str, str]:
    """Returns: the folder, the flow's id. Bob and Carol are to sign, one after the other."""
    folder = world.folder()
    ids = [world.put(f"{folder}/Bail {n}.pdf", pdf()) for n in range(documents)]
    flow_id = world.signature(alice, ids, [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    return folder, flow_id


def move(world: World, source: str, target: str) -> None:
    address = f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(target)}"
    assert world.dav("alice", "MOVE", source, headers={"Destination": address}).status_code == 201


def forget_cache(world: World, flow_id: str) -> None:
    folder = world.office.ctx.blobs._folder
    for document in world.office.ctx.flows.load(flow_id).flow.documents:
        for sha256 in (document.sha256, *document.revisions, document.current_sha256):
            for path in folder.rglob(f"{sha256}*"):
                path.unlink()


def hidden(world: World, folder: str, flow_id: str) -> set[str]:
    return {name for name in world.names(folder) if flow_id in name and name.count("/") == 2}


@pytest.mark.parametrize("is_cached", [True, False])
def test_a_folder_renamed_before_somebody_signs_takes_the_flow_along(
    world: World, alice: Browser, is_cached: bool
) -> None:
    folder, flow_id = launched(world, alice, documents=2)
    there = f"{folder} (2)"
    move(world, folder, there)
    if not is_cached:
        forget_cache(world, flow_id)
    answer = world.recipient("bob", flow_id).sign()
    assert answer.status_code == 200, answer.text
    flow = world.office.ctx.flows.load(flow_id)
    assert flow.place.path == f"{there}/.flows/{flow_id}/flow.jsonl"
    for document in flow.flow.documents:
        assert f".flows/{flow_id}/{document.current_sha256}" in hidden(world, there, flow_id)
    again = f"{folder} (3)"
    move(world, there, again)
    if not is_cached:
        forget_cache(world, flow_id)
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    assert [name for name in world.names(again) if "/" not in name] == [
        ".flows",
        "Bail 0 (dossier de preuves).pdf",
        "Bail 0 (signé).pdf",
        "Bail 0.pdf",
        "Bail 1 (signé).pdf",
        "Bail 1.pdf",
    ]
    assert world.dav("alice", "PROPFIND", folder).status_code == 404
    assert world.dav("alice", "PROPFIND", there).status_code == 404
    ctx = world.office.ctx
    before = ctx.flows.load(flow_id)
    world.lose_index()
    until(lambda: world.knows(flow_id), within_s=60)
    assert ctx.flows.load(flow_id) == before


def test_a_document_moved_out_alone_leaves_its_revisions_where_they_are(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    elsewhere = world.folder()
    move(world, f"{folder}/Bail 0.pdf", f"{elsewhere}/Bail 0.pdf")
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    assert world.names(elsewhere) == ["Bail 0 (dossier de preuves).pdf", "Bail 0 (signé).pdf", "Bail 0.pdf"]
    assert len(hidden(world, folder, flow_id)) == 4  # the state file, its salts, two revisions


def test_a_document_moved_out_and_then_its_folder_renamed(world: World, alice: Browser) -> None:
    folder, flow_id = launched(world, alice)
    elsewhere = world.folder()
    move(world, f"{folder}/Bail 0.pdf", f"{elsewhere}/Bail 0.pdf")
    move(world, folder, f"{folder} (2)")
    world.office.ctx.flows.refresh(flow_id)
    forget_cache(world, flow_id)
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.names(elsewhere) == ["Bail 0.pdf"]


@pytest.mark.parametrize("what", [".flows", ".flows/{}"])
@pytest.mark.parametrize("is_moved", [False, True])
def test_hidden_folders_deleted_are_made_again_beside_the_document(
    world: World, alice: Browser, what: str, is_moved: bool
) -> None:
    folder, flow_id = launched(world, alice)
    assert world.dav("alice", "DELETE", f"{folder}/{what.format(flow_id)}").status_code == 204
    there = folder
    if is_moved:
        there = f"{folder} (2)"
        move(world, folder, there)
    answer = world.recipient("bob", flow_id).sign()
    assert answer.status_code == 200, answer.text
    assert f".flows/{flow_id}/flow.jsonl" in world.names(there)
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    assert "Bail 0 (signé).pdf" in world.names(there)
    world.settled(flow_id)
    if is_moved:
        assert world.dav("alice", "PROPFIND", folder).status_code == 404


def test_two_folders_each_renamed_keep_their_own_revisions(world: World, alice: Browser) -> None:
    one, two = world.folder(), world.folder()
    ids = [world.put(f"{one}/a.pdf", pdf()), world.put(f"{two}/b.pdf", pdf(2))]
    flow_id = world.signature(alice, ids, [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    move(world, two, f"{two} (2)")
    assert world.recipient("bob", flow_id).sign().status_code == 200
    move(world, one, f"{one} (2)")
    forget_cache(world, flow_id)
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    first, second = world.office.ctx.flows.load(flow_id).flow.documents
    assert f".flows/{flow_id}/{first.current_sha256}" in world.names(f"{one} (2)")
    assert f".flows/{flow_id}/{second.current_sha256}" in world.names(f"{two} (2)")
    assert f".flows/{flow_id}/{second.current_sha256}" not in world.names(f"{one} (2)")
    assert not {d.sha256 for d in (first, second)} & {name[-64:] for name in world.names(f"{two} (2)")}


def test_a_document_that_was_moved_out_of_a_folder_that_was_renamed_then_is_signed_all_the_same(
    world: World, alice: Browser
) -> None:
    """Its revisions lie neither where they did nor beside it."""
    one, two, three = world.folder(), world.folder(), world.folder()
    ids = [world.put(f"{one}/a.pdf", pdf()), world.put(f"{two}/b.pdf", pdf(2))]
    flow_id = world.signature(alice, ids, [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    move(world, f"{two}/b.pdf", f"{three}/b.pdf")
    move(world, two, f"{two} (2)")
    forget_cache(world, flow_id)
    assert hidden(world, f"{two} (2)", flow_id)
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    assert "b (signé).pdf" in world.names(three)
    last = world.office.ctx.flows.load(flow_id).flow.documents[1].revisions[-2:]
    assert {name[-64:] for name in hidden(world, f"{two} (2)", flow_id)} <= set(last)


def test_nothing_that_was_made_on_the_way_stays_where_folders_took_each_others_names(
    world: World, alice: Browser
) -> None:
    one, two = world.folder(), world.folder()
    ids = [world.put(f"{one}/a.pdf", pdf()), world.put(f"{two}/b.pdf", pdf(2))]
    flow_id = world.signature(alice, ids, [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    move(world, two, f"{two} (2)")
    move(world, one, two)
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    kept = {d.current_sha256 for d in world.office.ctx.flows.load(flow_id).flow.documents}
    kept |= {d.revisions[-2] for d in world.office.ctx.flows.load(flow_id).flow.documents}
    left = {name[-64:] for folder in (two, f"{two} (2)") for name in hidden(world, folder, flow_id)}
    assert {name for name in left if "/" not in name} == kept


def test_nothing_stays_in_a_folder_that_was_renamed_right_while_the_flow_was_launched(
    world: World, alice: Browser
) -> None:
    """It took what was pinned along; another one of its name was made for the rest."""
    folder = world.folder()
    renamed = f"{folder} (2)"
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    with world.handed(flows=Sleeping(world.office.ctx.flows, lambda: move(world, folder, renamed))):
        flow_id = world.signature(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])["id"]
    assert hidden(world, renamed, flow_id)
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    (document,) = world.office.ctx.flows.load(flow_id).flow.documents
    assert {name[-64:] for name in hidden(world, renamed, flow_id)} <= set(document.revisions[-2:])
    assert "Bail (signé).pdf" in world.names(renamed)


def test_what_a_launch_that_was_cut_off_left_is_removed_also_from_a_folder_that_was_renamed(
    world: World, alice: Browser
) -> None:
    """Its state file, without anybody's knowledge, would have become a flow when the index was made again."""
    folder, flow_id = launched(world, alice)
    ctx, cut_off = world.office.ctx, "019ca8a1-25b9-738a-ac47-5935bad384b1"
    above = ctx.files.stat("alice", folder)
    assert above is not None
    ctx.vault.begin_launch(LaunchAttempt(cut_off, "alice", {f"{folder}/.flows/{cut_off}": above.file_id}), ctx.clock())
    assert world.dav("alice", "MKCOL", f"{folder}/.flows/{cut_off}").status_code == 201
    world.put(f"{folder}/.flows/{cut_off}/flow.jsonl", b"{}")
    move(world, folder, f"{folder} (2)")
    ctx.vault.give_up_launch(cut_off, ctx.clock(), timedelta())
    clear_launches(ctx)
    assert hidden(world, f"{folder} (2)", cut_off) == set()
    assert len(hidden(world, f"{folder} (2)", flow_id)) == 3  # the state file, its salts, a revision


class _NoFoldersByTheWay:
    """The file area of a host that does not know that a file may bring its folders along."""

    def __init__(self, files: DavFiles) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, data: bytes, *, make_folders: bool = False, **more: Any) -> Written:
        return self._files.write(user, path, data, **more)


def test_a_host_that_makes_no_folders_by_the_way_is_told_to_make_each(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    with world.handed(files=_NoFoldersByTheWay(world.office.ctx.files)):
        flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    assert len(hidden(world, folder, flow_id)) == 3  # the state, its salts, the prepared document

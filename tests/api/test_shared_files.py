"""Files that several people or flows have to do with: shares, two flows on one file, names that are nearly one."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from plugin.actions.suspend import look_after
from plugin.demo.shares import Share
from tests.api.test_large_files import SIZE, small_limit
from tests.api.test_sources import looked_at, resumed
from tests.world import Browser, Json, World, pdf


class Given:
    """A folder of Bob's that Alice was given, under a name of hers."""

    def __init__(self, world: World, *, can_write: bool) -> None:
        self._shares = world.demo.host.area.shares
        self.his = world.folder("bob")
        self.hers = f"Reçu {self.his}"
        self._world = world
        self._share = Share("bob", (self.his,), can_write)
        self._shares["alice", (self.hers,)] = self._share

    def rename(self, name: str) -> None:
        assert self._shares.pop(("alice", (self.hers,))) == self._share
        self.hers = name
        self._shares["alice", (name,)] = self._share

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        share = self._shares.pop(("alice", (self.hers,)))
        yield
        self._shares["alice", (self.hers,)] = share


def forget(world: World) -> None:
    for path in world.office.ctx.blobs._folder.iterdir():
        path.unlink()


def test_a_flow_in_a_shared_folder_goes_on_wherever_its_creator_hangs_it(world: World, alice: Browser) -> None:
    given = Given(world, can_write=True)
    file_id = world.put(f"{given.his}/Bail.pdf", pdf(), "bob")
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])["id"]
    world.settled(flow_id)
    assert f".flows/{flow_id}/flow.jsonl" in world.names(given.his, "bob")
    given.rename("Tout autre nom é")
    forget(world)
    assert world.recipient("bob", flow_id).sign().status_code == 200
    document = looked_at(world, alice, flow_id)["documents"][0]
    assert document["source"] == {"state": "moved", "path": "Tout autre nom é/Bail.pdf"}
    given.rename("Et encore un")
    forget(world)
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    shown = alice.get(f"flows/{flow_id}").json()["documents"][0]["signed"]["path"]
    assert shown == "Et encore un/Bail (signé).pdf"
    assert "Bail (signé).pdf" in world.names(given.his, "bob")


@pytest.mark.parametrize("is_large", [False, True])
def test_an_approval_of_a_file_that_may_only_be_read_is_kept_at_home_watched_and_restarted(
    world: World, alice: Browser, is_large: bool
) -> None:
    given = Given(world, can_write=False)
    first, second = (secrets.token_bytes(SIZE) if is_large else secrets.token_bytes(50) for _ in range(2))
    file_id = world.put(f"{given.his}/Plan.dwg", first, "bob")
    with small_limit(world):
        flow = world.validation(alice, [file_id], [{"user": "carol"}])
        flow_id = flow["id"]
        assert flow["documents"][0]["sha256"] == hashlib.sha256(first).hexdigest()
        assert world.names(given.his, "bob") == ["Plan.dwg"]
        world.dav("bob", "PUT", f"{given.his}/Plan.dwg", data=second)
        assert looked_at(world, alice, flow_id)["suspension"]["reason"] == "source-changed"
        given.rename(f"Ailleurs {given.his}")
        assert resumed(alice, flow_id, "restart").json()["state"] == "running"
        assert looked_at(world, alice, flow_id)["documents"][0]["source"]["state"] == "same"
        carol = world.recipient("carol", flow_id)
        assert carol.get("documents/0").content == second
        world.dav("bob", "DELETE", f"{given.his}/Plan.dwg")
        assert looked_at(world, alice, flow_id)["suspension"]["reason"] == "source-gone"
        world.put(f"{given.his}/Plan.dwg", second, "bob")
        assert looked_at(world, alice, flow_id)["state"] == "running"
        assert carol.approve().json()["state"] == "completed"
    assert world.names(given.his, "bob") == ["Plan.dwg"]


def test_a_share_that_is_taken_back_is_no_deleted_file(world: World, alice: Browser) -> None:
    given = Given(world, can_write=True)
    file_id = world.put(f"{given.his}/Note.txt", b"Oui ou non", "bob")
    flow_id = world.validation(alice, [file_id], [{"user": "carol"}])["id"]
    world.settled(flow_id)
    with given.taken_back():
        look_after(world.office.ctx, flow_id)
        assert alice.get(f"flows/{flow_id}").json()["suspension"]["reason"] == "no-access"
    assert looked_at(world, alice, flow_id)["state"] == "running"
    assert world.recipient("carol", flow_id).approve().json()["state"] == "completed"


# ---- two flows on the same file -------------------------------------------------------------------------------------
def test_two_flows_on_one_file_keep_apart(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    flows = [world.signature(alice, [file_id], [{"user": "bob"}, {"user": "carol"}])["id"] for _ in range(2)]
    for flow_id in flows:
        world.settled(flow_id)
    for uid in ("bob", "carol"):
        for flow_id in flows:
            assert world.recipient(uid, flow_id).sign().status_code == 200
    signed: list[Json] = []
    for flow_id in flows:
        world.settled(flow_id)
        signed += alice.get(f"flows/{flow_id}").json()["documents"]
    copies = [one["signed"] for one in signed]
    assert sorted(one["path"] for one in copies) == [f"{folder}/Bail (signé) 2.pdf", f"{folder}/Bail (signé).pdf"]
    for one in copies:
        assert hashlib.sha256(world.read(one["path"])).hexdigest() == one["sha256"]
    assert copies[0]["sha256"] != copies[1]["sha256"]
    for flow_id, one in zip(flows, signed, strict=True):
        kept = {name for name in world.names(f"{folder}/.flows/{flow_id}") if len(name) == 64}
        assert one["current_sha256"] in kept
    listed = {flow["id"] for flow in alice.get(f"files/{file_id}/flows").json()["flows"]}
    assert listed == set(flows)
    assert world.read(f"{folder}/Bail.pdf") == pdf()


def test_owner_and_guest_each_have_a_flow_on_one_file(world: World, alice: Browser, bob: Browser) -> None:
    given = Given(world, can_write=True)
    file_id = world.put(f"{given.his}/Bail.pdf", pdf(), "bob")
    flows = [world.signature(who, [file_id], [{"user": "carol"}])["id"] for who in (alice, bob)]
    for flow_id in flows:
        world.settled(flow_id)
        assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
        world.settled(flow_id)
    assert {"Bail (signé).pdf", "Bail (signed).pdf"} <= set(world.names(given.his, "bob"))


def test_what_one_flow_saves_as_a_new_version_suspends_the_approval_of_the_other(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    approval = world.validation(alice, [file_id], [{"user": "bob"}])["id"]
    signature = world.signature(alice, [file_id], [{"user": "carol"}], save={"mode": "version"})["id"]
    for flow_id in (approval, signature):
        world.settled(flow_id)
    assert world.recipient("carol", signature).sign().json()["state"] == "completed"
    world.settled(signature)
    assert looked_at(world, alice, approval)["suspension"]["reason"] == "source-changed"
    assert resumed(alice, approval, "restart").json()["documents"][0]["size_bytes"] > len(pdf())
    assert world.recipient("bob", approval).approve().json()["state"] == "completed"


# ---- names that are nearly the same ---------------------------------------------------------------------------------
@pytest.fixture(params=[False, True], ids=["case counts", "case is folded"])
def folds(world: World, request: pytest.FixtureRequest) -> Iterator[bool]:
    world.demo.host.area.folds_case = request.param
    yield request.param
    world.demo.host.area.folds_case = False


def test_signed_copies_of_names_that_differ_in_case_or_form_never_overwrite(
    world: World, alice: Browser, folds: bool
) -> None:
    names = ["Résumé.pdf", "RÉSUMÉ.pdf", unicodedata.normalize("NFD", "résumé.pdf")]
    folders = [world.folder() for _ in names]
    into = world.folder()
    ids = [
        world.put(f"{folder}/{name}", pdf(n + 1)) for n, (folder, name) in enumerate(zip(folders, names, strict=True))
    ]
    there = world.demo.host.area.node("alice", (into,))
    assert there is not None
    world.put(f"{into}/RÉSUMÉ (SIGNÉ).pdf", b"somebody's own")
    save = {"mode": "folder", "folder": into}
    flow_id = world.signature(alice, ids, [{"user": "bob"}], save=save)["id"]
    world.settled(flow_id)
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    world.settled(flow_id)
    copies = [document["signed"] for document in alice.get(f"flows/{flow_id}").json()["documents"]]
    for one in copies:
        assert hashlib.sha256(world.read(one["path"])).hexdigest() == one["sha256"]
    paths = [unicodedata.normalize("NFC", one["path"]) for one in copies]
    assert len({path.casefold() if folds else path for path in paths}) == len(names)
    assert world.read(f"{into}/RÉSUMÉ (SIGNÉ).pdf") == b"somebody's own"


def test_flows_in_folders_that_differ_in_case_do_not_mix(world: World, alice: Browser, folds: bool) -> None:
    name = f"Élan {secrets.token_hex(4)}"
    other = unicodedata.normalize("NFD", name.upper())
    assert world.dav("alice", "MKCOL", name).status_code == 201
    assert world.dav("alice", "MKCOL", other).status_code == (405 if folds else 201)
    ids = [world.put(f"{folder}/{file}.pdf", pdf()) for folder, file in ((name, "Un"), (other, "Deux"))]
    flows = [world.signature(alice, [file_id], [{"user": "bob"}])["id"] for file_id in ids]
    for flow_id in flows:
        world.settled(flow_id)
    forget(world)
    for flow_id in flows:
        assert looked_at(world, alice, flow_id)["documents"][0]["source"]["state"] == "same"
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        world.settled(flow_id)
    assert {"Un (signé).pdf", "Deux (signé).pdf"} - set(world.names(name)) == (
        set() if folds else {"Deux (signé).pdf"}
    )
    assert f".flows/{flows[1]}/flow.jsonl" in world.names(unicodedata.normalize("NFC", other))

"""Files of every kind: whose they are, where the host keeps them, and what becomes of them in the meantime."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest

from tests.nextcloud import hosted
from tests.nextcloud.instance import Installed, Json, Nextcloud, User
from tests.nextcloud.test_flows import ended, signature
from tests.world import Browser, pdf, stamps


@dataclass(frozen=True)
class Kind:
    """Where the creator sees the document, and where its copy is to be."""

    file_id: str
    path: str
    signed_path: str
    saved_in: str
    owner: User
    """Whoever can look into the original's folder."""
    folder: str
    """As he sees it."""


def flow_by_two(app: Installed, creator: Browser, file_id: str, validator: User, signatory: User) -> Json:
    return app.launch(
        creator,
        {
            "kind": "signature",
            "documents": [{"file_id": file_id}],
            "recipients": [{"user": validator.uid, "role": "validator"}, {"user": signatory.uid}],
            "placements": stamps(1, [1]),
        },
    )


def decided(app: Installed, flow: Json, validator: User, signatory: User) -> None:
    assert app.recipient(validator, flow["id"]).approve("Good").status_code == 200
    assert app.recipient(signatory, flow["id"]).sign().status_code == 200


def personal(nextcloud: Nextcloud, alice: User, bob: User, name: str) -> Kind:
    file_id = nextcloud.put(alice, f"{name}/x.pdf", pdf())
    return Kind(file_id, f"{name}/x.pdf", f"{name}/x (signé).pdf", "beside", alice, name)


def folder_shared(permissions: int, *, home: bool) -> object:
    def make(nextcloud: Nextcloud, alice: User, bob: User, name: str) -> Kind:
        file_id = nextcloud.put(bob, f"{name}/{name}.pdf", pdf())
        hosted.share(nextcloud, bob, name, alice, permissions)
        signed = f"{name} (signé).pdf" if home else f"{name}/{name} (signé).pdf"
        return Kind(file_id, f"{name}/{name}.pdf", signed, "home" if home else "beside", bob, name)

    return make


def file_shared(permissions: int) -> object:
    def make(nextcloud: Nextcloud, alice: User, bob: User, name: str) -> Kind:
        file_id = nextcloud.put(bob, f"{name}/{name}.pdf", pdf())
        hosted.share(nextcloud, bob, f"{name}/{name}.pdf", alice, permissions)
        return Kind(file_id, f"{name}.pdf", f"{name} (signé).pdf", "beside", bob, name)

    return make


def external(nextcloud: Nextcloud, alice: User, bob: User, name: str) -> Kind:
    mounts = (
        nextcloud.occ("files_external:list", "--output=json") if hosted.has_app(nextcloud, "files_external") else ""
    )
    if "Externe" not in mounts:
        pytest.skip("the instance has no external storage /Externe")
    file_id = nextcloud.put(alice, f"Externe/{name}/x.pdf", pdf())
    return Kind(file_id, f"Externe/{name}/x.pdf", f"Externe/{name}/x (signé).pdf", "beside", bob, f"Externe/{name}")


def team_folder(nextcloud: Nextcloud, alice: User, bob: User, name: str) -> Kind:
    if not hosted.has_app(nextcloud, "groupfolders"):
        pytest.skip("the app groupfolders (Team folders) is not on this instance")
    raise AssertionError("Team folders are there: say here how one is made")


KINDS = {
    "personal": personal,
    "shared with all rights": folder_shared(hosted.ALL, home=False),
    "shared to edit and create": folder_shared(hosted.EDIT_AND_CREATE, home=False),
    "shared to create only": folder_shared(hosted.READ_AND_CREATE, home=True),
    "shared to change only": folder_shared(hosted.EDIT, home=True),
    "shared read-only": folder_shared(hosted.READ, home=True),
    "a file shared to edit": file_shared(hosted.EDIT),
    "a file shared read-only": file_shared(hosted.READ),
    "external storage": external,
    "team folder": team_folder,
}


@pytest.mark.parametrize("what", KINDS)
def test_a_document_of_every_kind_is_approved_signed_and_finished(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User, what: str
) -> None:
    kind = KINDS[what](nextcloud, alice, bob, f"Kind {what} {app.port}")  # type: ignore[operator]  # one of the kinds
    before = nextcloud.names(kind.owner, kind.folder)
    assert inspected(creator, kind.file_id)["saved_in"] == kind.saved_in
    flow = flow_by_two(app, creator, kind.file_id, bob, carol)
    state = f"{kind.path.rpartition('/')[0]}/.flows" if kind.saved_in == "beside" else ".flows"
    assert sorted(nextcloud.names(alice, f"{state}/{flow['id']}"))[-2:] == ["flow.jsonl", "salts.json"]
    decided(app, flow, bob, carol)
    signed = ended(creator, flow)["documents"][0]["signed"]
    assert signed["path"] == kind.signed_path
    copy = nextcloud.read(alice, signed["path"])
    assert hashlib.sha256(copy).hexdigest() == signed["sha256"]
    assert copy.startswith(pdf())
    assert nextcloud.read(alice, kind.path) == pdf()
    assert hosted.file_id(nextcloud, alice, signed["path"]) == signed["file_id"]
    beside = (
        {".flows", kind.signed_path.rpartition("/")[2]}
        if "/" in kind.signed_path and kind.saved_in == "beside"
        else set()
    )
    new = set(nextcloud.names(kind.owner, kind.folder)) - set(before)
    assert {name for name in new if "dossier de preuves" not in name} == beside


def inspected(who: Browser, file_id: str) -> Json:
    answer = who.post("documents/inspect", {"file_ids": [file_id]})
    assert answer.status_code == 200, answer.text
    return answer.json()["documents"][0]


def test_two_documents_of_which_one_is_read_only_are_kept_apart(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    mine = nextcloud.put(alice, f"Apart {app.port}/mine.pdf", pdf())
    his = nextcloud.put(bob, f"Apart his {app.port}/his.pdf", pdf())
    hosted.share(nextcloud, bob, f"Apart his {app.port}", alice, hosted.READ)
    flow = signature(app, creator, [mine, his], [{"user": carol.uid}])
    assert app.recipient(carol, flow["id"]).sign().status_code == 200
    signed = [d["signed"]["path"] for d in ended(creator, flow)["documents"]]
    assert signed == [f"Apart {app.port}/mine (signé).pdf", "his (signé).pdf"]
    assert nextcloud.names(bob, f"Apart his {app.port}") == ["his.pdf"]


# ---- versions and trash ---------------------------------------------------------------------------------------------
def test_a_new_version_of_the_original_changes_nothing_that_was_sent(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder, sent, later = f"Versions {app.port}", pdf(2), pdf(3)
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", sent)
    taken = nextcloud.put(alice, f"{folder}/x (signé).pdf", b"already here")
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    nextcloud.put(alice, f"{folder}/x.pdf", later)
    before = hosted.versions(nextcloud, alice, file_id)
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    signed = ended(creator, flow)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/x (signé) 2.pdf"
    assert nextcloud.read(alice, signed["path"]).startswith(sent)
    assert nextcloud.read(alice, f"{folder}/x.pdf") == later
    assert nextcloud.read(alice, f"{folder}/x (signé).pdf") == b"already here"
    assert hosted.versions(nextcloud, alice, file_id) == before
    assert hosted.versions(nextcloud, alice, taken) == hosted.versions(nextcloud, alice, signed["file_id"]) == 1


def test_an_original_in_the_trash_is_signed_all_the_same_and_comes_back_as_it_was(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder, name = f"Trash {app.port}", f"thrown {app.port}.pdf"
    file_id = nextcloud.put(alice, f"{folder}/{name}", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    hosted.delete(nextcloud, alice, f"{folder}/{name}")
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    signed = ended(creator, flow)["documents"][0]["signed"]
    assert signed["path"] == f"{folder}/{name[:-4]} (signé).pdf"
    hosted.restore(nextcloud, alice, name)
    assert hosted.file_id(nextcloud, alice, f"{folder}/{name}") == file_id
    assert nextcloud.read(alice, f"{folder}/{name}") == pdf()


def test_a_flow_whose_hidden_folder_was_thrown_away_is_restored_from_proof(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder = f"Proof {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    flow = flow_by_two(app, creator, file_id, bob, carol)
    assert app.recipient(bob, flow["id"]).approve("Good").status_code == 200
    hosted.delete(nextcloud, alice, f"{folder}/.flows")
    assert app.recipient(carol, flow["id"]).sign().status_code == 200
    done = ended(creator, flow)
    assert done["steps"][0]["recipients"][0]["comment"] == "Good"
    assert done["documents"][0]["signed"]["path"] == f"{folder}/x (signé).pdf"
    assert "flow.jsonl" in nextcloud.names(alice, f"{folder}/.flows/{flow['id']}")


def test_a_folder_in_the_trash_suspends_its_flow_and_back_from_there_it_goes_on(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder = f"Thrown {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    flow = flow_by_two(app, creator, file_id, bob, carol)
    hosted.delete(nextcloud, alice, folder)
    refused = app.recipient(bob, flow["id"]).approve("Good")
    assert (refused.status_code, refused.json()["code"]) == (409, "flow-suspended")
    assert ended(creator, flow, "suspended")["suspension"]["reason"] == "no-access"
    assert folder not in nextcloud.names(alice, "")
    hosted.restore(nextcloud, alice, folder)
    assert hosted.file_id(nextcloud, alice, f"{folder}/x.pdf") == file_id
    assert creator.post(f"flows/{flow['id']}/resume", {"choice": "continue"}).status_code == 200
    decided(app, flow, bob, carol)
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder}/x (signé).pdf"


# ---- moved ----------------------------------------------------------------------------------------------------------
def test_a_folder_moved_into_another_one_takes_its_flow_along(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder, other = f"Moved {app.port}", f"Above {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    nextcloud.put(alice, f"{other}/y.txt", b"y")
    flow = flow_by_two(app, creator, file_id, bob, carol)
    hosted.move(nextcloud, alice, folder, f"{other}/{folder}")
    decided(app, flow, bob, carol)
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{other}/{folder}/x (signé).pdf"
    assert folder not in nextcloud.names(alice, "")


def test_a_folder_moved_into_what_somebody_shares_takes_its_flow_along(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder, shared = f"Given {app.port}", f"Common {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    nextcloud.put(bob, f"{shared}/y.txt", b"y")
    hosted.share(nextcloud, bob, shared, alice, hosted.ALL)
    flow = flow_by_two(app, creator, file_id, bob, carol)
    hosted.move(nextcloud, alice, folder, f"{shared}/{folder}")
    assert hosted.file_id(nextcloud, bob, f"{shared}/{folder}/x.pdf") == file_id
    decided(app, flow, bob, carol)
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{shared}/{folder}/x (signé).pdf"
    assert nextcloud.read(bob, f"{shared}/{folder}/x (signé).pdf").startswith(pdf())


def test_an_owner_renames_what_he_shares_and_the_creator_s_flow_goes_on(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    shared = f"Owned {app.port}"
    file_id = nextcloud.put(bob, f"{shared}/in/x.pdf", pdf())
    hosted.share(nextcloud, bob, shared, alice, hosted.ALL)
    flow = flow_by_two(app, creator, file_id, bob, carol)
    hosted.move(nextcloud, bob, f"{shared}/in", f"{shared}/out")
    hosted.move(nextcloud, bob, shared, f"{shared} renamed")
    decided(app, flow, bob, carol)
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{shared}/out/x (signé).pdf"
    assert "x (signé).pdf" in nextcloud.names(bob, f"{shared} renamed/out")

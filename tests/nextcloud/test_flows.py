"""Whole flows on a real host: launched, told, decided and finished by users and by an external person."""

from __future__ import annotations

import hashlib

import pytest

from tests.nextcloud import hosted
from tests.nextcloud.instance import Catcher, Installed, Nextcloud, User
from tests.world import Browser, Json, pdf, stamps, until

NAMES = ["contrat.pdf", "a#b.pdf", "a?b.pdf", "100 % & +.pdf", "%41;x=1.pdf", "é – ü 漢字 « ' \" ».pdf"]
READ, ALL = 1, 31


def signature(app: Installed, who: Browser, file_ids: list[str], recipients: list[Json], **more: object) -> Json:
    return app.launch(
        who,
        {
            "kind": "signature",
            "documents": [{"file_id": file_id} for file_id in file_ids],
            "recipients": recipients,
            "placements": stamps(len(file_ids), range(len(recipients))),
            **more,
        },
    )


def validation(app: Installed, who: Browser, file_ids: list[str], recipients: list[Json]) -> Json:
    documents = [{"file_id": file_id} for file_id in file_ids]
    return app.launch(who, {"kind": "validation", "documents": documents, "recipients": recipients})


def ended(who: Browser, flow: Json, state: str = "completed") -> Json:
    def look() -> Json | None:
        read = who.get(f"flows/{flow['id']}").json()
        return read if read["state"] == state else None

    found = until(look, within_s=60)
    assert found is not None
    return found


def test_a_document_is_signed_by_a_colleague_and_by_somebody_outside(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User
) -> None:
    original = pdf(2)
    file_id = nextcloud.put(alice, "Contrats/contrat.pdf", original)
    people = [{"user": bob.uid}, {"email": "zoe@example.com", "first_name": "Zoé", "last_name": "D’Été"}]
    flow = signature(app, creator, [file_id], people, copy_to_all=True)
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    outside = app.follow(catcher.link(flow["id"], "zoe@example.com"))
    page = outside.get("")
    assert page.status_code == 200
    assert "contrat" in page.text
    assert outside.sign().status_code == 200
    done = ended(creator, flow)
    signed = done["documents"][0]["signed"]
    assert signed["path"] == "Contrats/contrat (signé).pdf"
    copy = nextcloud.read(alice, signed["path"])
    assert hashlib.sha256(copy).hexdigest() == signed["sha256"]
    assert copy.count(b"/ByteRange") == 2
    assert copy.startswith(original)
    assert nextcloud.read(alice, "Contrats/contrat.pdf") == original
    listed = nextcloud.dav(alice, "PROPFIND", signed["path"], headers={"Depth": "0"}, data=FILE_ID)
    assert f">{signed['file_id']}<" in listed.text
    assert outside.get("documents/0").content == copy


FILE_ID = '<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><o:fileid/></d:prop></d:propfind>'


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind_survive(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, name: str
) -> None:
    folder = f"D # ? % {name[:-4]}"
    file_id = nextcloud.put(alice, f"{folder}/{name}", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    assert flow["documents"][0]["name"] == name
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    done = ended(creator, flow)
    expected = f"{folder}/{name[:-4]} (signé).pdf"
    assert done["documents"][0]["signed"]["path"] == expected
    there = [one for one in nextcloud.names(alice, folder) if "dossier de preuves" not in one]
    assert sorted(there) == sorted([".flows", name, expected.rpartition("/")[2]])


def test_two_files_are_approved_and_two_others_refused(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User
) -> None:
    ids = [nextcloud.put(alice, f"Budget/{name}", b"1;2") for name in ("a.csv", "b.txt")]
    flow = validation(app, creator, ids, [{"user": bob.uid}, {"email": "zoe@example.com"}])
    assert app.recipient(bob, flow["id"]).approve("Good").status_code == 200
    assert app.follow(catcher.link(flow["id"], "zoe@")).approve().status_code == 200
    assert ended(creator, flow)["steps"][0]["recipients"][0]["comment"] == "Good"
    flow = validation(app, creator, ids, [{"user": bob.uid}, {"email": "zoe@example.com"}])
    assert app.recipient(bob, flow["id"]).refuse("No.").status_code == 200
    ended(creator, flow, "refused")
    assert not catcher.of(flow["id"], "invitation", "zoe@")


def test_a_folder_shared_read_only_gets_nothing_written(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    original = nextcloud.put(bob, "Shared read-only/offer.pdf", pdf())
    nextcloud.share(bob, "/Shared read-only", alice, READ)
    flow = signature(app, creator, [original], [{"user": alice.uid}])
    assert app.recipient(alice, flow["id"]).sign().status_code == 200
    signed = ended(creator, flow)["documents"][0]["signed"]
    assert signed["path"] == "offer (signé).pdf"
    assert nextcloud.names(bob, "Shared read-only") == ["offer.pdf"]
    assert flow["id"] in nextcloud.names(alice, ".flows")
    assert hashlib.sha256(nextcloud.read(alice, signed["path"])).hexdigest() == signed["sha256"]


def test_in_a_folder_shared_with_all_rights_the_copy_lands_beside_the_original(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    original = nextcloud.put(bob, "Shared all/order.pdf", pdf())
    nextcloud.share(bob, "/Shared all", alice, ALL)
    flow = signature(app, creator, [original], [{"user": bob.uid}])
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == "Shared all/order (signé).pdf"
    assert "order (signé).pdf" in nextcloud.names(bob, "Shared all")


def test_a_folder_renamed_in_between_keeps_its_flow(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    file_id = nextcloud.put(alice, "Before/plan.pdf", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    hosted.move(nextcloud, alice, "Before", "After")
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    assert ended(creator, flow)["documents"][0]["signed"]["path"] == "After/plan (signé).pdf"
    assert not nextcloud.dav(alice, "PROPFIND", "Before").ok

"""Where results go on a real host: over the original as its newest version, into a folder; the record beside them."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
from collections.abc import Sequence

import pypdf
import pytest

from pdfops.verify import verify
from tests.nextcloud import hosted
from tests.nextcloud.instance import Catcher, Installed, Nextcloud, User
from tests.nextcloud.test_flows import ended, signature, validation
from tests.world import Browser, Json, pdf, until

VERSION = {"mode": "version"}
COPY, RECORD = "Bail (signé).pdf", "Bail (dossier de preuves).pdf"


def place() -> str:
    return f"Saved {secrets.token_hex(3)}"


def into(folder: str) -> Json:
    return {"mode": "folder", "folder": folder}


def recorded(who: Browser, flow: Json, state: str = "completed") -> Json:
    """Ended, and its evidence record laid."""

    def look() -> Json | None:
        read = ended(who, flow, state)
        return read if read["evidence"] and read["evidence"]["path"] else None

    found = until(look, within_s=60)
    assert found is not None
    return found


def shown(nextcloud: Nextcloud, who: User, folder: str) -> list[str]:
    return [name for name in nextcloud.names(who, folder) if name != ".flows"]


def attached(data: bytes) -> Json:
    (content,) = pypdf.PdfReader(io.BytesIO(data)).attachments["evidence.json"]
    return dict(json.loads(content))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signed_by(app: Installed, people: Sequence[User], flow: Json) -> None:
    for user in people:
        assert app.recipient(user, flow["id"]).sign().status_code == 200


# ---- the evidence record --------------------------------------------------------------------------------------------
def test_the_record_lies_beside_the_signed_copy_and_holds_what_the_host_holds(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/Bail.pdf", pdf())
    nextcloud.put(alice, f"{folder}/{RECORD}", b"mine")
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    signed_by(app, [bob], flow)
    read = recorded(creator, flow)
    path = f"{folder}/Bail (dossier de preuves) 2.pdf"
    assert read["evidence"]["path"] == path
    data = nextcloud.read(alice, path)
    assert (read["evidence"]["sha256"], verify(data).integrity) == (sha(data), "intact")
    assert hosted.file_id(nextcloud, alice, path) == read["evidence"]["file_id"]
    assert nextcloud.read(alice, f"{folder}/{RECORD}") == b"mine"
    record = attached(data)
    assert record["flow"]["id"] == flow["id"]
    assert record["documents"][0]["sha256_final"] == sha(nextcloud.read(alice, f"{folder}/{COPY}"))
    for one in (read["evidence"], read["documents"][0]["signed"]):
        listed = creator.get(f"files/{one['file_id']}/flows").json()["flows"]
        assert [each["id"] for each in listed] == [flow["id"]]


@pytest.mark.parametrize("decision", ["approved", "refused"])
@pytest.mark.parametrize("where", ["mine", "read-only"])
def test_an_approval_and_a_refusal_leave_a_record_where_they_may(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, decision: str, where: str
) -> None:
    folder, title = place(), f"Note {secrets.token_hex(3)}"
    owner = alice if where == "mine" else bob
    file_id = nextcloud.put(owner, f"{folder}/{title}.txt", b"Oui ou non")
    if where == "read-only":
        hosted.share(nextcloud, bob, folder, alice, hosted.READ)
    flow = validation(app, creator, [file_id], [{"user": bob.uid}])
    actor = app.recipient(bob, flow["id"])
    assert (actor.approve("Bon.") if decision == "approved" else actor.refuse()).status_code == 200
    read = recorded(creator, flow, "completed" if decision == "approved" else "refused")
    name = f"{title} (dossier de preuves).pdf"
    assert read["evidence"]["path"] == (f"{folder}/{name}" if where == "mine" else name)
    record = attached(nextcloud.read(alice, read["evidence"]["path"]))
    assert record["recipients"][0]["state"] == decision
    assert record["documents"][0]["sha256_original"] == sha(b"Oui ou non")
    assert shown(nextcloud, owner, folder) == sorted([f"{title}.txt", *([name] if where == "mine" else [])])


# ---- as a new version -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["her own", "shared to change", "external"])
def test_as_a_new_version_the_original_is_the_signed_copy_and_the_host_keeps_the_one_before(
    app: Installed,
    nextcloud: Nextcloud,
    catcher: Catcher,
    creator: Browser,
    alice: User,
    bob: User,
    carol: User,
    what: str,
) -> None:
    folder, name = place(), f"Bail {secrets.token_hex(3)}.pdf"
    path = f"{folder}/{name}"
    if what == "external":
        if "Externe" not in nextcloud.names(alice, ""):
            pytest.skip("the instance has no external storage /Externe")
        path = f"Externe/{folder}/{name}"
    owner = bob if what == "shared to change" else alice
    file_id = nextcloud.put(owner, path, pdf())
    if owner is bob:
        hosted.share(nextcloud, bob, path, alice, hosted.EDIT)
    until(lambda: hosted.age_s(nextcloud, owner, path) > 2)  # or the host keeps no version of it
    flow = signature(app, creator, [file_id], [{"user": bob.uid}, {"user": carol.uid}], save=VERSION)
    signed_by(app, [bob, carol], flow)
    read = recorded(creator, flow)
    signed = read["documents"][0]["signed"]
    assert (signed["file_id"], signed["path"]) == (file_id, name if owner is bob else path)
    content = nextcloud.read(owner, path)
    assert signed["sha256"] == sha(content)
    assert content.startswith(pdf())
    assert content.count(b"/ByteRange") == 2
    assert hosted.file_id(nextcloud, owner, path) == file_id
    assert read["warnings"] == []
    hosted.bring_back(nextcloud, owner, file_id, pdf())
    assert nextcloud.read(owner, path) == pdf()
    mail = until(lambda: catcher.of(flow["id"], "completed", alice.email), within_s=60)[0]
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    assert "dernière version de l’original" in " ".join(body.get_content().split())


def test_somebodys_change_is_never_overwritten_by_a_version(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/Bail.pdf", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}], save=VERSION)
    nextcloud.put(alice, f"{folder}/Bail.pdf", pdf(5))
    signed_by(app, [bob], flow)
    read = recorded(creator, flow)
    assert nextcloud.read(alice, f"{folder}/Bail.pdf") == pdf(5)
    assert read["documents"][0]["signed"]["path"] == f"{folder}/{COPY}"
    assert any("Bail.pdf" in warning for warning in read["warnings"])


@pytest.mark.parametrize("why", ["read-only", "made read-only meanwhile", "thrown away", "held by an editor"])
def test_an_original_that_takes_no_version_is_left_and_the_copy_lies_where_it_may(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User, why: str
) -> None:
    folder, name = place(), f"Bail {secrets.token_hex(3)}"
    shared = "read-only" in why
    file_id = nextcloud.put(bob if shared else alice, f"{folder}/{name}.pdf", pdf())
    if why == "read-only":
        hosted.share(nextcloud, bob, folder, alice, hosted.READ)
    elif shared:  # the file alone: its flow lies at home, and nothing stops it
        share = hosted.share(nextcloud, bob, f"{folder}/{name}.pdf", alice, hosted.EDIT)
    flow = signature(app, creator, [file_id], [{"user": carol.uid}], save=VERSION)
    if why == "made read-only meanwhile":
        hosted.reshare(nextcloud, bob, share, hosted.READ)
    elif why == "thrown away":
        hosted.delete(nextcloud, alice, f"{folder}/{name}.pdf")
    if why == "held by an editor":
        if not hosted.has_app(nextcloud, "files_lock"):
            pytest.skip("the instance has no locks")
        with hosted.locked(nextcloud, alice, f"{folder}/{name}.pdf", hosted.APP_LOCK):
            signed_by(app, [carol], flow)
            read = recorded(creator, flow)
    else:
        signed_by(app, [carol], flow)
        read = recorded(creator, flow)
    signed = read["documents"][0]["signed"]
    assert signed["path"] == (f"{name} (signé).pdf" if shared else f"{folder}/{name} (signé).pdf")
    assert sha(nextcloud.read(alice, signed["path"])) == signed["sha256"]
    assert any(f"{name}.pdf" in warning for warning in read["warnings"]), read["warnings"]
    if why != "thrown away":
        assert nextcloud.read(bob if shared else alice, f"{folder}/{name}.pdf") == pdf()


# ---- into a chosen folder -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["her own", "shared", "external"])
def test_into_a_chosen_folder_wherever_it_was_moved_to(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, what: str
) -> None:
    folder, chosen = place(), place()
    file_id = nextcloud.put(alice, f"{folder}/Bail.pdf", pdf())
    if what == "external":
        if "Externe" not in nextcloud.names(alice, ""):
            pytest.skip("the instance has no external storage /Externe")
        chosen = f"Externe/{chosen}"
    nextcloud.put(bob if what == "shared" else alice, f"{chosen}/there.txt", b"x")
    if what == "shared":
        hosted.share(nextcloud, bob, chosen, alice, hosted.ALL)
    flow = signature(app, creator, [file_id], [{"user": bob.uid}], save=into(chosen))
    hosted.move(nextcloud, alice, chosen, f"{chosen} « 2 »")
    signed_by(app, [bob], flow)
    read = recorded(creator, flow)
    assert read["documents"][0]["signed"]["path"] == f"{chosen} « 2 »/{COPY}"
    assert shown(nextcloud, alice, f"{chosen} « 2 »") == [RECORD, COPY, "there.txt"]
    assert shown(nextcloud, alice, folder) == ["Bail.pdf"]
    assert read["warnings"] == []
    if what == "shared":
        assert shown(nextcloud, bob, chosen) == [RECORD, COPY, "there.txt"]


@pytest.mark.parametrize("why", ["thrown away", "made read-only"])
def test_where_the_chosen_folder_takes_nothing_results_lie_beside_and_it_is_told(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, why: str
) -> None:
    folder, chosen = place(), place()
    file_id = nextcloud.put(alice, f"{folder}/Bail.pdf", pdf())
    nextcloud.put(bob if why == "made read-only" else alice, f"{chosen}/there.txt", b"x")
    if why == "made read-only":
        share = hosted.share(nextcloud, bob, chosen, alice, hosted.ALL)
    flow = signature(app, creator, [file_id], [{"user": bob.uid}], save=into(chosen))
    if why == "made read-only":
        hosted.reshare(nextcloud, bob, share, hosted.READ)
    else:
        hosted.delete(nextcloud, alice, chosen)
    signed_by(app, [bob], flow)
    read = recorded(creator, flow)
    assert shown(nextcloud, alice, folder) == [RECORD, COPY, "Bail.pdf"]
    (warning,) = read["warnings"]
    assert warning.startswith("Le dossier choisi pour les résultats")


def test_a_chosen_folder_back_from_the_trash_is_the_chosen_one(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder, chosen = place(), place()
    file_id = nextcloud.put(alice, f"{folder}/Bail.pdf", pdf())
    nextcloud.put(alice, f"{chosen}/there.txt", b"x")
    flow = signature(app, creator, [file_id], [{"user": bob.uid}], save=into(chosen))
    hosted.delete(nextcloud, alice, chosen)
    hosted.restore(nextcloud, alice, chosen)
    signed_by(app, [bob], flow)
    read = recorded(creator, flow)
    assert (read["documents"][0]["signed"]["path"], read["warnings"]) == (f"{chosen}/{COPY}", [])


def test_a_folder_that_takes_no_files_or_is_none_is_refused_at_launch(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/note.txt", b"x")
    nextcloud.put(bob, f"{folder} his/there.txt", b"x")
    hosted.share(nextcloud, bob, f"{folder} his", alice, hosted.READ)
    body = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": bob.uid}]}
    for chosen, code in ((f"{folder} his", "folder-read-only"), (f"{folder}/note.txt", "no-such-folder")):
        answer = creator.post("flows", {**body, "save": into(chosen)})
        assert answer.status_code == 422, answer.text
        assert code in answer.text


def test_documents_of_one_name_meet_in_one_folder_under_two_names(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    ids = [nextcloud.put(alice, f"{folder}/{sub}/Bail.pdf", pdf(pages)) for sub, pages in (("a", 1), ("b", 2))]
    nextcloud.put(alice, f"{folder}/chosen/there.txt", b"x")
    flow = signature(app, creator, ids, [{"user": bob.uid}], save=into(f"{folder}/chosen"))
    signed_by(app, [bob], flow)
    read = recorded(creator, flow)
    paths = [document["signed"]["path"] for document in read["documents"]]
    assert sorted(paths) == [f"{folder}/chosen/Bail (signé) 2.pdf", f"{folder}/chosen/{COPY}"]
    for path, pages in zip(paths, (1, 2), strict=True):
        assert nextcloud.read(alice, path).startswith(pdf(pages))

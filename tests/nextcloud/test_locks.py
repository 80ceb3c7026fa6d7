"""What keeps the product from writing for a while: locks of the host (files_lock, 34), a full quota, a share turned
read-only. Nobody loses anything by it, and what is owed is done as soon as it can be."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.nextcloud import hosted
from tests.nextcloud.instance import Installed, Json, Nextcloud, User
from tests.nextcloud.test_flows import ended, signature
from tests.pdfops import samples
from tests.world import Browser, pdf, until

MEGABYTE = 1_000_000


@pytest.fixture
def locking(nextcloud: Nextcloud) -> None:
    if not hosted.has_app(nextcloud, "files_lock"):
        pytest.skip("no app files_lock on this instance: its files cannot be locked")


def state_of(flow: Json, folder: str) -> str:
    return f"{folder}/.flows/{flow['id']}/flow.jsonl"


def said(answer: Json) -> tuple[str, str]:
    return answer["code"], answer["title"]


@pytest.mark.usefixtures("locking")
def test_an_original_open_in_an_editor_is_sent_and_signed(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = f"Edited {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    with hosted.locked(nextcloud, alice, f"{folder}/x.pdf", hosted.APP_LOCK):
        flow = signature(app, creator, [file_id], [{"user": bob.uid}])
        assert app.recipient(bob, flow["id"]).sign().status_code == 200
        assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder}/x (signé).pdf"
    assert nextcloud.read(alice, f"{folder}/x.pdf") == pdf()


@pytest.mark.usefixtures("locking")
def test_an_original_that_its_owner_has_locked_is_sent_and_signed(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = f"Locked {app.port}"
    file_id = nextcloud.put(bob, f"{folder}/x.pdf", pdf())
    hosted.share(nextcloud, bob, folder, alice, hosted.ALL)
    with hosted.locked(nextcloud, bob, f"{folder}/x.pdf", hosted.USER_LOCK):
        assert nextcloud.dav(alice, "PUT", f"{folder}/x.pdf", data=b"no").status_code == 423
        flow = signature(app, creator, [file_id], [{"user": bob.uid}])
        assert app.recipient(bob, flow["id"]).sign().status_code == 200
        assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder}/x (signé).pdf"


@pytest.mark.usefixtures("locking")
def test_a_locked_file_of_the_copy_s_name_is_left_alone(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = f"Taken {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    nextcloud.put(alice, f"{folder}/x (signé).pdf", b"somebody works on it")
    with hosted.locked(nextcloud, alice, f"{folder}/x (signé).pdf", hosted.APP_LOCK):
        flow = signature(app, creator, [file_id], [{"user": bob.uid}])
        assert app.recipient(bob, flow["id"]).sign().status_code == 200
        assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder}/x (signé) 2.pdf"
    assert nextcloud.read(alice, f"{folder}/x (signé).pdf") == b"somebody works on it"


@pytest.mark.usefixtures("locking")
def test_while_the_state_file_is_locked_nothing_half_done_happens(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder = f"Held {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}, {"user": carol.uid}])
    until(lambda: creator.get(f"flows/{flow['id']}").json()["steps"][0]["recipients"][0]["delivery"])
    signatory = app.recipient(bob, flow["id"])
    signatory.flow()
    state = nextcloud.read(alice, state_of(flow, folder))
    with hosted.locked(nextcloud, alice, state_of(flow, folder), hosted.APP_LOCK):
        refused = signatory.sign(headers={"Accept-Language": "en"})
        assert refused.status_code == 503
        assert said(refused.json()) == ("host-busy", "The file is in use at the moment. Please try again shortly.")
        assert refused.headers["Retry-After"]
        assert nextcloud.read(alice, state_of(flow, folder)) == state
        read = creator.get(f"flows/{flow['id']}").json()
        assert read["steps"][0]["recipients"][0]["state"] in ("invited", "viewed")
        assert read["steps"][1]["recipients"][0]["state"] == "waiting"
    assert signatory.sign().status_code == 200
    assert app.recipient(carol, flow["id"]).sign().status_code == 200
    assert nextcloud.read(alice, ended(creator, flow)["documents"][0]["signed"]["path"]).count(b"/ByteRange") == 2


@pytest.mark.usefixtures("locking")
def test_a_lock_on_a_revision_keeps_nobody_from_signing(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    """It is only ever read; what cannot be tidied away meanwhile waits."""
    folder = f"Revision {app.port}"
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    place = f"{folder}/.flows/{flow['id']}"
    revision = next(name for name in nextcloud.names(alice, place) if len(name) == 64)
    with hosted.locked(nextcloud, alice, f"{place}/{revision}", hosted.APP_LOCK):
        assert app.recipient(bob, flow["id"]).sign().status_code == 200
        assert ended(creator, flow)["documents"][0]["signed"]["path"] == f"{folder}/x (signé).pdf"


# ---- no room --------------------------------------------------------------------------------------------------------
def used(nextcloud: Nextcloud, who: User) -> int:
    body = '<d:propfind xmlns:d="DAV:"><d:prop><d:quota-used-bytes/></d:prop></d:propfind>'
    answer = nextcloud.dav(who, "PROPFIND", "", headers={"Depth": "0"}, data=body)
    return int(re.findall(r"<d:quota-used-bytes>([0-9]+)<", answer.text)[0])


def test_without_room_nothing_is_launched_and_it_is_said_why(app: Installed, nextcloud: Nextcloud, bob: User) -> None:
    """By somebody new: what others use is counted late, and 34 lets nobody read whose files exceed his quota."""
    frank = nextcloud.make_user(f"frank-{app.port}", "Frank", f"frank-{app.port}@example.org", "fr")
    file_id = nextcloud.put(frank, "Full/x.pdf", samples.sized_pdf(MEGABYTE))
    until(lambda: used(nextcloud, frank) >= MEGABYTE)
    hosted.set_quota(nextcloud, frank, f"{used(nextcloud, frank) + MEGABYTE // 2} B")
    creator = app.browser(frank)
    body = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": bob.uid}]}
    refused = creator.post("flows", body, headers={"Accept-Language": "en"})
    assert refused.status_code == 503
    assert said(refused.json()) == ("host-full", "There is no room left in the owner's files.")
    hosted.set_quota(nextcloud, frank, "none")
    hidden = [name for name in nextcloud.names(frank, "Full") if name == ".flows"]  # the folder may have been made
    assert all(nextcloud.names(frank, f"Full/{name}") == [] for name in hidden)
    assert creator.get(f"files/{file_id}/flows").json() == {"flows": []}


def test_a_flow_waits_for_room_and_for_a_lock_and_then_finishes_by_itself(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = f"Wait {app.port}"
    original = samples.sized_pdf(MEGABYTE)
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", original)
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    hosted.set_quota(nextcloud, alice, f"{used(nextcloud, alice) + MEGABYTE + MEGABYTE // 2} B")
    try:
        signed = app.recipient(bob, flow["id"]).sign()
        assert signed.status_code == 200, signed.text
        until(lambda: waits(app, flow, "host-full"), within_s=60)
        read = creator.get(f"flows/{flow['id']}").json()
        assert (read["state"], read["steps"][0]["recipients"][0]["state"]) == ("running", "signed")
        if hosted.has_app(nextcloud, "files_lock"):
            with hosted.locked(nextcloud, alice, state_of(flow, folder), hosted.APP_LOCK):
                hosted.set_quota(nextcloud, alice, "none")
                until(lambda: waits(app, flow, "host-busy"), within_s=60)
                assert creator.get(f"flows/{flow['id']}").json()["state"] == "running"
    finally:
        hosted.set_quota(nextcloud, alice, "none")
    copy = ended(creator, flow)["documents"][0]["signed"]
    assert hashlib.sha256(nextcloud.read(alice, copy["path"])).hexdigest() == copy["sha256"]
    names = [name for name in nextcloud.names(alice, folder) if "dossier de preuves" not in name]
    assert names == [".flows", "x (signé).pdf", "x.pdf"]
    assert nextcloud.read(alice, f"{folder}/x.pdf") == original


def waits(app: Installed, flow: Json, reason: str) -> bool:
    return any(
        flow["id"] in line and f'"reason": "{reason}"' in line and "results.wait" in line
        for line in app.log.splitlines()
    )


# ---- read-only all of a sudden --------------------------------------------------------------------------------------
def test_a_share_turned_read_only_suspends_the_flow_and_loses_no_signature(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder = f"Turned {app.port}"
    file_id = nextcloud.put(bob, f"{folder}/x.pdf", pdf())
    shared = hosted.share(nextcloud, bob, folder, alice, hosted.ALL)
    flow = signature(app, creator, [file_id], [{"user": bob.uid}, {"user": carol.uid}])
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    until(lambda: creator.get(f"flows/{flow['id']}").json()["steps"][1]["recipients"][0]["delivery"])
    hosted.reshare(nextcloud, bob, shared, hosted.READ)
    refused = app.recipient(carol, flow["id"]).sign()
    assert (refused.status_code, refused.json()["code"]) == (409, "flow-suspended")
    read = ended(creator, flow, "suspended")
    assert read["suspension"]["reason"] == "no-access"
    assert "lecture seule" in read["warnings"][0]
    still = creator.post(f"flows/{flow['id']}/resume", {"choice": "continue"})
    assert (still.status_code, still.json()["code"]) == (409, "no-access")
    hosted.reshare(nextcloud, bob, shared, hosted.ALL)
    assert creator.post(f"flows/{flow['id']}/resume", {"choice": "continue"}).status_code == 200
    assert app.recipient(carol, flow["id"]).sign().status_code == 200
    copy = ended(creator, flow)["documents"][0]["signed"]
    assert copy["path"] == f"{folder}/x (signé).pdf"
    assert nextcloud.read(bob, copy["path"]).count(b"/ByteRange") == 2

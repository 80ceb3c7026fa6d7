"""The originals of a running flow on a real host: changed, moved, renamed, thrown away, taken back; and restarted."""

from __future__ import annotations

import hashlib
import secrets

import pytest
import requests

from tests.nextcloud import hosted
from tests.nextcloud.instance import Installed, Nextcloud, User
from tests.nextcloud.test_flows import ended, signature, validation
from tests.world import Browser, Json, pdf, until

FIRST, SECOND = b"Oui ou non", b"Plutot non"


def place() -> str:
    return f"Watched {secrets.token_hex(3)}"


def seen(who: Browser, flow: Json, wanted: str, source: str | None = None) -> Json:
    """Waits for the patrol, or for what an event started."""

    def look() -> Json | None:
        read = who.get(f"flows/{flow['id']}").json()
        as_wanted = read["state"] == wanted and source in (None, read["documents"][0]["source"]["state"])
        return read if as_wanted else None

    found = until(look, within_s=60)
    assert found is not None
    return found


def resumed(who: Browser, flow: Json, choice: str) -> requests.Response:
    return who.post(f"flows/{flow['id']}/resume", {"choice": choice})


@pytest.fixture
def asked(nextcloud: Nextcloud, app: Installed, creator: Browser, alice: User, bob: User) -> tuple[str, str, Json]:
    """(folder, file id, flow): Bob is to approve a note of Alice's."""
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/note.txt", FIRST)
    return folder, file_id, validation(app, creator, [file_id], [{"user": bob.uid}])


def test_what_was_changed_suspends_an_approval_at_once_and_a_restart_asks_about_what_is_there_now(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, asked: tuple[str, str, Json]
) -> None:
    folder, _, flow = asked
    recipient = app.recipient(bob, flow["id"])
    recipient.flow()
    nextcloud.put(alice, f"{folder}/note.txt", SECOND)
    answer = recipient.approve()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended")
    read = seen(creator, flow, "suspended", "changed")
    assert read["suspension"]["reason"] == "source-changed"
    after = resumed(creator, flow, "restart").json()
    assert (after["state"], after["documents"][0]["sha256"]) == ("running", hashlib.sha256(SECOND).hexdigest())
    assert recipient.get("documents/0").content == SECOND
    assert recipient.approve().status_code == 200
    done = ended(creator, flow)
    assert done["documents"][0]["sha256"] == hashlib.sha256(SECOND).hexdigest()


def test_an_earlier_version_brought_back_lets_the_approval_go_on_by_itself(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/note.txt", FIRST)
    until(lambda: hosted.age_s(nextcloud, alice, f"{folder}/note.txt") > 2)  # or the host keeps no version of it
    flow = validation(app, creator, [file_id], [{"user": bob.uid}])
    nextcloud.put(alice, f"{folder}/note.txt", SECOND)
    seen(creator, flow, "suspended", "changed")
    hosted.bring_back(nextcloud, alice, file_id, FIRST)
    assert nextcloud.read(alice, f"{folder}/note.txt") == FIRST
    assert seen(creator, flow, "running", "same")["warnings"] == []
    assert app.recipient(bob, flow["id"]).approve().status_code == 200
    ended(creator, flow)


def test_the_hosts_own_event_is_enough_and_what_was_sent_can_go_on(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, asked: tuple[str, str, Json]
) -> None:
    folder, _, flow = asked
    nextcloud.put(alice, f"{folder}/note.txt", SECOND)
    assert nextcloud.run_events(folder) > 0
    seen(creator, flow, "suspended", "changed")
    assert resumed(creator, flow, "continue").json()["state"] == "running"
    recipient = app.recipient(bob, flow["id"])
    assert recipient.get("documents/0").content == FIRST
    assert recipient.approve().status_code == 200
    ended(creator, flow)


def test_thrown_away_it_is_gone_and_out_of_the_trash_it_is_back(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder, name = place(), f"thrown {secrets.token_hex(3)}.txt"
    file_id = nextcloud.put(alice, f"{folder}/{name}", FIRST)
    flow = validation(app, creator, [file_id], [{"user": bob.uid}])
    hosted.delete(nextcloud, alice, f"{folder}/{name}")
    answer = app.recipient(bob, flow["id"]).approve()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-suspended")
    read = seen(creator, flow, "suspended", "gone")
    assert read["suspension"]["reason"] == "source-gone"
    assert resumed(creator, flow, "restart").json()["code"] == "no-such-file"
    hosted.restore(nextcloud, alice, name)
    seen(creator, flow, "running", "same")
    assert app.recipient(bob, flow["id"]).approve().status_code == 200
    ended(creator, flow)


def test_a_new_file_in_the_old_ones_place_is_a_changed_one(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, asked: tuple[str, str, Json]
) -> None:
    """As many programs save."""
    folder, file_id, flow = asked
    other = nextcloud.put(alice, f"{folder}/~note.tmp", SECOND)
    hosted.delete(nextcloud, alice, f"{folder}/note.txt")
    hosted.move(nextcloud, alice, f"{folder}/~note.tmp", f"{folder}/note.txt")
    assert hosted.file_id(nextcloud, alice, f"{folder}/note.txt") == other != file_id
    assert seen(creator, flow, "suspended", "changed")["suspension"]["reason"] == "source-changed"
    assert resumed(creator, flow, "restart").json()["state"] == "running"
    assert app.recipient(bob, flow["id"]).get("documents/0").content == SECOND
    assert app.recipient(bob, flow["id"]).approve().status_code == 200
    ended(creator, flow)


@pytest.mark.parametrize("how", ["renamed", "moved", "moved with its folder", "into a share", "onto another storage"])
def test_wherever_it_is_moved_the_approval_goes_on_and_it_is_told(
    app: Installed,
    nextcloud: Nextcloud,
    creator: Browser,
    alice: User,
    bob: User,
    asked: tuple[str, str, Json],
    how: str,
) -> None:
    folder, file_id, flow = asked
    other = place()
    to = f"{folder}/Tout à fait « autre ».txt" if how == "renamed" else f"{other}/note.txt"
    if how == "moved with its folder":
        hosted.move(nextcloud, alice, folder, other)
    else:
        if how == "into a share":
            nextcloud.put(bob, f"{other}/his.txt", b"x")
            hosted.share(nextcloud, bob, other, alice, hosted.ALL)
        elif how == "onto another storage":
            if "Externe" not in nextcloud.names(alice, ""):
                pytest.skip("the instance has no external storage /Externe")
            to = f"Externe/{other}.txt"
        elif how == "moved":
            nextcloud.put(alice, f"{other}/mine.txt", b"x")
        hosted.move(nextcloud, alice, f"{folder}/note.txt", to)
    assert hosted.file_id(nextcloud, alice, to) == file_id
    assert seen(creator, flow, "running", "moved")["documents"][0]["source"]["path"] == to
    nextcloud.put(alice, to, SECOND)
    seen(creator, flow, "suspended", "changed")
    assert resumed(creator, flow, "restart").json()["state"] == "running"
    assert app.recipient(bob, flow["id"]).get("documents/0").content == SECOND
    assert app.recipient(bob, flow["id"]).approve().status_code == 200
    ended(creator, flow)


def test_a_signature_goes_on_with_what_was_sent_and_the_panel_says_what_became_of_it(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/x.pdf", pdf())
    flow = signature(app, creator, [file_id], [{"user": bob.uid}])
    nextcloud.put(alice, f"{folder}/x.pdf", pdf(3))
    (warning,) = seen(creator, flow, "running", "changed")["warnings"]
    assert "x.pdf" in warning
    hosted.delete(nextcloud, alice, f"{folder}/x.pdf")
    seen(creator, flow, "running", "gone")
    assert app.recipient(bob, flow["id"]).sign().status_code == 200
    assert nextcloud.read(alice, ended(creator, flow)["documents"][0]["signed"]["path"]).startswith(pdf())


def test_what_may_only_be_read_is_watched_and_restarted_too(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    folder = place()
    file_id = nextcloud.put(bob, f"{folder}/note.txt", FIRST)
    share = hosted.share(nextcloud, bob, folder, alice, hosted.READ)
    flow = validation(app, creator, [file_id], [{"user": carol.uid}])
    nextcloud.put(bob, f"{folder}/note.txt", SECOND)
    seen(creator, flow, "suspended", "changed")
    hosted.move(nextcloud, bob, folder, f"{folder} renamed")
    hosted.move(nextcloud, alice, folder, f"{folder} hers")
    assert resumed(creator, flow, "restart").json()["state"] == "running"
    nextcloud.unshare(bob, share)
    read = seen(creator, flow, "suspended")
    assert read["suspension"]["reason"] in ("no-access", "source-gone")
    hosted.share(nextcloud, bob, f"{folder} renamed", alice, hosted.READ)
    seen(creator, flow, "running")
    actor = app.recipient(carol, flow["id"])
    assert actor.get("documents/0").content == SECOND
    assert actor.approve().status_code == 200
    ended(creator, flow)
    assert nextcloud.names(bob, f"{folder} renamed") == ["note.txt"]


@pytest.mark.parametrize("hers", ["0 {}.txt", "Z {}.txt"])
def test_a_file_seen_by_two_ways_is_the_one_that_may_be_changed_and_stays_where_it_was(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User, hers: str
) -> None:
    """In a folder that may be read, and by itself, to be changed; whichever of the two the host names first."""
    folder, name = place(), f"twice {secrets.token_hex(3)}.pdf"
    file_id = nextcloud.put(bob, f"{folder}/{name}", pdf())
    hosted.share(nextcloud, bob, folder, alice, hosted.READ)
    hosted.share(nextcloud, bob, f"{folder}/{name}", alice, hosted.EDIT)
    path = hers.format(name[:-4]).replace(".txt", ".pdf")
    hosted.move(nextcloud, alice, name, path)
    assert {hosted.file_id(nextcloud, alice, one) for one in (path, f"{folder}/{name}")} == {file_id}
    flow = signature(app, creator, [file_id], [{"user": carol.uid}], save={"mode": "version"})
    nextcloud.put(bob, f"{folder}/{name}", pdf())  # saved once more: it is looked at again
    assert nextcloud.run_events(name) > 0
    assert app.recipient(carol, flow["id"]).sign().status_code == 200
    (document,) = ended(creator, flow)["documents"]
    assert (document["source"]["state"], document["signed"]["path"]) == ("same", path)
    assert nextcloud.read(bob, f"{folder}/{name}").startswith(pdf())

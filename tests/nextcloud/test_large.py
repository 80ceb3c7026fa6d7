"""Approvals of files larger than a collection may be: copied by the real host itself, hashed in a stream."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from tests.nextcloud import hosted
from tests.nextcloud.instance import VERSION, Installed, Nextcloud, User
from tests.nextcloud.test_flows import ended, validation
from tests.nextcloud.test_sources import place, resumed, seen
from tests.world import Browser, until

SIZE = 15_500_000
"""Over the 15 MB of a collection."""


@dataclass(frozen=True)
class Kept:
    file_id: str
    path: str
    """As the creator sees it."""
    state: str
    """The folder where the content is kept, as the creator sees it."""
    owner: User
    """Who may change it, under ``his``."""
    his: str


def kept(nextcloud: Nextcloud, alice: User, bob: User, what: str, data: bytes) -> Kept:
    folder = place()
    if what == "her own":
        path = f"{folder}/Plan # 1 « é ».dwg"
        return Kept(nextcloud.put(alice, path, data), path, f"{folder}/.flows", alice, path)
    if what == "external":
        if "Externe" not in nextcloud.names(alice, ""):
            pytest.skip("the instance has no external storage /Externe")
        path = f"Externe/{folder}/Plan.dwg"
        return Kept(nextcloud.put(alice, path, data), path, f"Externe/{folder}/.flows", alice, path)
    path = f"{folder}/Plan.dwg"
    file_id = nextcloud.put(bob, path, data)
    rights = hosted.READ if what == "read-only" else hosted.ALL
    hosted.share(nextcloud, bob, folder, alice, rights)
    return Kept(file_id, path, ".flows" if what == "read-only" else f"{folder}/.flows", bob, path)


@pytest.mark.parametrize("what", ["her own", "shared", "read-only", "external"])
def test_a_large_file_of_every_kind_is_copied_by_the_host_approved_and_restarted(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User, what: str
) -> None:
    first, second = secrets.token_bytes(SIZE), secrets.token_bytes(SIZE + 1)
    file = kept(nextcloud, alice, bob, what, first)
    flow = validation(app, creator, [file.file_id], [{"user": carol.uid}])
    sha256 = hashlib.sha256(first).hexdigest()
    assert (flow["documents"][0]["sha256"], flow["documents"][0]["size_bytes"]) == (sha256, SIZE)
    state = f"{file.state}/{flow['id']}"
    assert nextcloud.names(alice, state) == sorted([sha256, "flow.jsonl", "salts.json"])
    assert hosted.file_id(nextcloud, alice, f"{state}/{sha256}") != file.file_id
    assert nextcloud.read(alice, f"{state}/{sha256}") == first
    actor = app.recipient(carol, flow["id"])
    answer = actor.get("documents/0")
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))
    assert answer.content == first
    nextcloud.put(file.owner, file.his, second)
    seen(creator, flow, "suspended", "changed")
    after = resumed(creator, flow, "restart").json()
    assert (after["state"], after["documents"][0]["sha256"]) == ("running", hashlib.sha256(second).hexdigest())
    assert actor.get("documents/0").content == second
    assert actor.approve().status_code == 200
    ended(creator, flow)
    until(lambda: sha256 not in nextcloud.names(alice, state), within_s=60)
    assert nextcloud.read(file.owner, file.his) == second


def test_two_large_documents_of_one_content_are_one_copy(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User
) -> None:
    folder, data = place(), secrets.token_bytes(SIZE)
    ids = [nextcloud.put(alice, f"{folder}/{name}.bin", data) for name in "ab"]
    flow = validation(app, creator, ids, [{"user": bob.uid}])
    kept_there = [name for name in nextcloud.names(alice, f"{folder}/.flows/{flow['id']}") if len(name) == 64]
    assert kept_there == [hashlib.sha256(data).hexdigest()]
    assert app.recipient(bob, flow["id"]).get("documents/1").content == data


def test_a_home_that_is_full_takes_no_copy_and_nothing_is_left_of_the_launch(
    app: Installed, nextcloud: Nextcloud, alice: User, bob: User, run: str
) -> None:
    erin = nextcloud.make_user(f"erin-{secrets.token_hex(3)}", "Erin", "", "en")
    file_id = nextcloud.put(erin, "Full/Plan.dwg", secrets.token_bytes(SIZE))
    hosted.set_quota(nextcloud, erin, "20 MB")
    body = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": bob.uid}]}
    sender = app.browser(erin)
    answer = sender.post("flows", body)
    assert (answer.status_code, answer.json()["code"]) == (503, "host-full"), answer.text
    assert [name for name in nextcloud.names(erin, "Full") if name != "Plan.dwg"] in ([], [".flows"])
    hosted.set_quota(nextcloud, erin, "none")
    assert sender.post("flows", body).status_code == 201


def test_a_copy_is_the_hosts_own_and_what_cannot_be_written_is_not_copied(
    app: Installed, nextcloud: Nextcloud, alice: User, bob: User
) -> None:
    files = DavFiles(nextcloud.url, AppApi(app.secret, VERSION))
    folder = place()
    nextcloud.put(bob, f"{folder}/a.bin", b"1234")
    hosted.share(nextcloud, bob, folder, alice, hosted.READ)
    assert not files.copy(alice.uid, f"{folder}/a.bin", f"{folder}/b.bin", 4)
    assert files.copy(alice.uid, f"{folder}/a.bin", f"{folder} copied.bin", 4)
    assert nextcloud.read(alice, f"{folder} copied.bin") == b"1234"
    assert nextcloud.names(bob, folder) == ["a.bin"]

"""The embedded host's WebDAV, on the public port: what the platform promises, and what nobody may do."""

from __future__ import annotations

import hashlib
import secrets
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from plugin.demo.host import EmbeddedHost
from plugin.demo.server import Demo
from tests.demo.conftest import Echo
from tests.demo.raw import ask

BASIC = "Authorization: Basic " + b64encode(b"alice:alice").decode()


@pytest.fixture
def folder(dav: requests.Session, root: str) -> str:
    url = f"{root}/f-{secrets.token_hex(5)}"
    assert dav.request("MKCOL", url).status_code == 201
    return url


def file_id(dav: requests.Session, url: str) -> str:
    body = '<d:propfind xmlns:d="DAV:"><d:prop><x:fileid xmlns:x="http://owncloud.org/ns"/></d:prop></d:propfind>'
    answer = dav.request("PROPFIND", url, data=body, headers={"Depth": "0"})
    assert answer.status_code == 207
    return answer.text.split("fileid>")[1].split("<")[0]


def test_a_put_tells_etag_id_and_hash(dav: requests.Session, folder: str) -> None:
    answer = dav.put(f"{folder}/a", data=b"hello", headers={"X-Hash": "sha256"})
    assert answer.status_code == 201
    assert answer.headers["ETag"] == answer.headers["OC-ETag"]
    assert answer.headers["X-Hash-SHA256"] == hashlib.sha256(b"hello").hexdigest()
    assert int(answer.headers["OC-FileId"].split("oc")[0]) == int(file_id(dav, f"{folder}/a"))
    assert dav.put(f"{folder}/a", data=b"hello").status_code == 204
    assert dav.get(f"{folder}/a").headers["ETag"] == answer.headers["ETag"]


def test_a_body_without_a_length_is_stored_whole(dav: requests.Session, folder: str) -> None:
    pieces = [secrets.token_bytes(70_000) for _ in range(10)]

    def body() -> Iterator[bytes]:
        yield from pieces

    assert dav.put(f"{folder}/chunked", data=body()).status_code == 201
    assert dav.get(f"{folder}/chunked").content == b"".join(pieces)


def test_ranges_are_answered(dav: requests.Session, folder: str) -> None:
    dav.put(f"{folder}/a", data=b"0123456789")
    answer = dav.get(f"{folder}/a", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")


def test_a_sender_who_stops_early_leaves_the_file_as_it_was(dav: requests.Session, demo: Demo, folder: str) -> None:
    dav.put(f"{folder}/a", data=b"whole")
    path = folder.removeprefix(demo.public_url) + "/a"
    with socket.create_connection(("127.0.0.1", demo.port), timeout=10) as connection:
        head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{BASIC}\r\nContent-Length: 1000\r\n\r\nhalf"
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert dav.get(f"{folder}/a").content == b"whole"


def test_ids_and_etags_survive_a_move_of_the_file_and_of_its_folder(dav: requests.Session, folder: str) -> None:
    etag = dav.put(f"{folder}/a", data=b"1").headers["ETag"]
    before = file_id(dav, f"{folder}/a")
    moved = f"{folder}/b%3F%23 ;é"
    assert dav.request("MOVE", f"{folder}/a", headers={"Destination": quote(moved, safe=":/%;")}).status_code == 201
    assert file_id(dav, moved) == before
    assert dav.request("MOVE", folder, headers={"Destination": folder + "-moved"}).status_code == 201
    there = moved.replace(folder, folder + "-moved")
    assert file_id(dav, there) == before
    assert dav.get(there).headers["ETag"] == etag


def test_a_move_may_be_forbidden_to_overwrite(dav: requests.Session, folder: str) -> None:
    dav.put(f"{folder}/a", data=b"1")
    dav.put(f"{folder}/b", data=b"2")
    for method in ("MOVE", "COPY"):
        headers = {"Destination": f"{folder}/b", "Overwrite": "F"}
        assert dav.request(method, f"{folder}/a", headers=headers).status_code == 412
    assert dav.get(f"{folder}/b").content == b"2"
    assert dav.request("MOVE", f"{folder}/a", headers={"Destination": f"{folder}/b"}).status_code == 204
    assert dav.get(f"{folder}/b").content == b"1"


def test_a_copy_has_an_id_of_its_own(dav: requests.Session, folder: str) -> None:
    dav.request("MKCOL", f"{folder}/d")
    dav.put(f"{folder}/d/a", data=b"1")
    assert dav.request("COPY", f"{folder}/d", headers={"Destination": f"{folder}/e"}).status_code == 201
    assert dav.get(f"{folder}/e/a").content == b"1"
    assert file_id(dav, f"{folder}/e/a") != file_id(dav, f"{folder}/d/a")


@pytest.mark.parametrize("inside", ["", "/below"])
def test_a_folder_cannot_be_moved_into_itself(dav: requests.Session, folder: str, inside: str) -> None:
    assert dav.request("MOVE", folder, headers={"Destination": folder + inside}).status_code == 403


def test_a_folders_etag_changes_with_what_is_below(dav: requests.Session, folder: str) -> None:
    def etag() -> str:
        return dav.request("PROPFIND", folder, headers={"Depth": "0"}).text.split("getetag>")[1].split("<")[0]

    before = etag()
    dav.put(f"{folder}/a", data=b"1")
    assert etag() != before


def test_an_existing_folder_is_405_and_a_missing_parent_409(dav: requests.Session, folder: str) -> None:
    assert dav.request("MKCOL", folder).status_code == 405
    assert dav.request("MKCOL", f"{folder}/x/y").status_code == 409
    assert dav.put(f"{folder}/x/y", data=b"1").status_code == 409


def test_a_read_only_place_takes_no_writes(dav: requests.Session, demo: Demo, folder: str) -> None:
    dav.put(f"{folder}/a", data=b"1")
    on_disk = demo.host.area._on_disk("alice", (folder.rsplit("/", 1)[1],))
    (on_disk / "a").chmod(0o400)
    on_disk.chmod(0o500)
    assert dav.put(f"{folder}/a", data=b"2").status_code == 403
    assert dav.put(f"{folder}/b", data=b"2").status_code == 403
    assert "RG<" in dav.request("PROPFIND", f"{folder}/a", data=PERMISSIONS, headers={"Depth": "0"}).text
    on_disk.chmod(0o700)


PERMISSIONS = (
    '<d:propfind xmlns:d="DAV:"><d:prop><x:permissions xmlns:x="http://owncloud.org/ns"/></d:prop></d:propfind>'
)


def test_locking_is_not_offered(dav: requests.Session, folder: str) -> None:
    assert dav.request("LOCK", f"{folder}/a").status_code == 501


@pytest.mark.parametrize(
    "path",
    [
        "/remote.php/dav/files/alice/../bob/Notes.txt",
        "/remote.php/dav/files/alice/%2e%2e/bob/Notes.txt",
        "/remote.php/dav/files/alice/..%2fbob/Notes.txt",
        "/remote.php/dav/files/alice/..%2F..%2F..%2Fetc/passwd",
        "/remote.php/dav/files/alice/%2e%2e/%2e%2e/app_secret",
        "/remote.php/dav/files/../../../../etc/passwd",
        "/remote.php/dav/files/alice//../../host.sqlite",
        "/remote.php/dav/files/alice/..%5c..%5chost.sqlite",
        "/remote.php/dav/files/alice/a%00b",
        "/remote.php/dav/files/bob/Notes.txt",
        "/remote.php/dav/files/",
        "/remote.php/dav/",
        "/remote.php/webdav/Notes.txt",
        "/remote.php/dav/files/alice/%ff%fe",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND", "MKCOL"])
def test_nothing_outside_ones_own_files_can_be_reached(demo: Demo, path: str, method: str) -> None:
    status, _, body = ask(demo.public_url, f"{method} {path} HTTP/1.1\n{BASIC}")
    assert status in (400, 403, 404)
    assert b"root:" not in body


@pytest.mark.parametrize("target", ["/../bob/x", "/%2e%2e/bob/x", "/..%2Fx", "/../../../x"])
def test_nothing_can_be_moved_outside(dav: requests.Session, demo: Demo, root: str, folder: str, target: str) -> None:
    dav.put(f"{folder}/a", data=b"1")
    path = folder.removeprefix(demo.public_url)
    head = f"MOVE {path}/a HTTP/1.1\n{BASIC}\nDestination: {root}{target}"
    assert ask(demo.public_url, head)[0] in (400, 403)
    assert dav.get(f"{folder}/a").content == b"1"


def test_a_link_on_disk_leads_nowhere(dav: requests.Session, demo: Demo, folder: str) -> None:
    on_disk = demo.host.area._on_disk("alice", (folder.rsplit("/", 1)[1],))
    (on_disk / "link").symlink_to("/etc/passwd")
    assert dav.get(f"{folder}/link").status_code == 404
    assert "link" not in dav.request("PROPFIND", folder, headers={"Depth": "1"}).text


@pytest.mark.parametrize(
    "credentials",
    [
        "",
        "Authorization: Basic " + b64encode(b"alice:bob").decode(),
        "Authorization: Basic !!!",
        "Authorization: Bearer x",
        "AUTHORIZATION-APP-API: " + b64encode(b"alice:wrong").decode() + "\nEX-APP-ID: parapheur\nEX-APP-VERSION: 1",
        "AUTHORIZATION-APP-API: nonsense\nEX-APP-ID: parapheur\nEX-APP-VERSION: 1\n" + BASIC,
    ],
)
def test_without_right_credentials_it_is_401(demo: Demo, credentials: str) -> None:
    assert ask(demo.public_url, f"GET /remote.php/dav/files/alice/ HTTP/1.1\n{credentials}")[0] == 401


def test_the_app_acts_as_the_user_it_names_and_as_nobody_else(demo: Demo, echo: Echo) -> None:
    assert echo.wiring is not None

    def status(user: str, app: str = "parapheur") -> int:
        header = b64encode(f"{user}:{echo.wiring.app_secret}".encode()).decode() if echo.wiring else ""
        head = f"AUTHORIZATION-APP-API: {header}\nEX-APP-ID: {app}\nEX-APP-VERSION: 0.1.0"
        return ask(demo.public_url, f"GET /remote.php/dav/files/bob/Notes.txt HTTP/1.1\n{head}")[0]

    assert [status("bob"), status("alice"), status(""), status("nobody"), status("bob", "other")] == [
        200,
        404,
        401,
        401,
        401,
    ]


SEARCH = (
    '<d:searchrequest xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:basicsearch><d:select><d:prop><oc:fileid/>'
    "</d:prop></d:select><d:from><d:scope><d:href>{scope}</d:href><d:depth>infinity</d:depth></d:scope></d:from>"
    "<d:where>{where}</d:where></d:basicsearch></d:searchrequest>"
)
LIKE = "<d:like><d:prop><d:displayname/></d:prop><d:literal>{}</d:literal></d:like>"


@pytest.mark.parametrize(
    ("scope", "where", "status"),
    [
        ("/files/alice", LIKE.format("%contrat%"), 207),
        ("/files/bob", LIKE.format("%"), 500),
        ("/files/alice/../bob", LIKE.format("%"), 500),
        ("/files/alice", "<d:gt/>", 422),
        ("/files/alice", "", 400),
    ],
)
def test_a_search_is_answered_in_ones_own_scope(
    dav: requests.Session, demo: Demo, scope: str, where: str, status: int
) -> None:
    body = SEARCH.format(scope=scope, where=where)
    answer = dav.request("SEARCH", f"{demo.public_url}/remote.php/dav/", data=body)
    assert answer.status_code == status
    if status == 207:
        assert answer.text.count("<D:response ") == 1
        assert "/remote.php/dav/files/alice/Contrat%20de%20prestation%202026.pdf" in answer.text


def test_an_entity_bomb_is_not_parsed(dav: requests.Session, demo: Demo) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert dav.request("SEARCH", f"{demo.public_url}/remote.php/dav/", data=bomb).status_code == 400


def test_ids_contents_and_etags_survive_a_restart(data: Path) -> None:
    def told(host: EmbeddedHost) -> list[tuple[str, int, str]]:
        return [(node.path, node.file_id, node.etag) for node in host.area.walk("alice")]

    first = EmbeddedHost(data, "secret")
    first.start()
    before = told(first)
    first.stop()
    again = EmbeddedHost(data, "secret")
    again.start()
    try:
        assert told(again) == before
        assert len(before) > 8
    finally:
        again.stop()


def test_what_changed_on_disk_while_nobody_looked_is_noticed_and_a_move_keeps_its_id(data: Path) -> None:
    first = EmbeddedHost(data, "secret")
    first.start()
    note = first.area.node("bob", ("Notes.txt",))
    letter = first.area.node("bob", ("Statement of work.pdf",))
    first.stop()
    assert note is not None
    assert letter is not None
    home = data / "host" / "files" / "bob"
    (home / "Notes.txt").write_bytes(b"other words")
    (home / "Statement of work.pdf").rename(home / "Moved.pdf")
    again = EmbeddedHost(data, "secret")
    again.start()
    try:
        changed, moved = again.area.node("bob", ("Notes.txt",)), again.area.node("bob", ("Moved.pdf",))
        assert changed is not None
        assert moved is not None
        assert (changed.file_id, changed.etag) == (note.file_id, hashlib.sha256(b"other words").hexdigest())
        assert (moved.file_id, moved.etag) == (letter.file_id, letter.etag)
    finally:
        again.stop()

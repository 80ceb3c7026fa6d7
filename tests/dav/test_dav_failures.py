"""What the Files adapter makes of a host that is busy, broken, full or lying."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles, bare_etag
from plugin.flow.errors import HostBusy, HostFull, HostUnavailable, OutOfReach
from plugin.ports_files import PreconditionFailed
from tests.dav.scripted import Answer, Script, scripted


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as told:
        yield told


@pytest.fixture
def files(script: Script) -> DavFiles:
    return DavFiles(script.url, AppApi("the secret", "0.1.0"), timeout_s=(0.5, 0.3))


OK = Answer(200, b"content", (("ETag", '"e1"'),))
STORED = Answer(201, b"", (("OC-ETag", '"e2"'), ("OC-FileId", "00000042ocabc")))


def test_a_locked_file_is_tried_again_and_then_read(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(423), Answer(423), OK]
    assert files.read("alice", "a") == b"content"
    assert len(script.seen) == 3


def test_a_locked_file_is_tried_again_and_then_written(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(423), STORED]
    written = files.write("alice", "a", b"x")
    assert (written.etag, written.file_id, written.sha256) == ("e2", "42", None)


def test_a_folder_that_is_written_to_is_locked_by_another_name_and_then_moved(script: Script, files: DavFiles) -> None:
    """As the platform answers in 34, with 500."""
    body = (
        b"<d:error><s:exception>OCP\\Lock\\LockedException</s:exception><s:message>x is locked</s:message></d:error>"
    )
    script.answers = [Answer(500, body), Answer(201)]
    files.move("alice", "a", "b")
    assert len(script.seen) == 2
    script.answers = [Answer(500, body)]
    with pytest.raises(HostBusy):
        files.move("alice", "a", "b")


def test_a_file_locked_for_long_is_busy(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(423)]
    with pytest.raises(HostBusy):
        files.write("alice", "a", b"x")
    assert len(script.seen) == 4


def test_a_failed_precondition_is_never_tried_again(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(412), STORED]
    with pytest.raises(PreconditionFailed):
        files.write("alice", "a", b"x", if_match="e1")
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_read_outlives_a_short_failure(script: Script, files: DavFiles, status: int) -> None:
    script.answers = [Answer(status), OK]
    assert files.read("alice", "a") == b"content"


@pytest.mark.parametrize("status", [500, 502, 503, 400, 401, 403, 404, 405, 409, 415])
def test_a_write_that_failed_is_not_repeated(script: Script, files: DavFiles, status: int) -> None:
    script.answers = [Answer(status, b"<html>secret words</html>"), STORED]
    with pytest.raises(HostUnavailable):
        files.write("alice", "a", b"x")
    assert len(script.seen) == 1


@pytest.mark.parametrize(("status", "error"), [(507, HostFull), (429, HostBusy), (401, HostUnavailable)])
def test_other_refusals_have_their_own_error_and_are_asked_once(
    script: Script, files: DavFiles, status: int, error: type[Exception]
) -> None:
    script.answers = [Answer(status)]
    with pytest.raises(error):
        files.read("alice", "a")
    assert len(script.seen) == 1


@pytest.mark.parametrize("act", ["write", "make_folder", "delete"])
def test_what_the_host_denies_is_told_as_a_place_to_read_only(script: Script, files: DavFiles, act: str) -> None:
    script.answers = [Answer(403)]
    with pytest.raises(OutOfReach) as denied:
        getattr(files, act)(*(("alice", "a/b", b"x") if act == "write" else ("alice", "a/b")))
    assert denied.value.code == "read-only"


@pytest.mark.parametrize(
    ("permissions", "is_folder", "can_write"),
    [
        ("RGDNVCK", True, True),
        ("SRGDNVCK", True, True),  # shared with all rights
        ("SGDNVCK", True, True),  # to change and to create, not to delete
        ("RMGDNVCK", True, True),  # external storage
        ("SGDNCK", True, False),  # to create only: a state file could not be written a second time
        ("SGDNV", True, False),  # to change only
        ("SGDN", True, False),
        ("SGD", True, False),  # the same on 32
        ("", True, True),  # a host that tells none
        ("RGDNVW", False, True),
        ("SG", False, False),
    ],
)
def test_rights_are_read_as_the_host_writes_them(
    script: Script, files: DavFiles, permissions: str, is_folder: bool, can_write: bool
) -> None:
    kind = "<d:collection/>" if is_folder else ""
    body = (
        '<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:response>'
        "<d:href>/remote.php/dav/files/alice/a</d:href><d:propstat><d:prop>"
        f"<d:resourcetype>{kind}</d:resourcetype><oc:permissions>{permissions}</oc:permissions>"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    )
    script.answers = [Answer(207, body.encode())]
    info = files.stat("alice", "a")
    assert info is not None
    assert info.can_write is can_write


def test_a_host_that_does_not_answer_in_time_is_unavailable(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(200, hangs=True)]
    with pytest.raises(HostUnavailable):
        files.write("alice", "a", b"x")
    assert len(script.seen) == 1


def test_a_host_that_is_gone_is_unavailable() -> None:
    with scripted() as gone:
        url = gone.url
    with pytest.raises(HostUnavailable):
        DavFiles(url, AppApi("s", "1"), timeout_s=(0.2, 0.2)).stat("alice", "a")


def test_a_truncated_answer_is_not_taken_for_the_file(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(200, b"half", (("ETag", '"e"'),), content_length=8)]
    with pytest.raises(HostUnavailable):
        files.read("alice", "a")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html/>", b"not xml", b'<!DOCTYPE x [<!ENTITY a "b">]><d:multistatus xmlns:d="DAV:">&a;</d:multistatus>'],
)
def test_nonsense_instead_of_a_multistatus_is_unavailable(script: Script, files: DavFiles, body: bytes) -> None:
    script.answers = [Answer(207, body)]
    with pytest.raises(HostUnavailable):
        files.stat("alice", "a")


@pytest.mark.parametrize(
    ("ways", "counts"),
    [
        ((("0.txt", "RGDNVW"), ("F/a.txt", "RG")), "0.txt"),
        ((("F/a.txt", "RG"), ("Z.txt", "RGDNVW")), "Z.txt"),
        ((("a/x", "RG"), ("b/x", "RG")), "a/x"),
        ((("b/x", "RGW"), ("a/x", "RGW")), "a/x"),
    ],
)
def test_of_a_file_that_is_seen_by_two_ways_the_one_counts_by_which_it_may_be_changed(
    script: Script, files: DavFiles, ways: tuple[tuple[str, str], ...], counts: str
) -> None:
    each = "".join(
        f"<d:response><d:href>/remote.php/dav/files/alice/{path}</d:href><d:propstat><d:prop>"
        f"<o:fileid>7</o:fileid><o:permissions>{rights}</o:permissions></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        for path, rights in ways
    )
    body = f'<d:multistatus xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns">{each}</d:multistatus>'
    script.answers = [Answer(207, body.encode())]
    found = files.by_id("alice", "7")
    assert found is not None
    assert found.path == counts


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_host_without_search_offers_none(script: Script, files: DavFiles, status: int) -> None:
    script.answers = [Answer(status)]
    assert files.find_by_name("alice", "flow.jsonl") is None
    assert files.by_id("alice", "7") is None


def test_no_redirect_is_followed_with_the_secret(script: Script, files: DavFiles) -> None:
    with scripted() as elsewhere:
        elsewhere.answers = [OK]
        script.answers = [Answer(302, b"", (("Location", elsewhere.url + "/x"),))]
        with pytest.raises(HostUnavailable):
            files.read("alice", "a")
        assert elsewhere.seen == []


def test_one_users_cookie_is_not_sent_for_another(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(200, b"", (("ETag", '"e"'), ("Set-Cookie", "session=alice; Path=/")))]
    files.read("alice", "a")
    files.read("bob", "a")
    assert all("Cookie" not in headers for _, _, headers, _ in script.seen)
    assert script.seen[0][2]["AUTHORIZATION-APP-API"] != script.seen[1][2]["AUTHORIZATION-APP-API"]


def test_every_request_asks_for_identity_and_names_the_app(script: Script, files: DavFiles) -> None:
    script.answers = [STORED]
    files.write("alice", "a", b"x", if_match='W/"e1-gzip"')
    _, _, headers, body = script.seen[0]
    assert headers["Accept-Encoding"] == "identity"
    assert headers["If-Match"] == '"e1"'
    assert headers["X-Hash"] == "sha256"
    assert headers["EX-APP-ID"] == "parapheur"
    assert headers["OCS-APIRequest"] == "true"
    assert body == b"x"


@pytest.mark.parametrize("etag", ['"e1"', 'W/"e1"', '"e1-gzip"', 'W/"e1-gzip"', "e1", ' "e1" '])
def test_an_etag_is_bare_however_it_was_dressed(etag: str) -> None:
    assert bare_etag(etag) == "e1"


def test_a_host_below_a_path_is_asked_below_it(script: Script) -> None:
    href = b"/cloud/remote.php/dav/files/alice/a%20b"
    script.answers = [
        Answer(
            207,
            b'<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:response><d:href>'
            + href
            + b"</d:href>"
            b"<d:propstat><d:prop><oc:fileid>7</oc:fileid><d:getetag>W/&quot;e&quot;</d:getetag><d:resourcetype/>"
            b"<oc:permissions>SRGDN</oc:permissions></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
            b"</d:response></d:multistatus>",
        )
    ]
    info = DavFiles(script.url + "/cloud/", AppApi("s", "1")).stat("alice", "a b")
    assert script.seen[0][1] == "/cloud/remote.php/dav/files/alice/a%20b"
    assert info is not None
    assert (info.path, info.file_id, info.etag, info.can_write) == ("a b", "7", "e", False)


def test_neither_path_nor_secret_is_logged(script: Script, files: DavFiles, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    script.answers = [Answer(423), Answer(500, b"canary-body"), Answer(502)]
    calls: list[Callable[[], object]] = [
        lambda: files.read("alice", "canary-path"),
        lambda: files.write("alice", "canary-path", b"canary-content"),
    ]
    with structlog.testing.capture_logs() as events:
        for call in calls:
            with pytest.raises(HostUnavailable) as caught:
                call()
            assert "canary" not in repr(caught.value)
            assert caught.value.__cause__ is None
    told = repr(events) + caplog.text
    assert events
    for word in ("canary", "the secret", "AUTHORIZATION"):
        assert word not in told


def test_somebody_who_never_opened_his_files_has_none_that_a_search_could_find(
    script: Script, files: DavFiles
) -> None:
    body = (
        b"<d:error><s:exception>OCP\\Files\\NotFoundException</s:exception><s:message>/x/files</s:message></d:error>"
    )
    script.answers = [Answer(500, body, (("Content-Type", "application/xml"),))]
    assert files.find_by_name("alice", "flow.jsonl") == []
    assert files.by_id("alice", "7") is None
    assert len(script.seen) == 2
    script.answers = [Answer(500, b"<d:error><s:exception>PDOException</s:exception></d:error>")]
    with pytest.raises(HostUnavailable):
        files.find_by_name("alice", "flow.jsonl")


@pytest.mark.parametrize("status", [403, 405, 501, 502])
def test_a_host_that_does_not_copy_says_so_and_nobody_fails(script: Script, files: DavFiles, status: int) -> None:
    script.answers = [Answer(status)]
    assert files.copy("alice", "a b", "é/c", 1) is False
    method, path, headers, _ = script.seen[0]
    assert (method, path) == ("COPY", "/remote.php/dav/files/alice/a%20b")
    assert headers["Destination"] == f"{script.url}/remote.php/dav/files/alice/%C3%A9/c"
    assert headers["Overwrite"] == "F"


def test_a_stream_that_ends_early_is_not_taken_for_the_file(script: Script, files: DavFiles) -> None:
    script.answers = [Answer(200, b"half", (("ETag", '"e"'),), content_length=8)]
    with files.open_stream("alice", "a") as stream:
        assert stream is not None
        with pytest.raises(HostUnavailable):
            list(stream.pieces)

"""What every implementation of the Files port promises: the in-memory fake, and WebDAV over real HTTP."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from plugin.demo.host import EmbeddedHost
from plugin.flow.errors import HostUnavailable
from plugin.ports_files import Files, PreconditionFailed
from tests.dav.conftest import SECRET
from tests.fakes import MemoryFiles

NAMES = [
    "plain.pdf",
    "avec espace.pdf",
    "a#b.txt",
    "a?b.txt",
    "100 %.txt",
    "%41.txt",
    "%2F.txt",
    "a+b.txt",
    "a&b=c.txt",
    "a;b.txt",
    "é – ü 漢字 😀.pdf",
    "quote ' \" <x>.txt",
    "...",
    ".hidden",
    "~[]{}|^`@!$(),:*",
]


@pytest.fixture(params=["in memory", "WebDAV"])
def files(request: pytest.FixtureRequest) -> Files:
    if request.param == "in memory":
        return MemoryFiles()
    host: EmbeddedHost = request.getfixturevalue("host")
    return DavFiles(host.url, AppApi(SECRET, "0.1.0"))


@pytest.fixture
def folder(files: Files) -> str:
    path = "F " + secrets.token_hex(6)
    files.make_folder("alice", path)
    return path


@pytest.mark.parametrize(("content", "start"), [(b"%PDF-1.7 and more", b"%PDF-"), (b"%P", b"%P"), (b"", b"")])
def test_the_start_of_a_file_is_read_alone(files: Files, folder: str, content: bytes, start: bytes) -> None:
    files.write("alice", f"{folder}/a.pdf", content)
    assert files.read_start("alice", f"{folder}/a.pdf", 5) == start
    assert files.read_start("alice", f"{folder}/none.pdf", 5) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_found_under_exactly_the_name_it_was_written(files: Files, folder: str, name: str) -> None:
    path = f"{folder}/{name}"
    written = files.write("alice", path, b"content", only_new=True)
    info = files.stat("alice", path)
    assert info is not None
    assert (info.path, info.name, info.size_bytes, info.is_folder) == (path, name, 7, False)
    assert (info.file_id, info.etag) == (written.file_id, written.etag)
    assert [each.name for each in files.list("alice", folder)] == [name]
    assert files.by_id("alice", info.file_id) == info
    assert files.find_by_name("alice", name) is not None
    assert info in (files.find_by_name("alice", name) or ())
    assert files.read_with_etag("alice", path) == (b"content", written.etag)
    files.delete("alice", path)
    assert files.stat("alice", path) is None


def test_the_host_tells_the_hash_of_what_it_stored(files: Files, folder: str) -> None:
    data = secrets.token_bytes(300_000)
    written = files.write("alice", f"{folder}/a.bin", data)
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert files.read("alice", f"{folder}/a.bin") == data


def test_an_empty_file_is_a_file(files: Files, folder: str) -> None:
    files.write("alice", f"{folder}/empty", b"")
    info = files.stat("alice", f"{folder}/empty")
    assert info is not None
    assert info.size_bytes == 0
    assert files.read("alice", f"{folder}/empty") == b""


def test_only_new_refuses_where_a_file_is(files: Files, folder: str) -> None:
    files.write("alice", f"{folder}/a", b"1", only_new=True)
    with pytest.raises(PreconditionFailed):
        files.write("alice", f"{folder}/a", b"2", only_new=True)
    assert files.read("alice", f"{folder}/a") == b"1"


def test_if_match_refuses_an_older_etag_and_takes_the_current_one(files: Files, folder: str) -> None:
    first = files.write("alice", f"{folder}/a", b"1")
    second = files.write("alice", f"{folder}/a", b"2", if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        files.write("alice", f"{folder}/a", b"3", if_match=first.etag)
    assert second.file_id == first.file_id
    assert files.read("alice", f"{folder}/a") == b"2"


def test_if_match_refuses_where_nothing_is(files: Files, folder: str) -> None:
    with pytest.raises(PreconditionFailed):
        files.write("alice", f"{folder}/none", b"1", if_match="0" * 64)


def test_two_writes_of_the_same_size_in_one_instant_have_two_etags(files: Files, folder: str) -> None:
    assert files.write("alice", f"{folder}/a", b"1").etag != files.write("alice", f"{folder}/a", b"2").etag


def together(count: int, act: Callable[[int], bool]) -> int:
    """How many of ``count`` threads that start at once succeed."""
    barrier = threading.Barrier(count)

    def run(number: int) -> bool:
        barrier.wait()
        try:
            return act(number)
        except PreconditionFailed:
            return False

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(run, range(count)))


def test_of_many_conditional_writers_exactly_one_wins(files: Files, folder: str) -> None:
    path = f"{folder}/race"
    for number in range(5):
        etag = files.write("alice", path, f"start {number}".encode()).etag

        def act(writer: int, etag: str = etag) -> bool:
            files.write("alice", path, f"writer {writer}".encode(), if_match=etag)
            return True

        assert together(8, act) == 1


def test_of_many_first_writers_exactly_one_wins(files: Files, folder: str) -> None:
    for number in range(5):
        path = f"{folder}/new {number}"

        def act(writer: int, path: str = path) -> bool:
            files.write("alice", path, f"writer {writer}".encode(), only_new=True)
            return True

        assert together(8, act) == 1


def test_appending_by_read_and_conditional_write_loses_nothing(files: Files, folder: str) -> None:
    path = f"{folder}/log"
    files.write("alice", path, b"")

    def act(writer: int) -> bool:
        for line in range(5):
            while True:
                data, etag = files.read_with_etag("alice", path) or (b"", "")
                try:
                    files.write("alice", path, data + f"{writer}.{line}\n".encode(), if_match=etag)
                    break
                except PreconditionFailed:
                    continue
        return True

    assert together(5, act) == 5
    lines = (files.read("alice", path) or b"").decode().split()
    assert sorted(lines) == sorted(f"{writer}.{line}" for writer in range(5) for line in range(5))


def test_what_is_not_there_is_none(files: Files, folder: str) -> None:
    assert files.stat("alice", f"{folder}/none") is None
    assert files.read("alice", f"{folder}/none") is None
    assert files.read_with_etag("alice", f"{folder}/none") is None
    assert files.by_id("alice", "999999999") is None
    assert files.by_id("alice", "not a number") is None
    assert files.list("alice", f"{folder}/none") == []
    assert files.find_by_name("alice", "no such name " + secrets.token_hex(4)) == []
    files.delete("alice", f"{folder}/none")


def test_several_files_are_found_by_their_ids_at_once(files: Files, folder: str) -> None:
    ids = [str(files.write("alice", f"{folder}/{name}", b"1").file_id) for name in ("a", "é b", "c")]
    found = files.by_ids("alice", [*ids, "999999999", "not a number", ids[0]])
    assert found is not None
    assert {file_id: info.path for file_id, info in found.items()} == {
        file_id: f"{folder}/{name}" for file_id, name in zip(ids, ("a", "é b", "c"), strict=True)
    }
    assert found[ids[1]] == files.by_id("alice", ids[1])
    assert files.by_ids("bob", ids) == {}
    assert files.by_ids("alice", []) == {}


def test_another_users_files_are_not_to_be_seen(files: Files, folder: str) -> None:
    written = files.write("alice", f"{folder}/a", b"1")
    assert written.file_id is not None
    assert files.by_id("bob", written.file_id) is None
    assert files.stat("bob", f"{folder}/a") is None
    assert files.read("bob", f"../alice/{folder}/a") is None
    assert files.read("bob", f"{folder}/../../alice/{folder}/a") is None


def test_a_file_cannot_be_written_where_no_folder_is(files: Files, folder: str) -> None:
    with pytest.raises(HostUnavailable):
        files.write("alice", f"{folder}/none/a", b"1")


def test_every_missing_folder_is_made_and_those_there_are_kept(files: Files, folder: str) -> None:
    files.make_folder("alice", f"{folder}/a b/c#d/é")
    files.write("alice", f"{folder}/a b/c#d/é/x", b"1")
    files.make_folder("alice", f"{folder}/a b/c#d/é")
    files.make_folder("alice", f"{folder}/a b/other")
    assert files.read("alice", f"{folder}/a b/c#d/é/x") == b"1"
    made = files.stat("alice", f"{folder}/a b/other")
    assert made is not None
    assert made.is_folder
    assert made.can_write


def test_a_folder_cannot_stand_where_a_file_is(files: Files, folder: str) -> None:
    files.write("alice", f"{folder}/a", b"1")
    with pytest.raises(HostUnavailable):
        files.make_folder("alice", f"{folder}/a")
    with pytest.raises(HostUnavailable):
        files.make_folder("alice", f"{folder}/a/b")


def test_many_may_make_the_same_folder_at_once(files: Files, folder: str) -> None:
    def act(_: int) -> bool:
        files.make_folder("alice", f"{folder}/x/y/z")
        return True

    assert together(6, act) == 6
    assert files.stat("alice", f"{folder}/x/y/z") is not None


def test_a_listing_shows_hidden_ones_and_one_level_only(files: Files, folder: str) -> None:
    files.make_folder("alice", f"{folder}/.flows/deep")
    files.write("alice", f"{folder}/a", b"1")
    assert {info.name for info in files.list("alice", folder)} == {".flows", "a"}
    assert folder in {info.path for info in files.list("alice", "")}


def test_what_is_something_else_by_now_is_not_deleted(files: Files, folder: str) -> None:
    path = f"{folder}/a.pdf"
    first = files.write("alice", path, b"one")
    second = files.write("alice", path, b"and another", if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        files.delete("alice", path, if_match=first.etag)
    assert files.read("alice", path) == b"and another"
    files.delete("alice", path, if_match=second.etag)
    assert files.read("alice", path) is None


def test_deleting_a_folder_deletes_all_below(files: Files, folder: str) -> None:
    files.make_folder("alice", f"{folder}/a/b")
    files.write("alice", f"{folder}/a/b/c", b"1")
    files.delete("alice", f"{folder}/a")
    assert files.stat("alice", f"{folder}/a") is None
    assert files.read("alice", f"{folder}/a/b/c") is None


def test_a_name_is_found_in_every_folder_but_only_as_a_file(files: Files, folder: str) -> None:
    name = "flow-" + secrets.token_hex(6)
    files.make_folder("alice", f"{folder}/one")
    files.make_folder("alice", f"{folder}/{name}")
    files.write("alice", f"{folder}/one/{name}", b"1")
    files.write("alice", f"{folder}/{name}/{name}", b"2")
    found = files.find_by_name("alice", name)
    assert found is not None
    assert {info.path for info in found} == {f"{folder}/one/{name}", f"{folder}/{name}/{name}"}


def test_a_name_is_found_however_often_it_is_there(files: Files, folder: str) -> None:
    """The platform's searches give a hundred where no limit is asked for, and do not say that there are more."""
    name, paths = many(files, folder, 130)
    found = files.find_by_name("alice", name)
    assert found is not None
    assert sorted(info.path for info in found) == paths


def many(files: Files, folder: str, count: int) -> tuple[str, list[str]]:
    """Files of one name. Returns: it, and their paths."""
    name = "flow-" + secrets.token_hex(6)

    def write(number: int) -> str:
        files.make_folder("alice", f"{folder}/{number}")
        files.write("alice", f"{folder}/{number}/{name}", b"1")
        return f"{folder}/{number}/{name}"

    with ThreadPoolExecutor(4) as pool:
        return name, sorted(pool.map(write, range(count)))


# ---- content of any size ------------------------------------------------------------------------------------------
def hashed(files: Files, path: str, user: str = "alice") -> tuple[str, int] | None:
    """(SHA-256, bytes) of what a stream gives."""
    with files.open_stream(user, path) as stream:
        if stream is None:
            return None
        digest, length = hashlib.sha256(), 0
        for piece in stream.pieces:
            digest.update(piece)
            length += len(piece)
        assert stream.size_bytes in (length, None)
        found = files.stat(user, path)
        assert found is not None
        assert stream.etag == found.etag
        return digest.hexdigest(), length


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_stream_gives_the_content_that_a_read_gives(files: Files, folder: str, size: int) -> None:
    data = secrets.token_bytes(size)
    files.write("alice", f"{folder}/a.bin", data)
    assert hashed(files, f"{folder}/a.bin") == (hashlib.sha256(data).hexdigest(), size)
    assert hashed(files, f"{folder}/none.bin") is None
    assert hashed(files, f"../alice/{folder}/a.bin", "bob") is None


def test_a_stream_may_be_left_before_its_end(files: Files, folder: str) -> None:
    files.write("alice", f"{folder}/a.bin", bytes(9_000_000))
    for _ in range(3):
        with files.open_stream("alice", f"{folder}/a.bin") as stream:
            assert stream is not None
            assert len(next(stream.pieces)) > 0
    assert hashed(files, f"{folder}/a.bin") == (hashlib.sha256(bytes(9_000_000)).hexdigest(), 9_000_000)


def test_a_file_is_written_piece_by_piece_and_only_where_none_is(files: Files, folder: str) -> None:
    pieces = [secrets.token_bytes(400_000) for _ in range(5)]
    whole = b"".join(pieces)
    written = files.write_stream("alice", f"{folder}/a.bin", iter(pieces), len(whole))
    assert written.sha256 == hashlib.sha256(whole).hexdigest()
    assert files.read("alice", f"{folder}/a.bin") == whole
    with pytest.raises(PreconditionFailed):
        files.write_stream("alice", f"{folder}/a.bin", iter(pieces), len(whole))


def test_a_copy_has_the_content_and_an_id_of_its_own(files: Files, folder: str) -> None:
    data = secrets.token_bytes(2_000_000)
    files.write("alice", f"{folder}/a b#.bin", data)
    files.make_folder("alice", f"{folder}/.flows/é")
    assert files.copy("alice", f"{folder}/a b#.bin", f"{folder}/.flows/é/pinned", len(data))
    source, pinned = (files.stat("alice", f"{folder}/{name}") for name in ("a b#.bin", ".flows/é/pinned"))
    assert source is not None
    assert pinned is not None
    assert (pinned.size_bytes, pinned.file_id != source.file_id) == (len(data), True)
    files.write("alice", f"{folder}/a b#.bin", b"changed")
    assert files.read("alice", f"{folder}/.flows/é/pinned") == data


def test_a_copy_and_a_move_never_overwrite(files: Files, folder: str) -> None:
    files.write("alice", f"{folder}/a", b"1")
    files.write("alice", f"{folder}/b", b"2")
    with pytest.raises(PreconditionFailed):
        files.copy("alice", f"{folder}/a", f"{folder}/b", 1)
    with pytest.raises(PreconditionFailed):
        files.move("alice", f"{folder}/a", f"{folder}/b")
    assert (files.read("alice", f"{folder}/a"), files.read("alice", f"{folder}/b")) == (b"1", b"2")


def test_a_move_keeps_the_id(files: Files, folder: str) -> None:
    before = files.write("alice", f"{folder}/a", b"1")
    files.move("alice", f"{folder}/a", f"{folder}/b c")
    after = files.stat("alice", f"{folder}/b c")
    assert after is not None
    assert after.file_id == before.file_id
    assert files.stat("alice", f"{folder}/a") is None


def test_what_is_not_there_is_neither_copied_nor_moved_nor_put_where_no_folder_is(files: Files, folder: str) -> None:
    files.write("alice", f"{folder}/a", b"1")
    for source, target in (("none", "b"), ("a", "none/b")):
        with pytest.raises(HostUnavailable):
            files.copy("alice", f"{folder}/{source}", f"{folder}/{target}", 1)
        with pytest.raises(HostUnavailable):
            files.move("alice", f"{folder}/{source}", f"{folder}/{target}")
    assert files.read("alice", f"{folder}/a") == b"1"

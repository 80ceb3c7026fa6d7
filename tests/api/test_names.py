"""Names of people and files as they come: long, in any script, with anything in them."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import hashlib
import unicodedata
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plugin.actions.documents import find_put, put_new
from plugin.actions.names import evidence_name, names_like, signed_name
from plugin.adapters.mail import SmtpMailer, SmtpServer
from plugin.flow.errors import HostUnavailable
from plugin.ports import Mail
from plugin.ports_files import FileInfo, Written
from plugin.ports_vault import Laying
from tests.fakes import MemoryFiles
from tests.world import World, pdf

NAMES = [
    "Contrat d’embauche.pdf",
    "cœur à 10€ – fin.pdf",
    "日本 עברית عربي 😀.pdf",
    'un "deux" ; trois.pdf',
    "é" * 120 + ".pdf",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_any_name_is_signed_and_can_be_fetched_under_it(world: World, name: str) -> None:
    alice = world.login("alice")
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/{name}", pdf())], [{"email": "p@example.com"}])["id"]
    link = world.link(flow_id, "p@")
    for answer in (link.get("documents/0"), alice.get(f"flows/{flow_id}/documents/0")):
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith("attachment; ")
        assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name[:200]
    assert link.sign().json()["state"] == "completed"
    signed = next(each for each in world.names(folder) if each != name and not each.startswith(".flows"))
    assert signed.endswith(" (signé).pdf")
    assert len(signed.encode()) <= 255


def test_a_long_name_keeps_its_ending_in_the_signed_copy() -> None:
    made = signed_name("é" * 126 + ".pdf", "fr")
    assert made.endswith(" (signé).pdf")
    assert len(made.encode()) <= 200


ODD = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/\0") | st.sampled_from(" .()%#?*:'\u0301é\u200d"),
    min_size=1,
    max_size=120,
)


@settings(max_examples=2_000, deadline=None)
@example(" . .", "fr")
@given(ODD, st.sampled_from(["fr", "en"]))
def test_whatever_a_file_or_a_title_is_called_the_results_bear_names_that_a_folder_takes(
    name: str, language: str
) -> None:
    for made, ending in (
        (signed_name(name, language), " (signé).pdf" if language == "fr" else " (signed).pdf"),
        (evidence_name(name, language), " (dossier de preuves).pdf" if language == "fr" else " (evidence record).pdf"),
    ):
        assert f" {made}".endswith(ending)
        assert len(made.encode()) <= 200
        assert made == made.strip()
        assert not made.startswith(".") or name.startswith(".")
        assert "/" not in made
        for following in list(names_like(made, "ab" * 32))[-3:]:
            assert following.endswith(".pdf")
            assert len(following.encode()) <= 250


class Folding(MemoryFiles):
    """A host to which names are the same in any case and normal form, as on a disk of a Mac or of Windows."""

    def _info(self, user: str, path: str | None) -> FileInfo | None:
        return super()._info(user, self._same(user, path) if path is not None else None)

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Written:
        return super().write(user, self._same(user, path), data, **more)

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        return super().read_with_etag(user, self._same(user, path))

    def _same(self, user: str, path: str) -> str:
        return next((known for known in self._area(user) if folded(known) == folded(path)), path)


def folded(path: str) -> str:
    return unicodedata.normalize("NFD", path.casefold())


@pytest.mark.parametrize(
    "taken", ["Été (signé).pdf", "E\u0301te\u0301 (signe\u0301).pdf", "ÉTÉ (SIGNÉ).PDF", "été (signé).pdf"]
)
@pytest.mark.parametrize("host", [MemoryFiles, Folding])
def test_no_name_that_the_host_takes_for_the_same_is_overwritten(host: type[MemoryFiles], taken: str) -> None:
    files = host()
    files.write("alice", taken, b"mine")
    ctx: Any = SimpleNamespace(files=files)
    digests = [hashlib.sha256(data).hexdigest() for data in (b"one", b"two")]
    first = put_new(ctx, "alice", "", "Été (signé).pdf", b"one", digests[0])
    second = put_new(ctx, "alice", "", "Été (signé).pdf", b"two", digests[1])
    assert files.read("alice", taken) == b"mine"
    assert [files.read("alice", stored.path) for stored in (first, second)] == [b"one", b"two"]
    assert put_new(ctx, "alice", "", "Été (signé).pdf", b"one", digests[0]) == first
    assert find_put(ctx, "alice", "f", Laying("copy:0", "", "Été (signé).pdf", digests[1], "", size_bytes=3)) == second
    assert len(files.list("alice", "")) == 3


def test_what_was_laid_under_a_second_name_is_found_though_the_first_is_free_now() -> None:
    files = MemoryFiles()
    ctx: Any = SimpleNamespace(files=files)
    digest = hashlib.sha256(b"ours").hexdigest()
    files.write("alice", "a.pdf", b"mine")
    laid = put_new(ctx, "alice", "", "a.pdf", b"ours", digest)
    files.delete("alice", "a.pdf")
    assert find_put(ctx, "alice", "f", Laying("copy:0", "", "a.pdf", digest, "", size_bytes=4)) == laid


class TwoMinds(MemoryFiles):
    """A host that tells of a file and then knows nothing of it."""

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        return None


class Watched(MemoryFiles):
    """``read_paths``: what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.read_paths: list[str] = []

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        self.read_paths.append(path)
        return super().read_with_etag(user, path)


def test_of_the_many_files_of_a_name_only_those_are_read_that_can_be_what_was_laid() -> None:
    files = Watched()
    ctx: Any = SimpleNamespace(files=files)
    for n in range(50):
        files.make_folder("alice", f"Folder {n}")
        files.write("alice", f"Folder {n}/Bail (dossier de preuves).pdf", bytes(100 + n))
    files.make_folder("alice", "Moved")
    files.write("alice", "Moved/Bail (dossier de preuves) 2.pdf", b"record")
    noted = Laying("evidence", "Before", "Bail (dossier de preuves).pdf", hashlib.sha256(b"record").hexdigest(), "")
    assert find_put(ctx, "alice", "f", noted) is None
    found = find_put(ctx, "alice", "f", replace(noted, size_bytes=6))
    assert found is not None
    assert found.path == "Moved/Bail (dossier de preuves) 2.pdf"
    assert files.read_paths == [found.path]


def test_what_a_host_tells_of_and_does_not_show_is_not_taken_for_something_else() -> None:
    files = TwoMinds()
    digest = hashlib.sha256(b"one").hexdigest()
    files.write("alice", "a.pdf", b"one")
    ctx: Any = SimpleNamespace(files=files)
    with pytest.raises(HostUnavailable):
        find_put(ctx, "alice", "f", Laying("copy:0", "", "a.pdf", digest, ""))
    with pytest.raises(HostUnavailable):
        put_new(ctx, "alice", "", "a.pdf", b"one", digest)


@pytest.mark.parametrize("length", [10, 60, 80, 120, 240])
def test_a_long_name_of_a_person_leaves_the_mails_headers_whole(length: int) -> None:
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    mail = Mail("p@example.com", "A" * length, "Sujet", "texte", "<p>html</p>", "fr", "<a@b.example>", at)
    mailer = SmtpMailer(SmtpServer("localhost", 25), "from@example.org", "B" * length)
    read = email.message_from_bytes(mailer._message(mail).as_bytes(), policy=email.policy.default)
    assert (read["Subject"], read["Message-ID"]) == ("Sujet", "<a@b.example>")
    assert [each.addr_spec for each in read["To"].addresses] == ["p@example.com"]
    assert read.get_body(("plain",)).get_content().strip() == "texte"


def test_whoever_comes_too_early_reads_no_address_of_those_before(world: World) -> None:
    alice = world.login("alice")
    people = [{"email": "secret.person@private.example.com"}, {"user": "carol"}]
    flow_id = world.signature(alice, [world.put(f"{world.folder()}/a.pdf", pdf())], people)["id"]
    carol = world.recipient("carol", flow_id)
    for path in ("", "documents/0", "documents/0/pages/1", "evidence"):
        answer = carol.get(path)
        assert answer.status_code == 409
        assert answer.json()["before"] == ["secret.person"]
        assert "private.example.com" not in answer.text

"""The Directory port over real HTTP, and what it makes of a failing host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.ocs import OcsDirectory
from plugin.demo.host import EmbeddedHost
from plugin.flow.errors import HostSlow, HostUnavailable
from plugin.ports import Account, Person, Suggestion
from tests.dav.conftest import SECRET
from tests.dav.scripted import Answer, Script, scripted


@pytest.fixture
def directory(host: EmbeddedHost) -> OcsDirectory:
    return OcsDirectory(host.url, AppApi(SECRET, "0.1.0"))


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as told:
        yield told


def test_a_person_is_told_with_mail_language_groups_and_time_zone(directory: OcsDirectory) -> None:
    assert directory.person("alice") == Person(
        "alice", "Alice Martin", "alice@example.org", "fr", ("admin", "achats"), "Europe/Paris"
    )
    bob = directory.person("bob")
    assert bob is not None
    assert bob.language == "en"


def test_nobody_of_that_name_is_none(directory: OcsDirectory) -> None:
    assert directory.person("nobody") is None
    assert directory.person("") is None
    assert directory.person("alice/../bob") is None


@pytest.mark.parametrize("text", ["carol", "nguyen", "CAROL@EXAMPLE", "rol N"])
def test_people_are_found_by_login_name_and_mail(directory: OcsDirectory, text: str) -> None:
    assert directory.search("bob", text) == [Suggestion("carol", "Carol Nguyen", "carol@example.org")]


def test_a_search_that_finds_nobody_is_empty(directory: OcsDirectory) -> None:
    assert directory.search("bob", "nobody & # ? é") == []


def test_every_login_is_listed(directory: OcsDirectory) -> None:
    assert directory.users() == ["alice", "bob", "carol"]


def test_a_wrong_secret_is_a_host_that_does_not_serve_us(host: EmbeddedHost) -> None:
    with pytest.raises(HostUnavailable):
        OcsDirectory(host.url, AppApi("wrong", "0.1.0")).person("alice")


def entry(uid: str, **more: str) -> bytes:
    fields = "".join(f', "{name}": "{value}"' for name, value in more.items())
    return f'{{"id": "{uid}", "label": "{uid}", "source": "users"{fields}}}'.encode()


def enveloped(data: bytes, code: int = 200, status: int = 200) -> Answer:
    body = b'{"ocs": {"meta": {"status": "ok", "statuscode": %d}, "data": %s}}' % (code, data)
    return Answer(status, body, (("Content-Type", "application/json; charset=utf-8"),))


DENIED = enveloped(b"[]", 997, 401)
NOT_THERE = enveloped(b"[]", 998, 404)


def test_somebody_listed_twice_is_suggested_once(script: Script) -> None:
    script.answers = [
        enveloped(b"[" + b",".join([entry("a"), entry("a"), entry("b", subline="b@example.org")]) + b"]")
    ]
    found = OcsDirectory(script.url, AppApi("s", "1")).search("alice", "x")
    assert found == [Suggestion("a", "a", None), Suggestion("b", "b", "b@example.org")]


def test_at_most_twenty_are_suggested(script: Script) -> None:
    script.answers = [enveloped(b"[" + b",".join(entry(f"u{number}") for number in range(30)) + b"]")]
    assert len(OcsDirectory(script.url, AppApi("s", "1")).search("alice", "x")) == 20


def test_a_short_failure_is_outlived(script: Script) -> None:
    script.answers = [Answer(503), enveloped(b'["alice"]')]
    assert OcsDirectory(script.url, AppApi("s", "1")).users() == ["alice"]


def test_a_host_that_is_not_answering_in_time_is_slow_and_not_asked_again(script: Script) -> None:
    script.answers = [Answer(200, hangs=True)]
    with pytest.raises(HostSlow):
        OcsDirectory(script.url, AppApi("s", "1"), timeout_s=(0.2, 0.2)).users()
    assert len(script.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>login</html>", (("Content-Type", "text/html"),)),
        Answer(200, b"{", (("Content-Type", "application/json"),)),
        Answer(200, b"[]", (("Content-Type", "application/json"),)),
        Answer(200, b'{"ocs": {}}', (("Content-Type", "application/json"),)),
        Answer(302, b"", (("Location", "/login"),)),
        enveloped(b"[]", 997),
    ],
)
def test_nonsense_is_a_host_that_is_unavailable(script: Script, answer: Answer) -> None:
    script.answers = [answer]
    with pytest.raises(HostUnavailable):
        OcsDirectory(script.url, AppApi("s", "1")).users()


def test_somebody_is_gone_only_where_a_list_of_users_lacks_him(script: Script) -> None:
    directory = OcsDirectory(script.url, AppApi("s", "1"))
    script.answers = [DENIED, enveloped(b'["alice"]')]
    assert directory.account("bob") is Account.GONE
    script.answers = [DENIED, enveloped(b'["alice", "bob"]')]
    assert directory.account("bob") is Account.OUT


@pytest.mark.parametrize(
    "listing", [NOT_THERE, DENIED, Answer(404), Answer(401), enveloped(b"[]"), enveloped(b"null"), enveloped(b'"bob"')]
)
def test_without_a_list_of_users_nobody_is_known_to_be_gone(script: Script, listing: Answer) -> None:
    script.answers = [DENIED, listing]
    with pytest.raises(HostUnavailable):
        OcsDirectory(script.url, AppApi("s", "1")).account("bob")


def test_a_host_below_a_path_is_asked_below_it_and_others_are_not(script: Script) -> None:
    script.answers = [enveloped(b'["alice"]')]
    below = OcsDirectory(script.url + "/cloud", AppApi("s", "1"))
    above = OcsDirectory(script.url, AppApi("s", "1"))
    for directory in (below, above, below):
        assert directory.users() == ["alice"]
    paths = [path.split("?")[0] for _, path, _, _ in script.seen]
    assert paths == [f"{base}/ocs/v2.php/apps/app_api/api/v1/users" for base in ("/cloud", "", "/cloud")]
    assert all(headers["OCS-APIRequest"] == "true" for _, _, headers, _ in script.seen)

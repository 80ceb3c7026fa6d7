"""The Files and Directory ports on the real host: the contract that the fake and the embedded host keep, and more."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from plugin.adapters.ocs import OcsDirectory
from plugin.flow.errors import HostBusy
from plugin.ports_files import PreconditionFailed
from tests.dav import test_files_contract as contract
from tests.dav.test_files_contract import folder  # noqa: F401 - the fixture
from tests.nextcloud.instance import Installed, Nextcloud, User
from tests.world import until

WHAT_LEASES_ARE_FOR = {
    "test_if_match_refuses_an_older_etag_and_takes_the_current_one",
    "test_two_writes_of_the_same_size_in_one_instant_have_two_etags",
    "test_of_many_conditional_writers_exactly_one_wins",
    "test_of_many_first_writers_exactly_one_wins",
    "test_appending_by_read_and_conditional_write_loses_nothing",
}
"""This host's ETags do not change within a second, and its conditions are no lock."""
globals().update(
    {name: test for name, test in vars(contract).items() if name[:5] == "test_" and name not in WHAT_LEASES_ARE_FOR}
)


class As:
    """The port under the contract's own logins."""

    def __init__(self, files: DavFiles, people: dict[str, str]) -> None:
        self._files = files
        self._people = people

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._files, name)
        return lambda user, *args, **more: act(self._people.get(user, user), *args, **more)


@pytest.fixture
def real(app: Installed) -> DavFiles:
    return DavFiles(app.nextcloud.url, AppApi(app.secret, "0.1.0"))


@pytest.fixture
def files(real: DavFiles, alice: User, bob: User, carol: User) -> As:
    return As(real, {"alice": alice.uid, "bob": bob.uid, "carol": carol.uid})


@pytest.fixture
def directory(app: Installed) -> OcsDirectory:
    return OcsDirectory(app.nextcloud.url, AppApi(app.secret, "0.1.0"))


def test_people_of_every_kind_are_read(directory: OcsDirectory, alice: User, bob: User, carol: User) -> None:
    for user in (alice, bob, carol):
        person = directory.person(user.uid)
        assert person is not None
        assert (person.uid, person.name, person.language) == (user.uid, user.name, user.language)
        assert person.email == (user.email or None)
    assert directory.person("nobody") is None
    assert {alice.uid, bob.uid, carol.uid} <= set(directory.users())


@contextmanager
def enumeration_off(nextcloud: Nextcloud) -> Iterator[None]:
    setting = ("core", "shareapi_allow_share_dialog_user_enumeration")
    nextcloud.occ("config:app:set", *setting, "--value", "no")
    try:
        yield
    finally:
        nextcloud.occ("config:app:delete", *setting)


def test_people_are_found_once_by_login_name_and_address(
    directory: OcsDirectory, alice: User, bob: User, carol: User
) -> None:
    for text in (bob.uid, "O'Neil", bob.email):
        assert [one.uid for one in directory.search(alice.uid, text)].count(bob.uid) == 1, text
    assert carol.uid in [one.uid for one in directory.search(alice.uid, "Nguyen")]
    assert directory.search(alice.uid, "nobody & # ? é") == []


def test_with_enumeration_off_only_who_is_named_exactly_is_found(
    app: Installed, directory: OcsDirectory, alice: User, bob: User
) -> None:
    with enumeration_off(app.nextcloud):
        until(lambda: directory.search(alice.uid, "O'Ne") == [], within_s=30)
        for text in (bob.uid, bob.email):
            assert [one.uid for one in directory.search(alice.uid, text)] == [bob.uid], text


def test_a_file_locked_by_hand_is_busy_and_then_free(
    nextcloud: Nextcloud, real: DavFiles, alice: User, bob: User
) -> None:
    if nextcloud.major < 34:
        pytest.skip("before 34 the host brings no locks")
    path = f"Locked {secrets.token_hex(3)}/a.txt"
    nextcloud.put(alice, path, b"1")
    nextcloud.share(alice, "/" + path.partition("/")[0], bob, 31)
    assert nextcloud.dav(bob, "LOCK", path, headers={"X-User-Lock": "1"}).status_code == 200
    with pytest.raises(HostBusy):
        real.write(alice.uid, path, b"2")
    assert real.read(alice.uid, path) == b"1"
    assert nextcloud.dav(bob, "UNLOCK", path, headers={"X-User-Lock": "1"}).status_code == 200
    real.write(alice.uid, path, b"3")
    assert real.read(alice.uid, path) == b"3"


def test_an_older_etag_is_refused_once_a_second_has_passed(real: DavFiles, alice: User) -> None:
    name = f"etag {secrets.token_hex(3)}.txt"
    first = real.write(alice.uid, name, b"1")
    until(lambda: real.write(alice.uid, name, b"2").etag != first.etag)
    with pytest.raises(PreconditionFailed):
        real.write(alice.uid, name, b"3", if_match=first.etag)
    assert real.read(alice.uid, name) == b"2"


def test_somebody_who_never_opened_his_files_has_none(real: DavFiles, nextcloud: Nextcloud, run: str) -> None:
    dave = nextcloud.make_user(f"dave-{run}", "Dave", "", "en")
    assert real.find_by_name(dave.uid, "flow.jsonl") == []
    assert real.by_id(dave.uid, "1") is None


def test_a_name_is_found_page_by_page(app: Installed, alice: User, files: As, folder: str) -> None:  # noqa: F811 - the fixture of that name
    name, paths = contract.many(files, folder, 30)
    for page in (7, 30, 31):
        real = DavFiles(app.nextcloud.url, AppApi(app.secret, "0.1.0"), page=page)
        found = real.find_by_name(alice.uid, name)
        assert sorted(info.path for info in found or ()) == paths, page

"""Behind HaRP a browser's requests carry the app's own headers: what tells them from the platform's."""

from __future__ import annotations

import base64

import pytest

from hooks.identity import Caller, NotTheHost, calling_user

SECRET, KEY = "secret", "key"


def called(uid: str, origin_ip: list[str], *harp: str, expected: str = KEY) -> Caller:
    header = base64.b64encode(f"{uid}:{SECRET}".encode()).decode()
    return calling_user(
        [header], ["parapheur"], origin_ip, harp, expected_id="parapheur", secret=SECRET, expected_harp_key=expected
    )


def test_only_the_platform_sends_harps_key_so_only_its_word_on_addresses_counts() -> None:
    assert called("", [], KEY) == Caller("", came_by_proxy=False, origin_ip=None)
    assert called("alice", ["192.0.2.1"], KEY) == Caller("alice", came_by_proxy=True, origin_ip="192.0.2.1")
    forged = Caller("alice", came_by_proxy=True, origin_ip=None)
    for harp in ((), ("",), ("Key",), (KEY, KEY), (f"{KEY},{KEY}",), ("é",)):
        assert called("alice", [], *harp) == forged
        assert called("alice", ["192.0.2.1"], *harp) == forged


def test_where_no_harp_stands_its_header_means_nothing() -> None:
    assert called("", [], "anything", expected="") == Caller("", came_by_proxy=False, origin_ip=None)
    assert called("", ["192.0.2.1"], expected="").origin_ip == "192.0.2.1"


def test_harps_key_is_no_substitute_for_the_apps_secret() -> None:
    header = base64.b64encode(b"alice:wrong").decode()
    with pytest.raises(NotTheHost):
        calling_user([header], ["parapheur"], [], [KEY], expected_id="parapheur", secret=SECRET, expected_harp_key=KEY)

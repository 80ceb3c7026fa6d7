"""The Bell port on the embedded host, which drops what the platform drops; tests/nextcloud runs it on the real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.bell import HostBell
from plugin.adapters.ocs_calls import OcsCalls
from plugin.demo.host import EmbeddedHost
from plugin.flow.errors import HostUnavailable
from plugin.ports_bell import Notice
from tests.dav.conftest import SECRET
from tests.dav.scripted import Answer, scripted


@pytest.fixture
def bell(host: EmbeddedHost) -> Iterator[HostBell]:
    yield HostBell(OcsCalls(host.url, AppApi(SECRET, "0.1.0")), "parapheur")
    for user in ("alice", "bob"):
        for notice in host.ocs.bell.of(user):
            host.ocs.bell.dismiss(user, notice["notification_id"])


def notice(user: str = "bob", what: str = "invitation", flow: str = "f" * 36, text: str = "À signer") -> Notice:
    return Notice(user, what, flow, text, "Contrat", "http://127.0.0.1/f/x")


@pytest.mark.parametrize("text", ["À 100 % {sure} {x}", "%s %1$s {{a}}", "<b>gras</b> & «é»", "", "x" * 5_000])
def test_whatever_people_write_is_shown(bell: HostBell, host: EmbeddedHost, text: str) -> None:
    bell.ring(notice(text=text))
    shown = host.ocs.bell.of("bob")[0]
    assert shown["subject"] == (text[:300] or "…")
    assert (shown["message"], shown["link"], shown["user"]) == ("Contrat", "http://127.0.0.1/f/x", "bob")


def test_one_notice_is_put_out_and_no_other(bell: HostBell, host: EmbeddedHost) -> None:
    for each in (notice(), notice(), notice(what="completed"), notice(flow="g" * 36), notice(user="alice")):
        bell.ring(each)
    bell.hush("bob", "invitation", "f" * 36)
    bell.hush("bob", "invitation", "f" * 36)
    left = [(one["object_type"], one["object_id"][0]) for one in host.ocs.bell.of("bob")]
    assert left == [("invitation", "g"), ("completed", "f")]
    assert len(host.ocs.bell.of("alice")) == 1


def test_a_host_without_notifications_has_nothing_to_put_out_and_says_so_when_rung() -> None:
    unknown = b'{"ocs": {"meta": {"status": "failure", "statuscode": 998}, "data": []}}'
    with scripted() as script:
        script.answers = [Answer(404, unknown, (("Content-Type", "application/json"),))]
        bell = HostBell(OcsCalls(script.url, AppApi("s", "1")), "parapheur")
        bell.hush("bob", "invitation", "f")
        with pytest.raises(HostUnavailable):
            bell.ring(notice())

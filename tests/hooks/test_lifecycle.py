"""Set up, enabled, updated, disabled: told to the sidecar as the platform tells it, seen at the embedded host."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hooks.lifecycle import ENTRIES, EVENTS, KEPT
from hooks.preparing import set_up
from pdfops.sandbox import Limits, Workshop
from plugin.demo.entries import Hooked
from tests.world import World, until


class Platform:
    """The host's own calls, straight to the sidecar."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.told = world.demo.host.ocs.told
        self.client = world.product.test_client()
        secret = f":{world.office.app_secret}".encode()
        self.headers = {"EX-APP-ID": "parapheur", "AUTHORIZATION-APP-API": base64.b64encode(secret).decode()}

    @property
    def hooked(self) -> Hooked:
        return self.world.demo.host.ocs.hooked

    def says(self, method: str, path: str) -> Any:
        answer = self.client.open(path, method=method, headers=self.headers)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.get_json()

    def entries(self) -> list[str]:
        return sorted(" ".join(key) for key in self.hooked.entries)


@pytest.fixture
def platform(world: World) -> Iterator[Platform]:
    found = Platform(world)
    yield found
    for kept in (found.told, found.hooked.entries, found.hooked.texts, found.hooked.events):
        kept.clear()


# ---- set up ---------------------------------------------------------------------------------------------------------
def test_init_is_answered_at_once_and_each_step_told_until_all_is_done(platform: Platform) -> None:
    assert platform.says("POST", "/init") == {}
    until(lambda: platform.told[-1:] == [(100, "")])
    assert [percent for percent, _ in platform.told] == sorted({percent for percent, _ in platform.told})
    assert platform.told[0][0] < 50
    assert not any(error for _, error in platform.told)


def test_a_host_that_answers_late_is_told_all_the_same(platform: Platform) -> None:
    with platform.world.host_gate.shut():
        before = platform.world.host_gate.accepted
        platform.says("POST", "/init")
        until(lambda: platform.world.host_gate.accepted > before + 1)
        assert platform.told == []
    until(lambda: platform.told[-1:] == [(100, "")])


def test_a_machine_where_pdfs_cannot_be_worked_on_is_told_as_an_error_and_never_as_done(platform: Platform) -> None:
    cold = Workshop(children=1, limits=Limits(start_s=0.0))
    try:
        set_up(replace(platform.world.office.ctx, workshop=cold), platform.world.office.platform, warm_within_s=0.01)
    finally:
        cold.close()
    assert [percent for percent, _ in platform.told] == [0]
    assert "PDF" in platform.told[0][1]


@pytest.mark.parametrize("years", [-1, 100])
def test_a_clock_outside_the_seals_time_is_told(platform: Platform, years: int) -> None:
    ctx = platform.world.office.ctx
    wrong = ctx.clock() + timedelta(days=365 * years)
    set_up(replace(ctx, clock=lambda: wrong, default_language="en"), platform.world.office.platform)
    assert platform.told[-1] == (30, "The seal's certificate is not valid at this machine's time: check its clock.")


def test_an_error_is_told_in_the_language_of_the_place(platform: Platform) -> None:
    ctx = platform.world.office.ctx
    late = ctx.clock() + timedelta(days=36_500)
    set_up(replace(ctx, clock=lambda: late, default_language="fr"), platform.world.office.platform)
    assert "horloge" in platform.told[-1][1]


# ---- enabled, updated, disabled -------------------------------------------------------------------------------------
def test_enabled_hooks_in_once_however_often_it_is_said(platform: Platform) -> None:
    for _ in range(2):
        assert platform.says("PUT", "/enabled?enabled=1") == {"error": ""}
    assert platform.entries() == [
        "files-actions-menu workflow",
        "script top_menu workflow js/main",
        "style top_menu workflow css/embed",
        "top-menu workflow",
    ]
    assert sorted(one["event"] for one in platform.hooked.events) == sorted(EVENTS)


def test_after_an_update_only_this_versions_entries_are_there(platform: Platform) -> None:
    """The earlier version had a second action and page, and put the first action by the first interface."""
    earlier = [
        ("v1/ui/files-actions-menu", {"name": "workflow", "displayName": "Old", "actionHandler": "old"}),
        ("v2/ui/files-actions-menu", {"name": "sign", "displayName": "Sign", "actionHandler": "sign"}),
        ("v1/ui/top-menu", {"name": "archive", "displayName": "Archive"}),
        ("v1/ui/script", {"type": "top_menu", "name": "archive", "path": "js/archive"}),
    ]
    host = platform.world.office.platform
    for what, body in earlier:
        host.put_entry(what, body)
    host.remember(KEPT, json.dumps(earlier))
    assert platform.says("PUT", "/enabled?enabled=1") == {"error": ""}
    assert len(platform.entries()) == len(ENTRIES)
    assert not [one for one in platform.entries() if "sign" in one or "archive" in one]
    assert platform.hooked.entries["files-actions-menu", "workflow"]["actionHandler"] == "api/v1/menu"
    assert len(json.loads(host.recall(KEPT))) == len(ENTRIES)


@pytest.mark.parametrize("kept", ["no JSON", "7", '[["v1/ui/top-menu"]]', '[["v1/ui/top-menu", 7]]', "null"])
def test_what_the_host_keeps_may_be_nonsense(platform: Platform, kept: str) -> None:
    platform.world.office.platform.remember(KEPT, kept)
    assert platform.says("PUT", "/enabled?enabled=1") == {"error": ""}
    assert len(platform.entries()) == len(ENTRIES)


def test_disabled_takes_all_of_it_away_even_an_earlier_versions(platform: Platform) -> None:
    platform.says("PUT", "/enabled?enabled=1")
    host = platform.world.office.platform
    host.put_entry("v1/ui/top-menu", {"name": "archive"})
    host.remember(KEPT, '[["v1/ui/top-menu", {"name": "archive"}]]')
    assert platform.says("PUT", "/enabled?enabled=0") == {"error": ""}
    assert platform.entries() == []


def test_what_could_not_be_hooked_in_is_named(platform: Platform) -> None:
    with platform.world.host_gate.shut():
        error = platform.says("PUT", "/enabled?enabled=1")["error"]
    assert "v1/ui/top-menu" in error
    assert platform.says("PUT", "/enabled?enabled=1") == {"error": ""}

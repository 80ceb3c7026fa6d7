"""A host that is out, slow, in maintenance, or does not take us: told on /healthz, told to people, over by itself."""

from __future__ import annotations

import os
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import requests
from werkzeug.test import TestResponse

from plugin.actions.sweep import CatchUp
from plugin.flow.errors import HostRefuses
from plugin.web.office import EXTENSION
from tests.between import MAINTENANCE, Between, Manner
from tests.world import Browser, Json, World, pdf, running, signing, until

QUICK = {
    "PARAPHEUR_HOST_TIMEOUT_S": "2",
    "PARAPHEUR_HOST_SLOW_AFTER_S": "0.3",
    "PARAPHEUR_SWEEP_EVERY_S": "1",
}
HANGS = Manner(holds=True)
STATE = "GET .*/ex-app/state"
HEALTHY = {"host": None, "secret": None, "version": None, "clock": None, "companion": None}


class Scene:
    """One product with something between it and its host."""

    def __init__(self, world: World, between: Between) -> None:
        self.world = world
        self.between = between
        self.being = between.being

    def health(self) -> dict[str, str]:
        """The check's name -> its code, for those that have something to say."""
        answer = self.world.nobody().get("/healthz")
        assert answer.status_code == 200
        checks = answer.json()["checks"]
        assert answer.json()["status"] == ("ok" if all(c["state"] == "ok" for c in checks) else "degraded")
        said = [check for check in checks if check["reason"]]
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+: .{20,}", check["reason"]) for check in said), said
        return {check["name"]: check["reason"].partition(":")[0] for check in said}

    def reason(self, name: str) -> str:
        checks = self.world.nobody().get("/healthz").json()["checks"]
        return next(check["reason"] or "" for check in checks if check["name"] == name)

    def told(self, name: str, code: str | None) -> bool:
        """Waits until the check says it."""
        return until(lambda: self.health().get(name) == code)

    def as_host(
        self, version: str = "0.1.0", secret: str | None = None, path: str = "/api/v1/me", user: str = "alice"
    ) -> TestResponse:
        """A call that comes from the host, for somebody."""
        client = self.world.product.test_client()
        given = f"{user}:{secret or self.world.office.app_secret}"
        headers = {
            "Authorization-App-Api": b64encode(given.encode()).decode(),
            "Ex-App-Id": "parapheur",
            "Ex-App-Version": version,
        }
        return client.get(path, headers={**headers, "Accept-Language": "fr"})


def started(data: Path, stack: ExitStack, *manners: Manner) -> Scene:
    betweens: list[Between] = []

    def way(url: str) -> str:
        betweens.append(Between(url))
        betweens[0].manners = manners
        return betweens[0].url

    with patch.dict(os.environ, QUICK):
        world = stack.enter_context(running(data, way))
    stack.callback(betweens[0].close)
    return Scene(world, betweens[0])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield started(tmp_path_factory.mktemp("health") / "data", stack)


@pytest.fixture(autouse=True)
def well(scene: Scene) -> Iterator[None]:
    """Before each test; and what it did is over by itself afterwards."""
    until(lambda: not HEALTHY.keys() & scene.health().keys())
    yield
    until(lambda: not HEALTHY.keys() & scene.health().keys())


@pytest.fixture(scope="module")
def alice(scene: Scene) -> Browser:
    return scene.world.login("alice")


def launched(scene: Scene, alice: Browser) -> Json:
    return scene.world.signature(
        alice,
        [scene.world.put(f"{scene.world.folder()}/Bail.pdf", pdf())],
        [{"email": "un@example.com", "language": "fr"}],
    )


def assert_later(answer: requests.Response, code: str, words: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert words in answer.json()["title"]


def took(what: Callable[[], object]) -> float:
    begun = time.monotonic()
    what()
    return time.monotonic() - begun


# ---- the host ----
def test_a_host_that_is_gone_is_down_until_it_is_back(scene: Scene, alice: Browser) -> None:
    with scene.world.host_gate.shut():
        assert scene.told("host", "host-down")
        assert "PARAPHEUR_HOST_URL" in scene.reason("host")
        assert_later(alice.get("documents/1/pages/1"), "host-unavailable", "La plateforme ne répond pas")


@pytest.mark.parametrize(
    "language, words", [("fr", "La plateforme est en maintenance"), ("en", "The platform is in maintenance")]
)
def test_maintenance_is_named_to_everybody_and_nothing_is_lost(
    scene: Scene, alice: Browser, language: str, words: str
) -> None:
    flow_id = launched(scene, alice)["id"]
    link = scene.world.link(flow_id, "un@")
    scene.world.settled(flow_id)
    link.session.headers["Accept-Language"] = language
    before, body = scene.world.state_file(flow_id), signing(link.flow())
    file_id = scene.world.put(f"{scene.world.folder()}/a.txt", b"a")
    with scene.being(*MAINTENANCE):
        assert scene.told("host", "host-maintenance")
        assert_later(link.act("sign", body), "host-maintenance", "La plateforme est en maintenance")
        order = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": "bob"}]}
        answer = alice.post("flows", order, headers={"Accept-Language": language})
        assert_later(answer, "host-maintenance", words)
        assert link.get("").status_code == 200
        assert alice.get(f"/f/{flow_id}").status_code == 200
    assert scene.world.state_file(flow_id) == before
    assert link.act("sign", body).status_code == 200
    scene.world.settled(flow_id)
    assert alice.get(f"flows/{flow_id}").json()["state"] == "completed"


def test_a_host_that_waits_for_its_upgrade_stands_still_too(scene: Scene, alice: Browser) -> None:
    waits = b'{"installed": true, "maintenance": false, "needsDbUpgrade": true, "version": "34.0.1.2"}'
    with scene.being(Manner("/status.php", 200, waits), Manner("", 503, b"<html>Service unavailable</html>")):
        assert scene.told("host", "host-upgrade")
        assert_later(alice.get("documents/1/pages/1"), "host-maintenance", "La plateforme est en maintenance")


@pytest.mark.parametrize("status, code", [(500, "host-failing"), (400, "host-failing"), (301, "host-redirects")])
def test_a_host_that_answers_something_else_is_told_apart(scene: Scene, status: int, code: str) -> None:
    with scene.being(Manner("/status.php", status, b"<html>", {"Location": "http://elsewhere.example.org/"})):
        assert scene.told("host", code)


def test_the_health_page_does_not_wait_for_a_host_that_hangs(scene: Scene) -> None:
    with scene.being(HANGS):
        assert scene.told("host", "host-slow")
        assert took(scene.health) < 4
        assert re.search(r"has not answered for [0-9]+ s", scene.reason("host"))


def test_a_request_does_not_wait_for_ever_and_the_next_one_not_at_all(scene: Scene, alice: Browser) -> None:
    flow_id = launched(scene, alice)["id"]
    link = scene.world.link(flow_id, "un@")
    scene.world.settled(flow_id)
    body, before = signing(link.flow()), scene.world.state_file(flow_id)
    with scene.being(HANGS):
        assert took(lambda: assert_later(link.act("sign", body), "host-slow", "La plateforme est très lente")) < 8
        assert scene.told("host", "host-slow")
        until(lambda: took(lambda: link.act("sign", body)) < 0.5)
        assert_later(link.act("sign", body), "host-slow", "La plateforme est très lente")
        assert took(lambda: link.get("")) < 1.5
    assert scene.told("host", None)
    assert scene.world.state_file(flow_id) == before
    assert link.act("sign", body).status_code == 200


def test_a_write_whose_answer_never_comes_is_one_signature_all_the_same(scene: Scene, alice: Browser) -> None:
    flow_id = launched(scene, alice)["id"]
    link = scene.world.link(flow_id, "un@")
    scene.world.settled(flow_id)
    body = signing(link.flow())
    with scene.being(Manner("PUT .*/flow.jsonl", loses=True)):
        assert link.act("sign", body).status_code == 503
    assert link.act("sign", body).status_code == 200
    scene.world.settled(flow_id)
    types = [line["type"] for line in scene.world.lines(flow_id)]
    assert (types.count("recipient.signed"), types.count("flow.completed")) == (1, 1)


def test_a_host_that_takes_its_time_is_slow_and_still_works(scene: Scene, alice: Browser) -> None:
    with scene.being(Manner("/status.php", delay_s=0.4)):
        assert scene.told("host", "host-slow")
        assert "for an answer" in scene.reason("host")
        assert launched(scene, alice)["state"] == "running"


# ---- whether it takes us ----
def test_a_host_that_refuses_the_secret_is_told_apart_from_one_where_the_app_is_disabled(
    scene: Scene, alice: Browser
) -> None:
    denied = b'{"ocs": {"meta": {"status": "failure", "statuscode": 997}, "data": []}}'
    with scene.being(Manner("/(ocs|remote.php)/", 401, denied, {"Content-Type": "application/json"})):
        assert scene.told("secret", "secret-refused")
        assert "APP_SECRET" in scene.reason("secret")
        before = len(scene.between.seen)
        for _ in range(20):
            with pytest.raises(HostRefuses):
                scene.world.office.ctx.directory.search("alice", "bob")
        asked = [asked for asked, _ in scene.between.seen[before:] if "status.php" not in asked]
        assert asked == []  # the host counts wrong secrets
        told = scene.as_host(user="bob")
        assert (told.status_code, told.get_json()["code"]) == (503, "host-refuses")
        assert told.get_json()["title"].startswith("Parapheur n’est pas relié à la plateforme")
    assert scene.as_host(user="bob").status_code == 200  # the host's own call says that it knows us again
    off = b'{"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": false}}'
    with scene.being(Manner(STATE, 200, off, {"Content-Type": "application/json"})):
        assert scene.told("secret", "app-disabled")
    alice.get("me")


@pytest.mark.parametrize("status, code", [(404, "appapi-missing"), (429, "secret-throttled")])
def test_other_reasons_not_to_be_heard_have_their_own_code(
    scene: Scene, alice: Browser, status: int, code: str
) -> None:
    with scene.being(Manner(STATE, status, b"{}", {"Content-Type": "application/json"})):
        assert scene.told("secret", code)
    alice.get("me")


def test_calls_with_another_secret_get_a_page_that_says_so_and_comes_back_by_itself(scene: Scene) -> None:
    told = scene.as_host(secret="another")
    assert (told.status_code, told.get_json()["code"]) == (503, "wrong-secret")
    page = scene.as_host(secret="another", path="/s/" + "A" * 43)
    assert (page.status_code, page.mimetype, page.headers["Retry-After"]) == (503, "text/html", "60")
    assert "ne se reconnaissent pas en ce moment" in page.text
    assert '<meta http-equiv="refresh" content="60">' in page.text


# ---- versions and clocks ----
def test_another_version_on_record_is_told_and_the_record_is_left_alone(scene: Scene, alice: Browser) -> None:
    for version, code in (("0.2.0", "version-behind"), ("0.0.9", "version-ahead")):
        assert scene.as_host(version).status_code == 200
        assert scene.health()["version"] == code
        assert version in scene.reason("version")
        before = len(scene.between.seen)
        scene.world.office.ctx.directory.users()
        assert {seen[1]["EX-APP-VERSION"] for seen in scene.between.seen[before:]} == {version}
    for nonsense in ("", "x" * 40, "1\u00e9"):
        scene.as_host(nonsense)
        assert "0.0.9" in scene.reason("version")
    alice.get("me")
    assert "version" not in scene.health()


def test_a_browser_that_comes_past_the_platform_says_nothing_about_versions(scene: Scene, alice: Browser) -> None:
    """By HaRP, which puts the secret on what a browser sends, and leaves other headers as they are."""
    before = scene.world.office
    scene.world.product.extensions[EXTENSION] = replace(before, harp_key="known to the platform alone")
    try:
        assert scene.as_host("0.7.0").status_code == 200
    finally:
        scene.world.product.extensions[EXTENSION] = before
    assert "version" not in scene.health()


@pytest.mark.parametrize("major, code, state", [(31, "platform-too-old", "degraded"), (35, "platform-newer", "ok")])
def test_a_platform_that_was_not_tried_is_told(scene: Scene, major: int, code: str, state: str) -> None:
    told = b'{"installed": true, "maintenance": false, "needsDbUpgrade": false, "version": "%d.0.1.2"}' % major
    with scene.being(Manner("/status.php", 200, told)):
        assert scene.told("version", code)
        checks = scene.world.nobody().get("/healthz").json()["checks"]
        assert next(check["state"] for check in checks if check["name"] == "version") == state
    assert scene.told("version", None)


@pytest.mark.parametrize("ahead_s, code, words", [(-200, "clock-ahead", "ahead of"), (200, "clock-behind", "behind")])
def test_clocks_that_differ_are_told_with_seconds_and_direction(
    scene: Scene, ahead_s: float, code: str, words: str
) -> None:
    with scene.being(Manner("/status.php", clock_ahead_s=ahead_s)):
        assert scene.told("clock", code)
        seconds = re.search(rf"clock is ([0-9]+) s {words}", scene.reason("clock"))
        assert seconds
        assert 195 <= int(seconds[1]) <= 205
    assert scene.told("clock", None)


def test_half_a_minute_between_clocks_is_nothing(scene: Scene) -> None:
    with scene.being(Manner("/status.php", clock_ahead_s=30)):
        before = len(scene.between.seen)
        until(lambda: scene.health() is not None and len(scene.between.seen) > before + 2)
        assert "clock" not in scene.health()


@pytest.mark.parametrize(
    "status, version, code", [(200, b"0.0.9", "companion-older"), (404, b"", "companion-missing")]
)
def test_a_companion_that_does_not_fit_is_told(tmp_path: Path, status: int, version: bytes, code: str) -> None:
    ocs = b'{"ocs": {"meta": {"status": "ok", "statuscode": %d}, "data": {"version": "%s"}}}' % (status, version)
    with ExitStack() as stack:
        there = Manner("/parapheur_companion/status", status, ocs, {"Content-Type": "application/json"})
        assert started(tmp_path / "data", stack, there).told("companion", code)


# ---- the way back ----
def test_a_link_that_cannot_be_looked_up_yet_is_a_page_for_people_that_tries_again(
    scene: Scene, alice: Browser
) -> None:
    flow_id = launched(scene, alice)["id"]
    link = scene.world.link(flow_id, "un@")
    scene.world.settled(flow_id)
    with scene.being(*MAINTENANCE):
        scene.world.lose_index()
        page = link.get("", headers={"Accept-Language": "en"})
        assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert "tries again by itself in 10 seconds" in page.text
        assert "index-missing" in scene.health().values()
        assert_later(link.get("flow.json"), "index-missing", "en cours de reconstruction")
    until(lambda: link.get("").status_code == 200, within_s=60)


def test_one_flow_that_the_host_cannot_serve_holds_up_no_other_after_a_start(scene: Scene, alice: Browser) -> None:
    folders = []
    for _ in range(5):
        folder = scene.world.folder()
        folders.append(folder.rpartition(" ")[2])
        scene.world.validation(alice, [scene.world.put(f"{folder}/a.txt", b"a")], [{"user": "bob"}])
    ctx, catch_up = scene.world.office.ctx, CatchUp()
    with scene.being(Manner(f"GET .*(%20{folders[0]}|%20{folders[3]})/.*flow.jsonl", 500)):
        before = len(scene.between.seen)
        catch_up(ctx)
        asked = "\n".join(asked for asked, _ in scene.between.seen[before:])
        assert all(f"%20{folder}/.flows" in asked for folder in folders)
        assert not catch_up.is_done
    catch_up(ctx)
    assert catch_up.is_done

"""What goes wrong between a real Nextcloud and the sidecar: told, named to people, over by itself."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator

import pytest
import requests

from tests.between import Between, Manner
from tests.nextcloud.conftest import host_mails_to
from tests.nextcloud.instance import APP, VERSION, Catcher, Installed, Nextcloud, User, free_port
from tests.nextcloud.test_flows import ended, validation
from tests.nextcloud.test_lifecycle import HOOKED, hooked
from tests.world import Browser, until

QUICK = {"PARAPHEUR_HOST_SLOW_AFTER_S": "2", "PARAPHEUR_HOST_TIMEOUT_S": "20"}


def told(app: Installed, name: str, code: str | None) -> str:
    """Waits until the check says so. Returns: its reason."""

    def reason() -> str | None:
        said = app.health()[name]["reason"]
        return (said or "nothing") if (said or "").partition(":")[0] == (code or "") else None

    return until(reason, within_s=90) or ""


def past_the_proxy(app: Installed, method: str, path: str, uid: str = "", **more: object) -> requests.Response:
    """As the platform would call, were it in the state to do so."""
    headers = {
        "EX-APP-ID": APP,
        "EX-APP-VERSION": VERSION,
        "AUTHORIZATION-APP-API": base64.b64encode(f"{uid}:{app.secret}".encode()).decode(),
        "Accept-Language": "fr",
    }
    answer: requests.Response = requests.request(method, app.direct + path, headers=headers, timeout=60, **more)  # type: ignore[arg-type]  # passed on
    return answer


@pytest.fixture(scope="module")
def between(app: Installed, nextcloud: Nextcloud) -> Iterator[Between]:
    """The sidecar as it reaches the instance through something that can be in the way."""
    way = Between(nextcloud.url)
    app.restart(NEXTCLOUD_URL=way.url, **QUICK)
    try:
        yield way
    finally:
        app.restart()
        way.close()


def test_all_is_well_at_first(app: Installed) -> None:
    for name in ("host", "secret", "version", "clock", "companion", "mail"):
        told(app, name, None)


def test_maintenance_stops_everything_and_it_goes_on_by_itself(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User
) -> None:
    """A mail that waits, too: the host's mailer is sent to a closed port just before."""
    file_id = nextcloud.put(alice, "Outages/a.txt", b"x")
    first = validation(app, creator, [file_id], [{"email": "maintenance@example.org", "language": "fr"}])
    token = catcher.link(first["id"], "maintenance@").rpartition("/s/")[2]
    with host_mails_to(nextcloud, free_port()):
        second = validation(app, creator, [file_id], [{"email": "waiting@example.org", "language": "fr"}])

        def waits() -> bool:
            delivery = creator.get(f"flows/{second['id']}").json()["steps"][0]["recipients"][0]["delivery"]
            return bool(delivery and delivery["reason"])

        until(waits, within_s=60)
    flow = past_the_proxy(app, "GET", f"/s/{token}/flow.json").json()
    shown = {"documents": {str(d["n"]): d["current_sha256"] for d in flow["documents"]}}
    process = app.process
    try:
        nextcloud.occ("maintenance:mode", "--on")
        assert "maintenance mode" in told(app, "host", "host-maintenance")
        theirs = requests.get(f"{app.url}/s/{token}", timeout=60)
        assert (theirs.status_code, theirs.headers["X-Nextcloud-Maintenance-Mode"]) == (503, "1")
        answer = requests.post(
            f"{app.direct}/s/{token}/approve",
            json=shown,
            headers={
                "EX-APP-ID": APP,
                "EX-APP-VERSION": VERSION,
                "AUTHORIZATION-APP-API": base64.b64encode(f":{app.secret}".encode()).decode(),
                "X-CSRF-Token": flow["csrf_token"],
            },
            timeout=60,
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "host-maintenance")
        assert answer.json()["title"].startswith("La plateforme est en maintenance")
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        nextcloud.occ("maintenance:mode", "--off")
    told(app, "host", None)
    assert app.follow(f"{app.url}/s/{token}").approve().status_code == 200
    ended(creator, first)
    assert catcher.link(second["id"], "waiting@")
    assert app.process is process


def test_a_host_that_hangs_holds_up_neither_the_health_page_nor_people_for_long(
    app: Installed, between: Between, nextcloud: Nextcloud, creator: Browser, alice: User
) -> None:
    file_id = nextcloud.put(alice, "Outages/b.txt", b"x")
    body = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": alice.uid}]}
    with between.being(Manner(holds=True)):
        begun = time.monotonic()
        answer = creator.post("flows", body)
        assert (answer.status_code, answer.json()["code"]) == (503, "host-slow")
        assert time.monotonic() - begun < 25
        assert re.search("has not answered for [0-9]+ s", told(app, "host", "host-slow"))
        begun = time.monotonic()
        app.health()
        assert time.monotonic() - begun < 4
    told(app, "host", None)
    answer = creator.post("flows", body)
    assert answer.status_code == 201, answer.text


def test_a_slow_host_is_told_and_goes_on(app: Installed, between: Between) -> None:
    with between.being(Manner("/status.php", delay_s=2.5)):
        assert re.search("takes [2-4] s for an answer", told(app, "host", "host-slow"))
    told(app, "host", None)


def test_a_host_that_is_gone_is_told(app: Installed, between: Between) -> None:
    with between.being(Manner(drops=True)):
        told(app, "host", "host-down")
    told(app, "host", None)


@pytest.mark.parametrize("ahead_s, code", [(-300, "clock-ahead"), (300, "clock-behind")])
def test_a_clock_that_is_off_is_told(app: Installed, between: Between, ahead_s: float, code: str) -> None:
    with between.being(Manner("/status.php", clock_ahead_s=ahead_s)):
        assert re.search("is (29[0-9]|30[0-9]) s ", told(app, "clock", code))
    told(app, "clock", None)


def test_an_older_companion_is_told(app: Installed, between: Between) -> None:
    older = b'{"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": {"version": "0.0.9"}}}'
    with between.being(Manner("/parapheur_companion/status", 200, older, {"Content-Type": "application/json"})):
        told(app, "companion", "companion-older")
    told(app, "companion", None)


def test_a_disabled_app_is_told_and_hooked_in_again(app: Installed, nextcloud: Nextcloud, between: Between) -> None:
    try:
        nextcloud.occ("app_api:app:disable", APP)
        told(app, "secret", "app-disabled")
    finally:
        nextcloud.occ("app_api:app:enable", APP)
    told(app, "secret", None)
    assert hooked(app, HOOKED[0]).status_code == 200


def test_a_wrong_secret_is_told_not_repeated_and_no_refusal_to_people(
    app: Installed, nextcloud: Nextcloud, alice: User
) -> None:
    way = Between(nextcloud.url)
    app.restart(APP_SECRET="another than the platform's", NEXTCLOUD_URL=way.url, **QUICK)
    try:
        told(app, "secret", "secret-refused")
        asked = len(way.seen)
        answer = requests.get(f"{app.url}/api/v1/me", auth=alice.auth, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "wrong-secret")
        page = requests.get(f"{app.url}/s/{'A' * 43}", timeout=60)
        assert page.status_code == 503
        assert "http-equiv" in page.text
        until(lambda: app.health() and sum("status.php" in what for what, _ in way.seen[asked:]) > 3, within_s=60)
        assert [asked for asked, _ in way.seen[asked:] if "status.php" not in asked] == []
    finally:
        app.restart()
        way.close()
    told(app, "secret", None)
    assert requests.get(f"{app.url}/api/v1/me", auth=alice.auth, timeout=60).status_code == 200


def recorded(nextcloud: Nextcloud) -> str:
    line = next(line for line in nextcloud.occ("app_api:app:list").splitlines() if line.startswith(f"{APP} "))
    found = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", line)
    assert found, line
    return found[0]


def test_another_version_is_told_until_the_platform_knows_it(
    app: Installed, nextcloud: Nextcloud, alice: User
) -> None:
    try:
        for version, code in (("0.0.9", "version-behind"), ("0.2.0", "version-ahead")):
            app.restart(APP_VERSION=version)
            assert VERSION in told(app, "version", code)
            assert requests.get(f"{app.url}/api/v1/me", auth=alice.auth, timeout=60).status_code == 200
            assert recorded(nextcloud) == VERSION
        app.update("0.2.0")
        told(app, "version", None)
        assert recorded(nextcloud) == "0.2.0"
        assert requests.get(f"{app.url}/api/v1/me", auth=alice.auth, timeout=60).status_code == 200
    finally:
        app.restart()
        app.register()
    told(app, "version", None)
    told(app, "secret", None)

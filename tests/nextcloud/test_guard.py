"""What the proxy lets through, and what we make of it: paths, headers, logs."""

from __future__ import annotations

import base64
import http.client
import re
from urllib.parse import urlsplit

import pytest
import requests

from tests.nextcloud.instance import VERSION, Installed, Nextcloud, User
from tests.world import Browser

LINK = "s/" + "A" * 43
TURNS = ["../", "%2e%2e/", "..%2f", "..\\", "..%5c", "..;/", "%2e%2e%2f", "....//", "./../"]
INNER = ["enabled?enabled=0", "init", "heartbeat", "events/files", "healthz", "metrics"]


def raw(app: Installed, method: str, path: str, auth: str = "") -> tuple[int, bytes, dict[str, str]]:
    """One request whose path goes out exactly as it stands."""
    base = urlsplit(app.url)
    connection = http.client.HTTPConnection(base.hostname or "", base.port or 80, timeout=60)
    try:
        connection.putrequest(method, f"{base.path}/{path}", skip_accept_encoding=True)
        if auth:
            connection.putheader("Authorization", f"Basic {auth}")
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize("turn", TURNS)
def test_no_way_round_through_the_proxy_reaches_what_is_the_hosts_alone(app: Installed, turn: str) -> None:
    before = len(app.log)
    for inner in INNER:
        for start in (f"{LINK}/{turn}{turn}", f"static/ui/{turn}{turn}", f"{LINK}/x/{turn}{turn}{turn}"):
            for method in ("GET", "POST", "PUT") if inner.startswith(("enabled", "init", "events")) else ("GET",):
                status, body, _ = raw(app, method, start + inner)
                assert status >= 400, (method, start + inner, status, body[:100])
    reached = re.findall(r'"route": "(lifecycle\.[a-z]+|service\.[a-z]+)", "status": (2..)', app.log[before:])
    assert reached == []
    assert requests.get(f"{app.url}/{LINK}", timeout=60).status_code == 404  # still enabled: our own page says so


def test_undeclared_paths_are_not_there(app: Installed, alice: User) -> None:
    for path in ("enabled?enabled=0", "init", "heartbeat", "events/files", "healthz", "metrics", "", "x.html"):
        assert raw(app, "GET", path, alice.basic)[0] == 404, path
    assert raw(app, "PATCH", "api/v1/me", alice.basic)[0] == 405


def test_headers_that_a_client_sends_make_nobody_of_him(app: Installed, nextcloud: Nextcloud, alice: User) -> None:
    forged = {
        "EX-APP-VERSION": VERSION,
        "AA-VERSION": "32.0.0",
        "AUTHORIZATION-APP-API": base64.b64encode(f"{nextcloud.admin.uid}:x".encode()).decode(),
        "X-Origin-IP": "203.0.113.9",
    }
    me = requests.get(f"{app.url}/api/v1/me", auth=alice.auth, headers=forged, timeout=60)
    assert (me.status_code, me.json()["user"]) == (200, alice.uid)
    named = requests.get(
        f"{app.url}/api/v1/me", auth=alice.auth, headers={**forged, "EX-APP-ID": "parapheur"}, timeout=60
    )
    assert named.status_code == 401  # the host adds its own to it: two are one too many
    wrong = {**forged, "AUTHORIZATION-APP-API": base64.b64encode(f"{alice.uid}:x".encode()).decode()}
    anonymous = requests.get(f"{app.url}/api/v1/me", headers=wrong, timeout=60)
    assert anonymous.status_code in (401, 404)
    assert "csrf_token" not in anonymous.text


def test_a_mutation_needs_the_pages_token_and_no_foreign_origin(
    app: Installed, creator: Browser, nextcloud: Nextcloud
) -> None:
    token = creator.session.headers["X-CSRF-Token"]
    body = {"kind": "validation", "documents": [], "recipients": []}
    assert creator.post("flows", body, headers={"X-CSRF-Token": "x"}).json()["code"] == "page-expired"
    foreign = creator.post("flows", body, headers={"Origin": "https://evil.example", "X-CSRF-Token": token})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign-origin")
    own = creator.post("flows", body, headers={"Origin": nextcloud.url})
    assert own.status_code == 422


def test_every_answer_bears_our_headers(app: Installed, creator: Browser) -> None:
    for path in ("/api/v1/me", "/api/v1/nothing", "/js/main.js", "/img/app.svg", "/f/" + "0" * 36, f"/{LINK}"):
        headers = creator.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert "no-store" in headers["Cache-Control"], path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert "Set-Cookie" not in headers or "parapheur" not in headers["Set-Cookie"], path


def test_a_page_comes_as_it_is_and_by_no_redirect(app: Installed) -> None:
    status, body, headers = raw(app, "GET", LINK)
    assert status == 404
    assert b"<html" in body
    assert headers["content-type"].startswith("text/html")
    for path in (f"{LINK}/", f"{LINK}//flow.json", f"{LINK}?x=1"):
        assert raw(app, "GET", path)[0] == 404, path


def test_nothing_that_opens_an_account_is_in_the_log(app: Installed, alice: User, creator: Browser) -> None:
    with requests.Session() as session:
        session.auth = alice.auth
        for path in ("/api/v1/me", "/api/v1/nothing", f"/{LINK}", "/f/" + "0" * 36):
            session.get(app.url + path, headers={"Cookie": "canary-cookie=canary-value"}, timeout=60)
        session.post(f"{app.url}/api/v1/flows", json={"kind": "canary-body"}, timeout=60)
        session.get(f"{app.url}/api/v1/recipients?search=canary-search", timeout=60)
        cookies = [cookie.value for cookie in session.cookies if cookie.value and len(cookie.value) > 8]
    said = app.log
    assert '"route": "host.me"' in said
    encoded = base64.b64encode(f"{alice.uid}:{app.secret}".encode()).decode()
    for secret in (alice.password, alice.basic, app.secret, encoded, "canary", "A" * 43, *cookies):
        assert secret not in said
    for browser in app.browsers:
        for cookie in browser.session.cookies:
            assert len(cookie.value or "") < 9 or cookie.value not in said

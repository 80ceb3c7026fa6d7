"""What the proxy lets through, and what we make of it: paths, headers, logs."""

from __future__ import annotations

import base64
import http.client
import re
from urllib.parse import urlsplit

import pytest
import requests

from tests.nextcloud.instance import VERSION, Catcher, Installed, Nextcloud, User
from tests.world import Actor, Browser, pdf, signing, stamps, until

LINK = "s/" + "A" * 43
TURNS = [
    "../", "%2e%2e/", ".%2e/", "..%2f", "%2e%2e%2f", "./../", "....//", "..;/", "..%3b/", "..\\", "..%5c", "%2e%2e%5c",
    "%252e%252e/", "/", "/../", "%00../", "..%00/",
]  # fmt: skip
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


@pytest.fixture(scope="module", autouse=True)
def enabled(app: Installed) -> None:
    """The host's own call is over, so that whatever is logged after it is somebody else's."""
    until(lambda: re.search(r'"route": "lifecycle.enabled", "status": 200', app.log), within_s=30)


def reached(app: Installed, before: int) -> list[str]:
    """The routes of ours that did something since then, by our own log; the host's own look at us apart."""
    told = re.findall(r'"route": "([a-z_.]+)", "status": 2..', app.log[before:])
    return [route for route in told if route != "lifecycle.heartbeat"]


@pytest.mark.parametrize("turn", TURNS)
def test_no_way_round_through_the_proxy_reaches_what_is_the_hosts_alone(app: Installed, turn: str) -> None:
    before = len(app.log)
    for inner in INNER:
        for start in (f"{LINK}/{turn}{turn}", f"static/ui/{turn}{turn}", f"{LINK}/x/{turn}{turn}{turn}"):
            for method in ("GET", "POST", "PUT") if inner.startswith(("enabled", "init", "events")) else ("GET",):
                status, body, headers = raw(app, method, start + inner)
                assert status >= 400, (method, start + inner, status, body[:100])
                assert "location" not in headers, (method, start + inner)
                assert b'"checks"' not in body, (method, start + inner)
    assert reached(app, before) == []
    assert requests.get(f"{app.url}/{LINK}", timeout=60).status_code == 404  # still enabled: our own page says so


@pytest.mark.parametrize("who", ["nobody", "a user"])
def test_a_forged_event_does_not_come_through_the_proxy(app: Installed, alice: User, who: str) -> None:
    before = len(app.log)
    event = {
        "event": {"class": "OCP\\Files\\Events\\Node\\BeforeNodeDeletedEvent", "node": {"id": 1, "path": "/x"}},
        "user": {"uid": alice.uid},
        "time": 1,
    }
    for path in ("events/files", "EVENTS/files", "events/files/", f"{LINK}/../../events/files", "events%2Ffiles"):
        answer = requests.post(
            f"{app.url}/{path}", json=event, auth=alice.auth if who == "a user" else None, timeout=60
        )
        assert answer.status_code == 404, path
    assert reached(app, before) == []


def test_undeclared_paths_and_methods_are_not_there(app: Installed, alice: User) -> None:
    for path in ("enabled?enabled=0", "init", "heartbeat", "events/files", "healthz", "metrics", "", "x.html"):
        assert raw(app, "GET", path, alice.basic)[0] == 404, path
    for method in ("PATCH", "OPTIONS", "PROPFIND"):
        assert raw(app, method, "api/v1/me", alice.basic)[0] in (404, 405), method
    for path in ("%23", "%3F", "%3Fx=1", "%2F", "%00", "%23/flow.json"):
        assert raw(app, "GET", LINK + path)[0] in (400, 404), path


def test_whoever_is_not_logged_in_gets_no_page_of_a_user_and_no_way_to_one(app: Installed) -> None:
    for path in ("api/v1/me", "js/main.js", "f/" + "0" * 36, "api/v1/flows"):
        status, body, headers = raw(app, "GET", path)
        assert status == 404, path
        assert "location" not in headers, path
        assert b"csrf_token" not in body, path


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
    for path in (f"{LINK}/", f"{LINK}//flow.json", f"/{LINK}", f"{LINK}?x=1"):
        status, _, headers = raw(app, "GET", path)
        assert (status, "location" in headers) == (404, False), path


def test_nothing_rendered_lies_on_a_path_that_ends_in_html(app: Installed, alice: User) -> None:
    for path in (f"{LINK}/x.html", f"{LINK}/.html", "api/v1/x.html", "api/v1/flows/x.html"):
        status, body, headers = raw(app, "GET", path, alice.basic)
        assert status == 404, path
        assert headers["content-type"].startswith("application/problem+json"), path
        assert b"nonce" not in body, path
        assert "no-store" in headers["cache-control"], path


@pytest.fixture(scope="module")
def outside(app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User) -> Actor:
    """Whoever holds the link of a signature that waits for two people."""
    order = {
        "kind": "signature",
        "documents": [{"file_id": nextcloud.put(alice, "Guard/a.pdf", pdf())}],
        "recipients": [{"email": "zoe@example.com"}, {"email": "yves@example.com"}],
        "placements": stamps(1, (0, 1)),
    }
    return app.follow(catcher.link(app.launch(creator, order)["id"], "zoe@"))


def test_what_is_told_is_kept_nowhere_and_a_picture_is_asked_about_each_time(outside: Actor) -> None:
    for path in ("", "flow.json", "documents/0"):
        answer = outside.get(path)
        assert answer.headers["Cache-Control"] == "no-store, private", path
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
        assert outside.send("HEAD", path).status_code == 404, path  # no verb that the manifest declares
    document = outside.get("documents/0").headers
    assert document["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert document["Content-Disposition"].startswith("attachment")
    picture = outside.get("documents/0/pages/1?w=240")
    assert picture.headers["Cache-Control"] == "private, no-cache"
    same = outside.get("documents/0/pages/1?w=240", headers={"If-None-Match": picture.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["Cache-Control"] == "private, no-cache"  # the host would make it an hour
    assert "default-src 'none'" in same.headers["Content-Security-Policy"]


def test_the_address_in_the_evidence_is_the_one_that_the_host_saw(outside: Actor, creator: Browser) -> None:
    forged = dict.fromkeys(("X-Origin-IP", "X-Forwarded-For", "X-Real-IP", "Client-IP"), "203.0.113.9")
    flow = outside.flow()
    assert outside.post("sign", signing(flow), headers=forged).status_code == 200
    record = creator.get(f"flows/{flow['id']}/evidence").json()
    traces = [event["data"]["trace"] for event in record["events"] if event["type"] == "recipient.signed"]
    assert [trace["ip_source"] for trace in traces] == ["trusted proxy"]
    assert "203.0.113.9" not in str(record)


def test_an_uploaded_file_is_named_by_its_part_since_the_query_is_lost(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User
) -> None:
    beside = nextcloud.put(alice, "Uploads/first.pdf", pdf())
    sent = {"file": ("Pièce n° 1.pdf", pdf(2), "application/pdf")}
    placed = creator.post(f"documents/beside/{beside}?name=lost.pdf", files=sent)
    assert (placed.status_code, placed.json().get("name")) == (201, "Pièce n° 1.pdf")
    assert nextcloud.read(alice, "Uploads/Pièce n° 1.pdf") == pdf(2)
    raw_body = creator.post(f"documents/beside/{beside}?name=raw.pdf", data=pdf())
    assert (raw_body.status_code, raw_body.json().get("name")) == (201, "raw.pdf")


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

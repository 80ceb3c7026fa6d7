"""What arrives through the host's proxy, in every spelling it lets through, and what may leave through it.

The proxy follows redirects by itself, keeps the first value of a header only, puts its nonce into every script of a
path that ends in .html, and in one version lets ``public/../x`` through as ``x``. See security.md, section 1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_edges import appapi, asked, paths, rules
from tests.world import Browser, World, pdf

MANIFEST = Path(__file__).parents[2] / "appinfo" / "info.xml"
LINK = "/s/" + "A" * 43
INNER = ["heartbeat", "init", "enabled?enabled=0", "events/files", "healthz", "metrics"]
TURNS = ["/../", "/..;/", "/..\\", "/%2e%2e/", "/..%2f", "//", "/./", "/...;/", "/\\..\\"]


def test_no_address_answers_with_a_redirect(world: World) -> None:
    """Or the proxy would ask wherever it points to, with the headers that open every account."""
    client: FlaskClient = world.product.test_client()
    seen = 0
    for rule in rules(world):
        for path in paths(rule):
            doubled = path.replace("/", "//")
            for spelling in (path, f"{path}/", f"/{path}", doubled, path.upper(), f"{path}/.", f"{path}//"):
                for method in ("GET", "HEAD", "POST"):
                    answer = _raw(client, method, spelling, appapi(world, "alice"))
                    assert not 300 <= answer.status_code < 400, (method, spelling, answer.status)
                    assert "Location" not in answer.headers or answer.status_code == 201, spelling
                    seen += 1
    assert seen > 500


def test_no_answer_repeats_a_header_or_leans_on_a_cookie(world: World) -> None:
    for rule in rules(world):
        for answer in asked(world, rule):
            names = [name.lower() for name, _ in answer.headers]
            assert len(names) == len(set(names)), (rule.rule, names)


def test_nothing_rendered_lies_on_a_path_that_ends_in_html(world: World, alice: Browser) -> None:
    flow = world.signature(alice, [world.put(f"{world.folder()}/a.pdf", pdf())], [{"email": "h@example.com"}])
    link = world.link(flow["id"], "h@")
    for page in (link.base, f"/f/{flow['id']}"):
        assert link.get(page).headers["Content-Type"].startswith("text/html")
        for path in (f"{page}.html", f"{page}/x.html", f"{page}/documents/0.html", f"{page}/.html"):
            answer = alice.get(path)
            assert answer.status_code == 404, path
            assert "<script" not in answer.text, path
            assert not answer.headers["Content-Type"].startswith("text/html"), path
    for rule in rules(world):
        assert not rule.rule.endswith(".html"), rule.rule


@pytest.mark.parametrize("origin", [{"X-Origin-Ip": "192.0.2.7"}, {}])
@pytest.mark.parametrize("turn", TURNS)
def test_a_path_that_turns_back_leads_nowhere(world: World, turn: str, origin: dict[str, str]) -> None:
    """Not even without X-Origin-IP, which one of the host's two proxies does not set."""
    client: FlaskClient = world.product.test_client()
    headers = {name: value for name, value in appapi(world, "").items() if name != "X-Origin-Ip"} | origin
    for inner in INNER:
        for path in (f"{LINK}{turn}{inner}", f"{LINK}/x{turn * 3}{inner}", f"/static/ui{turn * 2}{inner}"):
            for method in ("GET", "PUT", "POST"):
                assert _raw(client, method, path, headers).status_code in (404, 405), (method, path)


@pytest.mark.parametrize("inner", INNER)
def test_what_is_the_hosts_alone_is_not_there_for_a_forged_call_through_the_proxy(world: World, inner: str) -> None:
    """As the proxy of Nextcloud 32 passes on ``public/../init``: turned already, with valid headers and no user."""
    client: FlaskClient = world.product.test_client()
    for uid in ("", "alice"):
        for method in ("GET", "POST", "PUT"):
            answer = _raw(client, method, f"/{inner}", appapi(world, uid))
            assert answer.status_code in (404, 405), (method, inner)


def test_an_answer_that_nothing_changed_bears_the_headers_too(world: World, alice: Browser) -> None:
    flow = world.signature(alice, [world.put(f"{world.folder()}/a.pdf", pdf())], [{"email": "g@example.com"}])
    picture = world.link(flow["id"], "g@").base + "/documents/0/pages/1?w=240"
    tag = alice.get(picture).headers["ETag"]
    same = alice.get(picture, headers={"If-None-Match": tag})
    assert same.status_code == 304
    assert same.headers["Cache-Control"] == "private, no-cache"
    assert "default-src 'none'" in same.headers["Content-Security-Policy"]
    assert same.headers["X-Content-Type-Options"] == "nosniff"


def test_a_head_request_tells_what_a_get_would_and_nothing_else(world: World, alice: Browser) -> None:
    flow = world.signature(alice, [world.put(f"{world.folder()}/a.pdf", pdf())], [{"email": "k@example.com"}])
    link = world.link(flow["id"], "k@")
    world.settled(flow["id"])
    before = world.state_file(flow["id"])
    for path in ("", "flow.json", "documents/0"):
        head, full = link.send("HEAD", path), link.get(path)
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("Cache-Control", "Content-Security-Policy", "Content-Type"):
            assert head.headers[name] == full.headers[name], (path, name)
    for act in ("sign", "view", "refuse"):
        assert link.send("HEAD", act).status_code in (404, 405), act
    assert world.state_file(flow["id"]) == before


@pytest.mark.parametrize("named, source", [({"X-Origin-Ip": "192.0.2.7"}, "trusted proxy"), ({}, "unverified")])
def test_an_address_that_no_proxy_vouches_for_is_called_unverified(
    world: World, alice: Browser, named: dict[str, str], source: str
) -> None:
    flow = world.validation(alice, [world.put(f"{world.folder()}/a.txt", b"a")], [{"user": "bob"}])
    client: FlaskClient = world.product.test_client()
    headers = {name: value for name, value in appapi(world, "bob").items() if name != "X-Origin-Ip"} | named
    headers |= {"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    at = f"/api/v1/flows/{flow['id']}"
    page = client.get(f"{at}/flow.json", headers=headers).get_json()
    shown = {str(d["n"]): d["current_sha256"] for d in page["documents"]}
    headers["X-CSRF-Token"] = page["csrf_token"]
    assert client.post(f"{at}/approve", json={"documents": shown}, headers=headers).status_code == 200
    events = alice.get(f"flows/{flow['id']}/evidence").json()["events"]
    trace = next(event["data"]["trace"] for event in events if event["type"] == "recipient.approved")
    assert trace["ip_source"] == source
    assert trace["ip"] == named.get("X-Origin-Ip", "127.0.0.1")


# ---- the manifest ---------------------------------------------------------------------------------------------------
def declared() -> list[tuple[str, set[str], str]]:
    """(pattern, methods, access level), in order."""
    found = []
    for route in ElementTree.parse(MANIFEST).getroot().iter("route"):
        told = {name: str(route.findtext(name)) for name in ("url", "verb", "access_level")}
        found.append((told["url"], set(told["verb"].split(",")), told["access_level"]))
    return found


def levels(path: str, method: str) -> set[str]:
    """What 32 and 34 make of a path, leading slash or not: the level of the first route that fits."""
    found = set()
    bare = path.lstrip("/")
    for subjects in ([bare], [f"/{bare}", bare]):
        fits = (
            level
            for pattern, methods, level in declared()
            if method in methods and any(re.search(pattern, subject, re.IGNORECASE) for subject in subjects)
        )
        found.add(next(fits, "none"))
    return found


def test_the_manifests_patterns_mean_the_same_to_every_version_of_the_host() -> None:
    for pattern, methods, level in declared():
        assert pattern.startswith("^\\/?"), pattern
        assert pattern.endswith("$"), pattern
        assert not re.search(r"(?<!\\)/", pattern), pattern
        assert "~" not in pattern, pattern
        assert methods <= {"GET", "POST", "PUT", "DELETE"}, methods
        assert level in ("PUBLIC", "USER", "ADMIN"), level


def test_the_manifest_declares_each_route_to_whom_it_is_for(world: World) -> None:
    wanted: dict[str, Any] = {"link": "PUBLIC", "user": "USER", "admin": "ADMIN", "platform": "none"}
    seen = 0
    for rule in rules(world):
        caller = world.product.view_functions[rule.endpoint].caller
        for path in paths(rule):
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "DELETE"}):
                if caller in wanted:
                    assert levels(path, method) == {wanted[caller]}, (method, path)
                    seen += 1
    assert seen > 30
    for inner in INNER:
        assert levels(f"/{inner.partition('?')[0]}", "GET") == {"none"}, inner
        assert levels(f"/{inner.partition('?')[0]}", "POST") == {"none"}, inner


def _raw(client: FlaskClient, method: str, path: str, headers: dict[str, str]) -> TestResponse:
    """A request whose path is taken as it is, with what a server would decode of it."""
    bare, _, query = path.partition("?")
    decoded = re.sub(r"%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), bare)
    raw = {"PATH_INFO": decoded, "REQUEST_URI": path, "RAW_URI": path, "QUERY_STRING": query}
    with client.open("/", method=method, headers=headers, json={}, environ_overrides=raw) as answer:
        return answer

"""What holds for every route: headers, callers, page tokens, downloads, forged identities."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from plugin.demo import sample_files
from tests.world import Browser, World, pdf

CALLERS = {"anyone", "link", "user", "admin", "platform"}
CHANGES_NOTHING = {"host.inspect", "host.menu", "host.undrawable", "verifying.verify"}
SENDS_A_FORM = {"verifying.page", "verifying.verify"}
CACHED = {"pages.built", "pages.icon"}
"""Content-hashed files, and our own icon. Pictures of pages are kept by their ETag, and asked about each time."""
VALUES: dict[str, Any] = {
    "flow_id": "01890000-0000-7000-8000-000000000000",
    "token": "A" * 43,
    "key": "a-key-of-a-launch",
    "n": 0,
    "page": 1,
    "image_format": "png",
    "file_id": 1,
    "what": None,
    "rest": "x",
    "rid": "r1",
    "kept_id": "01890000-0000-4000-8000-000000000000",
    "name": "sign.js",
}


def rules(world: World) -> list[Rule]:
    return sorted(world.product.url_map.iter_rules(), key=lambda rule: rule.rule)


def paths(rule: Rule) -> list[str]:
    """Every address of a route, with ids of nothing in it."""
    found = []
    for what in getattr(rule._converters.get("what"), "items", None) or [""]:
        values = {name: VALUES[name] for name in rule.arguments} | ({"what": what} if what else {})
        built = rule.build({**values, **(rule.defaults or {})})
        assert built is not None
        found.append(built[1])
    return found


def asked(world: World, rule: Rule, uid: str = "alice") -> list[TestResponse]:
    """Every method of a route, asked as the host would pass it on."""
    answers = []
    client: FlaskClient = world.product.test_client()
    for path in paths(rule):
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            with client.open(path, method=method, headers=appapi(world, uid), json={}) as answer:
                answers.append(answer)
    return answers


def appapi(world: World, uid: str, secret: str | None = None, app_id: str = "parapheur") -> dict[str, str]:
    given = secret if secret is not None else world.office.app_secret
    return {
        "Authorization-App-Api": b64encode(f"{uid}:{given}".encode()).decode(),
        "Ex-App-Id": app_id,
        "X-Origin-Ip": "192.0.2.7",
    }


def test_every_answer_bears_the_security_headers(world: World) -> None:
    seen = 0
    for rule in rules(world):
        for answer in asked(world, rule):
            seen += 1
            said = (rule.rule, answer.status)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, said
            assert "unsafe-inline" not in policy, said
            assert answer.headers["X-Content-Type-Options"] == "nosniff", said
            assert answer.headers["Referrer-Policy"] == "no-referrer", said
            if answer.mimetype == "text/html":
                assert "frame-ancestors 'self'" in policy, said
                own = "'self'" if rule.endpoint in SENDS_A_FORM else "'none'"
                assert f"form-action {own};" in policy, said
            if rule.endpoint not in CACHED:
                assert answer.headers["Cache-Control"] == "no-store, private", said
            assert len(answer.headers.getlist("Set-Cookie")) <= 1, said
            assert answer.status_code != 500, said
    assert seen > 50


def test_pictures_of_pages_are_asked_about_each_time(world: World, alice: Browser) -> None:
    flow_id = world.signature(alice, [world.put(f"{world.folder()}/a.pdf", pdf())], [{"email": "p@example.com"}])["id"]
    link = world.link(flow_id, "p@")
    answer = link.get("documents/0/pages/1?w=240")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    again = link.get("documents/0/pages/1?w=240", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert link.get("documents/0/pages/1", headers={"Accept": "image/webp"}).headers["Content-Type"] == "image/webp"
    assert alice.get("/static/ui/nothing.js").status_code == 404


def test_every_route_names_its_caller(world: World) -> None:
    for rule in rules(world):
        view = world.product.view_functions[rule.endpoint]
        assert getattr(view, "caller", None) in CALLERS, rule.rule


def test_every_route_that_changes_something_is_an_acting_one(world: World) -> None:
    for rule in rules(world):
        view = world.product.view_functions[rule.endpoint]
        if rule.endpoint in CHANGES_NOTHING or view.caller == "platform":
            continue
        if (rule.methods or set()) & {"POST", "PUT", "DELETE", "PATCH"}:
            assert view.acting is True, rule.rule


def test_every_route_that_changes_something_refuses_a_request_without_the_pages_token(world: World) -> None:
    for rule in rules(world):
        methods = (rule.methods or set()) & {"POST", "PUT", "DELETE"}
        view = world.product.view_functions[rule.endpoint]
        if not methods or rule.endpoint in CHANGES_NOTHING or view.caller != "user":
            continue
        for answer in asked(world, rule):
            assert (answer.status_code, answer.get_json()["code"]) == (409, "page-expired"), rule.rule


def test_no_route_of_a_user_answers_an_anonymous_visitor(world: World) -> None:
    for rule in rules(world):
        if world.product.view_functions[rule.endpoint].caller == "user":
            for answer in asked(world, rule, uid=""):
                assert answer.status_code == 401, rule.rule


def test_what_is_for_the_host_alone_is_not_there_for_whoever_comes_through_its_proxy(world: World) -> None:
    for rule in rules(world):
        if world.product.view_functions[rule.endpoint].caller == "platform":
            for answer in asked(world, rule):
                assert answer.status_code == 404, rule.rule


def test_no_route_but_the_public_ones_answers_without_the_hosts_secret(world: World) -> None:
    client: FlaskClient = world.product.test_client()
    for rule in rules(world):
        if world.product.view_functions[rule.endpoint].caller == "anyone" and not rule.rule.startswith(("/s/", "/f/")):
            continue
        method = "GET" if "GET" in (rule.methods or ()) else sorted((rule.methods or set()) - {"OPTIONS"})[0]
        for headers in (
            {},
            appapi(world, "alice", app_id="other"),
            {**appapi(world, "alice"), "Authorization-App-Api": "alice"},
            {**appapi(world, "alice"), "Authorization-App-Api": "YWxpY2U6\u00e9"},
        ):
            answer = client.open(paths(rule)[0], method=method, headers=headers, json={})
            assert answer.status_code == 401, (rule.rule, headers)
            assert answer.get_json()["code"] == "not-the-host"
        for secret in ("x" * 64, ""):  # most likely wrong in the set-up: no refusal that a proxy would count
            answer = client.open(paths(rule)[0], method=method, headers=appapi(world, "alice", secret=secret), json={})
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60"), rule.rule
            assert answer.mimetype == "text/html" or answer.get_json()["code"] == "wrong-secret"


@pytest.mark.parametrize("name", ["Authorization-App-Api", "Ex-App-Id", "X-Origin-Ip"])
def test_a_doubled_identity_header_is_nobodys(world: World, name: str) -> None:
    client: FlaskClient = world.product.test_client()
    one = appapi(world, "alice")
    headers = [*one.items(), (name, appapi(world, "bob")[name])]
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    joined = {**one, name: f"{one[name]}, {one[name]}"}
    assert client.get("/api/v1/me", headers=joined).status_code == 401


def test_headers_that_a_visitor_sends_himself_count_for_nothing(world: World, bob: Browser) -> None:
    forged = appapi(world, "alice")
    nobody = world.nobody()
    assert nobody.get("/api/v1/me", headers=forged).status_code == 401
    assert (
        bob.get("me", headers={**forged, "X-Forwarded-User": "alice", "Remote-User": "alice"}).json()["user"] == "bob"
    )


def test_downloads_are_attachments_of_a_neutral_type_in_a_sandbox(world: World, alice: Browser) -> None:
    folder = world.folder()
    evil = b"<html><script>alert(document.domain)</script></html>"
    names = {
        "page.html": evil,
        "dessin.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "faux.pdf": evil,
        "note.txt": b"a",
        "vrai.pdf": pdf(),
        "photo.jpg": sample_files.photo(),
    }
    ids = [world.put(f"{folder}/{name}", data) for name, data in names.items()]
    flow_id = world.validation(alice, ids, [{"email": "tele@example.com"}])["id"]
    link = world.link(flow_id, "tele@")
    for n, (name, data) in enumerate(names.items()):
        for answer in (link.get(f"documents/{n}"), alice.get(f"flows/{flow_id}/documents/{n}")):
            assert answer.content == data
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            wanted = "application/pdf" if name == "vrai.pdf" else "application/octet-stream"
            assert answer.headers["Content-Type"] == wanted, name


def test_no_address_of_ours_ends_in_html(world: World) -> None:
    assert not [rule.rule for rule in rules(world) if rule.rule.endswith(".html")]


def test_problems_are_in_the_callers_language(world: World, alice: Browser) -> None:
    said = {
        lang: alice.get("flows/x", headers={"Accept-Language": lang}).json()["title"] for lang in ("fr", "en", "de")
    }
    assert said["en"] == "Not for this account, or not there."
    assert said["fr"] != said["en"]
    assert said["de"] in said["fr"]


def test_metrics_and_keys_are_public_and_hold_nobodys_data(world: World) -> None:
    nobody = world.nobody()
    counted = nobody.get("/metrics").text
    assert "parapheur_answers_total" in counted
    for name in ("alice", "bob", "example.org", "/s/"):
        assert name not in counted
    keys = json.loads(nobody.get("/.well-known/parapheur-keys.json").text)["keys"]
    assert all((key["kty"], key["crv"]) == ("OKP", "Ed25519") and "d" not in key for key in keys)

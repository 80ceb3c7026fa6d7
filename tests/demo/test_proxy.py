"""The stand-in for the AppAPI proxy: who comes through it is who his session says."""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
import requests

from plugin.demo.proxy import is_declared
from plugin.demo.server import Demo, Wiring
from tests.demo.conftest import Echo
from tests.demo.raw import ask, seen_by_sidecar


def user_of(seen: dict[str, str], demo: Demo, echo: Echo) -> str:
    assert echo.wiring is not None
    user, _, secret = b64decode(seen["HTTP_AUTHORIZATION_APP_API"]).decode().partition(":")
    assert secret == echo.wiring.app_secret
    return user


def test_a_session_becomes_the_user_of_the_request(demo: Demo, echo: Echo, alice: requests.Session) -> None:
    seen = alice.get(f"{demo.public_url}/api/v1/me").json()
    assert user_of(seen, demo, echo) == "alice"
    assert (seen["HTTP_EX_APP_ID"], seen["HTTP_EX_APP_VERSION"]) == ("parapheur", "0.1.0")
    assert seen["HTTP_X_ORIGIN_IP"] == "127.0.0.1"
    assert seen["HTTP_AA_REQUEST_ID"] != alice.get(f"{demo.public_url}/api/v1/me").json()["HTTP_AA_REQUEST_ID"]


def test_nobody_logged_in_is_an_empty_user_with_a_valid_secret(demo: Demo, echo: Echo) -> None:
    assert user_of(seen_by_sidecar(demo.public_url, "GET /s/abc HTTP/1.1"), demo, echo) == ""


def test_basic_credentials_name_the_user_and_do_not_travel_on(demo: Demo, echo: Echo) -> None:
    right = b64encode(b"bob:bob").decode()
    wrong = b64encode(b"bob:alice").decode()
    seen = seen_by_sidecar(demo.public_url, f"GET /x HTTP/1.1\nAuthorization: Basic {right}")
    assert user_of(seen, demo, echo) == "bob"
    assert "HTTP_AUTHORIZATION" not in seen
    seen = seen_by_sidecar(demo.public_url, f"GET /x HTTP/1.1\nAuthorization: Basic {wrong}")
    assert user_of(seen, demo, echo) == ""


FORGED = [
    "AUTHORIZATION-APP-API",
    "authorization-app-api",
    "Authorization_App_Api",
    "EX-APP-ID",
    "ex_app_id",
    "Ex-App-Version",
    "EX_APP_VERSION",
    "AA-VERSION",
    "aa_version",
    "AA-REQUEST-ID",
    "AA_Request_Id",
    "X-Origin-IP",
    "x_origin_ip",
]


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("times", [1, 3])
def test_a_forged_header_never_reaches_the_sidecar(demo: Demo, echo: Echo, name: str, times: int) -> None:
    forged = b64encode(b"alice:forged").decode()
    head = "\n".join(["GET /x HTTP/1.1", *[f"{name}: {forged}"] * times])
    seen = seen_by_sidecar(demo.public_url, head)
    assert user_of(seen, demo, echo) == ""
    assert forged not in str(seen)
    assert seen["HTTP_X_ORIGIN_IP"] == "127.0.0.1"


@pytest.mark.parametrize(
    "path",
    [
        "/heartbeat",
        "/init",
        "/enabled?enabled=1",
        "/events/node",
        "/events",
        "/EVENTS/x",
        "//events/x",
        "/%65vents/x",
        "/x/../events/x",
        "/x/%2e%2e/events/x",
        "/x/..%2Fevents/x",
        "/x\\..\\events/x",
        "/x/..;/events/x",
        "/x/.../events/x",
        "/events;a=b/x",
        "/./heartbeat",
        "/heartbeat/",
        "/%2Fheartbeat",
        "/static/ui/../../init",
    ],
)
def test_lifecycle_and_event_paths_are_not_there_however_they_are_written(demo: Demo, path: str) -> None:
    status, _, _ = ask(demo.public_url, f"GET {path} HTTP/1.1")
    assert status in (400, 404)


@pytest.mark.parametrize("path", ["/", "/api/v1/flows", "/s/Abc-_1/flow.json", "/.well-known/parapheur-keys.json"])
def test_other_paths_are_declared(path: str) -> None:
    assert is_declared(path)


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "PROPFIND", "TRACE"])
def test_only_the_platforms_methods_pass(demo: Demo, method: str) -> None:
    status, _, _ = ask(demo.public_url, f"{method} /api/v1/flows HTTP/1.1")
    assert status in (405, 501)


def test_requests_that_wait_for_the_host_do_not_starve_it(demo: Demo, echo: Echo) -> None:
    """More requests at once than the public port has threads, and each of them needs the host."""

    def asks_the_host(wiring: Wiring) -> bytes:
        return b"true" if wiring.host_takes_writes() else b"false"

    echo.act = asks_the_host
    try:
        with ThreadPoolExecutor(60) as pool:
            answers = list(pool.map(lambda _: ask(demo.public_url, "GET /x HTTP/1.1")[2], range(60)))
    finally:
        echo.act = None
    assert answers == [b"true"] * 60


def test_a_request_stuck_in_the_sidecar_does_not_block_the_files(
    demo: Demo, echo: Echo, dav: requests.Session
) -> None:
    released, entered = threading.Event(), threading.Semaphore(0)

    def stuck(_: Wiring) -> bytes:
        entered.release()
        released.wait(30)
        return b"{}"

    echo.act = stuck
    connections = [HTTPConnection("127.0.0.1", demo.port, timeout=30) for _ in range(20)]
    try:
        for connection in connections:
            connection.request("GET", "/stuck")
        for _ in connections:
            assert entered.acquire(timeout=10)
        put = dav.put(f"{demo.public_url}/remote.php/dav/files/alice/while-stuck", data=b"x", timeout=5)
        assert put.status_code in (201, 204)
        assert demo.host.takes_writes()
    finally:
        released.set()
        for connection in connections:
            connection.getresponse().read()
            connection.close()
        echo.act = None

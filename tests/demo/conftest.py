from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from plugin.demo.server import Demo, Sidecar, Wiring, build

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Echo:
    """A sidecar that tells what it sees; ``act`` may take over."""

    def __init__(self) -> None:
        self.wiring: Wiring | None = None
        self.act: Callable[[Wiring], bytes] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        assert self.wiring is not None
        if self.act is not None:
            body = self.act(self.wiring)
        else:
            body = json.dumps({name: str(value) for name, value in environ.items() if name.isupper()}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def factory(self, wiring: Wiring) -> Sidecar:
        self.wiring = wiring
        return Sidecar(self, lambda: None)


@pytest.fixture(scope="module")
def echo() -> Echo:
    return Echo()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, echo: Echo) -> Iterator[Demo]:
    running = build(tmp_path_factory.mktemp("demo") / "data", 0, echo.factory)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def alice(demo: Demo) -> Iterator[requests.Session]:
    """A browser of Alice's."""
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(f"{demo.public_url}/demo/login", json={"user": "alice"}).status_code == 200
        yield session


@pytest.fixture
def dav(demo: Demo) -> Iterator[requests.Session]:
    """Alice's WebDAV client on the public port."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("alice", "alice")
        yield session


@pytest.fixture
def root(demo: Demo) -> str:
    return f"{demo.public_url}/remote.php/dav/files/alice"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from plugin.logs import QUIET
from tests.world import Browser, World, running

settings.register_profile("beside others", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside others")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The whole product in this process, started once."""
    with running(tmp_path_factory.mktemp("world") / "data") as started:
        yield started


@pytest.fixture
def unswept(world: World) -> Iterator[None]:
    """No sweep does what the test leaves undone on purpose."""
    with world.sweeping:
        yield


@pytest.fixture(scope="session")
def alice(world: World) -> Browser:
    """French, an admin; she launches."""
    return world.login("alice")


@pytest.fixture(scope="session")
def bob(world: World) -> Browser:
    """English."""
    return world.login("bob")


@pytest.fixture(scope="session")
def carol(world: World) -> Browser:
    """French, no admin."""
    return world.login("carol")


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """For tests that call the command line in this process: it sets up the logs, which others listen to."""
    before = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    structlog.configure(**before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)

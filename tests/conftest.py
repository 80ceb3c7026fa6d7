from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import Browser, World, running


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The whole product in this process, started once."""
    with running(tmp_path_factory.mktemp("world") / "data") as started:
        yield started


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

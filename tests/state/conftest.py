from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgresql
from tests.state.world import KEPT_IN, World

ON_BOTH = {"test_store", "test_leases", "test_vault", "test_index", "test_erasing", "test_forks", "test_rotation"}
"""What must hold on either database."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        is_on_both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
        is_on_both = is_on_both and metafunc.definition.get_closest_marker("sqlite_files") is None
        metafunc.parametrize("database_kind", ("sqlite", "postgresql") if is_on_both else ("sqlite",))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    with postgresql.running() as server:
        yield server


@pytest.fixture
def data(tmp_path: Path, database_kind: str, request: pytest.FixtureRequest) -> Path:
    """A data folder; what is kept in it says where its vault and index are."""
    if database_kind == "postgresql":
        (tmp_path / KEPT_IN).write_text(request.getfixturevalue("postgresql_server").new_database())
    return tmp_path


@pytest.fixture
def world(data: Path) -> Iterator[World]:
    made = World(data)
    yield made
    made.close()

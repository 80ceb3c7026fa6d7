from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.machine import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Not started."""
    with Server(tmp_path / "data") as made:
        yield made

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plugin.demo.host import EmbeddedHost

SECRET = "between host and app"


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHost]:
    embedded = EmbeddedHost(tmp_path_factory.mktemp("host"), SECRET, with_samples=False)
    embedded.start()
    yield embedded
    embedded.stop()

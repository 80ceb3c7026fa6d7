from __future__ import annotations

from collections.abc import Iterator

import pytest

from pdfops.sandbox import Workshop


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(children=2) as opened:
        yield opened

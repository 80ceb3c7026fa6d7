from __future__ import annotations

from collections.abc import Iterator

import pytest

from pdfops.sandbox import Workshop
from tests import pki


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(children=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pki.Pki]:
    with pki.running(tmp_path_factory.mktemp("pki"), rsa_bits=3_072) as found:
        yield found


@pytest.fixture
def authority(served: pki.Pki) -> Iterator[pki.Pki]:
    served.asked = []
    yield served
    served.interfere = None

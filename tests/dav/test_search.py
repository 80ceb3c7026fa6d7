"""A search that finds more than one answer tells of."""

from __future__ import annotations

import os
import secrets

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from plugin.demo.host import EmbeddedHost
from tests.dav.conftest import SECRET
from tests.dav.test_files_contract import many

COUNT, PAGE = 130, 40


@pytest.fixture(scope="module")
def crowd(host: EmbeddedHost) -> tuple[str, list[str]]:
    return many(DavFiles(host.url, AppApi(SECRET, "0.1.0")), "F " + secrets.token_hex(6), COUNT)


@pytest.mark.parametrize("of_one_second", [1, 7, 39, 40, 41, COUNT])
def test_many_are_found_page_by_page_however_many_were_written_in_one_second(
    host: EmbeddedHost, crowd: tuple[str, list[str]], of_one_second: int
) -> None:
    name, paths = crowd
    for number, path in enumerate(paths):
        os.utime(host.area._files / "alice" / path, (1_000_000 + number // of_one_second,) * 2)
    found = DavFiles(host.url, AppApi(SECRET, "0.1.0"), page=PAGE).find_by_name("alice", name)
    assert found is not None
    assert sorted(info.path for info in found) == paths

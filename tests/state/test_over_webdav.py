"""The store on the embedded host, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import requests

from plugin.actions.rebuild import rebuild
from plugin.adapters.appapi import AppApi
from plugin.adapters.dav import DavFiles
from plugin.adapters.personal import persons_beside
from plugin.demo.host import EmbeddedHost
from plugin.flow.errors import FileTooLarge
from plugin.ports_state import DAMAGED
from tests.state.test_index import People, dump
from tests.state.world import FLOW_ID, STATE, FaultyFiles, World, agrees, append, approval, place, types, view

SECRET = "between host and app"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[EmbeddedHost]:
    embedded = EmbeddedHost(tmp_path / "host", SECRET, with_samples=False)
    embedded.start()
    yield embedded
    embedded.stop()


LIMIT = 300_000


@pytest.fixture
def remote(host: EmbeddedHost, tmp_path: Path) -> Iterator[World]:
    files = DavFiles(host.url, AppApi(SECRET, "0.1.0"), whole_bytes=LIMIT)
    world = World(tmp_path / "data", cast("FaultyFiles", files))
    yield world
    world.close()


def test_a_flow_is_launched_acted_on_restored_and_rebuilt(remote: World) -> None:
    remote.launch()
    remote.act(FLOW_ID, view())
    remote.act(FLOW_ID, approval())
    loaded = remote.act(FLOW_ID, approval("r2"), "recipient:r2")
    assert types(loaded)[-1] == "flow.completed"
    before = dump(remote)
    assert rebuild(remote.files, People(), remote.adopter).flows == 1
    assert dump(remote) == before
    assert remote.store.refresh(FLOW_ID) == loaded
    assert dump(remote) == before
    remote.files.delete("alice", place().folder)
    assert remote.store.refresh(FLOW_ID) == loaded
    remote.files.write("alice", STATE, b"somebody's edit\n")
    assert remote.store.refresh(FLOW_ID) == loaded
    append(remote)
    agrees(remote)


def test_a_folder_moved_in_the_file_manager_keeps_its_flow(remote: World, host: EmbeddedHost) -> None:
    remote.launch()
    area = f"{host.url}/remote.php/dav/files/alice"
    where = {"Destination": f"{area}/Archive"}
    with requests.Session() as session:
        answer = session.request(
            "MOVE",
            f"{area}/Contracts",
            headers=where,
            auth=("alice", "alice"),
            timeout=10,
        )
    assert answer.status_code == 201
    refreshed = remote.store.refresh(FLOW_ID)
    assert refreshed is not None
    assert refreshed.place == place(folder="Archive")
    append(remote)
    agrees(remote)


def test_what_is_too_large_to_be_ours_is_not_read_whole_and_the_flow_is_told_of(remote: World) -> None:
    remote.launch()
    good = remote.state()
    at_limit = b"x" * LIMIT
    remote.files.write("alice", "at the limit", at_limit)
    assert remote.files.read("alice", "at the limit") == at_limit
    remote.files.write("alice", STATE, at_limit + b"x")
    for look in (remote.store.refresh, remote.store.check):
        with pytest.raises(FileTooLarge):
            look(FLOW_ID)
    assert {trouble.reason for trouble in remote.vault.troubles(FLOW_ID)} == {DAMAGED}
    assert [s.reason for s in rebuild(remote.files, People(), remote.adopter).skipped] == ["file-too-large"]
    remote.files.delete("alice", STATE)
    assert rebuild(remote.files, People(), remote.adopter).restored == (FLOW_ID,)
    assert remote.state() == good
    agrees(remote)


def test_salts_of_absurd_size_are_written_again(remote: World) -> None:
    remote.launch()
    path = f"{place().folder}/salts.json"
    remote.files.write("alice", path, b"[" * (LIMIT + 1))
    remote.store.check(FLOW_ID)
    found = remote.files.read("alice", path)
    assert found is not None
    assert persons_beside(found) == {"creator", "r1", "r2"}
    agrees(remote)

"""The index deleted: the same rows come back, and links never say "not found" meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plugin.adapters.index_tables import READY
from tests.machine.machine import Case, Person, Server, case, parapheur, people, until

pytestmark = pytest.mark.machine


def index(server: Server) -> Path:
    return server.data / "parapheur" / "index.db"


def rows(server: Server) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the index."""
    with closing(sqlite3.connect(f"file:{index(server)}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {"ix_flow", "ix_file", "ix_link", "ix_person", "ix_meta"} <= set(tables)
        found = {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
    assert found["ix_meta"] == [("state", READY)]
    return found


def delete(server: Server) -> None:
    for tail in ("", "-wal", "-shm"):
        index(server).with_name(f"index.db{tail}").unlink(missing_ok=True)


@dataclass(frozen=True)
class Scene:
    """A flow that is completed, one that waits for somebody outside, a refused one; nothing is left to do for any.
    Every test leaves the server running, and the index as it was."""

    server: Server
    outside: Person
    link: str
    before: dict[str, list[tuple[Any, ...]]]

    def check_all_is_back(self) -> None:
        seen = self.outside.json(f"{self.link}/flow.json")
        assert (seen["state"], seen["me"]["my_turn"]) == ("running", True)
        assert rows(self.server) == self.before
        assert self.server.troubles == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Server(tmp_path_factory.mktemp("machine") / "data") as server:
        server.start(within_s=30)
        with people(server, "alice", "bob", None) as (alice, bob, outside):
            done, waiting, refused = (case(alice, number).launched(alice) for number in (1, 2, 3))
            assert done.sign_as_bob(bob).status_code == 200
            assert done.sign_outside(outside).status_code == 200
            assert waiting.sign_as_bob(bob).status_code == 200
            assert bob.post(f"/api/v1/flows/{refused.id}/refuse", {"reason": "Clause 7"}).status_code == 200
            for one, mails in ((done, 3), (waiting, 1), (refused, 2)):
                until(lambda one=one, mails=mails: _is_quiet(one, alice, mails), 30, "nothing is left to do")
            yield Scene(server, outside, waiting.link(outside), rows(server))


def _is_quiet(one: Case, alice: Person, mails: int) -> bool:
    return [event["type"] for event in one.events(alice)][-mails:] == ["mail.accepted"] * mails


def test_deleted_while_stopped_the_rebuild_gives_the_same_rows(scene: Scene) -> None:
    scene.server.end()
    delete(scene.server)
    done = parapheur(scene.server.data, "rebuild", "--json")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "3 of 3 flows")
    assert json.loads(done.stdout) == {"flows": 3, "skipped": [], "users_skipped": 0, "restored": [], "resumed": 0}
    assert rows(scene.server) == scene.before
    scene.server.start()
    scene.check_all_is_back()


def test_deleted_while_running_links_say_come_back_later_until_it_is_rebuilt(scene: Scene) -> None:
    delete(scene.server)
    for path in ("", "/flow.json", "/documents/0"):
        answer = scene.outside.get(scene.link + path)
        assert answer.status_code == 503, path
        assert int(answer.headers["Retry-After"]) > 0
    health = scene.outside.json("/healthz")
    assert health["status"] == "degraded"
    assert next(check for check in health["checks"] if check["name"] == "index")["state"] == "degraded"
    done = parapheur(scene.server.data, "rebuild", "--quiet")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "3 flows in the index\n")
    scene.check_all_is_back()


def test_deleted_while_running_it_also_comes_back_by_itself(scene: Scene) -> None:
    delete(scene.server)
    until(lambda: _works(scene), 60, "the sweep rebuilds it")
    scene.check_all_is_back()


def test_deleted_while_stopped_and_simply_started_again_it_comes_back_too(scene: Scene) -> None:
    scene.server.kill()
    delete(scene.server)
    scene.server.start()
    until(lambda: _works(scene), 20, "links work again")
    scene.check_all_is_back()


def _works(scene: Scene) -> bool:
    """Never anything but "come back later" and the flow itself."""
    status = scene.outside.get(f"{scene.link}/flow.json").status_code
    assert status in (200, 503), status
    return status == 200

"""A host that says two things of one file: nothing is concluded from that, and no second copy made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plugin.actions.context import Context
from plugin.actions.documents import put_new
from plugin.actions.launch import forget
from plugin.flow.errors import HostUnavailable
from plugin.ports_files import FileInfo
from plugin.ports_vault import LaunchAttempt
from tests.fakes import MemoryFiles
from tests.state.world import NOW, World

COPY = b"signed by everybody"
SHA256 = hashlib.sha256(COPY).hexdigest()


class Forgetful(MemoryFiles):
    """Once, it does not find what is there."""

    forgets = ""

    def stat(self, user: str, path: str) -> FileInfo | None:
        return None if self._forgets("stat") else super().stat(user, path)

    def read(self, user: str, path: str) -> bytes | None:
        return None if self._forgets("read") else super().read(user, path)

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        if not self._forgets("delete"):
            super().delete(user, path, if_match=if_match)

    def _forgets(self, what: str) -> bool:
        forgets = self.forgets == what
        self.forgets = "" if forgets else self.forgets
        return forgets


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("what", ["stat", "read"])
def test_a_copy_that_is_there_already_is_found_again_although_the_host_forgot_it_once(what: str) -> None:
    files = Forgetful()
    ctx = cast("Context", SimpleNamespace(files=files))
    lay: Any = lambda: put_new(ctx, "alice", "", "Bail (signé).pdf", COPY, SHA256)  # noqa: E731 - shorter than a function, and used below
    first = lay()
    files.forgets = what
    with pytest.raises(HostUnavailable):
        lay()
    assert lay() == first
    assert [info.name for info in files.list("alice", "")] == ["Bail (signé).pdf"]


def test_what_a_launch_left_is_forgotten_only_once_it_is_gone(world: World) -> None:
    files, attempt = Forgetful(), LaunchAttempt("a", "alice", {".flows/a": ""})
    ctx = cast("Context", SimpleNamespace(files=files, vault=world.vault, flows=world.store))
    world.vault.begin_launch(attempt, NOW)
    world.vault.give_up_launch("a", NOW, timedelta())
    files.make_folder("alice", ".flows/a")
    files.forgets = "delete"
    with pytest.raises(HostUnavailable):
        forget(ctx, attempt)
    assert world.vault.cut_off_launches(NOW) == [attempt]
    forget(ctx, attempt)
    assert world.vault.cut_off_launches(NOW) == []
    assert files.list("alice", ".flows") == []

"""A host that says two things of one file: nothing is concluded from that, and no second copy made."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plugin.actions.context import Context
from plugin.actions.documents import put_new
from plugin.flow.errors import HostUnavailable
from plugin.ports import FileInfo
from tests.fakes import MemoryFiles

COPY = b"signed by everybody"
SHA256 = hashlib.sha256(COPY).hexdigest()


class Forgetful(MemoryFiles):
    """Once, it does not find what is there."""

    forgets = ""

    def stat(self, user: str, path: str) -> FileInfo | None:
        return None if self._forgets("stat") else super().stat(user, path)

    def read(self, user: str, path: str) -> bytes | None:
        return None if self._forgets("read") else super().read(user, path)

    def _forgets(self, what: str) -> bool:
        forgets = self.forgets == what
        self.forgets = "" if forgets else self.forgets
        return forgets


@pytest.mark.parametrize("what", ["stat", "read"])
def test_a_copy_that_is_there_already_is_found_again_although_the_host_forgot_it_once(what: str) -> None:
    files = Forgetful()
    ctx = cast("Context", SimpleNamespace(files=files))
    lay: Any = lambda: put_new(ctx, "alice", "", "Bail (signé).pdf", COPY, SHA256)  # noqa: E731
    first = lay()
    files.forgets = what
    with pytest.raises(HostUnavailable):
        lay()
    assert lay() == first
    assert [info.name for info in files.list("alice", "")] == ["Bail (signé).pdf"]

"""What is taken away because it was stored by half, on every host: that, and nothing that came since."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plugin.actions.documents import put_new
from plugin.actions.revisions import take_wrong_away
from plugin.adapters.appapi import AppApi
from plugin.adapters.dav_conditions import CarefulFiles
from plugin.flow.errors import HostUnavailable
from plugin.ports_files import PreconditionFailed
from tests.faults import hosts
from tests.faults.sidecar import SECRET

WHOLE = b"%PDF-one, and more of it %%EOF"


@pytest.mark.parametrize("kind", hosts.KINDS)
def test_half_that_was_just_stored_is_taken_away(kind: str, tmp_path: Path) -> None:
    with hosts.running(kind, tmp_path) as host:
        files = CarefulFiles(host.url, AppApi(SECRET, "0.1.0"))

        class Halving:
            def __getattr__(self, name: str) -> Any:
                return getattr(files, name)

            def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
                return replace(files.write(user, path, data[:12], **more), sha256=None)

        ctx: Any = SimpleNamespace(files=Halving())
        with pytest.raises(HostUnavailable):
            put_new(ctx, "alice", "", "a.pdf", WHOLE, hashlib.sha256(WHOLE).hexdigest())
        assert files.read("alice", "a.pdf") is None


@pytest.mark.parametrize("kind", hosts.KINDS)
def test_a_revision_that_is_wrong_is_taken_away_and_one_that_is_right_stays(kind: str, tmp_path: Path) -> None:
    with hosts.running(kind, tmp_path) as host:
        ctx: Any = SimpleNamespace(files=CarefulFiles(host.url, AppApi(SECRET, "0.1.0")))
        name = hashlib.sha256(WHOLE).hexdigest()
        for data in (WHOLE, WHOLE[:12]):
            ctx.files.write("alice", name, data)
            take_wrong_away(ctx, "alice", name, name)
            assert ctx.files.read("alice", name) == (WHOLE if data == WHOLE else None)


@pytest.mark.parametrize("kind", hosts.KINDS)
def test_what_is_something_else_by_now_is_not_deleted(kind: str, tmp_path: Path) -> None:
    with hosts.running(kind, tmp_path) as host:
        files = CarefulFiles(host.url, AppApi(SECRET, "0.1.0"))
        first = files.write("alice", "a.pdf", b"one")
        files.write("alice", "a.pdf", b"and another")
        with pytest.raises(PreconditionFailed):
            files.delete("alice", "a.pdf", if_match=first.etag)
        assert files.read("alice", "a.pdf") == b"and another"

"""Restarts that fail, or come late: what counts, lies where it lay."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from plugin.actions.restart import restart
from plugin.actions.suspend import look_after
from plugin.flow.errors import Conflict, HostFull, Unavailable
from plugin.flow.model import By
from plugin.ports_files import Streamed
from tests.api.saving import Idle, sha
from tests.api.test_large_files import SIZE, NoCopies, order, small_limit
from tests.api.test_sources import resumed
from tests.world import Browser, World

pytestmark = pytest.mark.usefixtures("unswept")


def test_a_restart_of_a_large_file_that_fails_leaves_what_was_pinned(world: World, alice: Browser) -> None:
    folder, data = world.folder(), secrets.token_bytes(SIZE)
    file_id = world.put(f"{folder}/Plan.dwg", data)

    class NeverRests(NoCopies):
        """Somebody appends to it whenever it was read."""

        grown = b""

        @contextmanager
        def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
            with self._files.open_stream(user, path) as stream:
                yield stream
            if path.endswith("Plan.dwg"):
                NeverRests.grown += b"more"
                world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=data + NeverRests.grown)

    with small_limit(world, files=NoCopies(world.office.ctx.files)):
        flow_id = world.launch(alice, order(file_id))["id"]
        world.settled(flow_id)
        world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=b"x" * (SIZE + 1))
        look_after(world.office.ctx, flow_id)
        assert alice.get(f"flows/{flow_id}").json()["state"] == "suspended"
        world.dav("alice", "PUT", f"{folder}/Plan.dwg", data=data)  # put back, and seen by nobody yet
    with small_limit(world, files=NeverRests(world.office.ctx.files)):
        answer = resumed(alice, flow_id, "restart")
        assert (answer.status_code, answer.json()["code"]) == (503, "document-changing")
    with small_limit(world, files=NoCopies(world.office.ctx.files)):
        assert resumed(alice, flow_id, "continue").status_code == 200
        answer = world.recipient("bob", flow_id).get("documents/0")
        assert (answer.status_code, answer.content == data) == (200, True), answer.text[:300]


class Blinking:
    """A host that says once that a revision is not there, of which it just said that it is; and then has no room."""

    def __init__(self, files: Any, name: str) -> None:
        self._files, self._name, self.blinks = files, name, 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def read(self, user: str, path: str) -> Any:
        if path.endswith(self._name) and self.blinks:
            self.blinks -= 1
            return None
        return self._files.read(user, path)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith(self._name) and not self.blinks:
            raise HostFull
        return self._files.write(user, path, *args, **more)


def suspended_again_as_it_was(world: World, alice: Browser, data: bytes) -> tuple[str, str]:
    folder = world.folder()
    flow_id = world.validation(alice, [world.put(f"{folder}/Note.txt", data)], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Plutot non")
    look_after(world.office.ctx, flow_id)
    assert alice.get(f"flows/{flow_id}").json()["state"] == "suspended"
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=data)
    return folder, flow_id


def test_a_restart_that_fails_takes_away_no_revision_that_counts(world: World, alice: Browser) -> None:
    data = b"Oui ou non, " + secrets.token_bytes(8).hex().encode()
    folder, flow_id = suspended_again_as_it_was(world, alice, data)
    assert sha(data) in world.names(f"{folder}/.flows/{flow_id}")
    with world.handed(files=Blinking(world.office.ctx.files, sha(data)), jobs=Idle()):
        assert resumed(alice, flow_id, "restart").status_code in (503, 507)
    assert sha(data) in world.names(f"{folder}/.flows/{flow_id}")


class LateHalf:
    """A host that stores half; who stored it stands still right after reading it back, and ``meanwhile`` happens."""

    def __init__(self, files: Any, name: str, meanwhile: Any) -> None:
        self._files, self._name, self._meanwhile = files, name, meanwhile
        self._has_deleted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def delete(self, user: str, path: str, **more: Any) -> None:
        self._has_deleted = True
        self._files.delete(user, path, **more)

    def write(self, user: str, path: str, data: bytes, **more: Any) -> Any:
        if not path.endswith(self._name):
            return self._files.write(user, path, data, **more)
        if self._has_deleted:
            raise HostFull
        return replace(self._files.write(user, path, data[: len(data) // 2], **more), sha256=None)

    def read(self, user: str, path: str) -> Any:
        found = self._files.read(user, path)
        if path.endswith(self._name):
            meanwhile, self._meanwhile = self._meanwhile, lambda: None
            meanwhile()
        return found


def test_two_restarts_one_of_them_late_leave_the_revision_that_counts(world: World, alice: Browser) -> None:
    folder = world.folder()
    new = b"Plutot non, " + secrets.token_bytes(8).hex().encode()
    flow_id = world.validation(alice, [world.put(f"{folder}/Note.txt", b"Oui")], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=new)
    look_after(world.office.ctx, flow_id)
    ctx = replace(world.office.ctx, jobs=Idle())

    def other() -> None:
        """Another replica's, since the lease ran out: it meets the half, takes it away and stores the whole."""
        restart(ctx, flow_id, By.CREATOR)

    late = replace(ctx, files=LateHalf(ctx.files, sha(new), other))
    with pytest.raises((Unavailable, Conflict)):
        restart(late, flow_id, By.CREATOR)
    (document,) = ctx.flows.load(flow_id).flow.documents
    assert document.sha256 == sha(new)  # the other one's counts
    assert sha(new) in world.names(f"{folder}/.flows/{flow_id}")

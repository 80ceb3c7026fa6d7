"""A double click on "launch" of which the first request takes longer than the claim that keeps its twin out."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.world import Browser, World, pdf

WITHIN_S = 20.0


class Slow:
    """The file area. The first launch's first revision waits until its twin has the claim, and pins; the twin's waits
    until the first one's first line is on its way."""

    def __init__(self, files: Any, twin: threading.Thread) -> None:
        self._files, self._twin = files, twin
        self._first = ""
        self._twin_pins, self._first_puts = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        flow_id = path.split("/.flows/")[1].split("/")[0]
        if not self._first:
            self._first = flow_id
            self._twin.start()
            assert self._twin_pins.wait(WITHIN_S)
        elif flow_id != self._first and not self._twin_pins.is_set():
            self._twin_pins.set()
            assert self._first_puts.wait(WITHIN_S)
        return self._files.write(user, path, *args, **more)

    def first_has_done(self) -> None:
        """All that it is going to do, or its first line is about to be put."""
        self._first_puts.set()
        self._twin.join(WITHIN_S)

    def is_of_first(self, path: str) -> bool:
        return self._first in path


class SlowState:
    """The state files; whoever puts the first launch's first line stands still until its twin is done."""

    def __init__(self, files: Any, slow: Slow) -> None:
        self._files, self._slow = files, slow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def write(self, user: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith("flow.jsonl") and self._slow.is_of_first(path):
            self._slow.first_has_done()
        return self._files.write(user, path, *args, **more)


def test_one_click_is_one_flow_though_its_twin_is_served_by_the_same_process(
    world: World, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.folder()
    body = {
        "kind": "validation",
        "documents": [{"file_id": world.put(f"{folder}/Bail.pdf", pdf())}],
        "recipients": [{"user": "bob"}],
    }
    ctx, again = world.office.ctx, world.login("alice")
    key, answers = {"Idempotency-Key": f"launch {folder}"}, []
    twin = threading.Thread(target=lambda: answers.append(again.post("flows", body, headers=key).status_code))
    slow = Slow(ctx.files, twin)

    def clock() -> datetime:
        return ctx.clock() + timedelta(minutes=0 if twin.ident is None else 2)

    monkeypatch.setattr(ctx.flows._host, "_files", SlowState(ctx.files, slow))
    with world.handed(files=slow, clock=clock):
        first = alice.post("flows", body, headers=key)
        slow.first_has_done()
    assert (first.status_code, first.json()["code"]) == (503, "still-launching")
    assert answers == [201]
    assert len([name for name in world.names(folder) if name.endswith("flow.jsonl")]) == 1

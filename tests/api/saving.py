"""For tests of where results go: flows of Alice's that Bob decides on, and what is then where."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pypdf

from plugin.actions.context import Context
from plugin.flow.errors import HostFull
from tests.world import Browser, Json, World

HERE = {"mode": "beside"}
VERSION = {"mode": "version"}


def into(folder: str) -> Json:
    return {"mode": "folder", "folder": folder}


def saved(world: World, alice: Browser, save: Json, ids: Sequence[str], *, kind: str = "signature") -> str:
    """Returns: the id of a flow of Alice's that Bob is asked to decide on."""
    if kind == "signature":
        return str(world.signature(alice, ids, [{"user": "bob"}], save=save)["id"])
    return str(world.validation(alice, ids, [{"user": "bob"}], save=save)["id"])


def read(alice: Browser, flow_id: str) -> Json:
    answer = alice.get(f"flows/{flow_id}", headers={"Accept-Language": "fr"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ended(world: World, alice: Browser, flow_id: str) -> Json:
    world.settled(flow_id)
    return read(alice, flow_id)


def told(world: World, flow_id: str, kind: str = "completed") -> str:
    return " ".join(str(world.mail(flow_id, kind, "alice@")["text"]).split())


def shown(world: World, folder: str) -> list[str]:
    return [name for name in world.names(folder) if not name.startswith(".flows")]


def attached(data: bytes) -> Json:
    (content,) = pypdf.PdfReader(io.BytesIO(data)).attachments["evidence.json"]
    return dict(json.loads(content))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


RECORD = "Bail (dossier de preuves).pdf"


class Idle:
    """The ``Jobs`` port: nothing is looked at but by hand."""

    def look_at(self, flow_id: str) -> None: ...

    def look_after(self, flow_id: str) -> None: ...


def later(ctx: Context, hours: int) -> Callable[[], Any]:
    return lambda: ctx.clock() + timedelta(hours=hours)


class NeverFinishing:
    def __init__(self, flows: Any) -> None:
        self._flows = flows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)

    def append(self, loaded: Any, lease: Any, events: Any, actor: str, now: Any) -> Any:
        if any(event.type == "flow.completed" for event in events):
            raise HostFull
        return self._flows.append(loaded, lease, events, actor, now)

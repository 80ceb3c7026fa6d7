"""A person's values are made unreadable, on request: asked for by an administrator, here or on the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from plugin.actions.acting import MAX_TRIES
from plugin.flow.commands import Erase
from plugin.flow.decide import decide
from plugin.flow.errors import AccountOut, Conflict, NotFound, OutOfReach
from plugin.flow.model import By
from plugin.ports import ChainMoved, Flows, Loaded


def erase(flows: Flows, clock: Callable[[], datetime], flow_id: str, person: str) -> Loaded:
    """``person``: an id of the flow, or "creator". Once written down it holds; the salt goes after it, now or, where
    that is cut off, with the next sweep. Raises: NotFound, Conflict flow-running, or why nothing can be written;
    Unavailable."""
    try:
        _note(flows, clock, flow_id, person)
    except (AccountOut, OutOfReach) as error:
        raise Conflict(error.code) from error
    flows.forget(flow_id)
    loaded = flows.load(flow_id)
    if loaded is None:
        raise NotFound
    return loaded


def _note(flows: Flows, clock: Callable[[], datetime], flow_id: str, person: str) -> None:
    with flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded, now = flows.load(flow_id), clock()
            if loaded is None:
                raise NotFound
            try:
                flows.append(loaded, lease, decide(loaded.flow, Erase(person, By.ADMIN), now), str(By.ADMIN), now)
            except ChainMoved:
                continue
            return
    raise Conflict("state-changed")

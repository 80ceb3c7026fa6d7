"""A person's values are made unreadable, on request: asked for by an administrator, here or on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from plugin.actions.accounts import creators_account
from plugin.actions.acting import MAX_TRIES
from plugin.flow.commands import Erase
from plugin.flow.decide import decide
from plugin.flow.errors import AccountOut, Conflict, NotFound, OutOfReach
from plugin.flow.model import By
from plugin.ports import Account, Accounts
from plugin.ports_state import ChainMoved, Flows, Loaded


@dataclass(frozen=True, slots=True)
class Erased:
    """``is_beside``: in the flow's folder as well; false where that went with its creator's account, so that only this
    server's copies could be rid of it."""

    loaded: Loaded
    is_beside: bool


def erase(flows: Flows, accounts: Accounts, clock: Callable[[], datetime], flow_id: str, person: str) -> Erased:
    """``person``: an id of the flow, or "creator". Once written down it holds; the salt goes after it, now or, where
    that is cut off, with the next sweep. A flow whose creator's account was deleted goes on no more: whoever takes
    part in it can be erased, too.

    Raises: NotFound, Conflict flow-running, or why nothing can be written; Unavailable.
    """
    before = _loaded(flows, flow_id)
    is_gone = accounts.state(before.place.owner, creators_account(before.flow)) is Account.GONE
    command, is_beside = Erase(person, By.ADMIN, goes_on=not is_gone), True
    try:
        _note(flows, clock, flow_id, command)
    except (AccountOut, OutOfReach) as error:
        if not is_gone:
            raise Conflict(error.code) from error
        is_beside = False
        _note(flows, clock, flow_id, command, only_here=True)
    if is_beside:
        is_beside = _forgotten_beside(flows, flow_id, is_gone=is_gone)
    return Erased(_loaded(flows, flow_id), is_beside)


def _loaded(flows: Flows, flow_id: str) -> Loaded:
    loaded = flows.load(flow_id)
    if loaded is None:
        raise NotFound
    return loaded


def _forgotten_beside(flows: Flows, flow_id: str, *, is_gone: bool) -> bool:
    try:
        flows.forget(flow_id)
    except (AccountOut, OutOfReach):
        if not is_gone:
            raise
        return False
    return True


def _note(
    flows: Flows, clock: Callable[[], datetime], flow_id: str, command: Erase, *, only_here: bool = False
) -> None:
    with flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded, now = _loaded(flows, flow_id), clock()
            events = decide(loaded.flow, command, now)
            try:
                flows.append(loaded, lease, events, str(By.ADMIN), now, only_here=only_here)
            except ChainMoved:
                continue
            return
    raise Conflict("state-changed")

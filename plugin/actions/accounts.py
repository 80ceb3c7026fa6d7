"""The creator's account, known by an id that no later account of the same login bears."""

from __future__ import annotations

from plugin.actions.context import Context
from plugin.flow.errors import AccountOut
from plugin.flow.model import Flow
from plugin.ports_state import Loaded


def creators_account(flow: Flow) -> str | None:
    """None where the flow was launched before accounts were noted, and once the creator was erased."""
    return flow.creator.account.value if flow.creator.account is not None else None


def check_creators_account(ctx: Context, loaded: Loaded) -> None:
    """To be asked before anything is put where nothing of the flow lies: it could be somebody else's home by now.

    Raises: AccountOut, Unavailable.
    """
    known = creators_account(loaded.flow)
    if known is not None and ctx.accounts.id(loaded.place.owner, fresh=True) != known:
        raise AccountOut

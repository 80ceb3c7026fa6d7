"""Flows that need a hand: running ones in trouble, those that ended and whose evidence cannot be laid down, and all
whose state file was not what was written."""

from __future__ import annotations

from collections.abc import Sequence

from plugin.actions.waiting import REASONS
from plugin.ports_state import (
    DAMAGED,
    ERASING,
    QUARANTINED,
    RESTORED,
    UNKNOWN_KEY,
    Index,
    ListRow,
)
from plugin.ports_vault import Trouble, Vault

OF_STATE_FILES = (QUARANTINED, RESTORED, DAMAGED)
"""They are somebody's doing, and told whether or not the flow has ended, until somebody has seen them."""
_OF_ENDED_FLOWS = (*OF_STATE_FILES, UNKNOWN_KEY, ERASING, *REASONS)


def troubles(vault: Vault, index: Index) -> list[Trouble]:
    """Oldest first. Raises: IndexMissing."""
    running = set(index.running())
    return [t for t in vault.troubles() if t.flow_id in running or t.reason in _OF_ENDED_FLOWS]


def troubled_flows(vault: Vault, index: Index, limit: int) -> Sequence[ListRow]:
    """Newest first. Raises: IndexMissing."""
    found = dict.fromkeys(trouble.flow_id for trouble in troubles(vault, index))
    return index.listed(sorted(found, reverse=True)[:limit])


def seen(vault: Vault, flow_id: str) -> int:
    """Somebody has looked at what befell this flow's state file. Returns: how many troubles that ends."""
    ended = [t for t in vault.troubles(flow_id) if t.reason in OF_STATE_FILES]
    for trouble in ended:
        vault.end_trouble(flow_id, trouble.reason, trouble.person)
    return len(ended)

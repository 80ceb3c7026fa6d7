"""Flows that need a hand: running ones of which a trouble is known."""

from __future__ import annotations

from collections.abc import Sequence

from plugin.ports import Index, ListRow, Trouble, Vault


def troubles(vault: Vault, index: Index) -> list[Trouble]:
    """Oldest first. Raises: IndexMissing."""
    running = set(index.running())
    return [trouble for trouble in vault.troubles() if trouble.flow_id in running]


def troubled_flows(vault: Vault, index: Index, limit: int) -> Sequence[ListRow]:
    """Newest first. Raises: IndexMissing."""
    found = dict.fromkeys(trouble.flow_id for trouble in troubles(vault, index))
    return index.listed(sorted(found, reverse=True)[:limit])

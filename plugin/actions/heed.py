"""The host tells that files were renamed, moved, written or deleted. Only a hint: the host itself is asked before
anything is done, and what was never told is found by the patrol."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plugin.actions.context import Context

_OWN = re.compile(r"(?:.*/)?\.flows/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/.*)?", re.ASCII | re.DOTALL)
AT_MOST = 500
WRITTEN_EVERY_S = 30
"""Whoever works on a document saves it again and again."""
WRITTEN_SINCE = "written-since"
"""The piece of work, and its reason: a flow to be looked after once more, since something was written after a look."""


@dataclass(frozen=True, slots=True)
class Hint:
    """``file_ids`` of the nodes, where they have one; ``places``: (owner, path) of each, before and after.

    ``is_written``: only the content changed."""

    file_ids: Sequence[str]
    places: Sequence[tuple[str, str]]
    is_written: bool


def heed(ctx: Context, hint: Hint) -> int:
    """Has every running flow looked after that the nodes may belong to. Returns: how many.

    Raises: IndexMissing.
    """
    flows = [flow_id for file_id in hint.file_ids for flow_id in ctx.index.flows_of_file(file_id)]
    if not hint.is_written:  # what is written in a flow's own folder is nearly always ours
        flows += _below(ctx, hint.places)
    wanted = list(dict.fromkeys(flows))[:AT_MOST]
    for flow_id in wanted:
        if hint.is_written and not ctx.vault.claim(flow_id, "written", ctx.clock(), WRITTEN_EVERY_S):
            if WRITTEN_SINCE not in ctx.vault.attempts(flow_id):
                ctx.vault.postpone(flow_id, WRITTEN_SINCE, ctx.clock(), WRITTEN_SINCE)
            continue
        ctx.jobs.look_after(flow_id)
    return len(wanted)


def heed_later(ctx: Context) -> None:
    """What was written within seconds after a look is looked at with the next sweep."""
    for flow_id in ctx.vault.put_off(WRITTEN_SINCE, ctx.clock()):
        ctx.vault.release(flow_id, WRITTEN_SINCE)  # first: what is written during the look asks for another
        ctx.jobs.look_after(flow_id)


def _below(ctx: Context, places: Iterable[tuple[str, str]]) -> list[str]:
    found: list[str] = []
    for owner, path in places:
        own = _OWN.fullmatch(path)
        if own is not None:
            found.append(own[1])
        elif path:
            found += ctx.index.flows_below(owner, path)
    return found

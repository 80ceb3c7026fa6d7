"""Observers and copy addresses: they are told of the end and of nothing before, and may decide nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from plugin.actions.approve import approve
from plugin.actions.context import Context
from plugin.actions.delegate import delegate
from plugin.actions.order import Asked
from plugin.actions.refuse import refuse
from plugin.actions.sign import Signing, sign
from plugin.actions.view import view
from plugin.flow.events import Trace as Came
from plugin.flow.model import Role
from tests.simulation.story import Party, Story

ACTS = ("view", "approve", "sign", "refuse", "delegate")


def with_observers(dice: random.Random, story: Story, users: tuple[str, ...], refused: float) -> Story:
    """After those who act, as the product numbers them. ``refused``: as in `drawn_story`."""
    if dice.random() >= 0.4:
        return story
    parties, copies = [*story.parties], list[str]()
    taken = {party.user for party in parties}
    for number in range(dice.choice((1, 1, 2, 3))):
        address = f"{'nobody-' if dice.random() < refused else ''}o{story.number}-{number}@elsewhere.example"
        free = [user for user in users if user not in taken]
        if dice.random() < 0.4:
            copies.append(address)
        elif free and dice.random() < 0.4:
            user = dice.choice(free)
            taken.add(user)
            parties.append(Party("", "observer", user, f"{user}@example.org", "looks on"))
        else:
            parties.append(Party("", "observer", None, address, "looks on"))
    parties += [Party("", "observer", None, address, "looks on", is_copy=True) for address in copies]
    parties = [replace(party, rid=f"r{place + 1}") for place, party in enumerate(parties)]
    if dice.random() < 0.3:  # of somebody who is there already: no further copy
        copies.append(dice.choice([f"{story.creator}@example.org", parties[0].email]))
    if story.erased is not None and dice.random() < 0.3:
        story.erased = parties[-1].rid
    story.parties, story.copies = parties, tuple(copies)
    return story


def act_of(story: Story, rid: str, act: str, request: str, link_round: int | None) -> Callable[[Context], Any]:
    """Any act, as somebody sends it who has seen what was pinned."""
    flow_id, came = str(story.flow_id), Came(None, "proxy", None, request)
    documents = range(len(story.papers))
    shown = dict.fromkeys(documents, "0" * 64)
    match act:
        case "view":
            return lambda ctx: view(ctx, flow_id, rid, frozenset(documents), link_round)
        case "approve":
            return lambda ctx: approve(ctx, flow_id, rid, _now(ctx, flow_id, shown), None, came, link_round)
        case "sign":
            return partial(_signed, flow_id, rid, shown, came, link_round)
        case "refuse":
            return lambda ctx: refuse(ctx, flow_id, rid, "No", came, link_round)
        case _:
            asked = Asked(
                None, f"w{story.number}@elsewhere.example", None, None, None, Role(story.party(rid).role), None
            )
            return lambda ctx: delegate(ctx, flow_id, rid, asked, came, link_round)


def _signed(flow_id: str, rid: str, shown: dict[int, str], came: Came, link_round: int | None, ctx: Context) -> Any:
    now = _now(ctx, flow_id, shown)
    signing = Signing("typed", f"Name of {rid}", "signature.text", now, True, "I agree", "en")
    return sign(ctx, flow_id, rid, signing, came, link_round)


def _now(ctx: Context, flow_id: str, shown: dict[int, str]) -> dict[int, str]:
    """The content of now, that only the turn can be why it is refused."""
    loaded = ctx.flows.load(flow_id)
    return {d.n: d.current_sha256 for d in loaded.flow.documents} if loaded is not None else shown

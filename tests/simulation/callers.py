"""By which way somebody comes in: the link in a mail, one that a newer one has replaced, or none that lets him act."""

from __future__ import annotations

import re
from functools import partial

from plugin.actions.acting import load
from plugin.flow.errors import Conflict
from plugin.flow.model import FlowState
from plugin.flow.tokens import token_hash
from plugin.ports import Mail
from tests.simulation.bystanders import ACTS, act_of
from tests.simulation.creators import AGAIN, Creators, Town
from tests.simulation.replica import EXPECTED
from tests.simulation.scheduler import NEVER
from tests.simulation.story import Story

_LINK = re.compile(r"https://sign\.example/(s|f)/([A-Za-z0-9_-]+)")
OLD, OBSERVES = "by an old link", "an observer"


class Callers(Creators):
    def __init__(self, world: Town) -> None:
        super().__init__(world)
        self._old: set[tuple[str, str, int]] = set()

    def _follows(self, story: Story, rid: str, mail: Mail) -> int | None:
        """The link leads to this flow and person, and to nobody else. Returns: its round; None: into his session."""
        found = _LINK.search(mail.text)
        if found is None:
            self._world.fails(f"no link in {mail.message_id}")
            return None
        where, token = found.groups()
        if where == "f":
            if token != story.flow_id:
                self._world.fails(f"{mail.message_id} leads to {token}")
            return None
        row = self._insists("link", lambda ctx: ctx.index.link(token_hash(token)))
        if row is None or (row.flow_id, row.recipient) != (story.flow_id, rid):
            self._world.fails(f"the link in {mail.message_id} leads to {row}")
            return None
        return int(row.round)

    def _meets_closed_door(self, story: Story, rid: str) -> None:
        """The flow stands still, and says why. He tries again, or waits for the mail that calls him back, as long as
        one is owed to him."""
        away = story.creator in self._world.host.out
        flow = self._insists("look", lambda ctx: load(ctx, str(story.flow_id))).flow
        why = flow.suspension.reason if flow.suspension is not None else "nothing"
        if flow.state is FlowState.SUSPENDED:
            self._world.oracle.is_told_why(story, str(why), is_away=away and story.creator in self._world.host.out)
        self._world.trace.count(f"closed doors: {why}")
        if self._dice.random() < 0.5:
            self._world.scheduler.sleep(self._dice.uniform(1.0, 10.0))
            return
        while True:
            self._world.scheduler.sleep(self._dice.uniform(2.0, 15.0))
            if not self._world.oracle.is_to_be_called_back(story, rid):
                return

    # ---- in vain ----------------------------------------------------------------------------------------------------
    def holds_old_link(self, story: Story, rid: str, round_: int) -> None:
        known = (str(story.flow_id), rid, round_)
        if round_ < 1 or known in self._old:
            return
        self._old.add(known)
        for _ in range(self._dice.choice((0, 1, 2))):
            job = partial(self._tries_in_vain, story, rid, self._dice.choice(ACTS), round_, OLD)
            self._spawns("old link", job, self._dice.uniform(0.0, 120.0))

    def _is_old_link(self, story: Story, conflict: Conflict) -> bool:
        """He is told that a newer link was made: one was asked for, or everybody was asked anew."""
        is_newer = story.steered == "renew" or story.on_change == "restart"
        return conflict.values.get("by") == "newer-link" and is_newer

    def _looks_on(self, story: Story, rid: str) -> None:
        for _ in range(self._dice.choice((0, 1, 2))):
            job = partial(self._tries_in_vain, story, rid, self._dice.choice(ACTS), None, OBSERVES)
            self._spawns("observer", job, self._dice.uniform(1.0, 300.0))

    def _reads_of_the_end(self, story: Story, rid: str, mail: Mail) -> None:
        link_round = self._follows(story, rid, mail)
        self._tries_in_vain(story, rid, self._dice.choice(ACTS), link_round, OBSERVES)

    def _tries_in_vain(self, story: Story, rid: str, act: str, link_round: int | None, why: str) -> None:
        """Nothing may come of it. His consent is told, so that nothing but that makes it unlawful."""
        request = f"in vain {rid} {self._dice.randrange(10**9)}"
        self._world.oracle.sent(story, rid, request, self._world.wall, consents=True, link_round=link_round)
        self._world.trace.count(f"in vain: {why}")
        try:
            self._world.ask("in vain", act_of(story, rid, act, request, link_round), NEVER)
        except (*AGAIN, *EXPECTED):
            return
        self._world.fails(f"{rid} of {story.flow_id}, {why}, could {act}")

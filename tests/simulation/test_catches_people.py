"""As `test_catches`: breaks that concern who is told of what, and by which way somebody comes in."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.flow.errors import Conflict
from plugin.flow.model import Flow, Role
from tests.simulation.test_catches import Mutation, assert_caught


def _lets_observers_act(patch: pytest.MonkeyPatch) -> None:
    """Whoever looks on may see, and end, what he looks at."""
    from plugin.flow import decide

    real = decide.check_turn

    def check(flow: Any, rid: str, *more: Any) -> Any:
        try:
            return real(flow, rid, *more)
        except Conflict as conflict:
            if conflict.code != "not-your-turn" or flow.recipient(rid).role is not Role.OBSERVER:
                raise
            return flow.recipient(rid)

    patch.setattr(decide, "check_turn", check)
    patch.setattr("plugin.actions.acting.check_turn", check)


def _tells_observers_of_everything(patch: pytest.MonkeyPatch) -> None:
    from plugin.flow import owed

    real = owed._took_part
    patch.setattr(owed, "_took_part", lambda recipient: real(recipient) or recipient.role is Role.OBSERVER)


def _invites_observers(patch: pytest.MonkeyPatch) -> None:
    """Before the end, with a link that leads nowhere."""
    from plugin.flow import owed

    real = owed._running

    def running(flow: Flow) -> Any:
        yield from real(flow)
        done = {(mail.mail, mail.person) for mail in flow.mails}
        for observer in flow.observers:
            work = owed.MailWork(owed.MailKind.INVITATION, observer.id, observer.round)
            if (work.mail, work.person) not in done:
                yield None, work

    patch.setattr(owed, "_running", running)


def _forgets_observers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Flow, "observers", ())


def _lets_old_links_act(patch: pytest.MonkeyPatch) -> None:
    """A link that was replaced, since it had gone astray, still opens and signs."""
    patch.setattr("plugin.flow.turns.check_link", lambda *_: None)


def _renews_no_round(patch: pytest.MonkeyPatch) -> None:
    """A new link that is the old one."""
    from dataclasses import replace

    from plugin.flow import steering

    real = steering.new_link

    def new_link(flow: Flow, command: Any, now: Any) -> Any:
        events = real(flow, command, now)
        return [*events[:1], *(replace(event, round=event.round - 1) for event in events[1:])]

    patch.setattr(steering, "new_link", new_link)


MUTATIONS = [
    Mutation("lets observers act", _lets_observers_act, "an observer, could"),
    Mutation(
        "tells observers of everything", _tells_observers_of_everything, "an observer, heard by|an observer, was told"
    ),
    Mutation("invites observers", _invites_observers, "an observer, heard by|an observer, was told"),
    Mutation("forgets observers", _forgets_observers, "never come to their end"),
    Mutation("lets old links act", _lets_old_links_act, "by an old link"),
    Mutation("renews no round", _renews_no_round, "in round 1 again"),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_product_that_is_broken_there_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_caught(mutation, monkeypatch)

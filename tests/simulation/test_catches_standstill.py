"""As `test_catches`: breaks that show where a creator's account is out of service for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation.test_catches import Mutation, assert_caught

OUT = {"absences": 1.0}


def _calls_nobody_back(patch: pytest.MonkeyPatch) -> None:
    """Whoever met a closed door is not told that it is open again."""
    from plugin.flow import owed

    patch.setattr(owed, "_waited", lambda *_: False)


def _never_goes_on(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether the account is back."""
    from plugin.sweeper import Patrol

    patch.setattr(Patrol, "__call__", lambda *_: 0)


def _says_another_reason(patch: pytest.MonkeyPatch) -> None:
    from plugin.actions import acting
    from plugin.flow.model import SuspendReason

    real = acting.blocked_by

    def blocked(ctx: Any, loaded: Any, error: Any) -> SuspendReason | None:
        reason = real(ctx, loaded, error)
        if reason is not None:
            ctx.vault.end_trouble(loaded.flow.id, str(reason), "")
            ctx.vault.note_trouble(loaded.flow.id, str(SuspendReason.NO_ACCESS), "", ctx.clock())
        return reason and SuspendReason.NO_ACCESS

    patch.setattr(acting, "blocked_by", blocked)
    patch.setattr("plugin.actions.suspend.blocked_by", blocked)


def _asks_the_creator_for_help(patch: pytest.MonkeyPatch) -> None:
    """Of what he can do nothing about."""
    from plugin.flow import owed

    real = owed._running

    def running(flow: Any) -> Iterator[Any]:
        yield from real(flow)
        work = owed.MailWork(owed.MailKind.SUSPENDED, owed.CREATOR, flow.suspensions)
        if flow.suspensions and (work.mail, work.person, work.round) not in owed._done(flow):
            yield None, work

    patch.setattr(owed, "_running", running)


MUTATIONS = [
    Mutation("calls nobody back", _calls_nobody_back, "never come to their end", OUT),
    Mutation("never goes on", _never_goes_on, "never come to their end", OUT),
    Mutation("says another reason", _says_another_reason, "stands still for no-access|suspended: no-access", OUT),
    Mutation("asks the creator for help", _asks_the_creator_for_help, "was asked for help", OUT),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_product_that_is_broken_there_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_caught(mutation, monkeypatch)

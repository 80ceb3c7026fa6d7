"""The product, broken on purpose in one place: the simulator must see it. A suite that sees nothing proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from plugin.flow.errors import Conflict
from tests.simulation.chance import Chances
from tests.simulation.world import World

SEEDS = range(1, 31)
FLOWS = 8
Break = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutation:
    """``chances``: what of the world's differs from a quiet one; ``seen``: a word of what the oracle says; ``first``:
    the seed to begin with, where few show it."""

    name: str
    breaks: Break
    seen: str
    chances: dict[str, Any] = field(default_factory=dict)
    on_sql: bool = False
    flows: int = FLOWS
    first: int = SEEDS[0]


def quiet(**differing: Any) -> Chances:
    usual: dict[str, Any] = {
        "replicas": 2,
        "one_database": False,
        "etags": "content",
        "tells_hashes": True,
        "makes_folders": True,
        "honours_conditions": True,
        "weak_for_a_second": False,
        "searches": True,
        "copies": True,
    }
    return Chances(**{**usual, **differing})


def _believes_every_answer(patch: pytest.MonkeyPatch) -> None:
    """A 201 is taken for stored, without its hash and without reading it back."""
    from plugin.adapters.host_copy import HostCopy, Stored

    def replaced(self: Any, place: Any, before: bytes, log: bytes, etag: str, check_held: Any) -> Any:
        answer = self._files.write(place.owner, place.path, log, if_match=etag)
        return Stored(answer.etag, answer.file_id)

    patch.setattr(HostCopy, "replace", replaced)


def _writes_without_conditions(patch: pytest.MonkeyPatch) -> None:
    """The lease alone decides; a process that stood still writes over what came since."""
    from plugin.adapters.host_copy import HostCopy

    real = HostCopy.replace

    def replaced(self: Any, place: Any, before: bytes, log: bytes, etag: str, check_held: Any) -> Any:
        class Unconditional:
            def __getattr__(self, name: str) -> Any:
                return getattr(files, name)

            def write(self, user: str, path: str, data: bytes, **_: Any) -> Any:
                return files.write(user, path, data)

        files = self._files
        return real(HostCopy(Unconditional()), place, before, log, etag, check_held)  # type: ignore[arg-type]  # stands in for it

    patch.setattr(HostCopy, "replace", replaced)


def _holds_no_lease(patch: pytest.MonkeyPatch) -> None:
    """Everybody gets one, nobody asks whether it is still his, and the vault takes any head."""
    from plugin.adapters.leases import Leases
    from tests.simulation.memory import MemoryLeases
    from tests.simulation.memory_vault import MemoryVault

    patch.setattr(MemoryVault, "anchor_for_update", lambda self, connection, flow_id: None)

    counter = iter(range(1, 10**9))
    patch.setattr(MemoryLeases, "_try", lambda self, flow_id, holder: next(counter))
    patch.setattr(MemoryLeases, "holds", lambda self, lease: True)
    patch.setattr(Leases, "holds", lambda self, lease: True)


def _claims_nothing(patch: pytest.MonkeyPatch) -> None:
    """Two jobs hand over the same mail."""
    from plugin.adapters.vault import SqlVault

    real = SqlVault.claim

    def claim(self: SqlVault, flow_id: str, work: str, now: Any, ttl_s: int) -> bool:
        return real(self, flow_id, work, now, ttl_s) or True

    patch.setattr(SqlVault, "claim", claim)


def _forgets_what_was_handed_over(patch: pytest.MonkeyPatch) -> None:
    """A mail is sent again each time that its line cannot be written."""
    patch.setattr("plugin.actions.deliver.HANDED_OVER", "")
    patch.setattr("plugin.actions.deliver._record", _recorded_without_a_word)


def _recorded_without_a_word(ctx: Any, flow_id: str, outcomes: Any) -> None:
    from plugin.actions import deliver

    if outcomes:
        try:
            deliver._append(ctx, flow_id, outcomes.values())
        finally:
            for key in outcomes:
                ctx.vault.release(flow_id, key)


def _recognises_no_copy(patch: pytest.MonkeyPatch) -> None:
    """A signed copy that is there already is laid beside itself."""
    patch.setattr("plugin.actions.documents._hash_of", lambda *_: "")


def _leaves_half_a_copy(patch: pytest.MonkeyPatch) -> None:
    """As it was before the simulator found it."""
    patch.setattr("plugin.actions.documents._is_cut_off", lambda *_: False)


def _takes_in_no_begun_launch(patch: pytest.MonkeyPatch) -> None:
    """As it was before the simulator found it: a crash between the vault's commit and the index's, and a twin."""
    patch.setattr("plugin.actions.launch.take_in", lambda *_: None)
    patch.setattr("plugin.actions.sweep.take_in", lambda *_: None)


def _clears_no_launch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("plugin.sweeper.clear_launches", lambda _: None)
    patch.setattr("plugin.actions.launch._remove", lambda *_: None)


def _knows_no_repeat(patch: pytest.MonkeyPatch) -> None:
    """The second click is a second act."""
    patch.setattr("plugin.actions.acting.is_repeat", lambda *_: False)


def _asks_for_no_consent(patch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from plugin.actions import sign

    real = sign.decide
    patch.setattr(sign, "decide", lambda flow, command, now: real(flow, replace(command, consented=True), now))


def _tidies_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("plugin.actions.sweep.tidy", lambda *_, **__: None)


def _never_sweeps(patch: pytest.MonkeyPatch) -> None:
    """Jobs do everything, and some are lost."""
    patch.setattr("plugin.sweeper.sweep", lambda *_: 0)


def _lets_the_replaced_act(patch: pytest.MonkeyPatch) -> None:
    """Whoever handed over, or was replaced, decides for the one who came after him."""
    from plugin.flow import decide

    real = decide.check_turn

    def check(flow: Any, rid: str, *more: Any) -> Any:
        try:
            return real(flow, rid, *more)
        except Conflict as conflict:
            if conflict.code != "replaced":
                raise
            return flow.recipient(rid)

    patch.setattr(decide, "check_turn", check)
    patch.setattr("plugin.actions.acting.check_turn", check)


def _forgets_deadlines(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a deadline is over; a flow whose people never come goes on for ever."""
    from plugin.actions.acting import load
    from plugin.flow import turns

    def check(flow: Any, _now: Any) -> None:
        if flow.state.is_ended:
            raise Conflict("flow-ended", state=str(flow.state))

    patch.setattr(turns, "check_not_ended", check)
    patch.setattr("plugin.actions.sweep.expire", load)


def _keeps_the_salts_of_the_erased(patch: pytest.MonkeyPatch) -> None:
    from tests.simulation.memory_vault import MemoryVault

    patch.setattr(MemoryVault, "forget_salts", lambda *_: False)


def _tells_another_id_each_time(patch: pytest.MonkeyPatch) -> None:
    import secrets
    from dataclasses import replace

    from plugin.adapters.letters import Letters

    real = Letters.compose

    def composed(self: Any, loaded: Any, work: Any) -> Any:
        mail = real(self, loaded, work)
        return mail and replace(mail, message_id=mail.message_id.replace("@", f".{secrets.token_hex(4)}@"))

    patch.setattr(Letters, "compose", composed)


MUTATIONS = [
    Mutation(
        "believes every answer",
        _believes_every_answer,
        "lost|knows|never come to their end",
        {"host": {"not-written": 0.05}},
    ),
    Mutation(
        "writes without conditions",
        _writes_without_conditions,
        "lost|knows|never come|too many",
        {"pause": 0.05, "double_click": 0.9},
    ),
    Mutation(
        "holds no lease",
        _holds_no_lease,
        "lost|knows|told|was sent|too many|may not|lies elsewhere",
        {"honours_conditions": False, "double_click": 0.9, "pause": 0.02},
    ),
    Mutation("claims nothing", _claims_nothing, "was sent|twice", {"job_doubled": 0.5}, on_sql=True),
    Mutation("forgets what was handed over", _forgets_what_was_handed_over, "was sent", {"host": {"full": 0.02}}),
    Mutation("recognises no copy", _recognises_no_copy, "one too many", {"host": {"lost-reply": 0.05}}),
    Mutation("leaves half a copy", _leaves_half_a_copy, "one too many", {"host": {"half-written": 0.05}}),
    Mutation(
        "takes in no begun launch", _takes_in_no_begun_launch, "belongs to no flow", {"crash": 0.02, "replicas": 1}
    ),
    Mutation("clears no launch", _clears_no_launch, "belongs to no flow", {"host": {"error": 0.05}}),
    Mutation("knows no repeat", _knows_no_repeat, "acknowledged once", {"double_click": 0.9}),
    Mutation("asks for no consent", _asks_for_no_consent, "without consent"),
    Mutation("tidies nothing", _tidies_nothing, "too many"),
    Mutation("never sweeps", _never_sweeps, "never come to their end", {"job_dropped": 0.3}),
    Mutation(
        "lets the replaced act",
        _lets_the_replaced_act,
        "somebody else is in his place|by an old link|a seal needs fields",
    ),
    Mutation("forgets deadlines", _forgets_deadlines, "the deadline was|never come to their end"),
    Mutation("keeps the salts of the erased", _keeps_the_salts_of_the_erased, "after he was erased"),
    Mutation("tells another id each time", _tells_another_id_each_time, "ids", {"mail_lost_reply": 0.3}),
]


def assert_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    chances = quiet(**mutation.chances)
    assert World(SEEDS[0], mutation.flows, chances, on_sql=mutation.on_sql).run().broken is None, "whole, it holds"
    mutation.breaks(monkeypatch)
    for seed in (*range(mutation.first, SEEDS.stop), *range(SEEDS.start, mutation.first)):
        try:
            broken = World(seed, mutation.flows, chances, on_sql=mutation.on_sql).run().broken
        except ValueError as error:  # the rest of the product refuses what no whole one would ask for
            broken = str(error)
        if broken is not None:
            assert any(word in broken for word in mutation.seen.split("|")), broken
            return
    pytest.fail(f"not seen within {len(SEEDS)} seeds")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_product_that_is_broken_there_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_caught(mutation, monkeypatch)

"""As `test_catches`: breaks that show where folders and files are moved while flows are on their way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import whereabouts
from tests.simulation.test_catches import Mutation, assert_caught

MOVES = {"moves": 1.0}


def _lays_copies_where_the_original_was(patch: pytest.MonkeyPatch) -> None:
    from plugin.actions import places

    real = places._beside

    def beside(ctx: Any, loaded: Any, document: Any, original: Any) -> str:
        at_launch = document.folder.value or ""
        is_there = ctx.files.stat(loaded.place.owner, at_launch) is not None
        return at_launch if is_there else real(ctx, loaded, document, original)

    patch.setattr(places, "_beside", beside)
    patch.setattr(whereabouts, "LAID_WITHIN_S", 10.0)  # where nothing fails no copy is on its way for longer


def _makes_state_files_again_where_they_were(patch: pytest.MonkeyPatch) -> None:
    """A second history begins."""
    from plugin.adapters.host_copy import HostCopy

    patch.setattr(HostCopy, "locate", lambda *_: None)
    patch.setattr(HostCopy, "home", lambda self, place, flow: place)


def _takes_a_move_for_a_loss(patch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from plugin.actions import sources
    from plugin.flow.model import SourceState

    real = sources._note

    def note(*about: Any) -> Any:
        noted = real(*about)
        return replace(noted, state=SourceState.GONE) if noted.state is SourceState.MOVED else noted

    patch.setattr(sources, "_note", note)


MUTATIONS = [
    Mutation(
        "lays copies where the original was",
        _lays_copies_where_the_original_was,
        "was not laid beside",
        MOVES,
        flows=25,
    ),
    Mutation(
        "makes state files again where they were",
        _makes_state_files_again_where_they_were,
        "there are 2 state files",
        MOVES,
    ),
    Mutation("takes a move for a loss", _takes_a_move_for_a_loss, "it was suspended|was taken for gone", MOVES),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_product_that_is_broken_there_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_caught(mutation, monkeypatch)

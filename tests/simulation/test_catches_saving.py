"""As `test_catches`: the product broken on purpose where it lays results down."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.actions import documents, finish, places
from plugin.actions.documents import Stored
from plugin.flow.errors import HostUnavailable
from plugin.flow.model import Instead
from plugin.ports_files import PreconditionFailed
from tests.simulation.test_catches import Mutation, assert_caught


def _lays_a_version_over_a_changed_file(patch: pytest.MonkeyPatch) -> None:
    """Whatever lies there is taken for what it had begun to write."""
    patch.setattr(finish, "_was_begun", lambda *_: True)
    patch.setattr(finish, "_is_half", lambda *_: True)


def _leaves_half_a_version(patch: pytest.MonkeyPatch) -> None:
    """It is taken for somebody's change."""
    patch.setattr(finish, "_is_half", lambda *_: False)


def _lays_a_version_and_a_copy(patch: pytest.MonkeyPatch) -> None:
    _says(patch, Instead.LOCKED)


def _gives_a_reason_that_was_none(patch: pytest.MonkeyPatch) -> None:
    _says(patch, Instead.CHANGED)


def _says(patch: pytest.MonkeyPatch, why: Instead) -> None:
    """The version was laid, and it says why it could not be."""
    real = finish._new_version

    def new_version(*given: Any) -> Any:
        done = real(*given)
        return why if isinstance(done, Stored) else done

    patch.setattr(finish, "_new_version", new_version)


def _writes_over_what_others_keep(patch: pytest.MonkeyPatch) -> None:
    """A copy is put without a condition."""

    def put(ctx: Any, user: str, path: str, data: bytes, wanted: str, *_: Any, **__: Any) -> Stored:
        there = ctx.files.stat(user, path)
        if there is not None and there.is_folder:
            raise PreconditionFailed
        ctx.files.write(user, path, data)
        there = ctx.files.stat(user, path)
        if there is None:
            raise HostUnavailable
        return Stored(path, there.file_id, wanted)

    patch.setattr(documents, "_put", put)
    patch.setattr(documents, "_hash_of", lambda *_: "")


def _takes_what_others_keep_for_cut_off(patch: pytest.MonkeyPatch) -> None:
    """What lies there under that name is written over, as half a copy of its own would be."""
    patch.setattr(documents, "_is_cut_off", lambda ctx, user, there, *_: not there.is_folder)


def _lays_results_into_the_root(patch: pytest.MonkeyPatch) -> None:
    """Wherever the folder is that was chosen."""
    patch.setattr(places, "_chosen_folder", lambda *_: "")


MUTATIONS = [
    Mutation("lays a version over a changed file", _lays_a_version_over_a_changed_file, "over what was changed"),
    Mutation(
        "leaves half a version",
        _leaves_half_a_version,
        "left as half of a version|was not changed",
        {"host": {"half-written": 0.15}},
    ),
    Mutation(
        "lays a version and a copy",
        _lays_a_version_and_a_copy,
        "and the copy beside it as well",
        {"host": {"locked": 0.0001}},
    ),
    Mutation("gives a reason that was none", _gives_a_reason_that_was_none, "for it was not changed"),
    Mutation("writes over what others keep", _writes_over_what_others_keep, "that somebody keeps, was written over"),
    Mutation(
        "takes what others keep for cut off",
        _takes_what_others_keep_for_cut_off,
        "that somebody keeps, was written over",
    ),
    Mutation("lays results into the root", _lays_results_into_the_root, "lies elsewhere than in"),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_product_that_saves_otherwise_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_caught(mutation, monkeypatch)

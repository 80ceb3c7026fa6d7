"""As `test_catches`: the product broken on purpose where it signs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.test_catches import Mutation, assert_caught


def _signs_with_a_key_that_no_line_brought_in(patch: pytest.MonkeyPatch) -> None:
    """And reads it, too."""
    from plugin.adapters import chain
    from plugin.adapters.reader import Reader

    class Everything:
        def __contains__(self, _kid: object) -> bool:
            return True

    real, real_drafts = chain._line, Reader.drafts

    def line(raw: bytes, keys: Any, earlier: Any, flow_id: str, _kids: Any) -> Any:
        return real(raw, keys, earlier, flow_id, Everything())  # type: ignore[arg-type]  # holds every key

    def drafts(self: Any, *given: Any) -> Any:
        made, new = real_drafts(self, *given)
        return [draft for draft in made if draft.type != "key.rotated"], new

    patch.setattr(chain, "_line", line)
    patch.setattr(Reader, "drafts", drafts)


def _brings_in_its_key_with_every_line(patch: pytest.MonkeyPatch) -> None:
    from plugin.adapters.chain import Chain

    patch.setattr(Chain, "kids", ())


def _lets_the_seal_vouch_for_another_key(patch: pytest.MonkeyPatch) -> None:
    """The statement is about the key that was there first."""
    from plugin.adapters.keys import Keys, b64url, key_statement

    def entry(self: Any) -> Any:
        first = min(self.folder.glob("chain-*.pem"), key=lambda path: path.stat().st_mtime_ns).stem[6:]
        vouched = b64url(self.seal.sign(key_statement(self.chain_keys[first].jwk)))
        return {**real(self), "signature": vouched}

    real = Keys.entry
    patch.setattr(Keys, "entry", entry)


def _signs_with_the_new_key_at_once(patch: pytest.MonkeyPatch) -> None:
    """Before it is started again: a key that the others may not have yet."""
    from dataclasses import replace

    from plugin.adapters.keys import _read_chain_key
    from plugin.adapters.store import Store

    real = Store.append

    def append(self: Any, *given: Any, **more: Any) -> Any:
        folder = self._keys.folder
        kid = (folder / "active-chain-key").read_text().strip()
        if kid not in self._keys.chain_keys:
            key = _read_chain_key(folder / f"chain-{kid}.pem")
            self._keys = replace(self._keys, chain_keys={**self._keys.chain_keys, kid: key}, active=key)
        return real(self, *given, **more)

    patch.setattr(Store, "append", append)


def _alters_a_record_that_was_signed(patch: pytest.MonkeyPatch) -> None:
    from plugin.actions import store_evidence

    real = store_evidence.evidence
    patch.setattr(store_evidence, "evidence", lambda *given, **more: {**real(*given, **more), "claim": "All is well."})


MUTATIONS = [
    Mutation(
        "signs with a key that no line brought in",
        _signs_with_a_key_that_no_line_brought_in,
        "which no line brought in",
        {"rotations": 2},
    ),
    Mutation("brings in its key with every line", _brings_in_its_key_with_every_line, "is brought in twice"),
    Mutation(
        "lets the seal vouch for another key", _lets_the_seal_vouch_for_another_key, "proves nothing", {"rotations": 2}
    ),
    Mutation("signs with the new key at once", _signs_with_the_new_key_at_once, "server ran", {"rotations": 2}),
    Mutation(
        "alters a record that was signed", _alters_a_record_that_was_signed, "the evidence record proves nothing"
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_product_that_signs_otherwise_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_caught(mutation, monkeypatch)

"""What is a function of bytes alone is worked out once a world: all replicas read the same lines again and again. The
traces are the same without (`test_simulation`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from plugin.adapters import chain
from plugin.adapters.chain import Line, PublicKeys
from plugin.adapters.reader import Reader


@contextmanager
def shortcuts() -> Iterator[None]:
    """While this lasts."""
    modules: tuple[tuple[Any, str, Any], ...] = (
        (chain, "_line", _Lines(chain._line)),
        (chain, "rfc8785", SimpleNamespace(dumps=chain.canonical)),
        (Reader, "_step", _steps(Reader._step)),
    )
    before = [getattr(where, name) for where, name, _ in modules]
    for where, name, quicker in modules:
        setattr(where, name, quicker)
    try:
        yield
    finally:
        for (where, name, _), real in zip(modules, before, strict=True):
            setattr(where, name, real)


class _Lines:
    """A line that was checked once is checked: its parent's hash stands for all that came before it."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._known: dict[Any, Line] = {}

    def __call__(
        self, raw: bytes, keys: PublicKeys, earlier: Sequence[Line], flow_id: str, kids: Collection[str]
    ) -> Line:
        key = (raw, earlier[-1].hash if earlier else "", flow_id, tuple(keys))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._real(raw, keys, earlier, flow_id, kids)
        return found


def _steps(real: Any) -> Any:
    """What a line tells follows from the flow before it and from the salts that open it."""
    known: dict[Any, Any] = {}

    def step(self: Reader, told: Any, line: Line, salts: Any) -> None:
        key = (line.hash, id(told.flow), told.is_newer, *sorted(salts.items()))
        found = known.get(key)
        if found is None:
            before = told.flow  # kept, so that its id stays its own
            real(self, told, line, salts)
            known[key] = (before, told.records[-1], told.flow, told.is_newer)
        else:
            told.records.append(found[1])
            told.flow, told.is_newer = found[2], found[3]

    return step

from __future__ import annotations

from pathlib import Path

from plugin.actions.rebuild import BATCH
from tests.bench.rebuild_bench import lines

COUNT = 2 * BATCH + BATCH // 2


def test_the_index_comes_back_over_webdav_with_the_vault_without_it_and_after_kill_9(tmp_path: Path) -> None:
    """Rows that differ end it."""
    said = list(lines(COUNT, tmp_path))
    assert [line.split(":")[0] for line in said if line.endswith("every row as before")] == [
        "rebuild",
        "what was left after kill -9",
        "without the vault",
    ]
    assert f"({2 * BATCH} not read again)" in said[3]

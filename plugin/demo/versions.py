"""What a file held before it was written over: the last few contents of each, as the platform keeps them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

KEPT: Final = 5


class Versions:
    """On disk as ``<owner>/<file id>/<number>``; a content that is kept costs no copy."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, owner: str, file_id: int, content: Path) -> None:
        """Before it is replaced. The oldest makes room."""
        folder = self._root / owner / str(file_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        numbers = self._numbers(folder)
        os.link(content, folder / str(numbers[-1] + 1 if numbers else 1))
        for number in numbers[: len(numbers) + 1 - KEPT]:
            with suppress(FileNotFoundError):
                (folder / str(number)).unlink()

    def of(self, owner: str, file_id: int) -> list[bytes]:
        """Oldest first."""
        folder = self._root / owner / str(file_id)
        return [(folder / str(number)).read_bytes() for number in self._numbers(folder)]

    def _numbers(self, folder: Path) -> list[int]:
        return sorted(int(path.name) for path in folder.glob("*")) if folder.is_dir() else []

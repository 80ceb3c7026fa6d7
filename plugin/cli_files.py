"""Files that the command line reads and writes, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

MAX_FILE_BYTES: Final = 200_000_000


class Refusal(Exception):
    """It cannot be done, and why: a code that stays the same, and a sentence."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.more = code, message, more


def read(path: Path) -> bytes:
    """Raises: Refusal."""
    with opened(path) as source:
        data: bytes = source.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise Refusal("file-too-large", f"The file holds more than {MAX_FILE_BYTES // 1_000_000} MB.")
    return data


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Raises: Refusal."""
    try:
        source: BinaryIO = path.open("rb")
    except OSError as error:
        raise Refusal("no-such-file", f"{path}: {error.strerror}") from error
    with source:
        try:
            yield source
        except OSError as error:
            raise Refusal("no-such-file", f"{path}: {error.strerror}") from error


def keep(out: Path | None, *originals: Path | None) -> None:
    """Raises: Refusal, where what is written would overwrite what was read, by whatever name."""
    for original in originals:
        try:
            is_same = out is not None and original is not None and out.samefile(original)
        except OSError:
            continue  # one of them is not there
        if is_same:
            raise Refusal("same-file", "The original is never overwritten: give another name.")


def write(path: Path, data: bytes) -> None:
    """Opened and written in its place, so that it may be a pipe or a device. Raises: Refusal."""
    try:
        with path.open("wb") as target:
            target.write(data)
    except OSError as error:
        raise Refusal("not-written", f"{path}: {error.strerror}") from error

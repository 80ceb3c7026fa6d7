"""Bytes on the disk below the area: copied without filling holes, hashed, made durable, removed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20


def copy_content(source: BinaryIO, target: Path) -> None:
    """A new file with the same bytes. Holes stay holes, so that a large empty file costs nothing."""
    size_bytes = os.fstat(source.fileno()).st_size
    with target.open("xb") as out:
        out.truncate(size_bytes)
        at = 0
        while at < size_bytes:
            try:
                begin = os.lseek(source.fileno(), at, os.SEEK_DATA)
            except OSError as failure:
                if failure.errno == errno.ENXIO:  # nothing but a hole up to the end
                    break
                raise
            at = os.lseek(source.fileno(), begin, os.SEEK_HOLE)
            _copy_range(source, out, begin, at)
        out.flush()
        os.fsync(out.fileno())


def _copy_range(source: BinaryIO, out: BinaryIO, begin: int, end: int) -> None:
    source.seek(begin)
    out.seek(begin)
    while begin < end and (chunk := source.read(min(_CHUNK, end - begin))):
        out.write(chunk)
        begin += len(chunk)


def hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Gone already is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def as_stored(root: Path, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path below ``root`` by the names that lie there, as far as they differ in case alone."""
    named: tuple[str, ...] = ()
    for part in parts:
        above = root.joinpath(*named)
        others = above.iterdir() if above.is_dir() and not (above / part).exists() else ()
        named += (next((there.name for there in others if there.name.casefold() == part.casefold()), part),)
    return named

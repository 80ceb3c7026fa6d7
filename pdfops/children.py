"""One child process as its parent sees it: two pipes, a clock, a scale.

The parent writes a frame, reads a frame, and meanwhile watches the time and the resident memory of the child. What it
reads it does not trust: a frame of another shape, like a breach of a limit, ends the child.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pdfops import wire
from pdfops.errors import PdfError

RESIDENT_CAP_BYTES: Final = 512 * 1024 * 1024
RECYCLE_ABOVE_BYTES: Final = 256 * 1024 * 1024
RECYCLE_AFTER_JOBS: Final = 500
WATCH_EVERY_S: Final = 0.02
PIPE_BYTES: Final = 1 << 20
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_F_SETPIPE_SZ: Final = 1031

_BOOTSTRAP: Final = "import sys; sys.path[:0] = [{root!r}]; import pdfops.child as child; child.main()"


@dataclass(frozen=True, slots=True)
class Answer:
    header: wire.Header
    blobs: tuple[bytes, ...]

    @property
    def value(self) -> wire.Header:
        value = self.header.get("value")
        if not isinstance(value, dict):
            raise PdfError("damaged")
        return value

    @property
    def blob(self) -> bytes:
        if len(self.blobs) != 1:
            raise PdfError("damaged")
        return self.blobs[0]


class Lost(Exception):
    """A child that is of no more use, and what its job gets to hear."""

    def __init__(self, code: str, **values: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class Child:
    """One process and its two pipes. Used by one thread at a time; `kill` may come from any.

    ``page`` is the page that a job said it is trying, None for a job that does not say: known when the child is lost.
    """

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOTSTRAP.format(root=root), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            close_fds=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        for descriptor in (self._to, self._from):
            os.set_blocking(descriptor, False)
            _widen(descriptor)
        self._jobs = 0
        self._resident = 0
        self.page: int | None = None
        self.pid = self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_worn(self) -> bool:
        """Whether it has grown or worked so much that a fresh one should take its place."""
        return self._jobs >= RECYCLE_AFTER_JOBS or self._resident_bytes() > RECYCLE_ABOVE_BYTES

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def bury(self) -> None:
        """Wait for the end of a killed child; no zombie and no descriptor is left."""
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def await_ready(self, cap_s: float) -> None:
        """Raises: Lost."""
        answer = self._exchange([], time.monotonic() + cap_s, cap_s, RESIDENT_CAP_BYTES)
        if answer.header.get("ready") is not True:
            raise Lost("damaged", cause=str(answer.header.get("cause", "")))

    def do(self, header: dict[str, Any], blobs: Sequence[bytes], cap_s: float, resident_bytes: int) -> Answer:
        """Hand over a job and wait for its answer. Raises: Lost."""
        self._jobs += 1
        self.page = None
        return self._exchange(wire.pack(header, blobs), time.monotonic() + cap_s, cap_s, resident_bytes)

    def _exchange(self, pieces: list[bytes], deadline: float, cap_s: float, resident_bytes: int) -> Answer:
        outgoing = [memoryview(piece) for piece in pieces if piece]
        reading = _Reading()
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            if outgoing:
                selector.register(self._to, selectors.EVENT_WRITE)
            watched = 0.0
            while True:
                now = time.monotonic()
                if now >= deadline:
                    raise Lost("too-slow", limit_s=int(cap_s))
                if now - watched >= WATCH_EVERY_S:
                    watched = now
                    if self._resident_bytes() > resident_bytes:
                        raise Lost("too-heavy", limit=resident_bytes)
                for key, _ in selector.select(min(WATCH_EVERY_S, deadline - now)):
                    try:
                        if key.fd == self._to:
                            self._send(outgoing)
                            if not outgoing:
                                selector.unregister(self._to)
                        elif reading.take(self._receive(reading.wanted)):
                            answer = reading.answer()
                            page = answer.header.get("trying")
                            if page is None:
                                return answer
                            if type(page) is not int:
                                raise Lost("damaged")
                            self.page, reading = page, _Reading()
                    except (OSError, ValueError, RecursionError) as error:
                        raise Lost("damaged") from error

    def _send(self, outgoing: list[memoryview]) -> None:
        while outgoing:
            try:
                sent = os.write(self._to, outgoing[0][:PIPE_BYTES])
            except BlockingIOError:
                return
            if sent == len(outgoing[0]):
                outgoing.pop(0)
            else:
                outgoing[0] = outgoing[0][sent:]

    def _receive(self, size: int) -> bytes:
        data = os.read(self._from, min(size, PIPE_BYTES))
        if not data:
            raise Lost("damaged")
        return data

    def _resident_bytes(self) -> int:
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * _PAGE_BYTES


class _Reading:
    """A frame as it arrives."""

    def __init__(self) -> None:
        self._header: wire.Header | None = None
        self._body_size: int | None = None
        self._sizes: list[int] = []
        self._blobs: list[bytes] = []
        self._chunks: list[bytes] = []
        self.wanted = wire.PREFIX.size

    def take(self, data: bytes) -> bool:
        """Add what arrived, at most `wanted` bytes; True when the frame is complete. Raises: ValueError."""
        self._chunks.append(data)
        self.wanted -= len(data)
        while self.wanted == 0:
            whole = b"".join(self._chunks)
            self._chunks = []
            if self._body_size is None:
                self._body_size = self.wanted = wire.header_size(whole)
            elif self._header is None:
                self._header, self._sizes = wire.parse_header(whole)
            else:
                self._blobs.append(whole)
            if self._header is not None:
                if len(self._blobs) == len(self._sizes):
                    return True
                self.wanted = self._sizes[len(self._blobs)]
        return False

    def answer(self) -> Answer:
        return Answer(self._header or {}, tuple(self._blobs))


def _widen(descriptor: int) -> None:
    """Larger pipes mean fewer turns for a large document; where the kernel refuses it works all the same."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)

"""One child process as its parent sees it: two pipes, a clock, a scale. And the mother that children come from.

The parent writes a frame, reads a frame, and meanwhile watches the time and the resident memory of the child. What it
reads it does not trust: a frame of another shape, like a breach of a limit, ends the child.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pdfops import wire
from pdfops.child import READY
from pdfops.errors import PdfError

RESIDENT_CAP_BYTES: Final = 512 * 1024 * 1024
KILLED_AT: Final = 7 / 8
"""Of its cap: a child is looked at every few milliseconds, and may take a good deal more between two looks."""

RECYCLE_ABOVE_BYTES: Final = 256 * 1024 * 1024
RECYCLE_AFTER_JOBS: Final = 500
WATCH_EVERY_S: Final = 0.02
SLOW_AFTER_CPU_S: Final = 0.1
SLOW_AFTER_S: Final = 1.0
"""A job that took so much processor time, or so long, is a slow one: it gives way to the others from then on."""

BIRTH_S: Final = 10.0
PIPE_BYTES: Final = 1 << 20
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
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


class Mother:
    """A process that is ready for every job and does none: children are forked from it. Used by one thread at a time.

    Children share her layout of memory. One that crashed may have been made to, by somebody who tries to find out that
    layout: another mother should bear the next ones.
    """

    def __init__(self, fonts: Sequence[str] = ()) -> None:
        """``fonts``: the folders in which it looks for fonts before it shuts itself in."""
        root = str(Path(__file__).resolve().parent.parent)
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOTSTRAP.format(root=root), str(os.getpid()), *fonts],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                close_fds=True,
            )

    def await_ready(self, cap_s: float) -> None:
        """Raises: Lost."""
        self._asking.settimeout(cap_s)
        try:
            said = self._asking.recv(1_000)
        except TimeoutError:
            raise Lost("too-slow", limit_s=int(cap_s)) from None
        except OSError as error:
            raise Lost("damaged") from error
        if said != READY:
            raise Lost("damaged", cause=said.decode(errors="replace"))

    def bear(self) -> Child:
        """Raises: Lost."""
        in_ours, in_theirs = os.pipe2(os.O_CLOEXEC)[::-1]
        out_ours, out_theirs = os.pipe2(os.O_CLOEXEC)
        handles: Sequence[int] = ()
        try:
            self._asking.settimeout(BIRTH_S)
            socket.send_fds(self._asking, [b"child"], [in_theirs, out_theirs])
            pid, handles, _, _ = socket.recv_fds(self._asking, 32, 1)
        except OSError as error:
            raise Lost("damaged", cause="no child was born") from error
        else:
            if len(handles) == 1:
                return Child(int(pid), handles[0], in_ours, out_ours)
            if not pid:
                raise Lost("damaged", cause="the mother of all children has ended")
            raise Lost("damaged", cause="this kernel has no handles of processes: Linux 5.3 is needed")
        finally:
            for descriptor in (in_theirs, out_theirs, *(() if handles else (in_ours, out_ours))):
                os.close(descriptor)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Her children die with her."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def bury(self) -> None:
        self._process.wait()
        self._asking.close()


class Child:
    """One process and its two pipes. Used by one thread at a time; `kill` may come from any.

    ``page`` is the page that a job said it is trying, None for a job that does not say: known when the child is lost.
    ``yields``: it was slow once, and gives way to every other process for the rest of its life. A job that was kept
    from working for half of its time by that gets the time again, once.
    """

    def __init__(self, pid: int, handle: int, to: int, from_: int) -> None:
        self.pid, self._handle, self._to, self._from = pid, handle, to, from_
        self._lock = threading.Lock()
        self._is_buried = False
        self._is_asked = False
        for descriptor in (self._to, self._from):
            os.set_blocking(descriptor, False)
            _widen(descriptor)
        self._jobs = 0
        self.page: int | None = None
        self.yields = False

    def is_alive(self) -> bool:
        with self._lock:
            return not self._is_buried and not _has_ended(self._handle, 0)

    def kill(self) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            if not self._is_buried:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def bury(self) -> None:
        """Wait for the end of a killed child; no descriptor is left. Those that a job of another thread looks at are
        closed at its end: until then their numbers must not become somebody else's."""
        with self._lock:
            if not self._is_buried:
                _has_ended(self._handle, None)
                self._is_buried = True
                os.close(self._handle)
                if not self._is_asked:
                    self._close_pipes()

    def is_worn(self) -> bool:
        """Whether it has grown or worked so much that a fresh one should take its place."""
        return self._jobs >= RECYCLE_AFTER_JOBS or self._resident_bytes() > RECYCLE_ABOVE_BYTES

    def await_ready(self, cap_s: float) -> None:
        """Raises: Lost."""
        answer = self._asked([], time.monotonic() + cap_s, cap_s, RESIDENT_CAP_BYTES)
        if answer.header.get("ready") is not True:
            raise Lost("damaged", cause=str(answer.header.get("cause", "")))

    def do(
        self,
        header: dict[str, Any],
        blobs: Sequence[bytes],
        cap_s: float,
        resident_bytes: int,
        slow: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Hand over a job and wait for its answer. ``slow`` is called once where it turns out to be a slow one.

        Raises: Lost.
        """
        self._jobs += 1
        self.page = None
        return self._asked(wire.pack(header, blobs), time.monotonic() + cap_s, cap_s, resident_bytes, slow)

    def _asked(
        self,
        pieces: list[bytes],
        deadline: float,
        cap_s: float,
        resident_bytes: int,
        slow: Callable[[], None] = lambda: None,
    ) -> Answer:
        with self._lock:
            if self._is_buried:
                raise Lost("damaged")
            self._is_asked = True
        try:
            return self._exchange(pieces, deadline, cap_s, resident_bytes, slow)
        finally:
            self._answered()

    def _answered(self) -> None:
        with self._lock:
            self._is_asked = False
            if self._is_buried:
                self._close_pipes()

    def _close_pipes(self) -> None:
        os.close(self._to)
        os.close(self._from)

    def _exchange(
        self,
        pieces: list[bytes],
        deadline: float,
        cap_s: float,
        resident_bytes: int,
        slow: Callable[[], None],
    ) -> Answer:
        begun, spent_s = time.monotonic(), self._spent_s()
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
                    if not self.yields or now - begun >= 2 * cap_s or self._spent_s() - spent_s >= cap_s / 2:
                        raise Lost("too-slow", limit_s=int(cap_s))
                    deadline = begun + 2 * cap_s  # others kept it from working: that is not its fault
                if now - watched >= WATCH_EVERY_S:
                    watched = now
                    if self._resident_bytes() > resident_bytes * KILLED_AT:
                        raise Lost("too-heavy", limit=resident_bytes)
                    if self._gives_way(now - begun, self._spent_s() - spent_s):
                        slow()
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

    def _gives_way(self, took_s: float, spent_s: float) -> bool:
        """Whether it turns out now that the job is a slow one. The kernel lets it run when nobody else wants to, from
        now on to the end of the child: only root may take that back."""
        if self.yields or (took_s <= SLOW_AFTER_S and spent_s <= SLOW_AFTER_CPU_S):
            return False
        self.yields = True
        with contextlib.suppress(OSError):  # it has ended, or is not ours to slow down
            os.sched_setscheduler(self.pid, os.SCHED_IDLE, os.sched_param(0))
        return True

    def _spent_s(self) -> float:
        """Processor time."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        except (OSError, IndexError):
            return 0.0

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


def _has_ended(handle: int, within_s: float | None) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(within_s))


def _widen(descriptor: int) -> None:
    """Larger pipes mean fewer turns for a large document; where the kernel refuses it works all the same."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)

"""The workshop: every parser of foreign input runs in a child process that can be killed.

A few warm children wait for jobs. The parent, from any number of threads, hands one job to one child and watches it:
time by the clock, resident memory by /proc. A child that exceeds either is killed and replaced, and so is one that
crashes or answers nonsense; it costs the job it had, nothing else. No private key ever enters a child: for a seal the
child draws up the revision, the parent hashes and signs it, and a child then checks the whole result.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pdfops import wire
from pdfops.cms_seal import reserved_bytes
from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.inspect import Inspection
from pdfops.preview import ImageFormat
from pdfops.seal import MAX_GROWTH_BYTES, SealOrder, close
from pdfops.signer import Signer
from pdfops.verify import Verification

RESIDENT_CAP_BYTES: Final = 512 * 1024 * 1024
RECYCLE_ABOVE_BYTES: Final = 256 * 1024 * 1024
RECYCLE_AFTER_JOBS: Final = 500
WATCH_EVERY_S: Final = 0.02
PIPE_BYTES: Final = 1 << 20
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_F_SETPIPE_SZ: Final = 1031

_log = logging.getLogger("pdfops")
_Value = TypeVar("_Value")
_BOOTSTRAP: Final = "import sys; sys.path[:0] = [{root!r}]; import pdfops.child as child; child.main()"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use. Units: seconds and bytes."""

    job_s: float = 10.0
    verify_s: float = 20.0
    start_s: float = 60.0
    wait_s: float = 60.0
    resident_bytes: int = RESIDENT_CAP_BYTES


class WorkshopClosedError(Exception):
    """The workshop was closed; nothing more can be asked of it."""


class Workshop:
    """A pool of children that do the PDF work. Safe to use from many threads; close it at the end."""

    def __init__(self, children: int = 2, limits: Limits | None = None) -> None:
        """Starts ``children`` processes, and returns at once; the first jobs wait until they are warm."""
        if children < 1:
            raise ValueError("a workshop needs a child")
        self._limits = limits or Limits()
        self._idle: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive: set[_Child] = set()
        self._closed = False
        self._stopping = threading.Event()
        self._warm = threading.Event()
        for _ in range(children):
            self._wanted.put(True)
        # One thread starts every child: the kernel kills them when the thread that started them ends, so that must
        # not be a request's.
        self._keeper = threading.Thread(target=self._keep, name="pdfops-keeper", daemon=True)
        self._keeper.start()

    def inspect(self, data: bytes) -> Inspection:
        """See `pdfops.inspect.inspect`. Raises: PdfError, too-slow and too-heavy included."""
        return _decoded(wire.inspection_from_json, self._ask({"job": "inspect"}, (data,)).value)

    def preview(self, data: bytes, page: int, width_px: int, image_format: ImageFormat = "jpeg") -> bytes:
        """See `pdfops.preview.render`. Raises: PdfError."""
        header = {"job": "preview", "page": page, "width_px": width_px, "image_format": image_format}
        return self._ask(header, (data,)).blob

    def prepare(self, data: bytes, places: Sequence[Place]) -> bytes:
        """See `pdfops.fields.prepare`; the result starts with ``data``. Raises: PdfError."""
        header = {"job": "prepare", "places": [wire.place_to_json(place) for place in places]}
        return data + self._ask(header, (data,)).blob

    def normalise_ink(self, image: bytes) -> bytes:
        """See `pdfops.ink.normalise_ink`. Raises: PdfError."""
        return self._ask({"job": "ink"}, (image,)).blob

    def seal(self, data: bytes, order: SealOrder, signer: Signer) -> bytes:
        """Fill, stamp and sign the fields of ``order``, check the result, return it; it starts with ``data``.

        The signer is called in this thread. A child that has seen the document never sees the key, and what is signed
        is hashed here.

        Raises: PdfError as `pdfops.seal.draw_up`, and not-verified when the result is not what it should be: it must
        not be stored.
        """
        reserved = reserved_bytes(signer)
        tails: list[bytes] = []
        signed: list[str] = []
        before: int | None = None
        remaining: SealOrder | None = order
        current = data
        while remaining is not None:
            header = {"job": "draw_up", "order": wire.order_to_json(remaining), "cms_bytes": reserved}
            answer = self._ask(header, (current, order.ink_png))
            unsigned = _decoded(wire.unsigned_from_json, answer.value, answer.blob)
            if not set(unsigned.left) < set(remaining.fields):
                raise PdfError("not-verified", reason="fields")
            before = unsigned.signatures_before if before is None else before
            tails.append(close(current, unsigned, signer))
            signed.append(remaining.fields[0])
            remaining = replace(remaining, fields=unsigned.left) if unsigned.left else None
            if remaining is not None:
                current = b"".join((current, tails[-1]))
        appended = b"".join(tails)
        if len(appended) > MAX_GROWTH_BYTES * len(signed):
            raise PdfError("too-much-growth", limit=MAX_GROWTH_BYTES)
        header = {"job": "check", "fields": signed, "signatures_before": before}
        if self._ask(header, (data, appended), self._limits.verify_s).value != {"checked": True}:
            raise PdfError("not-verified", reason="no verdict")
        return b"".join((data, appended))

    def verify(self, data: bytes, examine: bool = True) -> Verification:
        """See `pdfops.verify.verify`. What later revisions changed is left "unexamined" where that takes too long.

        Raises: PdfError when nothing can be said: "cannot be verified", never "valid".
        """
        try:
            answer = self._ask({"job": "verify", "examine": examine}, (data,), self._limits.verify_s)
        except PdfError as error:
            if not examine or error.code not in ("too-slow", "too-heavy"):
                raise
            answer = self._ask({"job": "verify", "examine": False}, (data,), self._limits.job_s)
        return _decoded(wire.verification_from_json, answer.value)

    def await_warm(self, timeout_s: float) -> bool:
        """Whether a child has been ready for work by then: a workshop that never warms cannot work here."""
        return self._warm.wait(timeout_s)

    def children(self) -> tuple[int, ...]:
        """The process ids of the children that are there now."""
        with self._lock:
            return tuple(child.pid for child in self._alive)

    def close(self) -> None:
        """End every child and wait for it. Jobs under way fail with WorkshopClosedError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._stopping.set()
        self._wanted.put(False)
        with self._lock:
            for child in self._alive:
                child.kill()
        self._idle.put(None)
        self._keeper.join()
        with self._lock:
            leftover, self._alive = list(self._alive), set()
        for child in leftover:
            child.kill()
            child.bury()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, header: dict[str, Any], blobs: Sequence[bytes], cap_s: float | None = None) -> _Answer:
        child = self._take()
        try:
            answer = child.do(header, blobs, cap_s or self._limits.job_s, self._limits.resident_bytes)
        except _Lost as lost:
            self._replace(child)
            if self._is_closed():
                raise WorkshopClosedError from lost
            raise PdfError(lost.code, **lost.values) from lost
        except BaseException:
            self._replace(child)
            raise
        if child.is_worn():
            self._replace(child)
        else:
            self._idle.put(child)
        if "error" in answer.header:
            raise wire.error_from_json(answer.header)
        return answer

    def _take(self) -> _Child:
        deadline = time.monotonic() + self._limits.wait_s
        while True:
            if self._is_closed():
                raise WorkshopClosedError
            try:
                child = self._idle.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty as error:
                raise PdfError("too-slow", limit_s=int(self._limits.wait_s), waiting=1) from error
            if child is None:
                self._idle.put(None)
                raise WorkshopClosedError
            if child.is_alive():
                return child
            self._replace(child)

    def _is_closed(self) -> bool:
        with self._lock:
            return self._closed

    def _replace(self, child: _Child) -> None:
        child.kill()
        child.bury()
        with self._lock:
            self._alive.discard(child)
            is_closed = self._closed
        if not is_closed:
            self._wanted.put(True)

    def _keep(self) -> None:
        """Start children as they are wanted, until the workshop closes."""
        failures = 0
        while self._wanted.get():
            with self._lock:
                if self._closed:
                    return
                child = _Child()
                self._alive.add(child)
            try:
                child.await_ready(self._limits.start_s)
            except _Lost as lost:
                child.kill()
                child.bury()
                with self._lock:
                    self._alive.discard(child)
                if self._is_closed():
                    return
                failures += 1
                _log.error("pdfops.child.unusable: %s", lost.values.get("cause") or lost.code)
                self._stopping.wait(min(5.0, 0.1 * 2 ** min(failures, 6)))
                self._wanted.put(True)
            else:
                failures = 0
                self._idle.put(child)
                self._warm.set()


def _decoded(decode: Callable[..., _Value], *parts: object) -> _Value:
    """What a child's answer says, if it is one; a child is not trusted to keep to the agreed shapes."""
    try:
        return decode(*parts)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise PdfError("damaged") from error


@dataclass(frozen=True, slots=True)
class _Answer:
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


class _Lost(Exception):
    """A child that is of no more use, and what its job gets to hear."""

    def __init__(self, code: str, **values: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class _Child:
    """One process and its two pipes. Used by one thread at a time; `kill` may come from any."""

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
        """Raises: _Lost."""
        answer = self._exchange([], time.monotonic() + cap_s, cap_s, RESIDENT_CAP_BYTES)
        if answer.header.get("ready") is not True:
            raise _Lost("damaged", cause=str(answer.header.get("cause", "")))

    def do(self, header: dict[str, Any], blobs: Sequence[bytes], cap_s: float, resident_bytes: int) -> _Answer:
        """Hand over a job and wait for its answer. Raises: _Lost."""
        self._jobs += 1
        return self._exchange(wire.pack(header, blobs), time.monotonic() + cap_s, cap_s, resident_bytes)

    def _exchange(self, pieces: list[bytes], deadline: float, cap_s: float, resident_bytes: int) -> _Answer:
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
                    raise _Lost("too-slow", limit_s=int(cap_s))
                if now - watched >= WATCH_EVERY_S:
                    watched = now
                    if self._resident_bytes() > resident_bytes:
                        raise _Lost("too-heavy", limit=resident_bytes)
                for key, _ in selector.select(min(WATCH_EVERY_S, deadline - now)):
                    try:
                        if key.fd == self._to:
                            self._send(outgoing)
                            if not outgoing:
                                selector.unregister(self._to)
                        elif reading.take(self._receive(reading.wanted)):
                            return reading.answer()
                    except (OSError, ValueError, RecursionError) as error:
                        raise _Lost("damaged") from error

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
            raise _Lost("damaged")
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

    def answer(self) -> _Answer:
        return _Answer(self._header or {}, tuple(self._blobs))


def _widen(descriptor: int) -> None:
    """Larger pipes mean fewer turns for a large document; where the kernel refuses it works all the same."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)

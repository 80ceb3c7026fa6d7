"""The workshop: every parser of foreign input runs in a child process that can be killed.

A few warm children wait for jobs. The parent, from any number of threads, hands one job to one child and watches it:
time by the clock, resident memory by /proc. A child that exceeds either is killed and replaced, and so is one that
crashes or answers nonsense; it costs the job it had, nothing else. A job that turns out to be slow is set aside with
its child, which gives way to all others, and another takes its place. No private key ever enters a child: for a seal
the child draws up the revision, the parent hashes and signs it, and a child then checks the whole result.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pdfops import wire
from pdfops.children import RESIDENT_CAP_BYTES, Answer, Child, Lost, Mother
from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.inspect import Inspection
from pdfops.lasting import Lasting
from pdfops.preview import ImageFormat
from pdfops.remote import Pending
from pdfops.seal import SealOrder
from pdfops.sealing import Sealer, Signed, decoded
from pdfops.shaping import DEBIAN_FOLDERS
from pdfops.signer import Identity, Signer
from pdfops.verify import Verification

__all__ = ["Limits", "Signed", "Workshop", "WorkshopClosedError"]

_log = logging.getLogger("pdfops")


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

    def __init__(self, children: int = 2, limits: Limits | None = None, fonts: Sequence[str] | None = None) -> None:
        """Starts ``children`` processes, and returns at once; the first jobs wait until they are warm.

        As many again may be busy with slow jobs beside them. ``fonts``: folders that are searched for letters the
        stamp's own font lacks; None: Debian's Noto fonts.
        """
        if children < 1:
            raise ValueError("a workshop needs a child")
        self._limits = limits or Limits()
        self._fonts = DEBIAN_FOLDERS if fonts is None else tuple(fonts)
        self._idle: queue.SimpleQueue[Child | None] = queue.SimpleQueue()
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive: set[Child] = set()
        self._aside: set[Child] = set()
        self._most_aside = children
        self._dying: list[Child] = []
        self._mothers: list[tuple[Mother, set[Child]]] = []
        self._renews = False
        self._closed = False
        self._sealer = Sealer(self._ask)
        self._stopping = threading.Event()
        self._warm = threading.Event()
        for _ in range(children):
            self._wanted.put(True)
        # One thread starts the mother of all children: the kernel kills her, and them, when the thread that started
        # her ends, so that must not be a request's.
        self._keeper = threading.Thread(target=self._keep, name="pdfops-keeper", daemon=True)
        self._keeper.start()

    def inspect(self, data: bytes) -> Inspection:
        """See `pdfops.inspect.inspect`. Raises: PdfError, too-slow and too-heavy included."""
        return decoded(wire.inspection_from_json, self._ask({"job": "inspect"}, (data,)).value)

    def preview(self, data: bytes, page: int, width_px: int, image_format: ImageFormat = "jpeg") -> bytes:
        """See `pdfops.preview.render`. Raises: PdfError."""
        header = {"job": "preview", "page": page, "width_px": width_px, "image_format": image_format}
        return self._ask(header, (data,)).blob

    def page_text(self, data: bytes, page: int) -> str:
        """See `pdfops.preview.page_text`. Raises: PdfError."""
        return self._ask({"job": "text", "page": page}, (data,)).blob.decode("utf-8", "replace")

    def check_renders(self, data: bytes, pages: int | None = None) -> None:
        """See `pdfops.preview.check_renders`; a page that kills its child, by time or memory, cannot be shown either.

        Raises: PdfError, unrenderable with ``page``. Bounded by one job's time, whatever the document.
        """
        self._ask({"job": "renders", "pages": pages}, (data,))

    def prepare(self, data: bytes, places: Sequence[Place], certification: str | None = None) -> bytes:
        """See `pdfops.fields.prepare`; the result starts with ``data``. Raises: PdfError."""
        header = {
            "job": "prepare",
            "places": [wire.place_to_json(place) for place in places],
            "certification": certification,
        }
        return data + self._ask(header, (data,)).blob

    def normalise_ink(self, image: bytes) -> bytes:
        """See `pdfops.ink.normalise_ink`. Raises: PdfError."""
        return self._ask({"job": "ink"}, (image,)).blob

    def normalise_strokes(self, sent: bytes) -> bytes:
        """See `pdfops.strokes.normalise_strokes`. Raises: PdfError."""
        return self._ask({"job": "strokes"}, (sent,)).blob

    def normalise_typed(self, text: str) -> bytes:
        """See `pdfops.stamp.normalise_typed`. Raises: PdfError."""
        return self._ask({"job": "typed"}, (text.encode(errors="replace"),)).blob

    def undrawable(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Of each text, the characters that no stamp can show; see `pdfops.stamp.undrawable`. Raises: PdfError."""
        value = self._ask({"job": "undrawable", "texts": list(texts)}, ()).value
        return decoded(wire.texts_from_json, value, len(texts))

    def seal(self, data: bytes, order: SealOrder, signer: Signer, lasting: Lasting | None = None) -> bytes:
        """Fill, stamp and sign the fields of ``order``, check the result, return it; it starts with ``data``.

        Raises: PdfError as `sign` and `check`.
        """
        signed = self.sign(data, order, signer, lasting)
        self.check(data, signed)
        return signed.data

    def sign(self, data: bytes, order: SealOrder, signer: Signer, lasting: Lasting | None = None) -> Signed:
        """The first half of `seal`: nothing may speak of the result before `check` has passed it.

        The signer is called in this thread, and so is the authority of ``lasting``, who attests the time. A child that
        has seen the document never sees the key, and what is signed is hashed here, once for both the seal and the
        revision.

        Raises: PdfError as `pdfops.seal.draw_up`; with ``lasting`` unreachable, timestamp-refused,
        validation-data-missing: then nothing was signed, and it can be tried again.
        """
        return self._sealer.sign(data, order, signer, lasting)

    def begin(self, data: bytes, order: SealOrder, holder: Identity, lasting: Lasting | None = None) -> Pending:
        """The first of two requests: a seal but for the signature, whose key is elsewhere. The pending seal is kept by
        the caller; ``lasting`` has to be given to `finish` as well. Raises: PdfError as `pdfops.seal.draw_up`."""
        return self._sealer.begin(data, order, holder, lasting)

    def finish(self, data: bytes, pending: Pending, signature: bytes, lasting: Lasting | None = None) -> Signed:
        """The second: with the signature over ``pending.to_sign``. `check` it as what `sign` returns. Where
        ``pending.unsigned.left`` names more fields, each takes two more requests on the result.

        Raises: PdfError not-verified where document or signature are not those of ``pending``; as `sign`.
        """
        return self._sealer.finish(data, pending, signature, lasting)

    def check(self, data: bytes, signed: Signed) -> None:
        """See `pdfops.check.check_seal`. ``data``: what was signed.

        Raises: PdfError not-verified when the result is not what it should be: it must not be kept.
        """
        header = {
            "job": "check",
            "fields": list(signed.fields),
            "signatures_before": signed.signatures_before,
            "level": signed.level,
        }
        blobs = (data, signed.data[len(data) :])
        if self._ask(header, blobs, self._limits.verify_s).value != {"checked": True}:
            raise PdfError("not-verified", reason="no verdict")

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
        return decoded(wire.verification_from_json, answer.value)

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
            for mother, _ in self._mothers:
                mother.kill()
        self._idle.put(None)
        self._keeper.join()
        with self._lock:
            leftover, self._alive = list(self._alive), set()
        for child in leftover:
            child.kill()
            child.bury()
        for mother, _ in self._mothers:
            mother.kill()
            mother.bury()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, header: dict[str, Any], blobs: Sequence[bytes], cap_s: float | None = None) -> Answer:
        child = self._take()
        try:
            cap_s = cap_s or self._limits.job_s
            answer = child.do(header, blobs, cap_s, self._limits.resident_bytes, lambda: self._set_aside(child))
        except Lost as lost:
            if lost.code == "damaged":
                self._renews = True
            self._replace(child)
            if self._is_closed():
                raise WorkshopClosedError from lost
            if child.page is not None:
                raise PdfError("unrenderable", page=child.page) from lost
            raise PdfError(lost.code, **lost.values) from lost
        except BaseException:
            self._replace(child)
            raise
        if child.yields:
            self._let_go(child)
        elif child.is_worn():
            self._replace(child)
        else:
            self._idle.put(child)
        if "error" in answer.header:
            raise wire.error_from_json(answer.header)
        return answer

    def _take(self) -> Child:
        deadline = time.monotonic() + self._limits.wait_s
        self._bury_dead()
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

    def _set_aside(self, child: Child) -> None:
        """Another child is wanted in its place, unless there are too many aside already: then it keeps its place."""
        with self._lock:
            if self._closed or len(self._aside) >= self._most_aside:
                return
            self._aside.add(child)
        self._wanted.put(True)

    def _let_go(self, child: Child) -> None:
        """It has done its work. Nobody waits for its end, which takes a while where the machine is busy, but it counts
        as aside until then."""
        with self._lock:
            is_aside = child in self._aside
            if is_aside:
                child.kill()
                self._dying.append(child)
        if not is_aside:
            self._replace(child)

    def _bury_dead(self) -> None:
        with self._lock:
            ended = [child for child in self._dying if not child.is_alive()]
            for child in ended:
                child.bury()
                self._dying.remove(child)
                self._aside.discard(child)
                self._alive.discard(child)

    def _is_closed(self) -> bool:
        with self._lock:
            return self._closed

    def _replace(self, child: Child) -> None:
        child.kill()
        child.bury()
        with self._lock:
            self._alive.discard(child)
            is_wanted = not self._closed and child not in self._aside
            self._aside.discard(child)
        if is_wanted:
            self._wanted.put(True)

    def _keep(self) -> None:
        """Start children as they are wanted, until the workshop closes."""
        failures = 0
        while self._wanted.get():
            if self._is_closed():
                return
            child = None
            try:
                child = self._born()
                child.await_ready(self._limits.start_s)
            except Lost as lost:
                if child is not None:
                    child.kill()
                    child.bury()
                    with self._lock:
                        self._alive.discard(child)
                self._renews = True
                self._bury_childless()
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

    def _born(self) -> Child:
        """A child of the last mother, or of a new one where that one is gone or should bear no more. Raises: Lost."""
        if not self._mothers or self._renews or not self._mothers[-1][0].is_alive():
            self._renews = False
            mother = Mother(self._fonts)
            with self._lock:
                if self._closed:
                    mother.kill()
                self._mothers.append((mother, set()))
            mother.await_ready(self._limits.start_s)
        mother, children = self._mothers[-1]
        child = mother.bear()
        with self._lock:
            children.add(child)
            self._alive.add(child)
            if self._closed:
                child.kill()
        self._bury_childless()
        return child

    def _bury_childless(self) -> None:
        with self._lock:
            ended = [(m, c) for m, c in self._mothers[:-1] if not c & self._alive]
            self._mothers = [one for one in self._mothers if one not in ended]
            for _, children in self._mothers:
                children &= self._alive
        for mother, _ in ended:
            mother.kill()
            mother.bury()

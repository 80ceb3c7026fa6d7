"""The port ``Jobs`` over Huey, with its consumer's parts run in threads of this process: no signal handlers."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from huey import SqliteHuey
from huey.consumer import Worker
from huey.registry import Message
from huey.serializer import Serializer

from plugin.failpoints import reach

_log = structlog.get_logger()
_LOOK_AT = "look_at"
_LOOK_AFTER = "look_after"


class _JsonSerializer(Serializer):  # type: ignore[misc]  # the library has no types
    """Messages as JSON lists: nothing that is read from the queue can run code."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(list(data)).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(*json.loads(bytes(data)))


class HueyJobs:
    """Promise: ``look_at`` is cheap and may be called from any thread. A handler's exception is logged, by the flow's
    id, and never ends a worker. The same flow may be looked at twice at once.
    """

    def __init__(
        self,
        path: Path,
        handler: Callable[[str], None],
        look_after: Callable[[str], None],
        sweep: Callable[[], None],
        *,
        workers: int = 2,
        sweep_every_s: float = 20.0,
    ) -> None:
        self._huey = SqliteHuey(
            "parapheur", filename=str(path), serializer=_JsonSerializer(), results=False, fsync=False
        )
        self._sweep = sweep
        self._workers = workers
        self._sweep_every_s = sweep_every_s
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []
        self._look_at = self._huey.task(name=_LOOK_AT)(partial(self._do, handler))
        self._look_after = self._huey.task(name=_LOOK_AFTER)(partial(self._do, look_after))

    def look_at(self, flow_id: str) -> None:
        self._queue(self._look_at, flow_id)

    def look_after(self, flow_id: str) -> None:
        self._queue(self._look_after, flow_id)

    def _queue(self, task: Callable[[str], object], flow_id: str) -> None:
        try:
            task(flow_id)
            reach("effects-queued")
        except Exception as error:
            _log.warning("job.not_queued", flow_id=flow_id, error=type(error).__name__)
        self._wake.set()

    def start(self) -> None:
        """The sweep runs at once, then at its rhythm."""
        names = [(self._work, f"jobs-{number}") for number in range(self._workers)] + [(self._keep_sweeping, "sweep")]
        for target, name in names:
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Waits for what is being done; what is queued stays queued."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._huey.storage.close()

    def _do(self, handler: Callable[[str], None], flow_id: str) -> None:
        try:
            handler(flow_id)
        except Exception as error:
            _log.error("job.failed", flow_id=flow_id, error=type(error).__name__, where=_where(error))

    def _work(self) -> None:
        worker = Worker(self._huey, _Woken(self._stop, self._wake), 0.1, 5.0, 1.5)
        while not self._stop.is_set():
            worker.loop()

    def _keep_sweeping(self) -> None:
        while True:
            try:
                self._sweep()
            except Exception as error:
                _log.error("sweep.failed", error=type(error).__name__, where=_where(error))
            if self._stop.wait(self._sweep_every_s):
                return


class _Woken:
    """What a worker waits on while the queue is empty: it goes on as soon as this process queues something."""

    def __init__(self, stop: threading.Event, wake: threading.Event) -> None:
        self._stop = stop
        self._wake = wake

    def is_set(self) -> bool:
        return self._stop.is_set()

    def wait(self, timeout_s: float) -> None:
        if self._wake.wait(timeout_s) and not self._stop.is_set():
            self._wake.clear()


def _where(error: BaseException) -> list[str]:
    """The innermost lines it came through. Its text stays out of the log: it may hold somebody's data."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return [f"{Path(frame.filename).stem}:{frame.lineno}" for frame in frames]

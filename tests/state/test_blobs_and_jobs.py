from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from plugin.adapters.blobs import FolderBlobs
from plugin.adapters.jobs import HueyJobs
from plugin.ports import Blobs, Jobs

PATIENCE_S = 10


# ---- blobs ----------------------------------------------------------------------------------------------------------
def test_what_was_put_is_got_by_its_hash(tmp_path: Path) -> None:
    blobs: Blobs = FolderBlobs(tmp_path / "cache")
    sha = blobs.put(b"pdf")
    assert blobs.put(b"pdf") == sha
    assert blobs.get(sha) == b"pdf"
    assert FolderBlobs(tmp_path / "cache").get(sha) == b"pdf"
    assert blobs.get("0" * 64) is None
    assert blobs.get("../keys/instance-secret") is None


def test_a_damaged_blob_is_no_blob(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path, memory_bytes=0)
    sha = blobs.put(b"pdf")
    (tmp_path / sha).write_bytes(b"pdF")
    assert blobs.get(sha) is None
    assert blobs.put(b"pdf") == sha
    assert blobs.get(sha) == b"pdf"


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path, limit_bytes=1000)
    shas = [blobs.put(bytes([number]) * 300) for number in range(3)]
    for age, sha in enumerate((shas[1], shas[2], shas[0])):
        os.utime(tmp_path / sha, (1_000_000 + age, 1_000_000 + age))
    newest = blobs.put(b"x" * 300)
    assert [blobs.get(sha) is not None for sha in shas] == [True, False, True]
    assert blobs.get(newest) is not None
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000


def test_the_last_ones_come_from_memory_as_long_as_they_are_in_the_folder(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path, memory_bytes=1000)
    shas = [blobs.put(bytes([number]) * 400) for number in range(3)]
    large = blobs.put(b"x" * 900)
    for sha in (*shas, large):
        (tmp_path / sha).write_bytes(b"damaged")
    assert [blobs.get(sha) for sha in (*shas, large)] == [None, b"\1" * 400, b"\2" * 400, None]
    (tmp_path / shas[2]).unlink()
    assert blobs.get(shas[2]) is None


def test_what_a_crash_left_behind_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".half").write_bytes(b"x")
    FolderBlobs(tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- jobs -----------------------------------------------------------------------------------------------------------
def test_a_flow_is_looked_at_soon(tmp_path: Path) -> None:
    seen: queue.Queue[str] = queue.Queue()
    jobs = HueyJobs(tmp_path / "jobs.db", seen.put, seen.put, lambda: None, sweep_every_s=3600)
    port: Jobs = jobs
    jobs.start()
    for number in range(5):
        port.look_at(f"f{number}")
    assert {seen.get(timeout=PATIENCE_S) for _ in range(5)} == {f"f{number}" for number in range(5)}
    jobs.stop()


def test_a_worker_survives_an_exception_and_says_for_which_flow(tmp_path: Path) -> None:
    seen: queue.Queue[str] = queue.Queue()

    def handler(flow_id: str) -> None:
        if flow_id == "bad":
            raise RuntimeError("a comment of somebody")
        seen.put(flow_id)

    with structlog.testing.capture_logs() as logs:
        jobs = HueyJobs(tmp_path / "jobs.db", handler, handler, lambda: None, workers=1, sweep_every_s=3600)
        jobs.start()
        jobs.look_at("bad")
        jobs.look_at("good")
        assert seen.get(timeout=PATIENCE_S) == "good"
        jobs.stop()
    (entry,) = logs
    assert (entry["event"], entry["flow_id"], entry["error"]) == ("job.failed", "bad", "RuntimeError")
    assert "comment" not in str(entry)


def test_what_was_queued_before_the_start_is_done_after_it(tmp_path: Path) -> None:
    seen: queue.Queue[str] = queue.Queue()
    stopped = HueyJobs(tmp_path / "jobs.db", seen.put, seen.put, lambda: None)
    stopped.look_at("f")
    stopped.stop()
    jobs = HueyJobs(tmp_path / "jobs.db", seen.put, seen.put, lambda: None, sweep_every_s=3600)
    jobs.start()
    assert seen.get(timeout=PATIENCE_S) == "f"
    jobs.stop()


@pytest.mark.parametrize("fails", [True, False])
def test_the_sweep_runs_at_the_start_and_again_whatever_happens(tmp_path: Path, fails: bool) -> None:
    times = threading.Semaphore(0)

    def sweep() -> None:
        times.release()
        if fails:
            raise RuntimeError

    jobs = HueyJobs(tmp_path / "jobs.db", lambda _: None, lambda _: None, sweep, sweep_every_s=0.01)
    with structlog.testing.capture_logs() as logs:
        jobs.start()
        for _ in range(3):
            assert times.acquire(timeout=PATIENCE_S)
        jobs.stop()
    assert [entry["event"] for entry in logs[:1]] == (["sweep.failed"] if fails else [])


def test_a_queue_that_cannot_be_written_does_not_fail_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = HueyJobs(tmp_path / "jobs.db", lambda _: None, lambda _: None, lambda: None)
    broken: Callable[[str], None] = lambda _: (_ for _ in ()).throw(OSError)  # noqa: E731 - shorter than a function, and used below
    monkeypatch.setattr(jobs, "_look_at", broken)
    with structlog.testing.capture_logs() as logs:
        jobs.look_at("f")
    assert [(entry["event"], entry["flow_id"]) for entry in logs] == [("job.not_queued", "f")]
    jobs.stop()

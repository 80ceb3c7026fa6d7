"""``python -m plugin.demo`` as a process: killed, started again, told to end."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

pytestmark = [pytest.mark.machine, pytest.mark.alone]
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(data: Path, port: int, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The process, once it says that it is ready."""
    environment = {**os.environ, "PORT": str(port), "DATA": str(data), "PYTHONUNBUFFERED": "1", **more}
    with subprocess.Popen(
        [sys.executable, "-m", "plugin.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert any("is ready" in line for line in process.stdout)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_files_and_sessions_survive_a_kill_and_it_answers_again_within_ten_seconds(data: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with requests.Session() as alice:
        alice.trust_env = False
        with running(data, port) as process:
            assert alice.post(f"{url}/demo/login", json={"user": "alice"}).status_code == 200
            put = requests.put(
                f"{url}/remote.php/dav/files/alice/kept.txt", b"kept", auth=("alice", "alice"), timeout=5
            )
            assert put.status_code == 201
            process.send_signal(signal.SIGKILL)
            process.wait(5)
        started = time.monotonic()
        with running(data, port) as process:
            assert alice.get(f"{url}/demo/api/session").json()["user"]["uid"] == "alice"
            got = requests.get(f"{url}/remote.php/dav/files/alice/kept.txt", auth=("alice", "alice"), timeout=5)
            assert got.content == b"kept"
            assert got.headers["ETag"] == put.headers["ETag"]
            assert time.monotonic() - started < 10
            ending = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
            assert time.monotonic() - ending < 5


def test_no_acknowledged_write_is_lost_when_it_is_killed_in_the_midst_of_writing(data: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/remote.php/dav/files/bob/log"
    acknowledged: list[int] = []
    with running(data, port) as process:

        def write() -> None:
            with requests.Session() as bob, suppress(requests.RequestException):
                bob.trust_env, bob.auth = False, ("bob", "bob")
                for number in range(100_000):
                    if bob.put(url, f"{number:06d}" * 2000, timeout=5).status_code in (201, 204):
                        acknowledged.append(number)
                    if number == 50:
                        busy.set()

        busy = threading.Event()
        writer = threading.Thread(target=write)
        writer.start()
        assert busy.wait(20)
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        writer.join(10)
    with running(data, port):
        got = requests.get(url, auth=("bob", "bob"), timeout=5)
    number = int(got.text[:6])
    assert number in (acknowledged[-1], acknowledged[-1] + 1)
    assert got.text == f"{number:06d}" * 2000
    assert got.headers["ETag"] == f'"{hashlib.sha256(got.content).hexdigest()}"'


def test_the_data_is_the_owners_alone(data: Path) -> None:
    with running(data, free_port()):
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / "app_secret").stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_is_said_clearly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "plugin.demo", "--port", str(taken.getsockname()[1]), "--data", str(tmp_path)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_data_in_use_is_said_clearly(data: Path) -> None:
    with running(data, free_port()):
        command = [sys.executable, "-m", "plugin.demo", "--port", str(free_port()), "--data", str(data)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_it_ends_with_its_parent_when_asked_to(data: Path) -> None:
    port = free_port()
    starter = (
        "import subprocess, sys, os, signal\n"
        "child = subprocess.Popen([sys.executable, '-m', 'plugin.demo'], stdout=subprocess.PIPE, text=True)\n"
        "next(line for line in child.stdout if 'is ready' in line)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PORT": str(port), "DATA": str(data), "PARAPHEUR_DIE_WITH_PARENT": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", starter],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.wait(10)
    # the child holds the pipe's other end no longer once it is gone: ask the port, which dies with it
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it outlived its parent")

"""``make run`` in the checkout, and the process it starts: told to end in every way there is."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.machine.machine import DEMO, ROOT, SETUP_WITHIN_S, Server, free_port, living, until

pytestmark = pytest.mark.machine
Process = subprocess.Popen[bytes]


def term_alone(process: Process) -> None:
    process.send_signal(signal.SIGTERM)


def term_to_the_group(process: Process) -> None:
    os.killpg(process.pid, signal.SIGTERM)


def term_twice(process: Process) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)


def interrupt(process: Process) -> None:
    """Ctrl+C: the terminal tells the whole group."""
    os.killpg(process.pid, signal.SIGINT)


WAYS = [term_alone, term_to_the_group, term_twice, interrupt]


def make_run(server: Server) -> list[str]:
    return ["make", "--no-print-directory", "run", f"PORT={server.port}", f"DATA={server.data}"]


def test_make_run_says_what_to_open_and_ends_within_five_seconds_however_it_is_told(server: Server) -> None:
    server.command = make_run(server)
    took = []
    for way in WAYS:
        server.start(within_s=SETUP_WITHIN_S)
        assert len(server.family) >= 3, "make, the product, its children"
        took.append(server.end(way))
    print("make run ended after", [f"{way.__name__} {s:.2f} s" for way, s in zip(WAYS, took, strict=True)])
    assert max(took) < 5
    assert server.said.count(f"{server.url}/\n") == len(WAYS)
    assert f"{server.url}/demo/mail" in server.said
    assert server.troubles == []


def test_nothing_outlives_a_make_that_was_killed(server: Server) -> None:
    server.command = make_run(server)
    server.start(within_s=SETUP_WITHIN_S)
    assert server.process is not None
    known = server.family
    server.process.kill()
    server.process.wait(5)
    until(lambda: not living(known), 5, "the product ends with make")
    server.command = DEMO
    assert server.start() < 10


def test_the_process_itself_ends_with_code_zero_and_leaves_nothing(server: Server) -> None:
    for way in WAYS:
        server.start()
        process = server.process
        assert process is not None
        assert server.end(way) < 5
        assert process.returncode == 0, way.__name__
    assert server.troubles == []


def test_a_signal_that_comes_during_the_start_ends_it_too(server: Server) -> None:
    server.launch()
    process = server.process
    assert process is not None
    until(lambda: (server.data / "host").exists() or process.poll() is not None, 10, "the start has begun")
    assert server.end() < 5
    assert "Traceback" not in server.log


def test_data_with_a_space_and_an_accent_in_its_name_is_fine(tmp_path: Path) -> None:
    with Server(tmp_path / "mes données") as server:
        server.start()
        server.end()
        assert server.troubles == []


@pytest.mark.parametrize("broken", ["host/host.sqlite", "parapheur/vault.db"])
def test_a_start_that_fails_ends(tmp_path: Path, broken: str) -> None:
    path = tmp_path / broken
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database at all" * 1000)
    command = [*DEMO, "--port", str(free_port()), "--data", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode not in (0, None)
    assert "is not a database" in ended.stderr

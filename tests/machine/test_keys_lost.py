"""Keys: a protected backup, the start that refuses to make new ones, and the way back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.machine import DEMO, ROOT, Server, case, free_port, parapheur, people, until
from tests.state import independent_verifier

pytestmark = pytest.mark.machine
WORDS = "trois petits chats, chapeau de paille"


def export(data: Path, file: Path, words: str = WORDS) -> subprocess.CompletedProcess[str]:
    return parapheur(data, "keys", "export", str(file), PARAPHEUR_EXPORT_PASSPHRASE=words)


def restore(data: Path, file: Path, words: str = WORDS) -> subprocess.CompletedProcess[str]:
    return parapheur(data, "keys", "restore", str(file), PARAPHEUR_EXPORT_PASSPHRASE=words)


def is_said(run: subprocess.CompletedProcess[str], code: int, *words: str) -> bool:
    """A sentence on stderr, no traceback."""
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    return all(word in run.stderr for word in words)


def test_lost_keys_refuse_the_start_until_the_backup_is_put_back(server: Server, tmp_path: Path) -> None:
    backup = tmp_path / "keys.backup"
    server.start(within_s=30)
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        one = case(alice, 1).launched(alice)
        assert one.sign_as_bob(bob).status_code == 200
        link = one.link(outside)
        assert alice.json("/healthz")["status"] == "degraded"
        assert is_said(export(server.data, backup, "short"), 1, "8 characters")
        assert not backup.exists()
        assert is_said(export(server.data, tmp_path / "nowhere" / "file"), 1, "nowhere")
        assert export(server.data, backup).returncode == 0
        assert backup.stat().st_mode & 0o777 == 0o600
        assert alice.json("/healthz")["status"] == "ok"
        server.kill()

        shutil.rmtree(server.data / "parapheur" / "keys")
        command = [*DEMO, "--port", str(free_port()), "--data", str(server.data)]
        for _ in range(2):
            start = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
            assert is_said(start, 2, "instance-secret is missing", "parapheur keys restore")
        assert is_said(parapheur(server.data, "rebuild"), 1, "parapheur keys restore")
        assert is_said(restore(server.data, backup, "another passphrase"), 1, "passphrase")
        assert is_said(restore(server.data, tmp_path / "nothing"), 1, "nothing")
        assert list((server.data / "parapheur" / "keys").glob("[!.]*")) == []

        assert restore(server.data, backup).returncode == 0
        server.start()
        assert outside.get(link).status_code == 200
        assert one.sign_outside(outside).status_code == 200
        assert alice.json("/healthz")["status"] in ("ok", "degraded")
    assert server.troubles == []


def test_a_backup_is_never_put_over_other_keys(tmp_path: Path) -> None:
    backup = tmp_path / "keys.backup"
    with Server(tmp_path / "one") as one, Server(tmp_path / "other") as other:
        for server in (one, other):
            server.start(within_s=30)
            server.end()
        assert export(one.data, backup).returncode == 0
        keys = other.data / "parapheur" / "keys"
        before = {path.name: path.read_bytes() for path in keys.iterdir()}
        assert is_said(restore(other.data, backup), 1, "Nothing was changed")
        assert {path.name: path.read_bytes() for path in keys.iterdir()} == before
        assert restore(one.data, backup).returncode == 0


def test_a_worker_says_what_is_wrong_with_its_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plugin.worker"]
    environment = {"PARAPHEUR_DATA": str(tmp_path), "PARAPHEUR_NO_SUCH": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert is_said(run, 2, "PARAPHEUR_HOST_URL", "PARAPHEUR_NO_SUCH")


def test_keys_rotate_beside_a_running_server_counts_from_its_next_start(server: Server, tmp_path: Path) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        one = case(alice, 1).launched(alice)
        assert export(server.data, tmp_path / "before").returncode == 0
        rotated = parapheur(server.data, "keys", "rotate")
        assert rotated.returncode == 0, rotated.stderr
        kid = rotated.stdout.split()[2].rstrip(":")
        assert one.sign_as_bob(bob).status_code == 200
        server.end()
        server.start()
        assert alice.json("/healthz")["status"] == "degraded", "the new key is in no backup"
        keys = alice.json("/.well-known/parapheur-keys.json")["keys"]
        assert len(keys) == 2
        assert one.sign_outside(outside).status_code == 200
        (state,) = server.files("alice").glob(f"**/.flows/{one.id}/flow.jsonl")
        proven = independent_verifier.check(state.read_bytes(), one.id)
        assert list(proven.keys)[1:] == [kid]
        assert set(proven.keys) == {key["kid"] for key in keys}
        at = [line["type"] for line in proven.lines].index("key.rotated")
        assert proven.lines[at + 1]["actor"].startswith("recipient:")
        assert {line["kid"] for line in proven.lines[at:]} == {kid}
        until(lambda: one.read(alice)["state"] == "completed", 30, "it is finished")
        record = alice.json(f"/api/v1/flows/{one.id}/evidence")
        assert record["kid"] == kid
        assert [event["data"] for event in record["events"] if event["type"] == "key.rotated"] == [{}]
        shown = alice.get(f"/api/v1/flows/{one.id}/evidence?format=pdf")
        assert (shown.status_code, shown.content[:5]) == (200, b"%PDF-")

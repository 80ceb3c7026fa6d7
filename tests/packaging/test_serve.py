"""``parapheur serve`` as a process: on a port, and behind HaRP on a socket file beside a tunnel."""

from __future__ import annotations

import base64
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from plugin.serve import CannotServe, Tunnel, beats, plan, tunnel_settings
from tests.world import until

SECRET, KEY = "the app's secret", "HaRP's key"


def test_a_port_by_default_and_the_hosts_wish_where_it_has_one() -> None:
    assert plan({}).bind == "127.0.0.1:23000"
    assert plan({"APP_HOST": "0.0.0.0", "APP_PORT": "23005"}).bind == "0.0.0.0:23005"
    assert plan({"APP_HOST": "::"}).bind == "[::]:23000"
    assert (plan({}).threads, plan({"PARAPHEUR_THREADS": "8"}).threads) == (32, 8)
    assert plan({"HP_SHARED_KEY": KEY}).tunnel is None, "HaRP without its tunnel calls the port"


@pytest.mark.parametrize("wrong", ["0", "65536", "-1", "x", "1e3", "٣"])
def test_a_port_that_cannot_be_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(CannotServe, match="APP_PORT"):
        plan({"APP_PORT": wrong})


def test_the_tunnel_is_encrypted_and_to_harp_alone_where_it_gave_certificates(tmp_path: Path) -> None:
    tunnel = Tunnel("harp", 8782, 'a "key" = \\1\n', "parapheur", 23001)
    plain = tomllib.loads(tunnel_settings(tunnel, "unix:/x/exapp.sock", tmp_path))
    assert (plain["serverAddr"], plain["serverPort"], plain["metadatas"]["token"]) == ("harp", 8782, tunnel.key)
    assert plain["transport"]["tls"] == {"enable": False}
    (one,) = plain["proxies"]
    assert (one["name"], one["type"], one["remotePort"]) == ("parapheur", "tcp", 23001)
    assert one["plugin"] == {"type": "unix_domain_socket", "unixPath": "/x/exapp.sock"}
    (tmp_path / "client.crt").touch()
    tls = tomllib.loads(tunnel_settings(tunnel, "unix:/x/exapp.sock", tmp_path))["transport"]["tls"]
    assert tls["enable"] is True
    assert tls["serverName"] == "harp.nc"
    assert {tls[name] for name in ("certFile", "keyFile", "trustedCaFile")} == {
        f"{tmp_path}/{name}" for name in ("client.crt", "client.key", "ca.crt")
    }


# ---- as a process ---------------------------------------------------------------------------------------------------
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """The process, once its server answers. Its host is nowhere: the start needs none."""
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "HOME": str(folder / "home"),
        "APP_SECRET": SECRET,
        "APP_VERSION": "0.1.0",
        "APP_PERSISTENT_STORAGE": str(folder / "data"),
        "NEXTCLOUD_URL": f"http://127.0.0.1:{free_port()}",
        "PARAPHEUR_PUBLIC_URL": "https://cloud.example.org/p",
        **more,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "plugin.cli", "serve"], env=environment, stdout=log, stderr=log
        )
    try:
        until(lambda: process.poll() is not None or _asks_health(environment), within_s=60)
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        yield process, environment
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _asks_health(environment: dict[str, str]) -> bool:
    """As the container's health check does."""
    asked = [sys.executable, "-m", "plugin.serve", "health"]
    return subprocess.run(asked, env=environment, timeout=20, check=False).returncode == 0


@pytest.mark.machine
def test_it_answers_on_the_port_and_ends_when_told_to(tmp_path: Path) -> None:
    with serving(tmp_path, APP_PORT=str(free_port())) as (process, environment):
        assert beats(environment)
        assert not (tmp_path / "home").exists(), "a container's user has no home"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not beats(environment)
        assert not _asks_health(environment)


def a_tunnel(folder: Path) -> str:
    """An ``frpc`` that keeps a copy of its settings and stays until it is told to end. Returns: the path of programs
    with it."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "frpc"
    program.write_text(
        f'#!/bin/sh\ntest "$1" = -c || exit 9\nstat -c %a "$2" > {folder}/mode\ncp "$2" {folder}/copy\n'
        f"echo $$ > {folder}/pid\nexec sleep 600\n"
    )
    program.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


class BySocket(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self.path))


def asks(folder: Path, method: str, path: str, uid: str = "", **headers: str) -> int:
    """As what HaRP's tunnel brings: the app's own headers are on every request."""
    brought = {
        "EX-APP-ID": "parapheur",
        "AUTHORIZATION-APP-API": base64.b64encode(f"{uid}:{SECRET}".encode()).decode(),
    }
    with closing(BySocket(folder / "exapp.sock")) as connection:
        connection.request(
            method, path, headers=brought | {name.replace("_", "-"): value for name, value in headers.items()}
        )
        return connection.getresponse().status


@pytest.mark.machine
def test_behind_harp_it_is_a_socket_file_with_a_tunnel_and_a_browser_is_no_platform(tmp_path: Path) -> None:
    port = free_port()
    behind = {"HP_SHARED_KEY": KEY, "HP_FRP_ADDRESS": "127.0.0.1", "HP_FRP_PORT": "1", "APP_PORT": str(port)}
    with serving(tmp_path, PATH=a_tunnel(tmp_path), **behind) as (process, _):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "nobody reaches it but through the file"
        until(lambda: (tmp_path / "pid").exists())
        assert (tmp_path / "mode").read_text().strip() == "600"
        assert tomllib.loads((tmp_path / "copy").read_text())["proxies"][0]["remotePort"] == port
        for method, path in (
            ("POST", "/init"),
            ("PUT", "/enabled?enabled=0"),
            ("POST", "/events/files"),
            ("GET", "/healthz"),
            ("GET", "/heartbeat"),
        ):
            assert asks(tmp_path, method, path) == 404, path
            assert asks(tmp_path, method, path, "alice") == 404, path
            assert asks(tmp_path, method, path, Harp_Shared_Key="guessed") == 404, path
            assert asks(tmp_path, method, path, Harp_Shared_Key=KEY, X_Origin_IP="192.0.2.1") == 404, path
        assert asks(tmp_path, "GET", "/heartbeat", Harp_Shared_Key=KEY) == 200
        assert asks(tmp_path, "PUT", "/enabled?enabled=2", Harp_Shared_Key=KEY) == 422
        log = (tmp_path / "log").read_text()
        assert KEY not in log
        assert SECRET not in log
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert process.wait(60) == 1, "a container without its tunnel is started anew"
    assert not (tmp_path / "exapp.sock").exists()
    assert list(tmp_path.glob("parapheur-*")) == []


@pytest.mark.machine
def test_without_the_tunnels_program_it_says_so_and_serves_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plugin.serve"],
        env={
            "PATH": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "HP_SHARED_KEY": secrets.token_hex(8),
            "HP_FRP_ADDRESS": "h",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "frpc is not on this machine" in done.stderr

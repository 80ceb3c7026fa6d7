"""``parapheur serve``: the sidecar's server, as a container or a service starts it.

One process with threads, on APP_HOST:APP_PORT. Behind HaRP (it gives HP_SHARED_KEY and HP_FRP_ADDRESS) there is no
port: the server listens on a socket file, and ``frpc`` beside it keeps a tunnel to HaRP; when one of the two ends,
both do. ``python -m plugin.serve health`` says whether the server answers; nothing but the standard library is loaded
for that. Source: AppAPI's docker deployment; HaRP, "Adapting ExApps".
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST, PORT, THREADS = "127.0.0.1", 23000, 32
CERTIFICATES = Path("/certs/frp")
"""Where HaRP puts what the tunnel is encrypted with."""
END_WITHIN_S = 30.0


class CannotServe(Exception):
    """The environment names an address that cannot be. The text holds no secret."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """How ``frpc`` finds HaRP. ``remote_port``: the port that stands for us over there."""

    address: str
    port: int
    key: str
    name: str
    remote_port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """``bind`` as gunicorn writes it: ``host:port``, or ``unix:`` and a path where there is a tunnel."""

    bind: str
    threads: int
    tunnel: Tunnel | None


def plan(environment: Mapping[str, str]) -> Plan:
    """Raises: CannotServe."""
    port = _number(environment, "APP_PORT", PORT, 65535)
    threads = _number(environment, "PARAPHEUR_THREADS", THREADS, 256)
    key, address = environment.get("HP_SHARED_KEY", ""), environment.get("HP_FRP_ADDRESS", "")
    if not (key and address):
        host = environment.get("APP_HOST") or HOST
        return Plan(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", threads, None)
    tunnel = Tunnel(
        address, _number(environment, "HP_FRP_PORT", 8782, 65535), key, environment.get("APP_ID") or "parapheur", port
    )
    return Plan(f"unix:{Path(tempfile.gettempdir()) / 'exapp.sock'}", threads, tunnel)


def _number(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    given = environment.get(name) or str(default)
    if not (given.isascii() and given.isdecimal() and 0 < int(given) <= most):
        raise CannotServe(f"{name} is no number from 1 to {most}")
    return int(given)


def tunnel_settings(tunnel: Tunnel, bind: str, certificates: Path = CERTIFICATES) -> str:
    """The TOML that ``frpc`` reads. Encrypted where HaRP gave certificates, and then to HaRP alone."""
    encrypted = (certificates / "client.crt").is_file()
    lines: dict[str, object] = {
        "serverAddr": tunnel.address,
        "serverPort": tunnel.port,
        "loginFailExit": False,
        "metadatas.token": tunnel.key,
        "transport.tls.enable": encrypted,
    }
    if encrypted:
        lines["transport.tls.certFile"] = str(certificates / "client.crt")
        lines["transport.tls.keyFile"] = str(certificates / "client.key")
        lines["transport.tls.trustedCaFile"] = str(certificates / "ca.crt")
        lines["transport.tls.serverName"] = "harp.nc"
    ours: dict[str, object] = {
        "name": tunnel.name,
        "type": "tcp",
        "remotePort": tunnel.remote_port,
        "plugin.type": "unix_domain_socket",
        "plugin.unixPath": bind.removeprefix("unix:"),
    }
    return _toml(lines) + "\n[[proxies]]\n" + _toml(ours)


def _toml(values: Mapping[str, object]) -> str:
    """Strings of JSON in ASCII are strings of TOML."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def serve(environment: Mapping[str, str]) -> int:
    """Returns when a tunnel or its server ended; without a tunnel the server takes this process over."""
    chosen = plan(environment)
    options = f"--workers 1 --threads {chosen.threads} --timeout 120 --graceful-timeout 20"
    options += " --umask 0o077 --no-control-socket"  # nobody steers it by a file in somebody's home
    server = [sys.executable, "-m", "gunicorn", "--bind", chosen.bind, *options.split(), "plugin.wsgi:create()"]
    if chosen.tunnel is None:
        os.execv(sys.executable, server)  # noqa: S606 - ourselves
    with tempfile.TemporaryDirectory(prefix="parapheur-") as folder:  # of this user alone
        settings = Path(folder) / "frpc.toml"
        settings.touch(mode=0o600)  # it holds HaRP's key
        settings.write_text(tunnel_settings(chosen.tunnel, chosen.bind), encoding="ascii")
        return _together([server, ["frpc", "-c", str(settings)]])


def _together(commands: Sequence[Sequence[str]]) -> int:
    """Runs all of them until one ends or we are told to. Returns: 0 when told to, else 1."""
    told = False

    def stop(*_: object) -> None:
        nonlocal told
        told = True
        for one in running:
            one.terminate()

    running: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        for command in commands:
            running.append(subprocess.Popen(command))
        ours = {one.pid for one in running}
        while not told and not _one_of(ours):
            pass
    except FileNotFoundError as missing:
        print(f"{missing.filename} is not on this machine", file=sys.stderr)
    finally:
        _end(running)
    return 0 if told else 1


def _one_of(ours: set[int]) -> bool:
    """Waits for a child to end; whether it is one of ours. As the first process of a container we inherit what
    children of children left behind, and have to take that away."""
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    if ended is None or ended.si_pid in ours:
        return True
    os.waitpid(ended.si_pid, 0)
    return False


def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for one in running:
        one.terminate()
    for one in running:
        try:
            one.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


class _ByFile(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def beats(environment: Mapping[str, str], timeout_s: float = 4.0) -> bool:
    """Whether the server of this environment answers its heartbeat."""
    bind = plan(environment).bind
    host, _, port = bind.rpartition(":")
    every = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104 - what is asked, not what is bound
    connection: http.client.HTTPConnection
    if bind.startswith("unix:"):
        connection = _ByFile(port, timeout_s)
    else:
        connection = http.client.HTTPConnection(every.get(host, host).strip("[]"), int(port), timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/heartbeat")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words == ["health"]:
            return 0 if beats(os.environ) else 1
        if not words:
            return serve(os.environ)
    except CannotServe as error:
        print(error, file=sys.stderr)
        return 2
    print("words: none to serve, health to ask", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

"""Requests no honest client would write, byte by byte."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit


def ask(url: str, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send ``head`` (its lines, without the closing empty one) as it is; status, headers, body."""
    where = urlsplit(url)
    lines = [*head.strip().splitlines(), f"Host: {where.netloc}", f"Content-Length: {len(body)}", "Connection: close"]
    with socket.create_connection((where.hostname or "", where.port or 80), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    told, _, rest = answer.partition(b"\r\n\r\n")
    first, *others = told.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in others)}
    return int(first.split()[1]), headers, rest


def seen_by_sidecar(url: str, head: str) -> dict[str, str]:
    status, _, body = ask(url, head)
    assert status == 200, status
    seen: dict[str, str] = json.loads(body)
    return seen

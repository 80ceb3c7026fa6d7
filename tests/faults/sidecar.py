"""The sidecar in a process that is forked from one where everything is imported already: it starts in a blink and is
killed as often as a campaign likes. It runs the real application, on the data and the host that outlive it.

One thing is left out: PDF work is done in that process itself, not in children of its own. Who kills the whole server
with its children: tests/machine.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import SecretStr

import pdfops.child
from pdfops import check, fields, ink, inspect, preview, seal, wire  # noqa: F401 - for whoever is forked from here
from pdfops.children import Answer
from pdfops.sandbox import Limits, Workshop
from pdfops.sealing import Sealer
from plugin import failpoints
from plugin.app import Product, create_app
from plugin.logs import configure
from plugin.settings import Settings
from tests.pdfops import samples

Json = dict[str, Any]
T = TypeVar("T")
SECRET = "between host and app"
PUBLIC = "http://sidecar.example"
ANSWERS_WITHIN_S = 60.0


class Died(Exception):
    """The sidecar is gone; what was asked of it is not known to be done."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_done(self) -> bool:
        return self.status in (200, 201)

    @property
    def code(self) -> str:
        return "" if self.is_done else str(self.json.get("code"))


class HereWorkshop(Workshop):
    """Does every job in this process. One at a time: fonts and readers are meant for a child that does one."""

    def __init__(self) -> None:
        self._one = threading.Lock()
        self._limits = Limits()
        self._sealer = Sealer(self._ask)

    def close(self) -> None:
        pass

    def _ask(self, header: dict[str, Any], blobs: Sequence[bytes], cap_s: float | None = None) -> Answer:
        with self._one:
            said, found = pdfops.child.answer_to(json.loads(json.dumps(header)), list(blobs))
        if "error" in said:
            raise wire.error_from_json(json.loads(json.dumps(said)))
        return Answer(json.loads(json.dumps(said)), tuple(found))


def settings_for(data: Path, host_url: str, smtp_port: int, **more: Any) -> Settings:
    """The seal's key is one on a curve: reading one of RSA takes longer than all else at a start."""
    key = data.with_name("seal.p12")
    key.write_bytes(_p12())
    return Settings(
        **{
            "data": data,
            "host_url": host_url,
            "public_url": PUBLIC,
            "app_secret": SecretStr(SECRET),
            "organisation": "Cabinet Test",
            "seal_p12": key,
            "mail": "smtp",
            "smtp_host": "127.0.0.1",
            "smtp_port": smtp_port,
            "mail_from": "parapheur@example.org",
            "sweep_every_s": 1,
            "patrol_every_s": 5,
            **more,
        }
    )


def _p12() -> bytes:
    key_pem, certificate_pem = samples.p256_pems()
    key = serialization.load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return pkcs12.serialize_key_and_certificates(None, key, certificate, None, serialization.NoEncryption())


def ask(product: Product, method: str, path: str, user: str, body: object, headers: dict[str, str]) -> Reply:
    """As the platform's proxy hands a request on."""
    given = b64encode(f"{user}:{SECRET}".encode()).decode()
    vouched = {"Authorization-App-Api": given, "Ex-App-Id": "parapheur", "Ex-App-Version": "0.1.0"}
    with product.app.test_client() as client:
        answer = client.open(
            path, method=method, json=body, headers={**vouched, "X-Origin-Ip": "192.0.2.9", **headers}
        )
        return Reply(answer.status_code, answer.get_data())


def _serve(pipe: Connection, settings: Settings, failpoint: str, log: str, clock_speed: float) -> None:
    """The life of one process."""
    begun, at_once = datetime.now(UTC), time.monotonic()

    def clock() -> datetime:
        return begun + timedelta(seconds=(time.monotonic() - at_once) * clock_speed)

    os.environ[failpoints.VARIABLE] = failpoint
    importlib.reload(failpoints)
    with Path(log).open("a", buffering=1) as sys.stderr:
        configure("info")
        product = create_app(settings, workshop=HereWorkshop(), clock=clock)
        pipe.send("ready")
        with suppress(EOFError, BrokenPipeError):
            while True:
                pipe.send(ask(product, *pipe.recv()))
        os._exit(0)


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.sidecar"])


class Sidecar:
    """One data folder; at most one process on it at a time. In a ``with``, none is left."""

    def __init__(self, settings: Settings, log: Path, clock_speed: float = 1.0) -> None:
        self.settings = settings
        self.clock_speed = clock_speed
        self.log = log
        self.starts: list[datetime] = []
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, failpoint: str = "") -> None:
        """Raises: Died, where it met its failpoint while starting."""
        self.kill()
        self.starts.append(datetime.now(UTC))
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(
            target=_serve, args=(theirs, self.settings, failpoint, str(self.log), self.clock_speed), daemon=True
        )
        self._process.start()
        theirs.close()
        if self._answer() != "ready":
            raise AssertionError("it said something else first")

    def ask(self, method: str, path: str, user: str = "", body: object = None, **headers: str) -> Reply:
        """Raises: Died."""
        assert self._pipe is not None
        try:
            self._pipe.send((method, path, user, body, {k.replace("_", "-"): v for k, v in headers.items()}))
        except OSError:
            raise Died from None
        reply = self._answer()
        assert isinstance(reply, Reply)
        return reply

    def _answer(self) -> Any:
        assert self._pipe is not None
        try:
            if not self._pipe.poll(ANSWERS_WITHIN_S):
                raise AssertionError(f"no answer within {ANSWERS_WITHIN_S} s")
            return self._pipe.recv()
        except (EOFError, OSError):
            raise Died from None

    def has_died(self, within_s: float = 0.0) -> bool:
        """By its failpoint; anything else that ends it is a failure of the test."""
        assert self._process is not None
        self._process.join(within_s)
        code = self._process.exitcode
        assert code in (None, -9), f"it ended with {code}: {self.log.read_text()[-2000:]}"
        return code == -9

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

"""Row 19 of the threats: whom the product reaches on its own, and what it takes from them."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pdfops.errors import PdfError
from pdfops.longterm import Need
from plugin.adapters.outbound import CRL_BYTES, Outbound

Respond = Callable[[dict[str, Any], Any], Any]


@contextmanager
def server(respond: Respond, tls: Path | None = None) -> Iterator[int]:
    """``tls``: a key and its certificate (PEM)."""
    running = Server(("127.0.0.1", 0), respond, numthreads=2)
    if tls is not None:
        running.ssl_adapter = BuiltinSSLAdapter(str(tls), str(tls))
    running.prepare()
    thread = threading.Thread(target=running.serve, daemon=True)
    thread.start()
    try:
        yield running.bind_addr[1]
    finally:
        running.stop()
        thread.join(5)


def says(body: bytes, status: str = "200 OK", headers: list[tuple[str, str]] | None = None) -> Respond:
    def respond(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, headers or [("Content-Type", "application/octet-stream")])
        return [body]

    return respond


def crl(port: int, path: str = "/a.crl", host: str = "127.0.0.1") -> Need:
    return Need("crl", f"http://{host}:{port}{path}")


def refused(outbound: Outbound, need: Need) -> None:
    with pytest.raises(PdfError) as caught:
        outbound.fetch(need)
    assert caught.value.code == "unreachable"


def test_what_is_listed_is_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    with server(says(b"a list")) as port:
        outbound = Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"])
        assert outbound.fetch(crl(port)) == b"a list"


def test_an_origin_that_is_not_listed_is_not_asked() -> None:
    asked: list[str] = []

    def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        return list(says(b"x")(environ, start_response))

    with server(respond) as port:
        for origins in (
            [],
            [f"https://127.0.0.1:{port}"],
            [f"http://127.0.0.1:{port + 1}"],
            [f"http://localhost:{port}"],
        ):
            refused(Outbound([], origins, ["127.0.0.1"]), crl(port))
        for url in (
            f"http://127.0.0.1:{port}@evil.example/",
            f"http://x@127.0.0.1:{port}/",
            f"ftp://127.0.0.1:{port}/",
            f"http://127.0.0.1:{port}/\r\nX: y",
            "file:///etc/passwd",
            "http://[::1/",
            "http://",
        ):
            refused(Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"]), Need("crl", url))
    assert asked == []


def test_private_addresses_are_refused_unless_their_host_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(says(b"inside")) as port:
        for host in ("127.0.0.1", "localhost"):
            refused(Outbound([], [f"http://{host}:{port}"]), crl(port, host=host))
            assert Outbound([], [f"http://{host}:{port}"], [host]).fetch(crl(port, host=host)) == b"inside"
    for address in (
        "10.0.0.1",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fec0::1",
        "fd00::1",
        "fe80::1%1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
    ):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, a=address, f=family, **__: [(f, socket.SOCK_STREAM, 6, "", (a, 80))]
        )
        with structlog.testing.capture_logs() as logged:
            refused(Outbound([], ["http://crl.example.org"]), Need("crl", "http://crl.example.org/a"))
        assert [one["reason"] for one in logged] == ["private address"]


def test_a_name_is_resolved_once_and_the_connection_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere a moment later gains nothing; one private address among others refuses all."""
    answers = [["127.0.0.1"], ["10.255.255.1"]]
    real = socket.getaddrinfo

    def resolver(host: str, port: int, *arguments: Any, **more: Any) -> Any:
        if host != "crl.example.org":
            return real(host, port, *arguments, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers.pop(0)]

    hosts: list[str] = []

    def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        hosts.append(environ["HTTP_HOST"])
        return list(says(b"mine")(environ, start_response))

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with server(respond) as port:
        need = crl(port, host="crl.example.org")
        origins = [f"http://crl.example.org:{port}"]
        assert Outbound([], origins, ["crl.example.org"]).fetch(need) == b"mine"
        assert hosts == [f"crl.example.org:{port}"]
        answers[:] = [["93.184.215.14", "10.0.0.1"]]
        refused(Outbound([], origins), need)
    assert answers == []


def test_redirects_stay_on_their_origin() -> None:
    with server(says(b"elsewhere")) as other:

        def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            path = environ["PATH_INFO"]
            if path == "/end":
                return list(says(b"here")(environ, start_response))
            target = {"/a": "/end", "/away": f"http://127.0.0.1:{other}/", "/loop": "/loop", "/odd": "http://["}[path]
            start_response("302 Found", [("Location", target)])
            return [b""]

        with server(respond) as port:
            outbound = Outbound([], [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{other}"], ["127.0.0.1"])
            assert outbound.fetch(crl(port, "/a")) == b"here"
            refused(outbound, crl(port, "/away"))
            refused(outbound, crl(port, "/loop"))
            refused(outbound, crl(port, "/odd"))


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content"])
def test_other_answers_are_none(status: str) -> None:
    with server(says(b"", status)) as port:
        refused(Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"]), crl(port))


def test_size_is_capped_whatever_is_announced() -> None:
    def endless(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/pkix-crl")])
        return (b"x" * 65_536 for _ in range(1_000))

    with server(endless) as port:
        outbound = Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"])
        started = time.monotonic()
        refused(outbound, crl(port))
        assert time.monotonic() - started < 5
    with server(says(b"x" * CRL_BYTES)) as port:
        assert len(Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"]).fetch(crl(port))) == CRL_BYTES


@contextmanager
def dripping(start: bytes, again: bytes) -> Iterator[int]:
    """Says ``start``, then ``again`` for ever: every read succeeds, the whole does not."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4_096)
            peer.sendall(start)
            while not over.wait(0.05):
                try:
                    peer.sendall(again)
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join(5)
        listener.close()


@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X: y\r\n"),
    ],
    ids=["body", "body-without-length", "header", "informational", "chunk-size", "trailer"],
)
def test_time_is_capped_though_bytes_keep_coming(start: bytes, again: bytes) -> None:
    with dripping(start, again) as port:
        ended = threading.Event()

        def ask() -> None:
            refused(Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"], total_s=0.6), crl(port))
            ended.set()

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(4)
        assert ended.is_set()


def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """https is asked only where the system's authorities vouch for the name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoded = serialization.Encoding.PEM
    kind, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "tls.pem").write_bytes(key.private_bytes(encoded, kind, secret) + own.public_bytes(encoded))
    heard: list[str] = []

    def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        heard.append(environ["PATH_INFO"])
        return list(says(b"a list")(environ, start_response))

    with server(respond, tmp_path / "tls.pem") as port:
        outbound = Outbound([], [f"https://localhost:{port}"], ["localhost"])
        refused(outbound, Need("crl", f"https://localhost:{port}/a.crl"))
        assert heard == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))  # the system's authorities, where OpenSSL looks
        outbound = Outbound([], [f"https://localhost:{port}", f"https://127.0.0.1:{port}"], ["localhost", "127.0.0.1"])
        assert outbound.fetch(Need("crl", f"https://localhost:{port}/a.crl")) == b"a list"
        refused(outbound, Need("crl", f"https://127.0.0.1:{port}/a.crl"))
        assert heard == ["/a.crl"]


def test_nobody_listens_or_nobody_answers() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    try:
        started = time.monotonic()
        refused(Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"], total_s=0.6), crl(port))
        assert time.monotonic() - started < 4
    finally:
        listener.close()
    refused(Outbound([], [f"http://127.0.0.1:{port}"], ["127.0.0.1"]), crl(port))


def test_the_next_timestamp_authority_is_asked_where_one_is_silent() -> None:
    with server(says(b"", "503 Busy")) as first, server(says(b"token")) as second:
        urls = [f"http://127.0.0.1:{port}/tsa" for port in (first, second)]
        assert list(Outbound(urls, [], ["127.0.0.1"]).stamps(b"query")) == [b"token"]
        with pytest.raises(PdfError) as caught:
            list(Outbound(urls[:1], [], ["127.0.0.1"]).stamps(b"query"))
        assert (caught.value.code, caught.value.values) == ("unreachable", {"reason": "timestamp"})


def test_the_password_goes_to_timestamp_authorities_alone(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str | None] = []

    def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ.get("HTTP_AUTHORIZATION"))
        return list(says(b"x", "500 Oops")(environ, start_response))

    with server(respond) as port:
        origin = f"http://127.0.0.1:{port}"
        outbound = Outbound([f"{origin}/tsa"], [origin], ["127.0.0.1"], ("somebody", "canary-password"))
        with pytest.raises(PdfError):
            list(outbound.stamps(b"query"))
        refused(outbound, crl(port))
    assert seen[0] is not None
    assert seen[0].startswith("Basic ")
    assert seen[1:] == [None]
    assert "canary-password" not in "".join(capsys.readouterr())

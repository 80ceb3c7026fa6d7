"""The only way out to anybody but the host: timestamp authorities, OCSP responders, CRLs.

Certificates name addresses, and certificates come from strangers: so nobody is reached but the origins that an
operator listed. A name is resolved once, the addresses are looked at, and the connection goes to one of those, not to
whatever the name says a moment later. Private addresses are refused unless the host is listed for them. Redirects stay
on their origin. Size and time are capped, whatever the other side does.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import structlog
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Timeout, make_headers

from pdfops.errors import PdfError
from pdfops.longterm import Need

CONNECT_S: Final = 3.0
TOTAL_S: Final = 8.0
STAMP_BYTES, OCSP_BYTES, CRL_BYTES = 64_000, 64_000, 1_000_000
MAX_REDIRECTS: Final = 2
MAX_ADDRESSES: Final = 4
CHUNK_BYTES: Final = 16_384
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Where networks without version 4 reach it. Source: RFC 6052, 2.1."""

REDIRECTS: Final = {301, 302, 303, 307, 308}

log = structlog.get_logger()


class _RefusedError(Exception):
    """Not reached, and why: a word for the log."""


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    body: bytes
    content_type: str
    accept: str
    limit_bytes: int
    login: tuple[str, str] | None = None


class Outbound:
    """An `pdfops.lasting.Authority`. Safe to call from many threads."""

    def __init__(
        self,
        stamps: Sequence[str],
        origins: Sequence[str],
        private_hosts: Sequence[str] = (),
        login: tuple[str, str] | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        """``stamps``: timestamp authorities, asked in their order until one answers well; their origins need not be
        listed. ``origins``: scheme, host and port, as ``http://crl.example.org``, for OCSP and CRLs.
        ``private_hosts``: may have private addresses. ``login``: user and password of the authorities. ``total_s``: of
        one call.

        Raises: ValueError, with the address that can be none: it shows no password.
        """
        self._stamps = tuple(stamps)
        self._origins = frozenset(_listed(one) for one in origins)
        self._stamp_origins = frozenset(_listed(one) for one in stamps)
        self._private = frozenset(one.lower() for one in private_hosts)
        self._login = login
        self._total_s = total_s
        self._tls = ssl.create_default_context()
        self._tls.load_verify_locations(certifi.where())

    def is_listed(self, url: str) -> bool:
        """Whether an OCSP response or a CRL may be fetched there."""
        try:
            return _origin(_parts(url)) in self._origins
        except _RefusedError:
            return False

    def stamps(self, request: bytes) -> Iterator[bytes]:
        kinds = ("application/timestamp-query", "application/timestamp-reply")
        has_answered = False
        for url in self._stamps:
            call = _Call("POST", url, request, *kinds, STAMP_BYTES, self._login)
            try:
                answer = self._called(call, self._stamp_origins)
            except _RefusedError as refused:
                log.warning("timestamp.unreachable", host=_host(url), reason=str(refused))
                continue
            has_answered = True
            yield answer
            log.warning("timestamp.refused", host=_host(url))
        if not has_answered:
            raise PdfError("unreachable", reason="timestamp")

    def fetch(self, need: Need) -> bytes:
        if need.kind == "ocsp":
            kinds = ("application/ocsp-request", "application/ocsp-response")
            call = _Call("POST", need.url, need.body, *kinds, OCSP_BYTES)
        else:
            call = _Call("GET", need.url, b"", "", "application/pkix-crl", CRL_BYTES)
        try:
            return self._called(call, self._origins)
        except _RefusedError as refused:
            log.warning("revocation.unreachable", kind=need.kind, host=_host(need.url), reason=str(refused))
            raise PdfError("unreachable", reason=need.kind) from refused

    def _called(self, call: _Call, origins: frozenset[tuple[str, str, int]]) -> bytes:
        deadline = time.monotonic() + self._total_s
        url = call.url
        for _ in range(MAX_REDIRECTS + 1):
            parts = _parts(url)
            origin = _origin(parts)
            if origin not in origins:
                raise _RefusedError("origin not listed")
            answer = self._once(call, parts, deadline)
            if isinstance(answer, bytes):
                return answer
            url = _joined(url, answer.location)
            if _origin(_parts(url)) != origin:
                raise _RefusedError("redirect to another origin")
        raise _RefusedError("too many redirects")

    def _once(self, call: _Call, parts: SplitResult, deadline: float) -> bytes | _Elsewhere:
        scheme, host, port = _origin(parts)
        last = "no address"
        for address in self._addresses(host, port, deadline):
            with _Watch(deadline) as watch, self._pool(scheme, host, address, port, deadline, watch) as pool:
                try:
                    return self._exchanged(pool, call, parts, deadline)
                except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                    last = type(error).__name__
        raise _RefusedError(last)

    def _pool(
        self, scheme: str, host: str, address: str, port: int, deadline: float, watch: _Watch
    ) -> urllib3.HTTPConnectionPool:
        left = max(deadline - time.monotonic(), 0.05)
        timeout = Timeout(connect=min(CONNECT_S, left), read=left)
        if scheme == "http":
            return _Pool(address, port, timeout=timeout, retries=False, maxsize=1, watch=watch)
        return _TlsPool(
            address,
            port,
            timeout=timeout,
            retries=False,
            maxsize=1,
            ssl_context=self._tls,
            server_hostname=host,
            assert_hostname=host,
            watch=watch,
        )

    def _exchanged(
        self, pool: urllib3.HTTPConnectionPool, call: _Call, parts: SplitResult, deadline: float
    ) -> bytes | _Elsewhere:
        _scheme, host, port = _origin(parts)
        is_usual = port == (443 if parts.scheme == "https" else 80)
        shown = f"[{host}]" if ":" in host else host
        headers = {"Host": shown if is_usual else f"{shown}:{port}", "Accept": call.accept, "User-Agent": "Parapheur"}
        if call.content_type:
            headers["Content-Type"] = call.content_type
        if call.login is not None:
            headers |= make_headers(basic_auth=":".join(call.login))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        response = pool.urlopen(
            call.method,
            target,
            body=call.body or None,
            headers=headers,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            if response.status in REDIRECTS and response.headers.get("Location"):
                return _Elsewhere(response.headers["Location"])
            if response.status != 200:
                raise _RefusedError(f"status {response.status}")
            return _read(response, call.limit_bytes, deadline)
        finally:
            response.close()

    def _addresses(self, host: str, port: int, deadline: float) -> list[str]:
        """Resolved now and used now. Raises: _RefusedError."""
        with _resolvers() as pool:
            try:
                asked = pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
                answers = asked.result(timeout=max(deadline - time.monotonic(), 0.05))
            except (OSError, UnicodeError, FutureTimeout) as error:
                raise _RefusedError("name not resolved") from error
        found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))[:MAX_ADDRESSES]
        if host not in self._private and not all(_is_public(one) for one in found):
            raise _RefusedError("private address")
        return found


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    location: str


class _Watch:
    """Cuts the line at the deadline. Timeouts of a socket start again with every byte, and a status line, headers and
    the sizes of chunks are waited for within one call: whoever drips would be listened to for ever."""

    def __init__(self, deadline: float) -> None:
        self._timer = threading.Timer(max(deadline - time.monotonic(), 0.05), self._cut)
        self._timer.daemon = True
        self._line: socket.socket | None = None

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def sees(self, line: socket.socket) -> None:
        self._line = line
        if self._timer.finished.is_set():
            self._cut()

    def _cut(self) -> None:
        self._timer.finished.set()
        if self._line is not None:
            with contextlib.suppress(OSError):  # it has ended
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # TLS has a shutdown of its own, which waits


class _Line(HTTPConnection):
    def __init__(self, *arguments: Any, watch: _Watch, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._watch = watch

    def connect(self) -> None:
        super().connect()
        self._watch.sees(self.sock)


class _TlsLine(_Line, HTTPSConnection):
    """The library's connection over TLS is one without it as well, so the line above stands before both."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Line


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsLine


class _resolvers(ThreadPoolExecutor):  # noqa: N801  # a context, not a thing
    """One thread that may be left behind: a resolver knows no deadline."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="resolve")

    def __exit__(self, *_: object) -> None:
        self.shutdown(wait=False, cancel_futures=True)


def _read(response: urllib3.BaseHTTPResponse, limit_bytes: int, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        chunk = response.read1(CHUNK_BYTES)
        if time.monotonic() > deadline:  # the line was cut, perhaps: what came is not all
            raise _RefusedError("too slow")
        if not chunk:
            return b"".join(parts)
        size += len(chunk)
        if size > limit_bytes:
            raise _RefusedError("too large")
        parts.append(chunk)


def _is_public(address: str) -> bool:
    """An address of version 6 that carries one of version 4 is as public as that one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in NAT64:
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if found.is_reserved or found.is_site_local:
            return False
    return found.is_global and not found.is_multicast


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise _RefusedError("redirect to no address") from error


def _host(url: str) -> str | None:
    """For the log: a certificate's address may be anything."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return host[:100] if host is not None and host.isascii() and host.isprintable() else None


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _origin(parts)
    except ValueError as error:
        raise _RefusedError("not an address") from error
    if not url.isascii() or any(one <= " " for one in url) or parts.username is not None:
        raise _RefusedError("not an address")
    return parts


def _listed(url: str) -> tuple[str, str, int]:
    """Raises: ValueError: an operator wrote what would be refused at every call."""
    try:
        return _origin(_parts(url))
    except _RefusedError as refused:
        raise ValueError(
            f"{_host(url) or 'an address'}: not an address that can be reached; logins have settings of "
            "their own, hosts are written in ASCII"
        ) from refused


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    """Raises: ValueError."""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an origin")
    return parts.scheme, parts.hostname.lower().rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)

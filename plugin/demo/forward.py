"""Hands a request of the public port over to the internal one, and the answer back, both as streams."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Final
from urllib.parse import quote

from plugin.demo.wire import Environ, StartResponse, answer, body_stream

_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers",
     "transfer-encoding", "upgrade", "proxy-connection"}
)  # fmt: skip
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_CHUNK: Final = 1 << 16
_TIMEOUT_S: Final = 120


class Forward:
    """WSGI application in front of ``127.0.0.1:<port>``. 502 when nobody answers there."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=_TIMEOUT_S)
        try:
            response = _sent(connection, environ)
        except (OSError, http.client.HTTPException):
            connection.close()
            return answer(start_response, 502, headers=[("Connection", "close")])
        except ValueError:  # a header or an address no HTTP client would write
            connection.close()
            return answer(start_response, 400, headers=[("Connection", "close")])
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
        if response.headers.get("Connection", "").lower() == "close":
            headers.append(("Connection", "close"))
        start_response(f"{response.status} {response.reason}", headers)
        return _body(connection, response)


def _sent(connection: http.client.HTTPConnection, environ: Environ) -> http.client.HTTPResponse:
    stream, length = body_stream(environ)
    connection.putrequest(
        environ["REQUEST_METHOD"],
        quote(environ["REQUEST_URI"].encode("latin-1"), safe=_ASCII),
        skip_host=True,
        skip_accept_encoding=True,
    )
    listed = {name.strip().lower() for name in str(environ.get("HTTP_CONNECTION", "")).split(",")}
    for name, value in _headers(environ):
        if name not in _HOP_BY_HOP and name not in listed and name != "expect":
            connection.putheader(name, value.encode("latin-1"))
    if length is None:
        connection.putheader("Transfer-Encoding", "chunked")
    elif length or "CONTENT_LENGTH" in environ:
        connection.putheader("Content-Length", str(length))
    connection.endheaders()
    sent = 0
    try:
        for chunk in _chunks(stream, length):
            connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk) if length is None else chunk)
            sent += len(chunk)
        if length is None:
            connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return connection.getresponse()  # refused before the body was wanted: the answer is on its way
    if length is not None and sent < length:
        raise ConnectionAbortedError("the sender stopped early")
    return connection.getresponse()


def _headers(environ: Environ) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name.removeprefix("HTTP_").replace("_", "-").lower(), str(value)
    if environ.get("CONTENT_TYPE"):
        yield "content-type", str(environ["CONTENT_TYPE"])


def _chunks(stream: IO[bytes], length: int | None) -> Iterator[bytes]:
    left = length
    while left is None or left > 0:
        chunk = stream.read(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            return
        if left is not None:
            left -= len(chunk)
        yield chunk


def _body(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    finally:
        response.close()
        connection.close()

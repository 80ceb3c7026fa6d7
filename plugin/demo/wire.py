"""Pieces of HTTP that several surfaces of the embedded host share: raw paths, answers, bodies, AppAPI headers."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from plugin.demo.people import PEOPLE, password_fits

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

APP_ID = "parapheur"


def raw_path(environ: Environ) -> str:
    """The path as it came, still quoted: after decoding, ``%2F`` and ``/`` could not be told apart."""
    uri = str(environ.get("REQUEST_URI") or environ.get("PATH_INFO", ""))
    return uri.split("?", 1)[0]


def decoded_segments(quoted_path: str) -> tuple[str, ...] | None:
    """The segments, each decoded once; None when a name could mean another place or is not UTF-8."""
    segments: list[str] = []
    for quoted in quoted_path.split("/"):
        if not quoted:
            continue
        try:
            segment = unquote_to_bytes(quoted).decode("utf-8")
        except UnicodeDecodeError:
            return None
        if segment in (".", "..") or "/" in segment or "\x00" in segment:
            return None
        segments.append(segment)
    return tuple(segments)


def answer(
    start_response: StartResponse, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """One whole response."""
    has_no_body = status in (204, 304)
    own = [] if has_no_body else [("Content-Length", str(len(body)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, *own])
    return [] if has_no_body else [body]


def body_stream(environ: Environ) -> tuple[IO[bytes], int | None]:
    """The request body and its length; None when it ends by itself (chunked)."""
    stream: IO[bytes] = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        return stream, None
    try:
        return stream, max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return stream, 0


def read_body(environ: Environ, at_most: int) -> bytes | None:
    """The whole body, or None when it is larger than ``at_most``."""
    stream, length = body_stream(environ)
    if length is not None and length > at_most:
        return None
    data = stream.read(at_most + 1 if length is None else length)
    return data if len(data) <= at_most else None


def basic_credentials(environ: Environ) -> tuple[str, str] | None:
    scheme, _, value = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() != "basic":
        return None
    return _decoded_pair(value)


def basic_user(environ: Environ) -> str | None:
    """The person whose valid Basic credentials came along."""
    pair = basic_credentials(environ)
    return pair[0] if pair is not None and password_fits(*pair) else None


def appapi_user(environ: Environ, secret: str) -> str | None:
    """The user of valid AppAPI headers; "" when they name nobody, None when there are none or they are wrong."""
    pair = _decoded_pair(str(environ.get("HTTP_AUTHORIZATION_APP_API", "")))
    if pair is None or not hmac.compare_digest(pair[1].encode(), secret.encode()):
        return None
    if environ.get("HTTP_EX_APP_ID") != APP_ID or not environ.get("HTTP_EX_APP_VERSION"):
        return None
    return pair[0] if pair[0] in PEOPLE or not pair[0] else None


def _decoded_pair(encoded: str) -> tuple[str, str] | None:
    try:
        user, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (user, secret) if colon else None

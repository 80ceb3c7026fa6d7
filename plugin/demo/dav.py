"""The WebDAV surface at /remote.php/dav: who may, PUT, SEARCH and all changes here; reading is WsgiDAV's."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wsgidav.error_printer import ErrorPrinter
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from plugin.demo import search
from plugin.demo.area import NO_CONDITION, Area, AreaError, Condition, Node, Parts
from plugin.demo.people import Accounts
from plugin.demo.provider import OPEN_FILE, AreaProvider
from plugin.demo.wire import (
    Environ,
    StartResponse,
    answer,
    appapi_user,
    basic_user,
    body_stream,
    decoded_segments,
    raw_path,
    read_body,
)

MOUNT: Final = "/remote.php/dav"
_MAX_XML_BYTES: Final = 1_000_000
_MAX_FILE_BYTES: Final = 20_000_000_000
_CHUNK: Final = 1 << 18
_READING = ("PROPFIND", "GET", "HEAD", "OPTIONS")
# WsgiDAV writes request paths into its log
logging.getLogger("wsgidav").addHandler(logging.NullHandler())
logging.getLogger("wsgidav").propagate = False
_ALLOWED = "OPTIONS, GET, HEAD, PROPFIND, PUT, DELETE, MKCOL, MOVE, COPY, SEARCH"


class Dav:
    """WSGI application for one area. Nobody is let in without Basic credentials or AppAPI headers."""

    def __init__(self, area: Area, secret: str, accounts: Accounts) -> None:
        self._area = area
        self._accounts = accounts
        self._secret = secret
        self._provider = AreaProvider(area)
        self._reader = WsgiDAVApp(
            {
                "provider_mapping": {"/files": self._provider},
                "mount_path": MOUNT,
                "middleware_stack": [ErrorPrinter, RequestResolver],
                "lock_storage": None,
                "property_manager": None,
                "http_authenticator": {"accept_basic": False, "accept_digest": False},
                "logging": {"enable": False},
                "verbose": 0,
                "suppress_version_info": True,
                "add_header_MS_Author_Via": False,
                "block_size": _CHUNK,
            }
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        user = self.caller(environ)
        if user is None:
            challenge = [("WWW-Authenticate", 'Basic realm="Nextcloud", charset="UTF-8"'), ("Connection", "close")]
            return answer(start_response, 401, headers=challenge)
        try:
            return self._dispatch(user, environ, start_response)
        except AreaError as refused:
            # the rest of a body nobody read would be taken for the next request
            return answer(start_response, refused.status, headers=[("Connection", "close")])
        except OSError as failure:
            status = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.ENAMETOOLONG: 400}.get(failure.errno or 0, 500)
            return answer(start_response, status, headers=[("Connection", "close")])

    def caller(self, environ: Environ) -> str | None:
        """The user a request acts as; None: nobody we know."""
        is_app = "HTTP_AUTHORIZATION_APP_API" in environ
        user = (appapi_user(environ, self._secret) if is_app else basic_user(environ)) or None
        return None if user in self._accounts.deleted else user

    def _dispatch(self, user: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        segments = decoded_segments(raw_path(environ).removeprefix(MOUNT))
        if segments is None:
            raise AreaError(400)
        if method == "SEARCH":
            return self._search(user, environ, start_response)
        if segments[:1] != ("files",) or segments[1:2] != (user,):
            raise AreaError(404)
        if method in _READING:
            return self._read(segments, environ, start_response)
        act = self._changes().get(method)
        if act is None:
            return answer(start_response, 501 if method in ("LOCK", "UNLOCK") else 405, headers=[("Allow", _ALLOWED)])
        return act(user, segments[2:], environ, start_response)

    def _changes(self) -> dict[str, Callable[[str, Parts, Environ, StartResponse], Iterable[bytes]]]:
        return {
            "PUT": self._put,
            "MKCOL": self._make_folder,
            "DELETE": self._delete,
            "MOVE": self._relocate,
            "COPY": self._relocate,
        }

    # -- reading ------------------------------------------------------------------------------------------------------
    def _read(self, segments: Parts, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        if environ["REQUEST_METHOD"] == "PROPFIND":
            body = read_body(environ, _MAX_XML_BYTES)
            if body is None:
                raise AreaError(413)
            replace_body(environ, body)
            if environ.get("HTTP_DEPTH") != "0":
                environ["HTTP_DEPTH"] = "1"  # the platform, too, answers one level when asked for all
        environ["SCRIPT_NAME"] = ""
        environ["wsgidav.auth.user_name"] = segments[1]
        environ["PATH_INFO"] = ("/" + "/".join(segments)).encode().decode("latin-1")
        return self._closing(environ, self._reader(environ, start_response))

    def _closing(self, environ: Environ, body: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from body
        finally:
            if OPEN_FILE in environ:
                environ[OPEN_FILE].close()

    def _search(self, user: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = read_body(environ, _MAX_XML_BYTES)
        if body is None:
            raise AreaError(413)
        query = search.parse(body, user)
        environ["wsgidav.provider"] = self._provider
        found = search.multistatus(self._area, query, search.results(self._area, user, query), environ)
        return answer(start_response, 207, found, [("Content-Type", "application/xml; charset=utf-8")])

    # -- changing -----------------------------------------------------------------------------------------------------
    def _put(self, user: str, parts: Parts, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        spooled = self._area.incoming()
        try:
            digests = _spool(environ, spooled)
            if environ.get("HTTP_X_NC_WEBDAV_AUTO_MKCOL") == "1":
                self._make_folders(user, parts[:-1])
            node, is_new = self._area.put(user, parts, spooled, condition_of(environ))
        finally:
            spooled.unlink(missing_ok=True)
        wanted = str(environ.get("HTTP_X_HASH", "")).lower()
        hashes = [(f"X-Hash-{name.upper()}", value) for name, value in digests.items() if wanted in (name, "all")]
        return answer(start_response, 201 if is_new else 204, headers=[*node_headers(node), *hashes])

    def _make_folders(self, user: str, parts: Parts) -> None:
        for depth in range(1, len(parts) + 1):
            if self._area.node(user, parts[:depth]) is None:
                with suppress(AreaError):  # made by somebody else meanwhile, or the file cannot be stored either
                    self._area.make_folder(user, parts[:depth])

    def _make_folder(self, user: str, parts: Parts, environ: Environ, start_response: StartResponse) -> list[bytes]:
        _no_body(environ)
        node = self._area.make_folder(user, parts)
        return answer(start_response, 201, headers=node_headers(node))

    def _delete(self, user: str, parts: Parts, environ: Environ, start_response: StartResponse) -> list[bytes]:
        _no_body(environ)
        self._area.delete(user, parts, condition_of(environ))
        return answer(start_response, 204)

    def _relocate(self, user: str, parts: Parts, environ: Environ, start_response: StartResponse) -> list[bytes]:
        _no_body(environ)
        target = decoded_segments(urlsplit_path(str(environ.get("HTTP_DESTINATION", ""))))
        if target is None or not target:
            raise AreaError(400)
        if target[:2] != ("files", user):
            raise AreaError(403)
        overwrite = str(environ.get("HTTP_OVERWRITE", "T")).upper() != "F"
        act = self._area.move if environ["REQUEST_METHOD"] == "MOVE" else self._area.copy
        is_new = act(user, parts, target[2:], overwrite=overwrite)
        return answer(start_response, 201 if is_new else 204)


def node_headers(node: Node) -> list[tuple[str, str]]:
    file_id = f"{node.file_id:08d}ocdemo"
    return [("ETag", f'"{node.etag}"'), ("OC-ETag", f'"{node.etag}"'), ("OC-FileId", file_id)]


def condition_of(environ: Environ) -> Condition:
    """If-Match and If-None-Match; a weak ETag never matches (RFC 9110, 13.1.1)."""
    match, none_match = environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH")
    if match is None and none_match is None:
        return NO_CONDITION
    return Condition(
        None if match is None else _tags(match, weak=False),
        None if none_match is None else _tags(none_match, weak=True),
    )


def _tags(value: str, *, weak: bool) -> tuple[str, ...]:
    if value.strip() == "*":
        return ("*",)
    return tuple(tag for prefix, tag in re.findall(r'(W/)?"([^"]*)"', value) if weak or not prefix)


def urlsplit_path(destination: str) -> str:
    """The quoted path of a Destination header, without the mount; the host name in it may be a proxy's."""
    path = urlsplit(destination).path
    return path.removeprefix(MOUNT) if path.startswith(MOUNT + "/") else ""


def replace_body(environ: Environ, body: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _no_body(environ: Environ) -> None:
    _, length = body_stream(environ)
    if length != 0:
        raise AreaError(415)


def _spool(environ: Environ, target: Path) -> dict[str, str]:
    """Write the body to ``target``, on disk for good, and hash it. AreaError(400) when the sender stopped early."""
    stream, length = body_stream(environ)
    if length is not None and length > _MAX_FILE_BYTES:
        raise AreaError(507)
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")}
    received = 0
    with target.open("xb") as out:
        while chunk := stream.read(_CHUNK if length is None else min(_CHUNK, length - received)):
            received += len(chunk)
            if received > _MAX_FILE_BYTES:
                raise AreaError(507)
            for digest in digests.values():
                digest.update(chunk)
            out.write(chunk)
            if received == length:
                break
        out.flush()
        os.fsync(out.fileno())
    if length is not None and received != length:
        raise AreaError(400)
    return {name: digest.hexdigest() for name, digest in digests.items()}

"""The host's files by WebDAV: the ``Files`` port, through webdavclient3.

Every call is one request made by ``execute_request``, which takes conditions and gives the answer's headers; the
client's comfortable methods do neither. One client a thread. What is logged are methods and status codes, never a
header, a path or a body. Reads are tried again on a failure of the host, anything on 423, nothing on 412 or 401, nor
what was not answered in time or stands still for maintenance.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
import stamina
import structlog
from requests.auth import AuthBase
from webdav3.client import Client
from webdav3.exceptions import (
    MethodNotSupported,
    NotEnoughSpace,
    RemoteResourceNotFound,
    ResourceLocked,
    ResponseErrorCode,
)

from plugin.adapters import dav_xml
from plugin.adapters.host_session import Line, Timeout, body_of, host_pool, host_session, is_maintenance
from plugin.flow.errors import (
    AccountOut,
    HostBusy,
    HostFull,
    HostMaintenance,
    HostSlow,
    HostUnavailable,
    OutOfReach,
)
from plugin.ports import READ_ONLY, FileInfo, PreconditionFailed, Written

_LONGEST_ID: Final = 18  # what fits 64 bits
_ATTEMPTS: Final = 4
_AGAIN_WITHIN_S: Final = 8.0
_MAX_XML_BYTES: Final = 64_000_000
_NO_HOME: Final = b"no home"
_MAINTENANCE: Final = b"maintenance"
Infos = list[FileInfo]
"""Named here because the class below has a method called ``list``."""
Strings = list[str]
_log = structlog.get_logger()


class _Locked(HostBusy):
    """423: somebody writes at this moment; the host did nothing."""


class _Broken(HostUnavailable):
    """No answer, or a failure of the host: a read may be tried again."""


class _Missing(Exception):
    """404."""


class _Unsupported(Exception):
    """405 or 501: the host does not know this method here."""


class _Denied(Exception):
    """403."""


class _NoHome(Exception):
    """The search's answer for somebody who has never opened his files: he has none."""


class _Empty(Exception):
    """416: the range asked for lies behind the file's end."""


class DavFiles:
    """``plugin.ports.Files`` on a host's ``/remote.php/dav``.

    ``auth_for(user)`` gives the requests auth object that acts as that user.
    """

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout = (3.0, 30.0),
        ca_file: str | None = None,
        line: Line | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._dav_path = urlsplit(self._base_url).path + "/remote.php/dav"
        self._auth_for = auth_for
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._pool = host_pool()
        self._line = line
        self._local = threading.local()

    # -- looking ------------------------------------------------------------------------------------------------------
    def stat(self, user: str, path: str) -> FileInfo | None:
        found = self._propfind(user, path, depth=0)
        return found[0] if found else None

    def list(self, user: str, path: str) -> Infos:
        own = clean_path(path)
        return [info for info in self._propfind(user, path, depth=1) if own is not None and info.path != own]

    def by_id(self, user: str, file_id: str) -> FileInfo | None:
        if len(file_id) > _LONGEST_ID:
            return None
        if not re.fullmatch(r"[0-9]{1,20}", file_id):
            return None
        found = self._search(user, "oc:fileid", str(int(file_id)))
        return next((info for info in found or () if info.file_id == str(int(file_id))), None)

    def find_by_name(self, user: str, name: str) -> Infos | None:
        found = self._search(user, "d:displayname", name)
        return None if found is None else [info for info in found if info.name == name and not info.is_folder]

    # -- content ------------------------------------------------------------------------------------------------------
    def read(self, user: str, path: str) -> bytes | None:
        found = self.read_with_etag(user, path)
        return None if found is None else found[0]

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        address = self._address(user, path)
        if address is None:
            return None
        try:
            for attempt in _again(_Broken, _Locked):
                with attempt, self._sent(user, "download", address) as response:
                    data = body_of(response)
                    announced = response.headers.get("Content-Length")
                    if announced is not None and announced != str(len(data)):
                        raise _Broken
                    return data, bare_etag(response.headers.get("ETag", ""))
        except (_Missing, _Denied, _Unsupported):
            return None
        raise HostUnavailable

    def read_start(self, user: str, path: str, length: int) -> bytes | None:
        address = self._address(user, path)
        if address is None:
            return None
        wanted = [f"Range: bytes=0-{length - 1}"]
        try:
            for attempt in _again(_Broken, _Locked):
                with attempt, self._sent(user, "download", address, headers=wanted) as response:
                    return body_of(response, length)
        except _Empty:
            return b""
        except (_Missing, _Denied, _Unsupported):
            return None
        raise HostUnavailable

    def write(
        self,
        user: str,
        path: str,
        data: bytes,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        make_folders: bool = False,
    ) -> Written:
        address = self._address(user, path)
        if address is None:
            raise HostUnavailable
        headers = ["X-Hash: sha256", "Content-Type: application/octet-stream", f"Content-Length: {len(data)}"]
        if if_match is not None:
            headers.append(f'If-Match: "{bare_etag(if_match)}"')
        if only_new:
            headers.append("If-None-Match: *")
        if make_folders:
            headers.append("X-NC-WebDAV-Auto-Mkcol: 1")
        try:
            for attempt in _again(_Locked):
                with attempt, self._sent(user, "upload", address, data, headers) as response:
                    return _written(response)
        except _Denied as denied:
            raise OutOfReach(READ_ONLY) from denied
        except (_Missing, _Unsupported) as refused:
            raise HostUnavailable from refused
        raise HostUnavailable

    def make_folder(self, user: str, path: str) -> None:
        parts = (clean_path(path) or "").split("/")
        missing: Strings = []
        for depth in range(len(parts), 0, -1):  # deepest first: usually only the last level is missing
            level = "/".join(parts[:depth])
            if level == "" or self._made(user, level):
                break
            missing.append(level)
        for level in reversed(missing):
            if not self._made(user, level):
                raise HostUnavailable

    def delete(self, user: str, path: str) -> None:
        address = self._address(user, path)
        if address is None or not clean_path(path):
            return
        try:
            for attempt in _again(_Locked):
                with attempt, self._sent(user, "clean", address, None, ["X-NC-Skip-Trashbin: true"]):
                    return
        except _Missing:
            return
        except _Denied as denied:
            raise OutOfReach(READ_ONLY) from denied
        except _Unsupported as refused:
            raise HostUnavailable from refused

    # -- requests -----------------------------------------------------------------------------------------------------
    def _made(self, user: str, path: str) -> bool:
        """The folder is there now; False when its parent is missing."""
        address = self._address(user, path)
        if address is None:
            raise HostUnavailable
        try:
            for attempt in _again(_Locked):
                with attempt, self._sent(user, "mkdir", address):
                    return True
        except _Unsupported:
            info = self.stat(user, path)
            if info is not None and info.is_folder:
                return True
            raise HostUnavailable from None
        except _Missing:
            return False
        except _Denied as denied:
            info = self.stat(user, path)
            if info is not None and info.is_folder:
                return True
            raise OutOfReach(READ_ONLY) from denied
        return False

    def _propfind(self, user: str, path: str, *, depth: int) -> Infos:
        address = self._address(user, path)
        if address is None:
            return []
        headers = [f"Depth: {depth}", "Content-Type: application/xml; charset=utf-8"]
        try:
            for attempt in _again(_Broken, _Locked):
                with attempt, self._sent(user, "info", address, dav_xml.PROPFIND, headers) as response:
                    return self._parsed(user, response)
        except (_Missing, _Denied, _Unsupported):
            return []
        return []

    def _search(self, user: str, prop: str, literal: str) -> Infos | None:
        body = dav_xml.search(user, prop, literal)
        headers = ["Content-Type: text/xml; charset=utf-8"]
        try:
            for attempt in _again(_Broken, _Locked):
                with attempt, self._sent(user, "search", "/remote.php/dav/", body, headers) as response:
                    return self._parsed(user, response)
        except (_Missing, _Unsupported):
            return None
        except (_Denied, _NoHome):
            return []
        return None

    def _parsed(self, user: str, response: requests.Response) -> Infos:
        if response.status_code != 207:
            raise HostUnavailable
        body = body_of(response, _MAX_XML_BYTES + 1)
        if len(body) > _MAX_XML_BYTES:
            raise HostUnavailable
        return dav_xml.infos(body, f"{self._dav_path}/files/{user}")

    def _address(self, user: str, path: str) -> str | None:
        clean = clean_path(path)
        if clean is None or "/" in user or user in ("", ".", ".."):
            return None
        return "/".join(
            ["/remote.php/dav/files", quote(user, safe=""), *(quote(part, safe="") for part in _split(clean))]
        )

    @contextmanager
    def _sent(
        self, user: str, action: str, address: str, data: bytes | None = None, headers: Strings | None = None
    ) -> Iterator[requests.Response]:
        """One request; its answer is closed afterwards. Raises the port's errors and this module's private ones."""
        client = self._client()
        client.session.auth = self._auth_for(user)
        try:
            response: requests.Response = client.execute_request(action, address, data=data, headers_ext=headers or [])
        except RemoteResourceNotFound:
            raise _Missing from None
        except MethodNotSupported:
            raise _Unsupported from None
        except ResourceLocked:
            raise _Locked from None
        except NotEnoughSpace:
            raise HostFull from None
        except ResponseErrorCode as failure:
            if failure.message == _NO_HOME:
                raise _NoHome from None
            if failure.message == _MAINTENANCE:
                raise HostMaintenance from None
            raise self._named(_error_for(action, int(failure.code))) from None
        except requests.RequestException as failure:
            raise self._no_answer(action, failure) from None  # the cause's text names the address
        try:
            yield response
        except (requests.RequestException, OSError) as failure:
            raise self._no_answer(action, failure) from None
        finally:
            response.close()

    def _no_answer(self, action: str, failure: Exception) -> Exception:
        _log.warning("host.files.no_answer", action=action, error=type(failure).__name__)
        return self._named(HostSlow() if isinstance(failure, requests.ReadTimeout) else _Broken())

    def _named(self, error: Exception) -> Exception:
        """What is known of the host says more than one answer that failed."""
        known = self._line.known() if self._line is not None and isinstance(error, HostUnavailable) else None
        return known or error

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            client = Client({"webdav_hostname": self._base_url, "webdav_override_methods": {"search": "SEARCH"}})
            client.session.close()
            client.session = host_session(self._pool, self._ca_file, self._line)
            client.session.hooks["response"].append(_drain_failure)
            client.verify = self._ca_file or True
            client.timeout = self._timeout_s
            self._local.client = client
        return client


def clean_path(path: str) -> str | None:
    """Without slashes at the ends; None when it could mean a place outside the user's root."""
    parts = _split(path)
    return None if any(part in (".", "..") or "\x00" in part for part in parts) else "/".join(parts)


def bare_etag(etag: str) -> str:
    """The tag alone: no quotes, no ``W/``, no ``-gzip`` that a compressing front server appends."""
    return re.sub(r"-(?:gzip|br|deflate)$", "", etag.strip().removeprefix("W/").strip('"'))


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _again(*kinds: type[Exception]) -> Any:
    return stamina.retry_context(
        on=kinds, attempts=_ATTEMPTS, timeout=_AGAIN_WITHIN_S, wait_initial=0.1, wait_max=1.5, wait_jitter=0.2
    )


def _error_for(action: str, status: int) -> Exception:
    if status == 412:
        return PreconditionFailed()
    if status == 409:
        return _Missing()
    if status == 403:
        return _Denied()
    if status == 501:
        return _Unsupported()
    if status == 416:
        return _Empty()
    _log.warning("host.files.refused", action=action, status=status)
    if status == 401:
        return AccountOut()
    if status == 429:
        return HostBusy()
    return _Broken() if status >= 500 else HostUnavailable()


def _drain_failure(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """A refused request's body is read to its end, or the connection would be lost to the pool."""
    if response.status_code >= 400:
        said = body_of(response, 100_000)
        nobody_home = response.request.method == "SEARCH" and b"<s:exception>OCP\\Files\\NotFoundException<" in said
        # the library puts the body into its exception: keep other people's text out of it
        response._content = _NO_HOME if nobody_home else _MAINTENANCE if is_maintenance(response, said) else b""
        response.close()
    return response


def _written(response: requests.Response) -> Written:
    """As the host says; whether the hash is the right one is for whoever knows what was sent."""
    stored = response.headers.get("X-Hash-SHA256")
    etag = response.headers.get("OC-ETag") or response.headers.get("ETag", "")
    file_id = re.match(r"[0-9]+", response.headers.get("OC-FileId", ""))
    return Written(
        bare_etag(etag), str(int(file_id.group())) if file_id is not None else None, stored.lower() if stored else None
    )

"""The host's files by WebDAV: the ``Files`` port.

Reads are tried again on a failure of the host, anything on 423, nothing on 412 or 401, nor what was not answered in
time or stands still for maintenance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import requests
from requests.auth import AuthBase

from plugin.adapters import dav_xml
from plugin.adapters.dav_calls import (
    Broken,
    DavCalls,
    Denied,
    Empty,
    Locked,
    Missing,
    NoHome,
    Unsupported,
    again,
    bare_etag,
    clean_path,
)
from plugin.adapters.host_session import Line, Timeout, body_of
from plugin.flow.errors import FileTooLarge, HostUnavailable, OutOfReach
from plugin.patience import unhurried
from plugin.ports_files import (
    READ_ONLY,
    FileInfo,
    Streamed,
    Written,
)

__all__ = ["DavFiles", "bare_etag", "clean_path"]

_LONGEST_ID: Final = 18  # what fits 64 bits
_MAX_XML_BYTES: Final = 64_000_000
WHOLE_BYTES: Final = 64_000_000
"""State files, salts and documents of the usual limit are smaller by far."""
_SLOWEST_BYTES_S: Final = 10_000_000
"""How fast a host copies or stores within itself, at least: longer than that nobody waits."""
_PAGE: Final = 500
Infos = list[FileInfo]
"""Named here because the class below has a method called ``list``."""
Strings = list[str]


class DavFiles:
    """``plugin.ports_files.Files`` on a host's ``/remote.php/dav``.

    ``auth_for(user)`` gives the requests auth object that acts as that user.
    """

    def __init__(
        self,
        base_url: str,
        auth_for: Callable[[str], AuthBase],
        timeout_s: Timeout = (3.0, 30.0),
        ca_file: str | None = None,
        line: Line | None = None,
        page: int = _PAGE,
        whole_bytes: int = WHOLE_BYTES,
    ) -> None:
        """``page``: how many files one answer to a search tells of. ``whole_bytes``: what is larger is read in a
        stream or not at all."""
        self._whole_bytes = whole_bytes
        self._calls = DavCalls(base_url, auth_for, timeout_s, ca_file, line)
        self._page = page

    # -- looking ------------------------------------------------------------------------------------------------------
    def stat(self, user: str, path: str) -> FileInfo | None:
        found = self._propfind(user, path, depth=0)
        return found[0] if found else None

    def list(self, user: str, path: str) -> Infos:
        own = clean_path(path)
        return [info for info in self._propfind(user, path, depth=1) if own is not None and info.path != own]

    def by_id(self, user: str, file_id: str) -> FileInfo | None:
        known = _known(file_id)
        return (self.by_ids(user, [file_id]) or {}).get(file_id) if known is not None else None

    def by_ids(self, user: str, file_ids: Collection[str]) -> dict[str, FileInfo] | None:
        """Of a file that is seen by two ways, in a shared folder and by itself, the one counts by which it may
        be changed; else the first by its path."""
        asked = {known: file_id for file_id in file_ids if (known := _known(file_id)) is not None}
        if not asked:
            return {}
        found = self._search(user, dav_xml.search(user, "oc:fileid", *asked))
        if found is None:
            return None
        worst_first = sorted(found, key=lambda info: (not info.can_write, info.path), reverse=True)
        return {asked[info.file_id]: info for info in worst_first if info.file_id in asked}

    def find_by_name(self, user: str, name: str) -> Infos | None:
        """Page by page. One that is written meanwhile comes later, and is told of as it is then."""
        found: dict[str, FileInfo] = {}
        since, at_most = None, self._page
        while True:
            page = self._search(user, dav_xml.search_by_name(user, name, since, at_most))
            if page is None:
                return None
            found.update({info.path: info for info in page if info.name == name and not info.is_folder})
            if len(page) < at_most:
                return [*found.values()]
            latest = max(info.modified_at for info in page)
            if latest == since:  # more of one second than fit
                at_most *= 2
            since = latest

    # -- content ------------------------------------------------------------------------------------------------------
    def read(self, user: str, path: str) -> bytes | None:
        found = self.read_with_etag(user, path)
        return None if found is None else found[0]

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        address = self._calls.address(user, path)
        if address is None:
            return None
        try:
            for attempt in again(Broken, Locked):
                with attempt, self._calls.sent(user, "download", address) as response:
                    data = body_of(response, self._whole_bytes + 1)
                    if len(data) > self._whole_bytes:
                        raise FileTooLarge
                    announced = response.headers.get("Content-Length")
                    if announced is not None and announced != str(len(data)):
                        raise Broken
                    return data, bare_etag(response.headers.get("ETag", ""))
        except (Missing, Denied, Unsupported):
            return None
        raise HostUnavailable

    def read_start(self, user: str, path: str, length: int) -> bytes | None:
        address = self._calls.address(user, path)
        if address is None:
            return None
        wanted = [f"Range: bytes=0-{length - 1}"]
        try:
            for attempt in again(Broken, Locked):
                with attempt, self._calls.sent(user, "download", address, headers=wanted) as response:
                    return body_of(response, length)
        except Empty:
            return b""
        except (Missing, Denied, Unsupported):
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
        address = self._calls.address(user, path)
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
            for attempt in again(Locked):
                with attempt, self._calls.sent(user, "upload", address, data, headers) as response:
                    return _written(response)
        except Denied as denied:
            raise OutOfReach(READ_ONLY) from denied
        except (Missing, Unsupported) as refused:
            raise HostUnavailable from refused
        raise HostUnavailable

    # -- content of any size ------------------------------------------------------------------------------------------
    @contextmanager
    def open_stream(self, user: str, path: str) -> Iterator[Streamed | None]:
        address = self._calls.address(user, path)
        if address is None:
            yield None
            return
        with ExitStack() as open_until_read:
            try:
                response = self._opened(user, address, open_until_read)
            except (Missing, Denied, Unsupported):
                yield None
                return
            size = response.headers.get("Content-Length")
            size_bytes = int(size) if size is not None and size.isdigit() else None
            etag = bare_etag(response.headers.get("ETag", ""))
            yield Streamed(etag, size_bytes, self._calls.pieces(response, size_bytes))

    def _opened(self, user: str, address: str, stack: ExitStack) -> requests.Response:
        for attempt in again(Broken, Locked):
            with attempt:
                return stack.enter_context(self._calls.sent(user, "download", address))
        raise HostUnavailable

    def write_stream(self, user: str, path: str, pieces: Iterable[bytes], size_bytes: int) -> Written:
        address = self._calls.address(user, path)
        if address is None:
            raise HostUnavailable
        headers = ["X-Hash: sha256", "Content-Type: application/octet-stream", "If-None-Match: *"]
        try:
            with (
                unhurried(),
                self._calls.sent(
                    user, "upload", address, _Counted(pieces, size_bytes), headers, read_s=self._long_s(size_bytes)
                ) as response,
            ):
                return _written(response)
        except Denied as denied:
            raise OutOfReach(READ_ONLY) from denied
        except (Missing, Unsupported) as refused:
            raise HostUnavailable from refused

    def copy(self, user: str, source: str, target: str, size_bytes: int) -> bool:
        try:
            self._relocate(user, "copy", source, target, self._long_s(size_bytes))
        except (Unsupported, Denied):
            return False
        return True

    def move(self, user: str, source: str, target: str) -> None:
        try:
            self._relocate(user, "move", source, target, None)
        except Denied as denied:
            raise OutOfReach(READ_ONLY) from denied
        except Unsupported as refused:
            raise HostUnavailable from refused

    def _relocate(self, user: str, action: str, source: str, target: str, read_s: float | None) -> None:
        address, destination = self._calls.address(user, source), self._calls.address(user, target)
        if address is None or destination is None or not clean_path(source) or not clean_path(target):
            raise HostUnavailable
        headers = [f"Destination: {self._calls.base_url}{destination}", "Overwrite: F", "Depth: infinity"]
        try:
            for attempt in again(Locked):
                with attempt, unhurried(), self._calls.sent(user, action, address, None, headers, read_s=read_s):
                    return
        except Missing as missing:
            raise HostUnavailable("no-such-file") from missing
        raise HostUnavailable

    def _long_s(self, size_bytes: int) -> float:
        return self._calls.timeout_s[1] + size_bytes / _SLOWEST_BYTES_S

    # -- places -------------------------------------------------------------------------------------------------------
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

    def delete(self, user: str, path: str, *, if_match: str | None = None) -> None:
        address = self._calls.address(user, path)
        if address is None or not clean_path(path):
            return
        headers = ["X-NC-Skip-Trashbin: true"]
        if if_match is not None:
            headers.append(f'If-Match: "{bare_etag(if_match)}"')
        try:
            for attempt in again(Locked):
                with attempt, self._calls.sent(user, "clean", address, None, headers):
                    return
        except Missing:
            return
        except Denied as denied:
            raise OutOfReach(READ_ONLY) from denied
        except Unsupported as refused:
            raise HostUnavailable from refused

    # -- requests -----------------------------------------------------------------------------------------------------
    def _made(self, user: str, path: str) -> bool:
        """The folder is there now; False when its parent is missing."""
        address = self._calls.address(user, path)
        if address is None:
            raise HostUnavailable
        try:
            for attempt in again(Locked):
                with attempt, self._calls.sent(user, "mkdir", address):
                    return True
        except Unsupported:
            info = self.stat(user, path)
            if info is not None and info.is_folder:
                return True
            raise HostUnavailable from None
        except Missing:
            return False
        except Denied as denied:
            info = self.stat(user, path)
            if info is not None and info.is_folder:
                return True
            raise OutOfReach(READ_ONLY) from denied
        return False

    def _propfind(self, user: str, path: str, *, depth: int) -> Infos:
        address = self._calls.address(user, path)
        if address is None:
            return []
        headers = [f"Depth: {depth}", "Content-Type: application/xml; charset=utf-8"]
        try:
            for attempt in again(Broken, Locked):
                with attempt, self._calls.sent(user, "info", address, dav_xml.PROPFIND, headers) as response:
                    return self._parsed(user, response)
        except (Missing, Denied, Unsupported):
            return []
        return []

    def _search(self, user: str, body: bytes) -> Infos | None:
        headers = ["Content-Type: text/xml; charset=utf-8"]
        try:
            for attempt in again(Broken, Locked):
                with attempt, self._calls.sent(user, "search", "/remote.php/dav/", body, headers) as response:
                    return self._parsed(user, response)
        except (Missing, Unsupported):
            return None
        except (Denied, NoHome):
            return []
        return None

    def _parsed(self, user: str, response: requests.Response) -> Infos:
        if response.status_code != 207:
            raise HostUnavailable
        body = body_of(response, _MAX_XML_BYTES + 1)
        if len(body) > _MAX_XML_BYTES:
            raise HostUnavailable
        return dav_xml.infos(body, f"{self._calls.dav_path}/files/{user}")


def _known(file_id: str) -> str | None:
    """As the host writes that id; None for what can be none."""
    return str(int(file_id)) if len(file_id) <= _LONGEST_ID and re.fullmatch(r"[0-9]+", file_id) else None


class _Counted:
    """A request's body of a known length, in pieces."""

    def __init__(self, pieces: Iterable[bytes], size_bytes: int) -> None:
        self._pieces = pieces
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def _written(response: requests.Response) -> Written:
    """As the host says; whether the hash is the right one is for whoever knows what was sent."""
    stored = response.headers.get("X-Hash-SHA256")
    etag = response.headers.get("OC-ETag") or response.headers.get("ETag", "")
    file_id = re.match(r"[0-9]+", response.headers.get("OC-FileId", ""))
    return Written(
        bare_etag(etag), str(int(file_id.group())) if file_id is not None else None, stored.lower() if stored else None
    )

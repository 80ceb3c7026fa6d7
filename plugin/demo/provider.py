"""WsgiDAV's view of the area: what PROPFIND, GET, HEAD and OPTIONS see. Changes go through ``plugin.demo.dav``."""

from __future__ import annotations

import mimetypes
from typing import Any, BinaryIO, Final

from wsgidav.dav_error import HTTP_FORBIDDEN, HTTP_NOT_FOUND, DAVError
from wsgidav.dav_provider import DAVCollection, DAVNonCollection, DAVProvider
from wsgidav.util import etree

from plugin.demo.area import Area, AreaError, Node, Parts
from plugin.demo.people import PEOPLE
from plugin.demo.wire import Environ

OC: Final = "{http://owncloud.org/ns}"
NC: Final = "{http://nextcloud.org/ns}"
OPEN_FILE: Final = "parapheur.demo.open_file"

mimetypes.add_type("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx")
mimetypes.add_type("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx")


def mime_of(name: str) -> str:
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def property_text(node: Node, name: str) -> str | None:
    """The value of a property of this host's own, as the platform writes it; None where it has none."""
    person = PEOPLE[node.owner]
    write = "W" if node.can_write and not node.is_folder else ""
    create = "CK" if node.can_write and node.is_folder else ""
    values = {
        "{DAV:}getetag": f'"{node.etag}"',
        f"{OC}fileid": str(node.file_id),
        f"{OC}id": f"{node.file_id:08d}ocdemo",
        f"{OC}permissions": f"RGDNV{write}{create}" if node.can_write else "RG",
        f"{OC}size": str(node.size_bytes),
        f"{OC}owner-id": person.uid,
        f"{OC}owner-display-name": person.name,
        f"{OC}favorite": "0",
        f"{NC}has-preview": "false",
    }
    return values.get(name)


class _Resource:
    """What files and folders share."""

    node: Node

    def get_etag(self) -> str:
        return self.node.etag

    def support_etag(self) -> bool:
        return True

    def get_last_modified(self) -> float:
        return self.node.mtime_ns / 1_000_000_000

    def get_creation_date(self) -> float:
        return self.get_last_modified()

    def get_property_value(self, name: str) -> Any:
        own = property_text(self.node, name)
        return super().get_property_value(name) if own is None else own  # type: ignore[misc]  # the library has no types

    def set_property_value(self, name: str, value: object, *, dry_run: bool = False) -> None:
        raise DAVError(HTTP_FORBIDDEN)

    def prevent_locking(self) -> bool:
        return True


class File(_Resource, DAVNonCollection):  # type: ignore[misc]  # the library has no types
    def __init__(self, path: str, environ: Environ, node: Node) -> None:
        super().__init__(path, environ)
        self.node = node

    def get_content_length(self) -> int:
        return self.node.size_bytes

    def get_content_type(self) -> str:
        return mime_of(self.node.name)

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> BinaryIO:
        content: BinaryIO = self.environ[OPEN_FILE]
        return content


class Folder(_Resource, DAVCollection):  # type: ignore[misc]  # the library has no types
    def __init__(self, path: str, environ: Environ, node: Node, area: Area) -> None:
        super().__init__(path, environ)
        self.node = node
        self._area = area

    def get_member_names(self) -> list[str]:
        return [node.name for node in self._area.children(self.node.owner, self.node.parts)]

    def get_member_list(self) -> list[File | Folder]:
        nodes = self._area.children(self.node.owner, self.node.parts)
        return [resource(node, self.environ, self._area) for node in nodes]

    def get_used_bytes(self) -> int:
        return 0

    def get_available_bytes(self) -> int:
        return -3  # the platform's "unlimited"


def resource(node: Node, environ: Environ, area: Area) -> File | Folder:
    path = "/".join(("", node.owner, *node.parts))
    return Folder(path, environ, node, area) if node.is_folder else File(path, environ, node)


class AreaProvider(DAVProvider):  # type: ignore[misc]  # the library has no types
    """``/<user>/<path>`` -> the user's node. The caller's right was checked before."""

    def __init__(self, area: Area) -> None:
        super().__init__()
        self._area = area

    def is_readonly(self) -> bool:
        return False

    def get_resource_inst(self, path: str, environ: Environ) -> File | Folder | None:
        owner, *names = [part for part in path.split("/") if part] or [""]
        parts: Parts = tuple(names)
        try:
            if environ["REQUEST_METHOD"] == "GET":
                opened = self._area.open(owner, parts)
                if opened is not None:
                    node, environ[OPEN_FILE] = opened
                    return resource(node, environ, self._area)
            found = self._area.node(owner, parts)
        except AreaError as refused:
            raise DAVError(refused.status if refused.status != 400 else HTTP_NOT_FOUND) from refused
        return None if found is None else resource(found, environ, self._area)


def named_element(name: str, value: str | None) -> Any:
    """An element of that Clark name with a text."""
    element = etree.Element(name)
    element.text = value
    return element

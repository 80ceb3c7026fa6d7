"""The XML of WebDAV: what is asked for, and what the host's multistatus says."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

import defusedxml.ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

from plugin.flow.errors import HostUnavailable
from plugin.ports_files import FileInfo

_D: Final = "{DAV:}"
_OC: Final = "{http://owncloud.org/ns}"
_NAMESPACES: Final = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"'
_PROPS: Final = (
    "<d:prop><oc:fileid/><oc:permissions/><oc:size/><d:getetag/><d:getcontentlength/><d:getcontenttype/>"
    "<d:getlastmodified/><d:resourcetype/></d:prop>"
)
_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>'

PROPFIND: Final = f"{_HEAD}<d:propfind {_NAMESPACES}>{_PROPS}</d:propfind>".encode()


def search(user: str, prop: str, *literals: str) -> bytes:
    """A SEARCH in a user's whole area for one property's equality with any of these, of which the platform takes a
    hundred. Source: RFC 5323, the platform's subset."""
    equal = "".join(_compared("eq", prop, literal) for literal in literals)
    return _request(user, equal if len(literals) == 1 else f"<d:or>{equal}</d:or>", "<d:orderby/>")


def search_by_name(user: str, name: str, since: datetime | None, at_most: int) -> bytes:
    """The first ``at_most`` of that name, the earliest written first, from ``since`` on. Without a limit of its own
    such a search gives a hundred, and does not say that there are more."""
    where = _compared("eq", "d:displayname", name)
    if since is not None:
        after = _compared("gte", "d:getlastmodified", since.astimezone(UTC).isoformat(timespec="seconds"))
        where = f"<d:and>{where}{after}</d:and>"
    order = "<d:order><d:prop><d:getlastmodified/></d:prop><d:ascending/></d:order>"
    limit = f"<d:limit><d:nresults>{at_most}</d:nresults></d:limit>"
    return _request(user, where, f"<d:orderby>{order}</d:orderby>{limit}")


def _compared(how: str, prop: str, literal: str) -> str:
    return f"<d:{how}><d:prop><{prop}/></d:prop><d:literal>{escape(literal)}</d:literal></d:{how}>"


def _request(user: str, where: str, order: str) -> bytes:
    return (
        f"{_HEAD}<d:searchrequest {_NAMESPACES}><d:basicsearch><d:select>{_PROPS}</d:select>"
        f"<d:from><d:scope><d:href>/files/{escape(quote(user, safe=''))}</d:href><d:depth>infinity</d:depth></d:scope>"
        f"</d:from><d:where>{where}</d:where>{order}</d:basicsearch></d:searchrequest>"
    ).encode()


def infos(body: bytes, root_path: str) -> list[FileInfo]:
    """Every response below ``root_path`` (decoded). Raises HostUnavailable for what is no multistatus."""
    try:
        root: Element = SafeTree.fromstring(body)
    except (ParseError, DefusedXmlException, ValueError):
        raise HostUnavailable from None
    if root.tag != f"{_D}multistatus":
        raise HostUnavailable
    found = (_info(response, root_path) for response in root.findall(f"{_D}response"))
    return [info for info in found if info is not None]


def _info(response: Element, root_path: str) -> FileInfo | None:
    href = unquote(urlsplit(response.findtext(f"{_D}href") or "").path)
    if href.rstrip("/") != root_path and not href.startswith(root_path + "/"):
        return None
    told: dict[str, Element] = {}
    for block in response.findall(f"{_D}propstat"):
        if " 200 " in (block.findtext(f"{_D}status") or "") + " ":
            told.update({str(element.tag): element for element in block.find(f"{_D}prop") or ()})
    path = href[len(root_path) :].strip("/")
    kind = told.get(f"{_D}resourcetype")
    is_folder = kind is not None and kind.find(f"{_D}collection") is not None
    permissions = _text(told, f"{_OC}permissions")
    size = _text(told, f"{_D}getcontentlength") or _text(told, f"{_OC}size") or "0"
    etag = _text(told, f"{_D}getetag").removeprefix("W/").strip('"')
    return FileInfo(
        file_id=_text(told, f"{_OC}fileid"),
        path=path,
        name=path.rsplit("/", 1)[-1],
        size_bytes=int(size) if size.isdigit() else 0,
        etag=etag.removesuffix("-gzip"),
        mime=_text(told, f"{_D}getcontenttype").split(";", 1)[0].strip(),
        is_folder=is_folder,
        modified_at=_time(_text(told, f"{_D}getlastmodified")),
        can_write=not permissions or all(right in permissions for right in ("CV" if is_folder else "W")),
    )


def _text(told: dict[str, Element], name: str) -> str:
    element = told.get(name)
    return (element.text or "").strip() if element is not None else ""


def _time(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)

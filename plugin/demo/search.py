"""DAV SEARCH as the platform answers it: by file id, and by name (equal or like), below a folder of one's own.

Without a limit it gives a hundred files and says nothing of the others; it takes a hundred conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as SafeTree
from defusedxml.common import DefusedXmlException
from wsgidav.dav_error import DAVError
from wsgidav.util import add_property_response
from wsgidav.xml_tools import make_multistatus_el, xml_to_bytes

from plugin.demo.area import Area, AreaError, Node, Parts
from plugin.demo.provider import OC, resource
from plugin.demo.wire import Environ, decoded_segments

_DAV: Final = "{DAV:}"
_AT_MOST: Final = 100
_MOST_CONDITIONS: Final = 100
_Fits = Callable[[Node], bool]


@dataclass(frozen=True, slots=True)
class Query:
    properties: tuple[str, ...]
    scope: Parts
    file_ids: tuple[int, ...] | None
    fits: _Fits
    at_most: int
    by_time: bool


def parse(body: bytes, user: str) -> Query:
    """Raises AreaError: 400 for what is no search, 422 for what this host cannot search, 500 for a foreign scope."""
    try:
        root: Element = SafeTree.fromstring(body)
    except (ParseError, DefusedXmlException, ValueError) as wrong:
        raise AreaError(400) from wrong
    basic = root.find(f"{_DAV}basicsearch")
    scope = None if basic is None else basic.findtext(f"{_DAV}from/{_DAV}scope/{_DAV}href")
    where = None if basic is None else basic.find(f"{_DAV}where")
    if basic is None or scope is None or where is None or len(where) != 1:
        raise AreaError(400)
    segments = decoded_segments(scope.split("/remote.php/dav", 1)[-1])
    if segments is None or segments[:2] != ("files", user):
        raise AreaError(500)  # what the platform answers for somebody else's scope
    selected = basic.find(f"{_DAV}select/{_DAV}prop")
    properties = tuple(str(child.tag) for child in (selected if selected is not None else ()))
    limit = basic.findtext(f"{_DAV}limit/{_DAV}nresults") or ""
    if sum(1 for _ in where[0].iter(f"{_DAV}literal")) > _MOST_CONDITIONS:
        raise AreaError(500)
    by_time = basic.find(f"{_DAV}orderby/{_DAV}order/{_DAV}prop/{_DAV}getlastmodified") is not None
    file_ids, fits = _condition(where[0])
    return Query(properties, segments[2:], file_ids, fits, int(limit) if limit.isdigit() else _AT_MOST, by_time)


def _condition(condition: Element) -> tuple[tuple[int, ...] | None, _Fits]:
    if condition.tag == f"{_DAV}or":
        each = [_condition(one)[0] for one in condition]
        if not each or any(ids is None for ids in each):
            raise AreaError(422)
        return tuple(file_id for ids in each for file_id in ids or ()), lambda _: True
    if condition.tag == f"{_DAV}and":
        both = [_condition(one) for one in condition]
        if any(ids is not None for ids, _ in both):
            raise AreaError(422)
        return None, lambda node: all(fits(node) for _, fits in both)
    prop = condition.find(f"{_DAV}prop")
    literal = condition.findtext(f"{_DAV}literal") or ""
    if prop is None or len(prop) != 1:
        raise AreaError(422)
    match condition.tag, prop[0].tag:
        case ("{DAV:}eq", name) if name == f"{OC}fileid":
            return ((int(literal),) if literal.strip().isdigit() else ()), lambda _: True
        case ("{DAV:}eq", "{DAV:}displayname"):
            return None, lambda node: node.name == literal
        case ("{DAV:}like", "{DAV:}displayname"):
            pattern = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in literal)
            return None, lambda node: re.fullmatch(pattern, node.name, re.IGNORECASE | re.DOTALL) is not None
        case ("{DAV:}gte", "{DAV:}getlastmodified"):
            since = datetime.fromisoformat(literal).timestamp()
            return None, lambda node: node.mtime_ns // 1_000_000_000 >= since
        case _:
            raise AreaError(422)


def results(area: Area, user: str, query: Query) -> Iterator[Node]:
    if query.file_ids is None:
        found = (node for node in area.walk(user, query.scope) if query.fits(node))
        yield from sorted(found, key=lambda node: node.mtime_ns // 1_000_000_000) if query.by_time else found
        return
    for file_id in dict.fromkeys(query.file_ids):
        node = area.by_id(user, file_id)
        if node is not None and node.parts[: len(query.scope)] == query.scope:
            yield node


def multistatus(area: Area, query: Query, nodes: Iterator[Node], environ: Environ) -> bytes:
    """The 207 body."""
    root = make_multistatus_el()
    for count, node in enumerate(nodes):
        if count >= query.at_most:
            break
        found = resource(node, environ, area)
        href = "/remote.php/dav/files/" + quote("/".join((node.owner, *node.parts)))
        values: list[tuple[str, Any]] = []
        for name in query.properties:
            try:
                values.append((name, found.get_property_value(name)))
            except DAVError as missing:
                values.append((name, missing))
        add_property_response(root, href, values)
    body: bytes = xml_to_bytes(root)
    return body

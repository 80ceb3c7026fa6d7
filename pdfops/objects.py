"""Every version of every object of a document, read once: what it says, and who refers to whom in any revision."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef

from pdfops import quick
from pdfops.quick import Ref, Value

Path = tuple[str | int, ...]
Edge = tuple[Path, Ref]


class Unusual(Exception):
    """The library decides what it means."""


class Node:
    """One version of an object: what it says, and which references stand where in it."""

    __slots__ = ("edges", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self.edges: tuple[Edge, ...] = tuple(_edges(value)) if value is not quick.OPAQUE else ()


class Objects:
    """Every version of every object of a document. ``is_usable`` false: the library has to do it."""

    def __init__(self, reader: PdfFileReader, data: bytes) -> None:
        self._reader = reader
        self._data = data
        self._nodes: dict[Any, Node] = {}
        self._streams: dict[int, tuple[bytes, dict[int, int], list[int]]] = {}
        self._trailers: dict[int, Node] = {}
        self.used_by: dict[Ref, set[Ref]] = {}
        """Who refers to an object in any revision; the trailer does not count."""
        self.is_usable = True
        try:
            self._read_all()
        except (MemoryError, RecursionError):
            raise
        except Exception:
            # Foreign bytes: whatever stands in the way, the library decides what it means.
            self.is_usable = False

    def at(self, ref: Ref, revision: int) -> Node:
        """As it was in that revision; null where it was not there."""
        marker = self._reader.xrefs.get_historical_ref(generic.Reference(*ref), revision)
        return self._node(ref, marker, revision)

    def trailer(self, revision: int) -> Node:
        if revision not in self._trailers:
            self._trailers[revision] = Node(from_library(self._reader.trailer.flatten(revision)))
        return self._trailers[revision]

    def _read_all(self) -> None:
        xrefs = self._reader.xrefs
        for revision in range(xrefs.total_revisions):
            if xrefs.get_xref_data(revision).hybrid is not None:
                self.is_usable = False
                return
            for reference in xrefs.explicit_refs_in_revision(revision):
                ref = Ref(reference.idnum, reference.generation)
                for _, target in self.at(ref, revision).edges:
                    self.used_by.setdefault(target, set()).add(ref)

    def _node(self, ref: Ref, marker: int | ObjStreamRef | None, revision: int) -> Node:
        if marker is None:
            return _NULL
        key: tuple[Any, ...] = (ref, marker)
        if isinstance(marker, ObjStreamRef):
            key = (ref, "in", marker.obj_stream_id, marker.ix_in_stream)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self._value(ref, marker, revision))
        return node

    def _value(self, ref: Ref, marker: int | ObjStreamRef, revision: int) -> Value:
        try:
            if isinstance(marker, ObjStreamRef):
                return self._packed(ref, marker)
            return quick.indirect(self._data, marker, ref)
        except quick.Unclear:
            return from_library(self._reader.get_object(generic.Reference(*ref, pdf=self._reader), revision))

    def _packed(self, ref: Ref, marker: ObjStreamRef) -> Value:
        """An object in an object stream. Raises: Unclear."""
        content, starts, ordered = self._stream(marker.obj_stream_id)
        start = starts.get(ref.number)
        if start is None or not 0 <= marker.ix_in_stream < len(starts):
            raise quick.Unclear
        end = bisect.bisect_right(ordered, start)
        return quick.within_stream(content, start, ordered[end] if end < len(ordered) else len(content))

    def _stream(self, number: int) -> tuple[bytes, dict[int, int], list[int]]:
        """The content of an object stream, and where each object starts in it. As the library has it: the newest
        version of that stream, and an object's first mention in it. Raises: Unclear."""
        if number not in self._streams:
            stream = self._reader.get_object(generic.Reference(number, 0, self._reader))
            if not isinstance(stream, generic.StreamObject) or stream["/Type"] != "/ObjStm":
                raise quick.Unclear
            content, first, count = stream.data, int(stream["/First"]), int(stream["/N"])
            if content[first - 1 : first].strip() and content[first : first + 1].strip():
                raise quick.Unclear  # a number may not be cut in two
            words = content[:first].split()
            if len(words) != 2 * count or not all(word.isdigit() for word in words):
                raise quick.Unclear
            starts: dict[int, int] = {}
            for index in range(count):
                starts.setdefault(int(words[2 * index]), first + int(words[2 * index + 1]))
            self._streams[number] = content, starts, sorted(starts.values())
        return self._streams[number]


_NULL: Final = Node(quick.OPAQUE)


def _edges(value: Value) -> Iterator[Edge]:
    """Where in a value which references stand."""
    waiting: list[tuple[Path, Value]] = [((), value)]
    while waiting:
        path, here = waiting.pop()
        if isinstance(here, Ref):
            yield path, here
        elif isinstance(here, dict):
            waiting.extend(((*path, key), item) for key, item in here.items())
        elif isinstance(here, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(here))


def from_library(value: Any) -> Value:
    """What the library read, in the quick reader's shapes. Raises: Unusual for an object that is but a reference to
    another, which the library follows in some places and not in others."""
    if isinstance(value, generic.IndirectObject):
        raise Unusual
    return _converted(value, 0)


def _converted(value: Any, depth: int) -> Value:
    if depth > quick.MAX_DEPTH:
        raise Unusual
    if isinstance(value, generic.IndirectObject):
        return Ref(value.idnum, value.generation)
    if isinstance(value, generic.DictionaryObject):
        return {str(key): _converted(value.raw_get(key), depth + 1) for key in value}
    if isinstance(value, generic.ArrayObject):
        return [_converted(value.raw_get(index), depth + 1) for index in range(len(value))]
    return quick.Name(value) if isinstance(value, generic.NameObject) else quick.OPAQUE

"""A reader for questions about a document's revisions: the library's verdicts in a fraction of its time.

The library's difference analysis asks where the objects that a revision replaced are used in the signed one. To answer
it walks every path through every object, once for each signed revision, with its own slow parser. Here each version of
each object is read once, quickly (`pdfops.quick`), which gives who refers to whom in any revision; the walk then goes
only through objects from which one in question can be reached. The rules of that walk, and so the set of paths, are
the library's: pages are entered by their place in the page tree alone, elements of the structure tree by that tree
alone, /Parent and the structure's /P are not followed up these trees, and no path passes an object twice. One rule is
stricter than the library's: a /Parent or /P that leads elsewhere than up a tree is a use like any other.

Where anything is out of the ordinary (an object that cannot be read, hybrid cross-references, trees that turn back on
themselves) the library does it in its own way.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader, RawPdfPath
from pyhanko.pdf_utils.xref import ObjStreamRef

from pdfops import quick
from pdfops.quick import Ref, Value

Path = tuple[str | int, ...]
Edge = tuple[Path, Ref]

_STRUCTURE: Final[Path] = ("/Root", "/StructTreeRoot", "/K")
MAX_STEPS: Final = 2_000_000
"""Of one walk: a document that needs more is not judged."""


class TooTangled(Exception):
    """There are too many ways through the document to an object that was replaced."""


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
            self._trailers[revision] = Node(_from_library(self._reader.trailer.flatten(revision)))
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
                content, starts, ordered = self._stream(marker.obj_stream_id)
                start = starts[ref.number] if 0 <= marker.ix_in_stream < len(starts) else starts[-1]
                end = bisect.bisect_right(ordered, start)
                return quick.within_stream(content, start, ordered[end] if end < len(ordered) else len(content))
            return quick.indirect(self._data, marker, ref)
        except (quick.Unclear, KeyError):
            return _from_library(self._reader.get_object(generic.Reference(*ref, pdf=self._reader), revision))

    def _stream(self, number: int) -> tuple[bytes, dict[int, int], list[int]]:
        """The content of an object stream, and where each object starts in it. As the library has it: the newest
        version of that stream, and an object's first mention in it. Raises: Unclear."""
        if number not in self._streams:
            stream = self._reader.get_object(generic.Reference(number, 0, self._reader))
            if not isinstance(stream, generic.StreamObject) or stream["/Type"] != "/ObjStm":
                raise quick.Unclear
            content, first, count = stream.data, int(stream["/First"]), int(stream["/N"])
            if not content[first - 1 : first + 1].strip() == content[first : first + 1].strip():
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


class Reader(PdfFileReader):
    """The library's reader, whose views of earlier revisions know quickly where an object was used."""

    def __init__(self, stream: Any, *, strict: bool = False) -> None:
        super().__init__(stream, strict=strict)
        self._objects: Objects | None = None
        self._views: dict[int, View] = {}

    def objects(self) -> Objects:
        if self._objects is None:
            self._objects = Objects(self, self.stream.getvalue())
        return self._objects

    def get_historical_resolver(self, revision: int) -> View:
        if revision not in self._views:
            self._views[revision] = View(self, revision)
        return self._views[revision]


class View(HistoricalResolver):
    """A revision. Overrides what the library computes for all objects at once by what is asked for alone."""

    def __init__(self, reader: Reader, revision: int) -> None:
        super().__init__(reader, revision)
        self._objects = reader.objects
        self._uses: dict[Ref, set[RawPdfPath]] = {}
        self._trees: Trees | None = None
        self._is_own = True

    def _load_reverse_xref_cache(self) -> None:
        if self._trees is not None or not self._is_own:
            return
        objects = self._objects()
        try:
            self._trees = _trees(objects, self.revision) if objects.is_usable else None
        except _Unusual:
            self._trees = None
        if self._trees is None:
            self._is_own = False
            super()._load_reverse_xref_cache()  # type: ignore[no-untyped-call]

    def _get_usages_of_ref(self, ref: generic.Reference) -> set[RawPdfPath]:
        self._load_reverse_xref_cache()
        if self._trees is None:
            uses: set[RawPdfPath] = super()._get_usages_of_ref(ref)
            return uses
        wanted = Ref(ref.idnum, ref.generation)
        if wanted not in self._uses:
            found = _paths_to(self._objects(), self.revision, wanted, self._trees)
            self._uses[wanted] = {RawPdfPath(*path) for path in found}
        return self._uses[wanted]


class _Unusual(Exception):
    """The library decides what it means."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Of one revision. ``places``: where each node of the page tree stands; ``above``: the node above it;
    ``elements``: of the structure tree, below ``structure``; ``parents``: what /Parent may lead to without being a
    use: pages, fields, outline items."""

    places: dict[Ref, Path]
    above: dict[Ref, Ref | None]
    elements: set[Ref]
    parents: set[Ref]
    structure: Ref | None


def _trees(objects: Objects, revision: int) -> Trees:

    def resolved(value: Value) -> Value:
        return objects.at(value, revision).value if isinstance(value, Ref) else value

    root = resolved(objects.trailer(revision).value.get("/Root"))
    if not isinstance(root, dict) or not isinstance(root.get("/Pages"), Ref):
        raise _Unusual
    top: Ref = root["/Pages"]
    places: dict[Ref, Path] = {top: ("/Root", "/Pages")}
    above: dict[Ref, Ref | None] = {top: None}
    waiting = [top]
    while waiting:
        node = waiting.pop()
        value = resolved(node)
        kids = value.get("/Kids") if isinstance(value, dict) else None
        if not isinstance(kids, list):  # one that is an object of its own as well
            raise _Unusual
        for index, kid in enumerate(kids):
            if not isinstance(kid, Ref) or kid in places:
                raise _Unusual
            places[kid], above[kid] = (*places[node], "/Kids", index), node
            page = resolved(kid)
            if not isinstance(page, dict):
                raise _Unusual
            if page.get("/Type") == "/Pages":
                waiting.append(kid)
            elif isinstance(page.get("/Type"), Ref):
                raise _Unusual
    form, outline = resolved(root.get("/AcroForm")), root.get("/Outlines")
    fields = _below(resolved, form.get("/Fields") if isinstance(form, dict) else None, ("/Kids",))
    items = _below(resolved, outline, ("/First", "/Next"))
    start = root.get("/StructTreeRoot")
    structure = start if isinstance(start, Ref) else None
    return Trees(places, above, _structure(resolved, root), {*places, *fields, *items}, structure)


def _below(resolved: Any, start: Value, keys: tuple[str, ...]) -> set[Ref]:
    """What is reached from a reference, or a list of them, by those keys alone."""
    found: set[Ref] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Ref):
            if here in found:
                continue
            found.add(here)
        value = resolved(here)
        if isinstance(value, list):
            waiting.extend(item for item in value if isinstance(item, Ref))
        elif isinstance(value, dict):
            waiting.extend(value[key] for key in keys if isinstance(value.get(key), (Ref, list)))
    return found


def _structure(resolved: Any, root: dict[str, Value]) -> set[Ref]:
    found: set[Ref] = set()
    seen: set[Ref] = set()
    start = root.get("/StructTreeRoot")
    if start is None:
        return found
    if not isinstance(start, Ref):
        raise _Unusual
    waiting = [resolved(start)]
    steps = 0
    while waiting:
        element = waiting.pop()
        steps += 1
        if steps > MAX_STEPS:
            raise _Unusual
        if not isinstance(element, dict):
            raise _Unusual
        if "/K" not in element:
            continue
        children = resolved(element["/K"])
        # A single child that is referred to is not counted by the library as one that is: its ``/K`` was followed.
        for child in children if isinstance(children, list) else [children]:
            value = resolved(child)
            if not isinstance(value, dict) or resolved(value.get("/Type", "/StructElem")) != "/StructElem":
                continue
            if isinstance(child, Ref):
                if child in seen:
                    raise _Unusual
                seen.add(child)
                if isinstance(value.get("/S"), quick.Name):
                    found.add(child)
            waiting.append(value)
    return found


def _paths_to(
    objects: Objects,
    revision: int,
    wanted: Ref,
    trees: Trees,
) -> set[Path]:
    """Every path from the trailer to a reference to ``wanted``. Raises: TooTangled."""
    places, elements = trees.places, trees.elements
    leading = _leading_to(objects, wanted, trees.above)
    found: set[Path] = set()
    steps = 0
    waiting: list[tuple[Path, tuple[Edge, ...], frozenset[Ref]]] = [((), objects.trailer(revision).edges, frozenset())]
    while waiting:
        path, edges, passed = waiting.pop()
        for below, target in edges:
            if target != wanted and target not in leading:
                continue
            there = path + below
            is_structure = there[:3] == _STRUCTURE
            if target in passed or _is_way_up(path, there, target, is_structure, trees):
                continue
            steps += 1
            if steps > MAX_STEPS:
                raise TooTangled
            if target == wanted:
                found.add(there)
            if (
                target not in leading
                or places.get(target, there) != there
                or (not is_structure and target in elements)
            ):
                continue
            waiting.append((there, objects.at(target, revision).edges, passed | {target}))
    return found


def _is_way_up(path: Path, there: Path, target: Ref, is_structure: bool, trees: Trees) -> bool:
    """Whether a reference but leads back up a tree. The library goes by the key's name alone; a picture or a font can
    bear that name as well, so what it leads to is looked at too."""
    new = there[len(path) :]
    if "/Parent" in new:
        return new[-1] == "/Parent" and target in trees.parents
    if is_structure and "/P" in there[max(3, len(path)) :]:
        return new[-1] == "/P" and (target in trees.elements or target in trees.places or target == trees.structure)
    return False


def _leading_to(objects: Objects, wanted: Ref, above: dict[Ref, Ref | None]) -> set[Ref]:
    """The objects from which ``wanted`` may be reached, and some more. A page leads on from its parent alone."""
    leading: set[Ref] = set()
    waiting = set(objects.used_by.get(wanted, ()))
    while waiting:
        ref = waiting.pop()
        if ref in leading:
            continue
        leading.add(ref)
        if ref in above:
            parent = above[ref]
            waiting.update(() if parent is None else (parent,))
            if parent is None:
                waiting.update(objects.used_by.get(ref, ()))
        else:
            waiting.update(objects.used_by.get(ref, ()))
    return leading


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


def _from_library(value: Any) -> Value:
    """What the library read, in the quick reader's shapes. Raises: _Unusual for an object that is but a reference to
    another, which the library follows in some places and not in others."""
    if isinstance(value, generic.IndirectObject):
        raise _Unusual
    return _converted(value, 0)


def _converted(value: Any, depth: int) -> Value:
    if depth > quick.MAX_DEPTH:
        raise _Unusual
    if isinstance(value, generic.IndirectObject):
        return Ref(value.idnum, value.generation)
    if isinstance(value, generic.DictionaryObject):
        return {str(key): _converted(value.raw_get(key), depth + 1) for key in value}
    if isinstance(value, generic.ArrayObject):
        return [_converted(value.raw_get(index), depth + 1) for index in range(len(value))]
    return quick.Name(value) if isinstance(value, generic.NameObject) else quick.OPAQUE

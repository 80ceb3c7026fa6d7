"""A reader for questions about a document's revisions: the library's verdicts in a fraction of its time.

The library's difference analysis asks where the objects that a revision replaced are used in the signed one. To answer
it walks every path through every object, once for each signed revision, with its own slow parser. Here each version of
each object is read once, quickly (`pdfops.objects`), which gives who refers to whom in any revision; the walk goes
only through objects from which one in question can be reached. The rules of that walk, and so the set of paths, are
the library's: pages are entered by their place in the page tree alone, elements of the structure tree by that tree
alone, /Parent and the structure's /P are not followed up these trees, and no path passes an object twice. One rule is
stricter than the library's: a /Parent or /P that leads elsewhere than up a tree is a use like any other.

Where anything is out of the ordinary (an object that cannot be read, hybrid cross-references, trees that turn back on
themselves) the library does it in its own way.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader, RawPdfPath

from pdfops import quick
from pdfops.objects import Edge, Objects, Path, Unusual
from pdfops.quick import Ref, Value

_STRUCTURE: Final[Path] = ("/Root", "/StructTreeRoot", "/K")
MAX_STEPS: Final = 2_000_000
"""Of one walk: a document that needs more is not judged."""


class TooTangled(Exception):
    """There are too many ways through the document to an object that was replaced."""


class Reader(PdfFileReader):
    """The library's reader, whose views of earlier revisions know quickly where an object was used."""

    def __init__(self, stream: Any, *, strict: bool = False) -> None:
        super().__init__(stream, strict=strict)
        self._objects: Objects | None = None
        self._views: dict[int, View] = {}
        xrefs: Any = self.xrefs
        # The same questions for every pair of revisions, and each looks through all of them.
        xrefs.get_introducing_revision = cache(xrefs.get_introducing_revision)
        xrefs.get_historical_ref = cache(xrefs.get_historical_ref)

    def objects(self) -> Objects:
        if self._objects is None:
            self._objects = Objects(self, self.stream.getvalue())
        return self._objects

    @cached_property
    def says_its_size(self) -> bool:
        """Whether each revision's /Size is above every object number until then: the library's analysis takes all
        others for new ones."""
        highest = 0
        for revision in range(self.xrefs.total_revisions):
            section = self.xrefs.explicit_refs_in_revision(revision)
            highest = max(highest, max((reference.idnum for reference in section), default=0))
            if int(self.xrefs.get_xref_container_info(revision).size) <= highest:
                return False
        return True

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
        self._dependencies: dict[tuple[int, int | None], tuple[generic.PdfObject, set[generic.Reference]]] = {}
        self._trees: Trees | None = None
        self._is_own = True

    def pages(self) -> list[Ref] | None:
        """The pages in their order; None where the library has to be asked."""
        self._load_reverse_xref_cache()
        if self._trees is None:
            return None
        return sorted(self._trees.pages, key=self._trees.places.__getitem__)

    def _load_reverse_xref_cache(self) -> None:
        if self._trees is not None:
            return
        if self._is_own and self._objects().is_usable:
            with contextlib.suppress(Unusual):
                self._trees = _trees(self._objects(), self.revision)
        if self._trees is None:
            self._is_own = False
            super()._load_reverse_xref_cache()  # type: ignore[no-untyped-call]  # the library's, as below

    def collect_dependencies(
        self, obj: generic.PdfObject, since_revision: int | None = None
    ) -> set[generic.Reference]:
        """The library's answer, found once: it is asked for each of the older revisions."""
        key = (id(obj), since_revision)
        if key not in self._dependencies:
            found = super().collect_dependencies(obj, since_revision)
            self._dependencies[key] = (obj, found)  # who is kept is nobody else by the same number
        return set(self._dependencies[key][1])

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


@dataclass(frozen=True, slots=True)
class Trees:
    """Of one revision.

    ``places``: where each node of the page tree stands; ``above``: the node above it; ``pages``: its leaves.
    ``elements``: of the structure tree, below ``structure``. ``parents``: what /Parent may lead to without being a
    use: pages, fields, outline items.
    """

    places: dict[Ref, Path]
    above: dict[Ref, Ref | None]
    pages: list[Ref]
    elements: set[Ref]
    parents: set[Ref]
    structure: Ref | None


def _trees(objects: Objects, revision: int) -> Trees:
    """Raises: Unusual."""

    def resolved(value: Value) -> Value:
        return objects.at(value, revision).value if isinstance(value, Ref) else value

    root = resolved(objects.trailer(revision).value.get("/Root"))
    if not isinstance(root, dict) or not isinstance(root.get("/Pages"), Ref):
        raise Unusual
    top: Ref = root["/Pages"]
    places: dict[Ref, Path] = {top: ("/Root", "/Pages")}
    above: dict[Ref, Ref | None] = {top: None}
    pages: list[Ref] = []
    waiting = [top]
    while waiting:
        node = waiting.pop()
        value = resolved(node)
        kids = value.get("/Kids") if isinstance(value, dict) else None
        if not isinstance(kids, list):  # one that is an object of its own as well
            raise Unusual
        for index, kid in enumerate(kids):
            if not isinstance(kid, Ref) or kid in places:
                raise Unusual
            places[kid], above[kid] = (*places[node], "/Kids", index), node
            page = resolved(kid)
            if not isinstance(page, dict):
                raise Unusual
            if page.get("/Type") == "/Pages":
                waiting.append(kid)
            elif isinstance(page.get("/Type"), Ref) or "/Kids" in page:
                raise Unusual  # a page for one reader, a branch for another
            else:
                pages.append(kid)
    form, outline = resolved(root.get("/AcroForm")), root.get("/Outlines")
    fields = _below(resolved, form.get("/Fields") if isinstance(form, dict) else None, ("/Kids",))
    items = _below(resolved, outline, ("/First", "/Next"))
    start = root.get("/StructTreeRoot")
    structure = start if isinstance(start, Ref) else None
    return Trees(places, above, pages, _structure(resolved, root), {*places, *fields, *items}, structure)


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
    """The elements of the structure tree. Raises: Unusual."""
    found: set[Ref] = set()
    seen: set[Ref] = set()
    start = root.get("/StructTreeRoot")
    if start is None:
        return found
    if not isinstance(start, Ref):
        raise Unusual
    waiting = [resolved(start)]
    steps = 0
    while waiting:
        element = waiting.pop()
        steps += 1
        if steps > MAX_STEPS:
            raise Unusual
        if not isinstance(element, dict):
            raise Unusual
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
                    raise Unusual
                seen.add(child)
                if isinstance(value.get("/S"), quick.Name):
                    found.add(child)
            waiting.append(value)
    return found


def _paths_to(objects: Objects, revision: int, wanted: Ref, trees: Trees) -> set[Path]:
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
        parent = above.get(ref)
        waiting.update(objects.used_by.get(ref, ()) if parent is None else (parent,))
    return leading

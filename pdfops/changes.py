"""What the revisions behind a signature did to a document, one fact a change: for people, not for the verdict.

Whether a change is allowed is the difference analysis' business (`pdfops.verify`). Here each object that a revision
replaced is looked up where the revision before used it: a field, a page's content, an annotation, the catalogue. What
cannot be told apart is said as what it is: some other part of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pyhanko.pdf_utils import generic

from pdfops.form import Field, fields_of, form_of, plain, raw_entry
from pdfops.history import Reader, View
from pdfops.permissions import signature_fields
from pdfops.quick import Ref
from pdfops.reading import entry, walk_pages
from pdfops.text import shown_name

Kind = Literal[
    "field-filled",
    "field-changed",
    "field-added",
    "field-removed",
    "field-look-changed",
    "form-changed",
    "signature-removed",
    "page-content-changed",
    "page-changed",
    "pages-added",
    "pages-removed",
    "pages-reordered",
    "note-added",
    "note-changed",
    "note-removed",
    "information-changed",
    "start-actions-changed",
    "attachments-changed",
    "layers-changed",
    "other-changed",
    "bytes-appended",
]
HARMLESS: Final = frozenset(
    {"field-filled", "field-changed", "field-added", "field-look-changed", "form-changed", "information-changed"}
)
"""What may happen between two signatures of an intact document."""

MAX_CHANGES: Final = 200
MAX_NAME: Final = 120
MAX_LOOKED_BACK: Final = 500
"""Revisions in which a signature is looked for that the last one hides; of more nothing is said."""

_CATALOGUE: Final[dict[str, Kind]] = {
    "/OpenAction": "start-actions-changed",
    "/AA": "start-actions-changed",
    "/Metadata": "information-changed",
    "/OCProperties": "layers-changed",
    "/AF": "attachments-changed",
}
_EXPECTED: Final = frozenset({"/DSS", "/Extensions", "/AcroForm", "/Pages", "/Names", "/Perms", "/Version"})
"""Of the catalogue: validation data, or looked at in another place."""

_LOOKS: Final = frozenset({"/Contents", "/Resources", "/MediaBox", "/CropBox", "/Rotate", "/UserUnit", "/Group"})
_END_OF_FILE: Final = re.compile(rb"startxref\s+\d+\s+%%EOF[\r\n \t\x00]*")


@dataclass(frozen=True, slots=True)
class Change:
    """``after``: how many signatures there were before it. ``subject``: a field's name, or ""; ``number``: a page
    (1-based), or how many pages or bytes; 0 where it says nothing."""

    kind: Kind
    after: int
    subject: str = ""
    number: int = 0

    def is_grave(self, signatures: int) -> bool:
        """Whether it makes a document with so many signatures a changed one, whatever the difference analysis says."""
        return self.kind not in HARMLESS or self.after >= signatures


def list_changes(reader: Reader, data: bytes, signed_revisions: list[int]) -> tuple[Change, ...]:
    """Everything that happened behind the first signature, in order. Of a long list the end is left out, but not
    before there is something grave in it.

    ``signed_revisions``: the revision that each signature ends. Raises what the library raises on foreign bytes.
    """
    found: dict[Change, None] = {}
    last = int(reader.xrefs.total_revisions) - 1
    first = min(signed_revisions, default=last)
    for revision in range(first + 1, last + 1):
        after = sum(1 for signed in signed_revisions if signed < revision)
        for change in _between(reader, revision, after):
            is_grave = change.is_grave(len(signed_revisions))
            if len(found) < MAX_CHANGES or is_grave:
                found.setdefault(change)
            if len(found) >= MAX_CHANGES and is_grave:
                return tuple(found)
    extra = _appended_bytes(reader, data, last)
    if extra:
        found.setdefault(Change("bytes-appended", len(signed_revisions), number=extra))
    return tuple(found)


def removed_signatures(reader: Reader) -> tuple[Change, ...]:
    """The signatures of earlier revisions of a document that shows none now. Raises what the library raises."""
    last = int(reader.xrefs.total_revisions) - 1
    if last > MAX_LOOKED_BACK:
        raise ValueError("too many revisions to look through")
    for revision in range(last - 1, -1, -1):
        view = reader.get_historical_resolver(revision)
        names = [name for name, signature, _field in signature_fields(view) if signature is not None]
        if names:
            return tuple(Change("signature-removed", len(names), _shown(name)) for name in names[:MAX_CHANGES])
    return ()


def _appended_bytes(reader: Reader, data: bytes, last: int) -> int:
    """How many bytes follow the end of the last revision."""
    start = int(reader.xrefs.get_xref_container_info(last).start_location)
    ends = [match.end() for match in _END_OF_FILE.finditer(data, min(start, len(data)))]
    return len(data) - ends[0] if ends else 0


def _between(reader: Reader, revision: int, after: int) -> Iterator[Change]:
    old, new = reader.get_historical_resolver(revision - 1), reader.get_historical_resolver(revision)
    pages, pages_now = _pages(old), _pages(new)
    if set(pages_now) - set(pages):
        yield Change("pages-added", after, number=len(set(pages_now) - set(pages)))
    if set(pages) - set(pages_now):
        yield Change("pages-removed", after, number=len(set(pages) - set(pages_now)))
    elif set(pages) == set(pages_now) and pages != pages_now:
        yield Change("pages-reordered", after)
    fields, fields_now = fields_of(old.root), fields_of(new.root)
    yield from _in_fields(fields, fields_now, after)
    form, form_now = form_of(old), form_of(new)
    if form is not None and form != form_now:
        yield Change("form-changed", after)
    if _information(entry(old.trailer_view, "/Info")) != _information(entry(new.trailer_view, "/Info")):
        yield Change("information-changed", after)
    if _filled_in(reader, revision):
        yield Change("other-changed", after)
    yield from _in_objects(old, new, pages, after)


def _filled_in(reader: Reader, revision: int) -> bool:
    """Whether a revision defines an object that an earlier one refers to and that was not there: what the earlier one
    shows is decided only now. The library takes such objects for new ones that nothing old leads to."""
    objects = reader.objects()
    if not objects.is_usable:
        raise ValueError("who refers to whom is not known")
    for reference in reader.xrefs.explicit_refs_in_revision(revision):
        ref = Ref(reference.idnum, reference.generation)
        if reader.xrefs.get_historical_ref(reference, revision - 1) is not None:
            continue
        users = objects.used_by.get(ref, ())
        if any(any(target == ref for _, target in objects.at(user, revision - 1).edges) for user in users):
            return True
        if any(target == ref for _, target in objects.trailer(revision - 1).edges):
            return True
    return False


def _in_fields(before: dict[str, Field], now: dict[str, Field], after: int) -> Iterator[Change]:
    for name, field in now.items():
        former = before.get(name)
        if field.is_signature:
            if former is not None and former.value is not None and former.look != field.look:
                yield Change("field-look-changed", after, _shown(name))
        elif former is None:
            yield Change("field-added", after, _shown(name))
        elif former.value != field.value:
            yield Change("field-filled" if former.value is None else "field-changed", after, _shown(name))
        elif former.look != field.look:
            yield Change("field-look-changed", after, _shown(name))
    for name, former in before.items():
        if name not in now:
            kind: Kind = "signature-removed" if former.is_signature and former.value else "field-removed"
            yield Change(kind, after, _shown(name))
        elif former.is_signature and former.value is not None and now[name].value != former.value:
            yield Change("signature-removed", after, _shown(name))


def _in_objects(old: View, new: View, pages: list[Ref], after: int) -> Iterator[Change]:
    """Each object that was there before and says something else now, by where it was used."""
    for ref in sorted(
        new.reader.xrefs.explicit_refs_in_revision(new.revision), key=lambda one: (one.idnum, one.generation)
    ):
        if old.reader.xrefs.get_historical_ref(ref, old.revision) is None:
            continue
        before, now = old(ref), new(ref)
        if _same(before, now):
            continue
        page = Ref(ref.idnum, ref.generation)
        if page in pages:  # whatever else leads to it: links, the outline, the structure, what happens at opening
            yield from _in_page_itself(before, now, pages.index(page) + 1, after)
            continue
        for use in old._get_usages_of_ref(ref):
            yield from _by_use(tuple(use), before, now, pages, old, after)


def _by_use(
    path: tuple[str | int, ...], before: Any, now: Any, pages: list[Ref], old: View, after: int
) -> Iterator[Change]:
    if path == ("/Root",):
        yield from _in_catalogue(before, now, after)
    elif path[:1] == ("/Info",):
        return  # compared as a whole
    elif path[:2] == ("/Root", "/Metadata"):
        yield Change("information-changed", after)
    elif path[:2] == ("/Root", "/Names"):
        yield Change("attachments-changed" if "/EmbeddedFiles" in path else "start-actions-changed", after)
    elif path[:2] in (("/Root", "/OpenAction"), ("/Root", "/AA")):
        yield Change("start-actions-changed", after)
    elif path[:2] == ("/Root", "/OCProperties"):
        yield Change("layers-changed", after)
    elif path[:2] == ("/Root", "/Pages"):
        yield from _in_page(path, before, now, pages, old, after)
    elif path[:2] == ("/Root", "/StructTreeRoot") and _leads_to_widget(path, old, now):
        return  # a field, by its place in the structure: told by its name elsewhere
    elif path[:2] not in (("/Root", "/AcroForm"), ("/Root", "/DSS"), ("/Root", "/Extensions"), ("/Root", "/Perms")):
        yield Change("other-changed", after)


def _information(value: Any) -> Any:
    """Without what every program that writes a revision notes about itself."""
    found = plain(value)
    return {k: v for k, v in found.items() if k not in ("/ModDate", "/Producer")} if isinstance(found, dict) else found


def _in_catalogue(before: Any, now: Any, after: int) -> Iterator[Change]:
    if not isinstance(now, generic.DictionaryObject):
        yield Change("other-changed", after)
        return
    for key in sorted({*before, *now}):
        if key not in _EXPECTED and not _same(raw_entry(before, key), raw_entry(now, key)):
            yield Change(_CATALOGUE.get(key, "other-changed"), after)


def _in_page(
    path: tuple[str | int, ...], before: Any, now: Any, pages: list[Ref], old: View, after: int
) -> Iterator[Change]:
    """A change below the page tree, in what belongs to a page."""
    number, rest = _page_of(path, pages, old)
    if number == 0 or not rest:
        return  # the tree itself: pages are compared in their order
    if rest[0] == "/Annots":
        if len(rest) == 1:
            yield from _in_notes(before, now, number, after)
        elif not _is_widget(_note(old, pages[number - 1], rest[1])):
            yield Change("note-changed", after, number=number)
    elif rest[0] in _LOOKS:
        yield Change("page-content-changed", after, number=number)
    else:
        yield Change("page-changed", after, number=number)


def _in_page_itself(before: Any, now: Any, number: int, after: int) -> Iterator[Change]:
    if not isinstance(before, generic.DictionaryObject) or not isinstance(now, generic.DictionaryObject):
        yield Change("page-changed", after, number=number)
        return
    keys = {key for key in {*before, *now} if not _same(raw_entry(before, key), raw_entry(now, key))}
    if keys & _LOOKS:
        yield Change("page-content-changed", after, number=number)
    if "/Annots" in keys:
        yield from _in_notes(entry(before, "/Annots"), entry(now, "/Annots"), number, after)
    if keys - _LOOKS - {"/Annots", "/Parent", "/Tabs", "/StructParents", "/LastModified"}:
        yield Change("page-changed", after, number=number)


def _page_of(path: tuple[str | int, ...], pages: list[Ref], old: View) -> tuple[int, tuple[str | int, ...]]:
    """The number of the page that a path leads into, and what of it comes behind the page."""
    here: Any = old.trailer_view
    for index, step in enumerate(path):
        here = here.raw_get(step)
        if isinstance(here, generic.IndirectObject):
            key = Ref(here.idnum, here.generation)
            if key in pages:
                return pages.index(key) + 1, path[index + 1 :]
            here = here.get_object()
    return 0, ()


def _leads_to_widget(path: tuple[str | int, ...], old: View, now: Any) -> bool:
    """Whether a path ends at a widget that an element of the structure names, and that is one still, or below it."""
    here: Any = old.trailer_view
    for index, step in enumerate(path):
        here = here.raw_get(step)
        if isinstance(here, generic.IndirectObject):
            here = here.get_object()
        if step == "/Obj" and _is_widget(here):
            return index < len(path) - 1 or _is_widget(now)
    return False


def _note(view: View, page: Ref, index: str | int) -> Any:
    notes = entry(view(generic.Reference(*page, pdf=view)), "/Annots")
    return notes[index] if isinstance(notes, generic.ArrayObject) and isinstance(index, int) else None


def _in_notes(before: Any, now: Any, number: int, after: int) -> Iterator[Change]:
    """Annotations that came or went; fields are told by their names elsewhere."""
    had, has = _listed(before), _listed(now)
    if any(not _is_widget(note) for key, note in has.items() if key not in had):
        yield Change("note-added", after, number=number)
    if any(not _is_widget(note) for key, note in had.items() if key not in has):
        yield Change("note-removed", after, number=number)


def _listed(notes: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for index in range(len(notes) if isinstance(notes, generic.ArrayObject) else 0):
        raw = notes.raw_get(index)
        key = (raw.idnum, raw.generation) if isinstance(raw, generic.IndirectObject) else index
        found[key] = raw.get_object()
    return found


def _is_widget(note: Any) -> bool:
    return isinstance(note, generic.DictionaryObject) and entry(note, "/Subtype") == "/Widget"


def _pages(view: View) -> list[Ref]:
    """The pages' references in order; a page without one is left out."""
    known = view.pages()
    if known is not None:
        return known
    found = (page.reference for page in walk_pages(view.root))
    return [Ref(reference.idnum, reference.generation) for reference in found if reference is not None]


def _same(one: Any, other: Any) -> bool:
    return bool(plain(one) == plain(other))


def _shown(name: str) -> str:
    return shown_name(name)[:MAX_NAME]

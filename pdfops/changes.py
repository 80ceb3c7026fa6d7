"""What the revisions behind a signature did to a document, one fact a change: for people, not for the verdict.

Whether a change is allowed is the difference analysis' business (`pdfops.verify`). Here each object that a revision
replaced is looked up where the revision before used it: a field, a page's content, an annotation, the catalogue. What
cannot be told apart is said as what it is: some other part of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pyhanko.pdf_utils import generic

from pdfops.history import Reader, View
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
KINDS: Final = frozenset(get_args(Kind))
HARMLESS: Final = frozenset(
    {"field-filled", "field-changed", "field-added", "field-look-changed", "form-changed", "information-changed"}
)
"""What may happen between two signatures of an intact document. Anything else, and anything behind the last signature,
makes it a changed one, whatever the difference analysis says."""

MAX_CHANGES: Final = 200
MAX_FIELDS: Final = 10_000
MAX_FIELD_DEPTH: Final = 50
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
_GOVERNING: Final = ("/AS", "/F", "/DA", "/Q", "/Rect", "/MK", "/BS")
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


@dataclass(frozen=True, slots=True)
class _Field:
    value: Any
    look: Any
    """What its widgets show, and the entries that govern it."""
    is_signature: bool


def list_changes(reader: Reader, data: bytes, signed_revisions: list[int]) -> tuple[Change, ...]:
    """Everything that happened behind the first signature, in order; at most `MAX_CHANGES`.

    ``signed_revisions``: the revision that each signature ends. Raises what the library raises on foreign bytes.
    """
    found: dict[Change, None] = {}
    last = int(reader.xrefs.total_revisions) - 1
    first = min(signed_revisions, default=last)
    for revision in range(first + 1, last + 1):
        after = sum(1 for signed in signed_revisions if signed < revision)
        for change in _between(reader, revision, after):
            found.setdefault(change)
            if len(found) >= MAX_CHANGES:
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
        names = [
            name
            for name, field in _fields(reader.get_historical_resolver(revision)).items()
            if field.is_signature and field.value is not None
        ]
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
    fields, fields_now = _fields(old), _fields(new)
    yield from _in_fields(fields, fields_now, after)
    form, form_now = _form(old), _form(new)
    if form is not None and form != form_now:
        yield Change("form-changed", after)
    if _information(_followed(old, "/Info")) != _information(_followed(new, "/Info")):
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


def _form(view: View) -> Any:
    """The form but for its list of fields and what says that there are signatures; None without one."""
    form = entry(view.root, "/AcroForm")
    plain = _plain(form) if isinstance(form, generic.DictionaryObject) else None
    if not isinstance(plain, dict):
        return None
    return {key: value for key, value in plain.items() if key not in ("/Fields", "/SigFlags")}


def _followed(view: View, key: str) -> Any:
    return entry(view.trailer_view, key)


def _in_fields(before: dict[str, _Field], now: dict[str, _Field], after: int) -> Iterator[Change]:
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


def _in_objects(old: View, new: View, pages: list[tuple[int, int]], after: int) -> Iterator[Change]:
    """Each object that was there before and says something else now, by where it was used."""
    for ref in sorted(
        new.reader.xrefs.explicit_refs_in_revision(new.revision), key=lambda one: (one.idnum, one.generation)
    ):
        if old.reader.xrefs.get_historical_ref(ref, old.revision) is None:
            continue
        before, now = old(ref), new(ref)
        if _same(before, now):
            continue
        for use in old._get_usages_of_ref(ref):
            yield from _by_use(tuple(use), before, now, pages, old, after)


def _by_use(
    path: tuple[str | int, ...], before: Any, now: Any, pages: list[tuple[int, int]], old: View, after: int
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
    elif path[:2] not in (("/Root", "/AcroForm"), ("/Root", "/DSS"), ("/Root", "/Extensions"), ("/Root", "/Perms")):
        yield Change("other-changed", after)


def _information(value: Any) -> Any:
    """Without what every program that writes a revision notes about itself."""
    plain = _plain(value)
    return {k: v for k, v in plain.items() if k not in ("/ModDate", "/Producer")} if isinstance(plain, dict) else plain


def _in_catalogue(before: Any, now: Any, after: int) -> Iterator[Change]:
    if not isinstance(now, generic.DictionaryObject):
        yield Change("other-changed", after)
        return
    for key in sorted({*before, *now}):
        if key not in _EXPECTED and not _same(_raw(before, key), _raw(now, key)):
            yield Change(_CATALOGUE.get(key, "other-changed"), after)


def _in_page(
    path: tuple[str | int, ...], before: Any, now: Any, pages: list[tuple[int, int]], old: View, after: int
) -> Iterator[Change]:
    """A change below the page tree. The last page on the path is the one it is about."""
    number, rest = _page_of(path, pages, old)
    if number == 0:
        return  # the tree itself: pages are compared in their order
    if not rest:
        if not isinstance(now, generic.DictionaryObject):
            yield Change("page-changed", after, number=number)
            return
        keys = {key for key in {*before, *now} if not _same(_raw(before, key), _raw(now, key))}
        if keys & _LOOKS:
            yield Change("page-content-changed", after, number=number)
        if "/Annots" in keys:
            yield from _in_notes(entry(before, "/Annots"), entry(now, "/Annots"), number, after)
        if keys - _LOOKS - {"/Annots", "/Parent", "/Tabs", "/StructParents", "/LastModified"}:
            yield Change("page-changed", after, number=number)
    elif rest[0] == "/Annots":
        if len(rest) == 1:
            yield from _in_notes(before, now, number, after)
        elif not _is_widget(_note(old, pages[number - 1], rest[1])):
            yield Change("note-changed", after, number=number)
    elif rest[0] in _LOOKS:
        yield Change("page-content-changed", after, number=number)
    else:
        yield Change("page-changed", after, number=number)


def _page_of(
    path: tuple[str | int, ...], pages: list[tuple[int, int]], old: View
) -> tuple[int, tuple[str | int, ...]]:
    """The number of the page that a path leads into, and what of it comes behind the page."""
    here: Any = old.trailer_view
    for index, step in enumerate(path):
        here = here.raw_get(step)
        if isinstance(here, generic.IndirectObject):
            key = (here.idnum, here.generation)
            if key in pages:
                return pages.index(key) + 1, path[index + 1 :]
            here = here.get_object()
    return 0, ()


def _note(view: View, page: tuple[int, int], index: str | int) -> Any:
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


def _pages(view: View) -> list[tuple[int, int]]:
    """The pages' references in order; a page without one is left out."""
    return [
        (page.reference.idnum, page.reference.generation)
        for page in walk_pages(view.root)
        if page.reference is not None
    ]


def _fields(view: View) -> dict[str, _Field]:
    """Every terminal field by its full name."""
    form = entry(view.root, "/AcroForm")
    listed = entry(form, "/Fields") if isinstance(form, generic.DictionaryObject) else None
    found: dict[str, _Field] = {}
    waiting: list[tuple[str, Any, Any, int]] = [("", listed, None, 0)]
    while waiting:
        prefix, fields, kind, depth = waiting.pop()
        if not isinstance(fields, generic.ArrayObject) or depth > MAX_FIELD_DEPTH:
            continue
        for index in range(len(fields)):
            field = fields[index]
            if not isinstance(field, generic.DictionaryObject) or len(found) > MAX_FIELDS:
                continue
            part = entry(field, "/T")
            name = ".".join(piece for piece in (prefix, str(part) if part is not None else "") if piece)
            own_kind = entry(field, "/FT", kind)
            kids = entry(field, "/Kids")
            is_parent = isinstance(kids, generic.ArrayObject) and any(
                isinstance(kid, generic.DictionaryObject) and "/T" in kid
                for kid in (kids[n] for n in range(len(kids)))
            )
            if is_parent:
                waiting.append((name, kids, own_kind, depth + 1))
            else:
                found.setdefault(name, _field(field, kids, own_kind))
    return found


def _field(field: generic.DictionaryObject, kids: Any, kind: Any) -> _Field:
    is_signature = kind == "/Sig"
    raw = _raw(field, "/V")
    value = _plain(raw.get_object() if raw is not None and not is_signature else raw)
    widgets = [field, *([kids[n] for n in range(len(kids))] if isinstance(kids, generic.ArrayObject) else [])]
    looks = [_look(widget) for widget in widgets if isinstance(widget, generic.DictionaryObject)]
    governing = [_plain(_raw(w, key)) for w in widgets if hasattr(w, "raw_get") for key in _GOVERNING]
    return _Field(value, (looks, governing), is_signature)


def _look(widget: generic.DictionaryObject) -> Any:
    """What a widget shows in its normal states."""
    appearances = entry(widget, "/AP")
    normal = entry(appearances, "/N") if isinstance(appearances, generic.DictionaryObject) else None
    if isinstance(normal, generic.DictionaryObject) and not isinstance(normal, generic.StreamObject):
        return {str(state): _plain(entry(normal, state)) for state in normal}
    return _plain(normal)


def _raw(dictionary: Any, key: str) -> Any:
    return dictionary.raw_get(key) if key in dictionary else None


def _same(one: Any, other: Any) -> bool:
    return bool(_plain(one) == _plain(other))


def _plain(value: Any, depth: int = 0) -> Any:
    """A value that can be compared, references as they are; streams by their bytes."""
    if depth > MAX_FIELD_DEPTH:
        return "deep"
    if isinstance(value, generic.IndirectObject):
        return ("ref", value.idnum, value.generation)
    if isinstance(value, generic.DictionaryObject):
        own = {str(key): _plain(value.raw_get(key), depth + 1) for key in value}
        return (own, bytes(value.encoded_data)) if isinstance(value, generic.StreamObject) else own
    if isinstance(value, generic.ArrayObject):
        return [_plain(value.raw_get(index), depth + 1) for index in range(len(value))]
    if value is None or isinstance(value, generic.NullObject):
        return None
    original = getattr(value, "original_bytes", None)
    return bytes(original) if isinstance(original, bytes) else str(value)


def _shown(name: str) -> str:
    return shown_name(name)[:MAX_NAME]

"""Opening foreign PDFs: the cheap bounds first, then the parser, then a guarded walk over the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

from pdfops.errors import PdfError
from pdfops.history import Reader

MAX_PAGES: Final = 5_000
TAIL_BYTES: Final = 2_048
"""Where ``startxref`` has to be found, counted from the end."""

MAX_OBJECT_NUMBER: Final = 8_388_607
"""Readers take no higher one. Source: ISO 32000-1, annex C, table C.1."""

SPARE_NUMBERS: Final = 100_000
"""How many object numbers must be left for what a flow adds."""

MAX_TREE_DEPTH: Final = 100
_STARTXREF: Final = re.compile(rb"startxref\s+\d+")


def check_bounds(data: bytes) -> None:
    """What every PDF has to show before a parser sees it.

    Raises: PdfError not-a-pdf, damaged.
    """
    if not data.startswith(b"%PDF-"):
        raise PdfError("not-a-pdf")
    if not _STARTXREF.search(data[-TAIL_BYTES:]):
        raise PdfError("damaged")


def open_reader(data: bytes) -> Reader:
    """A reader on an unencrypted PDF; not strict, as 18 % of real files are not.

    Raises: PdfError not-a-pdf, damaged, encrypted (also when the empty password would open it).
    """
    check_bounds(data)
    reader = Reader(BytesIO(data))
    if reader.encrypted or "/Encrypt" in reader.trailer:
        raise PdfError("encrypted")
    if not isinstance(reader.root, generic.DictionaryObject):
        raise PdfError("damaged")
    return reader


def highest_number(reader: PdfFileReader) -> int:
    """The highest object number that any cross-reference section of a document holds, whatever its /Size claims."""
    highest = max((reference.idnum for reference in reader.xrefs.xref_stream_refs), default=0)
    for revision in range(reader.xrefs.total_revisions):
        section: Any = reader.xrefs.get_xref_data(revision)
        while section is not None:
            highest = max(highest, max((number for number, _ in section.explicit_refs_in_revision), default=0))
            section = section.hybrid.xref_data if section.hybrid is not None else None
    return int(highest)


def last_number(reader: PdfFileReader) -> int:
    """The number behind which new objects are counted: that of the highest real one.

    Raises: PdfError damaged when what has to be added would get numbers that readers do not take.
    """
    highest = highest_number(reader)
    if highest > MAX_OBJECT_NUMBER - SPARE_NUMBERS:
        raise PdfError("damaged")
    return highest


class Page:
    """A page as found in the tree. ``reference`` is None for a page written directly into its parent."""

    __slots__ = ("dictionary", "reference")

    def __init__(self, dictionary: generic.DictionaryObject, reference: generic.Reference | None) -> None:
        self.dictionary = dictionary
        self.reference = reference


def walk_pages(root: Any) -> Iterator[Page]:
    """The pages in order; trusts neither /Count nor the tree: loops, depth and length are bounded.

    Raises: PdfError damaged, too-many-pages.
    """
    count = 0
    visited: set[tuple[int, int]] = set()
    stack: list[tuple[Any, int]] = [(root.raw_get("/Pages"), 0)]
    while stack:
        raw, depth = stack.pop()
        reference = raw.reference if isinstance(raw, generic.IndirectObject) else None
        node = raw.get_object()
        if depth > MAX_TREE_DEPTH or not isinstance(node, generic.DictionaryObject):
            raise PdfError("damaged")
        if reference is not None:
            if (reference.idnum, reference.generation) in visited:
                raise PdfError("damaged")
            visited.add((reference.idnum, reference.generation))
        if "/Kids" in node:
            kids = node["/Kids"]
            if not isinstance(kids, generic.ArrayObject):
                raise PdfError("damaged")
            if len(kids) > MAX_PAGES:
                raise PdfError("too-many-pages", limit=MAX_PAGES, pages=len(kids))
            stack.extend((kids.raw_get(index), depth + 1) for index in reversed(range(len(kids))))
            continue
        count += 1
        if count > MAX_PAGES:
            raise PdfError("too-many-pages", limit=MAX_PAGES, pages=count)
        yield Page(node, reference)


def all_pages(root: Any) -> list[Page]:
    """Every page of a document, at least one. Raises as `walk_pages`."""
    pages = list(walk_pages(root))
    if not pages:
        raise PdfError("damaged")
    return pages


def page_at(pages: list[Page], number: int) -> Page:
    """The page of a 1-based number. Raises: PdfError no-such-page."""
    if not 1 <= number <= len(pages):
        raise PdfError("no-such-page", page=number, pages=len(pages))
    return pages[number - 1]


def entry(dictionary: Any, key: str, default: Any = None) -> Any:
    """The value of a key with references followed; the library's own ``get`` leaves them as they are."""
    try:
        value = dictionary[key]
    except KeyError:
        return default
    return default if isinstance(value, generic.NullObject) else value


def entries(array: generic.ArrayObject) -> list[Any]:
    """The items of an array with references followed; the library's iteration leaves them as they are."""
    return [array[index] for index in range(len(array))]

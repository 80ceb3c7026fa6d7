"""Writing one more revision behind a PDF, and nothing else: what was there is neither copied nor touched."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.signers.pdf_byterange import PdfSignedData

from pdfops.errors import PdfError
from pdfops.reading import Page, last_number


class Appender(IncrementalPdfFileWriter):
    """An incremental writer that gives back only what has to be appended.

    New objects are numbered behind the highest real one. /Size is not believed: where it is too large their numbers
    would be too large for readers, where it is too small they would take the place of others.
    """

    def __init__(self, data: bytes, reader: PdfFileReader, *, notes_itself: bool = True) -> None:
        """``notes_itself``: program and time are noted in /Info and in the metadata, as usual."""
        super().__init__(reader.stream, prev=reader)
        self._lastobj_id = last_number(reader)
        self._length = len(data)
        self._notes_itself = notes_itself
        self._starts_on_new_line = data.endswith((b"\n", b"\r"))
        self.digest_aware_write = True

    def tail(self) -> bytes:
        """The new revision. Call it once, last."""
        return bytes(self._written().getvalue())

    def signed_tail(self, signature: PdfSignedData) -> bytes:
        """The new revision with the byte range of ``signature`` filled in around its empty /Contents."""
        stream = self._written()
        start, end = signature.contents.offsets
        signature.byte_range.fill_offsets(stream, start, end, stream.tell())
        return bytes(stream.getvalue())

    def add_widgets(self, pages: Iterable[Page], additions: Iterable[tuple[Page, generic.IndirectObject]]) -> None:
        """Show annotations on their pages; a list of annotations that several pages share is parted first.

        Raises: PdfError damaged for a page that cannot be referred to.
        """
        users: dict[tuple[int, int], int] = {}
        for page in pages:
            key = _list_reference(page)
            if key is not None:
                users[key] = users.get(key, 0) + 1
        for page, widget in additions:
            if page.reference is None:
                raise PdfError("damaged")
            existing: Any = page.dictionary.get("/Annots")
            listed = existing.get_object() if existing is not None else None
            key = _list_reference(page)
            if not isinstance(listed, generic.ArrayObject):
                listed = generic.ArrayObject()
                page.dictionary["/Annots"] = listed
                self.mark_update(page.reference)
            elif key is None:
                self.mark_update(page.reference)
            elif users.get(key, 0) > 1:
                listed = generic.ArrayObject(listed)
                page.dictionary["/Annots"] = listed
                users[key] -= 1
                self.mark_update(page.reference)
            else:
                self.mark_update(existing)
            listed.append(widget)

    def _update_meta(self) -> None:
        if self._notes_itself:
            super()._update_meta()  # type: ignore[no-untyped-call]  # the library's, as below

    def _write_header(self, stream: Any) -> None:
        if not self._starts_on_new_line:
            stream.write(b"\n")

    def _written(self) -> Any:
        stream: Any = _Tail(self._length)
        super().write(stream)  # type: ignore[no-untyped-call]  # the library's
        return stream


class _Tail(BytesIO):
    """A stream that counts from ``base``, so that offsets are those of the whole file while only the tail is kept."""

    def __init__(self, base: int) -> None:
        super().__init__()
        self._base = base

    def tell(self) -> int:
        return super().tell() + self._base

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return super().seek(offset - self._base if whence == 0 else offset, whence) + self._base


def _list_reference(page: Page) -> tuple[int, int] | None:
    """Which object holds a page's annotations, if it is one of its own."""
    raw = page.dictionary.get("/Annots")
    return (raw.idnum, raw.generation) if isinstance(raw, generic.IndirectObject) else None

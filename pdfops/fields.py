"""Prepare: every signature field and every further stamp place goes in before the first signature.

A signatory's revision then only fills in what exists. Fields or annotations added later would make readers call the
earlier signatures altered. In a document that others have already signed only signature fields may still be added, and
in one that we are about to certify only signing is allowed for certain: there every place becomes a signature field,
and sealing signs each of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name, pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from pdfops.appending import Appender
from pdfops.archive import rules_of
from pdfops.errors import PdfError
from pdfops.form import shows_its_values
from pdfops.geometry import PageGeometry, from_fractions, page_geometry, to_user_space
from pdfops.permissions import check_permissions, form_fields, signature_fields
from pdfops.reading import Page, all_pages, entries, entry, open_reader, page_at
from pdfops.structure import tag
from pdfops.xfa import check_xfa

MILLION: Final = 1_000_000
MAX_PLACES: Final = 2_000
FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

CERTIFICATION: Final = "Certification"
BUTTON_STATE: Final = "/Stamp"
"""What a button shows in a document that claims PDF/A, where its appearances have names."""

PRINT_AND_LOCKED: Final = 4 | 128
READ_ONLY_PUSHBUTTON: Final = 1 | 65536
SIGNATURES_EXIST_APPEND_ONLY: Final = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where one stamp of one recipient goes.

    Units: ``page`` is 1-based; x, y, w, h are millionths of the displayed page, from its top left. ``field`` is the
    form field's name: letters, digits, ``_`` and ``-``.
    """

    field: str
    recipient: str
    page: int
    x: int
    y: int
    w: int
    h: int
    with_text: bool = False

    def __post_init__(self) -> None:
        if not FIELD_NAME.fullmatch(self.field):
            raise ValueError(f"not a field name: {self.field!r}")


def prepare(data: bytes, places: Sequence[Place], certification: str | None = None) -> bytes:
    """Append one revision that holds a field for every place; the document looks as it did before.

    The first place of each recipient becomes his signature field, the others buttons that show his stamp later. In a
    document that is already signed, or is to be certified, all of them become signature fields (see the module).
    ``certification`` is the name of one more signature field, without a place, for a seal that certifies.

    Each has a tooltip, which screen readers say: "Signature 2" is the second recipient's, "Signature 2 (3)" his third.

    Raises: PdfError not-a-pdf, damaged, encrypted, certified, already-signed, xfa-form, too-many-pages, no-such-page,
    outside-page (both with ``field``), field-taken.
    """
    if not places or len(places) > MAX_PLACES:
        raise ValueError("between 1 and 2,000 places are needed")
    names = [place.field for place in places] + ([certification] if certification is not None else [])
    if not all(FIELD_NAME.fullmatch(name) for name in names):
        raise ValueError("not a field name")
    if len(set(names)) != len(names):
        raise ValueError("two places have the same field name")
    reader = open_reader(data)
    rules = rules_of(reader.root)
    writer = Appender(data, reader, notes_itself=not rules.is_archive)
    check_permissions(writer, names)
    pages = all_pages(writer.root)
    is_signed = any(signature is not None for _name, signature, _field in signature_fields(writer))
    if is_signed and certification is not None:
        raise PdfError("already-signed")
    only_signatures = is_signed or certification is not None
    listed = form_list(writer, frozenset(names), is_signed=is_signed)
    empty = empty_appearance(writer)
    seen: dict[str, int] = {}
    widgets: list[tuple[Page, generic.IndirectObject]] = []

    def add(page: Page, name: str, told: str, rectangle: generic.ArrayObject, *, is_signature: bool) -> None:
        widget = widget_for(name, told, rectangle, page, empty)
        if is_signature:
            widget["/FT"] = pdf_name("/Sig")
        else:
            _make_button(widget, has_states=rules.is_archive)
        field = writer.add_object(widget)
        listed.append(field)
        widgets.append((page, field))

    if certification is not None:
        add(pages[0], certification, CERTIFICATION, _numbers(0, 0, 0, 0), is_signature=True)
    people = {recipient: n for n, recipient in enumerate(dict.fromkeys(place.recipient for place in places), start=1)}
    for place in places:
        page = page_at(pages, place.page)
        number = seen[place.recipient] = seen.get(place.recipient, 0) + 1
        rectangle = _rectangle(place, page_geometry(page.dictionary))
        told = f"Signature {people[place.recipient]}" + (f" ({number})" if number > 1 else "")
        add(page, place.field, told, rectangle, is_signature=only_signatures or number == 1)
    writer.add_widgets(pages, widgets)
    writer.update_container(listed)
    if not is_signed:
        tag(writer, widgets)
    return b"".join((data, writer.tail()))


def _rectangle(place: Place, geometry: PageGeometry) -> generic.ArrayObject:
    try:
        box = from_fractions(place.x / MILLION, place.y / MILLION, place.w / MILLION, place.h / MILLION, geometry)
    except PdfError as error:
        raise PdfError(error.code, field=place.field) from error
    return _numbers(*(round(value, 3) for value in to_user_space(box, geometry)))


def _numbers(*values: float) -> generic.ArrayObject:
    return generic.ArrayObject(map(generic.FloatObject, values))


def widget_for(
    name: str, told: str, rectangle: generic.ArrayObject, page: Page, empty: generic.IndirectObject
) -> generic.DictionaryObject:
    """Field and annotation in one dictionary, with an appearance that draws nothing."""
    field = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/Widget"),
            pdf_name("/T"): pdf_string(name),
            pdf_name("/TU"): pdf_string(told),
            pdf_name("/F"): generic.NumberObject(PRINT_AND_LOCKED),
            pdf_name("/Rect"): rectangle,
            pdf_name("/AP"): generic.DictionaryObject({pdf_name("/N"): empty}),
        }
    )
    if page.reference is not None:
        field["/P"] = generic.IndirectObject(page.reference.idnum, page.reference.generation, page.reference.pdf)
    return field


def _make_button(widget: generic.DictionaryObject, *, has_states: bool) -> None:
    widget["/FT"] = pdf_name("/Btn")
    widget["/Ff"] = generic.NumberObject(READ_ONLY_PUSHBUTTON)
    if has_states:
        show(widget, widget["/AP"].raw_get("/N"), BUTTON_STATE)


def show(widget: generic.DictionaryObject, appearance: generic.IndirectObject, state: str | None = None) -> None:
    """Give a widget its only appearance: under the name of ``state``, or of the state that it has."""
    state = state or entry(widget, "/AS")
    if state is not None:
        widget["/AS"] = pdf_name(state)
        named = generic.DictionaryObject({pdf_name(state): appearance})
        widget["/AP"] = generic.DictionaryObject({pdf_name("/N"): named})
    else:
        widget["/AP"] = generic.DictionaryObject({pdf_name("/N"): appearance})


def empty_appearance(writer: IncrementalPdfFileWriter) -> generic.IndirectObject:
    stream = generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 1, 1))),
        },
        stream_data=b"",
    )
    return writer.add_object(stream)


def form_list(writer: IncrementalPdfFileWriter, names: frozenset[str], *, is_signed: bool) -> generic.ArrayObject:
    """The form's list of fields, made if it is missing; flagged as append-only.

    What tells readers to draw all fields anew goes, as they would draw over what was signed; unless fields would lose
    what they show, or somebody signed with it. Of XFA see `pdfops.xfa`.

    Raises: PdfError field-taken, damaged, xfa-form.
    """
    root = writer.root
    has_xfa = check_xfa(root, is_signed=is_signed)
    form: Any = entry(root, "/AcroForm")
    if form is None:
        form = generic.DictionaryObject({pdf_name("/Fields"): generic.ArrayObject()})
        root["/AcroForm"] = writer.add_object(form)
        writer.update_root()
    fields = form_fields(root)
    if fields is None:
        fields = form["/Fields"] = generic.ArrayObject()
    if entry(form, "/SigFlags") != SIGNATURES_EXIST_APPEND_ONLY:
        form["/SigFlags"] = generic.NumberObject(SIGNATURES_EXIST_APPEND_ONLY)
    if "/NeedAppearances" in form and not is_signed and shows_its_values(root):
        del form["/NeedAppearances"]
    if has_xfa:
        del form["/XFA"]
    for field in entries(fields):
        taken = entry(field, "/T") if isinstance(field, generic.DictionaryObject) else None
        if isinstance(taken, str) and taken in names:
            raise PdfError("field-taken", field=str(taken))
    writer.update_container(form)
    return fields

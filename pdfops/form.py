"""A document's form as one revision has it: each field by its full name, with what it holds and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pyhanko.pdf_utils import generic

from pdfops.history import View
from pdfops.reading import entries, entry

MAX_FIELDS: Final = 10_000
MAX_DEPTH: Final = 50
GOVERNING: Final = ("/AS", "/F", "/DA", "/Q", "/Rect", "/MK", "/BS")
"""What decides, besides its appearance, whether and how a widget is seen."""


@dataclass(frozen=True, slots=True)
class Field:
    value: Any
    look: Any
    """What its widgets show, and the entries that govern it."""
    is_signature: bool


def fields_of(root: Any) -> dict[str, Field]:
    """Every terminal field by its full name."""
    form = entry(root, "/AcroForm")
    listed = entry(form, "/Fields") if isinstance(form, generic.DictionaryObject) else None
    found: dict[str, Field] = {}
    waiting: list[tuple[str, Any, Any, int]] = [("", listed, None, 0)]
    while waiting:
        prefix, fields, kind, depth = waiting.pop()
        if not isinstance(fields, generic.ArrayObject) or depth > MAX_DEPTH:
            continue
        for field in entries(fields):
            if not isinstance(field, generic.DictionaryObject) or len(found) > MAX_FIELDS:
                continue
            part = entry(field, "/T")
            name = ".".join(piece for piece in (prefix, str(part) if part is not None else "") if piece)
            own_kind = entry(field, "/FT", kind)
            kids = entry(field, "/Kids")
            is_parent = isinstance(kids, generic.ArrayObject) and any(
                isinstance(kid, generic.DictionaryObject) and "/T" in kid for kid in entries(kids)
            )
            if is_parent:
                waiting.append((name, kids, own_kind, depth + 1))
            else:
                found.setdefault(name, _field(field, kids, own_kind))
    return found


def shows_its_values(root: Any) -> bool:
    """Whether each field that holds a value has appearances, so that no reader has to make them."""
    return not any(
        field.value not in (None, b"", "") and None in field.look[0]
        for field in fields_of(root).values()
        if not field.is_signature
    )


def _field(field: generic.DictionaryObject, kids: Any, kind: Any) -> Field:
    is_signature = kind == "/Sig"
    value = plain(raw_entry(field, "/V") if is_signature else entry(field, "/V"))
    below = entries(kids) if isinstance(kids, generic.ArrayObject) else []
    widgets = [field, *(kid for kid in below if isinstance(kid, generic.DictionaryObject))]
    governing = [plain(raw_entry(widget, key)) for widget in widgets for key in GOVERNING]
    return Field(value, ([_look(widget) for widget in widgets], governing), is_signature)


def _look(widget: generic.DictionaryObject) -> Any:
    """What a widget shows in its normal states."""
    appearances = entry(widget, "/AP")
    normal = entry(appearances, "/N") if isinstance(appearances, generic.DictionaryObject) else None
    if isinstance(normal, generic.DictionaryObject) and not isinstance(normal, generic.StreamObject):
        return {str(state): plain(entry(normal, state)) for state in normal}
    return plain(normal)


def form_of(view: View) -> Any:
    """The form but for its list of fields and what says that there are signatures; None without one."""
    form = entry(view.root, "/AcroForm")
    found = plain(form) if isinstance(form, generic.DictionaryObject) else None
    if not isinstance(found, dict):
        return None
    return {key: value for key, value in found.items() if key not in ("/Fields", "/SigFlags")}


def raw_entry(dictionary: Any, key: str) -> Any:
    """The value of a key, references left as they are."""
    return dictionary.raw_get(key) if key in dictionary else None


def plain(value: Any, depth: int = 0) -> Any:
    """A value that can be compared, references as they are; streams by their bytes."""
    if depth > MAX_DEPTH:
        return "deep"
    if isinstance(value, generic.IndirectObject):
        return ("ref", value.idnum, value.generation)
    if isinstance(value, generic.DictionaryObject):
        own = {str(key): plain(value.raw_get(key), depth + 1) for key in value}
        return (own, bytes(value.encoded_data)) if isinstance(value, generic.StreamObject) else own
    if isinstance(value, generic.ArrayObject):
        return [plain(value.raw_get(index), depth + 1) for index in range(len(value))]
    if value is None or isinstance(value, generic.NullObject):
        return None
    original = getattr(value, "original_bytes", None)
    return bytes(original) if isinstance(original, bytes) else str(value)

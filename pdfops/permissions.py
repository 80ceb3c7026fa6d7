"""What the signatures in a document still allow. The library ignores all of it when it writes: we check first.

A certification (DocMDP) refuses new fields whatever its level: P=1 forbids every change, and under P=2 and P=3 a new
visible field is taken for an alteration by strict validators. Under P=2 and P=3 signature fields that are there
already, and empty, may be signed: that is how a document that we certified ourselves goes on. A field lock (FieldMDP)
refuses us when it covers our fields: "all", "all but", or one that names them.

Source: ISO 32000-2, 12.8.2.2 (DocMDP), 12.8.2.4 (FieldMDP), 12.7.5.5 (signature field lock dictionary).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import enumerate_sig_fields

from pdfops.errors import PdfError
from pdfops.reading import entries, entry

MAX_FIELDS: Final = 10_000
NO_CHANGES: Final = 1
FILLING_IN: Final = 2
"""Levels of /P: nothing may change; forms may be filled in and signed."""


def signature_fields(handler: Any) -> Iterator[tuple[str, generic.DictionaryObject | None, generic.DictionaryObject]]:
    """(full name, signature dictionary or None, field) of every signature field, in the form's order."""
    root = handler.root
    form = entry(root, "/AcroForm")
    if not isinstance(form, generic.DictionaryObject) or not isinstance(entry(form, "/Fields"), generic.ArrayObject):
        return
    for seen, (name, value, reference) in enumerate(enumerate_sig_fields(handler)):
        if seen >= MAX_FIELDS:
            raise PdfError("damaged")
        field = reference.get_object()
        if not isinstance(field, generic.DictionaryObject):
            raise PdfError("damaged")
        filled = value.get_object() if value is not None else None
        yield str(name), filled if isinstance(filled, generic.DictionaryObject) else None, field


def form_fields(root: Any) -> generic.ArrayObject | None:
    """The form's list of fields; None for a document without one. Raises: PdfError damaged for anything else there."""
    form = entry(root, "/AcroForm")
    if form is None:
        return None
    if not isinstance(form, generic.DictionaryObject):
        raise PdfError("damaged")
    fields = entry(form, "/Fields")
    if fields is not None and (not isinstance(fields, generic.ArrayObject) or len(fields) > MAX_FIELDS):
        raise PdfError("damaged")
    return fields


def check_permissions(handler: Any, field_names: Iterable[str] | None = None, *, are_there: bool = False) -> None:
    """Refuse a document whose signatures forbid what we would do.

    ``field_names`` are the fields to be added and filled in, or to be filled in only where they ``are_there`` already;
    None asks only whether any document of ours could do it: then a lock of every field refuses, a lock of named
    fields does not.

    Raises: PdfError certified, with ``permission`` (1 to 3) for a certification or ``field`` for a lock.
    """
    names = None if field_names is None else tuple(field_names)
    fields = list(signature_fields(handler))
    empty = {name for name, signature, _field in fields if signature is None}
    only_signs = are_there and names is not None and empty.issuperset(names)

    def certified(permission: int) -> None:
        if permission == NO_CHANGES or not only_signs:
            raise PdfError("certified", permission=permission)

    permission = _certification(handler.root)
    if permission is not None:
        certified(permission)
    for name, signature, field in fields:
        if signature is None:
            continue
        for transform, parameters in _transforms(signature, field):
            if transform == "/DocMDP":
                certified(_level(parameters))
                continue
            if _locks(parameters, names):
                raise PdfError("certified", field=name)
            if isinstance(entry(parameters, "/P"), int):
                certified(_level(parameters))


def certify(writer: IncrementalPdfFileWriter, signature: generic.DictionaryObject, reference: Any) -> None:
    """Make a new signature the document's certification: from now on only fields that exist are filled in and signed.

    Without /DigestMethod and its kin, which PDF/A forbids beside a certification.

    Source: ISO 32000-2, 12.8.2.2.1 and 12.8.6; ISO 19005-2, 6.1.12.
    """
    parameters = {
        pdf_name("/Type"): pdf_name("/TransformParams"),
        pdf_name("/P"): generic.NumberObject(FILLING_IN),
        pdf_name("/V"): pdf_name("/1.2"),
    }
    transform = {
        pdf_name("/Type"): pdf_name("/SigRef"),
        pdf_name("/TransformMethod"): pdf_name("/DocMDP"),
        pdf_name("/TransformParams"): generic.DictionaryObject(parameters),
    }
    signature["/Reference"] = generic.ArrayObject([generic.DictionaryObject(transform)])
    root = writer.root
    permissions: Any = entry(root, "/Perms")
    if not isinstance(permissions, generic.DictionaryObject):
        permissions = root["/Perms"] = generic.DictionaryObject()
    permissions["/DocMDP"] = reference
    writer.update_container(permissions)
    writer.update_root()


def _certification(root: Any) -> int | None:
    permissions = entry(root, "/Perms")
    signature = entry(permissions, "/DocMDP") if isinstance(permissions, generic.DictionaryObject) else None
    if not isinstance(signature, generic.DictionaryObject):
        return None
    for transform, parameters in _references(signature):
        if transform == "/DocMDP":
            return _level(parameters)
    return 2


def _level(parameters: generic.DictionaryObject) -> int:
    level = entry(parameters, "/P", 2)
    return int(level) if isinstance(level, int) and 1 <= level <= 3 else 1


def _references(signature: generic.DictionaryObject) -> Iterator[tuple[str, generic.DictionaryObject]]:
    references = entry(signature, "/Reference")
    if not isinstance(references, generic.ArrayObject):
        return
    for reference in entries(references):
        if not isinstance(reference, generic.DictionaryObject):
            continue
        parameters = entry(reference, "/TransformParams")
        if not isinstance(parameters, generic.DictionaryObject):
            parameters = generic.DictionaryObject()
        yield str(entry(reference, "/TransformMethod")), parameters


def _transforms(
    signature: generic.DictionaryObject, field: generic.DictionaryObject
) -> Iterator[tuple[str, generic.DictionaryObject]]:
    for transform, parameters in _references(signature):
        if transform in ("/DocMDP", "/FieldMDP"):
            yield transform, parameters
    lock = entry(field, "/Lock")
    if isinstance(lock, generic.DictionaryObject):
        yield "/FieldMDP", lock


def _locks(parameters: generic.DictionaryObject, names: tuple[str, ...] | None) -> bool:
    """Whether a FieldMDP or lock dictionary covers a field of ours. An action we do not know covers everything."""
    action = entry(parameters, "/Action")
    if action == "/All":
        return True
    listed = entry(parameters, "/Fields")
    fields = tuple(str(item) for item in entries(listed)) if isinstance(listed, generic.ArrayObject) else ()

    def covered(name: str) -> bool:
        return any(name == field or name.startswith(field + ".") for field in fields)

    if action == "/Include":
        return names is not None and any(covered(name) for name in names)
    if action == "/Exclude":
        return names is None or not all(covered(name) for name in names)
    return True

"""What a PDF is, and whether it can take part in a flow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import pypdf
from asn1crypto import cms, x509
from pyhanko.pdf_utils import generic

from pdfops.errors import PdfError
from pdfops.geometry import page_geometry
from pdfops.permissions import check_permissions, form_fields, signature_fields
from pdfops.reading import all_pages, entry, last_number, open_reader
from pdfops.text import shown_name
from pdfops.xfa import check_xfa

SAME_PT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Inspection:
    """Facts about one PDF.

    ``page_sizes_pt`` are width and height as displayed, in page order. ``signers`` holds one name for each existing
    signature, in the form's order: what the certificate calls its holder, else the name the signature claims, else "".
    Both are claims, not verdicts.
    """

    pages: int
    page_sizes_pt: tuple[tuple[float, float], ...]
    signatures: int
    signers: tuple[str, ...]
    sha256: str
    size_bytes: int
    has_form: bool


def inspect(data: bytes) -> Inspection:
    """Read what has to be known before a PDF is accepted.

    Two independent parsers read the pages; a document that shows one other pages than the other is refused, since
    nobody could say what was signed.

    Raises: PdfError not-a-pdf, damaged, encrypted, certified, xfa-form, too-many-pages, unrenderable (a page without
    visible area; whether the others can be drawn is asked of `preview.check_renders`). Parsers raise more than that
    on hostile input: run it in a `pdfops.sandbox.Workshop`.
    """
    reader = open_reader(data)
    sizes = []
    unseen = None
    for number, page in enumerate(all_pages(reader.root), start=1):
        geometry = page_geometry(page.dictionary)
        if unseen is None and not geometry.is_visible:
            unseen = number
        sizes.append((round(geometry.width_pt, 3), round(geometry.height_pt, 3)))
    if not _agrees(_second_reading(data), sizes):
        raise PdfError("damaged")
    if unseen is not None:
        raise PdfError("unrenderable", page=unseen)
    last_number(reader)
    form_fields(reader.root)
    check_permissions(reader)
    signers = tuple(
        signer_name(signature) for _name, signature, _field in signature_fields(reader) if signature is not None
    )
    check_xfa(reader.root, is_signed=bool(signers))
    return Inspection(
        pages=len(sizes),
        page_sizes_pt=tuple(sizes),
        signatures=len(signers),
        signers=signers,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        has_form=_has_form(reader.root),
    )


def _second_reading(data: bytes) -> list[tuple[float, float]] | None:
    """The page sizes as pypdf sees them; None where it cannot read the file."""
    try:
        found = [page_geometry(page) for page in pypdf.PdfReader(BytesIO(data), strict=False).pages]
        return [(geometry.width_pt, geometry.height_pt) for geometry in found]
    except (MemoryError, RecursionError):
        raise
    except Exception:
        # It refuses some files that others show and sign: no opinion then.
        return None


def _agrees(second: list[tuple[float, float]] | None, first: list[tuple[float, float]]) -> bool:
    if second is None:
        return True
    return len(first) == len(second) and all(
        abs(here - there) <= SAME_PT
        for one, other in zip(first, second, strict=True)
        for here, there in zip(one, other, strict=True)
    )


def certificate_name(certificate: x509.Certificate) -> str:
    """What a certificate calls its holder: common name, else organisation, else the whole subject."""
    native = certificate.subject.native
    for attribute in ("common_name", "organization_name"):
        name = native.get(attribute)
        if isinstance(name, list):
            name = name[0]
        if isinstance(name, str) and name.strip():
            return shown_name(name)
    return shown_name(str(certificate.subject.human_friendly))


def signer_name(signature: generic.DictionaryObject) -> str:
    """Whom a signature dictionary names, by its certificate if that can be read. Never raises: "" is unknown."""
    try:
        contents = signature["/Contents"]
        signed_data = cms.ContentInfo.load(bytes(contents), strict=False)["content"]
        sid = signed_data["signer_infos"][0]["sid"]
        for choice in signed_data["certificates"]:
            certificate = choice.chosen
            if sid.name == "issuer_and_serial_number" and (
                certificate.serial_number != sid.chosen["serial_number"].native
                or certificate.issuer != sid.chosen["issuer"]
            ):
                continue
            return certificate_name(certificate)
    except Exception:
        # Foreign DER: anything can be raised, and a name is only for show.
        return claimed_name(signature)
    return claimed_name(signature)


def claimed_name(signature: generic.DictionaryObject) -> str:
    """What a signature's dictionary says of itself (/Name): no more than a claim of whoever signed. "": nothing."""
    name = entry(signature, "/Name")
    return shown_name(str(name)) if isinstance(name, str) else ""


def _has_form(root: Any) -> bool:
    form = entry(root, "/AcroForm")
    if not isinstance(form, generic.DictionaryObject):
        return False
    fields = entry(form, "/Fields")
    return "/XFA" in form or (isinstance(fields, generic.ArrayObject) and len(fields) > 0)

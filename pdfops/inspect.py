"""What a PDF is, and whether it can take part in a flow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from asn1crypto import cms, x509
from pyhanko.pdf_utils import generic

from pdfops.geometry import page_geometry
from pdfops.permissions import check_permissions, signature_fields
from pdfops.reading import all_pages, entry, open_reader
from pdfops.text import shown_name


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

    Raises: PdfError not-a-pdf, damaged, encrypted, certified, too-many-pages. Parsers raise more than that on hostile
    input: run it in a `pdfops.sandbox.Workshop`.
    """
    reader = open_reader(data)
    sizes = []
    for page in all_pages(reader.root):
        geometry = page_geometry(page.dictionary)
        sizes.append((round(geometry.width_pt, 3), round(geometry.height_pt, 3)))
    check_permissions(reader)
    signers = tuple(
        signer_name(signature) for _name, signature, _field in signature_fields(reader) if signature is not None
    )
    return Inspection(
        pages=len(sizes),
        page_sizes_pt=tuple(sizes),
        signatures=len(signers),
        signers=signers,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        has_form=_has_form(reader.root),
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
        return _claimed_name(signature)
    return _claimed_name(signature)


def _claimed_name(signature: generic.DictionaryObject) -> str:
    name = entry(signature, "/Name")
    return shown_name(str(name)) if isinstance(name, str) else ""


def _has_form(root: Any) -> bool:
    form = entry(root, "/AcroForm")
    if not isinstance(form, generic.DictionaryObject):
        return False
    fields = entry(form, "/Fields")
    return "/XFA" in form or (isinstance(fields, generic.ArrayObject) and len(fields) > 0)

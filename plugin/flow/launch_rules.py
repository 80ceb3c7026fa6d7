"""What must hold for a flow to be launched. Each refusal names the field as it was sent."""

from __future__ import annotations

from plugin.flow.commands import Launch
from plugin.flow.errors import Invalid, NotAvailableYet
from plugin.flow.events import PinnedDocument
from plugin.flow.model import (
    MILLION,
    MIN_STAMP_HEIGHT_PT,
    MIN_STAMP_WIDTH_PT,
    Kind,
    PageSize,
    Placement,
    Role,
)

MAX_RECIPIENTS = 200
MAX_DOCUMENTS = 50

_ROUNDING_PT = 0.05
"""A box drawn exactly at the smallest size must survive the way through millionths of a page."""


def check_launch(command: Launch) -> None:
    """Raises: Invalid, NotAvailableYet."""
    if command.kind not in (Kind.VALIDATION, Kind.SIGNATURE):
        raise NotAvailableYet("kind")
    _check_documents(command)
    _check_recipients(command)
    if command.kind is Kind.VALIDATION:
        if command.placements:
            raise Invalid("placements", "no-stamps-in-a-validation")
        return
    for number, placement in enumerate(command.placements):
        _check_placement(command, number, placement)
    _check_complete(command)


def _check_documents(command: Launch) -> None:
    if not command.documents:
        raise Invalid("documents", "no-documents")
    if len(command.documents) > MAX_DOCUMENTS:
        raise Invalid("documents", "too-many-documents", limit=MAX_DOCUMENTS)
    seen: set[str] = set()
    for number, document in enumerate(command.documents):
        if document.file_id in seen:
            raise Invalid(f"documents[{number}].file_id", "duplicate-document")
        seen.add(document.file_id)


def _check_recipients(command: Launch) -> None:
    recipients = command.recipients
    if not recipients:
        raise Invalid("recipients", "no-recipients")
    if len(recipients) > MAX_RECIPIENTS:
        raise Invalid("recipients", "too-many-recipients", limit=MAX_RECIPIENTS)
    seen: set[tuple[str, str]] = set()
    signatory_came = False
    for number, recipient in enumerate(recipients):
        if recipient.role is Role.OBSERVER:
            raise NotAvailableYet(f"recipients[{number}].role")
        if command.kind is Kind.VALIDATION and recipient.role is not Role.VALIDATOR:
            raise Invalid(f"recipients[{number}].role", "role-does-not-fit")
        if recipient.role is Role.VALIDATOR and signatory_came:
            raise Invalid(f"recipients[{number}].role", "validator-after-signatory")
        signatory_came = signatory_came or recipient.role is Role.SIGNATORY
        keys = [
            (what, (value.value or "").casefold())
            for what, value in (("user", recipient.user), ("email", recipient.email))
            if value is not None
        ]
        for what, key in keys:
            if (what, key) in seen:
                path = f"recipients[{number}].{'user' if recipient.user is not None else 'email'}"
                raise Invalid(path, "duplicate-recipient")
        seen.update(keys)
    if command.kind is Kind.SIGNATURE and not signatory_came:
        raise Invalid("recipients", "no-signatory")


def _check_placement(command: Launch, number: int, placement: Placement) -> None:
    at = f"placements[{number}]"
    document = command.documents[placement.document]
    if document.pages is None or not 1 <= placement.page <= document.pages:
        raise Invalid(f"{at}.page", "no-such-page", pages=document.pages or 0)
    if min(placement.x, placement.y) < 0 or placement.w <= 0 or placement.h <= 0:
        raise Invalid(f"{at}.box", "outside-page")
    if placement.x + placement.w > MILLION or placement.y + placement.h > MILLION:
        raise Invalid(f"{at}.box", "outside-page")
    width_pt, height_pt = page_size_pt(document, placement.page)
    too_narrow = placement.w * width_pt / MILLION < MIN_STAMP_WIDTH_PT - _ROUNDING_PT
    if too_narrow or placement.h * height_pt / MILLION < MIN_STAMP_HEIGHT_PT - _ROUNDING_PT:
        raise Invalid(
            f"{at}.box", "stamp-too-small", width_pt=int(MIN_STAMP_WIDTH_PT), height_pt=int(MIN_STAMP_HEIGHT_PT)
        )
    role = next(r.role for r in command.recipients if r.id == placement.recipient)
    if role is not Role.SIGNATORY:
        raise Invalid(f"{at}.recipient", "stamp-for-non-signatory")


def page_size_pt(document: PinnedDocument, page: int) -> tuple[float, float]:
    """Shape: (width, height) of the displayed page, in points."""
    fitting: PageSize = document.page_sizes[0]
    for size in document.page_sizes:
        if size.page <= page:
            fitting = size
    return fitting.width_mpt / 1000, fitting.height_mpt / 1000


def _check_complete(command: Launch) -> None:
    """Every signatory has at least one stamp in every document."""
    placed = {(p.document, p.recipient) for p in command.placements}
    for number, recipient in enumerate(command.recipients):
        if recipient.role is not Role.SIGNATORY:
            continue
        for document in command.documents:
            if (document.n, recipient.id) not in placed:
                raise Invalid("placements", "stamp-missing", document=document.n, recipient=number)

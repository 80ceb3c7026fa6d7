"""What must hold for a flow to be launched. Each refusal names the field as it was sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from plugin.flow.commands import Launch
from plugin.flow.errors import Invalid, NotAvailableYet
from plugin.flow.events import AskedRecipient, PinnedDocument
from plugin.flow.model import (
    MILLION,
    MIN_STAMP_HEIGHT_PT,
    MIN_STAMP_WIDTH_PT,
    Kind,
    PageSize,
    Placement,
    Role,
    SaveMode,
)
from plugin.flow.times import instant

MAX_RECIPIENTS = 200
MAX_DOCUMENTS = 50
MAX_REMIND_EVERY_DAYS = 90
MAX_AHEAD = timedelta(days=5 * 366)

_ROUNDING_PT = 0.05
"""A box drawn exactly at the smallest size must survive the way through millionths of a page."""


def check_launch(command: Launch, now: datetime) -> None:
    """Raises: Invalid, NotAvailableYet."""
    if command.kind not in (Kind.VALIDATION, Kind.SIGNATURE):
        raise NotAvailableYet("kind")
    _check_documents(command)
    _check_recipients(command)
    _check_steps(command)
    if command.expires_at is not None:
        check_deadline(command.expires_at, now)
    every = command.remind_every_days
    if every is not None and not 1 <= every <= MAX_REMIND_EVERY_DAYS:
        raise Invalid("remind_every", "out-of-range", least=1, most=MAX_REMIND_EVERY_DAYS)
    if command.kind is Kind.VALIDATION:
        if command.placements:
            raise Invalid("placements", "no-stamps-in-a-validation")
        if command.save.mode is SaveMode.VERSION:
            raise Invalid("save.mode", "no-version-of-a-validation")
        return
    for number, placement in enumerate(command.placements):
        _check_placement(command, number, placement)
    _check_complete(command)


def check_deadline(expires_at: datetime, now: datetime) -> None:
    """Raises: Invalid in-the-past, too-far."""
    if expires_at <= now:
        raise Invalid("expires_at", "in-the-past")
    if expires_at > now + MAX_AHEAD:
        raise Invalid("expires_at", "too-far", latest=instant(now + MAX_AHEAD))


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
    for number, recipient in enumerate(recipients):
        if command.kind is Kind.VALIDATION and recipient.role is Role.SIGNATORY:
            raise Invalid(f"recipients[{number}].role", "role-does-not-fit")
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
    roles = {recipient.role for recipient in recipients}
    if command.kind is Kind.SIGNATURE and Role.SIGNATORY not in roles:
        raise Invalid("recipients", "no-signatory")
    if roles == {Role.OBSERVER}:
        raise Invalid("recipients", "only-observers")


def _check_steps(command: Launch) -> None:
    """Each who acts is in one step; validators come before signatories, except after a creator who signs first."""
    numbers = {r.id: number for number, r in enumerate(command.recipients)}
    by_id = {r.id: r for r in command.recipients}
    signatory_came = False
    for position, step in enumerate(command.steps):
        roles = {by_id[r].role for r in step.recipients}
        first = f"recipients[{numbers[step.recipients[0]]}].role"
        if len(roles) > 1:
            raise Invalid(first, "mixed-step")
        if Role.VALIDATOR in roles and signatory_came:
            raise Invalid(first, "validator-after-signatory")
        signs_first = position == 0 and len(step.recipients) == 1 and _is_creator(command, by_id[step.recipients[0]])
        signatory_came = signatory_came or (Role.SIGNATORY in roles and not signs_first)
        if step.rule not in ("all", "any", "n"):
            raise Invalid(f"steps[{position}].rule")
        if step.rule == "n" and not 1 <= (step.n or 0) <= len(step.recipients):
            raise Invalid(f"steps[{position}].rule", "more-than-there-are", most=len(step.recipients))
    acting = sorted(r.id for r in command.recipients if r.role is not Role.OBSERVER)
    if sorted(r for step in command.steps for r in step.recipients) != acting:
        raise ValueError("each who acts is in one step")


def _is_creator(command: Launch, recipient: AskedRecipient) -> bool:
    return recipient.user is not None and recipient.user.value == command.creator.user.value


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

"""A launch request as an order for the action: what is not built yet is named, addresses are checked."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from plugin.actions.launch import Asked, Order, Spot
from plugin.flow.errors import Invalid, NotAvailableYet
from plugin.flow.model import Kind, Role
from plugin.web.schemas import LaunchRequest, RecipientIn


def order_of(asked: LaunchRequest, creator: str, time_zone: str, request: str, request_key: str | None) -> Order:
    """Raises: Invalid, NotAvailableYet; each names the field."""
    _check_built(asked, time_zone)
    return Order(
        kind=Kind(asked.kind),
        title=asked.title,
        file_ids=[document.file_id for document in asked.documents],
        recipients=[_asked(number, recipient) for number, recipient in enumerate(asked.recipients)],
        spots=[
            Spot(
                document=p.document,
                page=p.page,
                recipient=p.recipient if isinstance(p.recipient, int) else _not_me(number),
                x=p.box.x,
                y=p.box.y,
                w=p.box.w,
                h=p.box.h,
                with_text=p.with_text,
                reason=p.reason,
            )
            for number, p in enumerate(asked.placements)
        ],
        comment=asked.comment,
        copy_to_all=asked.copy_to_all,
        time_zone=asked.time_zone,
        request=request,
        request_key=request_key,
    )


def _not_me(number: int) -> int:
    raise Invalid(f"placements[{number}].recipient", "no-such-recipient")


def _check_built(asked: LaunchRequest, time_zone: str) -> None:
    if asked.kind not in ("validation", "signature"):
        raise NotAvailableYet("kind")
    later = {
        "add_me": asked.add_me,
        "allow_delegation": asked.allow_delegation,
        "copy_emails": bool(asked.copy_emails),
        "expires_at": asked.expires_at is not None,
        "remind_every": asked.remind_every is not None,
        "time_zone": asked.time_zone is not None and asked.time_zone != time_zone,
        "save": asked.save is not None and (asked.save.mode != "beside" or asked.save.folder is not None),
    }
    for path, differs in later.items():
        if differs:
            raise NotAvailableYet(path)
    for number, step in enumerate(asked.steps or []):
        if step.rule != "all":
            raise NotAvailableYet(f"steps[{number}].rule")
    last = -1
    for number, recipient in enumerate(asked.recipients):
        if recipient.phone is not None:
            raise NotAvailableYet(f"recipients[{number}].phone")
        if recipient.role == "observer":
            raise NotAvailableYet(f"recipients[{number}].role")
        if recipient.step is not None:
            if recipient.step <= last:
                raise NotAvailableYet(f"recipients[{number}].step")
            last = recipient.step


def _asked(number: int, recipient: RecipientIn) -> Asked:
    at = f"recipients[{number}]"
    if (recipient.user is None) == (recipient.email is None):
        raise Invalid(at, "user-or-email")
    email = None
    if recipient.email is not None:
        try:
            email = validate_email(recipient.email, check_deliverability=False, test_environment=True).normalized
        except EmailNotValidError as error:
            raise Invalid(f"{at}.email", "bad-email") from error
        if "." not in email.rpartition("@")[2]:
            raise Invalid(f"{at}.email", "bad-email")
    return Asked(
        user=recipient.user,
        email=email,
        first_name=recipient.first_name,
        last_name=recipient.last_name,
        language=recipient.language,
        role=Role(recipient.role) if recipient.role else None,
        comment=recipient.comment,
    )

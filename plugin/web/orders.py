"""A launch request as an order for the action: steps, times and addresses are checked, what is not built is named."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email

from plugin.actions.context import Habits
from plugin.actions.order import COPIES, ME, Asked, Order, Spot, Together
from plugin.flow.errors import Invalid, NotAvailableYet
from plugin.flow.model import Kind, Role, SaveMode
from plugin.flow.times import zone
from plugin.web.schemas_asked import LaunchRequest, PersonIn, PlacementIn, RecipientIn, StepIn
from plugin.web.times import deadline, end_of_day, known_zone


def order_of(
    asked: LaunchRequest,
    creator: str,
    time_zone: str,
    habits: Habits,
    now: datetime,
    request: str,
    request_key: str | None,
) -> Order:
    """``time_zone``: the creator's. Raises: Invalid, NotAvailableYet; each names the field as it was sent."""
    if asked.kind not in ("validation", "signature"):
        raise NotAvailableYet("kind")
    if asked.time_zone is not None:
        time_zone = known_zone("time_zone", asked.time_zone)
    named = [_recipient(number, recipient) for number, recipient in enumerate(asked.recipients)]
    me = [Asked(creator, None, None, None, None, None, None, ME)] if asked.add_me else []
    copies = [_email(f"{COPIES}[{number}]", address) for number, address in enumerate(asked.copy_emails or [])]
    save = asked.save
    if save is not None and save.folder is not None and save.mode != "folder":
        raise Invalid("save.folder", "folder-without-mode")
    return Order(
        kind=Kind(asked.kind),
        title=asked.title,
        file_ids=[document.file_id for document in asked.documents],
        recipients=[*me, *named],
        steps=steps_of(asked.recipients, asked.steps or [], adds_me=asked.add_me),
        spots=[_spot(asked, number, placement) for number, placement in enumerate(asked.placements)],
        comment=asked.comment,
        copy_to_all=asked.copy_to_all,
        copies=copies,
        time_zone=time_zone,
        expires_at=_expires_at(asked, time_zone, habits, now),
        remind_every_days=asked.remind_every if "remind_every" in asked.model_fields_set else habits.remind_days,
        allow_delegation=asked.allow_delegation,
        save=SaveMode(save.mode) if save is not None else SaveMode.BESIDE,
        folder=save.folder if save is not None else None,
        request=request,
        request_key=request_key,
    )


def _expires_at(asked: LaunchRequest, time_zone: str, habits: Habits, now: datetime) -> datetime | None:
    """``null`` is no deadline; where nothing is said, the administrator's habit: whole days, where people are."""
    if asked.expires_at is not None:
        return deadline("expires_at", asked.expires_at, time_zone)
    if "expires_at" in asked.model_fields_set or habits.expiry_days is None:
        return None
    today = now.astimezone(zone(time_zone)).date()
    return end_of_day(today + timedelta(days=habits.expiry_days), time_zone)


def steps_of(recipients: list[RecipientIn], rules: list[StepIn], *, adds_me: bool) -> list[Together]:
    """Equal numbers act in parallel, lower ones first. Whoever has none has a step of his own after the one before
    him; observers are in no step. A creator who adds himself comes first, alone: in step 0, if nobody else is in it.

    Raises: Invalid no-such-step, duplicate-step.
    """
    shift = 1 if adds_me else 0
    acting = [(position, r.step) for position, r in enumerate(recipients, start=shift) if r.role != "observer"]
    members: dict[tuple[int, int], list[int]] = {}
    if all(number is None for _, number in acting):
        members = {(number, 0): [position] for number, (position, _) in enumerate(acting, start=shift)}
    else:
        before, own = -1, itertools.count(1)
        for position, number in acting:
            before = number if number is not None else before
            members.setdefault((before, 0 if number is not None else next(own)), []).append(position)
    if adds_me:
        members[-2, 0] = [0]
    known: dict[int, tuple[int, StepIn]] = {}
    for index, rule in enumerate(rules):
        if rule.step in known:
            raise Invalid(f"steps[{index}].step", "duplicate-step")
        if (rule.step, 0) not in members and not (adds_me and rule.step == 0):
            raise Invalid(f"steps[{index}].step", "no-such-step")
        known[rule.step] = index, rule
    if adds_me and (0, 0) not in members and 0 in known:
        known[-2] = known.pop(0)
    return [
        _together(tuple(positions), known.get(key[0]) if not key[1] else None)
        for key, positions in sorted(members.items())
    ]


def _together(positions: tuple[int, ...], found: tuple[int, StepIn] | None) -> Together:
    if found is None:
        return Together(positions)
    index, asked = found
    path = f"steps[{index}].rule"
    if isinstance(asked.rule, str):
        return Together(positions, asked.rule, path=path)
    return Together(positions, "n", asked.rule.n, path)


def _spot(asked: LaunchRequest, number: int, placed: PlacementIn) -> Spot:
    position = 0 if placed.recipient == "me" else placed.recipient + (1 if asked.add_me else 0)
    is_there = asked.add_me if placed.recipient == "me" else placed.recipient < len(asked.recipients)
    if not is_there:
        raise Invalid(f"placements[{number}].recipient", "no-such-recipient")
    return Spot(
        document=placed.document,
        page=placed.page,
        recipient=position,
        x=placed.box.x,
        y=placed.box.y,
        w=placed.box.w,
        h=placed.box.h,
        with_text=placed.with_text,
        reason=placed.reason,
    )


def _recipient(number: int, recipient: RecipientIn) -> Asked:
    return person_of(recipient, f"recipients[{number}]", Role(recipient.role) if recipient.role else None)


def person_of(sent: PersonIn, path: str = "", role: Role | None = None) -> Asked:
    """Raises: Invalid user-or-email, bad-email; NotAvailableYet."""
    at = f"{path}." if path else ""
    if sent.phone is not None:
        raise NotAvailableYet(f"{at}phone")
    if (sent.user is None) == (sent.email is None):
        raise Invalid(path or "user", "user-or-email")
    return Asked(
        user=sent.user,
        email=_email(f"{at}email", sent.email) if sent.email is not None else None,
        first_name=sent.first_name,
        last_name=sent.last_name,
        language=sent.language,
        role=role,
        comment=sent.comment,
        path=path,
    )


def _email(path: str, sent: str) -> str:
    """Raises: Invalid bad-email."""
    try:
        email = validate_email(sent, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise Invalid(path, "bad-email") from error
    if "." not in email.rpartition("@")[2]:
        raise Invalid(path, "bad-email")
    return email

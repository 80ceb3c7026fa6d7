"""``owed(flow, now)``: what the flow owes the world now. Jobs only ask it again: a lost or doubled one is harmless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from plugin.flow.model import (
    CREATOR,
    By,
    Flow,
    FlowState,
    MailDone,
    MailKind,
    Personal,
    Recipient,
    RecipientState,
    Role,
    SuspendReason,
)
from plugin.flow.reminders import heard_at, next_reminder, warns_at
from plugin.flow.times import is_decent


@dataclass(frozen=True, slots=True)
class MailWork:
    """One mail to one person. ``person`` is an id of the flow; ``with_copies``: the mail may lead to signed copies.

    ``round`` tells mails of one kind to one person apart: a recipient's round, or a number that rises.
    """

    mail: MailKind
    person: str
    round: int
    with_copies: bool = False


@dataclass(frozen=True, slots=True)
class FinishWork:
    """Everybody has decided: write the signed copies and end the flow."""


@dataclass(frozen=True, slots=True)
class EvidenceWork:
    """Lay the evidence record beside the results."""


@dataclass(frozen=True, slots=True)
class TidyWork:
    """Remove what was made on the way, before anybody is told of the end."""


@dataclass(frozen=True, slots=True)
class ExpireWork:
    """The deadline is over."""


@dataclass(frozen=True, slots=True)
class RemindWork:
    """It is time to note a reminder of this person; its mail is owed after that."""

    recipient: str
    number: int


Work = MailWork | FinishWork | EvidenceWork | TidyWork | ExpireWork | RemindWork


def owed(flow: Flow, now: datetime) -> list[Work]:
    """In the order in which it should be done."""
    found = [work for due, work in _planned(flow) if due is None or due <= now]
    if ExpireWork() in found:
        return [ExpireWork()]
    warnings = [work for work in found if isinstance(work, MailWork) and work.mail is MailKind.EXPIRING]
    if warnings and not is_decent(now, flow.time_zone, flow.quiet_days):  # after an outage
        found = [work for work in found if work not in warnings]
    warned = {address_of(flow, work.person) or work.person for work in warnings}
    return [work for work in found if not isinstance(work, RemindWork) or _may_remind(flow, work, warned, now)]


def _may_remind(flow: Flow, work: RemindWork, warned: set[str], now: datetime) -> bool:
    """Not beside the warning, and after an outage not at night or on a quiet day either."""
    if (address_of(flow, work.recipient) or work.recipient) in warned:
        return False
    return is_decent(now, flow.time_zone, flow.quiet_days)


def due_at(flow: Flow, last: datetime) -> datetime | None:
    """From when on something is owed; None: nothing ever, as it stands. ``last``: the time of its last event."""
    times = [due if due is not None else last for due, _ in _planned(flow)]
    return min(times, default=None)


def _planned(flow: Flow) -> Iterator[tuple[datetime | None, Work]]:
    """All that will be owed if nothing happens, and from when on; None: from its last event on."""
    if flow.state.is_ended:
        works = list(_at_the_end(flow))
        if works:
            yield None, TidyWork()
        yield from ((None, work) for work in works)
    elif flow.all_decided:
        if flow.state is FlowState.RUNNING:
            yield None, FinishWork()
        else:
            yield from _suspended(flow)
    else:
        if flow.expires_at is not None:
            yield flow.expires_at, ExpireWork()
        yield from _running(flow) if flow.state is FlowState.RUNNING else _suspended(flow)


def _running(flow: Flow) -> Iterator[tuple[datetime | None, Work]]:
    done = _done(flow)
    turn = [r for r in flow.recipients if r.state.is_open]
    mails = [MailWork(MailKind.INVITATION, r.id, r.round) for r in turn]
    heard = heard_at(flow)

    def knew(recipient: Recipient, at: datetime | None) -> bool:
        """His invitation came before that."""
        told = heard.get((recipient.id, recipient.round))
        return told is not None and at is not None and told <= at

    mails += [
        MailWork(MailKind.RESUMED, r.id, flow.suspensions)
        for r in turn
        if _waited(flow, r) and knew(r, flow.resumed_at)
    ]
    mails += [
        MailWork(MailKind.REMINDER, r.id, r.reminders) for r in turn if _is_reminded(r) and knew(r, r.reminded_at)
    ]
    if _is_extended(flow):
        others = [r for r in turn if knew(r, flow.deadline_since) and not _is_creator(flow, r)]
        mails += [MailWork(MailKind.EXTENDED, r.id, flow.deadlines) for r in others]
    mails += list(_about_people(flow))
    yield from ((None, work) for work in mails if (work.mail, work.person, work.round) not in done)
    warning = warns_at(flow)
    if warning is not None:
        told = [r.id for r in turn if knew(r, warning)]
        for work in _one_a_person(flow, MailKind.EXPIRING, [(CREATOR, False), *((r, False) for r in told)]):
            if (work.mail, work.person, flow.deadlines) not in done:
                yield warning, MailWork(work.mail, work.person, flow.deadlines)
    mails_of: dict[str, list[MailDone]] = {}
    for mail in flow.mails if flow.remind_every_days is not None else ():
        mails_of.setdefault(mail.person, []).append(mail)
    for recipient in turn:
        due = next_reminder(flow, recipient, mails_of.get(recipient.id, []))
        if due is not None:
            yield due, RemindWork(recipient.id, recipient.reminders + 1)


def _suspended(flow: Flow) -> Iterator[tuple[datetime | None, Work]]:
    can_help = flow.suspension is not None and (
        flow.suspension.reason is SuspendReason.NO_ACCESS or flow.suspension.reason.is_about_sources
    )
    work = MailWork(MailKind.SUSPENDED, CREATOR, flow.suspensions)
    if can_help and flow.suspensions:
        works, done = [work, *_about_people(flow)], _done(flow)
        yield from ((None, work) for work in works if (work.mail, work.person, work.round) not in done)


def _about_people(flow: Flow) -> Iterator[MailWork]:
    """Of somebody else in a recipient's place: he hears that he is not asked any more, or the creator who it is."""
    heard = {person for person, _ in heard_at(flow)}
    for recipient in flow.recipients:
        if recipient.has_delegated:
            yield MailWork(MailKind.DELEGATED, CREATOR, int(recipient.id[1:]))
        elif recipient.state is RecipientState.REPLACED and recipient.id in heard:
            yield MailWork(MailKind.REPLACED, recipient.id, recipient.round)


def _at_the_end(flow: Flow) -> Iterator[Work]:
    done = _done(flow)
    leaves_evidence = flow.state in (FlowState.COMPLETED, FlowState.REFUSED) and flow.save.with_evidence
    if leaves_evidence and flow.evidence is None and CREATOR not in flow.erased:
        yield EvidenceWork()
    about_people = [work for work in _about_people(flow) if work.person not in flow.erased]
    yield from (work for work in about_people + _last_mails(flow) if (work.mail, work.person, work.round) not in done)


def _last_mails(flow: Flow) -> list[MailWork]:
    took_part = [r for r in flow.recipients if _took_part(r)]
    match flow.state:
        case FlowState.COMPLETED:
            told = [(CREATOR, True), *((r.id, flow.copy_to_all and r.state.is_decided) for r in took_part)]
            copies = [(r.id, True) for r in flow.observers if r.state is not RecipientState.REPLACED]
            return _one_a_person(flow, MailKind.COMPLETED, told + copies)
        case FlowState.REFUSED:
            return _one_a_person(flow, MailKind.REFUSED, [(CREATOR, False), *((r.id, False) for r in took_part)])
        case FlowState.EXPIRED:
            return _one_a_person(flow, MailKind.EXPIRED, [(CREATOR, False), *((r.id, False) for r in took_part)])
        case FlowState.CANCELLED:
            creator = [] if flow.ended_by is By.CREATOR else [(CREATOR, False)]
            told = creator + [(r.id, False) for r in took_part]
            works = _one_a_person(flow, MailKind.CANCELLED, told)
            own = (address_of(flow, CREATOR) or CREATOR).casefold()
            is_creators = [(address_of(flow, work.person) or "").casefold() == own for work in works]
            return [w for w, his in zip(works, is_creators, strict=True) if creator or not his]
        case _:
            return []


def _done(flow: Flow) -> set[tuple[MailKind, str, int]]:
    return {(m.mail, m.person, m.round) for m in flow.mails}


def _is_reminded(recipient: Recipient) -> bool:
    """In this round."""
    if recipient.reminded_at is None or recipient.invited_at is None:
        return False
    return recipient.reminded_at >= recipient.invited_at


def _waited(flow: Flow, recipient: Recipient) -> bool:
    """This person was invited before the flow was suspended, and may have met a closed door."""
    if flow.resumed_at is None or recipient.invited_at is None:
        return False
    return recipient.invited_at < flow.resumed_at


def _is_extended(flow: Flow) -> bool:
    """A deadline was set on the way, and no mail that it goes on tells of it."""
    if flow.deadline_since is None or flow.deadline_since <= flow.created_at:
        return False
    return flow.resumed_at is None or flow.resumed_at < flow.deadline_since


def _is_creator(flow: Flow, recipient: Recipient) -> bool:
    own = address_of(flow, CREATOR)
    return own is not None and (address_of(flow, recipient.id) or "").casefold() == own.casefold()


def _took_part(recipient: Recipient) -> bool:
    """Decided, or was asked to."""
    if recipient.role is Role.OBSERVER or recipient.state is RecipientState.REPLACED:
        return False
    return recipient.was_asked


def _one_a_person(flow: Flow, mail: MailKind, persons: list[tuple[str, bool]]) -> list[MailWork]:
    """One mail per event and person: the creator who also signs gets the creator's. Nobody who was erased."""
    seen: set[str] = set()
    works = []
    held = {CREATOR: flow.creator.email, **{r.id: r.email for r in flow.recipients}}
    for person, with_copies in persons:
        if person in flow.erased:
            continue
        email = held[person]
        address = (email.value if email is not None and email.value else person).casefold()
        if address not in seen:
            seen.add(address)
            works.append(MailWork(mail, person, 0, with_copies))
    return works


def address_of(flow: Flow, person: str) -> str | None:
    """The e-mail address of a person of this flow; None where there is none or it was erased."""
    held: Personal | None = flow.creator.email if person == CREATOR else flow.recipient(person).email
    return held.value if held is not None else None

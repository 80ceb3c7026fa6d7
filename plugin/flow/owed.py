"""``owed(flow)``: what the flow owes the world now. Jobs only ask it again: a lost, doubled, late one is harmless."""

from __future__ import annotations

from dataclasses import dataclass

from plugin.flow.model import CREATOR, Flow, FlowState, MailKind, Personal, Recipient, RecipientState, SuspendReason


@dataclass(frozen=True, slots=True)
class MailWork:
    """One mail to one person. ``person`` is an id of the flow; ``with_copies``: the mail may lead to signed copies."""

    mail: MailKind
    person: str
    round: int
    with_copies: bool = False


@dataclass(frozen=True, slots=True)
class FinishWork:
    """Everybody has decided: write the signed copies and end the flow."""


Work = MailWork | FinishWork


def owed(flow: Flow) -> list[Work]:
    """In the order in which it should be done."""
    if flow.state is FlowState.RUNNING and flow.all_decided and not flow.is_finished:
        return [FinishWork()]
    done = {(m.mail, m.person, m.round) for m in flow.mails}
    return [work for work in _mails(flow) if (work.mail, work.person, work.round) not in done]


def _mails(flow: Flow) -> list[MailWork]:
    if flow.state is FlowState.RUNNING:
        turn = [r for r in flow.recipients if r.state.is_open]
        invitations = [MailWork(MailKind.INVITATION, r.id, r.round) for r in turn]
        return invitations + [MailWork(MailKind.RESUMED, r.id, flow.suspensions) for r in turn if _waited(flow, r)]
    if flow.state is FlowState.SUSPENDED:
        can_help = flow.suspension is not None and flow.suspension.reason is SuspendReason.NO_ACCESS
        return [MailWork(MailKind.SUSPENDED, CREATOR, flow.suspensions)] if can_help and flow.suspensions else []
    if flow.state is FlowState.REFUSED:
        told = [(CREATOR, False), *((r.id, False) for r in flow.recipients if _took_part(r.state))]
        return _one_a_person(flow, MailKind.REFUSED, told)
    if flow.state is FlowState.COMPLETED:
        told = [(CREATOR, True), *((r.id, flow.copy_to_all) for r in flow.recipients if _took_part(r.state))]
        return _one_a_person(flow, MailKind.COMPLETED, told)
    return []


def _waited(flow: Flow, recipient: Recipient) -> bool:
    """This person was invited before the flow was suspended, and may have met a closed door."""
    if flow.resumed_at is None or recipient.invited_at is None:
        return False
    return recipient.invited_at < flow.resumed_at


def _took_part(state: RecipientState) -> bool:
    return state not in (RecipientState.WAITING, RecipientState.SKIPPED, RecipientState.REPLACED)


def _one_a_person(flow: Flow, mail: MailKind, persons: list[tuple[str, bool]]) -> list[MailWork]:
    """One mail per event and person: the creator who also signs gets the creator's."""
    seen: set[str] = set()
    works = []
    for person, with_copies in persons:
        address = (address_of(flow, person) or person).casefold()
        if address not in seen:
            seen.add(address)
            works.append(MailWork(mail, person, 0, with_copies))
    return works


def address_of(flow: Flow, person: str) -> str | None:
    """The e-mail address of a person of this flow; None where there is none or it was erased."""
    held: Personal | None = flow.creator.email if person == CREATOR else flow.recipient(person).email
    return held.value if held is not None else None

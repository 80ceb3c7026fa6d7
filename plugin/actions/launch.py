"""Launching: the selected files are pinned, their fields prepared, the state file begun, the first person invited."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from plugin.actions.context import Context
from plugin.actions.glyphs import Lettering, check_glyphs
from plugin.actions.may_launch import check_may_launch
from plugin.actions.names import clean_line, stem_of
from plugin.actions.order import Asked, Order, Spot
from plugin.actions.people import Found, display_name, find, text, text_of
from plugin.actions.pinning import Pins, field_prefix, papers, pin, to_pin
from plugin.actions.progress import CLAIM_TTL_S, Telling, claim_of
from plugin.actions.revisions import revision_folder, writable_folders
from plugin.actions.save_to import save_to
from plugin.failpoints import reach
from plugin.flow.commands import Launch
from plugin.flow.decide import decide
from plugin.flow.errors import HostBusy, HostUnavailable, Invalid, Unavailable, UnusableDocument
from plugin.flow.events import AskedRecipient, AskedStep, PinnedDocument
from plugin.flow.launch_rules import check_launch
from plugin.flow.model import CREATOR, MILLION, Creator, Kind, Personal, Placement, Role
from plugin.i18n import primary
from plugin.ports import Person
from plugin.ports_files import FileInfo
from plugin.ports_state import ChainBroken, Loaded, StatePlace
from plugin.ports_vault import LaunchAttempt
from plugin.runtime import runtime

COMES_LATE = timedelta(seconds=45)
"""What a host was asked for and gave no answer to, it may still do: the sweep removes that as well."""

log = structlog.get_logger()

TWIN_WAIT_S = 10.0
TWIN_ASK_EVERY_S = 0.05
"""A request whose twin is being served waits for its answer."""


def launch(ctx: Context, user: str, order: Order) -> Loaded:
    """Promise: either the flow is running and its first line is stored, or nothing of it can be seen.

    Raises: Invalid, NotAvailableYet, UnusableDocument, Unavailable.
    """
    reach("launch-received")
    if order.request_key is None:
        return _launch(ctx, user, order)
    key = claim_of(order.request_key)
    deadline = runtime().monotonic() + TWIN_WAIT_S
    while True:
        claimed = ctx.vault.claim(user, key, ctx.clock(), CLAIM_TTL_S)
        try:
            again = ctx.index.flow_of_request(user, order.request_key)
            if again is None and claimed:
                take_in(ctx, user)
                again = ctx.index.flow_of_request(user, order.request_key)
            loaded = ctx.flows.load(again) if again is not None else None
            if loaded is not None:
                return loaded
            if claimed:
                return _launch(ctx, user, order)
        finally:
            if claimed:
                ctx.vault.release(user, key)
        if runtime().monotonic() > deadline:
            raise HostBusy("still-launching")
        runtime().pause(TWIN_ASK_EVERY_S)


def _launch(ctx: Context, user: str, order: Order) -> Loaded:
    creator = _creator(ctx, user)
    people = len(order.recipients) + len(order.copies)
    check_may_launch(ctx, creator, order.kind, len(order.file_ids), people)
    flow_id = new_flow_id(ctx.clock())
    chosen = [_choose(ctx, user, number, file_id) for number, file_id in enumerate(order.file_ids)]
    found = papers(ctx, user, order.kind, chosen)
    inside = writable_folders(ctx, user, chosen)
    homes = [folder is None for folder in inside]
    documents = tuple(
        to_pin(n, paper.info.file_id, paper, home) for n, (paper, home) in enumerate(zip(found, homes, strict=True))
    )
    plan = _plan(ctx, flow_id, creator, order, documents)
    with order.as_sent():
        check_launch(plan, ctx.clock())
    _check_glyphs(ctx, plan)
    folders = [revision_folder("" if home else info.folder, flow_id) for info, home in zip(chosen, homes, strict=True)]
    attempt = LaunchAttempt(flow_id, user, {made: above or "" for made, above in zip(folders, inside, strict=True)})
    ctx.vault.begin_launch(attempt, ctx.clock())
    reach("launch-noted")
    try:
        telling = Telling(ctx, user, flow_id, order.request_key, sum(paper.size_bytes for paper in found))
        pins = Pins(user, flow_id, order.kind, plan.placements, telling, telling.copying)
        pinned = [
            pin(ctx, pins, document, paper, folder)
            for document, paper, folder in zip(documents, found, folders, strict=True)
        ]
        command = replace(plan, documents=tuple(one.document for one in pinned))
        place = StatePlace(user, f"{folders[0]}/flow.jsonl")
        with ctx.flows.lease(flow_id):  # by which `forget` goes as well
            now = ctx.clock()
            loaded = ctx.flows.create(place, decide(None, command, now), now, telling.check_alone)
    except Exception as failure:
        if any(one.flow_id == flow_id for one in ctx.vault.counted_launches()):
            raise  # its first line counts: it is taken in, by the sweep or by whoever asks again
        may_come_late = isinstance(failure, Unavailable)
        ctx.vault.give_up_launch(flow_id, ctx.clock(), COMES_LATE if may_come_late else timedelta())
        with contextlib.suppress(Unavailable):
            _remove(ctx, attempt)
            if not may_come_late:
                ctx.vault.end_launch(flow_id)
        raise
    ctx.vault.note_seen(flow_id, {one.document.n: one.seen for one in pinned if one.seen is not None})
    ctx.vault.end_launch(flow_id)
    reach("launch-ended")
    ctx.jobs.look_at(flow_id)
    return loaded


def new_flow_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562): milliseconds, then 74 random bits."""
    millis = int(now.timestamp() * 1000)
    number = (millis & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))


def _creator(ctx: Context, user: str) -> Person:
    person = ctx.directory.person(user)
    if person is None:
        raise HostUnavailable("no-such-user")
    return person


def _choose(ctx: Context, user: str, number: int, file_id: str) -> FileInfo:
    info = ctx.files.by_id(user, file_id)
    if info is None:
        raise Invalid(f"documents[{number}].file_id", "no-such-file")
    if info.is_folder:
        raise UnusableDocument("is-a-folder", file_id, info.name)
    return info


def _plan(ctx: Context, flow_id: str, creator: Person, order: Order, documents: tuple[PinnedDocument, ...]) -> Launch:
    recipients = tuple(_asked(ctx, creator, order, number, asked) for number, asked in enumerate(order.recipients))
    copies = _observers(creator, order, recipients)
    title = (
        clean_line(order.title or "") or clean_line(stem_of(documents[0].name.value or "") if documents else "") or "…"
    )
    return Launch(
        flow_id=flow_id,
        kind=order.kind,
        title=Personal(CREATOR, title),
        creator=Creator(
            Personal(CREATOR, creator.uid),
            Personal(CREATOR, clean_line(creator.name, 120) or creator.uid),
            Personal(CREATOR, creator.email) if creator.email else None,
            text(CREATOR, ctx.accounts.id(creator.uid)),
        ),
        language=creator.language,
        time_zone=order.time_zone,
        comment=text(CREATOR, order.comment),
        copy_to_all=order.copy_to_all,
        documents=documents,
        recipients=(*recipients, *copies),
        steps=tuple(
            AskedStep(step.rule, tuple(recipients[position].id for position in step.recipients), step.n)
            for step in order.steps
        ),
        placements=tuple(
            _placement(order, flow_id, number, spot, len(documents), recipients)
            for number, spot in enumerate(order.spots)
        ),
        request=order.request,
        request_key=order.request_key,
        expires_at=order.expires_at,
        remind_every_days=order.remind_every_days,
        quiet_days=ctx.habits.quiet_days,
        allow_delegation=order.allow_delegation,
        save=save_to(ctx, creator.uid, order.save, order.folder),
    )


def _asked(ctx: Context, creator: Person, order: Order, number: int, asked: Asked) -> AskedRecipient:
    role = asked.role or (Role.VALIDATOR if order.kind is Kind.VALIDATION else Role.SIGNATORY)
    return find(ctx, asked, creator.language, creator).recipient(f"r{number + 1}", role)


def _observers(creator: Person, order: Order, others: tuple[AskedRecipient, ...]) -> list[AskedRecipient]:
    """Further addresses get copies, unless they are somebody's who is there already."""
    there = {(creator.email or "").casefold(), *((r.email.value or "").casefold() for r in others if r.email)}
    observers: list[AskedRecipient] = []
    for address in order.copies:
        if address.casefold() not in there:
            there.add(address.casefold())
            number = len(others) + len(observers) + 1
            found = Found(None, address, "", "", primary(creator.language), None, None)
            observers.append(found.recipient(f"r{number}", Role.OBSERVER))
    return observers


def _placement(
    order: Order, flow_id: str, number: int, spot: Spot, documents: int, recipients: tuple[AskedRecipient, ...]
) -> Placement:
    if spot.document >= documents:
        raise Invalid(f"placements[{number}].document", "no-such-document")
    if spot.recipient >= len(recipients):
        raise Invalid(f"placements[{number}].recipient", "no-such-recipient")
    recipient = recipients[spot.recipient].id
    return Placement(
        field=f"{field_prefix(flow_id)}_{number}",
        document=spot.document,
        page=spot.page,
        recipient=recipient,
        x=_millionths(spot.x),
        y=_millionths(spot.y),
        w=_millionths(spot.w),
        h=_millionths(spot.h),
        with_text=spot.with_text,
        reason=text(recipient, clean_line(spot.reason or "")),
    )


def _millionths(fraction: float) -> int:
    """Far outside stays outside: no overflow for absurd numbers."""
    return round(max(-10.0, min(10.0, fraction)) * MILLION)


def take_in(ctx: Context, owner: str | None = None) -> None:
    """A launch whose first line counts is a flow, though a crash kept its row out of the index: nobody would look for
    it, and the same request again would make another one. ``owner``: None for everybody's. Raises: Unavailable."""
    failure: Unavailable | None = None
    for attempt in ctx.vault.counted_launches():
        if owner not in (None, attempt.owner):
            continue
        try:
            ctx.flows.refresh(attempt.flow_id)
        except (ChainBroken, Unavailable) as error:  # a host can say once that a file is not there: the note stays
            log.warning("launch.not_taken_in", flow=attempt.flow_id, reason=str(error))
            failure = error if isinstance(error, Unavailable) else failure
            continue
        ctx.vault.end_launch(attempt.flow_id)
        ctx.jobs.look_at(attempt.flow_id)
    if failure is not None:
        raise failure


def forget(ctx: Context, attempt: LaunchAttempt) -> None:
    """Nothing stays of a launch that failed or was cut off. Raises: Unavailable: the sweep tries again."""
    with ctx.flows.lease(attempt.flow_id):
        if any(one.flow_id == attempt.flow_id for one in ctx.vault.counted_launches()):
            raise HostBusy("host-busy")  # it went on after all, and counts
        _remove(ctx, attempt)
        ctx.vault.end_launch(attempt.flow_id)


def _remove(ctx: Context, attempt: LaunchAttempt) -> None:
    """Also from folders that were moved or renamed since. What stayed would be taken for a flow when the index is made
    again, so "gone already" alone is not believed."""
    for folder, inside in attempt.folders.items():
        above = ctx.files.by_id(attempt.owner, inside) if inside else None
        now = revision_folder(above.path, attempt.flow_id) if above is not None else folder
        for path in dict.fromkeys((folder, now)):
            ctx.files.delete(attempt.owner, path)
            if ctx.files.stat(attempt.owner, path) is not None:
                raise HostUnavailable


def _check_glyphs(ctx: Context, plan: Launch) -> None:
    names = {r.id: display_name(r) for r in plan.recipients}
    check_glyphs(
        ctx,
        [
            Lettering(f"placements[{n}].with_text", names[p.recipient], text_of(p.reason))
            for n, p in enumerate(plan.placements)
            if p.with_text
        ],
    )

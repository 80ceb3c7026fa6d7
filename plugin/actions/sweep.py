"""What a flow owes, done: by the job that an act asked for, and by the sweep for what no job did."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from plugin.actions.acting import load
from plugin.actions.bell import hush
from plugin.actions.context import Context
from plugin.actions.deliver import HANDED_OVER, deliver
from plugin.actions.expire import expire
from plugin.actions.finish import finish
from plugin.actions.heed import heed_later
from plugin.actions.launch import forget, take_in
from plugin.actions.remind import remind
from plugin.actions.revisions import may_come_late, tidy, tidy_ended, tidy_late
from plugin.actions.store_evidence import keep_one, store_evidence
from plugin.actions.suspend import look_after
from plugin.actions.waiting import COPIES, EVIDENCE, LEFT, try_to, wait_no_more
from plugin.flow.errors import AccountOut, HostBusy, HostUnavailable, OutOfReach, ParapheurError, Unavailable
from plugin.flow.model import By
from plugin.flow.owed import EvidenceWork, ExpireWork, FinishWork, RemindWork, TidyWork, due_at, owed
from plugin.patience import at_most
from plugin.ports_state import ERASING, ChainBroken

SWEEP_LIMIT = 200
LOOK = "look"
"""The piece of work that is put off where a look at a flow failed or left it due: the next ones have their turn."""
CHECK_EVERY = timedelta(minutes=5)
RECHECK_EVERY = timedelta(minutes=1)
FORGOTTEN_EVERY = timedelta(hours=1)
CHECK_LIMIT = 20
CALLS = 12
"""Of the patrol, within which every running flow has its turn: three a minute."""
CALL_S = 10.0
"""How long one call of the patrol, or of the catching up, goes on: mails and reminders wait meanwhile."""
FLOW_WAIT_S = 120.0
"""How long one flow's work may wait for the host, before others are looked at."""
OUT_AFTER = 3
"""Flows in a row that the host does not serve: it is out, and the rest need not be tried."""

log = structlog.get_logger()


@at_most(FLOW_WAIT_S)
def look_at(ctx: Context, flow_id: str) -> None:
    """Asks what is owed and does it. Harmless when asked twice, late, or for nothing."""
    try:
        _serve(ctx, flow_id)
    except (AccountOut, OutOfReach) as error:
        log.warning("flow.out_of_reach", flow=flow_id, reason=error.code)
        ctx.jobs.look_after(flow_id)
    if LOOK in ctx.vault.attempts(flow_id) and not _is_due(ctx, flow_id):
        ctx.vault.release(flow_id, LOOK)


def _is_due(ctx: Context, flow_id: str) -> bool:
    """As the index tells it: of a flow that waits for its creator's account, its chain may owe what nobody can do."""
    loaded = ctx.flows.load(flow_id)
    due = due_at(loaded.flow, loaded.records[-1].at) if loaded is not None and not loaded.is_newer else None
    return due is not None and due <= ctx.clock()


def _serve(ctx: Context, flow_id: str) -> None:
    loaded = load(ctx, flow_id)
    if loaded.is_newer:
        return
    works = owed(loaded.flow, ctx.clock())
    if ExpireWork() in works:
        loaded = expire(ctx, flow_id)
    if FinishWork() in works:
        loaded = try_to(ctx, flow_id, COPIES, finish) or loaded
    due = tuple(work.recipient for work in works if isinstance(work, RemindWork))
    if due:
        loaded = remind(ctx, flow_id, due, By.SYSTEM)
    if TidyWork() in owed(loaded.flow, ctx.clock()):  # once all mails are recorded nobody comes back
        with ctx.flows.lease(flow_id):
            tidy(ctx, load(ctx, flow_id), may_wait=True)  # mails and record do not
        ctx.vault.forget_seen(flow_id)
    if EvidenceWork() in owed(loaded.flow, ctx.clock()):  # the mails of the end do not wait for it, but may name it
        loaded = try_to(ctx, flow_id, EVIDENCE, store_evidence) or loaded
    elif loaded.flow.state.is_ended:  # where a crash came between the line and this
        keep_one(ctx, loaded)
    wait_no_more(ctx, loaded.flow, owed(loaded.flow, ctx.clock()))
    hush(ctx, loaded)
    deliver(ctx, flow_id)


def clear_launches(ctx: Context) -> None:
    """Whoever launched got no answer, and nobody was invited: what a cut-off launch had made is removed, unless its
    first line counts: then it is a flow like others."""
    try:
        take_in(ctx)
    except ParapheurError as error:
        log.warning("launch.not_taken_in", reason=error.code)
    for attempt in ctx.vault.cut_off_launches(ctx.clock()):
        try:
            forget(ctx, attempt)
        except ParapheurError as error:
            log.warning("launch.not_cleared", flow=attempt.flow_id, reason=error.code)
        else:
            log.info("launch.cleared", flow=attempt.flow_id)


def finish_erasing(ctx: Context) -> None:
    """Erasures that a crash or an outage cut off are brought to their end."""
    for flow_id in dict.fromkeys(t.flow_id for t in ctx.vault.troubles() if t.reason == ERASING):
        try:
            with at_most(FLOW_WAIT_S):
                ctx.flows.forget(flow_id)
        except (ParapheurError, ChainBroken) as error:
            log.warning("erasure.later", flow=flow_id, reason=str(error))
        else:
            log.info("erasure.finished", flow=flow_id)


class Forgotten:
    """Whoever was erased stays so: what lies beside such a flow, ended or not, is looked at about every
    ``FORGOTTEN_EVERY``, the one longest unchecked first, ``CHECK_LIMIT`` of them a call. The first time it is tidied
    as well: where nobody is left who could be told of its end, nothing else would do that."""

    def __init__(self) -> None:
        self._checked: dict[str, datetime] = {}
        self._tidied: set[str] = set()

    def __call__(self, ctx: Context) -> int:
        """Raises: Unavailable, when the host does not answer. Returns: how many were checked."""
        now = ctx.clock()
        flows = ctx.index.with_erased()
        self._checked = {flow_id: self._checked.get(flow_id, now - FORGOTTEN_EVERY) for flow_id in flows}
        stale = sorted((at, flow_id) for flow_id, at in self._checked.items() if now - at >= FORGOTTEN_EVERY)
        for _, flow_id in stale[:CHECK_LIMIT]:
            self._checked[flow_id] = now
            try:
                with at_most(FLOW_WAIT_S):
                    ctx.flows.keep_forgotten(flow_id)
                    self._tidy(ctx, flow_id)
            except (AccountOut, HostBusy, OutOfReach, ChainBroken) as error:
                log.warning("forgotten.later", flow=flow_id, reason=str(error))
        return len(stale[:CHECK_LIMIT])

    def _tidy(self, ctx: Context, flow_id: str) -> None:
        if flow_id in self._tidied:
            return
        try:
            if tidy_ended(ctx, flow_id):
                self._tidied.add(flow_id)
        except Unavailable:
            may_come_late(ctx, flow_id)
            raise


class CatchUp:
    """After a start: a line that reached the host just before the process died is taken in, for every running flow.

    A flow that the host cannot serve is asked again at the next call; one that hangs holds up no other.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.is_done = False
        self._left: dict[str, None] | None = None
        self._monotonic = monotonic

    def first(self, ctx: Context, flow_id: str) -> None:
        """A flow that is to be served now is caught up before. Raises: ChainBroken, Unavailable: then it waits."""
        if self._left is not None and flow_id in self._left:
            ctx.flows.refresh(flow_id)
            self._left.pop(flow_id, None)

    def __call__(self, ctx: Context) -> None:
        """To be called again while ``is_done`` is false: of many flows it does as many as ``CALL_S`` allow."""
        if self.is_done:
            return
        if self._left is None:
            self._left = dict.fromkeys(ctx.index.running())
        in_a_row, begun = 0, self._monotonic()
        for flow_id in tuple(self._left):
            if self._monotonic() - begun >= CALL_S:
                break
            del self._left[flow_id]
            try:
                with at_most(FLOW_WAIT_S):
                    ctx.flows.refresh(flow_id)
                in_a_row = 0
            except (AccountOut, OutOfReach):
                ctx.jobs.look_after(flow_id)
            except (ChainBroken, HostBusy) as error:
                log.warning("catch_up.later", flow=flow_id, reason=str(error))
            except HostUnavailable as error:
                log.warning("catch_up.later", flow=flow_id, reason=str(error))
                self._left[flow_id] = None
                in_a_row += 1
                if in_a_row == OUT_AFTER:
                    break
        self.is_done = not self._left


class Patrol:
    """Asks the host now and then whether running flows are still what was written, and can still be served.

    Each of them about every ``every``, those in trouble every ``RECHECK_EVERY``, the one longest unchecked
    first, a part of them a call, for no longer than ``CALL_S``; one that the host cannot serve has its turn again like
    the others. One that has ended is looked at once more: its last line may have been stored by half.
    """

    def __init__(
        self,
        every: timedelta = CHECK_EVERY,
        look_after: Callable[[Context, str], None] = look_after,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every
        self._look_after = look_after
        self._monotonic = monotonic
        self._checked: dict[str, datetime] = {}

    def __call__(self, ctx: Context) -> int:
        """Raises: Unavailable, when the host does not answer. Returns: how many were checked."""
        now = ctx.clock()
        running = set(ctx.index.running())
        self._checked = dict.fromkeys(running, now) | self._checked
        troubled = {trouble.flow_id for trouble in ctx.vault.troubles()}
        stale = sorted(
            (at, flow_id)
            for flow_id, at in self._checked.items()
            if now - at >= (min(RECHECK_EVERY, self._every) if flow_id in troubled else self._every)
        )
        in_a_row, done, begun = 0, 0, self._monotonic()
        for _, flow_id in stale[: max(CHECK_LIMIT, len(self._checked) // CALLS)]:
            if done and self._monotonic() - begun >= CALL_S:
                break
            self._checked[flow_id] = now
            done += 1
            try:
                with at_most(FLOW_WAIT_S):
                    self._look(ctx, flow_id, has_ended=flow_id not in running)
            except HostUnavailable as error:
                log.warning("patrol.later", flow=flow_id, reason=error.code)
                in_a_row += 1
                if in_a_row == OUT_AFTER:
                    raise
                continue
            except HostBusy as error:  # held by somebody else: nobody looked
                log.warning("patrol.later", flow=flow_id, reason=error.code)
                continue
            except (ParapheurError, ChainBroken) as error:
                log.warning("patrol.later", flow=flow_id, reason=str(error))
            in_a_row = 0
            if flow_id not in running:
                del self._checked[flow_id]
        return done

    def _look(self, ctx: Context, flow_id: str, *, has_ended: bool) -> None:
        if not has_ended:
            self._look_after(ctx, flow_id)
            return
        with suppress(AccountOut, OutOfReach):  # whether it can be served is nobody's business any more
            ctx.flows.check(flow_id)


def sweep(ctx: Context, first: Callable[[Context, str], None] = lambda *_: None) -> int:
    """Every flow that owes something, or of which a mail lacks its line, is looked at; one that cannot be served now
    does not hold up the others, nor do many of them: those that were put off longest ago come after all others.
    ``first`` is done for each before.

    Returns: how many were served.
    """
    served, now = 0, ctx.clock()
    put_off = [flow_id for reason in (HANDED_OVER, LEFT) for flow_id in ctx.vault.put_off(reason, now)]
    for flow_id in dict.fromkeys([*ctx.index.due(now, SWEEP_LIMIT), *put_off]):
        try:
            first(ctx, flow_id)
            look_at(ctx, flow_id)
        except (ParapheurError, ChainBroken) as error:
            log.warning("sweep.later", flow=flow_id, reason=str(error))
            ctx.vault.postpone(flow_id, LOOK, ctx.clock(), str(error))
        except Exception as error:  # a mistake of ours: told by whoever called, and no reason to begin there again
            ctx.vault.postpone(flow_id, LOOK, ctx.clock(), type(error).__name__)
            raise
        else:
            served += 1
            if _is_due(ctx, flow_id):
                ctx.vault.postpone(flow_id, LOOK, ctx.clock(), "still-due")
    tidy_late(ctx)
    heed_later(ctx)
    return served

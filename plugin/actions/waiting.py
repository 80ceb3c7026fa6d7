"""Results that cannot be laid down now: the flow waits, says why, and is tried again with growing pauses.

It reads `running` (or has ended, where it is the evidence that waits), and stands among the flows that need a hand
until it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from pdfops.errors import PdfError
from plugin.actions.context import Context
from plugin.dossier import NotARecord
from plugin.flow.errors import AccountOut, HostBusy, HostFull, HostUnavailable, IndexMissing, OutOfReach, Unavailable
from plugin.flow.model import Flow, FlowState
from plugin.flow.owed import EvidenceWork, FinishWork, Work
from plugin.ports_files import READ_ONLY
from plugin.ports_state import Loaded
from plugin.ports_vault import Vault

COPIES, EVIDENCE = "finish", "evidence"
"""The two pieces of work that may wait."""
LEFT = "record-left"
"""The piece of work, and its reason: a record that does not count is still to be taken away."""
SEARCH = "search"
"""So begin the pieces of work, one a result, whose searches for what was put before have failed."""

FULL, BUSY, NO_ACCESS, OUT, MISSING, NOT_MADE = (
    "host-full",
    "host-busy",
    "no-access",
    "host-unavailable",
    "revision-missing",
    "evidence-not-made",
)
REASONS = (FULL, BUSY, READ_ONLY, NO_ACCESS, OUT, MISSING, NOT_MADE)
CLAIM_TTL_S = 30
"""After a crash it is tried again no later; whoever is at work longer than that still holds the flow's lease."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Waiting:
    """``work``: COPIES or EVIDENCE. ``reason``: one of REASONS."""

    work: str
    reason: str
    since: datetime


def waiting(vault: Vault, flow: Flow) -> Waiting | None:
    """What the results of this flow wait for, if they do."""
    if flow.state is FlowState.SUSPENDED or not (flow.all_decided or flow.state.is_ended):
        return None
    work = EVIDENCE if flow.state.is_ended else COPIES
    for trouble in vault.troubles(flow.id):
        if not trouble.person and trouble.reason in REASONS:
            _, reason = vault.attempts(flow.id).get(work, (0, ""))
            return Waiting(work, reason, trouble.since) if reason == trouble.reason else None
    return None


def try_to(ctx: Context, flow_id: str, work: str, do: Callable[[Context, str], Loaded]) -> Loaded | None:
    """Does it, unless somebody else is at it or its pause is not over. None: not done, and why is noted.

    Raises: as ``do``, where waiting is not the answer.
    """
    if not ctx.vault.claim(flow_id, work, ctx.clock(), CLAIM_TTL_S):
        return None
    try:
        loaded = do(ctx, flow_id)
    except (Unavailable, PdfError, NotARecord) as error:
        if not wait(ctx, flow_id, work, error):
            ctx.vault.release(flow_id, work)
            raise
        return None
    except BaseException:
        ctx.vault.release(flow_id, work)
        raise
    ctx.vault.release(flow_id, work)
    return loaded


def wait(ctx: Context, flow_id: str, work: str, error: Exception) -> bool:
    """Notes why, and when it is tried again. False for what is no reason to wait: the flow is held by somebody else,
    or its creator's account or access is to be looked at."""
    reason = _reason(work, error)
    if reason is None:
        return False
    again = ctx.vault.postpone(flow_id, work, ctx.clock(), reason)
    _end_troubles(ctx.vault, flow_id, has_ended=work == EVIDENCE, but=reason)
    ctx.vault.note_trouble(flow_id, reason, "", ctx.clock())
    log.warning("results.wait", flow=flow_id, work=work, reason=reason, until=again.isoformat())
    return True


def wait_no_more(ctx: Context, flow: Flow, works: list[Work]) -> None:
    """For what the flow does not owe any more. ``works``: what it owes now."""
    owes = {FinishWork(): COPIES, EvidenceWork(): EVIDENCE}
    still = {name for work, name in owes.items() if work in works}
    attempts = ctx.vault.attempts(flow.id)
    over = {COPIES, EVIDENCE} & attempts.keys() - still
    if not still and LEFT not in attempts:
        over.update(work for work in attempts if work.startswith(SEARCH))
    for work in over:
        ctx.vault.release(flow.id, work)
    if not still & attempts.keys():
        _end_troubles(ctx.vault, flow.id, has_ended=flow.state.is_ended)


def _end_troubles(vault: Vault, flow_id: str, *, has_ended: bool, but: str = "") -> None:
    """Until the flow has ended, "no access" is why it is suspended, and ends with that."""
    for trouble in vault.troubles(flow_id):
        of_ours = trouble.reason in REASONS and (has_ended or trouble.reason != NO_ACCESS)
        if of_ours and not trouble.person and trouble.reason != but:
            vault.end_trouble(flow_id, trouble.reason, "")


def _reason(work: str, error: Exception) -> str | None:
    match error:
        case PdfError() | NotARecord():
            return NOT_MADE
        case IndexMissing():
            return None
        case HostFull():
            return FULL
        case HostBusy():
            return BUSY if error.code != "flow-busy" else None
        case OutOfReach() if error.code == READ_ONLY:
            return READ_ONLY
        case AccountOut() | OutOfReach():
            return NO_ACCESS if work == EVIDENCE else None
        case HostUnavailable():
            return MISSING if error.code == MISSING else OUT
        case _:
            return None

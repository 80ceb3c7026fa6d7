"""A suspended validation begins anew, with what its files hold now: everybody is asked again."""

from __future__ import annotations

from datetime import datetime

from plugin.actions.acting import MAX_TRIES, check_known, load
from plugin.actions.context import Context
from plugin.actions.pinning import Pinned, Pins, papers, pin, to_pin
from plugin.actions.reach import check_reach
from plugin.actions.revisions import kept_at_home, revision_folder
from plugin.actions.sources import originals
from plugin.flow.commands import Restart
from plugin.flow.decide import decide
from plugin.flow.errors import AccountOut, Conflict, HostUnavailable, OutOfReach, UnusableDocument
from plugin.flow.events import PinnedDocument
from plugin.flow.model import By, Document, Flow, SuspendReason
from plugin.ports_files import FileInfo
from plugin.ports_state import ChainMoved, Loaded


def restart(ctx: Context, flow_id: str, by: By) -> Loaded:
    """What was pinned before stays until the flow ends. A restart that fails or is cut off changes nothing.

    Raises: NotFound; Conflict not-suspended, flow-ended, flow-newer, only-validations-restart, or the reason while
    it is still there; UnusableDocument, for a file that is gone; Unavailable.
    """
    known = load(ctx, flow_id)
    check_known(known)
    flow = known.flow
    _check(flow, by, ctx.clock())
    try:
        check_reach(ctx, flow_id)
        with ctx.flows.lease(flow_id) as lease:
            for _ in range(MAX_TRIES):
                loaded = load(ctx, flow_id)
                check_known(loaded)
                _check(loaded.flow, by, ctx.clock())  # nothing is pinned for a flow that has ended meanwhile
                pinned = _pinned(ctx, loaded)
                now = ctx.clock()
                events = decide(loaded.flow, Restart(tuple(one.document for one in pinned), by), now)
                try:
                    loaded = ctx.flows.append(loaded, lease, events, str(by), now)
                except ChainMoved:
                    continue
                break
            else:
                raise Conflict("state-changed")
    except (AccountOut, OutOfReach) as error:
        raise Conflict(str(flow.suspension.reason if flow.suspension else SuspendReason.NO_ACCESS)) from error
    ctx.vault.note_seen(flow_id, {one.document.n: one.seen for one in pinned if one.seen is not None})
    for kind in SuspendReason:
        ctx.vault.end_trouble(flow_id, str(kind), "")
    ctx.jobs.look_at(flow_id)
    return loaded


def _check(flow: Flow, by: By, now: datetime) -> None:
    """Raises: as ``decide``."""
    decide(flow, Restart(tuple(_as_it_is(document) for document in flow.documents), by), now)


def _pinned(ctx: Context, loaded: Loaded) -> list[Pinned]:
    flow, owner = loaded.flow, loaded.place.owner
    where = originals(ctx, loaded)
    if where is None:
        raise HostUnavailable
    chosen = [_there(document, where[document.n]) for document in flow.documents]
    found = papers(ctx, owner, flow.kind, chosen)
    homes = kept_at_home(ctx, owner, chosen)
    pins = Pins(owner, flow.id, flow.kind, flow.placements)
    pinned = []
    for document, paper, at_home in zip(flow.documents, found, homes, strict=True):
        folder = revision_folder("" if at_home else paper.info.folder, flow.id)
        one = pin(ctx, pins, to_pin(document.n, document.file_id, paper, at_home), paper, folder)
        pinned.append(one)
    return pinned


def _there(document: Document, info: FileInfo | None) -> FileInfo:
    if info is None:
        raise UnusableDocument("no-such-file", document.file_id, document.name.value or "")
    return info


def _as_it_is(document: Document) -> PinnedDocument:
    return PinnedDocument(
        n=document.n,
        file_id=document.file_id,
        name=document.name,
        folder=document.folder,
        size_bytes=document.size_bytes,
        mime=document.mime,
        sha256=document.sha256,
        pages=document.pages,
        page_sizes=document.page_sizes,
        prepared_sha256=None,
        kept_at_home=document.kept_at_home,
    )

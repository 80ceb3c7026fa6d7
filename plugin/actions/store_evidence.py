"""The flow has ended: its evidence record is laid beside the results, as a sealed PDF with the signed record inside.

Made twice it is never the same: it bears its time, and a signature. So what was made is noted by its hash before it is
put, and whoever comes back after a crash looks for each of those first; only where none of them is there is one put.
One that arrives late after all finds the name taken, or takes it and is then found by its hash. A vault that was lost
between the two may leave a second one, under the next name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from plugin.actions.acting import MAX_TRIES, load
from plugin.actions.context import Context
from plugin.actions.documents import Stored, delete_as_read, find_put, put_new
from plugin.actions.evidence import evidence
from plugin.actions.names import evidence_name
from plugin.actions.places import folder_for_evidence, would_be_folder
from plugin.actions.revisions import as_far_as_allowed
from plugin.actions.waiting import LEFT
from plugin.dossier import dossier
from plugin.failpoints import reach
from plugin.flow.commands import StoreEvidence
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, HostBusy, HostUnavailable, Unavailable
from plugin.flow.model import CREATOR, Personal, StoredEvidence
from plugin.flow.owed import EvidenceWork, owed
from plugin.i18n import known
from plugin.ports_files import PreconditionFailed
from plugin.ports_state import ChainMoved, Check, Loaded
from plugin.ports_vault import Laying

WHAT = "evidence"


def store_evidence(ctx: Context, flow_id: str) -> Loaded:
    """Raises: NotFound, AccountOut, Unavailable; PdfError, NotARecord, where it cannot be made."""
    tried: list[Laying] = []
    try:
        return _stored(ctx, flow_id, tried)
    except Unavailable:
        loaded = load(ctx, flow_id)
        if not tried or loaded.flow.evidence is None:
            raise
        keep_one(ctx, loaded, tried)  # another one was at it, since this one stood still: his counts
        return loaded


def keep_one(ctx: Context, loaded: Loaded, tried: Sequence[Laying] = ()) -> None:
    """What was noted to be put, and may have been, is taken away where another record counts: of whoever stood still
    for longer than his lease lasts, or fell. Where that cannot be done now the sweep does it. ``tried``: what another
    one may have struck from the notes before it was put."""
    flow_id, counts = loaded.flow.id, loaded.flow.evidence
    noted = {one for one in (*tried, *ctx.vault.layings(flow_id)) if one.what == WHAT}
    for one in noted:  # a cache is no place for names once it is laid down
        ctx.blobs.drop(one.sha256)
    others = [one for one in noted if counts is not None and one.sha256 != counts.sha256]
    others.sort(key=lambda one: one.sha256)
    try:
        for one in others:
            there = find_put(ctx, loaded.place.owner, flow_id, one)
            if there is not None:
                _take_away(ctx, loaded.place.owner, there.path, one.sha256)
    except Unavailable:
        ctx.vault.note_layings(flow_id, others)
        ctx.vault.postpone(flow_id, LEFT, ctx.clock(), LEFT)
    else:
        ctx.vault.forget_layings(flow_id)
        if LEFT in ctx.vault.attempts(flow_id):
            ctx.vault.release(flow_id, LEFT)


def _take_away(ctx: Context, owner: str, path: str, sha256: str) -> None:
    """Nothing that somebody wrote there since."""
    found = ctx.files.read_with_etag(owner, path)
    if found is not None and hashlib.sha256(found[0]).hexdigest() == sha256:
        with suppress(PreconditionFailed), as_far_as_allowed():
            delete_as_read(ctx, owner, path, found)


def _stored(ctx: Context, flow_id: str, tried: list[Laying]) -> Loaded:
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            if EvidenceWork() not in owed(loaded.flow, ctx.clock()):
                if tried:
                    keep_one(ctx, loaded, tried)
                return loaded
            held = partial(ctx.flows.check_held, lease)
            command, now = StoreEvidence(_there_already(ctx, loaded) or _put(ctx, loaded, tried, held)), ctx.clock()
            reach("evidence-laid")
            try:
                loaded = ctx.flows.append(loaded, lease, decide(loaded.flow, command, now), "system", now)
            except (ChainMoved, HostBusy) as error:
                if isinstance(error, HostBusy):
                    raise
                continue
            keep_one(ctx, loaded)
            return loaded
    raise Conflict("state-changed")


def _there_already(ctx: Context, loaded: Loaded) -> StoredEvidence | None:
    for one in ctx.vault.layings(loaded.flow.id):
        if one.what == WHAT:
            found = find_put(ctx, loaded.place.owner, loaded.flow.id, one)
            if found is not None:
                return _told(found)
    return None


def _put(ctx: Context, loaded: Loaded, tried: list[Laying], check_held: Check) -> StoredEvidence:
    """``tried``: is told of each before it is put."""
    folder = folder_for_evidence(ctx, loaded)
    try:
        return _put_into(ctx, loaded, folder, tried, check_held)
    except HostUnavailable as error:
        there = ctx.files.stat(loaded.place.owner, folder)
        if there is not None and there.can_write:
            raise
        other = would_be_folder(ctx, loaded)  # that of the copy is not there any more, or not to write in
        if other == folder:
            raise error from None
    return _put_into(ctx, loaded, other, tried, check_held)


def _put_into(ctx: Context, loaded: Loaded, folder: str, tried: list[Laying], check_held: Check) -> StoredEvidence:
    data, sha256 = _made(ctx, loaded)
    name = evidence_name(loaded.flow.title.value or loaded.flow.id, loaded.flow.language)
    earlier = [one.sha256 for one in ctx.vault.layings(loaded.flow.id) if one.what == WHAT]
    tried.append(Laying(WHAT, folder, name, sha256, loaded.head, size_bytes=len(data)))
    ctx.vault.note_layings(loaded.flow.id, tried[-1:])
    reach("evidence-noted")
    whereto = (ctx, loaded.place.owner, folder, name)
    made = [kept for kept in map(ctx.blobs.get, earlier) if kept is not None]
    return _told(put_new(*whereto, data, sha256, or_any=earlier, versions=(), begun=made, check_held=check_held))


def _made(ctx: Context, loaded: Loaded) -> tuple[bytes, str]:
    """The one that was made before, while nothing has happened since: somebody may have been erased."""
    for one in ctx.vault.layings(loaded.flow.id):
        kept = ctx.blobs.get(one.sha256) if (one.what, one.head) == (WHAT, loaded.head) else None
        if kept is not None:
            return kept, one.sha256
    language = known(loaded.flow.language) or ctx.default_language
    data = dossier(evidence(ctx, loaded, beside=True), language, ctx.check_address, ctx.workshop, ctx.signer)
    sha256 = hashlib.sha256(data).hexdigest()
    ctx.blobs.put(data, sha256)
    return data, sha256


def _told(stored: Stored) -> StoredEvidence:
    return StoredEvidence(stored.file_id, Personal(CREATOR, stored.path), stored.sha256)

"""What became of the originals since they were pinned: the same, moved, changed, gone.

Signatures go on with what was pinned, and the panel says so; a validation waits for its creator (mission M26). An
original is known by its file id, wherever it was moved to; where that is gone, whatever lies under its name counts,
since many programs save by putting a new file in the old one's place. Content is read only where the ETag is another
one than last time.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from contextlib import suppress

import structlog

from plugin.actions.acting import MAX_TRIES
from plugin.actions.context import Context
from plugin.actions.pinning import is_large, seen_as
from plugin.actions.revisions import join
from plugin.flow.commands import NoteSource
from plugin.flow.decide import decide
from plugin.flow.errors import AccountOut, Conflict, NotFound, OutOfReach, Unavailable
from plugin.flow.events import Event
from plugin.flow.evolve import evolve
from plugin.flow.model import Document, Flow, FlowState, SourceState
from plugin.ports_files import FileInfo
from plugin.ports_state import ChainMoved, Loaded
from plugin.ports_vault import Seen

log = structlog.get_logger()


def originals(ctx: Context, loaded: Loaded) -> Mapping[int, FileInfo | None] | None:
    """Where each original is now; None for one that is not there. By one call, as long as all are where they were;
    None where the host cannot tell. Raises: Unavailable."""
    owner, documents = loaded.place.owner, loaded.flow.documents
    found = ctx.files.by_ids(owner, [document.file_id for document in documents])
    if found is None:
        return None
    return {document.n: found.get(document.file_id) or _by_name(ctx, owner, document) for document in documents}


def _by_name(ctx: Context, owner: str, document: Document) -> FileInfo | None:
    """Asked once more by its id: a search of many may have been cut short."""
    there = ctx.files.by_id(owner, document.file_id)
    path = _path_at_launch(document)
    if there is None and path is not None:
        there = ctx.files.stat(owner, path)
    return there if there is not None and not there.is_folder else None


def watch(ctx: Context, flow_id: str) -> None:
    """Looks at every original, and writes down what changed: so a validation is suspended, or goes on by itself.

    Raises: NotFound, Unavailable: then nobody knows, and nothing was changed.
    """
    loaded = ctx.flows.load(flow_id)
    if loaded is None:
        raise NotFound
    if loaded.is_newer or loaded.flow.state.is_ended or loaded.flow.all_decided:
        return
    where = originals(ctx, loaded)
    if where is None:
        return
    known, fresh, found = ctx.vault.seen(flow_id), {}, []
    for document in loaded.flow.documents:
        info, seen = where[document.n], known.get(document.n)
        if info is not None and not _is_as_seen(info, seen):
            seen = _looked_at(ctx, loaded.place.owner, info)
            if seen is None:
                continue  # it went away in between: the next look tells
        if info is not None and seen is not None:
            seen = Seen(seen.etag, seen.size_bytes, seen.sha256, info.path, seen.is_settled)
            if seen != known.get(document.n):
                fresh[document.n] = seen
        found.append(_note(document, info, seen))
    if fresh:
        ctx.vault.note_seen(flow_id, fresh)
    if any(_is_new(loaded.flow, note) for note in found):
        _write_down(ctx, flow_id, found)


def glance(ctx: Context, flow_id: str) -> None:
    """Before somebody approves: one call, and a look at what is not as it was at the last look. What is large
    is looked at afterwards: nobody waits for that.

    Raises: NotFound, Unavailable.
    """
    loaded = ctx.flows.load(flow_id)
    if loaded is None or loaded.is_newer or loaded.flow.state is not FlowState.RUNNING:
        return
    try:
        where = ctx.files.by_ids(loaded.place.owner, [document.file_id for document in loaded.flow.documents])
    except Unavailable:
        return  # what comes next tells
    known = ctx.vault.seen(flow_id)
    for document in loaded.flow.documents if where is not None else ():
        info, seen = (where or {}).get(document.file_id), known.get(document.n)
        if info is None and document.source is SourceState.GONE:
            continue
        if info is not None and seen is not None and _is_same_version(info, seen):
            continue
        if info is not None and is_large(ctx, info.size_bytes):
            ctx.jobs.look_after(flow_id)
            return
        with suppress(AccountOut, OutOfReach):  # nor can the approval be written down: that tells why, and suspends
            watch(ctx, flow_id)
        return


def _is_same_version(info: FileInfo, seen: Seen) -> bool:
    return (info.etag, info.size_bytes) == (seen.etag, seen.size_bytes)


def _is_as_seen(info: FileInfo, seen: Seen | None) -> bool:
    return seen is not None and seen.is_settled and _is_same_version(info, seen)


def _looked_at(ctx: Context, owner: str, info: FileInfo) -> Seen | None:
    """The content of now, with the ETag that belongs to it. Only a small one is read whole."""
    if not is_large(ctx, info.size_bytes):
        found = ctx.files.read_with_etag(owner, info.path)
        if found is None:
            return None
        return seen_as(ctx, info, found[1], hashlib.sha256(found[0]).hexdigest(), len(found[0]))
    running, length = hashlib.sha256(), 0
    with ctx.files.open_stream(owner, info.path) as stream:
        if stream is None:
            return None
        for piece in stream.pieces:
            running.update(piece)
            length += len(piece)
        return seen_as(ctx, info, stream.etag, running.hexdigest(), length)


def _note(document: Document, info: FileInfo | None, seen: Seen | None) -> NoteSource:
    if info is None or seen is None:
        return NoteSource(document.n, SourceState.GONE)
    if seen.sha256 != document.sha256:
        return NoteSource(document.n, SourceState.CHANGED, seen.sha256)
    path = _path_at_launch(document)
    is_moved = path is not None and _normal(info.path) != _normal(path)
    return NoteSource(document.n, SourceState.MOVED if is_moved else SourceState.SAME)


def _is_new(flow: Flow, note: NoteSource) -> bool:
    document = flow.documents[note.n]
    return (note.state, note.sha256) != (document.source, document.source_sha256)


def _path_at_launch(document: Document) -> str | None:
    """None once the creator was erased."""
    folder, name = document.folder.value, document.name.value
    return join(folder, name) if folder is not None and name else None


def _normal(path: str) -> str:
    """Hosts write the same name in either normal form."""
    return unicodedata.normalize("NFC", path)


def _write_down(ctx: Context, flow_id: str, notes: list[NoteSource]) -> None:
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = ctx.flows.load(flow_id)
            if loaded is None:
                raise NotFound
            if loaded.is_newer:
                return
            now = ctx.clock()
            flow, events = loaded.flow, list[Event]()
            for note in notes:
                for event in decide(flow, note, now):
                    flow = evolve(flow, event, now)
                    events.append(event)
            try:
                ctx.flows.append(loaded, lease, events, "system", now)
            except ChainMoved:
                continue
            states = {str(note.n): str(note.state) for note in notes}
            log.info("sources.noted", flow=flow_id, states=states, state=str(flow.state))
            ctx.jobs.look_at(flow_id)
            return
    raise Conflict("state-changed")

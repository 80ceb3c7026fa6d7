"""Everybody has decided: the signed copies are laid where the creator wanted them and the flow ends.

May run any number of times, and after a crash anywhere. A copy that is there already is recognised by its bytes;
where it is to be looked for is noted before it is put, since a folder may be gone or back by the next time.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from plugin.actions.acting import MAX_TRIES, load
from plugin.actions.context import Context
from plugin.actions.documents import Stored, find_put, leave_no_half, put_new
from plugin.actions.names import signed_name
from plugin.actions.places import Target, Targets, targets
from plugin.actions.revisions import fetch
from plugin.actions.together import together
from plugin.failpoints import reach
from plugin.flow.commands import Finish
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, FileTooLarge, HostBusy, HostUnavailable, OutOfReach, ParapheurError
from plugin.flow.model import CREATOR, Document, FlowState, Instead, Personal, SignedCopy
from plugin.ports_files import READ_ONLY, FileInfo, PreconditionFailed
from plugin.ports_state import ChainMoved, Check, Loaded
from plugin.ports_vault import Laying

MAX_LOOKS = 3
"""At an original that somebody writes at this very moment."""


def finish(ctx: Context, flow_id: str, known: Targets | None = None) -> Loaded:
    """``known``: as `targets_for_copies` has just found them.

    Raises: NotFound, Unavailable: then nothing was recorded, and it may be asked again.
    """
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            if loaded.flow.state is not FlowState.RUNNING or not loaded.flow.all_decided:
                return loaded
            held = partial(ctx.flows.check_held, lease)
            finish_with, now = Finish(_copies(ctx, loaded, known or {}, held)), ctx.clock()
            reach("copies-laid")
            try:
                loaded = ctx.flows.append(loaded, lease, decide(loaded.flow, finish_with, now), "system", now)
            except ChainMoved:
                continue
            ctx.vault.forget_layings(flow_id)
            ctx.jobs.look_at(flow_id)
            return loaded
    raise Conflict("state-changed")


def targets_for_copies(ctx: Context, loaded: Loaded) -> Targets:
    """Can be asked while the last revisions are on their way: it is where the originals are that counts. Empty where
    it cannot be found out now: `finish` asks again."""
    try:
        return targets(ctx, loaded, loaded.flow.documents)
    except ParapheurError:
        return {}


def _copies(ctx: Context, loaded: Loaded, known: Targets, check_held: Check) -> tuple[SignedCopy, ...]:
    """Side by side; but those of one name one after another, since they may meet in one folder."""
    documents = tuple(document for document in loaded.flow.documents if document.revisions)
    earlier = ctx.vault.layings(loaded.flow.id)
    if any(document.n not in known for document in documents):
        known = targets(ctx, loaded, documents)
    layings = [_laying(loaded, d, known[d.n]) for d in documents if known[d.n].over is None]
    ctx.vault.note_layings(loaded.flow.id, layings)
    same_name: dict[str, list[Document]] = {}
    for document in documents:
        key = unicodedata.normalize("NFC", _name_of_copy(loaded, document)).casefold()
        same_name.setdefault(key, []).append(document)

    def laid(group: list[Document]) -> list[SignedCopy]:
        return [_copy(ctx, loaded, document, known[document.n], earlier, check_held) for document in group]

    done = together([partial(laid, group) for group in same_name.values()])
    return tuple(sorted(chain.from_iterable(done), key=lambda copy: copy.n))


def _copy(
    ctx: Context,
    loaded: Loaded,
    document: Document,
    target: Target,
    earlier: Sequence[Laying],
    check_held: Check,
) -> SignedCopy:
    owner, data = loaded.place.owner, fetch(ctx, loaded, document, document.current_sha256)
    for one in earlier:
        if (one.what, one.sha256) != (_what(document), document.current_sha256):
            continue
        there = find_put(ctx, owner, loaded.flow.id, replace(one, size_bytes=len(data)))
        if there is not None:
            return _told(document, there, one.instead)
    if target.over is not None:
        done = _new_version(ctx, loaded, target.over, document, data, check_held)
        if isinstance(done, Stored):
            versions = {document.sha256, *document.revisions}
            for one in earlier:  # it was to lie beside, since the original was locked for a moment
                if one.what == _what(document):
                    leave_no_half(ctx, owner, one, data, versions, check_held)
            reach("copy-laid")
            return _told(document, done, None)
        target = Target(target.folder, instead=done)
        ctx.vault.note_layings(loaded.flow.id, [_laying(loaded, document, target)])
    laying = _laying(loaded, document, target)
    versions = {document.sha256, *document.revisions}
    stored = put_new(
        ctx, owner, laying.folder, laying.name, data, laying.sha256, versions=versions, check_held=check_held
    )
    reach("copy-laid")
    return _told(document, stored, target.instead)


def _new_version(
    ctx: Context,
    loaded: Loaded,
    original: FileInfo,
    document: Document,
    data: bytes,
    check_held: Check,
) -> Stored | Instead:
    """Puts ``data`` over the original, where that holds exactly what was pinned; or half of ``data``, as a host leaves
    it that lost the connection while this was done before: that it was begun is noted. An emptied original, or one of
    the revisions between, is what somebody else put there. Such a half is not left for a lock, nor because it is
    refused for a moment: it waits.

    Raises: Unavailable.
    """
    owner = loaded.place.owner
    over = Laying(f"over:{document.n}", original.folder, original.name, document.current_sha256, loaded.head)
    if original.size_bytes > len(data):
        return Instead.CHANGED  # of any size: it is not read
    is_half = False
    for _ in range(MAX_LOOKS):
        try:
            found = ctx.files.read_with_etag(owner, original.path)
        except FileTooLarge:  # it grew since it was looked at
            return Instead.CHANGED
        if found is None:
            return Instead.GONE
        content, etag = found
        if content == data:
            return Stored(original.path, original.file_id, document.current_sha256)
        is_half = hashlib.sha256(content).hexdigest() != document.sha256
        if is_half and not (_was_begun(ctx, loaded.flow.id, over) and _is_half(content, document, data)):
            return Instead.CHANGED
        ctx.vault.note_layings(loaded.flow.id, [over])
        check_held()
        try:
            written = ctx.files.write(owner, original.path, data, if_match=etag)
        except PreconditionFailed:
            continue
        except HostBusy:
            if is_half:
                raise
            return Instead.LOCKED
        except OutOfReach as denied:
            if denied.code != READ_ONLY:
                raise
            return Instead.READ_ONLY
        stored = written.sha256
        if stored is None:
            there = ctx.files.read(owner, original.path)
            stored = hashlib.sha256(there).hexdigest() if there is not None else ""
        if stored != document.current_sha256:
            raise HostUnavailable("half-written")
        return Stored(original.path, original.file_id, document.current_sha256)
    if is_half:
        raise HostBusy
    return Instead.CHANGED


def _was_begun(ctx: Context, flow_id: str, over: Laying) -> bool:
    return any((one.what, one.sha256) == (over.what, over.sha256) for one in ctx.vault.layings(flow_id))


def _is_half(content: bytes, document: Document, data: bytes) -> bool:
    return data.startswith(content) and hashlib.sha256(content).hexdigest() not in document.revisions


def _laying(loaded: Loaded, document: Document, target: Target) -> Laying:
    name = _name_of_copy(loaded, document)
    return Laying(_what(document), target.folder, name, document.current_sha256, loaded.head, target.instead)


def _what(document: Document) -> str:
    return f"copy:{document.n}"


def _told(document: Document, stored: Stored, instead: Instead | None) -> SignedCopy:
    return SignedCopy(document.n, stored.file_id, Personal(CREATOR, stored.path), document.current_sha256, instead)


def _name_of_copy(loaded: Loaded, document: Document) -> str:
    return signed_name(document.name.value or "document.pdf", loaded.flow.language)

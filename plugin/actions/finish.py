"""Everybody has decided: the signed copies are laid beside the originals and the flow ends.

May run any number of times, and after a crash anywhere: a copy that is there already is recognised by its bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import partial
from itertools import chain

from plugin.actions.accounts import check_creators_account
from plugin.actions.acting import MAX_TRIES, load
from plugin.actions.context import Context
from plugin.actions.documents import put_new
from plugin.actions.names import signed_name
from plugin.actions.revisions import fetch, kept_at_home
from plugin.actions.together import together
from plugin.failpoints import reach
from plugin.flow.commands import Finish
from plugin.flow.decide import decide
from plugin.flow.errors import Conflict, ParapheurError
from plugin.flow.model import CREATOR, Document, FlowState, Personal, SignedCopy
from plugin.ports import ChainMoved, Loaded

Folders = Mapping[int, str]
"""Document -> where its signed copy goes."""


def finish(ctx: Context, flow_id: str, folders: Folders | None = None) -> Loaded:
    """``folders``: as `folders_for_copies` has just found them.

    Raises: NotFound, Unavailable: then nothing was recorded, and it may be asked again.
    """
    with ctx.flows.lease(flow_id) as lease:
        for _ in range(MAX_TRIES):
            loaded = load(ctx, flow_id)
            if loaded.flow.state is not FlowState.RUNNING or not loaded.flow.all_decided:
                return loaded
            finish_with, now = Finish(_copies(ctx, loaded, folders or {})), ctx.clock()
            reach("copies-laid")
            try:
                loaded = ctx.flows.append(loaded, lease, decide(loaded.flow, finish_with, now), "system", now)
            except ChainMoved:
                continue
            ctx.jobs.look_at(flow_id)
            return loaded
    raise Conflict("state-changed")


def folders_for_copies(ctx: Context, loaded: Loaded) -> Folders:
    """Can be asked while the last revisions are on their way: it is where the originals are that counts. Empty where
    it cannot be found out now: `finish` asks again."""
    try:
        return {d.n: _folder_for_copy(ctx, loaded, d) for d in loaded.flow.documents}
    except ParapheurError:
        return {}


def _copies(ctx: Context, loaded: Loaded, folders: Folders) -> tuple[SignedCopy, ...]:
    """Side by side; but those of one name one after another, since they may meet in one folder."""
    same_name: dict[str, list[Document]] = {}
    for document in loaded.flow.documents:
        if document.revisions:
            key = unicodedata.normalize("NFC", _name_of_copy(loaded, document)).casefold()
            same_name.setdefault(key, []).append(document)

    def laid(documents: list[Document]) -> list[SignedCopy]:
        return [_copy(ctx, loaded, document, folders.get(document.n)) for document in documents]

    done = together([partial(laid, documents) for documents in same_name.values()])
    return tuple(sorted(chain.from_iterable(done), key=lambda copy: copy.n))


def _copy(ctx: Context, loaded: Loaded, document: Document, folder: str | None) -> SignedCopy:
    data = fetch(ctx, loaded, document, document.current_sha256)
    name = _name_of_copy(loaded, document)
    if folder is None:
        folder = _folder_for_copy(ctx, loaded, document)
    stored = put_new(ctx, loaded.place.owner, folder, name, data, document.current_sha256)
    reach("copy-laid")
    return SignedCopy(document.n, stored.file_id, Personal(CREATOR, stored.path), document.current_sha256)


def _name_of_copy(loaded: Loaded, document: Document) -> str:
    return signed_name(document.name.value or "document.pdf", loaded.flow.language)


def _folder_for_copy(ctx: Context, loaded: Loaded, document: Document) -> str:
    """That of the original wherever it was moved to, unless the creator may not write there; then where it was at
    launch, as long as that is there; else the creator's root."""
    owner, at_launch = loaded.place.owner, document.folder.value or ""
    original = None if document.kept_at_home else ctx.files.by_id(owner, document.file_id)
    if original is not None and (original.folder == at_launch or not kept_at_home(ctx, owner, [original])[0]):
        return original.folder
    check_creators_account(ctx, loaded)
    if document.kept_at_home:
        return ""
    return at_launch if at_launch and ctx.files.stat(owner, at_launch) is not None else ""

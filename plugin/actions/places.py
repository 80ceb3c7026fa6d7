"""Where results go: beside the original, over it as its newest version, or into a folder that the creator chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from plugin.actions.accounts import check_creators_account
from plugin.actions.context import Context
from plugin.actions.revisions import kept_at_home
from plugin.actions.together import together
from plugin.flow.model import Document, Instead, SaveMode
from plugin.ports_files import FileInfo
from plugin.ports_state import Loaded


@dataclass(frozen=True, slots=True)
class Target:
    """``over``: the original of which the copy becomes the newest version; else it is a new file in ``folder``.

    ``instead``: why it is not where it was asked for.
    """

    folder: str
    over: FileInfo | None = None
    instead: Instead | None = None


Targets = Mapping[int, Target]
"""Document -> where its signed copy goes."""


def targets(ctx: Context, loaded: Loaded, documents: tuple[Document, ...]) -> dict[int, Target]:
    """What the host says of them now. Raises: AccountOut, Unavailable."""
    instead = None
    if loaded.flow.save.mode is SaveMode.FOLDER:
        chosen = _chosen_folder(ctx, loaded)
        if not isinstance(chosen, Instead):
            return {document.n: Target(chosen) for document in documents}
        instead = chosen
    found = together([partial(_target, ctx, loaded, document) for document in documents])
    return {
        document.n: replace(target, instead=target.instead or instead)
        for document, target in zip(documents, found, strict=True)
    }


def folder_for_evidence(ctx: Context, loaded: Loaded) -> str:
    """That of the first signed copy; where there is none, or its folder is to take new files only by chance, that of
    the first document's would-be copy. Raises: as ``targets``."""
    first = loaded.flow.documents[0]
    if first.signed is not None and first.signed.path.value and loaded.flow.save.mode is not SaveMode.VERSION:
        return first.signed.path.value.rpartition("/")[0]
    return would_be_folder(ctx, loaded)


def would_be_folder(ctx: Context, loaded: Loaded) -> str:
    """Where a copy of the first document would go now, as a new file. Raises: as ``targets``."""
    first = loaded.flow.documents[0]
    return targets(ctx, loaded, (first,))[first.n].folder


def _chosen_folder(ctx: Context, loaded: Loaded) -> str | Instead:
    """Wherever it was moved to: it is known by its id. The creator's root is never moved, nor always found by one."""
    save = loaded.flow.save
    check_creators_account(ctx, loaded)
    if save.folder is not None and save.folder.value == "":
        return ""
    found = ctx.files.by_id(loaded.place.owner, save.folder_id) if save.folder_id is not None else None
    if found is None or not found.is_folder:
        return Instead.GONE
    return found.path if found.can_write else Instead.READ_ONLY


def _target(ctx: Context, loaded: Loaded, document: Document) -> Target:
    is_version = loaded.flow.save.mode is SaveMode.VERSION
    looks = is_version or not document.kept_at_home
    original = ctx.files.by_id(loaded.place.owner, document.file_id) if looks else None
    folder = _beside(ctx, loaded, document, original if not document.kept_at_home else None)
    if not is_version:
        return Target(folder)
    if original is None or original.is_folder:
        return Target(folder, instead=Instead.GONE)
    return Target(folder, over=original) if original.can_write else Target(folder, instead=Instead.READ_ONLY)


def _beside(ctx: Context, loaded: Loaded, document: Document, original: FileInfo | None) -> str:
    """The folder of the original wherever it was moved to, unless the creator may not write there; then where it was
    at launch, as long as that is there; else the creator's root."""
    owner, at_launch = loaded.place.owner, document.folder.value or ""
    if original is not None and (original.folder == at_launch or not kept_at_home(ctx, owner, [original])[0]):
        return original.folder
    check_creators_account(ctx, loaded)
    if document.kept_at_home:
        return ""
    return at_launch if at_launch and ctx.files.stat(owner, at_launch) is not None else ""

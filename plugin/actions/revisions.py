"""Where the bytes of a flow's documents lie, and how they are fetched and stored: always checked by their SHA-256."""

from __future__ import annotations

import hashlib

from plugin.actions.context import Context
from plugin.flow.errors import HostUnavailable
from plugin.flow.model import Document
from plugin.ports import Loaded, PreconditionFailed


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def revision_folder(document_folder: str, flow_id: str) -> str:
    return join(document_folder, f".flows/{flow_id}")


def folder_of(loaded: Loaded, document: Document) -> str:
    home_or_beside = "" if document.kept_at_home else (document.folder.value or "")
    return revision_folder(home_or_beside, loaded.flow.id)


def fetch(ctx: Context, loaded: Loaded, document: Document, sha256: str) -> bytes:
    """The revision of that hash: from the local cache, else from beside the document, wherever that was moved to.

    Raises: HostUnavailable("revision-missing") when it is nowhere, or no longer what it was.
    """
    cached = ctx.blobs.get(sha256)
    if cached is not None:
        return cached
    owner = loaded.place.owner
    data = ctx.files.read(owner, f"{folder_of(loaded, document)}/{sha256}")
    if data is None and not document.kept_at_home:
        moved = ctx.files.by_id(owner, document.file_id)
        if moved is not None:
            beside = moved.path.rpartition("/")[0]
            data = ctx.files.read(owner, f"{revision_folder(beside, loaded.flow.id)}/{sha256}")
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise HostUnavailable("revision-missing", n=document.n)
    ctx.blobs.put(data)
    return data


def store(ctx: Context, owner: str, folder: str, data: bytes) -> str:
    """Writes a revision under its hash and makes sure that it arrived whole. Returns: its SHA-256.

    The same revision already there is fine. The folder must exist.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    path = f"{folder}/{sha256}"
    try:
        written = ctx.files.write(owner, path, data, only_new=True)
    except PreconditionFailed:
        stored = None
    else:
        stored = written.sha256
    if stored is None:
        there = ctx.files.read(owner, path)
        stored = hashlib.sha256(there).hexdigest() if there is not None else ""
    if stored != sha256:
        ctx.files.delete(owner, path)
        raise HostUnavailable("half-written")
    ctx.blobs.put(data)
    return sha256


def tidy(ctx: Context, loaded: Loaded) -> None:
    """Removes what no line of the chain speaks of, and all revisions but the latest and the one before.

    Call it under the flow's lease only: a revision that is being signed is not in the chain yet.
    """
    owner = loaded.place.owner
    for folder in {folder_of(loaded, d) for d in loaded.flow.documents}:
        wanted = {
            sha
            for d in loaded.flow.documents
            if folder_of(loaded, d) == folder
            for sha in (d.revisions[-2:] or (d.sha256,))
        }
        for entry in ctx.files.list(owner, folder):
            if len(entry.name) == 64 and entry.name not in wanted:
                ctx.files.delete(owner, f"{folder}/{entry.name}")

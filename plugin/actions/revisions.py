"""Where the bytes of a flow's documents lie, and how they are fetched and stored: always checked by their SHA-256."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain

import structlog

from plugin.actions.accounts import check_creators_account
from plugin.actions.context import Context
from plugin.actions.together import together
from plugin.failpoints import reach
from plugin.flow.codec import from_data
from plugin.flow.errors import AccountOut, FileTooLarge, HostUnavailable, OutOfReach, ParapheurError
from plugin.flow.events import Launched, Restarted
from plugin.flow.model import Document
from plugin.ports_files import READ_ONLY, FileInfo, PreconditionFailed
from plugin.ports_state import ChainBroken, Loaded

log = structlog.get_logger()
_REVISION = re.compile(r"[0-9a-f]{64}", re.ASCII)

UNNAMED = "pinning-"
"""Begins the name of a copy that has no hash yet."""


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def revision_folder(document_folder: str, flow_id: str) -> str:
    return join(document_folder, f".flows/{flow_id}")


def kept_at_home(ctx: Context, user: str, chosen: Sequence[FileInfo]) -> list[bool]:
    """Whether each document's revisions must lie in the creator's home: its own folder takes no new files."""
    return [folder is None for folder in writable_folders(ctx, user, chosen)]


def writable_folders(ctx: Context, user: str, chosen: Sequence[FileInfo]) -> list[str | None]:
    """Of each document the id of its folder, "" for the user's root; None where it takes no new files."""
    found: dict[str, str | None] = {"": ""}
    for info in chosen:
        if info.folder not in found:
            there = ctx.files.stat(user, info.folder)
            found[info.folder] = there.file_id if there is not None and there.can_write else None
    return [found[info.folder] for info in chosen]


def may_write(ctx: Context, loaded: Loaded) -> bool:
    """Whether the creator can still add to what lies beside the documents, as far as that is where it was."""
    folders = [loaded.place.folder, *(folder_of(loaded, document) for document in loaded.flow.documents)]
    found = (ctx.files.stat(loaded.place.owner, folder) for folder in dict.fromkeys(folders))
    return all(folder is None or folder.can_write for folder in found)


def folder_of(loaded: Loaded, document: Document) -> str:
    """Where the revisions were laid at launch."""
    home_or_beside = "" if document.kept_at_home else (document.folder.value or "")
    return revision_folder(home_or_beside, loaded.flow.id)


def _places(ctx: Context, loaded: Loaded, document: Document) -> Iterator[str]:
    """Where the revisions may lie, the likeliest first; whoever renames or moves a folder takes them along.

    The last one costs a call of the host. A document with a folder of its own is never looked for beside others.
    """
    pinned = folder_of(loaded, document)
    places = [pinned]
    if pinned == folder_of(loaded, loaded.flow.documents[0]) and loaded.place.folder != pinned:
        places.insert(0, loaded.place.folder)  # that of the state file, which was seen to have moved
    yield from places
    if document.kept_at_home:
        return
    original = ctx.files.by_id(loaded.place.owner, document.file_id)
    if original is not None:
        beside = revision_folder(original.folder, loaded.flow.id)
        if beside not in places:
            yield beside


def _elsewhere(ctx: Context, loaded: Loaded, sha256: str) -> Iterator[str]:
    """The last resort: a document was moved out of its folder, and that folder was moved as well. Searched for by
    name, on a host that can."""
    for info in ctx.files.find_by_name(loaded.place.owner, sha256) or ():
        if f"/{info.folder}".endswith(f"/{revision_folder('', loaded.flow.id)}"):
            yield info.folder


def fetch(ctx: Context, loaded: Loaded, document: Document, sha256: str) -> bytes:
    """The revision of that hash: from the local cache, else from beside the document, wherever that was moved to.

    Raises: HostUnavailable("revision-missing") when it is nowhere, or no longer what it was; OutOfReach when the
    document and its folder are not there either.
    """
    cached = ctx.blobs.get(sha256)
    if cached is not None:
        return cached
    for folder in chain(_places(ctx, loaded, document), _elsewhere(ctx, loaded, sha256)):
        data = _read(ctx, loaded.place.owner, f"{folder}/{sha256}")
        reach("document-read")
        if data is not None and hashlib.sha256(data).hexdigest() == sha256:
            reach("hashes-checked")
            ctx.blobs.put(data, sha256)
            return data
    _check_in_reach(ctx, loaded, document)
    raise HostUnavailable("revision-missing", n=document.n)


def _read(ctx: Context, owner: str, path: str) -> bytes | None:
    """None also where what lies there is larger than any revision: it is none."""
    try:
        return ctx.files.read(owner, path)
    except FileTooLarge:
        return None


@contextmanager
def opened(ctx: Context, loaded: Loaded, document: Document, sha256: str) -> Iterator[Iterator[bytes]]:
    """The same for a revision of any size, piece by piece and past the cache. Its last piece comes only when all of it
    was what its hash says; else HostUnavailable("revision-missing") is raised in its place.

    Raises: as ``fetch``.
    """
    for folder in chain(_places(ctx, loaded, document), _elsewhere(ctx, loaded, sha256)):
        with ctx.files.open_stream(loaded.place.owner, f"{folder}/{sha256}") as stream:
            if stream is not None:
                yield _checked(stream.pieces, document, sha256)
                return
    _check_in_reach(ctx, loaded, document)
    raise HostUnavailable("revision-missing", n=document.n)


def _checked(pieces: Iterator[bytes], document: Document, sha256: str) -> Iterator[bytes]:
    running, held = hashlib.sha256(), b""
    for piece in pieces:
        running.update(piece)
        if held:
            yield held
        held = piece
    if running.hexdigest() != sha256:
        log.warning("revision.altered", n=document.n)
        raise HostUnavailable("revision-missing", n=document.n)
    yield held


def _check_in_reach(ctx: Context, loaded: Loaded, document: Document) -> None:
    """Raises: OutOfReach, where neither the document nor the folder that it lay in is there for the creator."""
    owner, folder = loaded.place.owner, document.folder.value
    if document.kept_at_home or not folder or ctx.files.stat(owner, folder) is not None:
        return
    beside_first = folder == loaded.flow.documents[0].folder.value and loaded.place.folder != revision_folder(
        "", loaded.flow.id
    )
    if beside_first and ctx.files.stat(owner, loaded.place.folder) is not None:
        return  # that folder was moved
    if ctx.files.by_id(owner, document.file_id) is None:
        raise OutOfReach


LATE = "late-revision"
"""The piece of work, and its reason: what a host gave no answer to, it may still do, after the flow was tidied."""
LATE_LOOKS, LATE_TRIES = 4, 60
"""So often it is looked for; so often where the host does not let us."""


def add(ctx: Context, loaded: Loaded, document: Document, data: bytes, sha256: str) -> None:
    """A new revision, stored where the others lie now; where their folder is gone, it is made beside the document.

    ``sha256``: its own, hex. Raises: OutOfReach, where there is no such place any more; Unavailable.
    """
    try:
        _add(ctx, loaded, document, data, sha256)
    except HostUnavailable:
        may_come_late(ctx, loaded.flow.id)
        raise


def may_come_late(ctx: Context, flow_id: str) -> None:
    """A revision of which no line speaks may lie there after the flow was tidied for the last time."""
    if LATE not in ctx.vault.attempts(flow_id):
        ctx.vault.postpone(flow_id, LATE, ctx.clock(), LATE)


def tidy_late(ctx: Context) -> None:
    """Flows that have ended and in which a revision may have come late are tidied again, for a minute; for longer
    where the host did not let us."""
    for flow_id in ctx.vault.put_off(LATE, ctx.clock()):
        looks = LATE_LOOKS
        try:
            if not tidy_ended(ctx, flow_id):
                continue
        except (ParapheurError, ChainBroken) as error:
            log.warning("tidy.later", flow=flow_id, reason=str(error))
            looks = LATE_TRIES
        if ctx.vault.attempts(flow_id).get(LATE, (looks, ""))[0] < looks:
            ctx.vault.postpone(flow_id, LATE, ctx.clock(), LATE)
        else:
            ctx.vault.release(flow_id, LATE)


def tidy_ended(ctx: Context, flow_id: str) -> bool:
    """Returns: false where it has not ended yet. Raises: as what reads and writes in its folders."""
    with ctx.flows.lease(flow_id):
        loaded = ctx.flows.load(flow_id)
        if loaded is not None and not loaded.is_newer and loaded.flow.state.is_ended:
            tidy(ctx, loaded)
        return loaded is None or loaded.flow.state.is_ended


def _add(ctx: Context, loaded: Loaded, document: Document, data: bytes, sha256: str) -> None:
    owner = loaded.place.owner
    places = _places(ctx, loaded, document)
    folder = next(places)
    try:
        store(ctx, owner, folder, data, sha256)
    except HostUnavailable:
        if ctx.files.stat(owner, folder) is not None:
            raise
    else:
        return
    for folder in places:
        if ctx.files.stat(owner, folder) is not None:
            break
    else:
        _check_in_reach(ctx, loaded, document)
        check_creators_account(ctx, loaded)
        ctx.files.make_folder(owner, folder)
    store(ctx, owner, folder, data, sha256)


def store_first(ctx: Context, owner: str, folder: str, data: bytes) -> str:
    """As ``store``, where the folder may have to be made: by the same call on a host that can. Returns: its hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        store(ctx, owner, folder, data, sha256, make_folders=True)
    except HostUnavailable:
        ctx.files.make_folder(owner, folder)
        store(ctx, owner, folder, data, sha256)
    return sha256


def store(ctx: Context, owner: str, folder: str, data: bytes, sha256: str, *, make_folders: bool = False) -> None:
    """Writes a revision under its hash and makes sure that it arrived whole.

    The same revision already there is fine. The folder must exist.
    """
    path = f"{folder}/{sha256}"
    upload = partial(_uploaded, ctx, owner, path, data, make_folders)
    stored, _ = together([upload, partial(ctx.blobs.put, data, sha256)])
    if stored != sha256:
        take_wrong_away(ctx, owner, path, sha256)
        raise HostUnavailable("half-written")
    reach("revision-checked")


def take_wrong_away(ctx: Context, owner: str, path: str, sha256: str) -> None:
    """What lies there under a hash that is not its own; nothing that is right, or was put right since it was looked
    at: others, who came later than whoever stood still, may count on it."""
    running = hashlib.sha256()
    with ctx.files.open_stream(owner, path) as stream:
        if stream is None:
            return
        for piece in stream.pieces:
            running.update(piece)
    if running.hexdigest() == sha256:
        return
    try:
        ctx.files.delete(owner, path, if_match=stream.etag)
    except PreconditionFailed:  # a tag that is weak for the first second matches nothing
        with ctx.files.open_stream(owner, path) as again:
            if again is None or again.etag != stream.etag:
                return
        ctx.files.delete(owner, path)


def _uploaded(ctx: Context, owner: str, path: str, data: bytes, make_folders: bool) -> str:
    """Returns: the SHA-256 of what lies there now; "" for nothing."""
    try:
        written = ctx.files.write(owner, path, data, only_new=True, make_folders=make_folders)
        reach("revision-uploaded")
    except PreconditionFailed:
        pass
    else:
        if written.sha256 is not None:
            return written.sha256
    there = _read(ctx, owner, path)
    return hashlib.sha256(there).hexdigest() if there is not None else ""


def take_back(ctx: Context, loaded: Loaded, document: Document, sha256: str) -> None:
    """Removes a revision of which no line of the chain speaks, as far as that can be done now; else it is swept when
    the flow ends."""
    try:
        ctx.files.delete(loaded.place.owner, f"{next(_places(ctx, loaded, document))}/{sha256}")
    except ParapheurError:
        log.info("file.left_behind")


def tidy(ctx: Context, loaded: Loaded, *, may_wait: bool = False) -> None:
    """Removes what no line of the chain speaks of, and all revisions but the latest and the one before.

    Call it under the flow's lease only: a revision that is being signed is not in the chain yet. ``may_wait``: what
    the host cannot search for now is looked for later.
    """
    owner, documents = loaded.place.owner, loaded.flow.documents
    wanted = {sha256 for d in documents for sha256 in (d.revisions[-2:] or (d.sha256,))}
    laid = _laid_in(loaded)
    found = {
        folder: _tidied(ctx, owner, folder, wanted)
        for folder in dict.fromkeys((loaded.place.folder, *laid))
        if folder is not None
    }
    if None not in laid and all(found.values()):
        # none is missing: where folders took each other's names, all of them were tidied all the same
        places = _beside(ctx, loaded)
    else:
        places = chain.from_iterable(_anywhere(ctx, loaded, document) for document in documents)
    try:
        for folder in places:
            if folder not in found:
                found[folder] = _tidied(ctx, owner, folder, wanted)
    except HostUnavailable as error:
        if not may_wait or isinstance(error, (AccountOut, OutOfReach)):
            raise
        log.warning("tidy.elsewhere_later", flow=loaded.flow.id, reason=error.code)
        may_come_late(ctx, loaded.flow.id)


def _anywhere(ctx: Context, loaded: Loaded, document: Document) -> Iterator[str]:
    yield from _places(ctx, loaded, document)
    yield from _elsewhere(ctx, loaded, (document.revisions or (document.sha256,))[0])


def _beside(ctx: Context, loaded: Loaded) -> Iterator[str]:
    """Beside the documents as they lie now, by one call: a folder that was renamed right while the flow was launched
    took the first revisions along, and another one of its name was made for the rest."""
    ids = [document.file_id for document in loaded.flow.documents if not document.kept_at_home]
    for original in (ctx.files.by_ids(loaded.place.owner, ids) or {}).values() if ids else ():
        yield revision_folder(original.folder, loaded.flow.id)


def _laid_in(loaded: Loaded) -> list[str | None]:
    """Where revisions were laid at launch and at each restart; None for a folder of which nothing is known any more,
    since the creator was erased."""
    events = (from_data(r.type, r.data) for r in loaded.records if r.type in (Launched.type, Restarted.type))
    pinned = (document for event in events for document in getattr(event, "documents", ()))
    return [
        revision_folder("" if one.kept_at_home else one.folder.value, loaded.flow.id)
        if one.kept_at_home or one.folder.value is not None
        else None
        for one in pinned
    ]


def _tidied(ctx: Context, owner: str, folder: str, wanted: Collection[str]) -> bool:
    """Returns: whether there was anything in it."""
    entries = ctx.files.list(owner, folder)
    for entry in entries:
        is_stray = _REVISION.fullmatch(entry.name) and not entry.is_folder and entry.name not in wanted
        if entry.name.startswith(UNNAMED) or is_stray:
            with as_far_as_allowed():
                ctx.files.delete(owner, f"{folder}/{entry.name}")
            reach("tidying")
    return bool(entries)


@contextmanager
def as_far_as_allowed() -> Iterator[None]:
    """For what is taken away: a folder can be shared to write in and not to delete from."""
    try:
        yield
    except OutOfReach as error:
        if error.code != READ_ONLY:
            raise
        log.info("file.left_behind")

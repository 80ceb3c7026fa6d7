"""Looking at the host's files before a flow exists: are they fit, what do their pages look like, put one beside."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from pdfops.errors import PdfError
from pdfops.inspect import Inspection
from pdfops.preview import ImageFormat
from plugin.actions.context import Context
from plugin.actions.names import names_like, safe_name
from plugin.actions.papers import unusable
from plugin.actions.revisions import as_far_as_allowed, join, kept_at_home
from plugin.actions.waiting import SEARCH
from plugin.flow.errors import HostUnavailable, NotFound, Unavailable, UnusableDocument
from plugin.ports_files import FileInfo, PreconditionFailed
from plugin.ports_state import Check, nothing
from plugin.ports_vault import Laying

log = structlog.get_logger()
MAX_RECORD_BYTES = 64_000_000
"""What is larger is no evidence record."""
SEARCHES = 5
"""So often a search for a result may fail before it is put again though nobody knows whether it lies elsewhere."""
PDF_START, PDF_END = b"%PDF-", b"%%EOF"


@dataclass(frozen=True, slots=True)
class Examined:
    """One selected file. ``problem`` is the code of why it cannot be signed; None when it can.

    ``page`` is the page that the problem is with, where it is with one. ``at_home``: its folder takes no new files, so
    what is made of it goes into the user's own root.
    """

    file_id: str
    info: FileInfo | None
    inspection: Inspection | None
    problem: str | None
    page: int | None = None
    at_home: bool = False


def examine(ctx: Context, user: str, file_ids: list[str]) -> list[Examined]:
    """Each file by itself: one that is unfit never spoils the others. Those that fit are counted together, by the
    bytes that were read: the one that goes over the limit is refused, smaller ones after it may still fit."""
    examined = []
    total_bytes = 0
    for file_id in file_ids:
        one = _examine_one(ctx, user, file_id)
        size_bytes = one.info.size_bytes if one.problem is None and one.info is not None else 0
        if total_bytes + size_bytes > ctx.limits.collection_bytes:
            one = replace(one, inspection=None, problem="over-the-limit")
        else:
            total_bytes += size_bytes
        examined.append(one)
    fit = [one.info for one in examined if one.problem is None and one.info is not None]
    homes = dict(zip((info.file_id for info in fit), kept_at_home(ctx, user, fit), strict=True))
    return [replace(one, at_home=homes.get(one.file_id, False)) for one in examined]


def _examine_one(ctx: Context, user: str, file_id: str) -> Examined:
    info = ctx.files.by_id(user, file_id)
    if info is None:
        return Examined(file_id, None, None, "no-such-file")
    if info.is_folder:
        return Examined(file_id, info, None, "is-a-folder")
    if info.size_bytes > ctx.limits.collection_bytes:
        return Examined(file_id, info, None, "over-the-limit")
    data = ctx.files.read(user, info.path)
    if data is None:
        return Examined(file_id, None, None, "no-such-file")
    info = replace(info, size_bytes=len(data))
    try:
        inspection = ctx.workshop.inspect(data)
        ctx.workshop.check_renders(data, inspection.pages)
    except PdfError as error:
        page = error.values.get("page") if error.code == "unrenderable" else None
        return Examined(file_id, info, None, error.code, page if isinstance(page, int) else None)
    ctx.blobs.put(data)
    return Examined(file_id, info, inspection, None)


def starts_as_pdf(ctx: Context, user: str, file_id: str) -> bool:
    """Judged by content, whatever its name; only the first bytes are fetched."""
    info = ctx.files.by_id(user, file_id)
    if info is None or info.is_folder:
        return False
    return ctx.files.read_start(user, info.path, len(PDF_START)) == PDF_START


def page_image(ctx: Context, user: str, file_id: str, page: int, width_px: int, image_format: ImageFormat) -> bytes:
    """A page of a file that the user may read. Raises: NotFound, UnusableDocument."""
    info = ctx.files.by_id(user, file_id)
    if info is None or info.is_folder:
        raise NotFound
    if info.size_bytes > ctx.limits.collection_bytes:
        raise UnusableDocument("over-the-limit", file_id, info.name, limit_mb=_limit_mb(ctx))
    data = ctx.files.read(user, info.path)
    if data is None:
        raise NotFound
    return ctx.workshop.preview(data, page, width_px, image_format)


@dataclass(frozen=True, slots=True)
class Placed:
    file_id: str
    name: str
    size_bytes: int


def put_beside(ctx: Context, user: str, file_id: str | None, name: str, data: bytes) -> Placed:
    """A PDF from the computer, stored beside a file (None: in the user's root), never overwriting.

    Raises: NotFound, UnusableDocument.
    """
    if len(data) > ctx.limits.collection_bytes:
        raise UnusableDocument("over-the-limit", "", name, limit_mb=_limit_mb(ctx))
    folder = ""
    if file_id is not None:
        beside = ctx.files.by_id(user, file_id)
        if beside is None:
            raise NotFound
        folder = "" if kept_at_home(ctx, user, [beside])[0] else beside.folder
    clean = safe_name(name)
    try:
        ctx.workshop.check_renders(data, ctx.workshop.inspect(data).pages)
    except PdfError as error:
        raise unusable(error, "", clean) from error
    stored = put_new(ctx, user, folder, clean, data, hashlib.sha256(data).hexdigest())
    return Placed(stored.file_id, stored.path.rpartition("/")[2], len(data))


@dataclass(frozen=True, slots=True)
class Stored:
    path: str
    file_id: str
    sha256: str


def put_new(
    ctx: Context,
    user: str,
    folder: str,
    name: str,
    data: bytes,
    wanted: str,
    *,
    or_any: Collection[str] = (),
    versions: Collection[str] | None = None,
    begun: Sequence[bytes] = (),
    check_held: Check = nothing,
) -> Stored:
    """Stores under ``name`` or the next free one; a file that already holds these very bytes is taken as ours.

    ``wanted``: the SHA-256 of ``data``, hex; ``or_any``: those of what may have been put in its stead before.
    ``versions``: those of all that ``data`` began as. What begins like it and is none of them was cut off on its way,
    and is written again; None: nothing is known of where it came from. ``begun``: what may have been cut off before in
    its stead. ``check_held``: that nobody else is at it by now.
    Raises: HostUnavailable when it did not arrive whole, or no name is free.
    """
    for number, one in enumerate(names_like(name, wanted)):
        path = join(folder, one)
        there = ctx.files.stat(user, path) if number else None  # where one name is taken, more may be
        if there is None:
            try:
                return _put(ctx, user, path, data, wanted, check_held)
            except PreconditionFailed:
                there = ctx.files.stat(user, path)
                if there is None:  # taken, says the host, and not there: who believes the latter makes a second copy
                    raise HostUnavailable from None
        fits = there.size_bytes == len(data) or (bool(or_any) and there.size_bytes <= MAX_RECORD_BYTES)
        if fits and not there.is_folder:
            found = _hash_of(ctx, user, path)
            if found is None:
                raise HostUnavailable
            if found in (wanted, *or_any):
                return Stored(path, there.file_id, found)
        if versions is not None and _is_cut_off(ctx, user, there, (data, *begun), versions):
            try:
                return _put(ctx, user, path, data, wanted, check_held, instead_of=there)
            except PreconditionFailed:  # somebody was there first: the next look tells what it is now
                raise HostUnavailable from None
    raise HostUnavailable("no-free-name")


def find_put(ctx: Context, user: str, flow_id: str, noted: Laying) -> Stored | None:
    """What ``put_new`` has put there before, if it did; also where its folder, or it alone, was moved since, on a host
    that searches. One that cannot say what lies elsewhere is not waited for without end: the result is put again."""
    for there in _named_like(noted, lambda name: _one(ctx.files.stat(user, join(noted.folder, name)))):
        if _holds(ctx, user, there, noted):
            return Stored(there.path, there.file_id, noted.sha256)
    if noted.size_bytes is None:  # too many of one name may have to be read
        return None
    try:
        for there in _named_like(noted, lambda name: ctx.files.find_by_name(user, name) or ()):
            is_elsewhere = there.folder != noted.folder and there.can_write
            if is_elsewhere and _holds(ctx, user, there, noted):
                return Stored(there.path, there.file_id, noted.sha256)
    except HostUnavailable as error:
        work = f"{SEARCH}:{noted.what}"
        tries, _ = ctx.vault.attempts(flow_id).get(work, (0, ""))
        if tries < SEARCHES:
            ctx.vault.postpone(flow_id, work, ctx.clock(), error.code)
            raise
        log.warning("result.not_searched", flow=flow_id, reason=error.code)
    return None


def leave_no_half(
    ctx: Context, user: str, noted: Laying, data: bytes, versions: Collection[str], check_held: Check
) -> None:
    """Takes away what ``put_new`` has put by half, where the whole lies elsewhere by now. ``versions``: as there.
    Raises: Unavailable."""
    for there in _named_like(noted, lambda name: _one(ctx.files.stat(user, join(noted.folder, name)))):
        read = None if there.is_folder or there.size_bytes >= len(data) else ctx.files.read_with_etag(user, there.path)
        if read is not None and _is_half(read[0], data) and hashlib.sha256(read[0]).hexdigest() not in versions:
            with contextlib.suppress(PreconditionFailed), as_far_as_allowed():
                delete_as_read(ctx, user, there.path, read, check_held)


def _one(info: FileInfo | None) -> tuple[FileInfo, ...]:
    return () if info is None else (info,)


def _named_like(noted: Laying, look: Callable[[str], Sequence[FileInfo]]) -> Iterator[FileInfo]:
    """Until two names of the row are free: one may have become so since."""
    free = 0
    for name in names_like(noted.name, noted.sha256):
        found = look(name)
        free += not found
        if free == 2:
            return
        yield from found


def _holds(ctx: Context, user: str, there: FileInfo, noted: Laying) -> bool:
    """Raises: HostUnavailable, where it is there, says the host, and not to be read: who believes the latter makes a
    second copy."""
    size_bytes = noted.size_bytes
    fits = there.size_bytes == size_bytes if size_bytes is not None else there.size_bytes <= MAX_RECORD_BYTES
    if there.is_folder or not fits:
        return False
    found = _hash_of(ctx, user, there.path)
    if found is None:
        raise HostUnavailable
    return found == noted.sha256


def _is_cut_off(ctx: Context, user: str, there: FileInfo, wholes: Sequence[bytes], versions: Collection[str]) -> bool:
    """A host without part files keeps what came before the connection broke; whoever did not see it break would lay
    the whole one beside it, under another name."""
    if there.is_folder or there.size_bytes >= max(map(len, wholes)):
        return False
    start = ctx.files.read(user, there.path)
    if start is None or not any(_is_half(start, whole) for whole in wholes):
        return False
    return hashlib.sha256(start).hexdigest() not in versions


def _is_half(start: bytes, data: bytes) -> bool:
    """What ends as a PDF does was not cut off: an earlier version of the same document, that somebody keeps under that
    name, begins the signed copy as well."""
    return len(start) < len(data) and data.startswith(start) and not start.rstrip().endswith(PDF_END)


def _put(
    ctx: Context,
    user: str,
    path: str,
    data: bytes,
    wanted: str,
    check_held: Check,
    instead_of: FileInfo | None = None,
) -> Stored:
    """Raises: PreconditionFailed, where the name is taken; HostUnavailable."""
    check_held()
    if instead_of is None:
        written = ctx.files.write(user, path, data, only_new=True)
    else:
        written = ctx.files.write(user, path, data, if_match=instead_of.etag)
    if (written.sha256 or _hash_of(ctx, user, path)) != wanted:
        _take_away(ctx, user, path, data, check_held)
        raise HostUnavailable("half-written")
    if written.file_id is not None:
        return Stored(path, written.file_id, wanted)
    there = ctx.files.stat(user, path)
    if there is None:
        raise HostUnavailable("half-written")
    return Stored(path, there.file_id, wanted)


def _take_away(ctx: Context, user: str, path: str, data: bytes, check_held: Check) -> None:
    """The half of it that was just stored, as far as that can be done now: not by one who stood still meanwhile, since
    another one may have written the rest."""
    with contextlib.suppress(Unavailable, PreconditionFailed):
        there = ctx.files.read_with_etag(user, path)
        if there is not None and _is_half(there[0], data):
            delete_as_read(ctx, user, path, there, check_held)


def delete_as_read(ctx: Context, user: str, path: str, read: tuple[bytes, str], check_held: Check = nothing) -> None:
    """``read``: bytes and ETag; of what is something else by now nothing is deleted. A host's ETag may be weak for the
    first second, and match nothing: it is read again then. Raises: PreconditionFailed, Unavailable."""
    check_held()
    try:
        ctx.files.delete(user, path, if_match=read[1])
    except PreconditionFailed:
        if ctx.files.read_with_etag(user, path) != read:
            raise
        check_held()
        ctx.files.delete(user, path)


def _limit_mb(ctx: Context) -> int:
    return ctx.limits.collection_bytes // 1_000_000


def _hash_of(ctx: Context, user: str, path: str) -> str | None:
    data = ctx.files.read(user, path)
    return hashlib.sha256(data).hexdigest() if data is not None else None

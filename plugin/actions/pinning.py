"""The exact content of every document, kept beside it before anybody is asked: at launch, and at a restart.

What is pinned is what was hashed. Files up to the limit of a collection are read whole; larger ones, which only a
validation takes, are copied by the host, and it is the copy that is hashed, in a stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.inspect import Inspection
from pdfops.seal import SealOrder
from plugin.actions.context import Context
from plugin.actions.may_launch import check_size
from plugin.actions.papers import unusable
from plugin.actions.revisions import UNNAMED, store_first, take_wrong_away
from plugin.failpoints import reach
from plugin.flow.errors import HostBusy, HostUnavailable, UnusableDocument
from plugin.flow.events import PinnedDocument
from plugin.flow.model import CREATOR, Kind, PageSize, Personal, Placement
from plugin.ports_files import FileInfo, PreconditionFailed
from plugin.ports_vault import Seen

MAX_TRIES = 3
PDF_START = b"%PDF-"
SETTLES_AFTER = timedelta(seconds=2)

Told = Callable[[int], None]
"""Is told how many more bytes were hashed."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A document as it will be pinned. ``data``: its content, where that has to be looked at before: to be signed."""

    info: FileInfo
    data: bytes | None = None
    inspection: Inspection | None = None
    etag: str = ""

    @property
    def size_bytes(self) -> int:
        return self.info.size_bytes if self.data is None else len(self.data)


@dataclass(frozen=True, slots=True)
class Pinned:
    """``seen``: the original, as it was while it was pinned; None where it was written to meanwhile."""

    document: PinnedDocument
    seen: Seen | None


@dataclass(frozen=True, slots=True)
class Pins:
    """For which flow documents are pinned."""

    user: str
    flow_id: str
    kind: Kind
    placements: Sequence[Placement]
    told: Told = lambda _: None
    copying: Told = lambda _: None
    """Is told how many bytes the host begins to copy."""


def papers(ctx: Context, user: str, kind: Kind, chosen: Sequence[FileInfo]) -> list[Paper]:
    """What has to be known before anything is written. A signature's collection is read, and limited by the bytes that
    were really read.

    Raises: UnusableDocument, Unavailable.
    """
    if kind is Kind.VALIDATION:
        for info in chosen:
            check_size(ctx, info, info.size_bytes)
        return [Paper(info) for info in chosen]
    found, total = [], 0
    for info in chosen:
        data, etag = _read(ctx, user, info)
        total += len(data)
        if total > ctx.limits.collection_bytes:
            limit_mb = ctx.limits.collection_bytes // 1_000_000
            raise UnusableDocument("over-the-limit", info.file_id, info.name, limit_mb=limit_mb)
        try:
            inspection = ctx.workshop.inspect(data)
            ctx.workshop.check_renders(data, inspection.pages)
        except PdfError as error:
            raise unusable(error, info.file_id, info.name) from error
        found.append(Paper(info, data, inspection, etag))
    return found


def to_pin(number: int, file_id: str, paper: Paper, at_home: bool) -> PinnedDocument:
    """What is known of a document before it is pinned; of a validation's no hash yet."""
    info, inspection = paper.info, paper.inspection
    return PinnedDocument(
        n=number,
        file_id=file_id,
        name=Personal(CREATOR, info.name),
        folder=Personal(CREATOR, info.folder),
        size_bytes=paper.size_bytes,
        mime=info.mime,
        sha256=hashlib.sha256(paper.data).hexdigest() if paper.data is not None else "",
        pages=inspection.pages if inspection else None,
        page_sizes=_page_sizes(inspection) if inspection else (),
        prepared_sha256=None,
        kept_at_home=at_home,
    )


def pin(ctx: Context, pins: Pins, document: PinnedDocument, paper: Paper, folder: str) -> Pinned:
    """Keeps the content in ``folder``: prepared with all its fields, or as it is for a validation.

    Raises: UnusableDocument, Unavailable.
    """
    if paper.data is None or paper.inspection is None:
        return _pin_as_it_is(ctx, pins, document, paper.info, folder)
    certifies = ctx.certifies and not paper.inspection.signatures
    places = [
        Place(field=p.field, recipient=p.recipient, page=p.page, x=p.x, y=p.y, w=p.w, h=p.h, with_text=p.with_text)
        for p in pins.placements
        if p.document == document.n
    ]
    try:
        data = (
            _certified(ctx, pins.flow_id, paper.data, places)
            if certifies
            else ctx.workshop.prepare(paper.data, places)
        )
    except PdfError as error:
        raise unusable(error, document.file_id, document.name.value or "") from error
    prepared = store_first(ctx, pins.user, folder, data)
    reach("prepared-stored")
    document = replace(document, prepared_sha256=prepared, certified=certifies or None)
    return Pinned(document, seen_as(ctx, paper.info, paper.etag, document.sha256, document.size_bytes))


def field_prefix(flow_id: str) -> str:
    return f"Parapheur_{flow_id.replace('-', '')[-16:]}"


def _certified(ctx: Context, flow_id: str, data: bytes, places: list[Place]) -> bytes:
    """Prepared, and certified by the organisation: only the fields that are there may be filled in from now on."""
    field = f"{field_prefix(flow_id)}_certification"
    order = SealOrder(
        fields=(field,),
        ink=b"",
        name=ctx.identity.organisation,
        reason="",
        signing_time=ctx.clock(),
        certifies=True,
    )
    lasting = ctx.lasting.for_one_act().for_now() if ctx.lasting is not None else None
    return ctx.workshop.seal(ctx.workshop.prepare(data, places, field), order, ctx.signer, lasting)


# ---- a validation's files -------------------------------------------------------------------------------------------
def is_large(ctx: Context, size_bytes: int) -> bool:
    """Of such a file no more than a piece is ever in memory, and nothing in the local cache."""
    return size_bytes > ctx.limits.collection_bytes


def _pin_as_it_is(ctx: Context, pins: Pins, document: PinnedDocument, info: FileInfo, folder: str) -> Pinned:
    if not is_large(ctx, info.size_bytes):
        data, etag = _read(ctx, pins.user, info)
        if not is_large(ctx, len(data)):
            return _pin_small(ctx, pins, document, info, folder, data, etag)
    ctx.files.make_folder(pins.user, folder)
    sha256, size_bytes = _copied(ctx, pins, document, info, folder) or _carried(ctx, pins, info, folder)
    check_size(ctx, info, size_bytes)
    after = ctx.files.stat(pins.user, info.path)
    rested = after is not None and (after.etag, after.file_id) == (info.etag, info.file_id)
    seen = seen_as(ctx, info, info.etag, sha256, size_bytes) if rested else None
    return Pinned(replace(document, sha256=sha256, size_bytes=size_bytes), seen)


def _pin_small(
    ctx: Context, pins: Pins, document: PinnedDocument, info: FileInfo, folder: str, data: bytes, etag: str
) -> Pinned:
    check_size(ctx, info, len(data))
    inspection = _pages_to_show(ctx, data)
    sha256 = store_first(ctx, pins.user, folder, data)
    reach("prepared-stored")
    pins.told(len(data))
    document = replace(
        document,
        sha256=sha256,
        size_bytes=len(data),
        pages=inspection.pages if inspection else None,
        page_sizes=_page_sizes(inspection) if inspection else (),
    )
    return Pinned(document, seen_as(ctx, info, etag, sha256, len(data)))


def seen_as(ctx: Context, info: FileInfo, etag: str, sha256: str, size_bytes: int) -> Seen:
    """Some hosts give a file that is written twice within a second one ETag."""
    return Seen(etag, size_bytes, sha256, info.path, ctx.clock() - info.modified_at > SETTLES_AFTER)


def _copied(ctx: Context, pins: Pins, document: PinnedDocument, info: FileInfo, folder: str) -> tuple[str, int] | None:
    """By the host; then the copy is hashed, and gets its hash for a name. Returns: (SHA-256, bytes); None where the
    host does not copy."""
    files, fresh = ctx.files, f"{folder}/{UNNAMED}{document.n}"
    pins.copying(info.size_bytes)
    try:
        if not _copy(ctx, pins.user, info, fresh):
            return None
    except HostUnavailable as error:
        if error.code != "no-such-file":
            raise
        raise UnusableDocument("no-such-file", info.file_id, info.name) from error
    found = digest(ctx, pins.user, fresh, pins.told)
    if found is None:
        raise HostUnavailable("half-written")
    named = f"{folder}/{found[0]}"
    try:
        files.move(pins.user, fresh, named)
    except PreconditionFailed:  # another document of this flow has the same content, or half of it
        if digest(ctx, pins.user, named) == found:
            files.delete(pins.user, fresh)
        else:
            take_wrong_away(ctx, pins.user, named, found[0])
            try:
                files.move(pins.user, fresh, named)
            except PreconditionFailed:  # it is right by now
                raise HostUnavailable("half-written") from None
    return found


def _copy(ctx: Context, user: str, info: FileInfo, fresh: str) -> bool:
    try:
        return ctx.files.copy(user, info.path, fresh, info.size_bytes)
    except PreconditionFailed:  # left by a restart that was cut off
        ctx.files.delete(user, fresh)
        return ctx.files.copy(user, info.path, fresh, info.size_bytes)


def _carried(ctx: Context, pins: Pins, info: FileInfo, folder: str) -> tuple[str, int]:
    """Through our hands: hashed first, since its name is its hash; what is then carried must have the same one.

    Raises: HostBusy("document-changing"), when somebody keeps writing to it.
    """
    for _ in range(MAX_TRIES):
        found = digest(ctx, pins.user, info.path, pins.told)
        if found is None:
            raise UnusableDocument("no-such-file", info.file_id, info.name)
        if _stored(ctx, pins.user, info, f"{folder}/{found[0]}", *found):
            return found
        take_wrong_away(ctx, pins.user, f"{folder}/{found[0]}", found[0])
    raise HostBusy("document-changing")


def _stored(ctx: Context, user: str, info: FileInfo, path: str, sha256: str, size_bytes: int) -> bool:
    """Whether what lies at ``path`` now is what was hashed."""
    carried = hashlib.sha256()

    def hashed(pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            carried.update(piece)
            yield piece

    with ctx.files.open_stream(user, info.path) as source:
        if source is None:
            raise UnusableDocument("no-such-file", info.file_id, info.name)
        if source.size_bytes != size_bytes:
            return False
        try:
            written = ctx.files.write_stream(user, path, hashed(source.pieces), size_bytes)
        except PreconditionFailed:  # another document of this flow has the same content
            return digest(ctx, user, path) == (sha256, size_bytes)
    if carried.hexdigest() != sha256:
        return False
    return written.sha256 == sha256 or digest(ctx, user, path) == (sha256, size_bytes)


def digest(ctx: Context, user: str, path: str, told: Told = lambda _: None) -> tuple[str, int] | None:
    """(SHA-256, bytes) of a file of any size, in a stream; None where there is none. Raises: Unavailable."""
    running, length = hashlib.sha256(), 0
    with ctx.files.open_stream(user, path) as stream:
        if stream is None:
            return None
        for piece in stream.pieces:
            running.update(piece)
            length += len(piece)
            told(len(piece))
    return running.hexdigest(), length


def _read(ctx: Context, user: str, info: FileInfo) -> tuple[bytes, str]:
    """(content, its ETag)"""
    found = ctx.files.read_with_etag(user, info.path)
    reach("document-read")
    if found is None:
        raise UnusableDocument("no-such-file", info.file_id, info.name)
    return found


def _pages_to_show(ctx: Context, data: bytes) -> Inspection | None:
    """A validation takes any file; one that is a readable PDF is also shown page by page."""
    if not data.startswith(PDF_START):
        return None
    try:
        return ctx.workshop.inspect(data)
    except PdfError:
        return None


def _page_sizes(inspection: Inspection) -> tuple[PageSize, ...]:
    sizes: list[PageSize] = []
    for page, (width_pt, height_pt) in enumerate(inspection.page_sizes_pt, start=1):
        width, height = round(width_pt * 1000), round(height_pt * 1000)
        if not sizes or (sizes[-1].width_mpt, sizes[-1].height_mpt) != (width, height):
            sizes.append(PageSize(page, width, height))
    return tuple(sizes)

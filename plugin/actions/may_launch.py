"""May this person launch such a flow, and one of this size? An administrator sets both."""

from __future__ import annotations

from plugin.actions.context import Context, Limits
from plugin.flow.errors import Invalid, UnusableDocument
from plugin.flow.model import Kind
from plugin.ports import Person
from plugin.ports_files import FileInfo


def in_groups(limits: Limits, person: Person, kind: Kind) -> bool:
    """Administrators are no exception: whoever is to launch stands in one of the groups."""
    allowed = limits.groups.get(kind)
    return allowed is None or not allowed.isdisjoint(person.groups)


def check_may_launch(ctx: Context, person: Person, kind: Kind, documents: int, recipients: int) -> None:
    """Raises: Invalid("not-for-your-groups"), or with the limit."""
    if not in_groups(ctx.limits, person, kind):
        raise Invalid("kind", "not-for-your-groups")
    if documents > ctx.limits.documents:
        raise Invalid("documents", "too-many-documents", limit=ctx.limits.documents)
    if recipients > ctx.limits.recipients:
        raise Invalid("recipients", "too-many-recipients", limit=ctx.limits.recipients)


def too_large_to_approve(limits: Limits, size_bytes: int) -> bool:
    return limits.validation_file_bytes is not None and size_bytes > limits.validation_file_bytes


def check_size(ctx: Context, info: FileInfo, size_bytes: int) -> None:
    """Of one file of a validation. Raises: UnusableDocument("file-over-the-limit")."""
    if too_large_to_approve(ctx.limits, size_bytes):
        limit_mb = (ctx.limits.validation_file_bytes or 0) // 1_000_000
        raise UnusableDocument("file-over-the-limit", info.file_id, info.name, limit_mb=limit_mb)

"""What a flow, a recipient, a document, a mail can be: the words that stand in events."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    VALIDATION = "validation"
    SIGNATURE = "signature"
    EIDAS_SIMPLE = "eidas_simple"
    EIDAS_ADVANCED = "eidas_advanced"


class FlowState(StrEnum):
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_ended(self) -> bool:
        return self not in (FlowState.RUNNING, FlowState.SUSPENDED)


class RecipientState(StrEnum):
    WAITING = "waiting"
    INVITED = "invited"
    VIEWED = "viewed"
    APPROVED = "approved"
    SIGNED = "signed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    REPLACED = "replaced"

    @property
    def is_decided(self) -> bool:
        return self in (RecipientState.APPROVED, RecipientState.SIGNED, RecipientState.REFUSED)

    @property
    def is_open(self) -> bool:
        """It is this person's turn."""
        return self in (RecipientState.INVITED, RecipientState.VIEWED)


class Role(StrEnum):
    VALIDATOR = "validator"
    SIGNATORY = "signatory"
    OBSERVER = "observer"


class SuspendReason(StrEnum):
    """Why nobody may act: the flow's files are read and written as its creator, and that does not work now."""

    CREATOR_OUT = "creator-out"
    """The creator's account is disabled."""
    CREATOR_GONE = "creator-gone"
    """It was deleted: whoever bears that login later is somebody else."""
    NO_ACCESS = "no-access"
    """The creator does not reach a document any more, nor what is kept beside it."""
    SOURCE_CHANGED = "source-changed"
    """A file that is to be approved is no longer what it was at launch: its creator chooses."""
    SOURCE_GONE = "source-gone"
    """It is not there any more."""

    @property
    def is_about_sources(self) -> bool:
        return self in (SuspendReason.SOURCE_CHANGED, SuspendReason.SOURCE_GONE)


class SourceState(StrEnum):
    """What became of a document's original, compared with what was pinned."""

    SAME = "same"
    MOVED = "moved"
    """Elsewhere, or under another name; its content is the same."""
    CHANGED = "changed"
    GONE = "gone"

    @property
    def is_pinned_content(self) -> bool:
        return self in (SourceState.SAME, SourceState.MOVED)


class SaveMode(StrEnum):
    """Where the results go."""

    BESIDE = "beside"
    VERSION = "version"
    """The signed copy becomes the newest version of the original."""
    FOLDER = "folder"


class Instead(StrEnum):
    """Why a result lies beside the original, though it was to go elsewhere."""

    CHANGED = "changed"
    """The original is no longer what was signed: it keeps its own content."""
    GONE = "gone"
    """There is no such file or folder any more."""
    LOCKED = "locked"
    """Somebody has it open, and nobody else may write it."""
    READ_ONLY = "read-only"


class By(StrEnum):
    """Who asked for it: the creator, an administrator, or nobody, since it was due."""

    CREATOR = "creator"
    ADMIN = "admin"
    SYSTEM = "system"


class MailKind(StrEnum):
    INVITATION = "invitation"
    REMINDER = "reminder"
    EXPIRING = "expiring"
    """The deadline is near."""
    EXTENDED = "extended"
    """There is a later deadline than the one he was told."""
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REPLACED = "replaced"
    """To somebody who had been asked and is no longer."""
    DELEGATED = "delegated"
    """To the creator: a recipient put somebody in his own place."""
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    COMPLETED = "completed"

"""What can go wrong, as one tree. Each leaf has a stable ``code``; the edge turns it into problem+json and words.

    ParapheurError            code, values, permanent
    ├── Refused               the request can never be accepted as it stands (422 unless the leaf says otherwise)
    │   ├── Invalid             a field is wrong: ``path`` names it
    │   ├── NotAvailableYet     a known field that this version does not do
    │   └── UnusableDocument    a document that cannot take part: ``file_id`` names it, ``code`` says why
    ├── Conflict              the state of the flow forbids it (409)
    │   └── not-your-turn · already-decided · replaced · flow-suspended · flow-ended · page-expired ·
    │       documents-changed · state-changed · not-suspended · flow-newer · creator-out · creator-gone · no-access
    ├── NotFound              unknown, or not for this caller: both look alike (404)
    ├── Forbidden             a foreign origin (403): never what honest use can do
    └── Unavailable           try again later (503, Retry-After)
        ├── HostUnavailable     the platform does not answer, or answered nonsense
        │   ├── HostMaintenance   it says itself that it is being looked after
        │   ├── HostSlow          it took the call, but did not answer in the time that people wait
        │   ├── HostRefuses       it does not know this app, or not with this secret, or has it disabled
        │   ├── AccountOut        the host does not let us act as that user, or not at all
        │   └── OutOfReach        that user does not reach the flow's first document any more, nor its folder
        ├── HostBusy            the file is locked, or the flow is held by somebody else
        ├── FileTooLarge        a file is larger than anything that is read whole
        ├── HostFull            no room is left on the host (507 there)
        └── IndexMissing        the index is being rebuilt
            └── RebuildElsewhere  by somebody else, who is at it now

``permanent`` tells a caller whether trying again can help. Nothing in ``values`` is secret: it is shown to people.
"""

from __future__ import annotations

from typing import ClassVar


class ParapheurError(Exception):
    """Base of all errors of this product."""

    code: str = "internal"
    permanent: ClassVar[bool] = True

    def __init__(self, code: str | None = None, **values: str | int | list[str]) -> None:
        super().__init__(code or self.code)
        if code is not None:
            self.code = code
        self.values: dict[str, str | int | list[str]] = values


class Refused(ParapheurError):
    code = "invalid"


class Invalid(Refused):
    """A field of the request is wrong. ``path`` is like ``recipients[1].email``."""

    def __init__(self, path: str, code: str = "invalid", **values: str | int | list[str]) -> None:
        super().__init__(code, path=path, **values)
        self.path = path


class NotAvailableYet(Invalid):
    def __init__(self, path: str) -> None:
        super().__init__(path, "not-available-yet")


class UnusableDocument(Refused):
    """A document that cannot take part in the flow asked for; ``code`` says why."""

    def __init__(self, code: str, file_id: str, name: str = "", **values: str | int | list[str]) -> None:
        super().__init__(code, file_id=file_id, name=name, **values)
        self.file_id = file_id


class Conflict(ParapheurError):
    code = "state-changed"


class NotFound(ParapheurError):
    code = "not-found"


class Forbidden(ParapheurError):
    code = "foreign-origin"


class Unavailable(ParapheurError):
    code = "unavailable"
    permanent = False
    retry_after_s: int = 5


class HostUnavailable(Unavailable):
    code = "host-unavailable"


class HostMaintenance(HostUnavailable):
    code = "host-maintenance"
    retry_after_s = 30


class HostSlow(HostUnavailable):
    code = "host-slow"
    retry_after_s = 20


class HostRefuses(HostUnavailable):
    code = "host-refuses"
    retry_after_s = 60


class AccountOut(HostUnavailable):
    code = "account-out"


class OutOfReach(HostUnavailable):
    code = "no-access"


class HostBusy(Unavailable):
    code = "host-busy"


class HostFull(Unavailable):
    code = "host-full"
    retry_after_s = 60


class FileTooLarge(Unavailable):
    """Somebody put a file of such a size where one of ours lay that it is not read: nothing of ours is so large."""

    code = "file-too-large"
    retry_after_s = 60


class IndexMissing(Unavailable):
    """``done`` of ``total`` flows are in it again; both 0 where nobody knows."""

    code = "index-missing"

    def __init__(self, done: int = 0, total: int = 0, retry_after_s: int | None = None) -> None:
        super().__init__()
        self.done, self.total = done, total
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class RebuildElsewhere(IndexMissing):
    """Another process is rebuilding it at this moment."""

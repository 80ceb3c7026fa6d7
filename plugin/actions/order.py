"""What a creator asks for when he launches a flow, in the order and under the names in which he sent it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from plugin.flow.errors import Invalid
from plugin.flow.model import Kind, Role, SaveMode

ME = "add_me"
COPIES = "copy_emails"
_RECIPIENT = re.compile(r"recipients\[(\d+)\](.*)")
_STEP = re.compile(r"steps\[(\d+)\](.*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A person as the creator named him: a platform user or an e-mail address. ``path``: of the field that names him;
    "" for the request itself."""

    user: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    role: Role | None
    comment: str | None
    path: str = ""

    def field(self, name: str) -> str:
        """The path of one of his fields, as it was sent."""
        return ME if self.path == ME else f"{self.path}.{name}" if self.path else name


@dataclass(frozen=True, slots=True)
class Together:
    """A step. ``recipients``: positions; ``path``: of the field that gives its rule."""

    recipients: tuple[int, ...]
    rule: str = "all"
    n: int | None = None
    path: str = "steps"


@dataclass(frozen=True, slots=True)
class Spot:
    """A stamp as the creator placed it. ``document``, ``recipient``: positions; the box in fractions of the page."""

    document: int
    page: int
    recipient: int
    x: float
    y: float
    w: float
    h: float
    with_text: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """``recipients``: the creator himself comes first where he takes part; ``copies``: addresses of further observers,
    who come last. ``folder``: a path of the creator's, where the results go to a folder of his choice."""

    kind: Kind
    title: str | None
    file_ids: Sequence[str]
    recipients: Sequence[Asked]
    steps: Sequence[Together]
    spots: Sequence[Spot]
    comment: str | None
    copy_to_all: bool
    copies: Sequence[str]
    time_zone: str
    expires_at: datetime | None
    remind_every_days: int | None
    allow_delegation: bool
    save: SaveMode
    folder: str | None
    request: str
    request_key: str | None

    @contextlib.contextmanager
    def as_sent(self) -> Iterator[None]:
        """A refusal inside names positions of the flow; it goes on with the names of the request."""
        try:
            yield
        except Invalid as error:
            values = {name: value for name, value in error.values.items() if name != "path"}
            if isinstance(number := values.get("recipient"), int):
                values["recipient"] = self._number_as_sent(number)
            path = self._path_as_sent(error.path)
            if (path, values.get("recipient")) == (error.path, error.values.get("recipient")):
                raise
            raise Invalid(path, error.code, **values) from error

    def _path_as_sent(self, path: str) -> str:
        if found := _RECIPIENT.fullmatch(path):
            number = int(found[1])
            if number >= len(self.recipients):
                return COPIES
            asked = self.recipients[number]
            return ME if asked.path == ME else f"{asked.path}{found[2]}"
        if found := _STEP.fullmatch(path):
            return self.steps[int(found[1])].path
        return path

    def _number_as_sent(self, number: int) -> str | int:
        if self.recipients and self.recipients[0].path == ME:
            return number - 1 if number else "me"
        return number

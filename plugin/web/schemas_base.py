"""What goes over the wire, as models: the one place that says which fields exist. Bytes in are checked here, once.

Times are RFC 3339 with Z. Hashes are lower-case hex SHA-256. Boxes are fractions of the displayed page, from its top
left. Unknown fields are an error; a known field that this version does not do is ``not-available-yet`` when it differs
from its default (see ``not_yet``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["validation", "signature", "eidas_simple", "eidas_advanced"]
RoleName = Literal["validator", "signatory", "observer"]
FlowStateName = Literal["running", "suspended", "completed", "refused", "cancelled", "expired"]
RecipientStateName = Literal["waiting", "invited", "viewed", "approved", "signed", "refused", "skipped", "replaced"]


def _text_id(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


FileId = Annotated[str, BeforeValidator(_text_id), Field(pattern=r"^[0-9]{1,18}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Comment = Annotated[str, Field(max_length=4000)]
EmailText = Annotated[str, Field(min_length=3, max_length=254)]
TimeText = Annotated[str, Field(max_length=64)]
"""RFC 3339 with its zone, or a date: the end of that day."""
PersonName = Annotated[str, Field(max_length=120)]


class Model(BaseModel):
    """What is asked for: exactly these fields, of exactly these types. ``"consent": "yes"`` is no consent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

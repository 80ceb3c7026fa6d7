"""What is asked for over the wire (see ``schemas_base``)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from plugin.web.schemas_base import Comment, EmailText, FileId, Kind, Model, PersonName, RoleName, Sha256, TimeText


class InspectRequest(Model):
    file_ids: Annotated[list[FileId], Field(min_length=1, max_length=100)]


class StampTexts(Model):
    texts: Annotated[list[Annotated[str, Field(max_length=400)]], Field(min_length=1, max_length=200)]


class DocumentIn(Model):
    file_id: FileId


class PersonIn(Model):
    """A platform user, or somebody outside by his address. ``comment``: what the sender tells this person alone."""

    user: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    email: EmailText | None = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}([_-][A-Za-z]{2,4})?$")] | None = None
    comment: Comment | None = None


class RecipientIn(PersonIn):
    role: RoleName | None = None
    step: Annotated[int, Field(ge=0, le=1000)] | None = None


class NOf(Model):
    n: Annotated[int, Field(ge=1, le=1000)]


class StepIn(Model):
    step: Annotated[int, Field(ge=0, le=1000)]
    rule: Literal["all", "any"] | NOf = "all"


class BoxModel(Model):
    x: Annotated[float, Field(allow_inf_nan=False)]
    y: Annotated[float, Field(allow_inf_nan=False)]
    w: Annotated[float, Field(allow_inf_nan=False)]
    h: Annotated[float, Field(allow_inf_nan=False)]


class PlacementIn(Model):
    document: Annotated[int, Field(ge=0)]
    page: Annotated[int, Field(ge=1)]
    recipient: Annotated[int, Field(ge=0)] | Literal["me"]
    box: BoxModel
    with_text: bool = False
    reason: Annotated[str, Field(max_length=200)] | None = None


class SaveIn(Model):
    mode: Literal["beside", "version", "folder"] = "beside"
    folder: Annotated[str, Field(max_length=4000)] | None = None


class LaunchRequest(Model):
    kind: Kind
    title: Annotated[str, Field(max_length=200)] | None = None
    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=100)]
    recipients: list[RecipientIn] = Field(default=[], max_length=200)
    steps: Annotated[list[StepIn], Field(max_length=200)] | None = None
    placements: list[PlacementIn] = Field(default=[], max_length=5000)
    comment: Comment | None = None
    copy_to_all: bool = False
    copy_emails: Annotated[list[EmailText], Field(max_length=200)] | None = None
    add_me: bool = False
    allow_delegation: bool = False
    expires_at: TimeText | None = None
    remind_every: int | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    save: SaveIn | None = None


class ViewRequest(Model):
    documents: list[Annotated[int, Field(ge=0)]] = Field(default=[], max_length=100)


class ApproveRequest(Model):
    documents: dict[Annotated[str, Field(pattern=r"^[0-9]{1,3}$")], Sha256]
    comment: Comment | None = None


class RefuseRequest(Model):
    reason: Annotated[str, Field(max_length=4000)]


class SignatureIn(Model):
    """``drawn``: from ``strokes``, else from ``png_base64``. ``typed``: from ``text``.

    A stroke is a list of points ``[x, y, width]`` in CSS pixels, y growing downwards.
    """

    kind: Literal["drawn", "image", "typed"]
    png_base64: str | None = None
    strokes: list[Any] | None = Field(default=None, examples=[[[[10, 20, 1.5], [40.5, 22, 2.8]]]])
    text: Annotated[str, Field(max_length=400)] | None = None


class SignRequest(Model):
    signature: SignatureIn
    consent: bool
    documents: dict[Annotated[str, Field(pattern=r"^[0-9]{1,3}$")], Sha256]
    code_token: str | None = None

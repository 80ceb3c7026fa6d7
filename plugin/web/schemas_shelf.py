"""Drafts and templates over the wire. What is kept is a launch request that need not be complete, nor right."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plugin.web.schemas_asked import DocumentIn, PlacementIn, SaveIn, StepIn
from plugin.web.schemas_base import Answer, Comment, Kind, Model, PersonName, RoleName

Short = Annotated[str, Field(max_length=256)]


class KeptRecipient(Model):
    user: Short | None = None
    email: Short | None = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    phone: Short | None = None
    language: Annotated[str, Field(max_length=16)] | None = None
    role: RoleName | None = None
    step: Annotated[int, Field(ge=0, le=1000)] | None = None
    comment: Comment | None = None


class TemplateBody(Model):
    """``document`` of a placement is a position among the documents that are chosen when it is used."""

    kind: Kind | None = None
    title: Annotated[str, Field(max_length=200)] | None = None
    recipients: Annotated[list[KeptRecipient], Field(max_length=200)] | None = None
    steps: Annotated[list[StepIn], Field(max_length=200)] | None = None
    placements: Annotated[list[PlacementIn], Field(max_length=5000)] | None = None
    comment: Comment | None = None
    copy_to_all: bool | None = None
    copy_emails: Annotated[list[Short], Field(max_length=200)] | None = None
    add_me: bool | None = None
    allow_delegation: bool | None = None
    expires_at: Annotated[str, Field(max_length=64)] | None = None
    remind_every: Annotated[int, Field(ge=0, le=1000)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    save: SaveIn | None = None


class DraftBody(TemplateBody):
    documents: Annotated[list[DocumentIn], Field(max_length=100)] | None = None


class TemplateIn(Model):
    """``group``: one that the caller is in; its members may use the template."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    group: Annotated[str, Field(max_length=256)] | None = None
    body: TemplateBody


class DraftIn(Model):
    name: Annotated[str, Field(max_length=200)] = ""
    body: DraftBody


class TemplateSummary(Answer):
    """``mine``: the caller may change it and throw it away."""

    id: str
    name: str
    group: str | None
    mine: bool
    created_at: str
    updated_at: str


class TemplateOut(TemplateSummary):
    body: TemplateBody


class TemplateList(Answer):
    templates: list[TemplateSummary]


class DraftSummary(Answer):
    id: str
    name: str
    created_at: str
    updated_at: str


class DraftOut(DraftSummary):
    body: DraftBody


class DraftList(Answer):
    drafts: list[DraftSummary]

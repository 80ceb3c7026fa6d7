"""What creator and administrator ask of a flow that is on its way, as models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from plugin.web.schemas_asked import PersonIn
from plugin.web.schemas_base import Comment, Model, TimeText


class RemindRequest(Model):
    """``recipients``: their ids; nobody named: everybody whose turn it is."""

    recipients: Annotated[list[Annotated[str, Field(max_length=20)]], Field(min_length=1, max_length=400)] | None = (
        None
    )


class CancelRequest(Model):
    reason: Comment | None = None


class ExtendRequest(Model):
    expires_at: TimeText


class ResumeRequest(Model):
    choice: Literal["continue", "restart", "cancel"]


class ReplaceRequest(PersonIn):
    """Who comes in. ``comment``: what the creator tells this person alone."""


class DelegateRequest(PersonIn):
    """Who comes in. ``comment``: what the recipient tells the creator."""

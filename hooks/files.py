"""What the platform tells us of files: renamed, moved, deleted, written. Sent once, late, in any order, or never.

The path is not declared as a route of the app, so nobody forges events through the proxy; what came through it all the
same is refused. Source: Nextcloud, "Webhook listeners".
"""

from __future__ import annotations

from typing import Annotated

import structlog
from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plugin.actions.heed import Hint, heed
from plugin.flow.errors import IndexMissing, Refused
from plugin.web.bodies import raw_body
from plugin.web.callers import platform
from plugin.web.office import office

events = Blueprint("events", __name__)
log = structlog.get_logger()

LARGEST_EVENT = 200_000
WRITTEN = "NodeWrittenEvent"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Node(_Model):
    """``path`` begins with the login in whose view it is: ``/alice/files/Contracts/a.pdf``."""

    id: int | None = None
    path: str = ""


class NodeEvent(_Model):
    kind: Annotated[str, Field(alias="class")] = ""
    node: Node | None = None
    source: Node | None = None
    target: Node | None = None


class Told(_Model):
    """What else the host sends along, tokens among it, is neither kept nor logged."""

    event: NodeEvent


@events.post("/events/files")
@platform
def file_event() -> Response:
    """Answered at once: the host waits three seconds, and what is to be done is done by a job."""
    hint = _hint(raw_body(LARGEST_EVENT))
    try:
        count = heed(office().ctx, hint)
    except IndexMissing:
        count = 0  # the rebuild looks at every file anyway
    log.debug("event.heeded", flows=count)
    return jsonify({})


def _hint(body: bytes) -> Hint:
    """Raises: Refused("not-json")."""
    try:
        event = Told.model_validate_json(body).event
    except ValidationError as error:
        raise Refused("not-json") from error
    nodes = [node for node in (event.node, event.source, event.target) if node is not None]
    places = [place for node in nodes if (place := _place(node.path)) is not None]
    return Hint(
        file_ids=[str(node.id) for node in nodes if node.id is not None],
        places=places,
        is_written=event.kind.rpartition("\\")[2] == WRITTEN,
    )


def _place(path: str) -> tuple[str, str] | None:
    """(login, path below that user's root); None for what is no user's file."""
    parts = path.lstrip("/").split("/", 2)
    if len(parts) < 3 or parts[1] != "files" or not parts[0]:
        return None
    return parts[0], parts[2].strip("/")

"""What the routes of one application share; put on the Flask application by ``plugin.app``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from flask import current_app

from plugin.actions.context import Context
from plugin.checking import Checker
from plugin.ports import Platform
from plugin.ports_shelf import Shelf
from plugin.recent import Recent
from plugin.web.schemas import Check

EXTENSION = "parapheur"
PICTURES_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys derived from the instance secret, by label."""

    link_key: bytes
    csrf_key: bytes
    request_key: bytes


@dataclass(frozen=True, slots=True)
class Office:
    ctx: Context
    secrets: Secrets
    app_id: str
    app_secret: str
    harp_key: str
    """What the platform proves itself with behind HaRP; empty where no HaRP stands before us."""
    public_url: str
    origins: frozenset[str]
    organisation: str
    trust_origin_ip: bool
    public_keys: Mapping[str, Any]
    """The JWK set of the chain keys."""
    platform: Platform
    shelf: Shelf
    checker: Checker
    checks: Callable[[], list[Check] | None]
    """What works and what does not; None before the start is finished."""
    heard: Callable[[str], None]
    """A call with the right secret came in, naming the version that the host has on record."""
    pictures: Recent = field(default_factory=partial(Recent, PICTURES_BYTES))
    """Pages by the tag of what they show: each signatory turns the same ones, and large documents are costly."""


def office() -> Office:
    return cast("Office", current_app.extensions[EXTENSION])

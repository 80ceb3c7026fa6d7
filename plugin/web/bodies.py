"""Request bodies: read within bounds, checked once against a model, errors with the path of the field."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import g, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from plugin.flow.errors import Invalid, Refused
from plugin.flow.events import Trace
from plugin.flow.model import Personal
from plugin.flow.tokens import request_digest
from plugin.web.callers import host_caller
from plugin.web.office import office

M = TypeVar("M", bound=BaseModel)

JSON_LIMIT = 4_500_000
"""An image of 2 MB in base64, and room."""

_CODES = {"extra_forbidden": "unknown-field", "missing": "field-missing"}
MAX_ERRORS = 20
MULTIPART_ROOM = 10_000
"""What a form puts around its file."""

MAX_PATH = 200
MAX_KEY = 255


class BadBody(Refused):
    """One or more fields are wrong; ``fields`` names each with its path."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__(fields[0][1], path=fields[0][0])
        self.fields = fields


def raw_body(limit: int) -> bytes:
    """Counts what is really read, whatever Content-Length said. Raises: Refused("too-large")."""
    cached: bytes | None = g.get("raw_body")
    if cached is None:
        if (request.content_length or 0) > limit:
            raise Refused("too-large")
        cached = request.stream.read(limit + 1)
        g.raw_body = cached
    if len(cached) > limit:
        raise Refused("too-large")
    return cached


def one_file(limit: int) -> tuple[str, bytes]:
    """A file sent as the body, or as the one part of a form. Returns: its name ("" where none was said), its bytes.

    Raises: Refused("too-large", "field-missing").
    """
    if request.mimetype != "multipart/form-data":
        return "", raw_body(limit)
    if (request.content_length or 0) > limit + MULTIPART_ROOM:
        raise Refused("too-large")
    request.max_content_length = limit + MULTIPART_ROOM
    part = next(iter(request.files.values()), None)
    if part is None:
        raise Refused("field-missing", path="file")
    data = part.stream.read(limit + 1)
    if len(data) > limit:
        raise Refused("too-large")
    return part.filename or "", data


def body(model: type[M]) -> M:
    """The JSON body as ``model``; an empty body is ``{}``. Raises: Refused("not-json"), BadBody."""
    raw = raw_body(JSON_LIMIT)
    if raw and request.mimetype != "application/json":
        raise Refused("not-json")
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        if any(item["type"] == "json_invalid" for item in problems):
            raise Refused("not-json") from None
        sent = from_json(raw or b"{}")
        raise BadBody([_field(item, sent) for item in problems[:MAX_ERRORS]]) from None


def _field(item: ErrorDetails, sent: Any) -> tuple[str, str]:
    """The path through what was sent. Parts that lead nowhere in it name the model's choices, not fields; only the
    last one may be of a field that is missing."""
    path, at = "", sent
    is_missing = item["type"] == "missing"
    for number, part in enumerate(item["loc"], start=1):
        if isinstance(part, int) and isinstance(at, list) and part < len(at):
            path, at = f"{path}[{part}]", at[part]
        elif isinstance(at, dict) and (part in at or (is_missing and number == len(item["loc"]))):
            path, at = f"{path}.{part}" if path else str(part), at.get(part)
    return path[:MAX_PATH], _CODES.get(item["type"], "invalid")


FROM_PROXY, UNVERIFIED = "trusted proxy", "unverified"
"""The words of ``Trace.ip_source``."""


def trace(recipient: str, act: str) -> Trace:
    """From where an act came, and a digest that tells the same submit from another one.

    Not every proxy of the host names the visitor's address: what is known then is that of the proxy, and said to be
    unverified.
    """
    found = office()
    told = host_caller().origin_ip
    address = told or request.remote_addr
    agent = request.headers.get("User-Agent", "")[:300]
    return Trace(
        ip=Personal(recipient, address) if address else None,
        ip_source=FROM_PROXY if told and found.trust_origin_ip else UNVERIFIED,
        user_agent=Personal(recipient, agent) if agent else None,
        request=request_digest(found.secrets.request_key, act, raw_body(JSON_LIMIT)),
        request_key=idempotency_key(act),
    )


def idempotency_key(act: str) -> str | None:
    given = request.headers.get("Idempotency-Key")
    if not given:
        return None
    if len(given) > MAX_KEY:
        raise Invalid("Idempotency-Key", "invalid")
    return key_digest(act, given)


def key_digest(act: str, given: str) -> str:
    """What is kept of an Idempotency-Key."""
    return request_digest(office().secrets.request_key, f"{act} key", given.encode())

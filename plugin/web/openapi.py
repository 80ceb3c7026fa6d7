"""The description of the HTTP interface, made from the same models that check it."""

from __future__ import annotations

from spectree import Response, SpecTree

from plugin.web.schemas import Problem

spec = SpecTree(
    "flask",
    title="Parapheur",
    version="1",
    openapi_version="3.1.0",
    mode="strict",
    path="docs-unused",
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
)


def answers(**models: type | None) -> Response:
    """``answers(HTTP_200=FlowOut)`` and the problems that any route can answer with."""
    problems = {f"HTTP_{status}": Problem for status in (404, 409, 422, 503)}
    return Response(**{**problems, **models})

"""The description of the HTTP interface, made from the same models that check it."""

from __future__ import annotations

import threading
from typing import Any

from spectree import Response, SpecTree
from spectree.model_adapter import ModelClass
from spectree.model_adapter.protocol import SchemaMode

from plugin.web.schemas import Problem


class LateSpecTree(SpecTree):
    """Draws the models' schemas when somebody asks for the description, not while the process starts: there they
    would be a quarter of the start."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._met: dict[str, tuple[ModelClass, SchemaMode]] = {}
        self._drawing = threading.Lock()
        super().__init__(*args, **options)

    @property
    def spec(self) -> Any:
        with self._drawing:  # two at once would draw on each other
            return super().spec

    def _add_model(self, model: ModelClass, mode: SchemaMode = "validation") -> str:
        key: str = self.naming_strategy(model)
        self._met[key] = (model, mode)
        return key

    def _generate_spec(self) -> dict[str, Any]:
        for model, mode in self._met.values():
            super()._add_model(model, mode)
        return super()._generate_spec()


spec = LateSpecTree(
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

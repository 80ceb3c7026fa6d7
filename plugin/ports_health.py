"""What is found out about the world we run in, for the health page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an operator should know. ``code`` is stable; ``words`` say what it means and what to do."""

    code: str
    words: str
    is_warning: bool = False
    """Told, but no reason to call the whole degraded."""

    def __str__(self) -> str:
        return f"{self.code}: {self.words}"


@dataclass(frozen=True, slots=True)
class HostFindings:
    """None where nothing is wrong."""

    host: Finding | None
    secret: Finding | None
    version: Finding | None
    clock: Finding | None
    is_out: bool
    """Nothing can be asked of it now."""

"""Logs: events with ids, one line each, on standard error. Libraries that write addresses and paths stay silent."""

from __future__ import annotations

import logging
import sys

import structlog

QUIET = ("urllib3", "webdav3", "wsgidav", "requests", "mail.log", "fontTools", "pyhanko", "pypdf", "PIL")


def configure(level: str = "info", *, as_json: bool = False) -> None:
    """``level``: debug, info, warning or error. Call it once, at the start of a process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()] if as_json else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
    )
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)

"""Logs: events with ids, one line each, on standard error. Libraries that write addresses and paths stay silent."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TextIO

import structlog
from structlog.typing import ExcInfo

LEVELS = ("debug", "info", "warning", "error")
QUIET = ("urllib3", "webdav3", "wsgidav", "requests", "mail.log", "fontTools", "pyhanko", "pypdf", "PIL")


def _places(out: TextIO, exc_info: ExcInfo) -> None:
    """Where it happened, line by line. Neither messages nor local values: they hold other people's texts."""
    kind, _, trace = exc_info
    out.write(
        "\n" + " < ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in traceback.extract_tb(trace)[::-1])
    )
    out.write(f" {kind.__name__}")


def configure(level: str = "info", *, as_json: bool = False) -> None:
    """``level``: debug, info, warning or error. Call it once, at the start of a process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_places)]
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

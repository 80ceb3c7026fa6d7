"""What the platform tells us of our own life: heartbeat, init, enabled; and what we hook into it.

None of these paths is declared as a route of the app, so nobody reaches them through the proxy; what came through it
all the same is refused. Source: AppAPI, "Ex-App lifecycle".
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from flask import Blueprint, Response, jsonify, request

from plugin.flow.errors import HostUnavailable, Invalid
from plugin.ports import Platform
from plugin.web.callers import direct, platform
from plugin.web.office import office

lifecycle = Blueprint("lifecycle", __name__)
log = structlog.get_logger()

PAGE = "workflow"
FILES = (
    "application/, audio/, chemical/, font/, haptics/, image/, message/, model/, multipart/, text/, video/, x-office/"
)
"""Whatever a file may be, and no folder: the host looks for these anywhere in the type, and a folder's is
``httpd/unix-directory``. A selection with a folder in it has no entry then."""

ENTRIES: tuple[tuple[str, dict[str, object]], ...] = (
    (
        "v2/ui/files-actions-menu",
        {
            "name": PAGE,
            "displayName": "Workflow",
            "actionHandler": "api/v1/menu",
            "icon": "img/appdark.svg",
            "mime": FILES,
            "permissions": 1,
            "order": 5,
        },
    ),
    ("v1/ui/top-menu", {"name": PAGE, "displayName": "Workflow", "icon": "img/app.svg", "adminRequired": 0}),
    ("v1/ui/script", {"type": "top_menu", "name": PAGE, "path": "js/main"}),
    ("v1/ui/style", {"type": "top_menu", "name": PAGE, "path": "css/embed"}),
)
"""Scripts and styles are named without their ending."""

EVENTS = (
    "OCP\\Files\\Events\\Node\\NodeRenamedEvent",
    "OCP\\Files\\Events\\Node\\BeforeNodeDeletedEvent",
    "OCP\\Files\\Events\\Node\\NodeWrittenEvent",
)


@lifecycle.get("/heartbeat")
@direct
def heartbeat() -> Response:
    return jsonify({"status": "ok"})


@lifecycle.post("/init")
@platform
def init() -> Response:
    """Nothing is downloaded or migrated here: the start did it. The host wants to be told so, after this answer."""
    threading.Thread(target=_report_ready, args=(office().platform,), name="init", daemon=True).start()
    return jsonify({})


def _report_ready(host: Platform) -> None:
    try:
        host.report_progress(100)
    except HostUnavailable as error:
        log.warning("init.not_reported", reason=error.code)


@lifecycle.put("/enabled")
@platform
def enabled() -> Response:
    """``?enabled=1`` hooks us into the host's pages, ``0`` takes that away. A failure is told in ``error``."""
    wanted = request.args.get("enabled")
    if wanted not in ("0", "1"):
        raise Invalid("enabled")
    failed = hook_in(office().platform) if wanted == "1" else take_out(office().platform)
    return jsonify({"error": ", ".join(failed)})


def hook_in(host: Platform) -> list[str]:
    """Returns: what could not be registered; events are hints, so their lack is logged alone."""
    failed = _try(ENTRIES, host.put_entry)
    for event in EVENTS:
        try:
            host.subscribe(event, "/events/files")
        except HostUnavailable as error:
            log.warning("events.not_subscribed", reason=error.code)
    return failed


def take_out(host: Platform) -> list[str]:
    """Flows stay where they are; only the entries go. Returns: what could not be removed."""
    return _try(tuple(reversed(ENTRIES)), host.remove_entry)


def _try(
    entries: tuple[tuple[str, dict[str, object]], ...], act: Callable[[str, dict[str, object]], None]
) -> list[str]:
    failed = []
    for what, body in entries:
        try:
            act(what, body)
        except HostUnavailable as error:
            log.warning("entry.failed", what=what, reason=error.code)
            failed.append(what)
    return failed

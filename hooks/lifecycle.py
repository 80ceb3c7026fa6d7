"""What the platform tells us of our own life: heartbeat, init, enabled; and what we hook into it.

None of these paths is declared as a route of the app, so nobody reaches them through the proxy; what came through it
all the same is refused. Source: AppAPI, "Ex-App lifecycle".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog
from flask import Blueprint, Response, jsonify, request

from hooks.preparing import set_up
from plugin.flow.errors import HostUnavailable, Invalid
from plugin.i18n import mark
from plugin.ports import Platform
from plugin.web.callers import direct, platform
from plugin.web.office import office

lifecycle = Blueprint("lifecycle", __name__)
log = structlog.get_logger()

Entry = tuple[str, Mapping[str, object]]
PAGE = "workflow"
LABEL = mark("Workflow")
"""The host translates it itself, by what tools/package.py makes of the catalogue."""
FILES = (
    "application/, audio/, chemical/, font/, haptics/, image/, message/, model/, multipart/, text/, video/, x-office/"
)
"""Whatever a file may be, and no folder: the host looks for these anywhere in the type, and a folder's is
``httpd/unix-directory``. A selection with a folder in it has no entry then."""

ENTRIES: tuple[Entry, ...] = (
    (
        "v2/ui/files-actions-menu",
        {
            "name": PAGE,
            "displayName": LABEL,
            "actionHandler": "api/v1/menu",
            "icon": "img/appdark.svg",
            "mime": FILES,
            "permissions": 1,
            "order": 5,
        },
    ),
    ("v1/ui/top-menu", {"name": PAGE, "displayName": LABEL, "icon": "img/app.svg", "adminRequired": 0}),
    ("v1/ui/script", {"type": "top_menu", "name": PAGE, "path": "js/main"}),
    ("v1/ui/style", {"type": "top_menu", "name": PAGE, "path": "css/embed"}),
)
"""Scripts and styles are named without their ending."""

KEPT = "entries"
"""Under this name the host keeps what we registered there."""

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
    """After an installation and after an update. The host wants an answer at once, and the progress told later."""
    found = office()
    run = partial(set_up, found.ctx, found.platform)
    threading.Thread(target=run, name="init", daemon=True).start()
    return jsonify({})


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
    """Also after an update: what an earlier version registered and this one does not know is taken away.

    Returns: what could not be registered or removed; events are hints, so their lack is logged alone.
    """
    stale = _stale(host)
    left = _try(stale or (), host.remove_entry)
    failed = _try(ENTRIES, host.put_entry)
    if stale is not None:  # else the host would forget what it could not tell just now
        _remember(host, [*ENTRIES, *(one for one in stale if one[0] in left)])
    for event in EVENTS:
        try:
            host.subscribe(event, "/events/files")
        except HostUnavailable as error:
            log.warning("events.not_subscribed", reason=error.code)
    return [*left, *failed]


def take_out(host: Platform) -> list[str]:
    """Flows stay where they are; only the entries go. Returns: what could not be removed."""
    return _try((*(_stale(host) or ()), *reversed(ENTRIES)), host.remove_entry)


def _stale(host: Platform) -> tuple[Entry, ...] | None:
    """Entries of earlier versions that this one does not put; None where the host does not tell."""
    try:
        kept = json.loads(host.recall(KEPT) or "[]")
        earlier = [(str(what), dict(body)) for what, body in kept]
    except HostUnavailable as error:
        log.warning("entries.not_recalled", reason=error.code)
        return None
    except (ValueError, TypeError):
        log.warning("entries.malformed")
        return ()
    ours = [_known_by(*entry) for entry in ENTRIES]
    return tuple(entry for entry in earlier if _known_by(*entry) not in ours)


def _remember(host: Platform, entries: Sequence[Entry]) -> None:
    try:
        host.remember(KEPT, json.dumps([[what, _named(body)] for what, body in entries]))
    except HostUnavailable as error:
        log.warning("entries.not_remembered", reason=error.code)


def _named(body: Mapping[str, object]) -> dict[str, object]:
    """What tells an entry from others of its kind."""
    return {name: body[name] for name in ("type", "name", "path") if name in body}


def _known_by(what: str, body: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Whichever version of the host's interface put it."""
    return what.partition("/")[2], _named(body)


def _try(entries: Sequence[Entry], act: Callable[[str, Mapping[str, object]], None]) -> list[str]:
    failed = []
    for what, body in entries:
        try:
            act(what, body)
        except HostUnavailable as error:
            log.warning("entry.failed", what=what, reason=error.code)
            failed.append(what)
    return failed

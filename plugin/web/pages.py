"""Pages: rendered whole on the server, readable before any script arrives. Their addresses never end in .html."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, make_response, render_template, request, send_from_directory

from plugin.actions.acting import load_for
from plugin.flow.errors import NotFound, Unavailable
from plugin.i18n import bundle_words, translations
from plugin.ports_state import Loaded
from plugin.web.acts import consent_text
from plugin.web.api_link import read_link
from plugin.web.callers import anyone, follow, host_caller, steers_as_admin, user_token
from plugin.web.language import COOKIE, language, remember
from plugin.web.office import office
from plugin.web.page_state import PageState, own_part, page_state
from plugin.web.problems import problem, sentence, status_of
from plugin.web.reading import Reader, read_flow, read_for_recipient
from plugin.web.schemas import LinkFlowOut

pages = Blueprint("pages", __name__)

UI = Path(__file__).parent.parent / "static" / "ui"
HOST_FILES = ("main.js", "embed.css", "i18n.json")
AGAIN_AT_LEAST_S = 10
MORE_WORDS = {"follow.html": "follow", "verify.html": "verify"}
A_YEAR = "public, max-age=31536000, immutable"


@pages.get("/s/<token>")
@anyone
def invitation(token: str) -> Response:
    """The page behind an invitation. Opening it changes nothing in the flow; only "opened" is marked in the vault."""
    host_caller()
    try:
        held = follow(token)
    except NotFound:
        return _not_found(external=True, who=None)
    flow, recipient, now = held.loaded.flow, held.recipient, office().ctx.clock()
    g.link_language = recipient.language
    state = page_state(flow, recipient, now, is_old_link=held.is_old)
    if state == "act" and request.method == "GET":
        office().ctx.vault.mark_opened(flow.id, recipient.id, held.round, now)
    return _page(state, read_link(held), external=True, api_base=f"./{token}")


@pages.get("/f/<flow_id>")
@anyone
def for_user(flow_id: str) -> Response:
    """The same page for a platform user; one and the same answer for flows of others and for none."""
    caller = host_caller()
    if not caller.uid:
        return _not_found(external=False, who=None, status=200)
    ctx = office().ctx
    try:
        loaded = load_for(ctx, flow_id, caller.uid)
    except NotFound:
        return _not_found(external=False, who=caller.uid, status=200)
    own, now = own_part(loaded.flow, caller.uid), ctx.clock()
    state = page_state(loaded.flow, own, now) if own is not None else None
    is_creator = loaded.flow.creator.user.value == caller.uid
    if state != "act" and (is_creator or steers_as_admin(caller.uid, own)):
        return _follow_page(loaded, caller.uid)
    if own is None or state is None:
        return _not_found(external=False, who=caller.uid, status=200)
    g.link_language = own.language
    if state == "act" and request.method == "GET":
        ctx.vault.mark_opened(loaded.flow.id, own.id, own.round, now)
    consent = consent_text(len(loaded.flow.documents), language(own.language))
    flow = read_for_recipient(loaded, own, user_token(caller.uid), consent, now)
    return _page(state, flow, external=False, api_base=f"../api/v1/flows/{flow_id}")


def _page(state: PageState, flow: LinkFlowOut, *, external: bool, api_base: str) -> Response:
    shown = flow.model_dump()
    return render(
        "sign.html",
        flow=shown,
        state_page=state,
        external=external,
        api_base=api_base,
        boot={"flow": shown, "apiBase": api_base, "external": external, "statePage": state},
    )


def _follow_page(loaded: Loaded, uid: str) -> Response:
    """Where the flow stands, for who launched it (in his own language), and for admins."""
    if loaded.flow.creator.user.value == uid:
        g.link_language = loaded.flow.language
    shown = {**read_flow(loaded, Reader(None, sees_all=True, uid=uid)).model_dump(), "me": {"id": "", "name": ""}}
    return render("follow.html", flow=shown, external=False, api_base=f"../api/v1/flows/{loaded.flow.id}")


@pages.errorhandler(Unavailable)
def later(error: Unavailable) -> Response:
    """A page for people instead of a problem for programs. It comes back by itself, script or not."""
    if request.endpoint not in ("pages.invitation", "pages.for_user"):
        return problem(error, language())
    answer = render(
        "later.html",
        external=request.endpoint == "pages.invitation",
        sentence=sentence(error.code, language(), dict(error.values)),
        again_in_s=max(AGAIN_AT_LEAST_S, error.retry_after_s),
    )
    answer.status_code = status_of(error)
    answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _not_found(*, external: bool, who: str | None, status: int = 404) -> Response:
    answer = render("notfound.html", external=external, who=who)
    answer.status_code = status
    return answer


def render(template: str, **values: Any) -> Response:
    """A page in the reader's language, with the words its scripts need."""
    lang = language()
    words = translations(lang)
    other = "en" if lang == "fr" else "fr"
    html = render_template(
        template,
        lang=lang,
        _=words.gettext,
        gettext=words.gettext,
        ngettext=words.ngettext,
        asset=asset,
        organisation=office().organisation,
        other_lang_url=f"?{COOKIE}={other}",
        i18n={**bundle_words(lang, "sign"), **bundle_words(lang, MORE_WORDS.get(template, "sign"))},
        **values,
    )
    return remember(make_response(html))


def asset(name: str) -> str:
    """The address of a built file, with its content's hash: it may be kept for ever.

    Relative to ``/s/…`` and ``/f/…``, since the host may serve us below any path."""
    return f"../static/ui/{name}?v={_hashes().get(name, '')}"


@cache
def _hashes() -> dict[str, str]:
    if not UI.is_dir():
        return {}
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(UI.iterdir())
        if path.suffix in (".js", ".css", ".woff2") or path.name == "i18n.json"
    }


@pages.get("/static/ui/<name>")
@anyone
def built(name: str) -> Response:
    if name not in _hashes():
        raise NotFound
    answer = send_from_directory(UI, name)
    answer.headers["Cache-Control"] = A_YEAR if request.args.get("v") == _hashes()[name] else "no-store, private"
    return answer


@pages.get("/js/<name>")
@pages.get("/css/<name>")
@anyone
def for_host(name: str) -> Response:
    """What the host's own page loads, under the names it makes: ``js/main.js``, ``css/embed.css``."""
    if name not in HOST_FILES:
        raise NotFound
    return built(name)


@pages.get("/img/app.svg", defaults={"name": "app.svg"})
@pages.get("/img/appdark.svg", defaults={"name": "appdark.svg"})
@anyone
def icon(name: str) -> Response:
    """White for the host's top menu, black for its lists: it turns each over where its theme is the other one.

    Exactly ``image/svg+xml``: with a charset, Nextcloud 32 leaves the menu entry out without a word."""
    answer = send_from_directory(Path(__file__).parent.parent / "templates", name)
    answer.headers["Content-Type"] = "image/svg+xml"
    answer.headers["Cache-Control"] = "no-store, private"
    return answer


@pages.get("/.well-known/parapheur-keys.json")
@anyone
def keys() -> Response:
    answer = make_response(json.dumps(office().public_keys))
    answer.mimetype = "application/json"
    return answer

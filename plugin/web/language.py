"""Which language and which words a request gets."""

from __future__ import annotations

from flask import Response, g, request

from plugin.i18n import LANGUAGES, known
from plugin.web.office import office

COOKIE = "lang"


def language(preferred: str | None = None) -> str:
    """What was chosen on the page (``?lang=``, then the cookie), else ``preferred`` (the recipient's, the user's),
    else what the browser asks for, else the instance's."""
    chosen = known(request.args.get(COOKIE)) or known(request.cookies.get(COOKIE))
    own = chosen or known(preferred) or known(g.get("link_language"))
    if own is not None:
        return own
    return request.accept_languages.best_match(LANGUAGES) or office().ctx.default_language


def remember(response: Response) -> Response:
    """Keeps a language that was chosen by ``?lang=``."""
    chosen = known(request.args.get(COOKIE))
    if chosen is not None:
        response.set_cookie(COOKIE, chosen, max_age=31_536_000, samesite="Lax", httponly=False, path="/")
    return response

"""The page inside the embedded host: the host's frame around <parapheur-app>, as AppAPI's top menu pages are."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, render_template, request

from plugin.i18n import LANGUAGES, bundle_words, known, translations

UI: Final = Path(__file__).parent.parent / "static" / "ui"
embedded = Blueprint("embedded", __name__, template_folder="templates")


@embedded.get("/apps/app_api/embedded/parapheur/<path:page>")
def page(page: str) -> str:
    """@user or nobody: the element asks who it is and leads to the files page when nobody is."""
    chosen = known(request.args.get("lang")) or known(request.cookies.get("lang"))
    lang = chosen or request.accept_languages.best_match(LANGUAGES) or "en"
    return render_template(
        "embedded.html",
        lang=lang,
        _=translations(lang).gettext,
        i18n=bundle_words(lang, "main"),
        asset=asset,
        page=page,
    )


def asset(name: str) -> str:
    """The address of a built file; its hash lets it be kept."""
    return f"/static/ui/{name}?v={_manifest().get(name, '')}"


@cache
def _manifest() -> dict[str, str]:
    try:
        loaded: dict[str, str] = json.loads((UI / "manifest.json").read_text())
    except FileNotFoundError:
        return {}
    return loaded

"""Who is logged in on the embedded host: a random cookie whose hash is kept, so that a restart logs nobody out."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Final

from plugin.demo.database import Database
from plugin.demo.people import PEOPLE, DemoPerson
from plugin.demo.wire import Environ

COOKIE: Final = "parapheur_demo"
_KEPT: Final = 1_000


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, uid: str) -> str:
        """A new session for a known person; the cookie's value."""
        token = secrets.token_urlsafe(32)
        with self._database.transaction():
            self._database.run(
                "INSERT INTO sessions (token_hash, uid, at) VALUES (?,?,?)",
                _hash(token),
                uid,
                datetime.now(UTC).isoformat(),
            )
            self._database.run(
                "DELETE FROM sessions WHERE token_hash NOT IN"
                " (SELECT token_hash FROM sessions ORDER BY at DESC LIMIT ?)",
                _KEPT,
            )
        return token

    def end(self, token: str) -> None:
        self._database.run("DELETE FROM sessions WHERE token_hash = ?", _hash(token))

    def person(self, environ: Environ) -> DemoPerson | None:
        token = token_of(environ)
        if not token:
            return None
        row = self._database.row("SELECT uid FROM sessions WHERE token_hash = ?", _hash(token))
        return None if row is None else PEOPLE.get(str(row["uid"]))


def token_of(environ: Environ) -> str:
    try:
        jar = SimpleCookie(str(environ.get("HTTP_COOKIE", "")))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

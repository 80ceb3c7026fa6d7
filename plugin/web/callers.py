"""Who may call which route. Every route names its caller with one of these marks; a test walks the URL map.

``@anyone``: what is public by nature; ``@direct``: the same, but not through the host's proxy. ``@link``: whoever
holds an invitation. ``@user``: a logged-in user of the host. ``@platform``: the host itself. The ``_acting`` ones are
for routes that change something: the page's own token and a fitting Origin are asked for, since the host's proxy
gives no CSRF protection.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import structlog
from flask import g, request

from hooks.identity import Caller, NotTheHost, OtherSecret, calling_user, is_harp_key
from plugin.actions.acting import load
from plugin.flow.errors import Conflict, Forbidden, HostRefuses, NotFound, ParapheurError, Unavailable
from plugin.flow.model import Recipient
from plugin.flow.tokens import (
    link_page_token,
    link_token,
    same_token,
    token_hash,
    user_page_token,
    user_page_token_holds,
)
from plugin.flow.turns import check_link, is_old_link
from plugin.ports_state import Loaded
from plugin.web.office import office

log = structlog.get_logger()

View = TypeVar("View", bound=Callable[..., Any])

USER_TOKEN_TTL = timedelta(hours=12)
TOKEN_LENGTH = 43
HARP_HEADER = "Harp-Shared-Key"


def anyone(view: View) -> View:
    return _marked(view, "anyone")


def direct(view: View) -> View:
    """Public by nature, for whoever reaches us past the host's proxy. Nextcloud 32 lets any path through that one."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.headers.getlist("X-Origin-Ip") or _came_past_the_platform():
            raise NotFound
        return view(*args, **kwargs)

    return _marked(cast("View", checked), "anyone")


def user(view: View) -> View:
    """``g.uid`` is the caller. Raises not-signed-in (401) where the host let an anonymous visitor through."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        g.uid = _logged_in()
        return view(*args, **kwargs)

    return _marked(cast("View", checked), "user")


def user_acting(view: View) -> View:
    """As ``user``, for what changes something."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        g.uid = _logged_in()
        check_origin()
        check_user_token(g.uid)
        return view(*args, **kwargs)

    return _marked(cast("View", checked), "user", acting=True)


def link(view: View) -> View:
    """``token`` of the path gives ``held``, a ``Held``, to the view. Unknown tokens are all the same 404."""

    @functools.wraps(view)
    def checked(token: str, *args: Any, **kwargs: Any) -> Any:
        host_caller()
        held = follow(token)
        g.link_language = held.recipient.language
        return view(held, *args, **kwargs)

    return _marked(cast("View", checked), "link")


def link_acting(view: View) -> View:
    """As ``link``, for what changes something: never behind a link that a newer one has replaced."""

    @functools.wraps(view)
    def checked(token: str, *args: Any, **kwargs: Any) -> Any:
        host_caller()
        held = follow(token)
        g.link_language = held.recipient.language
        check_origin()
        check_link_token(token, held.round)
        held.check_newest()
        return view(held, *args, **kwargs)

    return _marked(cast("View", checked), "link", acting=True)


def platform(view: View) -> View:
    """Called by the host itself, never through its proxy."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if host_caller().came_by_proxy:
            raise NotFound
        return view(*args, **kwargs)

    return _marked(cast("View", checked), "platform")


def _marked(view: View, caller: str, *, acting: bool = False) -> View:
    view.__dict__.update(caller=caller, acting=acting)
    return view


def _logged_in() -> str:
    uid = host_caller().uid
    if not uid:
        raise ParapheurError("not-signed-in")
    return uid


def host_caller() -> Caller:
    """Raises not-the-host (401) when the request did not come through the platform.

    Another secret is 503: it stands for a set-up that everybody suffers from, and a proxy that counts refusals would
    shut honest people out.
    """
    found = office()
    try:
        caller = calling_user(
            request.headers.getlist("Authorization-App-Api"),
            request.headers.getlist("Ex-App-Id"),
            request.headers.getlist("X-Origin-Ip"),
            request.headers.getlist(HARP_HEADER),
            expected_id=found.app_id,
            secret=found.app_secret,
            expected_harp_key=found.harp_key,
        )
    except OtherSecret as error:
        log.warning("host.other_secret", route=request.endpoint)
        raise HostRefuses("wrong-secret") from error
    except NotTheHost as error:
        raise ParapheurError("not-the-host") from error
    versions = request.headers.getlist("Ex-App-Version")
    if len(versions) == 1 and not _came_past_the_platform():
        found.heard(versions[0])
    return caller


def _came_past_the_platform() -> bool:
    """By HaRP from a browser: HaRP puts the app's own headers on everything it forwards."""
    key = office().harp_key
    is_forwarded = "Authorization-App-Api" in request.headers
    return bool(key) and is_forwarded and not is_harp_key(request.headers.getlist(HARP_HEADER), key)


@dataclass(frozen=True, slots=True)
class Held:
    """What the holder of a link has. ``round``: the one that the link belongs to."""

    token: str
    loaded: Loaded
    recipient: Recipient
    round: int

    @property
    def is_old(self) -> bool:
        """A newer link was made for the same person."""
        return is_old_link(self.recipient, self.round)

    def check_newest(self) -> None:
        """Raises: Conflict replaced, with what it was replaced by."""
        check_link(self.recipient, self.round)


def follow(token: str) -> Held:
    """The flow and recipient behind a link, derived again from the flow: a forged row grants nothing.

    Raises: NotFound; IndexMissing while links cannot be looked up.
    """
    found = office()
    row = found.ctx.index.link(token_hash(token))
    if row is None or len(token) != TOKEN_LENGTH:
        raise NotFound
    loaded = load(found.ctx, row.flow_id)
    try:
        recipient = loaded.flow.recipient(row.recipient)
    except KeyError as error:
        raise NotFound from error
    expected = link_token(found.secrets.link_key, loaded.flow.id, recipient.id, row.round)
    if not same_token(token, expected) or row.round > recipient.round or not recipient.is_external:
        raise NotFound
    return Held(token, loaded, recipient, row.round)


def is_admin(uid: str) -> bool:
    person = office().ctx.directory.person(uid)
    return person is not None and "admin" in person.groups


def steers_as_admin(uid: str, own: Recipient | None) -> bool:
    """The same of somebody who may be a recipient as well: while the host does not say, he is that alone.

    Raises: Unavailable, where he is none."""
    try:
        return is_admin(uid)
    except Unavailable:
        if own is None:
            raise
        return False


def user_token(uid: str) -> str:
    found = office()
    return user_page_token(found.secrets.csrf_key, uid, found.ctx.clock() + USER_TOKEN_TTL)


def token_of_link(token: str, round_: int) -> str:
    return link_page_token(office().secrets.csrf_key, token_hash(token), round_)


def check_origin() -> None:
    """An absent Origin is accepted; ``null`` and foreign ones are not (403): no honest page sends those."""
    origins = request.headers.getlist("Origin")
    if origins and (len(origins) > 1 or origins[0] not in office().origins):
        raise Forbidden("foreign-origin")


def check_user_token(uid: str) -> None:
    found = office()
    given = request.headers.get("X-CSRF-Token", "")
    if not user_page_token_holds(found.secrets.csrf_key, uid, given, found.ctx.clock()):
        raise Conflict("page-expired")


def check_link_token(token: str, round_: int) -> None:
    if not same_token(request.headers.get("X-CSRF-Token", ""), token_of_link(token, round_)):
        raise Conflict("page-expired")


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

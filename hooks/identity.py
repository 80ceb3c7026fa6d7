"""Who calls: the AppAPI headers, checked. A valid header does not mean that somebody is logged in."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """``uid`` is empty for an anonymous visitor or the host itself. ``came_by_proxy``: a browser stands behind it.

    ``origin_ip``: the browser's address as the host tells it; None where nobody trustworthy does.
    """

    uid: str
    came_by_proxy: bool
    origin_ip: str | None


class NotTheHost(Exception):
    """The headers are missing, doubled or malformed, or speak to another app."""


class OtherSecret(NotTheHost):
    """All is as the host sends it, but for the secret."""


def calling_user(
    authorization: Sequence[str],
    app_id: Sequence[str],
    origin_ip: Sequence[str],
    harp_key: Sequence[str] = (),
    *,
    expected_id: str,
    secret: str,
    expected_harp_key: str = "",
) -> Caller:
    """``authorization``, ``app_id``, ``origin_ip``, ``harp_key``: every value of that header as it arrived.

    Behind HaRP (``expected_harp_key``) a browser may reach us past the platform, with valid headers that HaRP puts on
    but with the other ones as the browser wrote them: only the platform itself sends HaRP's key along.
    Raises: NotTheHost; of it OtherSecret. Secrets are compared in constant time.
    """
    if len(authorization) != 1 or len(app_id) != 1 or len(origin_ip) > 1:
        raise NotTheHost
    if any("," in value for value in (*authorization, *origin_ip)) or app_id[0] != expected_id:  # doubled, joined
        raise NotTheHost
    try:
        decoded = base64.b64decode(authorization[0], validate=True).decode()
    except ValueError as error:
        raise NotTheHost from error
    uid, colon, given = decoded.rpartition(":")
    if not colon:
        raise NotTheHost
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise OtherSecret
    if expected_harp_key and not is_harp_key(harp_key, expected_harp_key):
        return Caller(uid, came_by_proxy=True, origin_ip=None)
    return Caller(uid, bool(origin_ip), origin_ip[0] if origin_ip else None)


def is_harp_key(given: Sequence[str], expected: str) -> bool:
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), expected.encode())

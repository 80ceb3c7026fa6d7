"""Links, page tokens and request digests: HMAC-SHA256 over labelled canonical JSON arrays, written base64url.

A link's token is stored nowhere: it is derived again from the flow and compared in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

import rfc8785


def labelled_mac(key: bytes, label: str, *parts: str | int) -> bytes:
    """HMAC-SHA256 over the canonical JSON (RFC 8785) of ``[label, *parts]``. Shape: 32 bytes."""
    return hmac.digest(key, rfc8785.dumps([label, *parts]), "sha256")


def link_token(link_key: bytes, flow_id: str, recipient: str, round_: int) -> str:
    """Shape: 43 characters of base64url."""
    return _text(labelled_mac(link_key, "parapheur link v1", flow_id, recipient, round_))


def token_hash(token: str) -> str:
    """What the index keeps of a token. Shape: 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def same_token(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def user_page_token(csrf_key: bytes, uid: str, expires: datetime) -> str:
    """Bound to the user; shape: ``<unix seconds>.<43 characters>``."""
    stamp = int(expires.timestamp())
    return f"{stamp}.{_text(labelled_mac(csrf_key, 'parapheur csrf v1', uid, stamp))}"


def user_page_token_holds(csrf_key: bytes, uid: str, token: str, now: datetime) -> bool:
    stamp, _, mac = token.partition(".")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    expected = _text(labelled_mac(csrf_key, "parapheur csrf v1", uid, int(stamp)))
    return same_token(mac, expected) and now.timestamp() <= int(stamp)


def link_page_token(csrf_key: bytes, link_hash: str, round_: int) -> str:
    """Bound to the link and its round."""
    return _text(labelled_mac(csrf_key, "parapheur csrf v1", link_hash, round_))


def request_digest(request_key: bytes, what: str, body: bytes) -> str:
    """Tells two submits apart without keeping what was in them. Shape: 64 hex digits."""
    return labelled_mac(request_key, "parapheur request v1", what, hashlib.sha256(body).hexdigest()).hex()


def _text(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

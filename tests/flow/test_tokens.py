"""Links, page tokens and digests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.flow.tokens import (
    link_page_token,
    link_token,
    request_digest,
    token_hash,
    user_page_token,
    user_page_token_holds,
)
from tests.flow.builders import NOW

KEY = b"k" * 32


def test_a_link_is_the_mac_of_a_labelled_canonical_array() -> None:
    flow_id = "01890000-0000-7000-8000-000000000001"
    message = json.dumps(["parapheur link v1", flow_id, "r2", 3], separators=(",", ":")).encode()
    expected = base64.urlsafe_b64encode(hmac.digest(KEY, message, "sha256")).rstrip(b"=").decode()
    assert link_token(KEY, flow_id, "r2", 3) == expected
    assert len(expected) == 43
    assert token_hash(expected) == hashlib.sha256(expected.encode()).hexdigest()


def test_another_flow_recipient_round_or_key_is_another_link() -> None:
    tokens = {
        link_token(key, flow, who, round_)
        for key in (KEY, b"l" * 32)
        for flow in ("f", "g")
        for who in ("r1", "r11")
        for round_ in (1, 11)
    }
    assert len(tokens) == 16


def test_a_page_token_of_a_user_holds_for_him_until_it_runs_out() -> None:
    token = user_page_token(KEY, "alice", NOW)
    assert user_page_token_holds(KEY, "alice", token, NOW)
    assert not user_page_token_holds(KEY, "alice", token, NOW + timedelta(seconds=1))
    assert not user_page_token_holds(KEY, "bob", token, NOW)
    assert not user_page_token_holds(b"l" * 32, "alice", token, NOW)
    stamp, _, mac = token.partition(".")
    assert not user_page_token_holds(KEY, "alice", f"{int(stamp) + 1}.{mac}", NOW)


@given(st.text(max_size=80))
def test_no_text_that_anybody_makes_up_is_a_page_token(text: str) -> None:
    assert not user_page_token_holds(KEY, "alice", text, NOW)


@pytest.mark.parametrize("stamp", ["²", "١٢٣", "-1", "+1", " 1", "1" * 13, "", "1e9", "0x10"])
def test_odd_numbers_in_a_page_token_are_refused_quietly(stamp: str) -> None:
    assert not user_page_token_holds(KEY, "alice", f"{stamp}.{'A' * 43}", NOW)


def test_a_links_page_token_is_bound_to_link_and_round() -> None:
    assert len({link_page_token(KEY, "h", 1), link_page_token(KEY, "h", 2), link_page_token(KEY, "i", 1)}) == 3


def test_a_digest_tells_two_submits_apart() -> None:
    assert request_digest(KEY, "sign", b"a") == request_digest(KEY, "sign", b"a")
    assert len({request_digest(KEY, what, body) for what in ("sign", "refuse") for body in (b"a", b"b")}) == 4

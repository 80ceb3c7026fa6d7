from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from plugin.adapters.chain import Chain, Draft, canonical, from_instant, instant, verified, written
from plugin.adapters.keys import ChainKey, Keys, b64url
from plugin.adapters.personal import Curtain, commitment, new_salt
from plugin.flow.codec import from_data, to_data
from plugin.flow.events import Launched, MailAccepted
from plugin.flow.model import MailKind, Personal
from plugin.ports_state import ChainBroken
from tests.state import independent_verifier
from tests.state.world import (
    ADDRESS,
    COMMENT,
    FLOW_ID,
    FOLDER,
    NAME,
    NOW,
    TITLE,
    World,
    approval,
    certificate,
    launched,
    view,
)

OTHER_ID = "01957c1e-7a00-7000-8000-000000000002"


@pytest.fixture
def log(world: World) -> bytes:
    """Seven lines: launched, invited, viewed, approved, invited, approved, completed."""
    world.launch()
    world.act(FLOW_ID, view())
    world.act(FLOW_ID, approval())
    world.act(FLOW_ID, approval("r2"), "recipient:r2")
    return world.state()


def check(world: World, log: bytes, flow_id: str = FLOW_ID) -> Chain:
    return verified(log, world.keys.public_keys, flow_id)


def reason(world: World, log: bytes, flow_id: str = FLOW_ID) -> str:
    with pytest.raises(ChainBroken) as caught:
        check(world, log, flow_id)
    return caught.value.reason


def signed(world: World, line: dict[str, Any], key: ChainKey | None = None) -> bytes:
    """A line as somebody with the key would write it."""
    line.pop("sig", None)
    private = (key or world.keys.active).private
    line["sig"] = base64.urlsafe_b64encode(private.sign(rfc8785.dumps(line))).rstrip(b"=").decode()
    return rfc8785.dumps(line) + b"\n"


def test_an_independent_reader_verifies_what_was_written(world: World, log: bytes) -> None:
    head, length = independent_verifier.verify(log, FLOW_ID, {hashlib.sha256(world.keys.seal_cert_der).hexdigest()})
    chain = check(world, log)
    assert (head, length) == (chain.head, chain.length)
    assert length == 7
    assert [line.actor for line in chain.lines] == [
        "creator",
        "system",
        "recipient:r1",
        "recipient:r1",
        "system",
        "recipient:r2",
        "system",
    ]


def test_the_independent_verifier_stands_alone() -> None:
    source = Path(independent_verifier.__file__).read_text()
    assert "plugin" not in source
    assert len(source.splitlines()) < 200


def test_no_personal_value_stands_in_clear(world: World, log: bytes) -> None:
    salts = next(data for path, data in _files(world).items() if path.endswith("salts.json"))
    for clear in (TITLE, COMMENT, *NAME.split(), ADDRESS, FOLDER, "bail.pdf", "alice", "bob", "192.0.2.7", "Firefox"):
        for written_bytes in (log, salts):
            assert clear.encode() not in written_bytes
            assert json.dumps(clear)[1:-1].encode() not in written_bytes
            assert base64.urlsafe_b64encode(clear.encode())[:-4] not in written_bytes or len(clear) < 6


def test_lines_are_canonical_json_of_strings_and_integers(log: bytes) -> None:
    for number, raw in enumerate(log.splitlines(), start=1):
        line = json.loads(raw, parse_float=pytest.fail)
        assert rfc8785.dumps(line) == raw
        assert line["seq"] == number
        assert line["at"].endswith("Z")


def test_every_single_byte_edit_is_detected(world: World, log: bytes) -> None:
    dice = random.Random(7)
    places = [*dice.sample(range(len(log)), 600), 0, *range(len(log) - 120, len(log))]
    for place in places:
        edited = bytearray(log)
        edited[place] ^= 1 << dice.randrange(8)
        reason(world, bytes(edited))
        with pytest.raises(independent_verifier.Bad):
            independent_verifier.verify(bytes(edited), FLOW_ID)


def test_removed_inserted_and_doubled_bytes_are_detected(world: World, log: bytes) -> None:
    dice = random.Random(11)
    for place in dice.sample(range(len(log)), 150):
        for edited in (
            log[:place] + log[place + 1 :],
            log[:place] + b" " + log[place:],
            log[:place] + log[place : place + 1] + log[place:],
        ):
            if edited == log:
                continue
            reason(world, edited)


def test_a_truncated_file_is_torn_or_rolled_back(world: World, log: bytes) -> None:
    anchor = check(world, log)
    ends = [number + 1 for number, byte in enumerate(log) if byte == 10]
    for cut in random.Random(3).sample(range(len(log)), 200):
        if cut not in ends:
            assert reason(world, log[:cut]) in ("torn-line", "bad-json")
    for cut in ends[:-1]:
        assert not check(world, log[:cut]).holds(anchor.head, anchor.length)
        with pytest.raises(independent_verifier.Bad):
            independent_verifier.verify(log[:cut], anchor=(anchor.head, anchor.length))
    assert reason(world, b"") == "torn-line"


def test_swapped_dropped_doubled_and_spliced_lines_are_detected(world: World, log: bytes) -> None:
    world.launch(OTHER_ID)
    world.act(OTHER_ID, view())
    other = world.state(OTHER_ID).splitlines(keepends=True)
    lines = log.splitlines(keepends=True)
    assert reason(world, b"".join([lines[0], lines[2], lines[1], *lines[3:]])) == "bad-seq"
    assert reason(world, b"".join([lines[0], *lines[2:]])) == "bad-seq"
    assert reason(world, b"".join([*lines[:2], lines[1], *lines[2:]])) == "bad-seq"
    assert reason(world, b"".join([*lines[:2], other[2]])) == "bad-prev"
    assert reason(world, b"".join([other[0], *lines[1:]])) == "other-flow"


def test_a_chain_copied_to_another_flow_is_detected(world: World, log: bytes) -> None:
    assert reason(world, log, OTHER_ID) == "other-flow"


def test_a_line_signed_by_a_foreign_key_is_not_trusted(
    world: World, log: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = World(tmp_path_factory.mktemp("stranger"))
    stranger.launch()
    foreign = stranger.state()
    stranger.close()
    assert reason(world, foreign) == "unknown-key"
    last = json.loads(log.splitlines()[-1])
    forged = log[: log.rindex(b"\n", 0, -1) + 1] + signed(world, dict(last), stranger.keys.active)
    assert reason(world, forged) == "bad-signature"


def test_time_and_fence_never_go_back(world: World, log: bytes) -> None:
    lines = log.splitlines(keepends=True)
    for change in ({"at": "2026-01-01T00:00:00.000Z"}, {"fence": 1}):
        last = json.loads(lines[-1]) | change
        assert reason(world, b"".join([*lines[:-1], signed(world, last)])) == "bad-order"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"at": "2026-03-01T12:00:00Z"}, "bad-line"),
        ({"at": "2026-13-01T12:00:00.000Z"}, "bad-line"),
        ({"actor": "somebody"}, "bad-line"),
        ({"type": "flow.launched"}, "bad-line"),
        ({"extra": 1}, "bad-line"),
        ({"data": [1]}, "bad-line"),
        ({"seq": 99}, "bad-seq"),
    ],
)
def test_even_a_rightly_signed_line_must_keep_to_the_form(
    world: World, log: bytes, change: dict[str, object], expected: str
) -> None:
    lines = log.splitlines(keepends=True)
    last = json.loads(lines[-1]) | change
    assert reason(world, b"".join([*lines[:-1], signed(world, last)])) == expected


@pytest.mark.parametrize("value", ["1.5", "true", "null", '"\\ud800"', "99999999999999999999"])
def test_values_that_a_state_file_may_not_hold_are_refused(world: World, log: bytes, value: str) -> None:
    line = log.splitlines(keepends=True)[0].replace(b'"format":1', b'"format":' + value.encode())
    assert reason(world, line) == "bad-line"
    with pytest.raises(ValueError):  # noqa: PT011 - canonicalisation has a tree of its own
        written(None, [Draft("creator", "flow.launched", {"x": json.loads(value)})], world.keys.active, 1, NOW)


def test_a_line_is_never_earlier_than_the_one_before(world: World) -> None:
    loaded = world.launch()
    with world.store.lease(FLOW_ID) as lease:
        event = MailAccepted(MailKind.INVITATION, "r1", 1, "<m@x>")
        after = world.store.append(loaded, lease, [event], "system", NOW.replace(year=2020))
    assert after.records[-1].at == NOW


def test_a_known_prefix_is_not_verified_again(world: World, log: bytes) -> None:
    known = check(world, log[: log.index(b"\n") + 1])
    whole = verified(log, world.keys.public_keys, FLOW_ID, known)
    assert whole.lines[0] is known.lines[0]
    assert verified(log, {}, FLOW_ID, whole) is whole


def test_times_survive_the_way_out_and_in() -> None:
    assert from_instant(instant(NOW)) == NOW
    with pytest.raises(ValueError, match="2026"):
        from_instant("2026-03-01T12:00:00.123+00:00")


# ---- personal values ------------------------------------------------------------------------------------------------
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
persons = st.sampled_from(["creator", "r1", "r2"])
trees = st.recursive(
    st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), texts, st.builds(Personal, persons, texts)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def curtain(tmp_path_factory: pytest.TempPathFactory) -> Curtain:
    return Curtain(Keys.open(tmp_path_factory.mktemp("keys") / "keys", "Test", False, certificate))


@settings(deadline=None, max_examples=60)
@given(trees)
def test_what_is_hidden_is_shown_again_with_the_salts(curtain: Curtain, tree: object) -> None:
    salts = {person: bytes([number]) * 32 for number, person in enumerate(("creator", "r1", "r2"))}
    hidden = curtain.hide(tree, salts)
    again = json.loads(rfc8785.dumps(hidden))
    assert curtain.show(again, salts) == tree


def test_any_jwe_library_opens_a_value_with_the_persons_key(world: World) -> None:
    curtain, salt = Curtain(world.keys), new_salt()
    hidden = curtain.hide(Personal("r1", "Zoé"), {"r1": salt})
    jwe = JWE()
    jwe.deserialize(hidden["jwe"], JWK(kty="oct", k=b64url(world.keys.person_key(salt))))
    assert jwe.payload.decode() == "Zoé"


def test_without_a_persons_salt_his_values_are_none_and_others_stay(curtain: Curtain) -> None:
    salts = {"r1": new_salt(), "r2": new_salt()}
    hidden = curtain.hide([Personal("r1", "Zoé"), Personal("r2", "Bob")], salts)
    assert curtain.show(hidden, {"r2": salts["r2"]}) == [Personal("r1", None), Personal("r2", "Bob")]
    assert curtain.show(hidden, salts | {"r1": new_salt()})[0] == Personal("r1", None)


def test_the_chain_commits_to_each_salt(world: World, log: bytes) -> None:
    salts = world.vault.salts(FLOW_ID)
    assert check(world, log).commitments == {person: commitment(salt) for person, salt in salts.items()}
    assert set(salts) == {"creator", "r1", "r2"}


@settings(deadline=None, max_examples=40)
@given(title=texts, comment=st.none() | texts, count=st.integers(1, 5))
def test_events_survive_the_codec_and_the_curtain(
    curtain: Curtain, title: str, comment: str | None, count: int
) -> None:
    event = launched(recipients=count)[0]
    assert isinstance(event, Launched)
    event = replace(
        event,
        title=Personal("creator", title),
        comment=None if comment is None else Personal("creator", comment),
    )
    salts = {person: new_salt() for person in ("creator", *(r.id for r in event.recipients))}
    stored = json.loads(rfc8785.dumps(curtain.hide(to_data(event), salts)))
    assert from_data(event.type, curtain.show(stored, salts)) == event


def _files(world: World) -> dict[str, bytes]:
    found = {}
    waiting = [""]
    while waiting:
        for info in world.files.list("alice", waiting.pop()):
            if info.is_folder:
                waiting.append(info.path)
            else:
                found[info.path] = world.files.read("alice", info.path) or b""
    return found


NAMES = st.text(st.characters(max_codepoint=127), max_size=4)
PLAIN = st.recursive(
    st.text() | st.integers(1 - 2**53, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, PLAIN, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_is_compared_with_the_same_bytes_that_are_written(plain: dict[str, Any]) -> None:
    assert canonical(plain) == rfc8785.dumps(plain)


def test_text_that_is_no_unicode_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        canonical({"a": "\ud800"})


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**400])
def test_a_number_that_a_double_does_not_hold_is_no_line(world: World, number: int) -> None:
    world.launch()
    state = world.state()
    with pytest.raises(ChainBroken, match="bad-line"):
        verified(state.replace(b'"fence":1,', b'"fence":%d,' % number), world.keys.public_keys, FLOW_ID)

"""docs/state-format.md tells what each event does, and in which order a file is checked: as the code has it."""

from __future__ import annotations

import hashlib
import hmac
import json
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

import pytest
import rfc8785

from plugin.adapters.chain import KEY, verified
from plugin.adapters.personal import Curtain
from plugin.flow.events import Completed, Event, Invited, Launched, Restarted, Resumed, Suspended
from plugin.flow.evolve import evolve, replay
from plugin.flow.model import Flow, Personal, SuspendReason
from plugin.flow.tokens import request_digest
from plugin.ports_state import ChainBroken
from plugin.web.bodies import FROM_PROXY, UNVERIFIED
from plugin.web.schemas_asked import SignatureIn
from tests.state import independent_verifier
from tests.state.test_rotation import entries, resigned, rotated
from tests.state.test_state_format import DOCS, told_rows
from tests.state.world import COMMENT, FLOW_ID, NOW, World, approval, launched, mine

__all__ = ["rotated"]


# ---- effects --------------------------------------------------------------------------------------------------------
def example_of(wanted: Any, name: str = "") -> Any:
    """Some value of that kind."""
    if typing.get_origin(wanted) is types.UnionType:
        return example_of(next(arg for arg in typing.get_args(wanted) if arg is not type(None)), name)
    if typing.get_origin(wanted) is tuple:
        return (example_of(typing.get_args(wanted)[0]),)
    if wanted is Personal:
        return Personal("r1", "x")
    if is_dataclass(wanted):
        hints = typing.get_type_hints(wanted)
        return typing.cast("type", wanted)(**{f.name: example_of(hints[f.name], f.name) for f in fields(wanted)})
    if issubclass(wanted, StrEnum):
        return next(iter(wanted))
    if wanted is str:
        return {"id": "r9", "since": TIME, "expires_at": TIME}.get(name, "r1")
    return {"n": 0, "round": 1}.get(name, 1)


TIME = "2026-03-01T12:00:00.123Z"


def flow_before(cls: type) -> Flow:
    flow = replay((event, NOW) for event in launched())
    return evolve(flow, Suspended(SuspendReason.CREATOR_OUT, TIME), NOW) if cls in (Resumed, Restarted) else flow


def effect_rows() -> list[str]:
    return [f"| `{cls.type}` | {_becomes(cls)} |" for cls in typing.get_args(Event)]


def _becomes(cls: Any) -> str:
    if cls is Launched:
        flow = evolve(None, launched()[0], NOW)
        return f"`{flow.state}` | `{flow.recipients[0].state}`"
    before, event = flow_before(cls), example_of(cls)
    if cls is Invited:
        before = replay((one, NOW) for one in launched()[:1])
    after = evolve(before, event, NOW)
    was, now = (flow.recipient("r1").state for flow in (before, after))
    told = [f"`{after.state}`" if after.state != before.state else "-", f"`{now}`" if now != was else "-"]
    return " | ".join(told)


def test_what_each_event_makes_of_flow_and_recipient_is_told() -> None:
    told = ["|".join(row.split("|")[:4]) + "|" for row in told_rows("What each event does")]
    assert "\n".join(told) == "\n".join(effect_rows()), "paste these columns into docs/state-format.md"


def test_rounds_begin_as_told(world: World) -> None:
    world.launch()
    flow = replay((event, NOW) for event in launched())
    assert {r.round for r in flow.recipients} == {1}
    again = evolve(flow, replace(example_of(Restarted), documents=()), NOW)
    assert {(r.round, str(r.state)) for r in again.recipients} == {(2, "waiting")}
    assert evolve(flow, Completed(()), NOW).ended_at == NOW


def test_the_words_and_the_hash_of_a_request_are_told() -> None:
    told = DOCS.read_text()
    kinds = typing.get_args(typing.get_type_hints(SignatureIn)["kind"])
    assert [word for word in (*kinds, FROM_PROXY, UNVERIFIED) if f"`{word}`" not in told] == []
    assert set(kinds) == {"drawn", "image", "typed"}
    made = rfc8785.dumps(["parapheur request v1", "launch alice", hashlib.sha256(b"{}").hexdigest()])
    assert request_digest(b"k" * 32, "launch alice", b"{}") == hmac.new(b"k" * 32, made, hashlib.sha256).hexdigest()


# ---- values that do not open, keys that are brought in again --------------------------------------------------------
def test_a_value_that_does_not_open_reads_as_nothing(world: World) -> None:
    world.launch()
    curtain, salts = Curtain(world.keys), world.vault.salts(FLOW_ID)
    good = curtain.hide(mine(COMMENT), salts)
    header, _, nonce, text, tag = good["jwe"].split(".")
    for jwe in (
        "",
        "x",
        f"{header}.key.{nonce}.{text}.{tag}",
        f"e30..{nonce}.{text}.{tag}",
        f"{header}..{nonce}.{tag}.{tag}",
    ):
        assert curtain.show({"person": "creator", "jwe": jwe}, salts) == Personal("creator", None)
    assert curtain.show({**good, "person": "r1"}, salts) == Personal("r1", None)
    assert curtain.show(good, salts) == mine(COMMENT)


def test_a_line_may_bring_in_a_key_that_is_known(world: World, rotated: World) -> None:
    rotated.act(FLOW_ID, approval())
    log = rotated.state()
    last, (brought,) = entries(log)[-1], [e for e in entries(log) if e["type"] == "key.rotated"]
    head = verified(log, rotated.keys.public_keys, FLOW_ID).head
    again = resigned(
        {**brought, "seq": last["seq"] + 1, "prev": head, "at": last["at"], "fence": last["fence"]},
        rotated.keys.active,
    )
    chain = verified(log + again, rotated.keys.public_keys, FLOW_ID)
    assert chain.length == last["seq"] + 1
    assert independent_verifier.verify(log + again, FLOW_ID) == (chain.head, chain.length)
    rotated.files.plant(f"Contracts/.flows/{FLOW_ID}/flow.jsonl", log + again)
    found = rotated.store.refresh(FLOW_ID)
    assert found is not None
    assert (found.length, found.is_newer) == (chain.length, False)


# ---- the order of the checks ----------------------------------------------------------------------------------------
def test_of_several_faults_the_first_in_the_order_told_is_the_reason(world: World, rotated: World) -> None:
    rotated.act(FLOW_ID, approval())
    raw, lines = rotated.state().splitlines(keepends=True), entries(rotated.state())
    old, new = world.keys.active, rotated.keys.active
    good = dict(lines[2])
    bad: dict[str, Any] = {**good, "seq": 7, "prev": "0" * 64, "kid": "0" * 16, "fence": 0, "at": "never", "sig": "A"}
    bad["data"] = {**good["data"], "salts": 3}
    spaced: Callable[[dict[str, Any]], bytes] = lambda line: json.dumps(line).encode() + b"\n"  # noqa: E731 - shorter than a function, and used below
    plain: Callable[[dict[str, Any]], bytes] = lambda line: rfc8785.dumps(line) + b"\n"  # noqa: E731 - shorter than a function, and used below
    less = {name: member for name, member in bad.items() if name != "type"}
    found: list[str] = []

    def told(line: bytes) -> None:
        with pytest.raises(ChainBroken) as broken:
            verified(b"".join([*raw[:2], line]), rotated.keys.public_keys, FLOW_ID)
        if found[-1:] != [broken.value.reason]:
            found.append(broken.value.reason)

    told(b"{")
    told(b"{\n")
    told(spaced(less))
    told(spaced(bad))
    told(plain({**bad, "seq": "7"}))
    told(plain(bad))
    bad["seq"] = good["seq"]
    told(plain(bad))
    bad["prev"] = good["prev"]
    told(plain(bad))
    bad["kid"] = new.kid
    told(plain(bad))
    told(resigned(bad, new))
    bad["at"] = good["at"]
    told(resigned(bad, new))
    bad["fence"] = good["fence"]
    told(resigned(bad, new))  # a key that nothing brought in
    told(resigned(bad, old))
    section = DOCS.read_text().split("## Order of the checks", 1)[1].split("\n#", 1)[0]
    words = [word for word in section.replace("[", " ").replace("]", " ").replace(",", " ").split() if word[0] == "`"]
    words = [word.strip("`;:.") for word in words]
    wanted = iter(words)
    assert all(reason in wanted for reason in found), (found, words)
    assert found == [
        "torn-line",
        "bad-json",
        "bad-line",
        "not-canonical",
        "bad-line",
        "bad-seq",
        "bad-prev",
        "unknown-key",
        "bad-signature",
        "bad-line",
        "bad-order",
        "bad-key",
        "bad-line",
    ]
    assert KEY in lines[0]["data"]

"""kill -9: while idle, and at moments spread over launching, signing and the completion of the last signatory.

More of them: ``PARAPHEUR_KILLS=500 pytest -s tests/machine/test_kills.py``; another seed: ``PARAPHEUR_SEED=7``.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.machine.machine import Case, Person, Server, case, people, until
from tests.pdfops import oracles
from tests.state import independent_verifier

pytestmark = pytest.mark.machine
KILLS = int(os.environ.get("PARAPHEUR_KILLS") or 12)
SEED = int(os.environ.get("PARAPHEUR_SEED") or 1)
ACTS = ("launch", "first", "last")
SPREAD = {"launch": 2.8, "first": 1.3, "last": 2.5}
"""Up to how many times its usual duration an act is killed: a launch is slow just after a start, mails come behind."""
REVISION = re.compile(r"[0-9a-f]{64}")


def test_killed_while_idle_it_answers_within_ten_seconds_and_the_flow_goes_on(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        one = case(alice, 1).launched(alice)
        assert one.sign_as_bob(bob).status_code == 200
        link = one.link(outside)
        told = lambda: [e["data"]["person"] for e in one.events(alice) if e["type"] == "mail.accepted"]  # noqa: E731 - shorter than a function, and used below
        until(lambda: {"r1", "r2"} <= set(told()), 20, "nothing is left to do")
        before = one.read(alice)
        server.kill()
        assert server.start() < 10
        assert one.read(alice) == before
        assert outside.get(link).status_code == 200
        assert outside.json(f"{link}/flow.json")["me"]["my_turn"] is True
        assert one.sign_outside(outside).status_code == 200
        assert one.read(alice)["state"] == "completed"
        _check(server, [one], alice)
    assert server.troubles == []


def test_orphans_are_gone_before_anybody_is_told_that_the_flow_has_ended(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        one = case(alice, 1).launched(alice)
        assert one.sign_as_bob(bob).status_code == 200
        dav = f"{server.url}/remote.php/dav/files/alice/{one.folder}/.flows/{one.id}/{'ab' * 32}"
        assert requests.put(dav, b"of a crash", auth=("alice", "alice"), timeout=10).status_code == 201
        assert one.sign_outside(outside).status_code == 200
        until(lambda: one.mails(alice, "alice@example.org"), 20, "the creator is told")
        assert _strays(server, one) == set()


def test_killed_again_and_again_during_its_first_start_it_still_becomes_whole(server: Server) -> None:
    dice = random.Random(SEED)
    pause = threading.Event()
    for number in range(4):
        server.launch()
        until(lambda: server.data.exists(), 10, "the start has begun")
        pause.wait((number + dice.random()) / 4 * 1.8)
        server.kill()
    assert server.start() < 10
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        assert {"Achats", "Plan rotatif.pdf"} <= alice.names("")
        until(lambda: alice.get("/api/v1/flows?box=sent").status_code == 200, 10, "the index is made")
        one = case(alice, 1).launched(alice)
        assert one.sign_as_bob(bob).status_code == 200
        assert one.sign_outside(outside).status_code == 200
        _check(server, [one], alice)
    assert server.troubles == []


def test_of_a_launch_that_was_cut_off_nothing_stays(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice") as (alice,):
        for number in range(1, 11):
            one = case(alice, number)
            flows = server.files("alice") / one.folder / ".flows"
            asking = threading.Thread(target=lambda one=one: _ask(lambda: one.launch(alice)))
            asking.start()
            until(lambda flows=flows: list(flows.glob("*")), 10, "its folder is made")
            server.kill()
            asking.join(30)
            assert list(flows.glob("*"))
            server.start()
            if _launched(one, alice):
                continue  # it was faster
            until(lambda flows=flows: not list(flows.glob("*")), 30, "what it had made is removed")
            return
    pytest.fail("every launch was faster than the kill")


def _ask(job: Callable[[], object]) -> None:
    with suppress(requests.RequestException):
        job()


@dataclass(frozen=True)
class Kill:
    act: str
    at: float
    """As a fraction of the act's usual duration."""
    acknowledged: int | None
    """The status that the client got before the end, if any."""
    done: bool
    """What the restarted product says of it before it is asked again."""
    restart_s: float


def test_killed_at_any_moment_nothing_is_lost_doubled_or_stuck(server: Server) -> None:
    dice = random.Random(SEED)
    kills: list[Kill] = []
    server.start(within_s=30)
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        usual = _usual(server, alice, bob, outside)
        cases = []
        for number in range(1, KILLS + 1):
            one = case(alice, number)
            cases.append(one)
            act = ACTS[number % len(ACTS)]
            at = (number // len(ACTS) % 4 + dice.random()) / 4 * SPREAD[act]
            acts: dict[str, Callable[[], requests.Response]] = {
                "launch": lambda one=one: one.launch(alice),
                "first": lambda one=one: one.sign_as_bob(bob),
                "last": lambda one=one: one.sign_outside(outside),
            }  # type: ignore[dict-item]  # two kinds of lines
            for name, doing in acts.items():
                if name == "first":
                    one.body("r1", one.read(bob))
                if name == "last":
                    link = one.link(outside)
                    one.body("r2", outside.json(f"{link}/flow.json"))
                if name == act:
                    acknowledged = _killed(server, doing, at * usual[name])
                    restart_s = server.start()
                    done = _is_done(one, name, alice)
                    assert done or acknowledged is None, f"case {number}: {name} was acknowledged, then lost"
                    kills.append(Kill(act, at, acknowledged, done, restart_s))
                response = doing()
                assert response.status_code in (200, 201), (number, name, response.status_code, response.text)
                if name == "launch":
                    one.id = response.json()["id"]
                    assert len(_launched(one, alice)) == 1
                else:
                    assert _signed(one, alice) == Counter({"r1": 1} if name == "first" else {"r1": 1, "r2": 1})
        duplicates = _check(server, cases, alice)
    _report(kills, usual, duplicates)
    assert max(kill.restart_s for kill in kills) < 10
    assert server.troubles == []


def _usual(server: Server, alice: Person, bob: Person, outside: Person) -> dict[str, float]:
    """Seconds that each act takes when nobody is killed: the second time, warm."""
    usual = {}
    for number in (9001, 9002):
        one = case(alice, number)
        usual["launch"] = _timed(lambda one=one: one.launched(alice))
        one.body("r1", one.read(bob))
        usual["first"] = _timed(lambda one=one: one.sign_as_bob(bob))
        one.link(outside)
        usual["last"] = _timed(lambda one=one: one.sign_outside(outside))
        assert one.read(alice)["state"] == "completed"
    return usual


def _timed(job: Callable[[], object]) -> float:
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun


def _killed(server: Server, doing: Callable[[], requests.Response], after_s: float) -> int | None:
    """Kills the process that long after the request was sent. Returns: the status, where it was acknowledged."""
    statuses: list[int] = []

    def ask() -> None:
        begun.set()
        with suppress(requests.RequestException, AssertionError):  # the latter: a look-up on the way to the act
            statuses.append(doing().status_code)

    begun = threading.Event()
    asking = threading.Thread(target=ask)
    asking.start()
    begun.wait()
    threading.Event().wait(after_s)
    server.kill()
    asking.join(30)
    assert not asking.is_alive()
    assert statuses in ([], [200], [201]), statuses
    return statuses[0] if statuses else None


def _is_done(one: Case, act: str, alice: Person) -> bool:
    if act == "launch":
        return bool(_launched(one, alice))
    return _signed(one, alice)["r1" if act == "first" else "r2"] == 1


def _launched(one: Case, alice: Person) -> list[str]:
    rows = alice.json(f"/api/v1/flows?box=sent&q={one.order['title']}")["flows"]
    return [row["id"] for row in rows if row["title"] == one.order["title"]]


def _signed(one: Case, alice: Person) -> Counter[str]:
    return Counter(e["actor"].partition(":")[2] for e in one.events(alice) if e["type"] == "recipient.signed")


def _check(server: Server, cases: list[Case], alice: Person) -> int:
    """The oracle, at the end. Returns: how many mails came twice (under one Message-ID)."""
    for one in cases:
        until(lambda one=one: one.read(alice)["state"] == "completed", 60, f"case {one.number} completes")
        _check_documents(server, one, alice)
    duplicates = 0
    for one in cases:
        until(lambda one=one: one.mails(alice, one.outside)[1:], 60, f"case {one.number}: everybody is told")
    until(lambda: all(_is_told(one, alice) for one in cases), 60, "every mail is recorded")
    until(lambda: not _any_strays(server, cases), 30, "orphans are swept")
    for one in cases:
        _check_record(one, alice)
        events = one.events(alice)
        invited = [e for e in events if e["type"] == "recipient.invited"]
        assert len(invited) == 2, one.number
        mails = one.mails(alice, one.outside)
        kinds = Counter(mail["message_id"] for mail in mails)
        assert len(kinds) == 2, (one.number, [mail["subject"] for mail in mails])
        to_bob = [m for m in one.mails(alice, "bob@example.org") if any(one.id in link for link in m["links"])]
        assert len({mail["message_id"] for mail in to_bob}) == 2
        duplicates += len(mails) - 2 + len(to_bob) - 2
        log = (one.flows_folder(server) / "flow.jsonl").read_bytes()
        _, length = independent_verifier.verify(log, one.id)
        assert length == len(events)
        assert [json.loads(line)["type"] for line in log.splitlines()] == [event["type"] for event in events]
    return duplicates


def _is_told(one: Case, alice: Person) -> bool:
    """The creator and both signatories, of the end; and the record lies where it is to be looked for."""
    types = [e["type"] for e in one.events(alice)]
    last = [kind for kind in types if kind != "evidence.stored"][-4:]
    return last == ["flow.completed", *["mail.accepted"] * 3] and types.count("evidence.stored") == 1


def _check_documents(server: Server, one: Case, alice: Person) -> None:
    flow = one.read(alice)
    assert len(flow["documents"]) == len(one.originals)
    copies = {}
    for document, (name, original) in zip(flow["documents"], one.originals.items(), strict=True):
        assert alice.download(f"{one.folder}/{name}") == original
        copy = alice.download(document["signed"]["path"])
        copies[document["signed"]["path"].rpartition("/")[2]] = copy
        assert copy.startswith(original)
        assert oracles.all_well(copy, 2), (one.number, name, oracles.poppler(copy))
    assert {name for name in alice.names(one.folder) if not _is_record(name)} == {*one.originals, *copies}
    assert len(copies) == len(one.originals)
    assert _signed(one, alice) == Counter({"r1": 1, "r2": 1})


def _is_record(name: str) -> bool:
    return "dossier de preuves" in name


def _check_record(one: Case, alice: Person) -> None:
    """One, whose bytes are those that the chain names."""
    (name,) = (name for name in alice.names(one.folder) if _is_record(name))
    stored = one.read(alice)["evidence"]
    assert stored["path"] == f"{one.folder}/{name}"
    assert hashlib.sha256(alice.download(stored["path"])).hexdigest() == stored["sha256"]


def _any_strays(server: Server, cases: list[Case]) -> set[str]:
    return {stray for one in cases for stray in _strays(server, one)}


def _strays(server: Server, one: Case) -> set[str]:
    """What lies in the case's ``.flows`` and should not: each document's two last revisions may, in one folder."""
    lines = (one.flows_folder(server) / "flow.jsonl").read_text().splitlines()
    wanted = {
        sealed["sha256"]
        for line in map(json.loads, lines)
        for sealed in line["data"].get("documents", [])
        if line["type"] == "recipient.signed"
    }
    assert len(wanted) == 2 * len(one.originals)
    found: set[Path] = set((server.files("alice") / one.folder / ".flows").rglob("*"))
    folder = one.flows_folder(server)
    kept = {folder, folder / "flow.jsonl", folder / "salts.json", *(folder / name for name in wanted)}
    assert kept <= found
    return {str(path.relative_to(server.files("alice"))) for path in found - kept}


def _report(kills: list[Kill], usual: dict[str, float], duplicates: int) -> None:
    print(f"\n{len(kills)} kills, seed {SEED}; usual ms:", {name: round(s * 1000) for name, s in usual.items()})
    for act in ACTS:
        of_act = [kill for kill in kills if kill.act == act]
        print(
            f"{act}: {len(of_act)} kills at {min(k.at for k in of_act):.2f} to {max(k.at for k in of_act):.2f} of it;",
            f"acknowledged {sum(k.acknowledged is not None for k in of_act)},",
            f"taken in without an answer {sum(k.done and k.acknowledged is None for k in of_act)},",
            f"nothing had happened {sum(not k.done for k in of_act)}",
        )
    restarts = sorted(kill.restart_s for kill in kills)
    print(
        f"restart s: median {restarts[len(restarts) // 2]:.2f}, longest {restarts[-1]:.2f}; mails twice: {duplicates}"
    )

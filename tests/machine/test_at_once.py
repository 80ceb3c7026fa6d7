"""Several people, and one person twice, at the same moment."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest

from tests.machine.machine import ROOT, Case, Person, Server, case, ink, people, until
from tests.pdfops import oracles

pytestmark = pytest.mark.machine


def race(person: Person, path: str, bodies: list[list[dict[str, Any]]]) -> list[list[tuple[int, str]]]:
    """Each list of bodies from a client process of its own, all told to go at the same time."""
    with ExitStack() as stack:
        clients = []
        for mine in bodies:
            client = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.machine.submit"],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(client.kill)
            assert client.stdin is not None
            order = {
                "url": person.server.url + path,
                "headers": {"X-CSRF-Token": str(person.http.headers["X-CSRF-Token"])},
                "cookies": person.http.cookies.get_dict(),
                "bodies": mine,
            }
            client.stdin.write(json.dumps(order) + "\n")
            client.stdin.flush()
            clients.append(client)
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
        for client in clients:
            assert client.stdin is not None
            client.stdin.write("go\n")
            client.stdin.flush()
        answers = [json.loads(client.communicate(timeout=60)[0]) for client in clients]
        return [[(status, text) for status, text in mine] for mine in answers]


def signed(one: Case, reader: Person) -> Counter[str]:
    return Counter(e["actor"].partition(":")[2] for e in one.events(reader) if e["type"] == "recipient.signed")


def test_the_same_submit_from_two_processes_is_one_signature_and_two_equal_answers(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob") as (alice, bob):
        for number in range(1, 5):
            one = case(alice, number).launched(alice)
            body = one.body("r1", one.read(bob))
            first, second = race(bob, f"/api/v1/flows/{one.id}/sign", [[body, body], [body, body]])
            assert {status for status, _ in first + second} == {200}
            seen = [json.loads(text) for _, text in first + second]
            assert all(
                flow["steps"] == seen[0]["steps"] and flow["documents"] == seen[0]["documents"] for flow in seen
            )
            assert signed(one, alice) == {"r1": 1}
    assert server.troubles == []


def test_two_different_submits_from_two_processes_are_one_signature_and_one_already_decided(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob") as (alice, bob):
        for number in range(1, 5):
            one = case(alice, number).launched(alice)
            body = one.body("r1", one.read(bob))
            other = {**body, "signature": {"kind": "drawn", "png_base64": ink("red")}}
            answers = race(bob, f"/api/v1/flows/{one.id}/sign", [[body], [other]])
            (first, first_text), (second, second_text) = answers[0][0], answers[1][0]
            assert sorted([first, second]) == [200, 409]
            assert json.loads(first_text if first == 409 else second_text)["code"] == "already-decided"
            assert signed(one, alice) == {"r1": 1}
    assert server.troubles == []


def test_ten_people_sign_ten_flows_at_once_without_an_error(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob", *[None] * 10) as (alice, bob, *outside):
        cases = [case(alice, number).launched(alice) for number in range(1, 11)]
        for one in cases:
            assert one.sign_as_bob(bob).status_code == 200
        for one, person in zip(cases, outside, strict=True):
            link = one.link(person)
            seen = person.json(f"{link}/flow.json")
            person.http.headers["X-CSRF-Token"] = seen["csrf_token"]
            one.body("r2", seen)
        together = Barrier(len(cases))

        def sign(one: Case, person: Person) -> tuple[int, float]:
            path = f"{one.link(person)}/sign"
            together.wait(30)
            begun = time.perf_counter()
            status = person.post(path, one.bodies["r2"]).status_code
            return status, time.perf_counter() - begun

        with ThreadPoolExecutor(len(cases)) as pool:
            done = list(pool.map(sign, cases, outside))
        assert [status for status, _ in done] == [200] * len(cases)
        took = sorted(seconds for _, seconds in done)
        print(f"10 at once, 2 documents each: median {statistics.median(took):.2f} s, longest {took[-1]:.2f} s")
        for one in cases:
            until(lambda one=one: one.read(alice)["state"] == "completed", 30, "it completes")
            assert signed(one, alice) == {"r1": 1, "r2": 1}
            for document in one.read(alice)["documents"]:
                assert oracles.all_well(alice.download(document["signed"]["path"]), 2)
    assert server.troubles == []

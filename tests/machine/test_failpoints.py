"""The whole server, with its children, dies at named points; tests/faults has all of them, on a lighter sidecar."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest
import requests

from plugin.failpoints import VARIABLE
from tests.machine.machine import Server, case, people, until
from tests.machine.test_kills import _check

pytestmark = pytest.mark.machine
POINTS = ("sealed", "state-sent", "vault-updated", "copies-laid", "mail-handed-over")


def test_the_whole_server_dies_at_a_point_and_the_same_request_again_is_one_signature(server: Server) -> None:
    server.start(within_s=30)
    with people(server, "alice", "bob", None) as (alice, bob, outside):
        cases = []
        for number, point in enumerate(POINTS, start=1):
            one = case(alice, number).launched(alice)
            cases.append(one)
            assert one.sign_as_bob(bob).status_code == 200
            one.body("r2", outside.json(f"{one.link(outside)}/flow.json"))
            server.kill()
            server.environment[VARIABLE] = point
            with suppress(requests.RequestException, AssertionError):  # it may die before it answers, or on the way
                server.start(within_s=60)
                one.sign_outside(outside)
            process = server.process
            assert process is not None
            until(lambda process=process: process.poll() is not None, 20, f"it dies at {point}")
            assert process.returncode == -signal.SIGKILL
            server.kill()
            del server.environment[VARIABLE]
            server.start(within_s=60)
            assert one.sign_outside(outside).status_code == 200
        _check(server, cases, alice)
    assert server.troubles == []

"""The mail server was down while flows went on: nobody is forgotten, nobody is asked twice."""

from __future__ import annotations

import re
import socket
import sys
from datetime import UTC, datetime

import pytest

from tests.machine.machine import DEMO, Case, Person, Server, case, people, until

pytestmark = pytest.mark.machine


def test_invitations_that_no_server_took_go_out_once_after_a_restart(server: Server) -> None:
    with socket.socket() as nobody, people(server) as _:
        nobody.bind(("127.0.0.1", 0))  # taken, and nobody listens: every connection is refused
        server.command = (sys.executable, "-m", "tests.machine.with_mail_at", str(nobody.getsockname()[1]))
        server.start(within_s=30)
        with people(server, "alice", "bob", None) as (alice, bob, outside):
            waiting, moved_on = case(alice, 1).launched(alice), case(alice, 2).launched(alice)
            assert moved_on.sign_as_bob(bob).status_code == 200
            until(lambda: server.log.count("mail.postponed") >= 3, 20, "three invitations were tried")
            assert alice.json("/demo/mail.json") == []
            server.kill()
            again = max(map(datetime.fromisoformat, re.findall(r"mail\.postponed.*until=(\S+)", server.log)))
            until(
                lambda: datetime.now(UTC) > again, 10, "the time of the next try, so that the start tries it at once"
            )
            server.command = DEMO
            server.start()
            until(lambda: _invited(waiting, alice) == _invited(moved_on, alice) == 1, 60, "the invitations go out")
            link = moved_on.link(outside)
            assert moved_on.sign_outside(outside).status_code == 200
            until(
                lambda: [e["type"] for e in moved_on.events(alice)][-3:] == ["mail.accepted"] * 3, 60, "all are told"
            )
            server.end()
            server.start()
            assert outside.get(link).status_code == 200
            subjects = [(mail["to"], mail["subject"]) for mail in alice.json("/demo/mail.json")]
            assert len(set(subjects)) == len(subjects) == 5
    assert server.troubles == []


def _invited(one: Case, alice: Person) -> int:
    return sum(event["type"] == "mail.accepted" for event in one.events(alice))

"""A launch that dies between the vault, which knows its flow from then on, and the index, which does not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import cases, hosts, oracle
from tests.faults.cases import Act, Case
from tests.faults.sidecar import Died, Sidecar, settings_for
from tests.world import until

LAUNCH = Act("launch")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[hosts.Host]:
    with hosts.running("embedded", tmp_path) as running:
        yield running


@pytest.fixture
def sidecar(tmp_path: Path, host: hosts.Host) -> Iterator[Sidecar]:
    settings = settings_for(tmp_path / "data", host.url, host.within.smtp_port)
    with Sidecar(settings, tmp_path / "sidecar.log") as made:
        yield made


@pytest.fixture
def case(host: hosts.Host, sidecar: Sidecar) -> Case:
    """Cut off there."""
    made = cases.made(1, random.Random(1), host, "signed")
    made.upload()
    sidecar.start()
    made.prepare(LAUNCH, sidecar)
    sidecar.start("vault-updated")
    with pytest.raises(Died):
        made.send(LAUNCH, sidecar)
    assert len(list((made.on_disk / ".flows").iterdir())) == 1
    sidecar.start()
    return made


def test_the_same_request_again_gets_the_flow_that_it_had_made(case: Case, sidecar: Sidecar) -> None:
    reply = case.send(LAUNCH, sidecar)
    assert reply.status == 201, reply.text
    case.acknowledge(LAUNCH, reply)
    assert [path.name for path in (case.on_disk / ".flows").iterdir()] == [case.id]
    until(lambda: not oracle.is_at_rest(case))
    oracle.check(case)


def test_nobody_asks_again_and_it_is_a_flow_all_the_same(case: Case, sidecar: Sidecar) -> None:
    (made,) = (case.on_disk / ".flows").iterdir()
    listed = lambda: [row["id"] for row in sidecar.ask("GET", "/api/v1/flows?box=sent", "alice").json["flows"]]  # noqa: E731 - shorter than a function, and used below
    assert until(listed) == [made.name]
    until(lambda: [mail for mail in case.host.mails() if mail["to"] == "bob@example.org"])

"""The budget of host calls, on the embedded host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from plugin.app import demo_sidecar
from plugin.demo.server import Sidecar, Wiring, build
from tests.budget import OUTSIDE, Ledger, approval, several_folders, signature, steering
from tests.counting import CountingProxy
from tests.world import Actor, Browser, Gate, World


@dataclass
class Embedded:
    world: World
    creator: Browser
    colleagues: Sequence[str] = ("bob", "carol")

    def put(self, name: str, data: bytes) -> str:
        folder, _, file = name.rpartition("/")
        self.world.dav("alice", "MKCOL", folder)
        answer = self.world.dav("alice", "PUT", f"{folder}/{file}", data=data)
        return str(int(answer.headers["OC-FileId"].split("oc")[0]))

    def recipient(self, uid: str, flow_id: str) -> Actor:
        return self.world.recipient(uid, flow_id)

    def follow(self, flow_id: str) -> Actor:
        return self.world.link(flow_id, OUTSIDE)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ledger, Embedded]]:
    made: dict[str, object] = {}

    def sidecar(wiring: Wiring) -> Sidecar:
        proxy = CountingProxy(wiring.host_url)
        product = demo_sidecar(replace(wiring, host_url=proxy.url), with_jobs=False)
        made.update(proxy=proxy, app=product.app)
        return product

    data = Path(tmp_path_factory.mktemp("budget"))
    demo = build(data, 0, sidecar, with_samples=False)
    demo.start()
    gates = Gate(demo.host.port), Gate(demo.host.smtp_port)
    world = World(demo, made["app"], *gates, [], data)
    ledger = Ledger(made["app"], made["proxy"], data / "parapheur" / "cache")  # type: ignore[arg-type]  # what was made is of several types
    try:
        yield ledger, Embedded(world, world.login("alice"))
    finally:
        print(ledger.table())
        for browser in world.browsers:
            browser.session.close()
        demo.stop()
        for gate in gates:
            gate.close()
        ledger.proxy.close()


@pytest.mark.parametrize("documents", [1, 3])
def test_signing_asks_the_host_no_more_often_than_the_budget_says(
    counted: tuple[Ledger, Embedded], documents: int
) -> None:
    signature(*counted, documents)
    counted[0].check()


def test_approving_and_refusing_ask_the_host_three_times_at_most(counted: tuple[Ledger, Embedded]) -> None:
    approval(*counted, Actor.approve, "approving")
    approval(*counted, Actor.refuse, "refusing")
    counted[0].check()


def test_documents_of_several_folders_cost_no_more_to_launch(counted: tuple[Ledger, Embedded]) -> None:
    several_folders(*counted)
    counted[0].check()


def test_steering_a_flow_asks_the_host_no_more_often_than_deciding(counted: tuple[Ledger, Embedded]) -> None:
    steering(*counted)
    counted[0].check()

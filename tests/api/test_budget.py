"""How often the host is asked: counted by a proxy between the sidecar and the host, for each thing that people do."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plugin.app import demo_sidecar
from plugin.demo.forward import Forward
from plugin.demo.host import quiet_server
from plugin.demo.server import Sidecar, Wiring, build
from plugin.demo.wire import Environ, StartResponse
from plugin.web.office import EXTENSION
from tests.world import Gate, World, pdf


class CountingProxy:
    """Passes everything on, and counts."""

    def __init__(self, port: int) -> None:
        self._forward = Forward(lambda: port)
        self._server = quiet_server(("127.0.0.1", 0), self, 10)
        self._server.prepare()
        self.url = f"http://127.0.0.1:{self._server.bind_addr[1]}"
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self._forward(environ, start_response)

    def close(self) -> None:
        self._server.stop()
        self._thread.join()


class Asked:
    """What the host was asked within a block."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __len__(self) -> int:
        return len(self.calls)


class NoJobs:
    """Nothing is done behind a request while its own calls are counted."""

    def look_at(self, flow_id: str) -> None:
        pass


ABOUT_A_PERSON = re.compile(r"GET /ocs/v2\.php/cloud/user|PROPFIND /remote\.php/dav/files/[a-z]+")
"""His record, and the id of his home, by which his account is known."""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, CountingProxy]]:
    made: dict[str, object] = {}

    def sidecar(wiring: Wiring) -> Sidecar:
        proxy = CountingProxy(int(wiring.host_url.rpartition(":")[2]))
        product = demo_sidecar(replace(wiring, host_url=proxy.url))
        made.update(proxy=proxy, app=product.app)
        return product

    demo = build(Path(tmp_path_factory.mktemp("budget")), 0, sidecar, with_samples=False)
    demo.start()
    gates = Gate(demo.host.port), Gate(demo.host.smtp_port)
    world = World(demo, made["app"], *gates, [])
    try:
        yield world, made["proxy"]  # type: ignore[misc]
    finally:
        for browser in world.browsers:
            browser.session.close()
        demo.stop()
        for gate in gates:
            gate.close()
        made["proxy"].close()  # type: ignore[attr-defined]


@contextlib.contextmanager
def calls(world: World, proxy: CountingProxy) -> Iterator[Asked]:
    office = world.product.extensions[EXTENSION]
    world.product.extensions[EXTENSION] = replace(office, ctx=replace(office.ctx, jobs=NoJobs()))
    before, asked = len(proxy.asked), Asked()
    try:
        yield asked
    finally:
        asked.calls = proxy.asked[before:]
        world.product.extensions[EXTENSION] = office


@pytest.mark.parametrize("documents", [1, 3])
def test_the_host_is_asked_no_more_often_than_the_budget_says(
    counted: tuple[World, CountingProxy], documents: int
) -> None:
    world, proxy = counted
    alice = world.login("alice")
    folder = world.folder()
    ids = [world.put(f"{folder}/{n}.pdf", pdf()) for n in range(documents)]
    with calls(world, proxy) as launching:
        flow_id = world.signature(alice, ids, [{"user": "bob"}, {"user": "carol"}])["id"]
    bob, carol = world.recipient("bob", flow_id), world.recipient("carol", flow_id)
    with calls(world, proxy) as opening:
        assert bob.get("/f/" + flow_id).status_code == 200
        for n in range(documents):
            assert bob.get(f"documents/{n}/pages/1").status_code == 200
    with calls(world, proxy) as signing:
        assert bob.sign().status_code == 200
    with calls(world, proxy) as signing_and_finishing:
        assert carol.sign().status_code == 200
    with calls(world, proxy) as reading:
        assert alice.get(f"files/{ids[0]}/flows").json()["flows"][0]["state"] == "completed"
        for box in ("todo", "sent", "done"):
            assert alice.get(f"flows?box={box}").status_code == 200
    print(
        f"{documents} documents: launching {len(launching)}, opening {len(opening)}, signing {len(signing)}, "
        f"signing and finishing {len(signing_and_finishing)}, panel and inbox {len(reading)}"
    )
    people = [call for call in launching.calls if ABOUT_A_PERSON.fullmatch(call)]  # each is asked once a minute
    recipients = len(people)
    assert recipients <= 3 * 2, people
    assert len(launching) - recipients <= 5 + 4 * documents, launching.calls
    assert len(opening) == 0, opening.calls
    assert len(signing) <= 3 + 2 * documents, signing.calls
    assert len(signing_and_finishing) <= (3 + 2 * documents) + (1 + 2 * documents), signing_and_finishing.calls
    assert len(reading) == 0, reading.calls


def test_approving_asks_the_host_three_times_at_most(counted: tuple[World, CountingProxy]) -> None:
    world, proxy = counted
    alice = world.login("alice")
    file_id = world.put(f"{world.folder()}/note.txt", b"Oui ou non")
    flow_id = world.validation(alice, [file_id], [{"user": "bob"}])["id"]
    bob = world.recipient("bob", flow_id)
    bob.flow()
    with calls(world, proxy) as approving:
        assert bob.approve().status_code == 200
    assert len(approving) <= 3, approving.calls

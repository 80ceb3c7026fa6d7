"""The budget of host calls, on a real host. The product runs in this process meanwhile, its jobs by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from cheroot.wsgi import Server

from plugin.app import create_app
from plugin.settings import from_environment
from tests.budget import OUTSIDE, Ledger, approval, several_folders, signature
from tests.counting import CountingProxy
from tests.nextcloud.instance import Catcher, Installed, Nextcloud, User
from tests.world import Actor, Browser


@dataclass
class OnNextcloud:
    app: Installed
    catcher: Catcher
    owner: User
    creator: Browser
    people: Sequence[User]

    @property
    def colleagues(self) -> list[str]:
        return [user.uid for user in self.people]

    def put(self, name: str, data: bytes) -> str:
        return self.app.nextcloud.put(self.owner, name, data)

    def recipient(self, uid: str, flow_id: str) -> Actor:
        return self.app.recipient(next(user for user in self.people if user.uid == uid), flow_id)

    def follow(self, flow_id: str) -> Actor:
        return self.app.follow(self.catcher.link(flow_id, OUTSIDE))


@pytest.fixture(scope="module")
def counted(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User, carol: User
) -> Iterator[tuple[Ledger, OnNextcloud]]:
    """In the place of the process: the same port, secret and data."""
    app.stop()
    proxy = CountingProxy(nextcloud.url)
    as_usual = {**app.environment, "NEXTCLOUD_URL": proxy.url, "PARAPHEUR_PATROL_EVERY_S": "300"}
    product = create_app(from_environment(as_usual), with_jobs=False)
    server = Server(("127.0.0.1", app.port), product.app, numthreads=8)
    server.prepare()
    serving = threading.Thread(target=server.serve, daemon=True)
    serving.start()
    ledger = Ledger(product.app, proxy, app.folder / "data" / "cache")
    try:
        yield ledger, OnNextcloud(app, catcher, alice, creator, (bob, carol))
    finally:
        print(ledger.table())
        server.stop()
        serving.join()
        product.close()
        proxy.close()
        app.start()


@pytest.mark.parametrize("documents", [1, 3])
def test_signing_asks_the_host_no_more_often_than_the_budget_says(
    counted: tuple[Ledger, OnNextcloud], documents: int
) -> None:
    signature(*counted, documents)
    counted[0].check()


def test_approving_and_refusing_ask_the_host_three_times_at_most(counted: tuple[Ledger, OnNextcloud]) -> None:
    approval(*counted, Actor.approve, "approving")
    approval(*counted, Actor.refuse, "refusing")
    counted[0].check()


def test_documents_of_several_folders_cost_no_more_to_launch(counted: tuple[Ledger, OnNextcloud]) -> None:
    several_folders(*counted)
    counted[0].check()

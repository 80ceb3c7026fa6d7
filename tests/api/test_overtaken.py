"""Somebody acts, and before it counts another one has changed what he acts on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from plugin.actions.suspend import look_after
from plugin.actions.sweep import Forgotten
from tests.world import Actor, Browser, Json, World, pdf, signing, stamps


class _Overtaken:
    """The flows of the product; but just before the next lease is given, somebody else comes in between."""

    def __init__(self, flows: Any, first: Callable[[], object]) -> None:
        self._flows, self._first = flows, [first]

    def lease(self, flow_id: str) -> Any:
        while self._first:
            self._first.pop()()
        return self._flows.lease(flow_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flows, name)


@contextlib.contextmanager
def overtaken(world: World, by: Callable[[], object]) -> Iterator[None]:
    with world.handed(flows=_Overtaken(world.office.ctx.flows, by)):
        yield


def _sign(link: Actor, read: Json) -> requests.Response:
    return link.post("sign", signing(read))


def _approve(link: Actor, read: Json) -> requests.Response:
    return link.post("approve", {"documents": {"0": read["documents"][0]["current_sha256"]}})


ACTS: dict[str, Callable[[Actor, Json], requests.Response]] = {
    "sign": _sign,
    "approve": _approve,
    "refuse": lambda link, _: link.post("refuse", {"reason": "Non."}),
    "view": lambda link, _: link.post("view", {"documents": [0]}),
    "delegate": lambda link, _: link.post("delegate", {"email": "autre@example.com"}),
}


@pytest.mark.parametrize("what", ACTS)
def test_a_link_that_is_renewed_while_its_holder_sends_acts_no_more(world: World, carol: Browser, what: str) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    body: Json = {
        "kind": "signature" if what == "sign" else "validation",
        "documents": [{"file_id": file_id}],
        "recipients": [{"email": "ext@example.com", "last_name": "Ext", "language": "en"}],
        "placements": stamps(1, [0]) if what == "sign" else [],
        "allow_delegation": True,
    }
    flow_id = world.launch(carol, body)["id"]
    link = world.link(flow_id, "ext@")
    read = link.flow()
    renewed: list[requests.Response] = []
    with overtaken(world, lambda: renewed.append(carol.post(f"flows/{flow_id}/recipients/r1/link"))):
        answer = ACTS[what](link, read)
    assert [one.status_code for one in renewed] == [200]
    assert (answer.status_code, answer.json()["code"], answer.json()["by"]) == (409, "replaced", "newer-link")
    assert "newer" in answer.json()["title"]
    types = [line["type"] for line in world.lines(flow_id) if not line["type"].startswith("mail.")]
    assert types == ["flow.launched", "recipient.invited", "link.renewed", "recipient.invited"]
    world.settled(flow_id)


def test_what_comes_late_is_removed_though_the_only_one_to_be_told_was_erased(world: World, alice: Browser) -> None:
    """Nothing was owed any more, so nobody looked."""
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    assert alice.post(f"flows/{flow_id}/cancel", {"reason": "Non"}).status_code == 200
    world.settled(flow_id)
    own = f"{folder}/.flows/{flow_id}"
    before = world.names(own)
    world.put(f"{own}/{'a' * 64}", b"late")
    assert alice.post(f"flows/{flow_id}/recipients/r1/erase").status_code == 200
    Forgotten()(world.office.ctx)
    assert world.names(own) == before


def test_a_restart_that_is_overtaken_by_a_cancellation_pins_nothing(world: World, alice: Browser) -> None:
    """What it pinned for a flow that had ended, and had been tidied, stayed there for good."""
    folder = world.folder()
    flow_id = world.validation(alice, [world.put(f"{folder}/Note.txt", b"Oui")], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    world.dav("alice", "PUT", f"{folder}/Note.txt", data=b"Non")
    look_after(world.office.ctx, flow_id)
    before = world.names(f"{folder}/.flows/{flow_id}")

    def cancels() -> None:
        assert alice.post(f"flows/{flow_id}/resume", {"choice": "cancel"}).json()["state"] == "cancelled"
        world.settled(flow_id)

    with overtaken(world, cancels):
        answer = alice.post(f"flows/{flow_id}/resume", {"choice": "restart"})
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-ended")
    assert world.names(f"{folder}/.flows/{flow_id}") == before

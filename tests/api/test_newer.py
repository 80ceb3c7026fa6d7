"""A flow that a newer version wrote to, as people meet it: readable, and refused for every act with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from plugin.actions.cancel import cancel
from plugin.actions.hands import troubles
from plugin.actions.resume import resume
from plugin.actions.suspend import look_after
from plugin.actions.sweep import look_at
from plugin.adapters.chain import Draft, verified, written
from plugin.flow.errors import Conflict
from plugin.flow.model import By
from plugin.ports_state import NEWER
from tests.world import Browser, World, pdf, signing


@pytest.fixture
def flow_id(world: World, alice: Browser) -> str:
    """A version to come has added a line; bob's turn."""
    folder = world.folder()
    flow_id = str(world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"])
    world.settled(flow_id)
    flows, log = world.office.ctx.flows, world.state_file(flow_id)
    chain = verified(log, flows._keys.public_keys, flow_id)
    later = written(
        chain,
        [Draft("system", "recipient.teleported", {"to": "Mars"})],
        flows._keys.active,
        chain.fence,
        chain.last_at,
    )
    path = flows.load(flow_id).place.path
    assert world.dav("alice", "PUT", path, data=log + later).status_code == 204
    flows.check(flow_id)
    return flow_id


def test_sender_and_recipient_read_it_and_why_it_waits(world: World, alice: Browser, flow_id: str) -> None:
    read = alice.get(f"flows/{flow_id}?lang=en").json()
    assert (read["state"], read["title"]) == ("suspended", "Bail")
    assert [event["type"] for event in read["events"]][-1] == "recipient.teleported"
    assert len(read["warnings"]) == 1
    french = world.login("alice").get(f"flows/{flow_id}?lang=fr").json()["warnings"]
    assert french != read["warnings"]
    assert "plus récente" in french[0]
    own = world.recipient("bob", flow_id).flow()
    assert (own["state"], own["me"]["my_turn"]) == ("suspended", False)
    for who in (alice, world.recipient("bob", flow_id)):
        assert who.get(f"/f/{flow_id}").status_code == 200


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_act_is_refused_in_the_readers_language(world: World, alice: Browser, flow_id: str, lang: str) -> None:
    bob, log = world.recipient("bob", flow_id), world.state_file(flow_id)
    body = signing({"documents": alice.get(f"flows/{flow_id}").json()["documents"]})
    answers = [
        bob.act(f"sign?lang={lang}", body),
        bob.act(f"refuse?lang={lang}", {"reason": "Non."}),
        bob.act(f"view?lang={lang}", {"documents": [0]}),
        world.login("alice").post(f"flows/{flow_id}/resume?lang={lang}", {"choice": "continue"}),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(409, "flow-newer")}
    (sentence,) = {a.json()["title"] for a in answers}
    assert ("plus récente" if lang == "fr" else "newer version") in sentence
    for choice in ("restart", "cancel"):
        with pytest.raises(Conflict, match="flow-newer"):
            resume(world.office.ctx, flow_id, choice, "creator")
    with pytest.raises(Conflict, match="flow-newer"):
        cancel(world.office.ctx, flow_id, "Trop tard", By.CREATOR)
    assert world.state_file(flow_id) == log


def test_nothing_is_owed_swept_or_suspended_and_an_admin_hears_of_it(world: World, flow_id: str) -> None:
    ctx, log = world.office.ctx, world.state_file(flow_id)
    folder = ctx.flows.load(flow_id).place.folder
    before = world.names(folder)
    look_at(ctx, flow_id)
    look_after(ctx, flow_id)
    assert (world.state_file(flow_id), world.names(folder)) == (log, before)
    assert flow_id not in ctx.index.due(ctx.clock() + timedelta(days=400), 10_000)
    assert {t.reason for t in troubles(ctx.vault, ctx.index) if t.flow_id == flow_id} == {NEWER}


def test_what_becomes_of_its_files_is_not_written_down(world: World, flow_id: str) -> None:
    ctx, log = world.office.ctx, world.state_file(flow_id)
    document = ctx.flows.load(flow_id).flow.documents[0]
    world.dav("alice", "PUT", f"{document.folder.value}/{document.name.value}", data=pdf(2))
    look_after(ctx, flow_id)
    assert world.state_file(flow_id) == log

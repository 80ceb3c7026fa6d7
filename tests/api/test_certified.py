"""PARAPHEUR_CERTIFY: the organisation certifies at launch, and everybody signs all the same."""

from __future__ import annotations

from tests.api.test_results import revisions
from tests.pdfops import oracles, samples
from tests.world import Browser, World, pdf


def test_a_certified_collection_is_signed_to_its_end(world: World, alice: Browser) -> None:
    folder = world.folder()
    ids = [
        world.put(f"{folder}/Contrat.pdf", pdf(2)),
        world.put(f"{folder}/Déjà signé.pdf", samples.signed_pdf()),
    ]
    with world.handed(certifies=True):
        flow_id = world.signature(alice, ids, [{"user": "bob"}, {"user": "carol"}])["id"]
    prepared = [revisions(world, folder, flow_id, n)[0] for n in range(2)]
    assert oracles.all_well(prepared[0], 1)
    assert world.office.ctx.workshop.verify(prepared[0]).is_intact
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    flow = alice.get(f"flows/{flow_id}").json()
    contract, signed_before = (world.read(document["signed"]["path"]) for document in flow["documents"])
    assert oracles.all_well(contract, 3)
    assert oracles.all_well(signed_before, 3)
    assert world.office.ctx.workshop.verify(contract).changes == ()
    assert contract.startswith(prepared[0])
    evidence = alice.get(f"flows/{flow_id}/evidence").json()
    assert [one["certified_at_launch"] for one in evidence["documents"]] == [True, False]


def test_without_the_setting_nothing_is_certified(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/Contrat.pdf", pdf())
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    evidence = alice.get(f"flows/{flow_id}/evidence").json()
    assert [one["certified_at_launch"] for one in evidence["documents"]] == [False]
    assert "certified" not in world.lines(flow_id)[0]["data"]["documents"][0]

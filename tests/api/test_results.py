"""The signed copy: valid for poppler, beside an untouched original, under a name that never overwrites."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any
from urllib.parse import quote

from pdfops.errors import PdfError
from pdfops.inspect import Inspection
from tests.pdfops import oracles, samples
from tests.world import Browser, World, pdf


def revisions(world: World, folder: str, flow_id: str, n: int) -> list[bytes]:
    """Every revision that the chain names for a document, oldest first, as far as it is still kept."""
    document = world.office.ctx.flows.load(flow_id).flow.documents[n]
    kept = []
    for sha256 in document.revisions:
        answer = world.dav("alice", "GET", f"{folder}/.flows/{flow_id}/{sha256}")
        cached = world.office.ctx.blobs.get(sha256)
        data = answer.content if answer.status_code == 200 else cached
        assert data is not None
        assert hashlib.sha256(data).hexdigest() == sha256
        kept.append(data)
    return kept


def test_poppler_says_that_every_signature_is_valid_and_originals_are_untouched(world: World, alice: Browser) -> None:
    folder = world.folder()
    contents = {
        "Contrat.pdf": pdf(3),
        "Plan tourné.pdf": samples.rotated_cropped_pdf(90, crop=(40, 60, 555, 800)),
        "Déjà signé.pdf": samples.signed_pdf(),
    }
    ids = [world.put(f"{folder}/{name}", data) for name, data in contents.items()]
    flow_id = world.signature(
        alice, ids, [{"user": "bob"}, {"email": "deux@example.com", "first_name": "Éloïse"}, {"user": "carol"}]
    )["id"]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.link(flow_id, "deux@").sign().status_code == 200
    assert world.recipient("carol", flow_id).sign().json()["state"] == "completed"
    flow = alice.get(f"flows/{flow_id}").json()
    for n, (name, original) in enumerate(contents.items()):
        signed = flow["documents"][n]["signed"]
        copy = world.read(signed["path"])
        assert signed["path"] == f"{folder}/{name[:-4]} (signé).pdf"
        assert hashlib.sha256(copy).hexdigest() == signed["sha256"] == flow["documents"][n]["current_sha256"]
        verdicts = oracles.poppler(copy)
        assert len(verdicts) == 3 + (name == "Déjà signé.pdf")
        assert all(verdict.is_valid for verdict in verdicts)
        assert verdicts[-1].covers_file
        assert world.read(f"{folder}/{name}") == original
        assert hashlib.sha256(original).hexdigest() == flow["documents"][n]["sha256"]
        chain = [original, *revisions(world, folder, flow_id, n)]
        assert len(chain) == 5
        for before, after in itertools.pairwise(chain):
            assert after.startswith(before)
        assert chain[-1] == copy


def test_a_second_flow_on_the_same_file_takes_the_next_name(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.PDF", pdf())
    for expected in (["Bail (signé).pdf"], ["Bail (signé) 2.pdf", "Bail (signé).pdf"]):
        flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
        assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
        assert [name for name in world.names(folder) if "signé" in name] == expected
    (newest, oldest) = alice.get(f"files/{file_id}/flows").json()["flows"]
    assert newest["created_at"] > oldest["created_at"]
    assert newest["detail"]["documents"][0]["signed"]["path"] == f"{folder}/Bail (signé) 2.pdf"


def test_the_copy_is_named_in_the_creators_language(world: World, bob: Browser) -> None:
    folder = world.folder("bob")
    file_id = world.put(f"{folder}/Lease.pdf", pdf(), "bob")
    flow_id = world.signature(bob, [file_id], [{"user": "carol"}])["id"]
    assert world.recipient("carol", flow_id).sign().status_code == 200
    assert "Lease (signed).pdf" in world.names(folder, "bob")


def test_a_signed_copys_own_panel_shows_its_flow(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/Bail.pdf", pdf())
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    assert world.recipient("bob", flow_id).sign().status_code == 200
    signed = alice.get(f"flows/{flow_id}").json()["documents"][0]["signed"]
    (shown,) = alice.get(f"files/{signed['file_id']}/flows").json()["flows"]
    assert shown["id"] == flow_id


def test_what_is_shown_is_what_is_sealed(world: World, alice: Browser) -> None:
    """The document behind a link is byte for byte the revision whose hash the page names."""
    flow_id = world.signature(alice, [world.put(f"{world.folder()}/Vu.pdf", pdf())], [{"email": "vu@example.com"}])[
        "id"
    ]
    link = world.link(flow_id, "vu@")
    shown = link.flow()["documents"][0]
    data = link.get("documents/0").content
    assert hashlib.sha256(data).hexdigest() == shown["current_sha256"]
    inspection = world.office.ctx.workshop.inspect(data)
    assert isinstance(inspection, Inspection)
    assert link.sign().status_code == 200
    assert revisions(world, world.office.ctx.flows.load(flow_id).flow.documents[0].folder.value, flow_id, 0)[
        1
    ].startswith(data)


def test_the_original_may_change_meanwhile_and_the_pinned_content_is_signed(world: World, alice: Browser) -> None:
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"]
    assert world.dav("alice", "PUT", f"{folder}/Bail.pdf", data=pdf(5)).status_code == 204
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    assert world.read(f"{folder}/Bail.pdf") == pdf(5)
    assert world.read(f"{folder}/Bail (signé).pdf").startswith(pdf())


def test_the_copies_follow_a_document_that_was_moved(world: World, alice: Browser) -> None:
    folder, other = world.folder(), world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/Bail.pdf", pdf())], [{"user": "bob"}])["id"]
    target = f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(other)}/Bail.pdf"
    moved = world.dav("alice", "MOVE", f"{folder}/Bail.pdf", headers={"Destination": target})
    assert moved.status_code == 201
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"
    assert "Bail (signé).pdf" in world.names(other)


class Failing:
    """A workshop whose check finds every new revision wanting."""

    def __init__(self, workshop: Any) -> None:
        self._workshop = workshop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workshop, name)

    def check(self, _data: bytes, _signed: Any) -> None:
        raise PdfError("not-verified", reason="new signature")


def test_what_does_not_pass_its_check_is_taken_back_and_recorded_nowhere(world: World, alice: Browser) -> None:
    folder = world.folder()
    ids = [world.put(f"{folder}/{name}.pdf", pdf()) for name in ("Bail", "Plan")]
    flow_id = world.signature(alice, ids, [{"user": "bob"}])["id"]
    world.settled(flow_id)
    before, lines = set(world.names(folder)), world.lines(flow_id)
    with world.handed(workshop=Failing(world.office.ctx.workshop)):
        answer = world.recipient("bob", flow_id).sign()
        assert (answer.status_code, answer.json()["code"]) == (422, "not-verified")
    assert set(world.names(folder)) == before
    assert world.lines(flow_id) == lines
    assert world.recipient("bob", flow_id).sign().json()["state"] == "completed"

"""A flow that waits: what the pages of recipient and admin and the admin's list show, and the way on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from plugin.actions.suspend import look_after
from plugin.web.office import EXTENSION
from tests.ui.acts import test as by
from tests.ui.conftest import Look, People
from tests.world import pdf

pytestmark = pytest.mark.browser


@contextmanager
def hidden(people: People, folder: str, aside: Path, user: str) -> Iterator[dict[str, Any]]:
    """The folder leaves its owner's sight, as when a share is taken back, and is there again at the end."""
    people.demo.host.area.make_folder(user, (folder,))
    file_id = people.put(f"{folder}/Bail commercial.pdf", pdf(), user)
    flow = people.launch(user, kind="validation", documents=[{"file_id": file_id}], recipients=[{"user": "carol"}])
    there = people.demo.host.area._files / user / folder
    there.rename(aside / folder)
    ctx = people.product.extensions[EXTENSION].ctx
    look_after(ctx, flow["id"])
    yield {**flow, "file_id": file_id}
    (aside / folder).rename(there)


def test_it_says_why_it_waits_and_goes_on_when_it_can(people: People, look: Look, tmp_path: Path) -> None:
    with hidden(people, "Baux", tmp_path, "bob") as flow:
        carol = people.sit_down("carol")
        carol.goto(f"{people.url}/f/{flow['id']}")
        expect(carol.get_by_role("heading", level=1)).to_have_text("Cette demande est suspendue")
        look(carol, "13-suspended", phone=True)
        alice = people.sit_down("alice")  # an administrator
        alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow#hand")
        expect(by(alice, "box-hand")).to_have_attribute("aria-selected", "true")
        row = alice.locator(f"[data-test=flow][data-id='{flow['id']}']")
        expect(row).to_contain_text("Suspendu")
        look(alice, "09-hand", phone=True)
        row.locator("[data-test=look]").click()
        expect(by(alice, "warning")).to_contain_text("Bob Leroy n’a plus accès")
        people.foresee(409)
        by(alice, "continue").click()
        expect(alice.get_by_role("alert").first).to_contain_text("L’émetteur n’a plus accès aux documents")
        look(alice, "13-suspended-admin", phone=True)
    by(alice, "continue").click()
    expect(by(alice, "flow-state")).to_have_text("En cours")
    carol.reload()
    expect(carol.get_by_text("Bob Leroy demande votre validation")).to_be_visible()


def test_the_flows_of_a_file_are_in_the_wizard_too(people: People, look: Look) -> None:
    file_id = people.put("Déjà en route.pdf", pdf())
    people.launch(kind="validation", documents=[{"file_id": file_id}], recipients=[{"user": "carol"}])
    alice = people.sit_down("alice")
    alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow/new?fileIds={file_id}")
    panel = alice.locator("parapheur-panel")
    expect(panel.get_by_role("heading", name="Flux de travail de ce fichier")).to_be_visible()
    expect(panel).to_contain_text("Carol Nguyen")
    look(alice, "02-with-flows", phone=True)
    other = people.put("Rien encore.pdf", pdf())
    alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow/new?fileIds={other}")
    expect(by(alice, "document")).to_have_count(1)
    expect(alice.locator("parapheur-panel h2")).to_have_count(0)


@pytest.mark.parametrize("choice", ["continue", "restart", "cancel"])
def test_the_creator_of_an_approval_chooses_what_becomes_of_a_changed_file(
    people: People, look: Look, choice: str
) -> None:
    name = f"Devis {choice}.txt"
    file_id = people.put(name, b"100")
    flow = people.launch(kind="validation", documents=[{"file_id": file_id}], recipients=[{"user": "carol"}])
    (people.demo.host.area._files / "alice" / name).write_bytes(b"200")
    look_after(people.product.extensions[EXTENSION].ctx, flow["id"])
    alice = people.sit_down("alice")
    if choice == "restart":  # in the panel of the file
        alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow/new?fileIds={file_id}")
        expect(alice.locator("parapheur-panel")).to_contain_text(f"«\u00a0{name}\u00a0» a été modifié")
        look(alice, "13-changed-panel")
        by(alice, "restart").click()
        expect(alice.locator("[data-test=flow][data-state=running]")).to_be_visible()
        return
    alice.goto(f"{people.url}/f/{flow['id']}")
    expect(by(alice, "flow-state")).to_have_text("Suspendu")
    expect(by(alice, "restart")).to_be_visible()
    look(alice, "13-changed", phone=True)
    by(alice, choice).click()
    if choice == "cancel":
        expect(by(alice, "cancel")).to_have_text("Oui, annuler ce flux de travail")
        by(alice, "cancel").click()
    expect(by(alice, "flow-state")).to_have_text("En cours" if choice == "continue" else "Annulé")

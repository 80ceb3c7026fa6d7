"""What a creator does to a flow on its way, and what people meet whose part in it has changed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.ui.acts import test as by
from tests.ui.conftest import Look, People, until
from tests.world import pdf, stamps

pytestmark = pytest.mark.browser


def test_the_creator_reminds_extends_replaces_sends_a_new_link_and_cancels(people: People, look: Look) -> None:
    file_id = people.put("Bail.txt", b"Oui ou non", "carol")
    flow = people.launch(
        "carol",
        kind="validation",
        documents=[{"file_id": file_id}],
        recipients=[
            {"email": "premier@example.com", "last_name": "Premier", "step": 0},
            {"email": "second@example.com", "last_name": "Second", "step": 0},
            {"user": "bob", "step": 1},
        ],
        steps=[{"step": 0, "rule": "any"}],
        copy_emails=["archives@example.com"],
        expires_at="2027-03-01",
        remind_every=3,
    )
    old_link = people.link_for("premier@example.com")
    page = people.sit_down("carol")
    page.goto(f"{people.url}/f/{flow['id']}")
    expect(by(page, "rule")).to_contain_text("une seule décision suffit")
    expect(by(page, "deadline")).to_contain_text("2027")
    expect(page.locator("#main")).to_contain_text("archives@example.com")
    look(page, "14-steer", phone=True)
    by(page, "steer-remind").click()
    expect(page.get_by_role("status")).to_have_text("Rappel envoyé.")
    until(lambda: len(people.mails("premier@example.com")) == 2)

    by(page, "steer-extend").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    by(page, "steer-day").fill("2027-04-01")
    look(page, "14-extend", phone=True)
    by(page, "steer-confirm").click()
    expect(by(page, "deadline")).to_contain_text("avr")

    by(page, "steer-link").focus()
    page.keyboard.press("Enter")
    expect(by(page, "steer-who")).to_have_value("r1")
    by(page, "steer-confirm").click()
    until(lambda: people.link_for("premier@example.com") != old_link)
    guest = people.sit_down(lang="fr")
    guest.goto(old_link)
    expect(guest.get_by_role("heading", level=1)).to_have_text("Ce lien a été remplacé")
    look(guest, "14-old-link", phone=True)

    page.goto(f"{people.url}/f/{flow['id']}")
    by(page, "steer-replace").click()
    by(page, "steer-who").select_option("r2")
    by(page, "steer-email").fill("pas une adresse")
    expect(by(page, "steer-confirm")).to_have_attribute("aria-disabled", "true")
    by(page, "steer-email").fill("troisieme@example.com")
    by(page, "steer-name").fill("Troisième")
    look(page, "14-replace", phone=True)
    by(page, "steer-confirm").click()
    expect(page.locator("#main")).to_contain_text("à la place de Second")

    by(page, "steer-cancel").click()
    expect(by(page, "steer-confirm")).to_have_attribute("aria-disabled", "true")
    by(page, "steer-reason").fill("Mauvais document.")
    look(page, "14-cancel", phone=True)
    by(page, "steer-confirm").click()
    expect(by(page, "flow-state")).to_have_text("Annulé")
    expect(by(page, "cancelled")).to_contain_text("Mauvais document.")
    expect(by(page, "steer-remind")).to_have_count(0)
    look(page, "14-cancelled", phone=True)
    guest.goto(people.link_for("premier@example.com"))
    expect(guest.locator("#main")).to_contain_text("Mauvais document.")


def test_who_only_gets_copies_is_told_so(people: People, look: Look) -> None:
    file_id = people.put("Copie.pdf", pdf(), "carol")
    flow = people.launch(
        "carol",
        kind="signature",
        documents=[{"file_id": file_id}],
        recipients=[{"user": "alice"}, {"user": "bob", "role": "observer"}],
        placements=stamps(1, [0]),
    )
    page = people.sit_down("bob", lang="en")
    page.goto(f"{people.url}/f/{flow['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("You will get copies")
    look(page, "14-observer", phone=True)


def test_a_refused_step_is_told_in_words_beside_the_buttons(people: People) -> None:
    file_id = people.put("Vite.txt", b"Oui ou non", "carol")
    flow = people.launch(
        "carol",
        kind="validation",
        documents=[{"file_id": file_id}],
        recipients=[{"user": "bob"}],
        expires_at="2027-03-01",
    )
    page = people.sit_down("carol")
    page.goto(f"{people.url}/f/{flow['id']}")
    by(page, "steer-extend").click()
    by(page, "steer-day").fill("2027-02-01")
    people.foresee(422)
    by(page, "steer-confirm").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("ne peut être que repoussée")

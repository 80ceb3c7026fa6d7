"""What is asked for: the type, where no menu named it; what an administrator does not allow."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from plugin.flow.model import Kind
from tests.ui import acts
from tests.ui.acts import test as by
from tests.ui.conftest import Look, People

pytestmark = pytest.mark.browser

CONTRACT = "Contrat de prestation 2026.pdf"
PLAN = "Plan rotatif.pdf"
SHEET = "Budget 2026.xlsx"


def asking(people: People, *names: str) -> str:
    """As the platform's own menu opens the page: it knows of no types."""
    ids = ",".join(people.file_id(name) for name in names)
    return f"{people.url}/apps/app_api/embedded/parapheur/workflow/new?fileIds={ids}"


def test_the_type_is_asked_for_where_no_menu_named_it(people: People, look: Look) -> None:
    alice = people.sit_down("alice")
    alice.goto(asking(people, CONTRACT, PLAN))
    expect(by(alice, "document")).to_have_count(2)
    for kind in ("type-validation", "type-signature", "level-signature"):
        expect(by(alice, kind)).not_to_be_checked()
    by(alice, "next").click(force=True)
    expect(by(alice, "type-validation")).to_be_visible()
    expect(by(alice, "next")).to_have_attribute("aria-disabled", "true")
    expect(by(alice, "next")).to_have_accessible_description(
        "Choisissez d’abord ce que vous demandez\u00a0: validation ou signature."
    )
    look(alice, "02-asking", phone=True)
    by(alice, "type-signature").check(force=True)
    expect(by(alice, "level-signature")).to_be_checked()
    expect(by(alice, "gauge")).to_be_visible()
    alice.reload()
    expect(by(alice, "type-signature")).to_be_checked()
    by(alice, "next").click()
    expect(by(alice, "recipient-input")).to_be_visible()


def test_the_only_type_that_fits_is_chosen_and_the_others_say_why_not(people: People, look: Look) -> None:
    alice = people.sit_down("alice")
    alice.goto(asking(people, CONTRACT, SHEET))
    expect(by(alice, "document")).to_have_count(2)
    expect(by(alice, "type-validation")).to_be_checked()
    expect(by(alice, "type-signature")).to_have_attribute("aria-disabled", "true")
    choice = alice.locator(".pf-choice").filter(has=by(alice, "type-signature"))
    expect(choice).to_contain_text("Réservé aux PDF")
    expect(by(alice, "next")).to_have_attribute("aria-disabled", "false")
    look(alice, "02-mixed", phone=True)
    by(alice, "document").filter(has_text=SHEET).get_by_role("button").click()
    expect(by(alice, "document")).to_have_count(1)
    expect(by(alice, "type-signature")).to_have_attribute("aria-disabled", "false")
    expect(by(alice, "type-validation")).not_to_be_checked()  # nobody chose it
    expect(by(alice, "next")).to_have_attribute("aria-disabled", "true")


def test_what_an_administrator_does_not_allow_is_shown_with_the_reason(people: People, look: Look) -> None:
    alice = people.sit_down("alice")
    with people.limited(groups={Kind.SIGNATURE: frozenset({"direction"})}, documents=1, recipients=1):
        alice.goto(people.url)
        acts.open_menu(alice, CONTRACT)
        expect(by(alice, "type-signature")).to_have_attribute("aria-disabled", "true")
        expect(by(alice, "type-signature")).to_contain_text("Vos groupes ne permettent pas")
        alice.goto(asking(people, CONTRACT, PLAN))
        expect(by(alice, "document")).to_have_count(2)
        expect(by(alice, "type-validation")).to_be_checked()
        choice = alice.locator(".pf-choice").filter(has=by(alice, "type-signature"))
        expect(choice).to_contain_text("Vos groupes ne permettent pas de lancer ce type de flux.")
        look(alice, "02-not-for-your-groups")
        said = re.compile("1 document au maximum.*retirez-en 1")
        expect(by(alice, "next")).to_have_accessible_description(said)
        by(alice, "document").filter(has_text=PLAN).get_by_role("button").click()
        by(alice, "next").click()
        acts.add_person(alice, "carol", option="Carol Nguyen")
        acts.add_person(alice, "bob", option="Bob Leroy")
        expect(alice.get_by_role("alert").filter(has_text="1 personne au maximum")).to_be_visible()
        assert acts.recipients(alice) == ["carol"]


def test_a_type_that_is_chosen_before_the_types_have_come_is_chosen(people: People) -> None:
    alice = people.sit_down("alice")
    held: list[Route] = []
    alice.route("**/api/v1/types?*", lambda route: held.append(route))
    with alice.expect_request("**/api/v1/types?*"):
        alice.goto(asking(people, CONTRACT, PLAN))
    by(alice, "type-signature").check(force=True)
    held.pop().continue_()
    expect(by(alice, "document")).to_have_count(2)
    expect(by(alice, "type-signature")).to_be_checked()
    by(alice, "next").click()
    acts.add_person(alice, "bob", option="Bob Leroy")


def test_no_picture_of_another_document_stays_on_the_desk(people: People) -> None:
    alice = people.sit_down("alice")
    alice.goto(asking(people, CONTRACT, PLAN))
    by(alice, "type-signature").check(force=True)
    by(alice, "next").click()
    acts.add_person(alice, "bob", option="Bob Leroy")
    by(alice, "next").click()
    picture = by(alice, "page-1").locator("img")
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("one => one.naturalWidth") > 0
    second = people.file_id(PLAN)
    slow: list[Route] = []
    alice.route(f"**/documents/{second}/pages/1?w=820", lambda route: slow.append(route))
    with alice.expect_request(re.compile(rf"/documents/{second}/pages/1\?w=820")):
        by(alice, "place-doc-1").click()
    expect(picture).to_have_attribute("src", re.compile(f"/{second}/"))
    assert picture.evaluate("one => one.naturalWidth") == 0
    slow.pop().continue_()
    expect(picture).to_have_js_property("complete", value=True)

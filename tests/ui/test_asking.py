"""The files page and the wizard: menus by keyboard, refused files, long lists, an approval from end to end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.pdfops import samples
from tests.ui import acts
from tests.ui.acts import test as by
from tests.ui.conftest import PHONE, Look, People

pytestmark = pytest.mark.browser

CONTRACT = "Contrat de prestation 2026.pdf"
LONG = "Procès-verbal de la réunion extraordinaire du conseil d’administration, version relue et corrigée.pdf"


def new(people: People, *names: str, kind: str = "signature") -> str:
    ids = ",".join(people.file_id(name) for name in names)
    return f"{people.url}/apps/app_api/embedded/parapheur/workflow/new?kind={kind}&fileIds={ids}"


def test_the_menu_works_by_keyboard_alone(people: People) -> None:
    alice = people.sit_down("alice")
    alice.goto(people.url)
    slow: list[Route] = []
    alice.route("**/api/v1/types*", lambda route: slow.append(route))
    acts.row(alice, CONTRACT).locator(".fm-name").focus()
    alice.keyboard.press("Shift+F10")
    expect(by(alice, "menu-download")).to_be_focused()
    alice.keyboard.press("ArrowDown")
    alice.keyboard.press("ArrowDown")
    expect(by(alice, "menu-workflow")).to_be_focused()
    alice.keyboard.press("ArrowRight")
    expect(alice.get_by_role("menuitem", name="Chargement")).to_be_focused()
    slow.pop().continue_()
    expect(by(alice, "type-validation")).to_be_focused()
    alice.unroute("**/api/v1/types*")
    alice.keyboard.press("ArrowLeft")
    expect(by(alice, "menu-workflow")).to_be_focused()
    alice.keyboard.press("Escape")
    expect(alice.get_by_role("menu")).to_have_count(0)
    expect(acts.row(alice, CONTRACT).locator(".fm-name")).to_be_focused()
    alice.keyboard.press("Shift+F10")
    by(alice, "menu-workflow").focus()
    alice.keyboard.press("ArrowRight")
    expect(by(alice, "type-validation")).to_be_focused()
    alice.keyboard.press("ArrowDown")
    alice.keyboard.press("Enter")
    expect(by(alice, "document")).to_have_count(1)


def test_a_signature_of_something_else_than_pdf_is_offered_with_the_reason(people: People, look: Look) -> None:
    people.put("Sans flux.txt", b"rien")
    alice = people.sit_down("alice")
    alice.goto(people.url)
    acts.row(alice, "Devis 2026-014.docx").click(button="right")
    by(alice, "menu-workflow").hover()
    expect(by(alice, "type-signature")).to_have_attribute("aria-disabled", "true")
    expect(by(alice, "type-signature")).to_contain_text("PDF")
    look(alice, "01-menu-not-pdf", phone=True)
    alice.keyboard.press("Escape")
    acts.row(alice, "Sans flux.txt").locator(".fm-name").click()
    expect(alice.get_by_text("Aucun flux sur ce fichier")).to_be_visible()
    look(alice, "01-panel-empty", phone=True)


def test_bad_files_are_refused_one_by_one_and_good_ones_stay(people: People, look: Look) -> None:
    good = people.content("Annexe 1 – Calendrier.pdf")
    alice = people.sit_down("alice")
    people.foresee(400, 413, 415, 422)
    alice.goto(new(people, CONTRACT))
    expect(by(alice, "document")).to_have_count(1)
    acts.drop_files(
        alice,
        by(alice, "drop"),
        [
            ("Protégé.pdf", "application/pdf", samples.encrypted_pdf()),
            ("Facture.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\3\4"),
            ("Abîmé.pdf", "application/pdf", good[:900]),
            ("Texte.pdf", "application/pdf", b"this is no PDF at all"),
            (LONG, "application/pdf", good),
        ],
    )
    expect(by(alice, "document").filter(has_text="Procès-verbal")).to_be_visible()
    for name, reason in (("Protégé", "mot de passe"), ("Facture", "seul un PDF"), ("Abîmé", "."), ("Texte", "PDF")):
        expect(alice.locator(".pf-files .bad").filter(has_text=name)).to_contain_text(reason)
    look(alice, "02-refused", phone=True)
    expect(by(alice, "next")).to_have_attribute("aria-disabled", "false")
    alice.reload()
    expect(by(alice, "document").filter(has_text="Procès-verbal")).to_be_visible()


def test_an_approval_is_asked_for_in_three_steps(people: People, look: Look) -> None:
    alice = people.sit_down("alice")
    alice.goto(new(people, "Budget 2026.xlsx", "Photo du site.jpg", kind="validation"))
    expect(by(alice, "document")).to_have_count(2)
    look(alice, "02-validation", phone=True)
    by(alice, "next").click()
    acts.add_person(alice, "carol", option="Carol Nguyen")
    acts.add_person(alice, "carol@example.org", option="Carol Nguyen")
    expect(alice.get_by_role("alert").filter(has_text="déjà dans la liste")).to_be_visible()
    by(alice, "next").click()
    by(alice, "title").fill("Photos et budget")
    look(alice, "05-recap-validation", phone=True)
    by(alice, "send").click()
    expect(by(alice, "sent")).to_contain_text("Carol Nguyen")


def test_the_recap_says_where_the_copy_of_a_read_only_folder_will_be(people: People, look: Look) -> None:
    files = people.demo.host.area
    files.make_folder("alice", ("Partagé",))
    people.put("Partagé/Avis.pdf", people.content(CONTRACT))
    (files._files / "alice" / "Partagé").chmod(0o500)
    alice = people.sit_down("alice")
    alice.goto(new(people, "Partagé/Avis.pdf", CONTRACT))
    by(alice, "next").click()
    acts.add_person(alice, "bob", option="Bob Leroy")
    by(alice, "next").click()
    for number in range(2):
        by(alice, f"place-doc-{number}").click()
        by(alice, "place-cart-0").click()
        alice.mouse.click(*acts.on_sheet(alice, 1, 0.3, 0.3))
        expect(by(alice, f"place-doc-{number}")).to_have_attribute("data-ready", "true")
    by(alice, "next").click()
    said = by(alice, "saved-at-home")
    expect(said).to_have_count(1)
    expect(alice.get_by_role("listitem").filter(has_text="Avis.pdf").filter(has=said)).to_have_count(1)
    expect(said).to_contain_text("à la racine de vos fichiers")
    look(alice, "05-recap-read-only", phone=True)


@pytest.mark.parametrize("zone", ["America/Montreal", "UTC"])
def test_people_of_other_time_zones_send_too(people: People, zone: str) -> None:
    alice = people.sit_down("alice", zone=zone)
    alice.goto(new(people, CONTRACT))
    by(alice, "next").click()
    acts.add_person(alice, "bob", option="Bob Leroy")
    by(alice, "next").click()
    for x in (0.3, 0.7):
        by(alice, "place-cart-0").click()
        alice.mouse.click(*acts.on_sheet(alice, 1, x, 0.3))
    expect(by(alice, "stamp")).to_have_count(2)
    by(alice, "next").click()
    expect(alice.get_by_text("2 cachets, page 1", exact=True)).to_be_visible()
    expect(alice.get_by_role("heading", name="E-mail qui sera envoyé")).to_be_visible()
    by(alice, "send").click()
    expect(by(alice, "sent")).to_contain_text("Bob Leroy")


def test_a_lost_answer_and_a_second_attempt_make_one_flow(people: People) -> None:
    alice = people.sit_down("alice")
    alice.goto(new(people, "Budget 2026.xlsx", kind="validation"))
    by(alice, "next").click()
    acts.add_person(alice, "carol", option="Carol Nguyen")
    by(alice, "next").click()
    by(alice, "title").fill("Une seule fois")
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        assert route.fetch().status == 201
        route.fulfill(status=502, body="lost on the way")

    people.foresee(502)
    alice.route("**/api/v1/flows", lose)
    by(alice, "send").click()
    expect(alice.get_by_role("alert").filter(has_text="502")).to_be_visible()
    alice.unroute("**/api/v1/flows")
    with alice.expect_request("**/api/v1/flows") as again:
        by(alice, "send").click()
    expect(by(alice, "sent")).to_be_visible()
    assert [again.value.headers["idempotency-key"]] == keys
    found = alice.request.get(f"{people.url}/api/v1/flows?box=sent&q=Une seule fois").json()["flows"]
    assert len(found) == 1


def test_a_launch_that_takes_long_says_how_far_it_is_and_outlives_a_proxy_that_gives_up(people: People) -> None:
    alice = people.sit_down("alice")
    people.foresee(504)
    tries: list[str] = []
    told = [{"state": "running", "done_bytes": 408_000_000, "total_bytes": 3_400_000_000, "flow_id": None}] * 2

    def gives_up(route: Route) -> None:
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) == 1:
            route.fetch()  # it arrives all the same
            route.fulfill(status=504, body="")
        else:
            route.continue_()

    def far(route: Route) -> None:
        route.fulfill(json=told.pop()) if told else route.continue_()

    alice.route("**/api/v1/flows", gives_up)
    alice.route("**/api/v1/launches/*", far)
    alice.goto(new(people, "Budget 2026.xlsx", kind="validation"))
    by(alice, "next").click()
    acts.add_person(alice, "carol", option="Carol Nguyen")
    by(alice, "next").click()
    by(alice, "send").click()
    expect(alice.get_by_text("12\u202f% de 3,4\u00a0Go lus")).to_be_visible()
    expect(by(alice, "sent")).to_be_visible()
    assert len(tries) == 2
    assert tries[0] == tries[1]


def test_a_launch_that_is_declined_names_the_field(people: People) -> None:
    alice = people.sit_down("alice")
    alice.goto(new(people, "Budget 2026.xlsx", kind="validation"))
    by(alice, "next").click()
    acts.add_person(alice, "carol", option="Carol Nguyen")
    by(alice, "next").click()
    people.foresee(422)
    said = "Cette valeur ne convient pas."
    errors = [{"path": "title", "message": said}, {"path": "recipients[0].comment", "message": "Trop long."}]
    down = {"title": said, "status": 422, "code": "invalid", "errors": errors}
    alice.route("**/api/v1/flows", lambda route: route.fulfill(status=422, json=down))
    by(alice, "send").click()
    alert = alice.get_by_role("alert").filter(has_text=said)
    expect(alert).to_contain_text(f"Nom du flux\u00a0: {said}")
    expect(alert).to_contain_text("Message pour Carol Nguyen\u00a0: Trop long.")


def test_stamps_are_placed_and_recipients_ordered_by_keyboard(people: People) -> None:
    alice = people.sit_down("alice")
    alice.goto(new(people, CONTRACT))
    by(alice, "next").click()
    acts.add_person(alice, "bob", option="Bob Leroy")
    acts.add_person(alice, "carol", option="Carol Nguyen")
    alice.locator(".grip").nth(1).focus()
    alice.keyboard.press("Space")
    alice.keyboard.press("ArrowUp")
    alice.keyboard.press("Space")
    assert acts.recipients(alice) == ["carol", "bob"]
    by(alice, "next").click()
    expect(by(alice, "page-1")).to_be_visible()
    for number in range(2):
        by(alice, f"place-cart-{number}").focus()
        alice.keyboard.press("Enter")
        expect(by(alice, "page-1")).to_be_focused()
        alice.keyboard.press("Enter")
        expect(by(alice, "stamp").nth(number)).to_be_focused()
    left = by(alice, "stamp").nth(1).bounding_box()
    alice.keyboard.press("Shift+ArrowLeft")
    alice.keyboard.press("ArrowUp")
    moved = by(alice, "stamp").nth(1).bounding_box()
    assert left is not None
    assert moved is not None
    assert moved["x"] < left["x"]
    assert moved["y"] < left["y"]
    alice.keyboard.press("Control+z")
    alice.keyboard.press("PageDown")
    expect(by(alice, "page-2").locator("[data-test=stamp]")).to_have_count(1)
    expect(by(alice, "next")).to_have_attribute("aria-disabled", "false")


def test_a_name_that_no_stamp_can_show_keeps_the_simple_stamp(people: People, look: Look) -> None:
    alice = people.sit_down("alice")
    alice.goto(new(people, CONTRACT))
    by(alice, "next").click()
    acts.add_person(alice, "zoe@example.com", option="zoe@example.com")
    alice.get_by_label("Prénom (facultatif)").fill("Zoé 😀")
    by(alice, "next").click()
    with_text = alice.get_by_role("radio", name="Cachet avec texte")
    with_text.click()
    expect(by(alice, "place-refused-0")).to_contain_text("ces caractères de «\u00a0Zoé 😀\u00a0»\u00a0: 😀")
    expect(with_text).to_have_attribute("aria-checked", "false")
    look(alice, "04-glyph-missing")


def test_recipients_are_ordered_with_a_finger(people: People) -> None:
    alice = people.sit_down("alice", size=PHONE, touch=True)
    alice.goto(new(people, CONTRACT))
    by(alice, "next").tap()
    acts.add_person(alice, "bob", option="Bob Leroy")
    acts.add_person(alice, "carol", option="Carol Nguyen")
    grip, top = alice.locator(".grip").nth(1).bounding_box(), by(alice, "recipient").first.bounding_box()
    assert grip is not None
    assert top is not None
    acts.slide_finger(alice, (grip["x"] + 8, grip["y"] + 8), (grip["x"] + 12, top["y"] + 8))
    assert acts.recipients(alice) == ["carol", "bob"]


def test_a_moving_stamp_shows_what_it_snaps_to_and_ctrl_with_the_wheel_zooms(people: People, look: Look) -> None:
    alice = people.sit_down("alice")
    alice.goto(new(people, CONTRACT))
    by(alice, "next").click()
    acts.add_person(alice, "bob", option="Bob Leroy")
    by(alice, "next").click()
    by(alice, "place-cart-0").click()
    alice.mouse.click(*acts.on_sheet_now(alice, 1, 0.3, 0.3))
    stamp = by(alice, "stamp").bounding_box()
    assert stamp is not None
    alice.mouse.move(stamp["x"] + stamp["width"] / 2, stamp["y"] + stamp["height"] / 2)
    alice.mouse.down()
    x, y = acts.on_sheet_now(alice, 1, 0.503, 0.4)
    alice.mouse.move(x, y, steps=5)
    expect(alice.locator(".pl-guide.v")).to_have_count(1)
    look(alice, "04-placement-guide", dark=False)
    alice.mouse.up()
    expect(alice.locator(".pl-guide")).to_have_count(0)
    sheet, stamp = by(alice, "page-1").bounding_box(), by(alice, "stamp").bounding_box()
    assert sheet is not None
    assert stamp is not None
    assert stamp["x"] + stamp["width"] / 2 == pytest.approx(sheet["x"] + sheet["width"] / 2, abs=1)
    alice.mouse.move(x, y)
    alice.keyboard.down("Control")
    alice.mouse.wheel(0, -120)
    alice.keyboard.up("Control")
    expect(by(alice, "zoom")).to_have_text(re.compile("1[01][05]"))
    after = acts.on_sheet_now(alice, 1, 0.503, 0.4)
    assert after == (pytest.approx(x, abs=3), pytest.approx(y, abs=3))


def test_many_people_documents_and_pages_still_fit(people: People, look: Look) -> None:
    thirty = samples.simple_pdf(30)
    names = [f"Lot/Pièce {n:02}.pdf" for n in range(9)]
    area = people.demo.host.area
    if area.node("alice", ("Lot",)) is None:
        area.make_folder("alice", ("Lot",))
    for name in names:
        people.put(name, samples.simple_pdf(2))
    people.put(f"Lot/{LONG}", thirty)
    alice = people.sit_down("alice")
    alice.goto(new(people, f"Lot/{LONG}", *names))
    expect(by(alice, "document")).to_have_count(10)
    look(alice, "02-many", phone=True)
    by(alice, "next").click()
    for n in range(20):
        by(alice, "recipient-input").fill(f"personne.numero.{n:02}@societe-exemple.example.com")
        alice.locator("#pf-people [role=option]").click()
    expect(by(alice, "recipient")).to_have_count(20)
    look(alice, "03-many", phone=True)
    by(alice, "next").click()
    expect(by(alice, "page-1").locator("img")).to_be_visible()
    by(alice, "next-missing").click()
    expect(by(alice, "page-30")).to_be_in_viewport()
    at = acts.on_sheet_now(alice, 30, 0.5, 0.4)
    alice.mouse.click(*at)
    expect(by(alice, "stamp")).to_have_count(1)
    look(alice, "04-many", phone=True)
    expect(alice.locator(".pf-toolbar .v").first).to_have_text(re.compile(r"30\s*/\s*30"))


def test_an_empty_folder_and_a_wizard_without_a_file_say_what_to_do(people: People, look: Look) -> None:
    area = people.demo.host.area
    if area.node("alice", ("Vide",)) is None:
        area.make_folder("alice", ("Vide",))
    alice = people.sit_down("alice")
    alice.goto(f"{people.url}/#Vide")
    expect(alice.get_by_text("Ce dossier est vide")).to_be_visible()
    look(alice, "01-empty-folder", phone=True)
    alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow/new")
    expect(alice.get_by_text("Aucun document pour l’instant")).to_be_visible()
    look(alice, "02-empty")
    alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow#todo")
    expect(alice.get_by_role("heading", level=1)).to_be_visible()
    look(alice, "09-empty", phone=True)
    alice.goto(f"{people.url}/demo/sms")
    look(alice, "11-sms", phone=True)

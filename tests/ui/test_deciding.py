"""The page behind an invitation: reading, deciding, and every way in which it has to say no."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Route, expect

from tests.ui import acts
from tests.ui.acts import test as by
from tests.ui.conftest import PHONE, Look, People

pytestmark = pytest.mark.browser

LEASE = "Bail commercial.pdf"
BOX = {"x": 0.1, "y": 0.7, "w": 0.3, "h": 0.08}


def lease(people: People) -> str:
    """A contract of three pages that only these tests use."""
    if people.demo.host.area.node("alice", (LEASE,)) is None:
        people.put(LEASE, people.content("Contrat de prestation 2026.pdf"))
    return people.file_id(LEASE)


def signature(people: People, *recipients: dict[str, Any], **more: Any) -> str:
    """A running collection of one document. Returns: its id."""
    placements = [
        {"document": 0, "page": 1, "recipient": n, "box": {**BOX, "x": 0.1 + 0.4 * n}, "with_text": n == 0}
        for n in range(len(recipients))
    ]
    documents = [{"file_id": lease(people)}]
    flow = people.launch(
        kind="signature", documents=documents, recipients=list(recipients), placements=placements, **more
    )
    return str(flow["id"])


def validation(people: People, names: list[str], *recipients: dict[str, Any], **more: Any) -> str:
    documents = [{"file_id": people.file_id(name)} for name in names]
    return str(people.launch(kind="validation", documents=documents, recipients=list(recipients), **more)["id"])


def outside(name: str, language: str = "fr") -> dict[str, Any]:
    called = {"first_name": name.capitalize(), "last_name": "Durand"}
    return {"email": f"{name}@example.com", **called, "language": language}


def photographed_signature() -> bytes:
    picture = Image.new("RGB", (640, 240), (247, 246, 243))
    ImageDraw.Draw(picture).line([(60, 180), (160, 50), (260, 190), (420, 60), (560, 150)], fill=(20, 24, 60), width=9)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def test_files_of_any_type_are_approved_with_a_comment_and_the_panel_shows_it(people: People, look: Look) -> None:
    lease(people)
    names = [LEASE, "Devis 2026-014.docx", "Photo du site.jpg"]
    flow_id = validation(people, names, {"user": "bob"}, title="Dossier d’achat", comment="Merci de vérifier le prix.")
    bob = people.sit_down("bob")
    bob.goto(f"{people.url}/f/{flow_id}")
    expect(by(bob, "page-1")).to_have_count(1)
    expect(bob.get_by_text("No preview for this file")).to_have_count(2)
    look(bob, "08-validate", phone=True)
    by(bob, "approve-open").click()
    by(bob, "approve-comment").fill("Bon pour accord.")
    look(bob, "08-approve", phone=True)
    by(bob, "approve-confirm").click()
    expect(by(bob, "done")).to_be_visible()

    alice = people.sit_down("alice")
    alice.goto(people.url)
    acts.row(alice, "Devis 2026-014.docx").locator(".fm-name").click()
    expect(by(alice, "flow").filter(has_text="Bon pour accord.")).to_contain_text("Validé")
    look(alice, "01-panel-approved")


def test_a_page_can_be_heard_instead_of_seen(people: People, look: Look) -> None:
    """By keyboard alone: the text is out of sight until it has the focus."""
    signature(people, outside("louise"))
    louise = people.sit_down()
    louise.goto(people.link_for("louise@example.com"))
    text = louise.locator("details.pf-pagetext").first
    box = text.bounding_box()
    assert box is not None
    assert box["width"] <= 1
    text.locator("summary").focus()
    expect(text.locator("summary")).to_be_in_viewport()
    louise.keyboard.press("Enter")
    expect(text.locator("div")).to_contain_text("Contrat de prestation")
    look(louise, "05-page-text")


def test_a_refusal_needs_a_reason_and_the_panel_shows_it(people: People, look: Look) -> None:
    validation(people, ["Budget 2026.xlsx"], outside("hugo"))
    hugo = people.sit_down(size=PHONE, touch=True)
    hugo.goto(people.link_for("hugo@example.com"))
    look(hugo, "08-nopreview", desktop=True)
    by(hugo, "refuse-open").tap()
    by(hugo, "refuse-confirm").tap(force=True)
    expect(by(hugo, "refuse-reason")).to_be_visible()
    expect(by(hugo, "refuse-confirm")).to_have_attribute("aria-disabled", "true")
    by(hugo, "refuse-reason").fill("Le poste « Fournitures » est sous-évalué.")
    look(hugo, "06-refuse", desktop=True)
    by(hugo, "refuse-confirm").tap()
    expect(by(hugo, "done")).to_contain_text("Alice Martin")
    hugo.reload()
    expect(hugo.get_by_role("heading", level=1)).to_have_text("Vous avez refusé")
    look(hugo, "13-refused", desktop=True)

    alice = people.sit_down("alice")
    alice.goto(people.url)
    acts.row(alice, "Budget 2026.xlsx").locator(".fm-name").click()
    refused = by(alice, "flow").filter(has=alice.locator("[data-state=refused]"))
    expect(refused).to_contain_text("Le poste « Fournitures » est sous-évalué.")
    look(alice, "01-panel-refused", phone=True)


def test_the_page_can_be_read_without_script(people: People, look: Look) -> None:
    signature(people, outside("ines"), comment="Bonjour, voici le contrat.")
    ines = people.sit_down(size=PHONE, java_script_enabled=False)
    ines.goto(people.link_for("ines@example.com"))
    expect(ines.get_by_role("heading", level=1)).to_have_text("Bail commercial")
    expect(ines.get_by_text("Bonjour, voici le contrat.")).to_be_visible()
    expect(ines.get_by_role("img", name="Page 1 sur 3")).to_be_visible()
    expect(ines.get_by_text("Vous pouvez tout lire ici.")).to_be_visible()
    with ines.expect_download() as downloading:
        ines.get_by_role("link", name=f"Télécharger « {LEASE} »").click()
    assert downloading.value.path().read_bytes().startswith(people.content(LEASE))


def test_a_photographed_signature_is_imported_and_two_clicks_are_one_event(people: People, look: Look) -> None:
    flow_id = signature(people, {"user": "bob"}, outside("jules"))
    people.foresee(409)
    bob = people.sit_down("bob", lang="en")
    bob.goto(f"{people.url}/f/{flow_id}")
    by(bob, "sign-open").click()
    by(bob, "tab-image").click()
    look(bob, "06-sign-image-empty")
    by(bob, "image-input").set_input_files(
        [{"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"}]
    )  # fmt: skip
    expect(bob.get_by_role("alert").filter(has_text="PNG")).to_be_visible()
    by(bob, "image-input").set_input_files(
        [{"name": "signature.jpg", "mimeType": "image/jpeg", "buffer": photographed_signature()}]
    )
    expect(bob.get_by_alt_text("Your signature, from the image")).to_be_visible()
    by(bob, "consent").check()
    bob.get_by_text("See it on the page").click()
    look(bob, "06-sign-image", phone=True)
    by(bob, "sign-confirm").dblclick()
    expect(by(bob, "done")).to_be_visible(timeout=60_000)
    events = bob.request.get(f"{people.url}/api/v1/flows/{flow_id}").json()["events"]
    assert [event["type"] for event in events].count("recipient.signed") == 1


def test_a_failed_signature_keeps_the_drawing_and_says_what_to_do(people: People, look: Look) -> None:
    signature(people, outside("lea", "en"))
    people.foresee(503)
    lea = people.sit_down(lang="en")
    lea.goto(people.link_for("lea@example.com"))
    by(lea, "sign-open").click()
    acts.draw_with_mouse(lea)
    by(lea, "consent").check()
    down = {"title": "The cloud does not answer.", "status": 503, "code": "host-unavailable"}
    lea.route("**/sign", lambda route: route.fulfill(status=503, json=down, content_type="application/problem+json"))
    by(lea, "sign-confirm").click()
    expect(lea.get_by_role("alert").filter(has_text="The cloud does not answer.")).to_be_visible()
    look(lea, "13-error-banner", phone=True)
    lea.unroute("**/sign")
    by(lea, "sign-confirm").click()
    expect(by(lea, "done")).to_be_visible(timeout=60_000)


def test_documents_that_changed_are_shown_again_and_the_drawing_stays(people: People, look: Look) -> None:
    signature(people, outside("mona", "en"))
    people.foresee(409)
    mona = people.sit_down(lang="en")
    mona.goto(people.link_for("mona@example.com"))
    by(mona, "sign-open").click()
    acts.draw_with_mouse(mona)
    by(mona, "consent").check()
    changed = {"title": "The documents have changed.", "status": 409, "code": "documents-changed"}
    mona.route("**/sign", lambda route: route.fulfill(status=409, json=changed))
    by(mona, "sign-confirm").click()
    look(mona, "13-documents-changed", phone=True)
    with mona.expect_response(lambda answer: "of=" in answer.url) as shown_anew:
        by(mona, "reload").click()
    assert shown_anew.value.ok
    expect(mona.get_by_role("dialog")).to_have_count(0)
    mona.unroute("**/sign")
    by(mona, "sign-open").click()
    expect(by(mona, "consent")).not_to_be_checked()
    by(mona, "consent").check()
    by(mona, "sign-confirm").click()
    expect(by(mona, "done")).to_be_visible(timeout=60_000)


def test_a_page_without_an_image_is_not_read_until_the_document_is_downloaded(people: People, look: Look) -> None:
    signature(people, outside("rosa", "en"))
    people.foresee(500)
    rosa = people.sit_down(lang="en")
    viewed: list[str] = []
    rosa.on("request", lambda request: viewed.append(request.url) if request.url.endswith("/view") else None)
    rosa.route("**/pages/**", lambda route: route.fulfill(status=500, body="no image"))
    rosa.goto(people.link_for("rosa@example.com"))
    note = by(rosa, "page-1").get_by_text("No preview of this page. Download the document to read it.")
    expect(note).to_be_visible()
    expect(by(rosa, "page-1").get_by_role("button", name="Sign here")).to_be_visible()
    rosa.wait_for_timeout(1500)
    expect(rosa.locator("[data-read='0']")).to_be_empty()
    assert viewed == []
    look(rosa, "13-no-page", phone=True)
    with rosa.expect_download() as downloading:
        by(rosa, "page-1").get_by_role("link", name="Download").click()
    assert downloading.value.path().read_bytes().startswith(people.content(LEASE))
    expect(rosa.locator("[data-read='0']")).to_have_text("Read")
    assert len(viewed) == 1


def test_a_page_that_comes_late_is_read_a_second_after_it_came(people: People) -> None:
    signature(people, outside("sami", "en"))
    sami = people.sit_down(lang="en")
    held: list[Route] = []
    sami.route("**/pages/**", lambda route: held.append(route))
    sami.goto(people.link_for("sami@example.com"), wait_until="domcontentloaded")
    expect(by(sami, "sign-open")).to_be_visible()
    sami.wait_for_timeout(1500)
    expect(sami.locator("[data-read='0']")).to_be_empty()
    for route in held:
        route.continue_()
    sami.unroute("**/pages/**")
    expect(sami.locator("[data-read='0']")).to_have_text("Read")


def test_a_stale_tab_shows_what_was_decided_in_the_other(people: People) -> None:
    flow_id = signature(people, {"user": "bob"}, outside("tom"))
    people.foresee(409)
    bob = people.sit_down("bob", lang="en")
    other = bob.context.new_page()
    for tab in (bob, other):
        tab.goto(f"{people.url}/f/{flow_id}")
        expect(by(tab, "sign-open")).to_be_visible()
    bob.bring_to_front()
    acts.sign_here(bob, acts.draw_with_mouse)
    other.bring_to_front()
    by(other, "refuse-open").click()
    by(other, "refuse-reason").fill("Trop tard.")
    by(other, "refuse-confirm").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("You have already signed")
    expect(by(other, "said")).to_have_text("You have already decided.")
    expect(by(other, "sign-open")).to_have_count(0)
    expect(other.locator("time").first).to_have_text(re.compile(r"^today at \d\d:\d\d$"))
    other.reload()
    expect(by(other, "said")).to_have_count(0)


def test_the_pad_stays_where_it_is_between_two_strokes(people: People) -> None:
    signature(people, outside("marthe"))
    marthe = people.sit_down(size=PHONE, touch=True)
    marthe.goto(people.link_for("marthe@example.com"))
    by(marthe, "sign-open").tap()
    expect(by(marthe, "pad")).to_be_visible()
    before = by(marthe, "pad").bounding_box()
    acts.draw_with_finger(marthe)
    expect(marthe.get_by_text("Voir sur la page")).to_be_visible()
    assert by(marthe, "pad").bounding_box() == before


def test_on_a_phone_on_its_side_the_pad_takes_the_screen(people: People, look: Look) -> None:
    signature(people, outside("paul"))
    paul = people.sit_down(size=(844, 390), touch=True)
    paul.goto(people.link_for("paul@example.com"))
    by(paul, "sign-open").tap()
    pad, dialog = by(paul, "pad").bounding_box(), paul.get_by_role("dialog").bounding_box()
    assert pad is not None
    assert dialog is not None
    assert (dialog["width"], dialog["height"]) == (844, 390)
    assert pad["height"] >= 180
    acts.draw_with_finger(paul)
    expect(by(paul, "clear")).to_have_attribute("aria-disabled", "false")
    look(paul, "06-sign-draw-landscape")


def test_a_link_used_early_shows_no_document_and_nothing_of_the_collection(people: People, look: Look) -> None:
    flow_id = signature(people, {"user": "bob"}, {"user": "carol"})
    carol = people.sit_down("carol")
    carol.goto(f"{people.url}/f/{flow_id}")
    expect(carol.get_by_role("heading", level=1)).to_have_text("Ce n’est pas encore votre tour")
    expect(carol.locator("[data-sheet]")).to_have_count(0)
    look(carol, "13-early", phone=True)


def test_unknown_links_and_other_peoples_pages_explain_themselves(people: People, look: Look) -> None:
    flow_id = signature(people, {"user": "bob"})
    people.foresee(404)
    nobody = people.sit_down()
    nobody.goto(f"{people.url}/s/{'A' * 43}")
    expect(nobody.get_by_role("heading", level=1)).to_have_text("Lien introuvable")
    look(nobody, "13-unknown-link", phone=True)
    nobody.goto(f"{people.url}/f/{flow_id}")
    expect(nobody.get_by_text("Aucun compte n’est connecté.")).to_be_visible()
    carol = people.sit_down("carol")
    carol.goto(f"{people.url}/f/{flow_id}")
    expect(carol.get_by_text("Compte utilisé : carol")).to_be_visible()
    look(carol, "13-somebody-else", phone=True)
    carol.get_by_role("link", name=re.compile("changer de compte")).click()
    expect(by(carol, "file-row").first).to_be_visible()


def test_the_language_is_switched_on_the_page_and_kept(people: People) -> None:
    signature(people, outside("nora"))
    nora = people.sit_down(lang="en")
    nora.goto(people.link_for("nora@example.com"))
    expect(by(nora, "sign-open")).to_have_text("Signer")
    by(nora, "language").click()
    expect(by(nora, "sign-open")).to_have_text("Sign")
    nora.reload()
    expect(nora.locator("html")).to_have_attribute("lang", "en")
    expect(by(nora, "sign-open")).to_have_text("Sign")


def test_the_sender_follows_a_flow_and_an_invitation_that_bounced_is_said(people: People, look: Look) -> None:
    flow_id = signature(people, {"user": "bob"}, outside("oscar"), title="Contrat et annexes")
    alice = people.sit_down("alice")
    alice.goto(f"{people.url}/f/{flow_id}")
    expect(by(alice, "flow-state")).to_have_text("En cours")
    look(alice, "05-follow", phone=True)
    alice.goto(f"{people.url}/apps/app_api/embedded/parapheur/workflow#sent")
    expect(by(alice, "flow").first).to_be_visible()
    by(alice, "flow").first.get_by_role("button", name="Voir le détail").click()
    look(alice, "09-flows", phone=True)


def test_keyboard_stays_in_the_sheet_and_esc_gives_focus_back(people: People) -> None:
    flow_id = signature(people, {"user": "bob"})
    bob = people.sit_down("bob", lang="en")
    bob.goto(f"{people.url}/f/{flow_id}")
    by(bob, "sign-open").focus()
    bob.keyboard.press("Enter")
    dialog = bob.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(14):
        bob.keyboard.press("Tab")
        assert bob.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    bob.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(by(bob, "sign-open")).to_be_focused()

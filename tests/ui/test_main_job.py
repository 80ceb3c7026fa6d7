"""The main job as people do it: right-click, place, send, sign twice, find the signed copies beside the originals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.ui import acts, paper
from tests.ui.acts import test as by
from tests.ui.conftest import PHONE, Look, People, until

pytestmark = pytest.mark.browser

CONTRACT = "Contrat de prestation 2026.pdf"
PLAN = "Plan rotatif.pdf"
ADDED = "Annexe ajoutée.pdf"
ZOE = "zoe.durand@example.com"


def test_two_people_sign_three_documents(people: People, look: Look, tmp_path: Path) -> None:
    originals = {name: people.content(name) for name in (CONTRACT, PLAN)}
    extra = people.content("Annexe 1 – Calendrier.pdf")

    # Alice asks
    alice = people.sit_down()
    alice.goto(people.url)
    look(alice, "00-login", phone=True)
    by(alice, "login-alice").click()
    expect(acts.row(alice, CONTRACT)).to_be_visible()
    for name in (CONTRACT, PLAN):
        acts.row(alice, name).get_by_role("checkbox").check()
    acts.open_menu(alice, CONTRACT)
    look(alice, "01-files-menu")
    by(alice, "type-signature").click()

    expect(by(alice, "document")).to_have_count(2)
    with alice.expect_file_chooser() as choosing:
        alice.get_by_role("button", name="Importer depuis l’ordinateur").click()
    choosing.value.set_files([{"name": ADDED, "mimeType": "application/pdf", "buffer": extra}])
    expect(by(alice, "document")).to_have_count(3)
    expect(by(alice, "gauge")).to_have_text(re.compile(r"/ 15 Mo"))
    look(alice, "02-documents", phone=True)
    by(alice, "next").click()

    expect(by(alice, "next")).to_have_attribute("aria-disabled", "true")
    look(alice, "03-recipients-empty", phone=True)
    acts.add_person(alice, ZOE, option=f"Ajouter {ZOE} (externe)")
    by(alice, "first_name").fill("Zoé")
    by(alice, "last_name").fill("Durand")
    by(alice, "recipient-input").press_sequentially("bob")
    expect(alice.get_by_role("option", name="Bob Leroy")).to_be_visible()
    look(alice, "03-recipients-search")
    alice.get_by_role("option", name="Bob Leroy").click()
    assert acts.recipients(alice) == [ZOE, "bob"]
    acts.drag_to_top(alice, 1)
    assert acts.recipients(alice) == ["bob", ZOE]
    by(alice, "comment").fill("Merci de signer avant vendredi.")
    look(alice, "03-recipients", phone=True)
    by(alice, "next").click()

    expect(by(alice, "page-1").locator("img")).to_be_visible()
    look(alice, "04-placement-empty")
    spots: list[tuple[acts.Spot, bool]] = [
        ((0, 0, 3, 0.31, 0.63), True),
        ((0, 1, 3, 0.72, 0.71), False),
        ((1, 0, 1, 0.27, 0.82), False),
        ((1, 1, 1, 0.77, 0.31), True),
        ((2, 0, 1, 0.33, 0.87), False),
        ((2, 1, 1, 0.69, 0.77), False),
    ]
    for number, (spot, by_drag) in enumerate(spots):
        if number == 3:
            look(alice, "04-placement", phone=True)
        acts.place(alice, spot, by_drag=by_drag)
    for number in range(3):
        expect(by(alice, f"place-doc-{number}")).to_have_attribute("data-ready", "true")
    look(alice, "04-placement-ready", phone=True)
    by(alice, "next").click()
    look(alice, "05-recap", phone=True)

    with alice.expect_response(lambda answer: answer.url.endswith("/api/v1/flows")) as sending:
        by(alice, "send").click()
    expect(by(alice, "sent")).to_be_visible()
    look(alice, "05-sent", phone=True)
    sent = json.loads(sending.value.request.post_data or "{}")
    flow_id = str(sending.value.json()["id"])
    assert [r.get("user") or r.get("email") for r in sent["recipients"]] == ["bob", ZOE]

    by(alice, "back-to-files").click()
    acts.row(alice, CONTRACT).locator(".fm-name").click()
    running = by(alice, "flow").filter(has=alice.locator("[data-state=running]"))
    expect(running.first).to_contain_text("Bob Leroy")
    look(alice, "01-panel-running", phone=True)

    # Bob signs in his session
    bob = people.sit_down("bob", lang="en")
    bob.goto(f"{people.url}/f/{flow_id}")
    expect(by(bob, "sign-open")).to_be_visible()
    look(bob, "06-sign-user")
    by(bob, "sign-open").click()
    expect(by(bob, "sign-confirm")).to_have_attribute("aria-disabled", "true")
    acts.draw_with_mouse(bob)
    by(bob, "consent").check()
    look(bob, "06-sign-draw")
    by(bob, "sign-confirm").click()
    expect(by(bob, "done")).to_be_visible(timeout=60_000)
    expect(by(bob, "done")).to_contain_text("Zoé Durand")
    look(bob, "06-done-user")

    # Zoé signs on her telephone
    catcher = people.sit_down()
    catcher.goto(f"{people.url}/demo/mail")
    people.link_for(ZOE)
    catcher.reload()
    look(catcher, "11-mails", phone=True)
    catcher.get_by_role("link", name=ZOE).first.click()
    look(catcher, "11-mail", phone=True)
    link = catcher.get_by_role("link", name="/s/").get_attribute("href")
    assert link is not None

    zoe = people.sit_down(size=PHONE, touch=True)
    zoe.goto(link)
    expect(zoe.get_by_role("heading", level=1)).to_be_visible()
    expect(zoe.get_by_text("Merci de signer avant vendredi.")).to_be_visible()
    look(zoe, "06-sign", desktop=True)
    zoe.locator("[data-sheet='2']").first.scroll_into_view_if_needed()
    by(zoe, "sign-open").tap()
    acts.draw_with_finger(zoe)
    zoe.get_by_text("Voir sur la page").click()  # right after strokes the browser takes no touch for a tap
    expect(zoe.get_by_role("img", name="Votre signature à sa place, page 3")).to_be_visible()
    by(zoe, "consent").check()
    look(zoe, "06-sign-draw-phone")
    by(zoe, "sign-confirm").click()
    expect(by(zoe, "done")).to_be_visible(timeout=60_000)
    look(zoe, "06-done", desktop=True)
    zoe.reload()
    look(zoe, "13-everyone-signed", desktop=True)

    # Alice finds the copies
    stem = {name: name.removesuffix(".pdf") for name in (CONTRACT, PLAN, ADDED)}
    until(lambda: people.mails("alice@example.org", "Tout le monde a signé"))
    catcher.goto(f"{people.url}/demo/mail")
    catcher.get_by_role("link", name="Tout le monde a signé").first.click()
    look(catcher, "11-mail-completed", phone=True)
    alice.reload()
    acts.row(alice, CONTRACT).locator(".fm-name").click()
    done = by(alice, "flow").filter(has=alice.locator("[data-state=completed]"))
    expect(done.first).to_contain_text("Zoé Durand")
    look(alice, "01-panel-done", phone=True)
    signed: dict[str, bytes] = {}
    for name in (CONTRACT, PLAN, ADDED):
        others = f':not([data-name="{name}"]):not([data-name*="dossier de preuves"])'
        copy = alice.locator(f'[data-test=file-row][data-name^="{stem[name]}"]{others}')
        expect(copy).to_have_count(1)
        copy.click(button="right")
        with alice.expect_download() as downloading:
            by(alice, "menu-download").click()
        path = tmp_path / name
        downloading.value.save_as(path)
        assert paper.signatures(path) == ["Signature is Valid."] * 2, name
        signed[name] = path.read_bytes()
    for name, content in originals.items():
        assert people.content(name) == content
        assert signed[name].startswith(content)

    # and each stamp is where it was dropped
    before = {**originals, ADDED: extra}
    order = [CONTRACT, PLAN, ADDED]
    for (document, recipient, number, x, y), _ in spots:
        [placement] = [p for p in sent["placements"] if (p["document"], p["recipient"]) == (document, recipient)]
        box = placement["box"]
        assert placement["page"] == number
        name, width = order[document], 820
        height = paper.rendered(before[name], number, width).height
        edge = 4
        within = (
            max(0, round(box["x"] * width) - edge), max(0, round(box["y"] * height) - edge),
            round((box["x"] + box["w"]) * width) + edge, round((box["y"] + box["h"]) * height) + edge,
        )  # fmt: skip
        left, top, right, bottom = paper.added(before[name], signed[name], number, width, within)
        assert left >= box["x"] * width - 2, spots
        assert top >= box["y"] * height - 2
        assert right <= (box["x"] + box["w"]) * width + 2
        assert bottom <= (box["y"] + box["h"]) * height + 2
        assert (left + right) / 2 == pytest.approx(x * width, abs=2)
        assert (top + bottom) / 2 == pytest.approx(y * height, abs=2)

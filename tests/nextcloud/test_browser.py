"""The pages of a real Nextcloud as people use them: right-click, wizard, panel, bell, signing by desk and by phone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect, sync_playwright

from tests.nextcloud.instance import APP, Catcher, Installed, Nextcloud, User, install_words
from tests.nextcloud.visitors import Visitors, brightness, choose, entry, inkiness, row
from tests.ui import acts, paper
from tests.ui.acts import test as by
from tests.ui.conftest import CHROMIUM, SWITCHES
from tests.world import Browser, Json, pdf, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("NEXTCLOUD_PAGES") == "0", reason="NEXTCLOUD_PAGES=0: this instance's web pages do not start"
    ),
]
ZOE: Final = "zoe.durand@example.com"
ASKED: Final = "Merci de signer avant vendredi."
LAPTOP: Final = (1200, 850)
"""In a wider window the host shows our entry for several files above the list, and not in the menu."""
WIZARD: Final = "**/apps/app_api/embedded/parapheur/workflow/new?*"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        expect.set_options(timeout=60_000)  # a host's page loads a hundred files before ours
        yield browser
        expect.set_options(timeout=5_000)
        browser.close()


@pytest.fixture(scope="module", autouse=True)
def words() -> Iterator[bool]:
    """The host's translations of our entries, where they can be put. Whether they are there."""
    apps = os.environ.get("NEXTCLOUD_APPS")
    if apps is None or (Path(apps) / APP).exists():
        yield apps is not None
        return
    made = install_words(apps)
    yield True
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def visitors(chromium: Chromium, nextcloud: Nextcloud, app: Installed) -> Iterator[Visitors]:
    """Whatever a browser complains of fails the test, if it is about the product."""
    those = Visitors(chromium, nextcloud)
    yield those
    those.go_home()
    assert not those.complaints, "\n".join(those.complaints)


def ask_both_to_sign(page: Page, visitors: Visitors, bob: User) -> Json:
    """From the wizard's first step to its last: a colleague by search, somebody outside by e-mail."""
    for kind in ("type-validation", "type-signature"):
        expect(by(page, kind)).not_to_be_checked()
    expect(by(page, "next")).to_have_attribute("aria-disabled", "true")
    visitors.look(page, "03-wizard-asking")
    by(page, "type-signature").check(force=True)
    expect(by(page, "level-signature")).to_be_checked()
    by(page, "next").click()
    acts.add_person(page, bob.uid, option=bob.name)
    acts.add_person(page, ZOE, option=f"Ajouter {ZOE} (externe)")
    by(page, "first_name").fill("Zoé")
    by(page, "last_name").fill("Durand")
    by(page, "comment").fill(ASKED)
    assert acts.recipients(page) == [bob.uid, ZOE]
    expect(by(page, "recipient").first.locator(".pf-avatar")).to_have_text("BO")
    visitors.look(page, "04-wizard-recipients")
    by(page, "next").click()
    expect(by(page, "page-1").locator("img")).to_be_visible()
    acts.place(page, (0, 0, 2, 0.31, 0.63), by_drag=True)
    acts.place(page, (0, 1, 2, 0.72, 0.71), by_drag=False)
    visitors.look(page, "05-wizard-placement")
    by(page, "next").click()
    visitors.look(page, "06-wizard-recap")
    with page.expect_response(lambda answer: answer.url.endswith("/api/v1/flows")) as sending:
        by(page, "send").click()
    expect(by(page, "sent")).to_be_visible()
    visitors.look(page, "07-wizard-sent")
    return dict(sending.value.json())


def sign_from_the_bell(page: Page, visitors: Visitors, flow: Json) -> None:
    """A click on the notification leads to the page where one signs."""
    page.goto(f"{visitors.nextcloud.url}/index.php/apps/files/")
    page.get_by_role("button", name=re.compile("^Notifications")).click()
    told = page.locator(f'a[href*="/f/{flow["id"]}"]').first
    expect(page.get_by_text("asks you to sign").first).to_be_visible()
    visitors.look(page, "10-bell")
    told.click()
    page.wait_for_url(f"**/proxy/{APP}/f/{flow['id']}")
    expect(by(page, "sign-open")).to_have_text(re.compile("Sign"))
    expect(page.locator(".pf-avatar.c3")).to_have_text("BO")
    visitors.look(page, "11-sign-user")
    acts.sign_here(page, acts.draw_with_mouse)
    expect(by(page, "done")).to_contain_text("Zoé Durand")
    visitors.look(page, "12-signed-user")


def sign_outside(page: Page, visitors: Visitors, link: str) -> None:
    """On a telephone, by the link of the mail, without an account."""
    page.goto(link)
    expect(page.get_by_text(ASKED)).to_be_visible()
    visitors.look(page, "13-sign-phone")
    by(page, "sign-open").tap()
    acts.draw_with_finger(page)
    visitors.look(page, "14-draw-phone")
    by(page, "consent").check()
    by(page, "sign-confirm").click()
    expect(by(page, "done")).to_be_visible(timeout=60_000)
    width = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"{width} px wider than the telephone"
    visitors.look(page, "15-signed-phone")


def test_a_contract_is_sent_by_right_click_signed_by_two_and_lies_beside_the_original(
    nextcloud: Nextcloud,
    catcher: Catcher,
    visitors: Visitors,
    alice: User,
    bob: User,
    words: bool,
    tmp_path: Path,
) -> None:
    original = pdf(3)
    nextcloud.put(alice, "Navigateur/contrat.pdf", original)
    page = visitors.sit_down(alice)
    visitors.look(page, "01-after-login")
    visitors.open_folder(page, "Navigateur", "contrat.pdf")
    row(page, "contrat.pdf").click(button="right")
    expect(entry(page)).to_be_visible()
    if words:
        expect(entry(page)).to_contain_text("Flux de travail")
    visitors.look(page, "02-files-menu")
    entry(page).click()
    page.wait_for_url(WIZARD)
    expect(by(page, "document")).to_have_count(1)
    expect(by(page, "document")).to_contain_text("contrat.pdf")
    flow = ask_both_to_sign(page, visitors, bob)

    visitors.open_folder(page, "Navigateur", "contrat.pdf")
    panel = visitors.open_tab(page, "contrat.pdf")
    running = panel.locator("[data-test=flow][data-state=running]")
    expect(running).to_contain_text(bob.name)
    expect(running).to_contain_text("Zoé Durand")
    expect(running).to_contain_text("En cours")
    visitors.look(page, "08-panel-running")

    sign_from_the_bell(visitors.sit_down(bob), visitors, flow)
    sign_outside(visitors.sit_down(phone=True), visitors, catcher.link(flow["id"], ZOE))

    copy = "contrat (signé).pdf"
    until(lambda: copy in nextcloud.names(alice, "Navigateur"), within_s=60)
    signed = nextcloud.read(alice, f"Navigateur/{copy}")
    (tmp_path / "signed.pdf").write_bytes(signed)
    assert paper.signatures(tmp_path / "signed.pdf") == ["Signature is Valid."] * 2
    assert signed.startswith(original)
    assert nextcloud.read(alice, "Navigateur/contrat.pdf") == original

    visitors.open_folder(page, "Navigateur", "contrat.pdf", copy)
    done = visitors.open_tab(page, "contrat.pdf").locator("[data-test=flow][data-state=completed]")
    expect(done).to_contain_text("Zoé Durand")
    expect(by(page, "signed-copy")).to_be_visible()
    visitors.look(page, "16-panel-done")

    to_the_top_menu(page)
    by(page, "box-sent").click()
    sent = page.locator(f'[data-test=flow][data-id="{flow["id"]}"]')
    expect(sent).to_contain_text("contrat")
    expect(sent).to_contain_text("Terminé")
    visitors.look(page, "17-list-sent")


def to_the_top_menu(page: Page) -> None:
    """By our entry among the host's apps."""
    waffle = page.locator(".app-menu__waffle")  # from 34 on the apps are behind it
    if waffle.count():
        waffle.click()
    page.locator(f':is(.app-menu, .app-menu__popover) a[href*="/embedded/{APP}/workflow"]').first.click()
    page.wait_for_url(f"**/embedded/{APP}/workflow*")


def test_two_files_chosen_together_are_both_in_the_wizard(
    nextcloud: Nextcloud, visitors: Visitors, alice: User
) -> None:
    names = ("annexe.pdf", "plan.pdf")
    for name in names:
        nextcloud.put(alice, f"Ensemble/{name}", pdf())
    page = visitors.sit_down(alice, size=LAPTOP)
    visitors.open_folder(page, "Ensemble", *names)
    for name in names:
        choose(page, name)
    row(page, names[0]).click(button="right")
    expect(entry(page)).to_be_visible()
    visitors.look(page, "20-two-chosen")
    entry(page).click()
    page.wait_for_url(WIZARD)
    expect(by(page, "document")).to_have_count(2)
    for name in names:
        expect(page.locator(f'[data-test=document][data-name="{name}"]')).to_be_visible()
    expect(by(page, "type-signature")).to_have_attribute("aria-disabled", "false")
    visitors.look(page, "21-two-documents")


def test_a_text_among_the_files_leaves_approval_alone_and_says_why(
    nextcloud: Nextcloud, visitors: Visitors, creator: Browser, alice: User, bob: User
) -> None:
    names = ("budget.csv", "note.pdf")
    for name, data in zip(names, (b"a;b\n1;2\n", pdf()), strict=True):
        nextcloud.put(alice, f"Mixte/{name}", data)
    page = visitors.sit_down(alice, size=LAPTOP)
    visitors.open_folder(page, "Mixte", *names)
    for name in names:
        choose(page, name)
    row(page, names[0]).click(button="right")
    entry(page).click()
    page.wait_for_url(WIZARD)
    expect(by(page, "document")).to_have_count(2)
    expect(by(page, "type-signature")).to_be_attached()
    expect(by(page, "type-signature")).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".pf-choice").filter(has=by(page, "type-signature"))).to_contain_text("Réservé aux PDF")
    expect(by(page, "type-validation")).to_be_checked()
    visitors.look(page, "22-mixed")
    by(page, "next").click()
    acts.add_person(page, bob.uid, option=bob.name)
    by(page, "next").click()
    by(page, "send").click()
    expect(by(page, "sent")).to_be_visible()
    flow = creator.get(f"flows/{by(page, 'sent').get_attribute('data-flow')}").json()
    assert (flow["kind"], flow["state"]) == ("validation", "running")
    assert [document["name"] for document in flow["documents"]] == list(names)


@pytest.mark.parametrize("theme, browser_prefers", [("dark", "light"), ("light", "dark")])
def test_the_pages_wear_the_theme_that_the_user_chose_in_the_host(
    nextcloud: Nextcloud, visitors: Visitors, alice: User, theme: str, browser_prefers: str
) -> None:
    file_id = nextcloud.put(alice, f"Thèmes/{theme}.pdf", pdf())
    dark = theme == "dark"
    nextcloud.occ("user:setting", alice.uid, "theming", "enabled-themes", f'["{theme}"]')
    try:
        page = visitors.sit_down(alice, color_scheme=browser_prefers)
        page.goto(f"{nextcloud.url}/index.php/apps/app_api/embedded/{APP}/workflow/new?fileIds={file_id}")
        expect(page.get_by_role("heading", name="Que demandez-vous")).to_be_visible()
        expect(by(page, "document")).to_have_count(1)
        visitors.look(page, f"30-wizard-{theme}")
        for each in (".wz-bd", ".wz-hd h1", ".pf-choice", "[data-test=document]"):
            assert (brightness(page, each) < 0.3) == dark, each
            assert (inkiness(page, each) > 0.6) == dark, each
        page.goto(f"{nextcloud.url}/index.php/apps/app_api/embedded/{APP}/workflow")
        expect(page.get_by_role("tab", name="Envoyés")).to_be_visible()
        assert (brightness(page, "parapheur-flows h1") < 0.3) == dark
        visitors.look(page, f"31-list-{theme}")
        visitors.open_folder(page, "Thèmes", f"{theme}.pdf")
        visitors.open_tab(page, f"{theme}.pdf")
        visitors.look(page, f"32-panel-{theme}")
        assert (brightness(page, "aside [data-test=panel]") < 0.3) == dark
        assert (inkiness(page, "aside [data-test=panel]") > 0.6) == dark
    finally:
        nextcloud.occ("user:setting", alice.uid, "theming", "enabled-themes", "--delete")


def test_each_reads_the_pages_in_the_language_chosen_in_the_host(
    nextcloud: Nextcloud, visitors: Visitors, alice: User, bob: User
) -> None:
    for user, heading in ((alice, "Flux de travail"), (bob, "Workflows")):
        page = visitors.sit_down(user)
        page.goto(f"{nextcloud.url}/index.php/apps/app_api/embedded/{APP}/workflow")
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()

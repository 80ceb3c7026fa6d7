"""What an administrator allows, as people see it in the pages of a real Nextcloud; what cannot be signed at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.nextcloud.instance import APP, Installed, Nextcloud, User
from tests.nextcloud.test_browser import WIZARD, chromium, pytestmark, visitors, words
from tests.nextcloud.test_flows import ended
from tests.nextcloud.visitors import Visitors, entry, row
from tests.ui import acts
from tests.ui.acts import test as by
from tests.world import Browser, pdf

__all__ = ["chromium", "pytestmark", "visitors", "words"]

REASON = {
    "fr": "Vos groupes ne permettent pas de lancer ce type de flux.",
    "en": "Your groups may not start this type of workflow.",
}


@contextmanager
def settings(app: Installed, **set_to: str) -> Iterator[None]:
    """An administrator set these and started the app again; afterwards it is as it was."""
    app.restart(**set_to)
    try:
        yield
    finally:
        app.restart()


def wizard(page: Page, nextcloud: Nextcloud, file_id: str) -> None:
    page.goto(f"{nextcloud.url}/index.php/apps/app_api/embedded/{APP}/workflow/new?fileIds={file_id}")
    expect(by(page, "document")).to_have_count(1)


def test_a_type_that_is_not_for_ones_groups_is_shown_with_the_reason_to_administrators_too(
    app: Installed, nextcloud: Nextcloud, visitors: Visitors, run: str, alice: User, carol: User
) -> None:
    group = f"Signataires & Cie {run}"
    nextcloud.ocs("POST", "/cloud/groups", nextcloud.admin, {"groupid": group})
    nextcloud.ocs("POST", f"/cloud/users/{carol.uid}/groups", nextcloud.admin, {"groupid": group})
    name = f"Contrat {run}.pdf"
    ids = {who.uid: nextcloud.put(who, name, pdf()) for who in (alice, carol, nextcloud.admin)}
    limits = {"PARAPHEUR_COLLECTION_LIMIT_BYTES": "2000000", "PARAPHEUR_MAX_RECIPIENTS": "1"}
    try:
        with settings(app, PARAPHEUR_GROUPS_SIGNATURE=f"direction, {group}", **limits):
            for who in (alice, nextcloud.admin):
                page = visitors.sit_down(who)
                wizard(page, nextcloud, ids[who.uid])
                expect(by(page, "type-signature")).to_have_attribute("aria-disabled", "true")
                choice = page.locator(".pf-choice").filter(has=by(page, "type-signature"))
                language = page.evaluate("() => document.documentElement.lang.slice(0, 2)")
                expect(choice).to_contain_text(REASON[language])
                expect(by(page, "type-validation")).to_be_checked()
            visitors.look(page, "40-not-for-your-groups")
            member = visitors.sit_down(carol)
            wizard(member, nextcloud, ids[carol.uid])
            by(member, "type-signature").check(force=True)
            expect(by(member, "gauge")).to_have_text(re.compile("/ 2 Mo"))
            by(member, "next").click()
            for address in ("un@example.com", "deux@example.com"):
                acts.add_person(member, address, option=f"Ajouter {address} (externe)")
            expect(member.get_by_role("alert").filter(has_text="1 personne au maximum")).to_be_visible()
            assert acts.recipients(member) == ["un@example.com"]
    finally:
        nextcloud.dav(nextcloud.admin, "DELETE", name)
        nextcloud.ocs("DELETE", f"/cloud/groups/{quote(group, safe='')}", nextcloud.admin)


def test_a_folder_has_no_entry_and_a_text_is_approved_from_the_list_of_ones_flows(
    app: Installed, nextcloud: Nextcloud, visitors: Visitors, creator: Browser, alice: User, carol: User
) -> None:
    nextcloud.put(alice, "Textes/Sous-dossier/x.txt", b"x")
    nextcloud.put(alice, "Textes/note.txt", b"Bonjour.")
    page = visitors.sit_down(alice)
    visitors.open_folder(page, "Textes", "note.txt", "Sous-dossier")
    row(page, "Sous-dossier").click(button="right")
    expect(page.locator("[role=menu]:visible").get_by_role("menuitem").first).to_be_visible()
    expect(entry(page)).to_have_count(0)
    page.keyboard.press("Escape")
    row(page, "note.txt").click(button="right")
    entry(page).click()
    page.wait_for_url(WIZARD)
    expect(by(page, "type-validation")).to_be_checked()
    by(page, "next").click()
    acts.add_person(page, carol.uid, option=carol.name)
    by(page, "next").click()
    by(page, "send").click()
    expect(by(page, "sent")).to_contain_text(carol.name)
    flow = {"id": by(page, "sent").get_attribute("data-flow")}
    other = visitors.sit_down(carol)
    other.goto(f"{nextcloud.url}/index.php/apps/app_api/embedded/{APP}/workflow")
    other.locator(f'[data-test=flow][data-id="{flow["id"]}"] [data-test=act]').click()
    by(other, "approve-open").click()
    by(other, "approve-confirm").click()
    expect(by(other, "done")).to_be_visible()
    ended(creator, flow)

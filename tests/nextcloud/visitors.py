"""People in front of a real Nextcloud: Debian's Chromium, its login form, its Files page, its panel, its menus."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, expect

from tests.nextcloud.instance import APP, Nextcloud, User
from tests.ui.conftest import DESKTOP, PHONE, SHOTS

OURS = re.compile(rf"/proxy/{APP}/|{APP}_companion|{APP}-|/{APP}/")
NAME = re.compile(r"^(Flux|Workflow)\b")
_CSP_TO_CONSOLE = """addEventListener('securitypolicyviolation', e =>
  console.error('CSP', e.violatedDirective, e.blockedURI, e.sourceFile, location.pathname))"""

_AT_REST = """() => Promise.all(document.getAnimations()
  .filter(one => one.effect.getComputedTiming().endTime !== Infinity).map(one => one.finished.catch(() => 0)))"""


@dataclass
class Visitors:
    """Opens browsers for people and hears what these complain of where it is about the product."""

    browser: Browser
    nextcloud: Nextcloud
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def sit_down(
        self, user: User | None = None, *, size: tuple[int, int] = DESKTOP, phone: bool = False, **more: Any
    ) -> Page:
        """A new browser of somebody's own; ``user`` logs in as people do. Nobody at all has no session."""
        width, height = PHONE if phone else size
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=2 if phone else 1,
            has_touch=phone, is_mobile=phone, locale="en-GB" if user and user.language == "en" else "fr-FR",
            reduced_motion="reduce", **more,
        )  # fmt: skip
        context.set_default_timeout(120_000)
        context.add_init_script(_CSP_TO_CONSOLE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._hear_error(page, error))
        if user is not None:
            page.goto(f"{self.nextcloud.url}/index.php/login")
            page.locator("input[name=user]").fill(user.uid)
            page.locator("input[name=password]").fill(user.password)
            page.locator("button[type=submit]").click()
            page.wait_for_url(lambda url: "/login" not in url)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        where = f"{message.text} ({message.location.get('url', '')})"
        if message.type in ("error", "warning") and OURS.search(where):
            self.complaints.append(f"{message.type}: {where}")

    def _hear_error(self, page: Page, error: Error) -> None:
        if OURS.search(f"{error.stack} {page.url}"):
            self.complaints.append(f"page error on {page.url}: {error} {error.stack}")

    def go_home(self) -> None:
        for context in self.contexts:
            context.close()

    def look(self, page: Page, name: str) -> None:
        """A picture, where somebody wants to see them."""
        if os.environ.get("PARAPHEUR_SHOTS"):
            page.evaluate(_AT_REST)
            SHOTS.mkdir(exist_ok=True)
            page.screenshot(path=SHOTS / f"nextcloud{self.nextcloud.major}-{name}.png")

    # ---- the Files page ---------------------------------------------------------------------------------------------
    def open_folder(self, page: Page, folder: str, *names: str) -> None:
        page.goto(f"{self.nextcloud.url}/index.php/apps/files/files?dir=/{quote(folder)}")
        for name in names:
            expect(row(page, name)).to_be_visible()

    def open_tab(self, page: Page, name: str) -> Locator:
        """Details of a file, our tab. Returns: what the tab shows."""
        row(page, name).click(button="right")
        page.locator("[data-cy-files-list-row-action=details]:visible").locator("button").click()
        tab = page.locator("aside").get_by_role("tab", name=NAME)
        tab.click()
        panel = page.locator("aside [data-test=panel]")
        expect(panel).to_be_visible()
        return panel


def row(page: Page, name: str) -> Locator:
    return page.locator(f'[data-cy-files-list-row-name="{name}"]')


def choose(page: Page, name: str) -> None:
    row(page, name).locator("[data-cy-files-list-row-checkbox] input").check(force=True)


def entry(page: Page) -> Locator:
    """Ours in the menu that is open."""
    return page.locator("[role=menu]:visible").get_by_role("menuitem", name=NAME)


def brightness(page: Page, of: str) -> float:
    """From 0 for black to 1 for white: the ground on which an element's text stands."""
    script = """one => {
      for (let at = one; at; at = at.parentElement) {
        const [r, g, b, a = 1] = getComputedStyle(at).backgroundColor.match(/[\\d.]+/g).map(Number);
        if (a > 0.9) return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
      }
      return 1;
    }"""
    return float(page.locator(of).first.evaluate(script))


def inkiness(page: Page, of: str) -> float:
    """The same of the text itself."""
    script = """one => {
      const [r, g, b] = getComputedStyle(one).color.match(/[\\d.]+/g).map(Number);
      return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
    }"""
    return float(page.locator(of).first.evaluate(script))

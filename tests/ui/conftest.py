"""People in front of the product: Debian's Chromium on the whole product, which runs in this process.

With PARAPHEUR_SHOTS=1 the pictures of every screen are written to shots/.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from plugin.actions.context import Limits
from plugin.app import demo_sidecar
from plugin.demo.server import Demo, Sidecar, Wiring, build
from plugin.web.office import EXTENSION

ROOT: Final = Path(__file__).resolve().parents[2]
SHOTS: Final = ROOT / "shots"
AXE: Final = ROOT / "plugin" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
PATIENCE_MS: Final = 20_000
"""Longer than anything takes where several suites share two cores; what comes does not wait for it."""

_CSP_TO_CONSOLE: Final = (
    "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
)
_AXE_ASK: Final = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(v => v.impact === 'serious' || v.impact === 'critical')
  .map(v => `${v.id}: ${v.help}\\n    ` + v.nodes.slice(0, 5).map(n => n.html.slice(0, 160)).join('\\n    '))"""

T = TypeVar("T")


def until(what: Callable[[], T], *, within_s: float = 20.0) -> T:
    """Asks until the answer is true, and gives it."""
    end, never = time.monotonic() + within_s, threading.Event()
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, "it did not happen in time"
        never.wait(0.05)


@dataclass
class People:
    """Opens pages for people, and hears every complaint of their browsers."""

    browser: Browser
    demo: Demo
    product: Any
    """The sidecar's Flask application."""
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    foreseen: list[str] = field(default_factory=list)
    """Statuses that a test provokes on purpose: the browser reports each as a console error."""

    @property
    def url(self) -> str:
        return self.demo.public_url

    def sit_down(
        self, user: str | None = None, *, size: tuple[int, int] = DESKTOP, touch: bool = False, lang: str = "fr",
        zone: str = "Europe/Paris", **more: Any,
    ) -> Page:  # fmt: skip
        """A new browser of somebody's own; ``user`` is logged in by name."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, device_scale_factor=2 if touch else 1,
            has_touch=touch, is_mobile=touch, locale={"fr": "fr-FR", "en": "en-GB"}[lang],
            timezone_id=zone, reduced_motion="reduce", **more,
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        context.add_init_script(_CSP_TO_CONSOLE)
        self.contexts.append(context)
        if user:
            answer = context.request.post(f"{self.url}/demo/login", data={"user": user})
            assert answer.ok
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def foresee(self, *statuses: int) -> None:
        self.foreseen.extend(str(status) for status in statuses)

    def unforeseen(self) -> list[str]:
        expected = re.compile(rf"Failed to load resource: .* status of ({'|'.join(self.foreseen) or 'none'})\b")
        return [text for text in self.complaints if not expected.search(text)]

    def go_home(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    # ---- what goes on behind the pages ----
    def mails(self, to: str = "", about: str = "") -> list[dict[str, Any]]:
        return [m for m in self.demo.host.mailbox.mails() if to in m["to"] and about in m["subject"]]

    def link_for(self, to: str) -> str:
        """Waits for the newest invitation of somebody outside."""

        def newest() -> str:
            links = [link for mail in self.mails(to) for link in mail["links"] if "/s/" in link]
            return links[-1] if links else ""

        return until(newest)

    def file_id(self, path: str, user: str = "alice") -> str:
        node = self.demo.host.area.node(user, tuple(path.split("/")))
        assert node is not None, path
        return str(node.file_id)

    def content(self, path: str, user: str = "alice") -> bytes:
        opened = self.demo.host.area.open(user, tuple(path.split("/")))
        assert opened is not None, path
        with opened[1] as content:
            return bytes(content.read())

    def put(self, path: str, data: bytes, user: str = "alice") -> str:
        """Returns: the file's id."""
        with requests.Session() as session:
            session.trust_env = False
            address = f"{self.demo.host.url}/remote.php/dav/files/{user}/{requests.utils.quote(path)}"
            answer = session.put(address, data=data, auth=(user, user), timeout=30)
            assert answer.status_code in (201, 204), answer.status_code
        return self.file_id(path, user)

    @contextmanager
    def limited(self, **limits: Any) -> Iterator[None]:
        """An administrator set other limits for a while."""
        office = self.product.extensions[EXTENSION]
        changed = replace(office, ctx=replace(office.ctx, limits=Limits(**limits)))
        self.product.extensions[EXTENSION] = changed
        try:
            yield
        finally:
            self.product.extensions[EXTENSION] = office

    def launch(self, user: str = "alice", **body: Any) -> dict[str, Any]:
        """A flow that somebody launched before the test's own story begins."""
        with requests.Session() as session:
            session.trust_env = False
            assert session.post(f"{self.url}/demo/login", json={"user": user}, timeout=30).ok
            session.headers["X-CSRF-Token"] = session.get(f"{self.url}/api/v1/me", timeout=30).json()["csrf_token"]
            answer = session.post(f"{self.url}/api/v1/flows", json=body, timeout=60)
            assert answer.status_code == 201, answer.text
            return dict(answer.json())


@pytest.fixture(scope="package")
def product() -> list[Any]:
    """Filled once the product runs."""
    return []


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory, product: list[Any]) -> Iterator[Demo]:
    def kept(wiring: Wiring) -> Sidecar:
        sidecar = demo_sidecar(wiring)
        product.append(sidecar.app)
        return sidecar

    running = build(tmp_path_factory.mktemp("browser") / "data", 0, kept)
    running.start()
    until(lambda: requests.get(f"{running.public_url}/healthz", timeout=30).status_code == 200)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def playing() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def chromium(playing: Playwright) -> Iterator[Browser]:
    browser = playing.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
    yield browser
    browser.close()


@pytest.fixture
def people(chromium: Browser, demo: Demo, product: list[Any]) -> Iterator[People]:
    """Any complaint of a browser that the test did not foresee fails it."""
    those = People(chromium, demo, product[0])
    yield those
    found = those.unforeseen()
    those.go_home()
    assert not found, "\n".join(found)


Look = Callable[..., None]


@pytest.fixture
def look(people: People) -> Look:
    """Takes a picture, and has axe judge the page: here, in the dark, and at the other size where asked for."""

    def taken(page: Page, name: str, *, dark: bool = True, phone: bool = False, desktop: bool = False) -> None:
        own = page.viewport_size
        assert own is not None
        sizes = [(own["width"], own["height"])] + ([PHONE] if phone else []) + ([DESKTOP] if desktop else [])
        wrong = []
        for size in sizes:
            if size != sizes[0]:
                page.set_viewport_size({"width": size[0], "height": size[1]})
            for scheme in ("light", "dark") if dark else ("light",):
                page.emulate_media(color_scheme=scheme)
                label = f"{name}{'-phone' if size[0] < 500 else ''}{'-dark' if scheme == 'dark' else ''}"
                if os.environ.get("PARAPHEUR_SHOTS"):
                    SHOTS.mkdir(exist_ok=True)
                    page.screenshot(path=SHOTS / f"{label}.png")
                if not page.evaluate("() => typeof axe === 'object'"):
                    page.evaluate(AXE.read_text())
                wrong += [f"{label}: {each}" for each in page.evaluate(_AXE_ASK)]
                width = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
                if width > 0:
                    wrong.append(f"{label}: {width} px wider than the window")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(own)
        people.complaints += wrong

    return taken

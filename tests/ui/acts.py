"""What people do on the pages, with mouse, finger and keyboard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

Point = tuple[float, float]
Spot = tuple[int, int, int, float, float]
"""Document, recipient, page, and where on it: fractions from the left and from the top."""


def test(page: Page | Locator, name: str) -> Locator:
    """The element the product marks for tests."""
    return page.locator(f"[data-test={name}]")


test.__test__ = False  # type: ignore[attr-defined]  # pytest looks for it


def row(page: Page, name: str) -> Locator:
    return page.locator(f'[data-test=file-row][data-name="{name}"]')


def scribble(box: dict[str, float]) -> Iterator[list[Point]]:
    """Two strokes across a pad, inside its middle."""
    x, y, w, h = box["x"], box["y"], box["width"], box["height"]
    yield [(x + w * (0.2 + 0.5 * i / 24), y + h * (0.5 + 0.25 * math.sin(i / 2))) for i in range(25)]
    yield [(x + w * (0.25 + 0.45 * i / 8), y + h * (0.8 - 0.05 * i / 8)) for i in range(9)]


def draw_with_mouse(page: Page) -> None:
    box = test(page, "pad").bounding_box()
    assert box is not None
    for stroke in scribble(box):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def draw_with_finger(page: Page) -> None:
    box = test(page, "pad").bounding_box()
    assert box is not None
    for stroke in scribble(box):
        _trace(page, stroke)


def slide_finger(page: Page, start: Point, to: Point) -> None:
    _trace(page, [(start[0] + (to[0] - start[0]) * i / 8, start[1] + (to[1] - start[1]) * i / 8) for i in range(9)])


def _trace(page: Page, points: list[Point]) -> None:
    session = page.context.new_cdp_session(page)

    def touch(kind: str, touched: list[Point]) -> None:
        where = [{"x": x, "y": y, "id": 1} for x, y in touched]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    touch("touchStart", points[:1])
    for point in points[1:]:
        touch("touchMove", [point])
    touch("touchEnd", [])


def drag(page: Page, start: Locator, to: Point) -> None:
    box = start.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(to[0] - 60, to[1] - 40, steps=4)
    page.mouse.move(*to, steps=4)
    page.mouse.up()


def on_sheet(page: Page, number: int, x: float, y: float) -> Point:
    """Where a fraction of a page is on the screen, once that page is in sight there."""
    sheet = test(page, f"page-{number}")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def in_sight(page: Page, number: int, x: float, y: float) -> Point:
    """The same, scrolled until the point itself is in the middle of the desk."""
    page.locator(".pl-scroll").evaluate(
        """(desk, [number, y]) => {
          const sheet = desk.querySelector(`[data-page="${number}"]`), r = sheet.getBoundingClientRect();
          desk.scrollTop += r.top + y * r.height - (desk.getBoundingClientRect().top + desk.clientHeight / 2);
        }""",
        [number, y],
    )
    return on_sheet_now(page, number, x, y)


def on_sheet_now(page: Page, number: int, x: float, y: float) -> Point:
    box = test(page, f"page-{number}").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def place(page: Page, spot: Spot, *, by_drag: bool) -> None:
    document, recipient, number, x, y = spot
    test(page, f"place-doc-{document}").click()
    cartridge = test(page, f"place-cart-{recipient}")
    cartridge.scroll_into_view_if_needed()
    to = in_sight(page, number, x, y)
    before = page.locator("[data-test=stamp]").count()
    if by_drag:
        drag(page, cartridge, to)
    else:
        cartridge.click()
        page.mouse.click(*to)
    expect(page.locator("[data-test=stamp]")).to_have_count(before + 1)
    stamp = page.locator("[data-test=stamp].sel").bounding_box()
    assert stamp is not None
    assert stamp["x"] + stamp["width"] / 2 == pytest.approx(to[0], abs=1.5)
    assert stamp["y"] + stamp["height"] / 2 == pytest.approx(to[1], abs=1.5)


def drop_files(page: Page, target: Locator, files: list[tuple[str, str, bytes]]) -> None:
    """Drops files from the desktop onto an element."""
    transfer = page.evaluate_handle(
        """files => {
          const transfer = new DataTransfer();
          for (const [name, type, codes] of files)
            transfer.items.add(new File([new Uint8Array(codes)], name, {type}));
          return transfer;
        }""",
        [[name, kind, list(data)] for name, kind, data in files],
    )
    for event in ("dragenter", "dragover", "drop"):
        target.dispatch_event(event, {"dataTransfer": transfer})


def open_menu(page: Page, name: str) -> None:
    row(page, name).click(button="right")
    test(page, "menu-workflow").hover()
    expect(test(page, "type-signature")).to_be_visible()


def add_person(page: Page, typed: str, *, option: str) -> None:
    test(page, "recipient-input").press_sequentially(typed)
    page.get_by_role("option", name=option).click()


def recipients(page: Page) -> list[str]:
    return [str(each) for each in test(page, "recipient").evaluate_all("all => all.map(one => one.dataset.key)")]


def sign_here(page: Page, draw: Any) -> None:
    """Draws, consents, signs; ends on the screen that says so."""
    test(page, "sign-open").click()
    draw(page)
    test(page, "consent").check()
    test(page, "sign-confirm").click()
    expect(test(page, "done")).to_be_visible(timeout=60_000)


def drag_to_top(page: Page, index: int) -> None:
    """Drags a recipient by the handle, with the mouse, above the first."""
    rows = test(page, "recipient")
    grip = rows.nth(index).locator(".grip").bounding_box()
    top = rows.nth(0).bounding_box()
    assert grip is not None
    assert top is not None
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(grip["x"] + 10, top["y"] + top["height"] / 2, steps=6)
    page.mouse.move(grip["x"] + 10, top["y"] + 6, steps=4)
    page.mouse.up()

"""Drawing and typing a signature: what is shown, what is sent, what stands in the signed copy."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Page, Request, expect

from tests.pdfops import oracles
from tests.ui import acts
from tests.ui.acts import test as by
from tests.ui.conftest import PHONE, Look, People
from tests.ui.test_deciding import outside, signature

pytestmark = pytest.mark.browser

INK = (18, 38, 79)


def shape(picture: Image.Image) -> Image.Image:
    """The ink of a picture, trimmed, at one size: 255 where there is some."""
    x, y, w, h = oracles.mark(picture, INK) or (0.0, 0.0, 0.0, 0.0)
    width, height = picture.size
    box = (round(x * width), round(y * height), round((x + w) * width), round((y + h) * height))
    small = picture.convert("L").crop(box).resize((300, 150), Image.Resampling.BOX)
    return small.point([255] * 225 + [0] * 31)


def likeness(one: Image.Image, other: Image.Image) -> float:
    """How much of the ink of each lies where the other has some, or within two hundredths of it; the lesser."""
    shapes = [shape(each) for each in (one, other)]
    near = [each.filter(ImageFilter.MaxFilter(7)) for each in shapes]
    shares = []
    for mine, theirs in ((shapes[0], near[1]), (shapes[1], near[0])):
        pairs = [b for a, b in zip(mine.tobytes(), theirs.tobytes(), strict=True) if a]
        shares.append(sum(1 for b in pairs if b) / max(1, len(pairs)))
    return min(shares)


def signed_copy(people: People, flow_id: str) -> bytes:
    alice = people.sit_down("alice")
    flow = alice.request.get(f"{people.url}/api/v1/flows/{flow_id}").json()
    return people.content(flow["documents"][0]["signed"]["path"].lstrip("/"))


def stamped_part(data: bytes, box: tuple[float, float, float, float]) -> Image.Image:
    page = oracles.poppler_page(data, 1, dpi=400)
    x, y, w, h = box
    width, height = page.size
    return page.crop((round(x * width), round(y * height), round((x + w) * width), round((y + h) * height)))


def sent_with(page: Page) -> dict[str, Any]:
    """Consents and signs. Returns: the signature as it went over the wire."""
    by(page, "consent").check()
    with page.expect_request(re.compile("/sign$")) as sending:
        by(page, "sign-confirm").click()
    expect(by(page, "done")).to_be_visible(timeout=60_000)
    request: Request = sending.value
    return dict((request.post_data_json or {})["signature"])


def shown(page: Page, selector: str) -> Image.Image:
    """A picture the page made itself, on white."""
    address = page.locator(selector).first.get_attribute("src") or ""
    picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def test_what_was_drawn_is_sent_as_strokes_and_looks_the_same_in_the_pdf(people: People) -> None:
    flow_id = signature(people, outside("olga", "en"))
    olga = people.sit_down(lang="en")
    olga.goto(people.link_for("olga@example.com"))
    by(olga, "sign-open").click()
    acts.draw_with_mouse(olga)
    drawn = shown(olga, ".pf-inked img")
    sent = sent_with(olga)
    assert set(sent) == {"kind", "strokes"}
    assert len(sent["strokes"]) == 2
    assert all(1.8 <= width <= 5.6 for stroke in sent["strokes"] for _, _, width in stroke)
    part = stamped_part(signed_copy(people, flow_id), (0.1, 0.7, 0.134, 0.08))
    assert likeness(drawn, part) > 0.95
    assert likeness(drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT), part) < 0.8


def test_a_name_is_typed_with_the_keyboard_alone(people: People, look: Look) -> None:
    """The equal of drawing for who cannot draw; its font is loaded only now."""
    flow_id = signature(people, outside("piotr"))
    piotr = people.sit_down()
    fonts: list[str] = []
    piotr.on("request", lambda request: fonts.append(request.url) if "woff2" in request.url else None)
    piotr.goto(people.link_for("piotr@example.com"))
    by(piotr, "sign-open").click()
    by(piotr, "tab-draw").focus()
    assert fonts == []
    piotr.keyboard.press("ArrowLeft")
    expect(by(piotr, "tab-type")).to_be_focused()
    name = by(piotr, "type-name")
    expect(name).to_have_value("Piotr Durand")
    expect(piotr.get_by_alt_text("Votre signature, d’après votre nom")).to_be_visible()
    assert [address.split("?")[0].rpartition("/")[2] for address in fonts] == ["hand.woff2"]
    name.fill("")
    expect(piotr.get_by_text("Saisissez d’abord votre nom.")).to_be_visible()
    name.fill("  Piotr  Łukasz ")
    expect(piotr.get_by_alt_text("Votre signature, d’après votre nom")).to_be_visible()
    look(piotr, "06-sign-type", phone=True)
    typed = shown(piotr, ".pf-pad.img img")
    assert sent_with(piotr) == {"kind": "typed", "text": "Piotr Łukasz"}
    data = signed_copy(people, flow_id)
    document = pdfium.PdfDocument(data)
    pdfium.raw.FPDFPage_Flatten(document[0], 0)
    assert "Piotr Łukasz" in document[0].get_textpage().get_text_bounded()
    assert likeness(typed, stamped_part(data, (0.1, 0.7, 0.134, 0.08))) > 0.95


def test_what_is_signed_with_is_what_stands_in_the_field_though_its_picture_is_not_there_yet(people: People) -> None:
    signature(people, outside("romane"))
    romane = people.sit_down()
    romane.goto(people.link_for("romane@example.com"))
    by(romane, "sign-open").click()
    by(romane, "tab-type").click()
    expect(romane.get_by_alt_text("Votre signature, d’après votre nom")).to_be_visible()
    romane.evaluate("() => { document.fonts.load = () => new Promise((done) => { window.loaded = done; }); }")
    by(romane, "type-name").fill("Romane Martin")
    by(romane, "consent").check()
    by(romane, "sign-confirm").click()
    with romane.expect_request(re.compile("/sign$")) as sending:
        romane.evaluate("() => window.loaded([])")
    request: Request = sending.value
    assert (request.post_data_json or {})["signature"] == {"kind": "typed", "text": "Romane Martin"}
    expect(by(romane, "done")).to_be_visible(timeout=60_000)


def test_a_letter_that_no_font_has_is_refused_and_can_be_changed(people: People) -> None:
    signature(people, outside("quentin"))
    people.foresee(422)
    quentin = people.sit_down(size=PHONE, touch=True)
    quentin.goto(people.link_for("quentin@example.com"))
    by(quentin, "sign-open").click()
    by(quentin, "tab-type").click()
    by(quentin, "type-name").fill("Quentin 😀")
    by(quentin, "consent").check()
    by(quentin, "sign-confirm").click()
    expect(quentin.get_by_role("alert").filter(has_text="😀")).to_be_visible()
    by(quentin, "type-name").fill("Quentin Жуков")
    by(quentin, "sign-confirm").click()
    expect(by(quentin, "done")).to_be_visible(timeout=60_000)

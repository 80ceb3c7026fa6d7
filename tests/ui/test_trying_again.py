"""A platform that does not take a decision at the moment: nothing on the page is lost, it tries again by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.ui import acts
from tests.ui.acts import test as by
from tests.ui.conftest import Look, People
from tests.ui.test_deciding import outside, signature, validation

pytestmark = pytest.mark.browser


def out(status: int, sent: list[Any], **answer: Any) -> Callable[[Route], None]:
    def refuse(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(status=status, **answer)

    return refuse


def about_to_sign(people: People, who: str, lang: str) -> Page:
    signature(people, outside(who, lang))
    page = people.sit_down(lang=lang)
    page.goto(people.link_for(f"{who}@example.com"))
    by(page, "sign-open").click()
    acts.draw_with_mouse(page)
    by(page, "consent").check()
    return page


def test_a_signature_that_was_not_taken_is_sent_again_by_itself(people: People, look: Look) -> None:
    people.foresee(503)
    page, sent = about_to_sign(people, "yann", "fr"), list[Any]()
    slow = {"title": "La plateforme est très lente en ce moment.", "status": 503, "code": "host-slow"}
    page.route("**/sign", out(503, sent, json=slow, headers={"Retry-After": "1"}))
    by(page, "sign-confirm").click()
    expect(page.get_by_role("alert").filter(has_text="très lente")).to_contain_text("Votre tracé est conservé.")
    expect(by(page, "again")).to_contain_text(re.compile("Nouvel essai dans [1-5] seconde"))
    look(page, "13-trying-again", phone=True)
    page.unroute("**/sign")
    expect(by(page, "done")).to_be_visible(timeout=60_000)
    assert len(sent) == 1


def test_a_platform_in_maintenance_answers_in_our_stead_and_the_page_understands(people: People) -> None:
    people.foresee(503)
    page, sent = about_to_sign(people, "zita", "en"), list[Any]()
    says = {"X-Nextcloud-Maintenance-Mode": "1", "Retry-After": "120", "Content-Type": "text/html"}
    page.route("**/sign", out(503, sent, body="<html>Maintenance</html>", headers=says))
    by(page, "sign-confirm").click()
    expect(page.get_by_role("alert").filter(has_text="The platform is in maintenance.")).to_be_visible()
    expect(by(page, "again")).to_contain_text(re.compile("Retrying in 1[12][0-9] seconds"))
    by(page, "retry-now").click()
    expect(by(page, "again")).to_be_visible()
    assert len(sent) == 2
    assert sent[0] == sent[1]
    page.unroute("**/sign")
    by(page, "retry-now").click()
    expect(by(page, "done")).to_be_visible(timeout=60_000)


def test_what_was_changed_meanwhile_is_not_sent_by_itself(people: People) -> None:
    people.foresee(503)
    page, sent = about_to_sign(people, "nina", "en"), list[Any]()
    down = {"title": "The platform is not responding.", "status": 503, "code": "host-unavailable"}
    page.route("**/sign", out(503, sent, json=down, headers={"Retry-After": "1"}))
    by(page, "sign-confirm").click()
    expect(by(page, "again")).to_be_visible()
    by(page, "consent").uncheck()
    expect(by(page, "again")).to_have_count(0)
    page.wait_for_timeout(6_000)
    assert len(sent) == 1


def test_a_reason_that_was_not_taken_is_kept_and_sent_again(people: People) -> None:
    people.foresee(502)
    validation(people, ["Photo du site.jpg"], outside("hugo", "en"))
    page, sent = people.sit_down(lang="en"), list[Any]()
    page.goto(people.link_for("hugo@example.com"))
    by(page, "refuse-open").click()
    by(page, "refuse-reason").fill("The wrong site.")
    page.route("**/refuse", out(502, sent, body="<html>Bad gateway</html>"))
    by(page, "refuse-confirm").click()
    expect(page.get_by_role("alert").filter(has_text="Your decision was not saved.")).to_be_visible()
    expect(by(page, "refuse-reason")).to_have_value("The wrong site.")
    page.unroute("**/refuse")
    expect(by(page, "done")).to_be_visible(timeout=30_000)

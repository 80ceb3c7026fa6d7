"""Pictures of pages are drawn once and kept for a while."""

from __future__ import annotations

import time

from plugin.recent import Recent
from tests.pdfops import samples
from tests.world import Browser, World


def test_the_least_recently_used_go_first_and_nothing_takes_more_than_half() -> None:
    recent = Recent(limit_bytes=100)
    for key in ("a", "b"):
        recent.put(key, key.encode() * 40)
    assert recent.get("a") == b"a" * 40
    recent.put("c", b"c" * 40)
    recent.put("huge", b"h" * 51)
    assert [recent.get(key) is not None for key in ("a", "b", "c", "huge")] == [True, False, True, False]


def test_the_next_reader_of_a_page_has_it_at_once(world: World, alice: Browser) -> None:
    file_id = world.put(f"{world.folder()}/Plan.pdf", samples.sized_pdf(5_000_000))
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    pictures, times = [], []
    for who in (alice, alice, world.login("bob")):
        begun = time.perf_counter()
        answer = who.get(f"flows/{flow_id}/documents/0/pages/1")
        times.append(time.perf_counter() - begun)
        assert answer.status_code == 200
        pictures.append(answer.content)
    assert pictures[0] == pictures[1] == pictures[2]
    assert min(times[1:]) < times[0]
    assert world.nobody().get(f"flows/{flow_id}/documents/0/pages/1").status_code == 401


def test_a_page_can_be_heard(world: World, alice: Browser) -> None:
    paper = samples.simple_pdf(2, text="Article premier")
    file_id = world.put(f"{world.folder()}/Bail.pdf", paper)
    flow_id = world.signature(alice, [file_id], [{"email": "ada@example.com"}])["id"]
    ada = world.link(flow_id, "ada@")
    answer = ada.get("documents/0/pages/2?as=text")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "Article premier" in answer.text
    assert "private" in answer.headers["Cache-Control"]
    again = ada.get("documents/0/pages/2?as=text", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert ada.get("documents/0/pages/3?as=text").status_code == 404
    assert alice.get(f"flows/{flow_id}/documents/0/pages/2?as=text").text == answer.text

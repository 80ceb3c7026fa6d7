"""Pictures of pages are drawn once and kept for a while."""

from __future__ import annotations

import time

import pytest

from plugin.web.pictures import Pictures
from tests.pdfops import samples
from tests.world import Browser, World


def test_each_is_drawn_once_and_the_least_recently_used_go_first() -> None:
    drawn: list[str] = []

    def drawing(tag: str, size: int) -> bytes:
        drawn.append(tag)
        return bytes(size)

    pictures = Pictures(limit_bytes=100)
    for tag in ("a", "b", "a", "c", "a", "b", "huge", "huge", "c"):
        size = 200 if tag == "huge" else 40
        assert len(pictures.get(tag, lambda tag=tag, size=size: drawing(tag, size))) == size  # type: ignore[misc]
    assert drawn == ["a", "b", "c", "b", "huge", "huge", "c"]
    with pytest.raises(ValueError, match="cannot"):
        pictures.get("d", lambda: (_ for _ in ()).throw(ValueError("cannot")))


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

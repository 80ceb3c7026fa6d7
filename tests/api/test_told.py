"""What people hear of a deadline, in their language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plugin.actions.context import Habits
from plugin.web.orders import order_of
from plugin.web.schemas_asked import LaunchRequest
from tests.world import Browser, World, pdf


def test_a_new_deadline_is_told_to_whoever_is_asked_in_his_language(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    people = [
        {"email": "en@example.com", "language": "en", "step": 1},
        {"email": "fr@example.com", "language": "fr", "step": 1},
        {"email": "later@example.com", "language": "en", "step": 2},
    ]
    flow_id = world.validation(carol, [file_id], people, expires_at="2027-03-01")["id"]
    world.settled(flow_id)
    answer = carol.post(f"flows/{flow_id}/extend", {"expires_at": "2027-06-01"})
    assert answer.status_code == 200, answer.text
    world.settled(flow_id)
    english, french = world.mail(flow_id, "extended", "en@"), world.mail(flow_id, "extended", "fr@")
    assert english["subject"] == "New deadline: Bail"
    assert "waits for your approval until" in english["text"]
    assert "2027" in english["text"]
    assert french["subject"] == "Nouvelle échéance : Bail"
    assert "/s/" in "".join(french["links"])
    assert len(world.mails(flow_id, "extended")) == 2, "nobody whose turn has not come"


@pytest.mark.parametrize(
    ("zone", "now", "ends"),
    [
        ("Europe/Paris", datetime(2026, 3, 9, 23, 30, tzinfo=UTC), "2026-03-20T22:59:59+00:00"),
        ("America/New_York", datetime(2026, 3, 10, 2, 0, tzinfo=UTC), "2026-03-20T03:59:59+00:00"),
        ("UTC", datetime(2026, 3, 9, 23, 30, tzinfo=UTC), "2026-03-19T23:59:59+00:00"),
    ],
)
def test_the_usual_deadline_is_counted_in_the_senders_days(zone: str, now: datetime, ends: str) -> None:
    body = {"kind": "validation", "documents": [{"file_id": "1"}], "recipients": [{"email": "a@example.com"}]}
    order = order_of(LaunchRequest.model_validate(body), "carol", zone, Habits(expiry_days=10), now, "d", None)
    assert order.expires_at is not None
    assert order.expires_at.isoformat() == ends

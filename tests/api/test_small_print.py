"""What a hostile reader found at the edges, one sentence each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plugin.actions.names import evidence_name, signed_name
from plugin.flow.errors import Invalid
from plugin.i18n import known
from plugin.web.orders import steps_of
from plugin.web.schemas_asked import RecipientIn, StepIn
from plugin.web.times import deadline
from tests.world import Browser, World, pdf, stamps


# ---- observers ----
def test_an_observer_reads_nothing_of_a_flow_before_its_end_on_whatever_way(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    people = [{"user": "alice"}, {"email": "late@example.com", "last_name": "Quintard"}]
    people += [{"user": "bob", "role": "observer"}]
    more: Any = {"placements": stamps(1, [0, 1]), "title": "Secret Lefèvre", "comment": "Confidentiel."}
    flow_id = world.signature(carol, [file_id], people, copy_emails=["copie@example.com"], **more)["id"]
    world.settled(flow_id)
    bob = world.recipient("bob", flow_id)
    assert (bob.get(f"/api/v1/flows/{flow_id}").status_code, bob.get("documents/0").status_code) == (409, 409)
    read, page = bob.flow(), bob.get(f"/f/{flow_id}").text
    assert (read["title"], read["comment"], read["steps"], read["documents"]) == ("", None, [], [])
    for secret in ("Secret", "Confidentiel", "Quintard"):
        assert secret not in page
    assert "You will get copies" in page
    assert carol.post(f"flows/{flow_id}/cancel", {"reason": "Fin."}).status_code == 200
    assert "Secret" not in bob.get(f"/f/{flow_id}").text
    assert bob.get(f"/api/v1/flows/{flow_id}").status_code == 409


def test_an_observer_of_a_completed_flow_reads_it_on_every_way(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    people = [{"user": "alice"}, {"user": "bob", "role": "observer"}]
    flow_id = world.signature(carol, [file_id], people, placements=stamps(1, [0]), title="Bail Lefèvre")["id"]
    world.settled(flow_id)
    assert world.recipient("alice", flow_id).sign().json()["state"] == "completed"
    bob = world.recipient("bob", flow_id)
    assert bob.flow()["title"] == bob.get(f"/api/v1/flows/{flow_id}").json()["title"] == "Bail Lefèvre"
    assert "Bail Lefèvre" in bob.get(f"/f/{flow_id}").text


# ---- handed over ----
def test_the_creator_reads_why_somebody_handed_over(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    flow_id = world.validation(carol, [file_id], [{"email": "ext@example.com"}], allow_delegation=True)["id"]
    link = world.link(flow_id, "ext@")
    body = {"email": "neu@example.com", "comment": "Je suis en congé jusqu’au 3."}
    assert link.act("delegate", body).status_code == 200
    mail = world.mail(flow_id, "delegated", "carol@")
    assert "Je suis en congé jusqu’au 3." in mail["text"]
    first = carol.get(f"flows/{flow_id}").json()["steps"][0]["recipients"][0]
    assert (first["state"], first["comment"]) == ("replaced", "Je suis en congé jusqu’au 3.")
    world.settled(flow_id)
    assert "congé" not in world.link(flow_id, "neu@").get("flow.json").text, "it is for the creator"


# ---- steps ----
def _asked(count: int, **more: Any) -> list[RecipientIn]:
    return [RecipientIn(email=f"r{n}@example.com", **more) for n in range(count)]


def test_a_rule_for_the_step_of_the_creator_who_comes_first_is_not_dropped() -> None:
    too_many = StepIn.model_validate({"step": 0, "rule": {"n": 2}})
    creator, *others = steps_of(_asked(2), [too_many], adds_me=True)
    assert (creator.rule, creator.n, creator.path) == ("n", 2, "steps[0].rule"), "the core refuses it by that path"
    assert [step.rule for step in others] == ["all", "all"]
    everybody = StepIn.model_validate({"step": 0, "rule": "any"})
    creator, together = steps_of(_asked(2, step=0), [everybody], adds_me=True)
    assert (creator.rule, together.rule) == ("all", "any"), "where others are in step 0 it is theirs"


def test_more_than_the_creator_alone_cannot_be_asked_for_in_his_step(world: World, carol: Browser) -> None:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    body = {
        "kind": "validation",
        "documents": [{"file_id": file_id}],
        "recipients": [{"user": "bob"}],
        "add_me": True,
        "steps": [{"step": 0, "rule": {"n": 2}}],
    }
    answer = carol.post("flows", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (
        422,
        "more-than-there-are",
        "steps[0].rule",
    )


# ---- times ----
@pytest.mark.parametrize(
    "sent",
    [
        "2026-W05-1",
        "2026-W05",
        "20260131",
        "2026-031",
        "20260131T18",
        "2026-01-31T18",
        "2026-01-31T18:00+01:00",
        "2026-01-31T18:00:00",
        "2026-01-31T18:00:00+01",
        "2026-01-31T180000+0100",
        "2026-01-31x18:00:00Z",
        "٢٠٢٦-٠١-٣١",
        "2026-02-30",
    ],
)
def test_a_deadline_is_a_day_or_an_instant_and_nothing_else(sent: str) -> None:
    with pytest.raises(Invalid, match="bad-time"):
        deadline("expires_at", sent, "Europe/Paris")


@pytest.mark.parametrize("sent", ["2026-01-31T18:00:00+01:00", "2026-01-31t17:00:00z", "2026-01-31T17:00:00.000Z"])
def test_what_rfc_3339_allows_is_taken(sent: str) -> None:
    assert deadline("expires_at", sent, "Europe/Paris") == datetime(2026, 1, 31, 17, tzinfo=UTC)


# ---- languages ----
def test_a_language_is_its_whole_primary_subtag(world: World, carol: Browser) -> None:
    assert [known(tag) for tag in ("fr", "fr-CA", "fr_FR", "FR", "frp", "fro", "eng", "")] == [
        *["fr"] * 4,
        *[None] * 4,
    ]
    assert signed_name("Bail.pdf", "frp") == "Bail (signed).pdf"
    assert evidence_name("Bail", "fr-CA") == "Bail (dossier de preuves).pdf"
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    people = [{"email": "a@example.com", "language": "fil"}, {"email": "b@example.com", "language": "fr_CA"}]
    flow = world.validation(carol, [file_id], people)
    assert [s["recipients"][0]["language"] for s in flow["steps"]] == ["fil", "fr"]

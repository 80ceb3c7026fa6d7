"""Drafts and templates: whose they are, who reads them, what may stand in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from plugin.actions.keep import MAX_KEPT
from plugin.ports_shelf import KeptKind
from tests.world import Browser, Json, World, pdf, stamps

BODY: Json = {
    "kind": "signature",
    "recipients": [{"user": "bob", "role": "validator"}, {"email": "not yet comp", "step": 3}],
    "placements": stamps(2, [1]),
    "steps": [{"step": 3, "rule": {"n": 1}}],
    "comment": "Merci de signer.",
    "remind_every": 3,
    "save": {"mode": "folder", "folder": "Signés"},
}


def told(answer: requests.Response) -> tuple[int, str, str | None]:
    assert answer.json()["title"]
    return answer.status_code, answer.json()["code"], answer.json().get("path")


@pytest.fixture(params=["drafts", "templates"])
def what(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def group(world: World) -> Iterator[str]:
    """Bob and Carol are in it, Alice is not."""
    people = world.office.ctx.directory

    class Grouped:
        def __getattr__(self, name: str) -> Any:
            return getattr(people, name)

        def person(self, uid: str) -> Any:
            found = people.person(uid)
            return replace(found, groups=(*found.groups, "paie")) if uid in ("bob", "carol") else found

    with world.handed(directory=Grouped()):
        yield "paie"


def test_what_was_kept_is_read_as_it_was_sent_and_changed_and_thrown_away(carol: Browser, what: str) -> None:
    made = carol.post(what, {"name": "Contrat de  travail", "body": BODY})
    assert made.status_code == 201
    path = f"{what}/{made.json()['id']}"
    assert made.headers["Location"] == f"/api/v1/{path}"
    assert (made.json()["name"], made.json()["body"]) == ("Contrat de travail", BODY)
    assert carol.get(path).json() == made.json()
    summaries = carol.get(what).json()[what]
    assert [one["name"] for one in summaries if one["id"] == made.json()["id"]] == ["Contrat de travail"]
    assert all("body" not in one for one in summaries)
    other = carol.send("PUT", path, json={"name": "Bail", "body": {"kind": "validation"}})
    assert (other.status_code, other.json()["name"], other.json()["body"]) == (200, "Bail", {"kind": "validation"})
    assert other.json()["updated_at"] >= made.json()["updated_at"]
    assert other.json()["created_at"] == made.json()["created_at"]
    assert carol.send("DELETE", path).status_code == 204
    assert told(carol.get(path)) == (404, "not-found", None)
    assert told(carol.send("DELETE", path)) == (404, "not-found", None)
    assert told(carol.send("PUT", path, json={"name": "Bail", "body": {}})) == (404, "not-found", None)


def test_what_is_somebody_elses_is_not_there(carol: Browser, bob: Browser, alice: Browser, what: str) -> None:
    path = f"{what}/{carol.post(what, {'name': 'Privé', 'body': BODY}).json()['id']}"
    unknown = f"{what}/01890000-0000-4000-8000-000000000000"
    for who in (bob, alice):
        assert who.get(path).content == who.get(unknown).content
        assert told(who.get(path)) == (404, "not-found", None)
        assert told(who.send("PUT", path, json={"name": "x", "body": {}})) == (404, "not-found", None)
        assert told(who.send("DELETE", path)) == (404, "not-found", None)
        assert path.rpartition("/")[2] not in who.get(what).text
    assert carol.get(path).status_code == 200


def test_a_draft_is_no_template(carol: Browser) -> None:
    made = carol.post("drafts", {"body": {"documents": [{"file_id": "7"}]}}).json()
    assert (made["name"], made["body"]) == ("", {"documents": [{"file_id": "7"}]})
    assert told(carol.get(f"templates/{made['id']}")) == (404, "not-found", None)


def test_a_group_reads_what_is_shared_with_it_and_changes_nothing(
    world: World, carol: Browser, bob: Browser, alice: Browser, group: str
) -> None:
    made = carol.post("templates", {"name": "Paie", "group": group, "body": BODY}).json()
    path = f"templates/{made['id']}"
    assert (made["group"], made["mine"]) == (group, True)
    read = bob.get(path)
    assert (read.status_code, read.json()["mine"], read.json()["body"]) == (200, False, BODY)
    assert made["id"] in [one["id"] for one in bob.get("templates").json()["templates"]]
    assert told(bob.send("PUT", path, json={"name": "x", "body": {}})) == (404, "not-found", None)
    assert told(bob.send("DELETE", path)) == (404, "not-found", None)
    assert told(alice.get(path)) == (404, "not-found", None)
    assert told(alice.post("templates", {"name": "x", "group": group, "body": {}})) == (422, "no-such-group", "group")
    assert carol.send("PUT", path, json={"name": "Paie", "body": BODY}).json()["group"] is None
    assert told(bob.get(path)) == (404, "not-found", None)


@pytest.mark.parametrize(
    "sent, status, code, path",
    [
        ({}, 422, "field-missing", "name"),
        ({"name": "x"}, 422, "field-missing", "body"),
        ({"name": "", "body": {}}, 422, "invalid", "name"),
        ({"name": "\u202e \u200b", "body": {}}, 422, "field-missing", "name"),
        ({"name": "x" * 201, "body": {}}, 422, "invalid", "name"),
        ({"name": "x", "body": []}, 422, "invalid", "body"),
        ({"name": "x", "body": {"documents": []}}, 422, "unknown-field", "body.documents"),
        ({"name": "x", "body": {"surprise": 1}}, 422, "unknown-field", "body.surprise"),
        (
            {"name": "x", "body": {"recipients": [{"is_admin": True}]}},
            422,
            "unknown-field",
            "body.recipients[0].is_admin",
        ),
        ({"name": "x", "body": {"recipients": [{}] * 201}}, 422, "invalid", "body.recipients"),
        ({"name": "x", "body": {"comment": "x" * 4001}}, 422, "invalid", "body.comment"),
        ({"name": "x", "body": {"remind_every": 10**30}}, 422, "invalid", "body.remind_every"),
        ({"name": "x", "body": {"placements": [{"page": 0}]}}, 422, "field-missing", "body.placements[0].document"),
        ({"name": "x", "group": "nobody", "body": {}}, 422, "no-such-group", "group"),
        ({"name": "x", "body": {"recipients": [{"comment": "é" * 4000}] * 100}}, 413, "too-large", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_template_that_cannot_be_is_refused(
    carol: Browser, sent: Json, status: int, code: str, path: str | None
) -> None:
    before = carol.get("templates").json()
    assert told(carol.post("templates", sent)) == (status, code, path)
    assert carol.get("templates").json() == before


def test_nobody_fills_the_shelf(world: World, carol: Browser, what: str) -> None:
    shelf = world.office.shelf
    kept_id = carol.post(what, {"name": "Un", "body": {}}).json()["id"]
    one = shelf.one(KeptKind(what[:-1]), kept_id)
    more = [f"more {n}" for n in range(MAX_KEPT - shelf.count(one.kind, one.owner) - 1)]
    for name in more:
        shelf.put(replace(one, id=name, name=name))
    assert carol.post(what, {"name": "Dernier", "body": {}}).status_code == 201
    refused = carol.post(what, {"name": "De trop", "body": {}})
    assert (told(refused), refused.json()["limit"]) == ((409, "too-many-kept", None), MAX_KEPT)
    assert carol.send("PUT", f"{what}/{kept_id}", json={"name": "Deux", "body": {}}).status_code == 200
    for name in more:
        shelf.remove(one.kind, name)


def test_a_later_bearer_of_the_login_finds_an_empty_shelf(world: World, carol: Browser, what: str) -> None:
    kept = carol.post(what, {"name": "Avant", "body": {}}).json()["id"]

    class Others:
        def id(self, uid: str, *, fresh: bool = False) -> str:
            return f"another {uid}"

    with world.handed(accounts=Others()):
        assert carol.get(what).json()[what] == []
        assert told(carol.get(f"{what}/{kept}")) == (404, "not-found", None)
    assert carol.get(f"{what}/{kept}").status_code == 200


def test_a_template_becomes_a_launch_with_documents(world: World, carol: Browser) -> None:
    body = {
        "kind": "signature",
        "recipients": [{"email": "modele@example.com", "last_name": "Modèle"}],
        "placements": stamps(1, [0]),
        "allow_delegation": True,
    }
    kept = carol.post("templates", {"name": "Bail", "body": body}).json()
    read = carol.get(f"templates/{kept['id']}").json()["body"]
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    flow = world.launch(carol, {**read, "documents": [{"file_id": file_id}]})
    assert (flow["allow_delegation"], len(flow["placements"])) == (True, 1)

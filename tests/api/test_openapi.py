"""The description of the interface is valid, whole, and true."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.world import Browser, Json, World, pdf

CONTRACT = {
    "GET /api/v1/me",
    "GET /api/v1/types",
    "POST /api/v1/documents/inspect",
    "GET /api/v1/documents/{file_id}/pages/{page}",
    "GET /api/v1/documents/{file_id}/pages/{page}.png",
    "POST /api/v1/documents/beside/{file_id}",
    "POST /api/v1/documents",
    "GET /api/v1/recipients",
    "POST /api/v1/flows",
    "GET /api/v1/flows",
    "GET /api/v1/flows/{flow_id}",
    "GET /api/v1/flows/{flow_id}/documents/{n}",
    "GET /api/v1/flows/{flow_id}/evidence",
    "POST /api/v1/flows/{flow_id}/view",
    "POST /api/v1/flows/{flow_id}/approve",
    "POST /api/v1/flows/{flow_id}/refuse",
    "POST /api/v1/flows/{flow_id}/sign",
    "POST /api/v1/flows/{flow_id}/remind",
    "POST /api/v1/flows/{flow_id}/cancel",
    "POST /api/v1/flows/{flow_id}/extend",
    "POST /api/v1/flows/{flow_id}/resume",
    "POST /api/v1/flows/{flow_id}/delegate",
    "PUT /api/v1/flows/{flow_id}/recipients/{rid}",
    "POST /api/v1/flows/{flow_id}/recipients/{rid}/link",
    "POST /api/v1/flows/{flow_id}/recipients/{rid}/erase",
    "GET /api/v1/files/{file_id}/flows",
    *(
        f"{verb} /api/v1/{what}{one}"
        for what in ("drafts", "templates")
        for verb, one in (("GET", ""), ("POST", ""), *((verb, "/{kept_id}") for verb in ("GET", "PUT", "DELETE")))
    ),
    "GET /s/{token}/flow.json",
    "GET /s/{token}/documents/{n}",
    "GET /s/{token}/documents/{n}/pages/{page}",
    "POST /s/{token}/view",
    "POST /s/{token}/approve",
    "POST /s/{token}/refuse",
    "POST /s/{token}/sign",
    "POST /s/{token}/delegate",
}


def test_two_who_ask_for_it_at_once_get_the_same_and_all_of_it(world: World, description: Json) -> None:
    from plugin.web.openapi import spec  # the one of this process

    del spec._spec
    spec.models.clear()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: world.nobody().get("/openapi.json"), range(4)))
    assert [answer.json() for answer in answers] == [description] * 4


@pytest.fixture(scope="module")
def description(world: World) -> Json:
    answer = world.nobody().get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return dict(answer.json())


def test_it_is_valid_openapi_3_1(description: Json) -> None:
    assert description["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(description).validate()


def test_it_lists_every_path_of_the_contract(description: Json) -> None:
    listed = {f"{method.upper()} {path}" for path, methods in description["paths"].items() for method in methods}
    assert CONTRACT - listed == set()
    assert all(not re.search(r"\{(?:int|any|path)", path) for path in description["paths"])


def test_every_reference_in_it_leads_somewhere(description: Json) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for member in value.values() for ref in references(member)]
        return [ref for member in value for ref in references(member)] if isinstance(value, list) else []

    found = references(description)
    assert found
    for ref in found:
        at: Any = description
        for part in ref.removeprefix("#/").split("/"):
            at = at[part]


def test_answers_are_as_described(world: World, alice: Browser, description: Json) -> None:
    """A launch and the reading of it, checked against their own schema."""
    schema = schemathesis.openapi.from_dict(description)
    file_id = world.put(f"{world.folder()}/a.pdf", pdf())
    made = alice.post(
        "flows",
        {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": [{"user": "bob"}]},
    )
    schema["/api/v1/flows"]["POST"].validate_response(made)
    read = alice.get(f"flows/{made.json()['id']}")
    schema["/api/v1/flows/{flow_id}"]["GET"].validate_response(read)
    schema["/api/v1/me"]["GET"].validate_response(alice.get("me"))
    schema["/api/v1/types"]["GET"].validate_response(alice.get(f"types?file_ids={file_id}"))
    schema["/api/v1/files/{file_id}/flows"]["GET"].validate_response(alice.get(f"files/{file_id}/flows"))
    schema["/api/v1/flows/{flow_id}"]["GET"].validate_response(alice.get("flows/x"))


@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")  # Schemathesis does so itself
def test_nothing_that_the_description_allows_breaks_it(world: World, alice: Browser, description: Json) -> None:
    """A bounded Schemathesis run: odd but describable requests, as Alice; no answer is a 5xx."""
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=world.url)
    file_id = world.put(f"{world.folder()}/a.pdf", pdf())
    flow_id = world.signature(alice, [file_id], [{"email": "fuzz@example.com"}, {"user": "alice"}])["id"]
    link = world.link(flow_id, "fuzz@")
    link.flow()
    real = {"file_id": int(file_id), "flow_id": flow_id, "token": link.base.rpartition("/")[2], "n": 0, "page": 1}
    seen: dict[str, int] = {}
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            case.path_parameters = {name: real.get(name, value) for name, value in case.path_parameters.items()}
            browser = link if case.path.startswith("/s/") else alice
            answer = case.call(session=browser.session, headers=dict(browser.session.headers))
            seen[case.path] = seen.get(case.path, 0) + 1
            assert answer.status_code < 500, (case.method, case.path, answer.status_code)

        run()
    assert len(seen) >= len({path.partition(" ")[2] for path in CONTRACT})

"""What the host tells of files: only hints, from the host alone; they keep a flow findable."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.world import Browser, World, pdf, until

RENAMED = "OCP\\Files\\Events\\Node\\NodeRenamedEvent"
DELETED = "OCP\\Files\\Events\\Node\\BeforeNodeDeletedEvent"
WRITTEN = "OCP\\Files\\Events\\Node\\NodeWrittenEvent"


def tell(world: World, event: Any, secret: str | None = None, **headers: str) -> Any:
    office = world.office
    secret = office.app_secret if secret is None else secret
    own = {
        "EX-APP-ID": office.app_id,
        "EX-APP-VERSION": "0.1.0",
        "AUTHORIZATION-APP-API": base64.b64encode(f":{secret}".encode()).decode(),
    }
    body = {"event": event, "user": {"uid": "alice"}, "time": 1, "authentication": {"owner": "canary-token"}}
    return world.product.test_client().post("/events/files", json=body, headers={**own, **headers})


def launched(world: World, alice: Browser) -> tuple[str, str, str]:
    """Returns: the folder, the file's id, the flow's id."""
    folder = world.folder()
    file_id = world.put(f"{folder}/Bail.pdf", pdf())
    flow_id = world.signature(alice, [file_id], [{"user": "bob"}])["id"]
    world.settled(flow_id)
    return folder, file_id, flow_id


def move(world: World, source: str, target: str) -> None:
    address = f"{world.demo.host.url}/remote.php/dav/files/alice/{quote(target)}"
    assert world.dav("alice", "MOVE", source, headers={"Destination": address}).status_code == 201


def place(world: World, flow_id: str) -> str:
    return str(world.office.ctx.flows.load(flow_id).place.path)


def test_a_folder_that_was_renamed_is_found_before_anybody_acts(world: World, alice: Browser) -> None:
    folder, _, flow_id = launched(world, alice)
    move(world, folder, f"{folder} (2)")
    event = {
        "class": RENAMED,
        "source": {"path": f"/alice/files/{folder}"},
        "target": {"id": 1, "path": f"/alice/files/{folder} (2)"},
    }
    assert tell(world, event).status_code == 200
    until(lambda: place(world, flow_id) == f"{folder} (2)/.flows/{flow_id}/flow.jsonl")


def test_a_folder_above_that_was_moved_is_found_too(world: World, alice: Browser) -> None:
    folder, _, flow_id = launched(world, alice)
    above = world.folder()
    move(world, folder, f"{above}/{folder}")
    event = {"class": RENAMED, "source": {"path": f"/alice/files/{folder}"}, "target": {"path": "/alice/files"}}
    assert tell(world, event).status_code == 200
    until(lambda: place(world, flow_id) == f"{above}/{folder}/.flows/{flow_id}/flow.jsonl")


@pytest.mark.parametrize("by", ["id", "path"])
def test_a_state_file_that_was_deleted_is_made_again(world: World, alice: Browser, by: str) -> None:
    folder, file_id, flow_id = launched(world, alice)
    before = world.state_file(flow_id)
    assert world.dav("alice", "DELETE", f"{folder}/.flows").status_code == 204
    hidden = f"/alice/files/{folder}/.flows/{flow_id}/flow.jsonl"
    node = {"id": int(file_id), "path": "/alice/files/x"} if by == "id" else {"id": 999_999, "path": hidden}
    assert tell(world, {"class": DELETED, "node": node}).status_code == 200
    until(lambda: f".flows/{flow_id}/flow.jsonl" in world.names(folder))
    assert world.state_file(flow_id) == before


def test_a_folder_that_was_deleted_suspends_its_flows(world: World, alice: Browser) -> None:
    folder, _, flow_id = launched(world, alice)
    assert world.dav("alice", "DELETE", folder).status_code == 204
    assert tell(world, {"class": DELETED, "node": {"id": 1, "path": f"/alice/files/{folder}"}}).status_code == 200
    until(lambda: alice.get(f"flows/{flow_id}").json()["state"] == "suspended")


def test_events_in_any_order_or_twice_change_nothing(world: World, alice: Browser) -> None:
    folder, file_id, flow_id = launched(world, alice)
    before = world.office.ctx.flows.load(flow_id)
    node = {"id": int(file_id), "path": f"/alice/files/{folder}/Bail.pdf"}
    for event in (
        {"class": DELETED, "node": node},
        {"class": WRITTEN, "node": node},
        {"class": WRITTEN, "node": node},
        {"class": RENAMED, "source": node, "target": {"id": 7, "path": "/bob/files/elsewhere"}},
        {"class": "OCP\\Unknown", "node": node},
        {"class": RENAMED},
        {},
    ):
        assert tell(world, event).status_code == 200, event
    assert world.recipient("bob", flow_id).sign().status_code == 200
    assert world.office.ctx.flows.load(flow_id).records[: len(before.records)] == before.records


def test_nobody_but_the_host_tells_events(world: World, alice: Browser, tmp_path: Path) -> None:
    event = {"class": DELETED, "node": {"id": 1, "path": "/alice/files/x"}}
    assert tell(world, event, secret="wrong").json["code"] == "wrong-secret"
    assert tell(world, event, **{"X-Origin-IP": "203.0.113.9"}).status_code == 404
    assert alice.post("/events/files", {"event": event}).status_code in (403, 404)
    assert world.nobody().post("/events/files", {"event": event}).status_code in (403, 404)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"event": 3}', b'{"event": {"node": {"id": "x"}}}', b"{", b"\xff"])
def test_nonsense_is_refused(world: World, body: bytes) -> None:
    headers = {
        "EX-APP-ID": world.office.app_id,
        "EX-APP-VERSION": "0.1.0",
        "AUTHORIZATION-APP-API": base64.b64encode(f":{world.office.app_secret}".encode()).decode(),
    }
    answer = world.product.test_client().post("/events/files", data=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "not-json")
    large = world.product.test_client().post("/events/files", data=b" " * 300_000, headers=headers)
    assert large.status_code == 413


def test_tokens_that_the_host_sends_along_are_never_logged(
    world: World, alice: Browser, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tell(world, {"class": WRITTEN, "node": {"id": 1, "path": "/alice/files/canary-path"}}).status_code == 200
    said = "".join(capfd.readouterr())
    assert "canary" not in said

"""What an administrator allows: which groups launch which type, how large a flow may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from plugin.actions.context import Limits
from plugin.flow.model import Kind
from plugin.settings import BadSettings, from_environment
from tests.world import Browser, Json, World, pdf, stamps

NEEDED = {"data": Path(), "host_url": "http://host", "public_url": "http://people", "app_secret": SecretStr("s")}


@pytest.fixture(scope="module")
def folder(world: World) -> str:
    return world.folder()


@pytest.fixture(scope="module")
def file_id(world: World, folder: str) -> str:
    return world.put(f"{folder}/Contrat.pdf", pdf())


@pytest.fixture
def limited(world: World) -> Callable[..., object]:
    return lambda **limits: world.handed(limits=Limits(**limits))


def kinds(who: Browser, file_id: str = "") -> dict[str, tuple[bool, str | None, str | None]]:
    answer = who.get(f"types?file_ids={file_id}")
    assert answer.status_code == 200
    return {t["kind"]: (t["available"], t["code"], t["reason"]) for t in answer.json()["types"]}


def signature(file_id: str) -> Json:
    return {
        "kind": "signature",
        "documents": [{"file_id": file_id}],
        "recipients": [{"user": "bob"}],
        "placements": stamps(1, [0]),
    }


def refused(who: Browser, body: Json, code: str) -> Json:
    answer = who.post("flows", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code
    return dict(answer.json())


def test_a_type_is_closed_to_other_groups_with_the_reason_in_the_persons_language(
    world: World, folder: str, file_id: str, alice: Browser, limited: Callable[..., object]
) -> None:
    def sent() -> set[str]:
        return {flow["id"] for flow in alice.get("flows?box=sent").json()["flows"]}

    before, flows = world.names(folder), sent()
    with limited(groups={Kind.SIGNATURE: frozenset({"direction", "juridique"})}):  # type: ignore[attr-defined]  # the fixture is a context manager
        reason = "Vos groupes ne permettent pas de lancer ce type de flux."
        assert kinds(alice, file_id)["signature"] == (False, "not-for-your-groups", reason)
        assert kinds(alice, file_id)["validation"] == (True, None, None)
        bob = world.login("bob")  # of one of the groups
        assert kinds(bob)["signature"] == (True, None, None)
        problem = refused(alice, signature(file_id), "not-for-your-groups")
        assert problem["errors"] == [{"path": "kind", "code": "not-for-your-groups", "message": reason}]
        assert world.names(folder) == before
        assert sent() == flows
        upload = alice.post(f"documents/beside/{file_id}?name=x.pdf", data=pdf())
        assert upload.status_code == 201
    with limited(groups={Kind.VALIDATION: frozenset({"Achats"})}):  # type: ignore[attr-defined]  # the fixture is a context manager
        assert kinds(alice)["validation"][0] is False  # the ids are exact
        assert kinds(alice, file_id)["signature"] == (True, None, None)


def test_an_administrator_launches_where_his_group_is_named(
    world: World, file_id: str, alice: Browser, limited: Callable[..., object]
) -> None:
    with limited(groups={Kind.SIGNATURE: frozenset({"admin"})}):  # type: ignore[attr-defined]  # the fixture is a context manager
        assert kinds(alice, file_id)["signature"] == (True, None, None)
        flow = world.launch(alice, signature(file_id))
    with limited(groups={Kind.SIGNATURE: frozenset({"direction"})}):  # type: ignore[attr-defined]  # the fixture is a context manager
        assert world.recipient("bob", flow["id"]).sign().status_code == 200  # what runs goes on


def test_a_flow_is_limited_in_documents_recipients_and_sizes_and_the_refusal_names_the_limit(
    world: World, folder: str, file_id: str, alice: Browser, limited: Callable[..., object]
) -> None:
    with limited(documents=1, recipients=1, validation_file_bytes=1_000_000):  # type: ignore[attr-defined]  # the fixture is a context manager
        told = alice.get("me").json()["limits"]
        assert (told["documents"], told["recipients"], told["validation_file_bytes"]) == (1, 1, 1_000_000)
        second = world.put(f"{folder}/Note.txt", b"x")
        body: Json = {
            "kind": "validation",
            "documents": [{"file_id": file_id}, {"file_id": second}],
            "recipients": [{"user": "bob"}],
        }
        problem = refused(alice, body, "too-many-documents")
        assert (problem["limit"], problem["errors"][0]["path"]) == (1, "documents")
        body["documents"].pop()
        body["recipients"].append({"user": "carol"})
        problem = refused(alice, body, "too-many-recipients")
        assert (problem["limit"], problem["errors"][0]["path"]) == (1, "recipients")
        body["recipients"].pop()
        large = world.put(f"{folder}/Plan.bin", b"x" * 1_000_001)
        problem = refused(alice, {**body, "documents": [{"file_id": large}]}, "file-over-the-limit")
        assert (problem["limit_mb"], problem["file_id"]) == (1, large)
        assert "1 Mo" in problem["title"]
        [found] = alice.post("documents/inspect", {"file_ids": [large]}).json()["documents"]
        assert ("file-over-the-limit", problem["title"]) in [(p["code"], p["message"]) for p in found["problems"]]
        world.launch(alice, body)
    assert alice.get("me").json()["limits"] == {
        "collection_bytes": 15_000_000,
        "validation_file_bytes": 10_000_000_000,
        "documents": 50,
        "recipients": 200,
    }


def test_settings_name_the_groups_and_only_lower_the_limits() -> None:
    given = {"PARAPHEUR_GROUPS_SIGNATURE": " direction, Ressources humaines ,", "PARAPHEUR_MAX_DOCUMENTS": "3"}
    read = from_environment(given, **NEEDED)
    assert read.groups_signature == ("direction", "Ressources humaines")
    assert (read.groups_validation, read.max_documents, read.max_recipients) == ((), 3, 200)
    assert from_environment({"PARAPHEUR_VALIDATION_FILE_LIMIT_BYTES": "0"}, **NEEDED).validation_file_limit_bytes == 0
    for name, value in (("MAX_DOCUMENTS", "51"), ("MAX_RECIPIENTS", "201"), ("VALIDATION_FILE_LIMIT_BYTES", "15")):
        with pytest.raises(BadSettings, match=name):
            from_environment({f"PARAPHEUR_{name}": value}, **NEEDED)


def test_folders_with_fonts_have_to_be_there(tmp_path: Path) -> None:
    read = from_environment({"PARAPHEUR_FONTS": f"{tmp_path}, {tmp_path.parent}"}, **NEEDED)
    assert read.fonts == (str(tmp_path), str(tmp_path.parent))
    assert from_environment({}, **NEEDED).fonts is None
    for value in (f"{tmp_path}/nowhere", "."):
        with pytest.raises(BadSettings, match="FONTS"):
            from_environment({"PARAPHEUR_FONTS": value}, **NEEDED)

"""Erasing people from flows whose creator's account was deleted, its files with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from plugin.actions.suspend import look_after
from plugin.actions.sweep import finish_erasing
from plugin.cli import main
from plugin.demo.server import APP_VERSION, app_secret
from tests.world import Browser, World, pdf

pytestmark = pytest.mark.usefixtures("logs_as_before")
NAME, ADDRESS = "Quintardeau", "zoe.quintardeau@example.com"


@pytest.fixture
def accounts(world: World) -> Iterator[Any]:
    there = world.demo.host.accounts
    yield there
    there.deleted.clear()
    _time_goes_by(world)


def _time_goes_by(world: World) -> None:
    world.office.ctx.accounts._states.clear()
    world.office.ctx.accounts._ids.clear()


def _launched(world: World, who: Browser) -> str:
    file_id = world.put(f"{world.folder('carol')}/Bail.pdf", pdf(), "carol")
    people = [{"email": ADDRESS, "first_name": "Zoé", "last_name": NAME}, {"user": "bob"}]
    flow_id = str(world.validation(who, [file_id], people)["id"])
    world.settled(flow_id)
    return flow_id


def _delete_account(world: World, accounts: Any, flow_id: str) -> None:
    accounts.deleted.add("carol")
    _time_goes_by(world)
    look_after(world.office.ctx, flow_id)


def _kept(world: World) -> bytes:
    """All that this server has of it, queue and log of the process aside."""
    return b"".join(p.read_bytes() for p in (world.data / "parapheur").glob("*.db*") if not p.name.startswith("jobs"))


@pytest.mark.parametrize("has_ended", [False, True], ids=["on its way", "ended"])
def test_a_person_is_erased_though_the_flows_folder_went_with_its_creators_account(
    world: World, alice: Browser, accounts: Any, has_ended: bool
) -> None:
    carol = world.login("carol")
    flow_id = _launched(world, carol)
    if has_ended:
        assert carol.post(f"flows/{flow_id}/cancel", {"reason": "Fin."}).status_code == 200
        world.settled(flow_id)
    salt = world.office.ctx.vault.salts(flow_id)["r1"]
    assert salt in _kept(world)
    _delete_account(world, accounts, flow_id)
    answer = alice.post(f"flows/{flow_id}/recipients/r1/erase")
    assert answer.status_code == 200, answer.text
    read = answer.json()
    assert "Effacé sur ce serveur" in read["warnings"][0]
    assert NAME not in answer.text
    assert read["steps"][0]["recipients"][0]["email"] is None
    assert "person.erased" in [event["type"] for event in read["events"]]
    assert "r1" not in world.office.ctx.vault.salts(flow_id)
    assert salt not in _kept(world), "nor in free pages of the databases"
    again = alice.post(f"flows/{flow_id}/recipients/r1/erase")
    assert (again.status_code, again.json()["events"]) == (200, read["events"])
    finish_erasing(world.office.ctx)
    assert "erasing" not in {t.reason for t in world.office.ctx.vault.troubles(flow_id)}, "nothing is left to be done"


def test_the_creator_is_erased_too_and_the_command_line_says_where(
    world: World, alice: Browser, accounts: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id = _launched(world, world.login("carol"))
    _delete_account(world, accounts, flow_id)
    monkeypatch.setenv("PARAPHEUR_DATA", str(world.data / "parapheur"))
    monkeypatch.setenv("PARAPHEUR_HOST_URL", world.demo.host.url)
    monkeypatch.setenv("PARAPHEUR_PUBLIC_URL", world.url)
    monkeypatch.setenv("PARAPHEUR_APP_SECRET", app_secret(world.data))
    monkeypatch.setenv("PARAPHEUR_APP_VERSION", APP_VERSION)
    assert main(["erase", flow_id, "creator"]) == 0
    assert "on this server alone" in capsys.readouterr().out
    read = alice.get(f"flows/{flow_id}")
    assert (read.json()["title"], read.json()["creator"]["name"]) == ("", "")
    assert "Carol" not in read.text


def test_should_the_account_come_back_whoever_was_erased_stays_erased_in_its_files_too(
    world: World, alice: Browser, accounts: Any
) -> None:
    carol = world.login("carol")
    flow_id = _launched(world, carol)
    assert carol.post(f"flows/{flow_id}/cancel", {"reason": "Fin."}).status_code == 200
    world.settled(flow_id)
    _delete_account(world, accounts, flow_id)
    assert alice.post(f"flows/{flow_id}/recipients/r1/erase").status_code == 200
    accounts.deleted.clear()
    _time_goes_by(world)
    world.office.ctx.flows.refresh(flow_id)
    assert world.lines(flow_id)[-1]["type"] == "person.erased"
    place = world.office.ctx.flows.load(flow_id).place
    salts = world.read(f"{place.folder}/salts.json", "carol")
    assert b'"r2"' in salts
    assert b'"r1"' not in salts


def test_whoever_is_only_disabled_comes_back_and_nobody_is_erased_from_what_goes_on(
    world: World, alice: Browser, accounts: Any
) -> None:
    flow_id = _launched(world, world.login("carol"))
    accounts.disabled.add("carol")
    try:
        _time_goes_by(world)
        look_after(world.office.ctx, flow_id)
        answer = alice.post(f"flows/{flow_id}/recipients/r1/erase")
    finally:
        accounts.disabled.clear()
    assert (answer.status_code, answer.json()["code"]) == (409, "flow-running")

"""The state on a real host: erased, lost with the index and with the vault, found again from the files."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nextcloud import hosted
from tests.nextcloud.instance import ROOT, Catcher, Installed, Nextcloud, User
from tests.nextcloud.test_flows import ended, signature, validation
from tests.nextcloud.test_saving import attached, recorded
from tests.world import Browser, Json, pdf, until


def place() -> str:
    return f"State {secrets.token_hex(3)}"


def command(app: Installed, *words: str) -> subprocess.CompletedProcess[str]:
    """As an administrator types it beside the server."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(app.folder), **app.environment}
    parapheur = str(Path(sys.executable).parent / "parapheur")
    return subprocess.run(
        [parapheur, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def rebuilt(app: Installed) -> Json:
    done = command(app, "rebuild", "--json", "--quiet")
    assert done.returncode in (0, 1), done.stderr
    return dict(json.loads(done.stdout))


# ---- erased ---------------------------------------------------------------------------------------------------------
def test_who_is_erased_is_nobody_any_more_in_what_lies_on_the_host_either(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User
) -> None:
    folder = place()
    file_id = nextcloud.put(alice, f"{folder}/note.txt", b"x")
    people = [{"email": "zoe@example.com", "first_name": "Zoé", "last_name": "D’Été"}, {"user": bob.uid}]
    flow = validation(app, creator, [file_id], people)
    admin = app.browser(nextcloud.admin)
    running = admin.post(f"flows/{flow['id']}/recipients/r1/erase")
    assert (running.status_code, running.json()["code"]) == (409, "flow-running")
    assert app.follow(catcher.link(flow["id"], "zoe@")).approve("D’accord, Zoé").status_code == 200
    assert app.recipient(bob, flow["id"]).approve("Good").status_code == 200
    recorded(creator, flow)
    assert creator.post(f"flows/{flow['id']}/recipients/r1/erase").status_code == 404
    assert admin.post(f"flows/{flow['id']}/recipients/r1/erase").status_code == 200
    for text in (
        creator.get(f"flows/{flow['id']}").text,
        nextcloud.read(alice, f"{folder}/.flows/{flow['id']}/salts.json").decode(),
    ):
        assert "zoe@example.com" not in text
        assert "Zoé" not in text
    salts = json.loads(nextcloud.read(alice, f"{folder}/.flows/{flow['id']}/salts.json"))
    assert "r1" not in json.dumps(salts)
    assert "Good" in creator.get(f"flows/{flow['id']}").text
    assert command(app, "erase", flow["id"], "r2").returncode == 0
    assert "Good" not in creator.get(f"flows/{flow['id']}").text
    (entry,) = [name for name in nextcloud.names(alice, folder) if "dossier de preuves" in name]
    assert "zoe@example.com" in json.dumps(attached(nextcloud.read(alice, f"{folder}/{entry}")))  # the creator's own


# ---- rebuilt --------------------------------------------------------------------------------------------------------
@pytest.fixture
def fran(nextcloud: Nextcloud) -> User:
    """Somebody whose flows are all of this test."""
    name = f"fran-{secrets.token_hex(3)}"
    return nextcloud.make_user(name, "Fran", f"{name}@example.org", "fr")


@pytest.fixture
def lived(app: Installed, nextcloud: Nextcloud, fran: User, alice: User, bob: User) -> tuple[str, list[Json]]:
    """Ended, running beside the document, running at home (read-only share), running on another storage. Returns: the
    folder of the first two, and the flows."""
    sender, folder = app.browser(fran), place()
    nextcloud.put(bob, f"{folder} his/x.pdf", pdf())
    hosted.share(nextcloud, bob, f"{folder} his", fran, hosted.READ)
    paths = [f"{folder}/done.pdf", f"{folder}/a/x.pdf", f"{folder} his/x.pdf"]
    if "Externe" in nextcloud.names(fran, ""):
        paths.append(f"Externe/{folder}/x.pdf")
    ids = [
        str(hosted.file_id(nextcloud, fran, path)) if "his/" in path else nextcloud.put(fran, path, pdf())
        for path in paths
    ]
    flows = [signature(app, sender, [one], [{"user": alice.uid}, {"user": bob.uid}]) for one in ids]
    for actor in (alice, bob):
        assert app.recipient(actor, flows[0]["id"]).sign().status_code == 200
    recorded(sender, flows[0])
    for flow in flows[1:]:
        assert app.recipient(alice, flow["id"]).sign().status_code == 200
    return folder, flows


def listed(who: Browser) -> dict[str, str]:
    return {flow["id"]: flow["state"] for flow in who.get("flows?box=sent").json()["flows"]}


@pytest.mark.parametrize("lost", ["index.db", "vault.db"])
def test_what_is_lost_comes_back_from_the_files_and_goes_on(
    app: Installed, nextcloud: Nextcloud, fran: User, bob: User, lived: tuple[str, list[Json]], lost: str
) -> None:
    folder, flows = lived
    before = listed(app.browser(fran))
    assert set(before) == {flow["id"] for flow in flows}
    hosted.move(nextcloud, fran, f"{folder}/a", f"{folder}/renamed meanwhile")
    app.stop()
    gone = ["index.db"] if lost == "index.db" else ["index.db", "vault.db"]
    for path in (app.folder / "data").rglob("*.db*"):
        if path.name.partition("-")[0] in gone:
            path.unlink()
    app.start()
    until(lambda: app.browser(fran).get("flows?box=sent").status_code == 200, within_s=120)
    sender = app.browser(fran)
    assert until(lambda: listed(sender), within_s=120) == before
    for flow in flows[1:]:
        assert app.recipient(bob, flow["id"]).sign().status_code == 200
        assert ended(sender, flow)["documents"][0]["signed"]["path"]
    assert ended(sender, flows[1])["documents"][0]["signed"]["path"] == f"{folder}/renamed meanwhile/x (signé).pdf"


def test_the_command_line_rebuilds_beside_the_server(
    app: Installed, nextcloud: Nextcloud, fran: User, lived: tuple[str, list[Json]]
) -> None:
    before = listed(app.browser(fran))
    report = rebuilt(app)
    assert report["users_skipped"] == 0
    mine = {flow["id"] for flow in lived[1]}
    assert not [one for one in report["skipped"] if one["flow"] in mine]
    assert listed(app.browser(fran)) == before

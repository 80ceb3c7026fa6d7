"""Registered by the host's command line; hooked into its pages; disabled and enabled again."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import requests
from lxml import etree

from tests.nextcloud.instance import COMPANION, ROOT, VERSION, Installed, Nextcloud, User, install_words
from tests.world import Browser, until

sys.path.insert(0, str(ROOT / "tools"))
import package

HOOKED = ("files-actions-menu?name=workflow", "top-menu?name=workflow")


def hooked(app: Installed, what: str) -> requests.Response:
    return app.nextcloud.as_app("GET", f"/apps/app_api/api/v1/ui/{what}", app.secret)


def test_it_is_enabled_and_hooked_into_the_pages(app: Installed) -> None:
    assert "parapheur" in app.nextcloud.occ("app_api:app:list")
    assert "[enabled]" in app.nextcloud.occ("app_api:app:list").split("parapheur")[-1].splitlines()[0]
    entry = hooked(app, HOOKED[0]).json()["ocs"]["data"]
    assert (entry["display_name"], entry["action_handler"]) == ("Workflow", "api/v1/menu")
    kinds = [kind.strip() for kind in entry["mime"].split(",")]
    for mime in ("application/pdf", "text/plain", "image/png", "application/octet-stream"):
        assert any(kind in mime for kind in kinds), mime
    assert not any(kind in "httpd/unix-directory" for kind in kinds)  # no flow of a folder
    assert hooked(app, HOOKED[1]).json()["ocs"]["data"]["display_name"] == "Workflow"
    assert hooked(app, "script?type=top_menu&name=workflow&path=js/main").status_code == 200
    assert hooked(app, "style?type=top_menu&name=workflow&path=css/embed").status_code == 200


def test_the_events_are_subscribed_once(app: Installed) -> None:
    found = app.nextcloud.as_app("GET", "/apps/webhook_listeners/api/v1/webhooks", app.secret).json()["ocs"]["data"]
    mine = [one["event"].rpartition("\\")[2] for one in found if one["uri"] == "/events/files"]
    assert sorted(mine) == ["BeforeNodeDeletedEvent", "NodeRenamedEvent", "NodeWrittenEvent"]


def test_the_menu_entry_has_its_icon_and_leads_to_the_wizard(app: Installed, creator: Browser) -> None:
    icon = creator.get("/img/app.svg")
    assert (icon.status_code, icon.headers["Content-Type"]) == (200, "image/svg+xml")
    chosen = creator.post("menu", {"files": [{"fileId": 1, "name": "a.pdf", "directory": "/", "mime": "x"}]})
    assert chosen.json() == {"redirect_handler": "workflow/new"}


def test_the_scripts_of_the_pages_come_through_the_proxy(creator: Browser) -> None:
    for path, kind in (("/js/main.js", "javascript"), ("/css/embed.css", "text/css"), ("/js/i18n.json", "json")):
        answer = creator.get(path)
        assert answer.status_code == 200, path
        assert kind in answer.headers["Content-Type"], path


def test_while_disabled_everybody_is_refused_and_afterwards_all_is_back(app: Installed, alice: User) -> None:
    try:
        app.nextcloud.occ("app_api:app:disable", "parapheur")
        for path in ("/api/v1/me", "/s/" + "A" * 43, "/js/main.js"):
            assert requests.get(app.url + path, auth=alice.auth, timeout=60).status_code in (401, 403, 404), path
        assert hooked(app, HOOKED[0]).status_code == 401
    finally:
        app.nextcloud.occ("app_api:app:enable", "parapheur")
    assert requests.get(f"{app.url}/api/v1/me", auth=alice.auth, timeout=60).status_code == 200
    assert hooked(app, HOOKED[0]).status_code == 200
    until(lambda: app.health()["host"]["state"] == "ok", within_s=30)


def test_a_wrong_secret_opens_nothing_on_either_side(app: Installed, nextcloud: Nextcloud, alice: User) -> None:
    assert nextcloud.as_app("GET", "/cloud/user", "wrong", alice.uid).status_code == 401
    headers = {"EX-APP-ID": "parapheur", "EX-APP-VERSION": VERSION, "AUTHORIZATION-APP-API": "OndyZQ=="}
    for method, path in (("PUT", "/enabled?enabled=0"), ("POST", "/init"), ("GET", "/api/v1/me")):
        answer = requests.request(method, app.direct + path, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "wrong-secret"), path
    assert hooked(app, HOOKED[0]).status_code == 200


def test_an_update_hooks_the_new_version_in_and_nothing_of_the_old_one_is_left(app: Installed, alice: User) -> None:
    """In the order that docs/install-nextcloud.md gives. The earlier version had a page of its own."""
    newer = "9.0.0"
    page = {"name": "archive", "displayName": "Archive", "icon": "img/app.svg", "adminRequired": 0}
    assert app.nextcloud.as_app("POST", "/apps/app_api/api/v1/ui/top-menu", app.secret, body=page).status_code == 200
    kept = {"configKey": "entries", "configValue": json.dumps([["v1/ui/top-menu", {"name": "archive"}]])}
    assert app.nextcloud.as_app("POST", "/apps/app_api/api/v1/ex-app/config", app.secret, body=kept).status_code == 200
    assert hooked(app, "top-menu?name=archive").status_code == 200
    try:
        said = app.update(newer)
        assert "successfully updated" in said, said
        app.stop()
        app.version = newer
        app.start()
        app.nextcloud.occ("app_api:app:disable", "parapheur")
        app.nextcloud.occ("app_api:app:enable", "parapheur")
        (line,) = [one for one in app.nextcloud.occ("app_api:app:list").splitlines() if one.startswith("parapheur")]
        assert newer in line
        assert "[enabled]" in line
        for what in HOOKED:
            assert hooked(app, what).status_code == 200
        assert hooked(app, "top-menu?name=archive").status_code == 404
        assert requests.get(f"{app.url}/api/v1/me", auth=alice.auth, timeout=60).status_code == 200
        test_the_events_are_subscribed_once(app)
        assert "successfully updated" not in app.update(newer), "the same version again is no update"
    finally:
        app.stop()
        app.version = VERSION
        app.start()
        app.register()
    until(lambda: app.health()["host"]["state"] == "ok", within_s=30)


def test_the_menu_speaks_the_users_language(app: Installed, alice: User, bob: User) -> None:
    apps = os.environ.get("NEXTCLOUD_APPS")
    if apps is None:
        pytest.skip("NEXTCLOUD_APPS is not set: the host's translations cannot be put there")
    made = install_words(apps)
    try:
        names = {}
        for user in (alice, bob):
            entries = app.nextcloud.ocs("GET", "/core/navigation/apps", user)
            names[user.language] = [one["name"] for one in entries if one["id"] == "app_api_parapheur_workflow"]
        assert names == {"fr": ["Flux de travail"], "en": ["Workflow"]}
        files = f"{app.nextcloud.url}/index.php/apps/files/"
        script = f"{made.name}/l10n/fr.js"
        assert script in requests.get(files, auth=alice.auth, timeout=60).text, "the action's name is translated there"
        assert script not in requests.get(files, auth=bob.auth, timeout=60).text
        address = re.search(
            r'src="([^"]*parapheur/l10n/fr\.js)"', requests.get(files, auth=alice.auth, timeout=60).text
        )
        assert address is not None
        told = requests.get(f"{app.nextcloud.url}{address[1]}", timeout=60)
        assert "Flux de travail" in told.text
    finally:
        shutil.rmtree(made, ignore_errors=True)


def test_the_hosts_own_schema_takes_what_it_knows_of_the_manifests() -> None:
    """Its schema knows nothing of an external app's routes, which AppAPI reads past it; 32's of no external app."""
    apps = os.environ.get("NEXTCLOUD_APPS")
    if apps is None or not (Path(apps).parent / "resources" / "app-info.xsd").is_file():
        pytest.skip("NEXTCLOUD_APPS is not set, or is not beside the host's own schema")
    schema = etree.XMLSchema(etree.parse(Path(apps).parent / "resources" / "app-info.xsd"))
    for path in (ROOT / "appinfo" / "info.xml", ROOT / "hooks" / "companion" / "appinfo" / "info.xml"):
        told = {"BUGS_URL": "https://example.org/bugs", "REGISTRY": "registry.example.org", "IMAGE": "a/parapheur"}
        told["SCREENSHOTS_URL"] = "https://example.org/pictures"
        root = etree.fromstring(package.filled(path.read_text(), VERSION, told))
        for routes in root.iterfind("external-app/routes"):
            routes.getparent().remove(routes)
        if not schema.validate(root) and "external-app" in str(schema.error_log):
            root.remove(root.find("external-app"))
        assert schema.validate(root), schema.error_log
        for name in ("id", "version", "category", "bugs", "author"):
            lacking = etree.fromstring(etree.tostring(root))
            for each in lacking.findall(name):
                lacking.remove(each)
            assert not schema.validate(lacking), name


def test_the_companion_is_an_app_the_host_takes(app: Installed) -> None:
    assert VERSION in next(
        line for line in app.nextcloud.occ("app:list", "--enabled").splitlines() if f" {COMPANION}:" in line
    )

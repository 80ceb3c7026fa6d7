"""Registered by the host's command line; hooked into its pages; disabled and enabled again."""

from __future__ import annotations

import requests

from tests.nextcloud.instance import Installed, Nextcloud, User
from tests.world import Browser, until

HOOKED = ("files-actions-menu?name=workflow", "top-menu?name=workflow")


def hooked(app: Installed, what: str) -> requests.Response:
    return app.nextcloud.as_app("GET", f"/apps/app_api/api/v1/ui/{what}", app.secret)


def test_it_is_enabled_and_hooked_into_the_pages(app: Installed) -> None:
    assert "parapheur" in app.nextcloud.occ("app_api:app:list")
    assert "[enabled]" in app.nextcloud.occ("app_api:app:list").split("parapheur")[-1].splitlines()[0]
    entry = hooked(app, HOOKED[0]).json()["ocs"]["data"]
    assert (entry["display_name"], entry["action_handler"], entry["mime"]) == ("Workflow", "api/v1/menu", "/")
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
    headers = {"EX-APP-ID": "parapheur", "EX-APP-VERSION": "0.1.0", "AUTHORIZATION-APP-API": "OndyZQ=="}
    for method, path in (("PUT", "/enabled?enabled=0"), ("POST", "/init"), ("GET", "/api/v1/me")):
        answer = requests.request(method, app.direct + path, headers=headers, timeout=60)
        assert answer.status_code == 401, path
    assert hooked(app, HOOKED[0]).status_code == 200

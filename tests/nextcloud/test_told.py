"""Mails through the companion and the host's own mailer; the bell, shown and put out."""

from __future__ import annotations

from functools import partial

import requests

from tests.nextcloud.instance import APP, COMPANION, Catcher, Installed, Nextcloud, User
from tests.nextcloud.test_flows import ended, validation
from tests.world import Browser, until


def test_mails_go_through_the_hosts_mailer_in_the_language_of_each(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User
) -> None:
    file_id = nextcloud.put(alice, "Told/100 % {x} à lire.txt", b"x")
    flow = validation(app, creator, [file_id], [{"user": bob.uid}])
    mail = until(lambda: catcher.of(flow["id"], "invitation", bob.email), within_s=60)[0]
    assert mail["Message-ID"] == f"<invitation.{flow['id']}.r1.1@example.org>"
    assert mail["Subject"] == "Alice « Martin » & Cie asks you to approve a document"
    assert "sidecar@" not in mail["From"]
    assert (mail["Auto-Submitted"], mail["Content-Language"]) == ("auto-generated", "en")
    assert mail["To"].addresses[0].display_name == bob.name
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html"}
    checks = app.health()
    assert (checks["companion"]["state"], checks["mail"]["state"]) == ("ok", "ok")

    assert app.recipient(bob, flow["id"]).approve().status_code == 200
    ended(creator, flow)
    mail = until(lambda: catcher.of(flow["id"], "completed", alice.email), within_s=60)[0]
    assert mail["Subject"] == "Tout le monde a validé : 100 % {x} à lire"


def test_the_bell_shows_the_way_and_is_put_out(
    app: Installed, nextcloud: Nextcloud, creator: Browser, alice: User, bob: User, carol: User
) -> None:
    file_id = nextcloud.put(alice, "Told/50 % {y}.txt", b"x")
    flow = validation(app, creator, [file_id], [{"user": bob.uid}, {"user": carol.uid}])
    notice = until(lambda: nextcloud.bell(bob, flow["id"]), within_s=60)[0]
    assert notice["subject"] == "Alice « Martin » & Cie asks you to approve a document"
    assert notice["message"] == "50 % {y}"
    assert notice["link"] == f"{app.url}/f/{flow['id']}"
    page = app.browser(bob).get(f"/f/{flow['id']}")
    assert page.status_code == 200
    assert "50 % {y}" in page.text

    assert app.recipient(bob, flow["id"]).approve().status_code == 200
    until(lambda: not nextcloud.bell(bob, flow["id"]), within_s=60)
    waiting = until(lambda: nextcloud.bell(carol, flow["id"]), within_s=60)
    assert waiting[0]["subject"].startswith("Alice « Martin » & Cie vous demande")
    assert app.recipient(carol, flow["id"]).refuse("Non.").status_code == 200
    kinds = until(lambda: [one["object_type"] for one in nextcloud.bell(alice, flow["id"])], within_s=60)
    assert kinds == ["refused"]
    until(lambda: [one["object_type"] for one in nextcloud.bell(carol, flow["id"])] == ["refused"], within_s=60)


def test_somebody_without_an_address_is_told_by_the_bell_alone(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, carol: User
) -> None:
    file_id = nextcloud.put(alice, "Told/c.txt", b"x")
    flow = validation(app, creator, [file_id], [{"user": carol.uid}])
    until(lambda: nextcloud.bell(carol, flow["id"]), within_s=60)
    until(
        lambda: any(e["type"].startswith("mail.") for e in creator.get(f"flows/{flow['id']}").json()["events"]),
        within_s=60,
    )
    assert catcher.of(flow["id"]) == []
    assert app.recipient(carol, flow["id"]).approve().status_code == 200
    ended(creator, flow)


def test_the_companion_serves_the_app_alone(app: Installed, nextcloud: Nextcloud, alice: User) -> None:
    mail = {"to": "x@example.org", "subject": "s", "text": "t", "html": "h", "message_id": "<m@x>"}
    for who in (alice.auth, nextcloud.admin.auth, None):
        assert nextcloud.ask("POST", f"/apps/{COMPANION}/mail", who, mail).status_code == 412
        assert nextcloud.ask("GET", f"/apps/{COMPANION}/status", who).status_code == 412
    assert nextcloud.as_app("GET", f"/apps/{COMPANION}/status", "wrong").status_code in (401, 412)
    found = nextcloud.as_app("GET", f"/apps/{COMPANION}/status", app.secret).json()["ocs"]["data"]
    assert found == {"version": "0.1.0"}


def test_the_companion_says_what_will_never_be_taken(app: Installed, nextcloud: Nextcloud, catcher: Catcher) -> None:
    def outcome(**more: str) -> dict[str, str]:
        mail = {"subject": "s", "text": "t", "html": "h", "message_id": "<m@x>", "to": "x@example.org", **more}
        answer = nextcloud.as_app("POST", f"/apps/{COMPANION}/mail", app.secret, "", mail)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["ocs"]["data"])

    for wrong in ("", "nobody", "a@b@c", "x@example.org\r\nBcc: y@example.org", "x@example.org,y@example.org"):
        assert outcome(to=wrong)["outcome"] == "refused", wrong
    before = len(catcher.mails)
    assert outcome(subject="a\r\nBcc: y@example.org", to_name="b\r\nCc: z@example.org")["outcome"] == "accepted"
    mail = until(lambda: catcher.mails[before:])[0]
    assert (mail["Bcc"], mail["Cc"], len(catcher.mails)) == (None, None, before + 1)


def test_without_the_companion_mails_go_by_smtp_and_the_health_page_says_so(
    app: Installed, nextcloud: Nextcloud, catcher: Catcher, creator: Browser, alice: User, bob: User
) -> None:
    file_id = nextcloud.put(alice, "Told/d.txt", b"x")
    nextcloud.occ("app:disable", COMPANION)
    try:
        for what in ("disable", "enable"):  # the host keeps records for each set of apps, those of earlier runs too
            nextcloud.occ(f"app_api:app:{what}", APP, check=False)  # our own part of it may be refused until then
        gone = partial(nextcloud.as_app, "GET", f"/apps/{COMPANION}/status", app.secret)
        until(lambda: gone().status_code in (404, 500), within_s=30)  # the host knows its own settings a little late
        until(lambda: creator.get("me").status_code == 200, within_s=30)
        flow = validation(app, creator, [file_id], [{"user": bob.uid}])
        mail = until(lambda: catcher.of(flow["id"], "invitation", bob.email), within_s=150)[0]
        assert "sidecar@example.org" in mail["From"]
        check = app.health()["companion"]
        assert check["state"] == "degraded"
        assert check["reason"].startswith(("companion-missing: ", "companion-broken: "))
        assert requests.get(f"{app.direct}/healthz", timeout=30).json()["status"] == "degraded"
    finally:
        nextcloud.occ("app:enable", COMPANION)
    until(lambda: app.health()["companion"]["state"] == "ok", within_s=90)

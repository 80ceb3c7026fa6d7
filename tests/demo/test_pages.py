"""The file manager page's own endpoints, and who may call them."""

from __future__ import annotations

import pytest
import requests

from plugin.demo.server import Demo
from tests.demo.raw import ask


def test_logging_in_gives_a_cookie_scripts_cannot_read(demo: Demo) -> None:
    answer = requests.post(f"{demo.public_url}/demo/login", json={"user": "bob"}, timeout=5)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == "bob@example.org"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("body", ['{"user": "mallory"}', '{"user": 1}', "{}", "[]", "", "not json"])
def test_an_unknown_user_is_a_problem(demo: Demo, body: str) -> None:
    answer = requests.post(f"{demo.public_url}/demo/login", data=body, timeout=5)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unknown-user"


def test_logging_out_ends_the_session_itself(demo: Demo, alice: requests.Session) -> None:
    cookie = dict(alice.cookies)
    assert (
        requests.get(f"{demo.public_url}/demo/api/session", cookies=cookie, timeout=5).json()["user"]["uid"] == "alice"
    )
    alice.post(f"{demo.public_url}/demo/logout")
    assert requests.get(f"{demo.public_url}/demo/api/session", cookies=cookie, timeout=5).json()["user"] is None


def test_the_listing_shows_folders_first_and_nothing_hidden(demo: Demo, alice: requests.Session) -> None:
    demo.host.area.make_folder("alice", (".flows",))
    listing = alice.get(f"{demo.public_url}/demo/api/files").json()
    names = [entry["name"] for entry in listing["entries"]]
    assert names[0] == "Achats"
    assert "Contrat de prestation 2026.pdf" in names
    assert ".flows" not in names
    contract = next(entry for entry in listing["entries"] if entry["name"].startswith("Contrat"))
    assert contract["mime"] == "application/pdf"
    assert contract["file_id"].isdigit()
    assert contract["modified_at"].endswith("Z")
    below = alice.get(f"{demo.public_url}/demo/api/files", params={"dir": "Achats/2026"}).json()
    assert {entry["path"] for entry in below["entries"]} >= {"Achats/2026/Bon de commande 117.pdf"}


def test_an_upload_never_overwrites(demo: Demo, alice: requests.Session) -> None:
    url = f"{demo.public_url}/demo/api/upload"
    names = [
        alice.post(url, params={"dir": "", "name": "né & é.tar.gz"}, data=str(number)).json()["name"]
        for number in range(3)
    ]
    assert names == ["né & é.tar.gz", "né & é.tar 2.gz", "né & é.tar 3.gz"]
    first = alice.get(f"{demo.public_url}/demo/api/download", params={"path": "né & é.tar.gz"})
    assert first.content == b"0"
    assert first.headers["Content-Disposition"].startswith("attachment")
    assert first.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["Content-Type"] == "application/octet-stream"


def test_files_are_renamed_and_deleted_and_folders_made(demo: Demo, alice: requests.Session) -> None:
    api = f"{demo.public_url}/demo/api"
    assert alice.post(f"{api}/folder", json={"dir": "", "name": "Nouveau"}).status_code == 201
    assert alice.post(f"{api}/folder", json={"path": "Nouveau"}).status_code == 409
    made = alice.post(f"{api}/upload", params={"dir": "Nouveau", "name": "a.txt"}, data="x").json()
    renamed = alice.post(f"{api}/rename", json={"path": made["path"], "name": "b.txt"}).json()
    assert (renamed["path"], renamed["file_id"]) == ("Nouveau/b.txt", made["file_id"])
    alice.post(f"{api}/upload", params={"dir": "Nouveau", "name": "a.txt"}, data="y")
    assert alice.post(f"{api}/rename", json={"path": "Nouveau/a.txt", "name": "b.txt"}).status_code == 409
    assert alice.post(f"{api}/rename", json={"path": "Nouveau/a.txt", "name": "../b.txt"}).status_code == 422
    assert alice.post(f"{api}/delete", json={"path": "Nouveau"}).status_code == 204
    assert alice.get(f"{api}/files", params={"dir": "Nouveau"}).status_code == 404
    assert alice.post(f"{api}/delete", json={"path": ""}).status_code == 422


@pytest.mark.parametrize("path", ["../bob/Notes.txt", "/etc/passwd", "Achats/../../bob/Notes.txt", "a\x00b", ".."])
def test_nobody_downloads_what_is_not_his(demo: Demo, alice: requests.Session, path: str) -> None:
    assert alice.get(f"{demo.public_url}/demo/api/download", params={"path": path}).status_code in (404, 422)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize("path", ["upload?name=x", "rename", "delete", "folder"])
def test_another_origin_changes_nothing(demo: Demo, alice: requests.Session, origin: str, path: str) -> None:
    answer = alice.post(f"{demo.public_url}/demo/api/{path}", json={"path": "Achats"}, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")


def test_without_a_session_there_are_no_files(demo: Demo) -> None:
    answer = requests.get(f"{demo.public_url}/demo/api/files", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (422, "not-logged-in")


@pytest.mark.parametrize("path", ["/", "/demo/mail", "/demo/mail.json", "/demo/api/session"])
def test_another_name_for_this_machine_is_not_answered(demo: Demo, path: str) -> None:
    request = requests.Request("GET", demo.public_url + path, headers={"Host": "rebound.example"}).prepare()
    with requests.Session() as session:
        assert session.send(request).status_code == 404


@pytest.mark.parametrize(("language", "word"), [("fr", "Fichiers"), ("en", "Files"), ("de", "Files")])
def test_the_page_speaks_the_readers_language(demo: Demo, language: str, word: str) -> None:
    page = requests.get(demo.public_url + "/", headers={"Accept-Language": language}, timeout=5)
    assert f"<title>{word}" in page.text
    assert "<demo-login " in page.text
    by_cookie = requests.get(demo.public_url + "/", cookies={"lang": "fr"}, timeout=5)
    assert '<html lang="fr">' in by_cookie.text


def test_the_page_allows_no_script_of_its_own(demo: Demo, alice: requests.Session) -> None:
    page = alice.get(demo.public_url + "/")
    assert "<demo-files" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert page.headers["Cache-Control"] == "no-store, private"
    for fragment in page.text.split("<script")[1:]:
        tag, rest = fragment.split(">", 1)
        assert rest.startswith("</script>") or 'type="application/json"' in tag


def test_a_broken_cookie_is_nobodys(demo: Demo) -> None:
    status, _, body = ask(demo.public_url, 'GET /demo/api/session HTTP/1.1\nCookie: parapheur_demo="; =;;,x')
    assert status == 200
    assert b'"user":null' in body


def test_the_products_page_is_framed_as_the_platform_frames_it(demo: Demo) -> None:
    page = requests.get(f"{demo.public_url}/apps/app_api/embedded/parapheur/new?fileIds=1,2", timeout=5)
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert requests.get(f"{demo.public_url}/apps/app_api/embedded/other/new", timeout=5).status_code == 404

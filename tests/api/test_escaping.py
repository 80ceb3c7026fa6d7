"""What people write stays text: in pages, in mails, in headers. And none of it comes into a log."""

from __future__ import annotations

import base64
import json
import logging
import re
from html.parser import HTMLParser

import pytest
import structlog

from tests.world import Browser, Json, World, ink, pdf, signing

EVIL = """"><img src=x onerror=alert(1)><script>alert('x')</script>{{7*7}}${7*7}&lt;b&gt;"""
IN_A_NAME = "\"><img src=x onerror=alert(1)><script>alert('x')<!-- {{7*7}}"


class Tags(HTMLParser):
    """Every element of a page with its attributes, and what stands in its scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def assert_harmless(html: str) -> None:
    tags = read(html)
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert tag not in ("iframe", "object", "embed", "base", "form"), tag
        if tag == "script":
            assert attributes.get("type") == "application/json" or attributes.get("src"), attributes
        if tag == "img":
            assert attributes.get("src") != "x"
        for name in ("href", "src", "action"):
            assert not (attributes.get(name) or "").lower().startswith(("javascript:", "data:text")), attributes
    text = "".join(tags.text)
    assert "49" not in re.findall(r"7\*7|\b49\b", text)


@pytest.fixture(scope="module")
def flow(world: World, carol: Browser) -> Json:
    folder = world.folder("carol")
    ids = [world.put(f"{folder}/{IN_A_NAME.replace('/', '')}.pdf", pdf(), "carol")]
    made = world.signature(
        carol,
        ids,
        [
            {"user": "bob", "role": "validator", "comment": EVIL},
            {"email": "xss@example.com", "first_name": EVIL[:60], "last_name": EVIL[60:120], "comment": EVIL},
            {"user": "carol"},
        ],
        title=EVIL[:150],
        comment=EVIL,
    )
    world.recipient("bob", made["id"]).approve(EVIL)
    return made


def test_pages_show_names_titles_and_comments_as_text(world: World, carol: Browser, flow: Json) -> None:
    link = world.link(flow["id"], "xss@")
    bob = world.login("bob")
    pages = [link.get("").text, bob.get(f"/f/{flow['id']}").text, carol.get(f"/f/{flow['id']}").text]
    for lang in ("fr", "en"):
        pages.append(link.get("", headers={"Cookie": f"lang={lang}"}).text)
    for page in pages:
        assert_harmless(page)
    assert any(EVIL in text for text in read(pages[0]).text)
    boot = re.search(r'<script type="application/json" id="pf-boot">(.*?)</script>', pages[0], re.DOTALL)
    assert boot is not None
    assert json.loads(boot[1])["flow"]["comment"] == EVIL


def test_mails_show_names_titles_and_comments_as_text(world: World, flow: Json) -> None:
    world.link(flow["id"], "xss@").refuse(EVIL)
    mails = world.settled(flow["id"])
    assert len(mails) >= 4
    for mail in mails:
        assert_harmless(mail["html"])
        assert "\n" not in mail["subject"]
        assert all(link.startswith(f"{world.url}/") for link in mail["links"])
    assert any(EVIL in "".join(read(mail["html"]).text) for mail in mails)


def test_the_name_of_a_download_stays_in_its_header(world: World, carol: Browser, flow: Json) -> None:
    answer = carol.get(f"flows/{flow['id']}/documents/0")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert disposition.count('"') - disposition.count('\\"') == 2
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_odd_characters_of_a_file_name_make_no_lines_of_a_mail(world: World, alice: Browser) -> None:
    folder = world.folder()
    file_id = world.put(f"{folder}/Facture\u202efdp.exe", b"a")
    flow_id = world.validation(
        alice, [file_id], [{"email": "bidi@example.com", "first_name": "A\u202eB\u2066C", "language": "en"}]
    )["id"]
    mail = world.mail(flow_id, "invitation", "bidi@")
    for text in (mail["subject"], mail["text"], mail["html"]):
        assert "\u202e" not in text
        assert "\u2066" not in text


# ---- logs ----
CANARIES = {
    "title": "canari-titre-91c2",
    "comment": "canari-commentaire-5f0e",
    "message": "canari-message-77aa",
    "first": "Canariprenom",
    "last": "Canarinom",
    "email": "canari-adresse@example.com",
    "file": "canari-fichier-a1b2",
    "reason": "canari-raison-0d4c",
    "said": "canari-parole-3e3e",
    "agent": "canari-agent/1.0",
    "key": "canari-cle-8888",
    "search": "canari-recherche-4242",
}


def test_no_secret_and_nobodys_data_comes_into_a_log_at_debug_level(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    c = CANARIES
    caplog.set_level(logging.DEBUG)
    for noisy in ("urllib3", "webdav3", "asyncio", "mail.log"):  # other people's, silent unless somebody asks them
        caplog.set_level(logging.WARNING, logger=noisy)
    with structlog.testing.capture_logs() as events:
        alice = world.login("alice")
        folder = f"{c['file']}-dossier"
        world.dav("alice", "MKCOL", folder)
        ids = [world.put(f"{folder}/{c['file']}.pdf", pdf())]
        headers = {"User-Agent": c["agent"], "Idempotency-Key": c["key"]}
        flow_id = world.signature(
            alice,
            ids,
            [
                {"user": "bob", "role": "validator", "comment": c["message"]},
                {"email": c["email"], "first_name": c["first"], "last_name": c["last"], "language": "fr"},
            ],
            title=c["title"],
            comment=c["comment"],
            copy_to_all=True,
        )["id"]
        secrets = [world.office.app_secret, str(alice.session.headers["X-CSRF-Token"])]
        alice.get(f"recipients?search={c['search']}")
        alice.get(f"flows?q={c['search']}")
        alice.post("flows", {"kind": "signature", c["key"]: 1, "title": c["title"] * 50}, headers=headers)
        alice.post("documents", params={"name": c["file"]}, data=b"%PDF-1.4 " + c["said"].encode())
        bob = world.recipient("bob", flow_id)
        bob.session.headers["User-Agent"] = c["agent"]
        bob.approve(c["said"])
        link = world.link(flow_id, c["email"])
        token = link.base.rpartition("/")[2]
        flow = link.flow()
        secrets += [token, flow["csrf_token"], str(bob.session.headers["X-CSRF-Token"]), ink()[40:80]]
        secrets += [str(cookie.value) for one in (alice, bob) for cookie in one.session.cookies]
        link.get("", headers=headers)
        link.act("sign", {"signature": {"kind": "drawn", "png_base64": base64.b64encode(c["said"].encode()).decode()}})
        link.act("sign", signing(flow, base64.b64encode(b"\x89PNG" + c["said"].encode()).decode()))
        with world.host_gate.shut():
            link.act("refuse", {"reason": c["reason"]})
        with world.mail_gate.shut():
            assert link.act("refuse", {"reason": c["reason"]}, headers=headers).status_code == 200
        world.nobody().get(f"/s/{token}x")
        world.nobody().get(f"/nowhere/{c['search']}?q={c['search']}")
    said = "\n".join(
        [json.dumps(event, default=repr, ensure_ascii=False) for event in events]
        + [f"{record.getMessage()} {record.exc_text or ''} {record.args!r}" for record in caplog.records]
    )
    assert len(events) > 20
    for value in [*c.values(), *secrets]:
        assert value not in said, value
    for uid in ("bob@example.org", "Bob Leroy", "Alice Martin", "Bail"):
        assert uid not in said

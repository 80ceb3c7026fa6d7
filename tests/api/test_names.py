"""Names of people and files as they come: long, in any script, with anything in them."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from urllib.parse import unquote

import pytest

from plugin.actions.names import signed_name
from plugin.adapters.mail import SmtpMailer, SmtpServer
from plugin.ports import Mail
from tests.world import World, pdf

NAMES = [
    "Contrat d’embauche.pdf",
    "cœur à 10€ – fin.pdf",
    "日本 עברית عربي 😀.pdf",
    'un "deux" ; trois.pdf',
    "é" * 120 + ".pdf",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_any_name_is_signed_and_can_be_fetched_under_it(world: World, name: str) -> None:
    alice = world.login("alice")
    folder = world.folder()
    flow_id = world.signature(alice, [world.put(f"{folder}/{name}", pdf())], [{"email": "p@example.com"}])["id"]
    link = world.link(flow_id, "p@")
    for answer in (link.get("documents/0"), alice.get(f"flows/{flow_id}/documents/0")):
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith("attachment; ")
        assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name[:200]
    assert link.sign().json()["state"] == "completed"
    signed = next(each for each in world.names(folder) if each != name and not each.startswith(".flows"))
    assert signed.endswith(" (signé).pdf")
    assert len(signed.encode()) <= 255


def test_a_long_name_keeps_its_ending_in_the_signed_copy() -> None:
    made = signed_name("é" * 126 + ".pdf", "fr")
    assert made.endswith(" (signé).pdf")
    assert len(made.encode()) <= 200


@pytest.mark.parametrize("length", [10, 60, 80, 120, 240])
def test_a_long_name_of_a_person_leaves_the_mails_headers_whole(length: int) -> None:
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    mail = Mail("p@example.com", "A" * length, "Sujet", "texte", "<p>html</p>", "fr", "<a@b.example>", at)
    mailer = SmtpMailer(SmtpServer("localhost", 25), "from@example.org", "B" * length)
    read = email.message_from_bytes(mailer._message(mail).as_bytes(), policy=email.policy.default)
    assert (read["Subject"], read["Message-ID"]) == ("Sujet", "<a@b.example>")
    assert [each.addr_spec for each in read["To"].addresses] == ["p@example.com"]
    assert read.get_body(("plain",)).get_content().strip() == "texte"


def test_whoever_comes_too_early_reads_no_address_of_those_before(world: World) -> None:
    alice = world.login("alice")
    people = [{"email": "secret.person@private.example.com"}, {"user": "carol"}]
    flow_id = world.signature(alice, [world.put(f"{world.folder()}/a.pdf", pdf())], people)["id"]
    carol = world.recipient("carol", flow_id)
    for path in ("", "documents/0", "documents/0/pages/1", "evidence"):
        answer = carol.get(path)
        assert answer.status_code == 409
        assert answer.json()["before"] == ["secret.person"]
        assert "private.example.com" not in answer.text

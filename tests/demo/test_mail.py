"""The mail catcher: what was sent is what is shown, and a restart forgets nothing."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import requests

from plugin.demo.host import EmbeddedHost
from plugin.demo.mailbox import links_in
from plugin.demo.server import Demo


def message(subject: str = "À signer : contrat") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Parapheur <parapheur@example.org>", "Zoé <zoe@example.org>"
    mail["Subject"], mail["Message-ID"] = subject, "<flow.1@example.org>"
    mail.set_content("Bonjour Zoé,\nsignez ici : http://127.0.0.1:8780/s/abc-_1.\n")
    mail.add_alternative(
        '<p>Bonjour</p><a href="http://127.0.0.1:8780/s/abc-_1?a=1&amp;b=2">signer</a>', subtype="html"
    )
    mail.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="copie signée.pdf")
    return mail


def send(host: EmbeddedHost, mail: EmailMessage, to: list[str] | None = None) -> None:
    with smtplib.SMTP(host.smtp_host, host.smtp_port, timeout=10) as client:
        client.send_message(mail, to_addrs=to)


def test_text_html_and_links_of_a_mail_are_kept(demo: Demo) -> None:
    send(demo.host, message())
    caught = requests.get(f"{demo.public_url}/demo/mail.json", timeout=5).json()[-1]
    assert caught["to"] == "zoe@example.org"
    assert caught["subject"] == "À signer : contrat"
    assert caught["message_id"] == "<flow.1@example.org>"
    assert "Bonjour Zoé" in caught["text"]
    assert "<p>Bonjour</p>" in caught["html"]
    assert caught["links"] == ["http://127.0.0.1:8780/s/abc-_1", "http://127.0.0.1:8780/s/abc-_1?a=1&b=2"]
    assert caught["attachments"] == ["copie signée.pdf"]
    assert caught["at"].endswith("Z")


def test_the_newest_mail_is_last_and_every_recipient_has_his_own(demo: Demo) -> None:
    send(demo.host, message("first"), ["a@example.org", "b@example.org"])
    send(demo.host, message("second"))
    caught = requests.get(f"{demo.public_url}/demo/mail.json", timeout=5).json()
    told = [(mail["to"], mail["subject"]) for mail in caught[-3:]]
    assert told == [("a@example.org", "first"), ("b@example.org", "first"), ("zoe@example.org", "second")]


def test_the_page_shows_a_mail_in_a_frame_that_runs_nothing(demo: Demo) -> None:
    mail = message("<script>alert(1)</script>")
    send(demo.host, mail)
    shown = requests.get(f"{demo.public_url}/demo/mail", timeout=5)
    assert "<script" not in shown.text
    number = requests.get(f"{demo.public_url}/demo/mail.json", timeout=5).json()[-1]["id"]
    one = requests.get(f"{demo.public_url}/demo/mail/{number}", timeout=5)
    assert "script-src" not in one.headers["Content-Security-Policy"]
    assert one.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "allow-scripts" not in one.text
    assert "&lt;p&gt;Bonjour&lt;/p&gt;" in one.text
    assert requests.get(f"{demo.public_url}/demo/mail/999999", timeout=5).status_code == 404


def test_mails_and_sms_survive_a_restart(data: Path) -> None:
    first = EmbeddedHost(data, "secret", with_samples=False)
    first.start()
    send(first, message())
    first.mailbox.keep_sms("+33600000000", "123456")
    first.stop()
    again = EmbeddedHost(data, "secret", with_samples=False)
    again.start()
    try:
        assert [mail["to"] for mail in again.mailbox.mails()] == ["zoe@example.org"]
        assert [(sms["to"], sms["text"]) for sms in again.mailbox.sms()] == [("+33600000000", "123456")]
    finally:
        again.stop()


def test_the_sms_list_is_empty_at_first(demo: Demo) -> None:
    assert requests.get(f"{demo.public_url}/demo/sms.json", timeout=5).json() == []
    assert requests.get(f"{demo.public_url}/demo/sms", timeout=5).status_code == 200


def test_a_link_ends_where_its_sentence_goes_on() -> None:
    text = "Voir (https://example.org/a), puis https://example.org/b?x=1&y=2. Et mailto:x@example.org"
    assert links_in(text, "<a href='https://example.org/c'>c</a><a href='/relative'>r</a>") == [
        "https://example.org/a",
        "https://example.org/b?x=1&y=2",
        "https://example.org/c",
    ]

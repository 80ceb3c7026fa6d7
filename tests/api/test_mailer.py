"""The mail adapter against real SMTP servers of several tempers."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from plugin.adapters.mail import SmtpMailer, SmtpServer
from plugin.flow.errors import HostUnavailable
from plugin.ports import Mail, MailRefused

MAIL = Mail(
    to="zoe@example.com",
    to_name="Zoé",
    subject="À signer",
    text="Bonjour\n",
    html="<p>Bonjour</p>",
    language="fr",
    message_id="<invitation.1@example.org>",
    at=datetime(2026, 3, 9, 9, 0, tzinfo=UTC),
)


class Temper:
    """Answers RCPT and DATA as told; keeps what it took."""

    def __init__(self) -> None:
        self.to_mail = self.to_rcpt = self.to_data = "250 OK"
        self.took: list[tuple[list[str], EmailMessage]] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.to_mail

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.to_rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.took.append((list(envelope.rcpt_tos), message))
        return self.to_data


class Plain(Controller):
    """A server of the old school, without SMTPUTF8, on a port of the kernel's choice."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # it listens
        super()._trigger_server()  # type: ignore[no-untyped-call]  # the library's


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Temper, SmtpMailer]]:
    temper = Temper()
    controller = Plain(temper, hostname="127.0.0.1", port=0, enable_SMTPUTF8=False)
    controller.start()
    mailer = SmtpMailer(SmtpServer("127.0.0.1", controller.port, timeout_s=5), "parapheur@example.org", "Mairie d'É.")
    yield temper, mailer
    controller.stop()


@pytest.fixture
def sent(server: tuple[Temper, SmtpMailer]) -> Callable[..., tuple[list[str], EmailMessage]]:
    temper, mailer = server
    temper.to_rcpt = temper.to_data = "250 OK"

    def send(**changes: Any) -> tuple[list[str], EmailMessage]:
        mailer.send(replace(MAIL, **changes))
        return temper.took[-1]

    return send


def test_a_mail_says_who_what_when_and_in_which_language(sent: Any) -> None:
    to, message = sent()
    assert to == ["zoe@example.com"]
    assert message["From"].addresses[0].display_name == "Mairie d'É."
    assert (message["Subject"], message["Message-ID"]) == ("À signer", "<invitation.1@example.org>")
    assert (message["Content-Language"], message["Auto-Submitted"]) == ("fr", "auto-generated")
    assert message["Date"].datetime == MAIL.at
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_mail_that_is_sent_again_is_the_same_to_the_byte_and_no_other_mail_is(sent: Any) -> None:
    first, again = sent()[1], sent()[1]
    assert first.as_bytes() == again.as_bytes()
    others = {sent(**{field: "otherwise"})[1].get_boundary() for field in ("text", "html")}
    assert len(others | {first.get_boundary()}) == 3


@pytest.mark.parametrize("field", ["text", "html"])
def test_nobodys_words_begin_a_part_of_their_own(sent: Any, field: str) -> None:
    between = sent()[1].get_boundary()
    _, message = sent(**{field: f"words\n--{between}\nContent-Type: text/html\n\n<b>mine</b>\n--{between}--\n"})
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_an_international_domain_reaches_a_server_that_knows_only_ascii(sent: Any) -> None:
    to, message = sent(to="anne@société.example.com")
    assert to == ["anne@xn--socit-esab.example.com"]
    assert message["To"].addresses[0].domain == "xn--socit-esab.example.com"


@pytest.mark.parametrize(
    "sneaky", ["a\r\nBcc: x@example.com", "a\nX: 1", "a\x00b", "a\u2028X: 1", "a\u202eb", "\ud800", "é" * 500]
)
def test_no_text_makes_a_header_of_its_own(sent: Any, sneaky: str) -> None:
    to, message = sent(subject=sneaky, to_name=sneaky)
    assert to == ["zoe@example.com"]
    assert len(message["To"].addresses) == 1
    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Content-Language", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert not set("\r\n\x00\u2028\u202e") & set(message["Subject"])


def test_letters_that_join_others_stay(sent: Any) -> None:
    assert sent(subject="می\u200cخواهم")[1]["Subject"] == "می\u200cخواهم"


@pytest.mark.parametrize("address", ["", "zoe", "zoe@", "@example.com", "zoé@example.com", "a@b\r\nc"])
def test_an_address_that_no_server_takes_is_refused_for_good(sent: Any, address: str) -> None:
    with pytest.raises(MailRefused) as refused:
        sent(to=address)
    assert "example" not in refused.value.reason


@pytest.mark.parametrize("rcpt, data", [("550 no such user", "250 OK"), ("250 OK", "554 refused")])
def test_a_lasting_refusal_is_for_good(server: tuple[Temper, SmtpMailer], rcpt: str, data: str) -> None:
    temper, mailer = server
    temper.to_rcpt, temper.to_data = rcpt, data
    with pytest.raises(MailRefused):
        mailer.send(MAIL)


@pytest.mark.parametrize("rcpt, data", [("450 greylisted", "250 OK"), ("250 OK", "451 later")])
def test_a_passing_refusal_is_asked_again_later(server: tuple[Temper, SmtpMailer], rcpt: str, data: str) -> None:
    temper, mailer = server
    temper.to_rcpt, temper.to_data = rcpt, data
    with pytest.raises(HostUnavailable):
        mailer.send(MAIL)


@pytest.mark.parametrize("answer", ["530 log in first", "550 we do not know you", "451 later"])
def test_a_server_that_does_not_take_mails_from_us_is_asked_again_later(
    server: tuple[Temper, SmtpMailer], answer: str
) -> None:
    temper, mailer = server
    temper.to_mail = answer
    with pytest.raises(HostUnavailable):
        mailer.send(MAIL)
    temper.to_mail = "250 OK"


def test_no_server_at_all_is_asked_again_later() -> None:
    with pytest.raises(HostUnavailable):
        SmtpMailer(SmtpServer("127.0.0.1", 1, timeout_s=2), "a@example.org", "A").send(MAIL)


def test_a_server_that_does_not_encrypt_is_not_used_where_encryption_was_asked_for(
    server: tuple[Temper, SmtpMailer],
) -> None:
    temper, mailer = server
    before = len(temper.took)
    secure = replace(mailer._server, security="starttls")
    with pytest.raises((HostUnavailable, MailRefused)):
        SmtpMailer(secure, "a@example.org", "A").send(MAIL)
    assert len(temper.took) == before

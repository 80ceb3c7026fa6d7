"""Mails by SMTP. One connection a mail: a flow sends few, and a kept one is a dead one after a pause."""

from __future__ import annotations

import hashlib
import json
import smtplib
import ssl
import unicodedata
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

from email_validator import validate_email

from plugin.flow.errors import HostUnavailable
from plugin.ports import Mail, MailRefused

_JOINERS = "\u200c\u200d"
"""Letters of Persian and of Indic scripts need them."""


MAX_NAME_LENGTH = 60
"""A longer display name is folded so that some readers take the rest of the header for the body."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """``security``: none (loopback only), starttls or tls; certificates are checked."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password: str = ""
    timeout_s: float = 20.0


class SmtpMailer:
    """The ``Mailer`` port. Raises: MailRefused (5xx: for good), HostUnavailable (anything that may pass)."""

    def __init__(self, server: SmtpServer, sender: str, sender_name: str) -> None:
        self._server = server
        self._sender = sender
        self._sender_name = header_text(sender_name)[:MAX_NAME_LENGTH]

    def send(self, mail: Mail) -> None:
        message = self._message(mail)
        try:
            with self._connection() as smtp:
                smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            if all(500 <= code < 600 for code in codes):
                raise MailRefused("address-refused") from error
            raise HostUnavailable("mail-later") from error
        except smtplib.SMTPDataError as error:
            if 500 <= error.smtp_code < 600:
                raise MailRefused("message-refused") from error
            raise HostUnavailable("mail-later") from error
        except smtplib.SMTPResponseException as error:
            # the greeting, the login, our own address: somebody will set the server right, and mails wait for it
            raise HostUnavailable("mail-later") from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused("address-not-supported") from error
        except (OSError, smtplib.SMTPException) as error:
            raise HostUnavailable("mail-unreachable") from error

    def _connection(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_s, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        try:
            if server.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if server.user:
                smtp.login(server.user, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _message(self, mail: Mail) -> EmailMessage:
        local, _, domain = mail.to.rpartition("@")
        if not local or not domain:
            raise MailRefused("bad-address")
        message = EmailMessage(policy=SMTP)
        try:
            message["From"] = Address(self._sender_name, addr_spec=self._sender)
            message["To"] = Address(header_text(mail.to_name)[:MAX_NAME_LENGTH], local, _ascii(domain))
        except ValueError as error:
            raise MailRefused("bad-address") from error
        message["Subject"] = header_text(mail.subject)
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = mail.message_id
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        set_bodies(message, mail.text, mail.html)
        message["Content-Language"] = mail.language  # set_content drops every Content-* that was there
        return message


def set_bodies(message: EmailMessage, text: str, html: str) -> None:
    """The text and the same as HTML. The line between the parts is drawn from what stands in them, so nobody's words
    can draw it (RFC 2046, 5.1.1), and the same mail is the same to the byte.
    """
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    drawn_from = json.dumps([message["Message-ID"], text, html]).encode()
    message.set_boundary(f"=_{hashlib.sha256(drawn_from).hexdigest()[:48]}")


def _ascii(domain: str) -> str:
    """An international domain in the form that every server knows (IDNA). Raises: ValueError."""
    if domain.isascii():
        return domain
    return validate_email(f"x@{domain}", check_deliverability=False).ascii_domain


def header_text(text: str) -> str:
    """No line ends, no control or format characters: a header stays one header and reads as it is."""
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    kept = "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    return " ".join(kept.split())[:300]

"""The mail catcher: a real SMTP server on loopback whose messages stay in the database, newest 2,000 kept."""

from __future__ import annotations

import asyncio
import email
import email.policy
import html
import json
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Final

import structlog
from aiosmtpd.controller import Controller

from plugin.demo.database import Database

_KEPT: Final = 2_000
_MAX_BYTES: Final = 50_000_000
_LINK = re.compile(r"https?://[^\s<>\"'`\\]+")
_HREF = re.compile(r"""(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_log = structlog.get_logger()


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        try:
            self._mailbox.keep(envelope.mail_from or "", list(envelope.rcpt_tos), bytes(envelope.content or b""))
        except Exception:
            _log.exception("demo.mail.not_kept")
            return "451 could not keep it"
        return "250 OK"


class _Controller(Controller):
    """aiosmtpd's, on a port the kernel chooses."""

    def _trigger_server(self) -> None:
        sockets = self.server.sockets if isinstance(self.server, asyncio.Server) else ()
        self.port = sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # the library's


class Mailbox:
    """Every mail and SMS that left the product. Survives a restart; bodies are never logged."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._server = _Controller(
            _Handler(self),
            hostname="127.0.0.1",
            port=0,
            data_size_limit=_MAX_BYTES,
            ident="mail catcher",
            ready_timeout=30,
        )

    @property
    def port(self) -> int:
        return int(self._server.port)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(no_assert=True)

    def keep(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Store one message, once for each recipient of its envelope."""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        text, rich = _body(message, "plain"), _body(message, "html")
        links = json.dumps(links_in(text, rich))
        names = json.dumps([part.get_filename() or "" for part in message.iter_attachments()])
        at = _now()
        with self._database.transaction():
            for recipient in recipients:
                self._database.run(
                    "INSERT INTO mails (recipient, sender, subject, text, html, links, attachments, at, message_id)"
                    " VALUES (?,?,?,?,?,?,?,?,?)",
                    recipient, sender, str(message.get("Subject", "")), text, rich, links, names, at,
                    str(message.get("Message-ID", "")).strip(),
                )  # fmt: skip
            self._database.run("DELETE FROM mails WHERE id <= (SELECT max(id) FROM mails) - ?", _KEPT)

    def keep_sms(self, to: str, text: str) -> None:
        with self._database.transaction():
            self._database.run("INSERT INTO messages (recipient, text, at) VALUES (?,?,?)", to, text, _now())
            self._database.run("DELETE FROM messages WHERE id <= (SELECT max(id) FROM messages) - ?", _KEPT)

    def mails(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return [
            {
                "id": row["id"],
                "to": row["recipient"],
                "from": row["sender"],
                "subject": row["subject"],
                "text": row["text"],
                "html": row["html"],
                "links": json.loads(row["links"]),
                "attachments": json.loads(row["attachments"]),
                "at": row["at"],
                "message_id": row["message_id"],
            }
            for row in self._database.rows("SELECT * FROM mails ORDER BY id")
        ]

    def sms(self) -> list[dict[str, str]]:
        """Oldest first."""
        rows = self._database.rows("SELECT * FROM messages ORDER BY id")
        return [{"to": row["recipient"], "text": row["text"], "at": row["at"]} for row in rows]


def links_in(text: str, rich: str) -> list[str]:
    """Every absolute web address of a mail, each once, in order of appearance."""
    hrefs = (html.unescape(quoted or single) for quoted, single in _HREF.findall(rich))
    found = [*(match.rstrip(".,;:!?)]»") for match in _LINK.findall(text)), *hrefs]
    return list(dict.fromkeys(link for link in found if link.startswith(("http://", "https://"))))


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError, KeyError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Mails through the host's own mailer, by the companion app; by SMTP where that app is not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Literal

import structlog

from plugin.adapters.mail import header_text
from plugin.adapters.ocs_calls import OcsCalls
from plugin.flow.errors import HostUnavailable
from plugin.patience import left_s
from plugin.ports import Mail, Mailer, MailRefused
from plugin.ports_health import Finding

PATH: Final = "/apps/parapheur_companion"
OLDEST: Final = (0, 1, 0)
"""Older companions are not asked to do anything."""
LOOK_EVERY_S: Final = 60.0

State = Literal["ok", "missing", "older", "broken", "unknown"]
_log = structlog.get_logger()


class CompanionMissing(HostUnavailable):
    """The host does not know the companion, or knows one that is too old."""

    code = "companion-missing"


class Companion:
    """What the companion says of itself; asked at most once a minute. A host that does not answer changes nothing."""

    def __init__(self, calls: OcsCalls, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._monotonic = monotonic
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._state: State = "unknown"
        self._asked_at: float | None = None

    def state(self) -> State:
        """ "unknown": it was never asked with success. Who has no time to wait for the answer gets the last one."""
        if not self._asking.acquire(timeout=left_s(LOOK_EVERY_S)):
            return self._state
        try:
            now = self._monotonic()
            if self._asked_at is None or self._state == "unknown" or now - self._asked_at >= LOOK_EVERY_S:
                self._asked_at = now
                self._found(self._ask())
            return self._state
        finally:
            self._asking.release()

    def send(self, mail: Mail) -> None:
        """Raises: MailRefused, HostUnavailable; of it CompanionMissing, after which ``state`` says so."""
        body: dict[str, object] = {
            "to": mail.to,
            "to_name": header_text(mail.to_name),
            "subject": header_text(mail.subject),
            "text": mail.text,
            "html": mail.html,
            "message_id": mail.message_id,
            "language": mail.language,
        }
        answer = self._calls.send("POST", "", f"{PATH}/mail", body)
        if answer is None:
            self._found("missing")
            raise CompanionMissing
        match answer.get("outcome") if isinstance(answer, dict) else None:
            case "accepted":
                return
            case "refused":
                raise MailRefused(str(answer.get("reason") or "refused")[:100])
            case _:
                raise HostUnavailable("mail-later")

    def _ask(self) -> State:
        try:
            answer = self._calls.get("", f"{PATH}/status")
        except HostUnavailable:
            # Nextcloud 32 answers 500 for an app that was disabled a moment ago
            return "broken" if self._host_answers() else self._state
        if answer is None:
            return "missing"
        version = answer.get("version") if isinstance(answer, dict) else None
        return "ok" if _numbers(version) >= OLDEST else "older"

    def _host_answers(self) -> bool:
        try:
            return self._calls.get("", "/cloud/capabilities") is not None
        except HostUnavailable:
            return False

    def _found(self, state: State) -> None:
        with self._lock:
            before, self._state = self._state, state
        if state != before:
            _log.info("companion", state=state, before=before)


class ChosenMailer:
    """The ``Mailer`` port. ``wanted``: host, smtp, or auto: the host where the companion is there, else SMTP."""

    def __init__(self, wanted: Literal["auto", "host", "smtp"], companion: Companion, smtp: Mailer) -> None:
        self._wanted = wanted
        self._companion = companion
        self._smtp = smtp
        self._failing: str | None = None

    def send(self, mail: Mail) -> None:
        try:
            self._send(mail)
        except HostUnavailable as error:
            self._failing = error.code
            raise
        self._failing = None

    def problem(self) -> Finding | None:
        """Why mails do not go out now, as far as is known: for the health page."""
        if self._wanted == "host" and (state := self._companion.state()) not in ("ok", "unknown"):
            words = f"mails go through the companion app alone, and that is {state}: they wait until it works"
            return Finding("mail-needs-companion", words)
        if self._failing is None:
            return None
        return Finding("mail-not-taken", f"the last mail was not taken ({self._failing}): it is tried again by itself")

    def _send(self, mail: Mail) -> None:
        if self._wanted == "smtp":
            return self._smtp.send(mail)
        state = self._companion.state()
        if state == "unknown":
            raise HostUnavailable  # the host does not answer: which way is right will be known when it does
        if state == "ok":
            try:
                return self._companion.send(mail)
            except CompanionMissing:
                if self._wanted == "host":
                    raise
        elif self._wanted == "host":
            raise CompanionMissing
        return self._smtp.send(mail)


def _numbers(version: object) -> tuple[int, ...]:
    """``1.2.0-beta`` -> (1, 2, 0); () for what is no version, older than all."""
    parts = str(version or "").partition("-")[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else ()

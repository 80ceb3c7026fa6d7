"""Mails through the host's mailer: on the embedded host's companion, and on a host that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from plugin.adapters.appapi import AppApi
from plugin.adapters.host_mail import LOOK_EVERY_S, ChosenMailer, Companion
from plugin.adapters.ocs_calls import OcsCalls
from plugin.demo.host import EmbeddedHost
from plugin.flow.errors import HostUnavailable
from plugin.ports import Mail, MailRefused
from tests.dav.conftest import SECRET
from tests.dav.scripted import Answer, Script, scripted
from tests.dav.test_directory import enveloped

MAIL = Mail(
    to="zoe@example.org",
    to_name="Zoé\r\nBcc: x@example.org",
    subject="À signer\n: 100 %",
    text="Bonjour",
    html="<p>Bonjour</p>",
    language="fr",
    message_id="<invitation.f.r1.1@example.org>",
    at=datetime(2026, 1, 1, tzinfo=UTC),
)
MISSING = Answer(
    404,
    b'{"ocs": {"meta": {"status": "failure", "statuscode": 998}, "data": []}}',
    (("Content-Type", "application/json"),),
)
THERE = enveloped(b'{"version": "0.1.0"}')
ACCEPTED = enveloped(b'{"version": "0.1.0", "outcome": "accepted"}')


class Smtp:
    """The other way."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.sent.append(mail)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as told:
        yield told


@pytest.fixture
def smtp() -> Smtp:
    return Smtp()


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def companion(script: Script, clock: Time) -> Companion:
    return Companion(OcsCalls(script.url, AppApi("s", "0.1.0"), (1.0, 1.0)), clock)


def test_the_host_hands_over_what_it_is_given(host: EmbeddedHost, smtp: Smtp) -> None:
    companion = Companion(OcsCalls(host.url, AppApi(SECRET, "0.1.0")))
    ChosenMailer("auto", companion, smtp).send(MAIL)
    kept = host.mailbox.mails()[-1]
    assert (kept["to"], kept["subject"], kept["message_id"]) == (
        "zoe@example.org",
        "À signer : 100 %",
        "<invitation.f.r1.1@example.org>",
    )
    assert smtp.sent == []


def test_an_address_that_cannot_be_is_refused_for_good(script: Script, companion: Companion, smtp: Smtp) -> None:
    script.answers = [THERE, enveloped(b'{"outcome": "refused", "reason": "bad-address"}')]
    with pytest.raises(MailRefused) as refused:
        ChosenMailer("auto", companion, smtp).send(MAIL)
    assert refused.value.reason == "bad-address"
    assert smtp.sent == []


def test_a_host_whose_mailer_fails_is_asked_again_and_the_health_page_knows(
    script: Script, companion: Companion, smtp: Smtp
) -> None:
    mailer = ChosenMailer("auto", companion, smtp)
    script.answers = [THERE, enveloped(b'{"outcome": "later"}'), ACCEPTED]
    with pytest.raises(HostUnavailable, match="mail-later"):
        mailer.send(MAIL)
    assert str(mailer.problem()).startswith("mail-not-taken: ")
    assert "mail-later" in str(mailer.problem())
    mailer.send(MAIL)
    assert mailer.problem() is None
    assert smtp.sent == []


@pytest.mark.parametrize(
    "told", [MISSING, enveloped(b'{"version": "0.0.9"}'), enveloped(b'{"version": "x"}'), enveloped(b"[]")]
)
def test_without_a_fitting_companion_mails_go_by_smtp(
    script: Script, companion: Companion, smtp: Smtp, told: Answer
) -> None:
    script.answers = [told]
    ChosenMailer("auto", companion, smtp).send(MAIL)
    assert smtp.sent == [MAIL]
    assert [method for method, *_ in script.seen] == ["GET"]
    assert companion.state() == ("missing" if told is MISSING else "older")


def test_a_companion_that_was_just_disabled_loses_no_mail(script: Script, companion: Companion, smtp: Smtp) -> None:
    script.answers = [THERE, MISSING]
    ChosenMailer("auto", companion, smtp).send(MAIL)
    assert smtp.sent == [MAIL]
    assert companion.state() == "missing"


def test_one_that_was_installed_since_is_noticed_within_a_minute(
    script: Script, companion: Companion, smtp: Smtp, clock: Time
) -> None:
    mailer = ChosenMailer("auto", companion, smtp)
    script.answers = [MISSING, THERE, ACCEPTED]
    mailer.send(MAIL)
    mailer.send(MAIL)
    assert len(script.seen) == 1
    clock.now += LOOK_EVERY_S
    mailer.send(MAIL)
    assert len(smtp.sent) == 2
    assert json.loads(script.seen[-1][3])["message_id"] == MAIL.message_id


def test_a_host_that_is_out_changes_nothing_that_was_known(
    script: Script, companion: Companion, smtp: Smtp, clock: Time
) -> None:
    script.answers = [MISSING, Answer(503)]
    mailer = ChosenMailer("auto", companion, smtp)
    mailer.send(MAIL)
    clock.now += LOOK_EVERY_S
    mailer.send(MAIL)
    assert len(smtp.sent) == 2


def test_a_companion_that_fails_on_a_host_that_answers_is_done_without(
    script: Script, companion: Companion, smtp: Smtp
) -> None:
    script.answers = [Answer(500), Answer(500), Answer(500), enveloped(b'{"version": {}}')]
    ChosenMailer("auto", companion, smtp).send(MAIL)
    assert companion.state() == "broken"
    assert smtp.sent == [MAIL]


def test_before_the_host_has_ever_answered_mails_wait(script: Script, companion: Companion, smtp: Smtp) -> None:
    script.answers = [Answer(503)]
    with pytest.raises(HostUnavailable):
        ChosenMailer("auto", companion, smtp).send(MAIL)
    assert smtp.sent == []


def test_with_the_host_alone_nothing_goes_another_way(script: Script, companion: Companion, smtp: Smtp) -> None:
    script.answers = [MISSING]
    mailer = ChosenMailer("host", companion, smtp)
    with pytest.raises(HostUnavailable):
        mailer.send(MAIL)
    assert smtp.sent == []
    assert str(mailer.problem()).startswith("mail-needs-companion: ")
    assert "missing" in str(mailer.problem())


def test_with_smtp_alone_the_host_is_not_asked(script: Script, companion: Companion, smtp: Smtp) -> None:
    ChosenMailer("smtp", companion, smtp).send(MAIL)
    assert smtp.sent == [MAIL]
    assert script.seen == []

"""What the evidence record says of flows of every kind, without a platform: from their events alone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pdfops.sandbox import Workshop
from plugin.actions.evidence import evidence
from plugin.dossier import dossier
from plugin.flow.codec import to_data
from plugin.flow.commands import Cancel, Delegate, Erase, Extend, Finish, NewLink, RecordMail, Remind, Replace
from plugin.flow.events import AskedRecipient
from plugin.flow.model import CREATOR, By, MailKind, Personal, Role, SignedCopy
from plugin.ports_state import Loaded, Record, StatePlace
from tests.flow.builders import (
    Story,
    approving,
    order,
    person,
    recipient,
    refusing,
    shown,
    signing,
    trace,
    viewing,
)
from tests.flow.test_steps import stepped
from tests.pdfops import samples

SHOTS = Path("shots") if os.environ.get("PARAPHEUR_SHOTS") else None
V, S, C = Role.VALIDATOR, Role.SIGNATORY, Role.OBSERVER


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop(children=1) as one:
        yield one


def context(story: Story) -> Any:
    """As much of a Context as a record is made of."""
    signer = samples.organisation()
    identity = SimpleNamespace(organisation="Mairie d’Étampes", kid="k1", key_statement={}, sign=lambda _: b"sig")
    vault = SimpleNamespace(opened=lambda _: {})
    clock = lambda: story.time  # noqa: E731 - shorter than a function, and used below
    return SimpleNamespace(clock=clock, version="0", identity=identity, signer=signer, lasting=None, vault=vault)


def loaded(story: Story) -> Loaded:
    records = tuple(
        Record(number, at, event.type, _actor(event), _as_read(to_data(event), story.now.erased))
        for number, (event, at) in enumerate(story.events, start=1)
    )
    return Loaded(story.now, records, "ab" * 32, len(records), StatePlace("alice", ".flows/x/flow.jsonl"))


def _as_read(value: Any, erased: frozenset[str]) -> Any:
    """As the chain is read once somebody's salt is gone."""
    if isinstance(value, Personal):
        return replace(value, value=None) if value.person in erased else value
    if isinstance(value, dict):
        return {name: _as_read(member, erased) for name, member in value.items()}
    return [_as_read(item, erased) for item in value] if isinstance(value, list) else value


def _actor(event: Any) -> str:
    if event.type in ("recipient.signed", "recipient.approved", "recipient.refused", "recipient.viewed"):
        return f"recipient:{event.recipient}"
    return str(getattr(event, "by", "creator" if event.type == "flow.launched" else "system"))


def said(story: Story, workshop: Workshop, language: str, name: str) -> str:
    record = evidence(context(story), loaded(story), beside=True)
    data = dossier(record, language, "https://sign.example/verify", workshop, samples.organisation())
    if SHOTS is not None:
        SHOTS.mkdir(exist_ok=True)
        to = SHOTS / f"evidence-{name}-{language}"
        subprocess.run(["pdftoppm", "-r", "80", "-png", "-", str(to)], input=data, check=True)
    done = subprocess.run(["pdftotext", "-layout", "-", "-"], input=data, capture_output=True, check=True)
    return re.sub(r"\s+", " ", done.stdout.decode())


def someone(story: Story, old: str, name: str) -> AskedRecipient:
    new = story.now.next_recipient_id
    asked = recipient(int(new[1:]), story.now.recipient(old).role)
    return replace(asked, last_name=Personal(new, name))


def finished(story: Story) -> Story:
    copies = tuple(
        SignedCopy(d.n, "9", Personal(CREATOR, f"Contrats/{d.name.value}"), d.current_sha256)
        for d in story.now.documents
    )
    story.do(Finish(copies))
    story.do(RecordMail(MailKind.COMPLETED, CREATOR, 0, "<1@x>"))
    return story


def approved() -> Story:
    story = Story(order([V, V], documents=2))
    story.do(viewing("r1", 0, 1))
    story.do(approving(story.now, "r1"))
    story.do(approving(story.now, "r2"))
    return story


def parallel() -> Story:
    """Validators of whom one is enough, then two of three signatories; an observer."""
    launch = order([V, V, S, S, S, C], documents=2)
    story = Story(stepped(launch, ("any", "r1 r2"), ("2", "r3 r4 r5")))
    story.do(approving(story.now, "r2"))
    for asked in ("r3", "r4", "r5"):
        story.do(RecordMail(MailKind.INVITATION, asked, 1, "<1@x>"))
    story.do(Remind(None, By.CREATOR), story.time + timedelta(hours=2))
    story.do(signing(story.now, "r4"))
    story.do(signing(story.now, "r3"))
    return finished(story)


def exchanged() -> Story:
    """One replaced, one who delegates, a new link, a deadline that is moved."""
    launch = replace(order([S, S, S]), allow_delegation=True)
    story = Story(replace(launch, expires_at=story_time(launch) + timedelta(days=3)))
    story.do(RecordMail(MailKind.INVITATION, "r1", 1, "", "address refused"))
    story.do(Replace("r1", someone(story, "r1", "Max"), By.CREATOR))
    story.do(NewLink("r4", By.ADMIN), story.time + timedelta(hours=1))
    story.do(Extend(story.time + timedelta(days=9), By.CREATOR))
    story.do(signing(story.now, "r4"))
    new = someone(story, "r2", "Lou")
    story.do(Delegate("r2", new, person("r2", "En congé."), trace("r2")))
    story.do(signing(story.now, "r5"))
    story.do(signing(story.now, "r3"))
    return finished(story)


def story_time(launch: Any) -> Any:
    return Story(launch).time


def declined() -> Story:
    story = Story(order([V, S]))
    story.do(refusing("r1", "Le montant est faux, et la date aussi."))
    return story


def called_off() -> Story:
    story = Story(order([S, S]))
    story.do(signing(story.now, "r1"))
    story.do(Cancel(person(CREATOR, "Annulé par le conseil."), By.CREATOR))
    return story


def erased() -> Story:
    story = approved()
    story.do(Erase("r1", By.ADMIN))
    story.do(Erase(CREATOR, By.ADMIN))
    return story


CASES: dict[str, tuple[Callable[[], Story], list[str], list[str]]] = {
    "approved": (
        approved,
        [
            "Validation de document",
            "Validateurs",
            "validé 09/03/2026 10:02:00",
            "Terminé",
            "Bon.",
            "Empreinte SHA-256",
        ],
        ["Avant", "copies déposées", "Signataires", "signature", "Adresse IP"],
    ),
    "parallel": (
        parallel,
        ["Destinataires", "1 (1 sur 2)", "2 (2 sur 3)", "reçoit les copies", "n° 1 · par l’expéditeur", "5 personnes"],
        ["Validateurs"],
    ),
    "exchanged": (
        exchanged,
        [
            "remplacé par Max",
            "transmis à Lou",
            "Lou · En congé.",
            "invitation · address refused",
            "par un administrateur",
            "Signataires",
            "3 personnes",
        ],
        [],
    ),
    "declined": (declined, ["Refusé", "jamais sollicité", "Le montant est faux, et la date aussi."], []),
    "called_off": (called_off, ["Annulé", "par l’expéditeur · Annulé par le conseil."], []),
    "erased": (
        erased,
        ["(effacé)", "Données personnelles effacées"],
        ["Nom 1", "alice", "Project-Id", "Content-Type"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_says_of_every_kind_of_flow_what_happened(workshop: Workshop, name: str) -> None:
    make, words, none_of = CASES[name]
    story = make()
    text = said(story, workshop, "fr", name)
    for word in words:
        assert word in text, (word, text)
    for word in none_of:
        assert word not in text, word
    assert str(story.now.id) in text
    assert "Evidence record" in said(story, workshop, "en", name)
    assert len(shown(story.now)) == len(story.now.documents)

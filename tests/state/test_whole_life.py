"""A flow's whole life on the real actions, store, index and vault, while jobs are lost, come twice, late, or in
another order, mail server and host are out now and then or swallow an answer, and days pass: the outside sees each
effect once.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from plugin.actions.cancel import cancel
from plugin.actions.context import Context, Limits
from plugin.actions.deliver import HANDED_OVER
from plugin.actions.extend import extend
from plugin.actions.remind import remind
from plugin.actions.renew import renew
from plugin.actions.resume import resume
from plugin.actions.suspend import suspend
from plugin.actions.sweep import look_at, sweep
from plugin.adapters.blobs import FolderBlobs
from plugin.flow.commands import Approve, Refuse, Sign
from plugin.flow.decide import decide
from plugin.flow.errors import HostUnavailable, ParapheurError
from plugin.flow.model import By, Role, SuspendReason, Suspension
from plugin.ports import Account, Mail
from plugin.ports_bell import Notice
from plugin.ports_state import Loaded
from tests.flow.builders import approving, order, person, refusing, signing
from tests.state import independent_verifier
from tests.state.world import FaultyFiles, World, lose_reply, place

BEGUN = datetime.fromisoformat("2026-03-09T09:00:00+00:00")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FOLDER = "Contracts"


@dataclass
class Post:
    """The mail server and the bell, as people see them. ``is_out``: takes nothing."""

    is_out: bool = False
    mails: Counter[str] = field(default_factory=Counter)
    rung: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def send(self, mail: Mail) -> None:
        if self.is_out:
            raise HostUnavailable
        self.mails[mail.message_id] += 1

    def ring(self, notice: Notice) -> None:
        self.rung[notice.user, notice.what, notice.text] += 1

    def hush(self, user: str, what: str, flow_id: str) -> None:
        """Nobody looks at the bell here."""


@dataclass
class Queue:
    """The jobs that were asked for."""

    chance: random.Random
    waiting: list[str] = field(default_factory=list)

    def look_at(self, flow_id: str) -> None:
        for _ in range(self.chance.choice([0, 1, 1, 2])):  # lost, once, twice
            self.waiting.insert(self.chance.randint(0, len(self.waiting)), flow_id)

    def look_after(self, flow_id: str) -> None:
        """The patrol is not at work here."""


class ActiveAccounts:
    def id(self, uid: str, *, fresh: bool = False) -> str | None:
        return uid

    def state(self, uid: str, known_id: str | None) -> Account:
        return Account.ACTIVE


def message_id(flow_id: str, *key: object) -> str:
    return f"<{'.'.join(map(str, key))}.{flow_id}@x>"


class Life:
    def __init__(self, data: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.at = BEGUN
        self.post, self.queue = Post(), Queue(self.chance)
        self.files = FaultyFiles()
        self.world = World(data, self.files)
        nowhere = cast("Any", None)  # what no job of these flows reaches for
        self.ctx = Context(
            files=self.files,
            directory=nowhere,
            accounts=ActiveAccounts(),
            flows=self.world.store,
            index=self.world.index,
            vault=self.world.vault,
            blobs=FolderBlobs(data / "cache", 1_000_000),
            jobs=self.queue,
            mailer=self.post,
            compose=lambda loaded, work: Mail(
                "a@x",
                "A",
                "s",
                "t",
                "h",
                "fr",
                message_id(loaded.flow.id, work.mail, work.person, work.round),
                self.at,
            ),
            bell=self.post,
            notice=lambda loaded, work: Notice(work.person, str(work.mail), loaded.flow.id, str(work.round), "", ""),
            workshop=nowhere,
            signer=nowhere,
            lasting=None,
            wording=nowhere,
            identity=nowhere,
            limits=Limits(),
            clock=lambda: self.at,
            default_language="fr",
            default_time_zone="UTC",
            version="0",
        )
        self.flow_id = self.launch()

    def launch(self) -> str:
        """A few people in turn; the originals and the prepared revisions are a few bytes each."""
        role = self.chance.choice([Role.VALIDATOR, Role.SIGNATORY])
        asked = order([role] * self.chance.randint(1, 4), 2, copy_to_all=True)
        documents = []
        for document in asked.documents:
            prepared = f"prepared {document.n}".encode() if role is Role.SIGNATORY else None
            sha256 = hashlib.sha256(prepared).hexdigest() if prepared else None
            if prepared:
                self.put(sha256 or "", prepared, asked.flow_id)
            documents.append(replace(document, folder=person("creator", FOLDER), prepared_sha256=sha256))
        asked = replace(
            asked,
            documents=tuple(documents),
            time_zone="UTC",
            expires_at=self.chance.choice([None, BEGUN + 12 * DAY]),
            remind_every_days=self.chance.choice([None, 2]),
        )
        self.files.make_folder("alice", FOLDER)
        self.world.store.create(place(asked.flow_id, FOLDER), decide(None, asked, self.at), self.at)
        self.queue.look_at(asked.flow_id)
        return asked.flow_id

    def put(self, name: str, data: bytes, flow_id: str) -> None:
        folder = f"{FOLDER}/.flows/{flow_id}"
        self.files.make_folder("alice", folder)
        self.files.plant(f"{folder}/{name}", data)

    @property
    def loaded(self) -> Loaded:
        found = self.world.store.load(self.flow_id)
        assert found is not None
        return found

    def decided(self, recipient: str, *, refuses: bool = False) -> None:
        """As the page would send it; what a seal is made of does not matter here."""
        flow = self.loaded.flow
        command: Approve | Sign | Refuse
        if refuses:
            command = refusing(recipient)
        elif flow.recipient(recipient).role is Role.VALIDATOR:
            command = approving(flow, recipient)
        else:
            command = signing(flow, recipient)
            sealed = []
            for revision in command.sealed or ():
                data = f"{revision.shown_sha256} sealed for {recipient}".encode()
                sha256 = hashlib.sha256(data).hexdigest()
                self.put(sha256, data, self.flow_id)
                sealed.append(replace(revision, sha256=sha256, size_bytes=len(data)))
            command = replace(command, sealed=tuple(sealed))
        with self.world.store.lease(self.flow_id) as lease:
            events = decide(self.loaded.flow, command, self.at)
            self.world.store.append(self.loaded, lease, events, f"recipient:{recipient}", self.at)
        self.queue.look_at(self.flow_id)

    def somebody_acts(self) -> None:
        chance, ctx, flow = self.chance, self.ctx, self.loaded.flow
        asked = [r.id for r in flow.recipients if r.state.is_open] or ["r1"]
        who = chance.choice(asked)
        match chance.randint(0, 9):
            case 0 | 1 | 2:
                self.decided(who)
            case 3 | 4:
                remind(ctx, self.flow_id, None, By.CREATOR)
            case 5:
                renew(ctx, self.flow_id, who, By.CREATOR)
            case 6:
                extend(ctx, self.flow_id, self.at + 20 * DAY, By.CREATOR)
            case 7:
                suspend(ctx, self.flow_id, Suspension(SuspendReason.NO_ACCESS, self.at))
            case 8:
                resume(ctx, self.flow_id, "continue", "creator")
            case _ if chance.random() < 0.3:
                self.decided(who, refuses=True)
            case _ if chance.random() < 0.3:
                cancel(ctx, self.flow_id, "Obsolète.", By.CREATOR)

    def one_job(self) -> None:
        if self.queue.waiting:
            look_at(self.ctx, self.queue.waiting.pop(self.chance.randrange(len(self.queue.waiting))))

    @contextmanager
    def host_out_sometimes(self) -> Iterator[None]:
        """Or its answer to a write of the state file is lost, after it was applied."""
        if self.chance.random() < 0.15:
            self.files.failing = HostUnavailable()
        elif self.chance.random() < 0.15:
            self.files.after_write = lose_reply
        try:
            with suppress(ParapheurError):
                yield
        finally:
            self.files.failing = self.files.after_write = None

    def storm(self) -> None:
        for _ in range(45):
            self.at += self.chance.choice([timedelta(seconds=1), MINUTE, MINUTE, timedelta(hours=6), DAY])
            self.post.is_out = self.chance.random() < 0.2
            with self.host_out_sometimes():
                match self.chance.randint(0, 5):
                    case 0 | 1:
                        self.somebody_acts()
                    case 2 | 3 | 4:
                        self.one_job()
                    case _:
                        sweep(self.ctx)

    def calm(self) -> None:
        """Everybody says yes; then the sweep alone, until it finds nothing more to do, however late."""
        self.post.is_out = False
        for _ in range(60):
            for r in self.loaded.flow.recipients:
                if self.loaded.flow.recipient(r.id).state.is_open:
                    with suppress(ParapheurError):
                        self.decided(r.id)
            with suppress(ParapheurError):
                resume(self.ctx, self.flow_id, "continue", "creator")
            self.at += timedelta(hours=3)
            sweep(self.ctx)
            if self.loaded.flow.state.is_ended and not self.is_owed():
                break
        while self.queue.waiting:  # what was asked for long ago
            self.one_job()

    def is_owed(self) -> bool:
        later = self.at + 999 * DAY
        return bool(self.world.index.due(later, 10) or self.world.vault.put_off(HANDED_OVER, later))


@pytest.mark.parametrize("seed", range(8))
def test_the_outside_sees_each_effect_once_whatever_becomes_of_the_jobs(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path, seed)
    life.storm()
    life.calm()
    flow = life.loaded.flow
    assert flow.state.is_ended
    assert not life.is_owed()
    assert set(life.post.mails.values()) == {1}, life.post.mails
    recorded = [message_id(life.flow_id, m.mail, m.person, str(m.round)) for m in flow.mails]
    assert sorted(life.post.mails) == sorted(recorded)
    assert set(life.post.rung.values()) == {1}, life.post.rung
    copies = [info.name for info in life.files.list("alice", FOLDER) if not info.is_folder]
    signed = flow.state == "completed" and any(d.revisions for d in flow.documents)
    assert len(copies) == (2 if signed else 0), copies
    assert {d.signed is not None for d in flow.documents} == {signed}
    state = life.world.state(life.flow_id, FOLDER)
    assert independent_verifier.verify(state, life.flow_id) == (life.loaded.head, life.loaded.length)
    life.world.close()

"""Many flows in every state and shape, written by the product's own chain code: lines, signatures, salts are real."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plugin.adapters import chain as lines
from plugin.adapters.index import Row
from plugin.adapters.keys import Keys
from plugin.adapters.personal import Curtain, wrap_salts
from plugin.adapters.reader import Read, Reader
from plugin.adapters.vault import Anchor
from plugin.flow.events import (
    FORMAT,
    Approved,
    AskedRecipient,
    AskedStep,
    Completed,
    Consent,
    Event,
    Invited,
    Launched,
    MailAccepted,
    MailFailed,
    PinnedDocument,
    RefusedByRecipient,
    Resumed,
    SealedRevision,
    ShownRevision,
    Signed,
    Suspended,
    Trace,
    Viewed,
)
from plugin.flow.model import CREATOR, Creator, Kind, MailKind, Personal, Role, SignedCopy, SuspendReason
from plugin.ports_files import FileInfo
from plugin.ports_state import StatePlace
from tests.state.world import World

BEGUN = dt.datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=dt.UTC)
USERS = ("alice", "bob", "carol")
FOLDERS = ("", "Contracts", "Baux d’été/2026", "Dossiers/Ventes/Été 2025", "100% à signer")
_WORDS = ("bail", "avenant", "procès-verbal", "mandat", "offre", "Übergabe", "договор", "契約", "naïve", "100%", "f_x")
_NAMES = ("Zoé Quintard", "Łukasz Żak", "O'Neill", "Nguyễn Thị", "李 雷", "Åse Ødegård")


@dataclass(frozen=True, slots=True)
class Made:
    """One flow as it lies on a host."""

    place: StatePlace
    read: Read
    salts_file: bytes

    @property
    def log(self) -> bytes:
        return self.read.chain.log


def flow_id(number: int) -> str:
    return f"01957c1e-7a00-7000-8000-{number:012x}"


def many(keys: Keys, numbers: range, seed: int = 1) -> Iterator[Made]:
    """The same numbers give the same people and acts; salts and nonces are new each time."""
    reader = Reader(keys.public_keys, Curtain(keys))
    return (_made(keys, reader, number, random.Random(seed * 1_000_003 + number)) for number in numbers)


def fill(world: World, count: int) -> list[Made]:
    """As if all of them had been made there."""
    made = list(many(world.keys, range(count)))
    for one in made:
        owner, folder = one.place.owner, one.place.folder
        world.files.make_folder(owner, folder)
        world.files.plant(f"{folder}/salts.json", one.salts_file, owner)
        world.files.plant(one.place.path, one.log, owner)
    note(world, made, {user: world.files.find_by_name(user, "flow.jsonl") or [] for user in USERS})
    return made


def note(world: World, made: Sequence[Made], found: Mapping[str, Sequence[FileInfo]]) -> None:
    """Into vault and index. ``found``: the state files as the host shows them, by owner."""
    infos = {(user, info.path): info for user, there in found.items() for info in there}
    rows = [(one, infos[one.place.owner, one.place.path]) for one in made]
    with world.database.both_writing() as (vault, index):
        for one, info in rows:
            chain = one.read.chain
            anchor = Anchor(chain.flow_id, chain.head, chain.length, chain.fence, one.place, info.file_id)
            world.vault.put_anchor(vault, anchor)
        world.vault.put_salts_of(vault, {one.read.chain.flow_id: one.read.salts for one in made})
        world.index.put_all(index, [Row(one.read.loaded, one.log, info.etag) for one, info in rows])


def _made(keys: Keys, reader: Reader, number: int, dice: random.Random) -> Made:
    owner = USERS[number % len(USERS)]
    folder = dice.choice(FOLDERS)
    own = f".flows/{flow_id(number)}/flow.jsonl"
    place = StatePlace(owner, f"{folder}/{own}" if folder else own)
    key = {"jwk": dict(keys.active.jwk), "signature": keys.jwk_signature, "certificate": "MII" + "A" * 900}
    at, chain = BEGUN + dt.timedelta(minutes=number), None
    salts: dict[str, bytes] = {}
    for fence, (events, actor) in enumerate(life(number, owner, folder, dice), 1):
        drafts, new = reader.drafts(events, actor, chain, salts, keys.active.kid, lambda: key)
        salts |= new
        log = (chain.log if chain else b"") + lines.written(chain, drafts, keys.active, fence, at)
        chain = lines.verified(log, keys.public_keys, flow_id(number), chain)
        at += dt.timedelta(seconds=dice.randrange(1, 100_000))
    assert chain is not None
    read = reader.read(flow_id(number), chain.log, salts, place)
    return Made(place, read, wrap_salts(keys, flow_id(number), salts))


def life(number: int, owner: str, folder: str, dice: random.Random) -> Iterator[tuple[Sequence[Event], str]]:
    """(events of one append, actor), up to where this flow stands."""
    signs = dice.random() < 0.4
    documents = tuple(_document(n, number, folder, dice, signs) for n in range(1 + min(3, int(dice.expovariate(1)))))
    recipients = tuple(_recipient(n, owner, dice, signs) for n in range(1, 2 + min(9, int(dice.expovariate(0.6)))))
    shown = tuple(ShownRevision(d.n, d.prepared_sha256 or d.sha256) for d in documents)
    yield [_launched(number, owner, documents, recipients, dice, signs), Invited("r1", 1, shown)], "creator"
    yield [MailAccepted(MailKind.INVITATION, "r1", 1, f"<{number}.r1@example.org>")], "system"
    if dice.random() < 0.1:
        yield [Suspended(SuspendReason.NO_ACCESS, lines.instant(BEGUN))], "system"
        if dice.random() < 0.3:
            return
        yield [Resumed("continue")], "system"
    stops_at = dice.choice((0, 1, len(recipients), len(recipients), len(recipients)))
    for turn, asked in enumerate(recipients):
        if turn == stops_at:
            return
        actor = f"recipient:{asked.id}"
        if dice.random() < 0.8:
            yield [Viewed(asked.id, 1, tuple(d.n for d in documents))], actor
        trace = Trace(
            Personal(asked.id, f"192.0.2.{dice.randrange(256)}"), "proxy", Personal(asked.id, "Firefox"), _sha(dice)
        )
        if dice.random() < 0.1:
            yield [RefusedByRecipient(asked.id, 1, Personal(asked.id, _text(dice, 12)), trace)], actor
            yield [MailFailed(MailKind.REFUSED, CREATOR, 0, "mailbox unavailable")], "system"
            return
        act: Event
        if asked.role is Role.SIGNATORY:
            sealed = tuple(SealedRevision(s.n, s.sha256, _sha(dice), 90_000 + number) for s in shown)
            consent = Consent("J’accepte de signer ces documents.", "fr", _sha(dice))
            act = Signed(asked.id, 1, sealed, "drawn", _sha(dice), consent, trace)
            shown = tuple(ShownRevision(s.n, s.sha256) for s in sealed)
        else:
            comment = Personal(asked.id, _text(dice, 8)) if dice.random() < 0.5 else None
            act = Approved(asked.id, 1, shown, comment, trace)
        following = recipients[turn + 1 : turn + 2]
        yield [act, *(Invited(r.id, 1, shown) for r in following)], actor
        for one in following:
            yield [MailAccepted(MailKind.INVITATION, one.id, 1, f"<{number}.{one.id}@example.org>")], "system"
    if dice.random() < 0.1:
        return  # owes its end
    copies = (
        tuple(
            SignedCopy(s.n, str(900_000 + number * 5 + s.n), Personal(CREATOR, f"x {s.n} (signé).pdf"), s.sha256)
            for s in shown
        )
        if signs
        else ()
    )
    yield [Completed(copies)], "system"
    yield [MailAccepted(MailKind.COMPLETED, CREATOR, 0, f"<{number}.end@example.org>")], "system"


def _launched(
    number: int,
    owner: str,
    documents: tuple[PinnedDocument, ...],
    recipients: tuple[AskedRecipient, ...],
    dice: random.Random,
    signs: bool,
) -> Launched:
    return Launched(
        format=FORMAT,
        flow_id=flow_id(number),
        kind=Kind.SIGNATURE if signs else Kind.VALIDATION,
        title=Personal(CREATOR, f"{_text(dice, 3)} {number}"),
        creator=Creator(
            Personal(CREATOR, owner),
            Personal(CREATOR, f"{owner.title()} Martin"),
            Personal(CREATOR, f"{owner}@example.org"),
        ),
        language=dice.choice(("fr", "en")),
        time_zone="Europe/Paris",
        comment=Personal(CREATOR, _text(dice, 40)) if dice.random() < 0.6 else None,
        copy_to_all=dice.random() < 0.5,
        documents=documents,
        recipients=recipients,
        steps=tuple(AskedStep("all", (recipient.id,)) for recipient in recipients),
        placements=(),
        request_key=_sha(dice) if dice.random() < 0.5 else None,
    )


def _document(n: int, number: int, folder: str, dice: random.Random, signs: bool) -> PinnedDocument:
    return PinnedDocument(
        n=n,
        file_id=str(1000 + number * 5 + n),
        name=Personal(CREATOR, f"{_text(dice, 2)}.pdf"),
        folder=Personal(CREATOR, folder),
        size_bytes=dice.randrange(1, 15_000_000),
        mime="application/pdf",
        sha256=_sha(dice),
        pages=3 if signs else None,
        page_sizes=(),
        prepared_sha256=_sha(dice) if signs else None,
        kept_at_home=False,
    )


def _recipient(n: int, owner: str, dice: random.Random, signs: bool) -> AskedRecipient:
    me, inside = f"r{n}", dice.random() < 0.5
    first, _, last = dice.choice(_NAMES).partition(" ")
    user = dice.choice([uid for uid in USERS if uid != owner])
    return AskedRecipient(
        id=me,
        role=Role.SIGNATORY if signs and dice.random() < 0.8 else Role.VALIDATOR,
        user=Personal(me, user) if inside else None,
        email=Personal(me, f"{user if inside else f'p{dice.randrange(10**6)}'}@example.org"),
        first_name=Personal(me, first),
        last_name=Personal(me, last),
        language="fr",
        message=Personal(CREATOR, _text(dice, 10)) if dice.random() < 0.3 else None,
    )


def _text(dice: random.Random, words: int) -> str:
    return " ".join(dice.choice(_WORDS) for _ in range(dice.randrange(1, words + 1)))


def _sha(dice: random.Random) -> str:
    return hashlib.sha256(dice.randbytes(8)).hexdigest()

"""A whole store over files in memory, and hosts that fail in the ways real ones do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from pdfops.signer import KeySigner
from plugin.adapters.adoption import Adoption
from plugin.adapters.index import SqlIndex
from plugin.adapters.keys import Keys
from plugin.adapters.leases import Leases
from plugin.adapters.refill import Refill
from plugin.adapters.sql import Database
from plugin.adapters.store import Store
from plugin.adapters.vault import SqlVault
from plugin.flow.commands import Approve, Launch, View
from plugin.flow.decide import decide
from plugin.flow.errors import HostUnavailable
from plugin.flow.events import AskedRecipient, AskedStep, Event, MailAccepted, PersonErased, PinnedDocument, Trace
from plugin.flow.model import CREATOR, By, Creator, Kind, MailKind, Personal, Role
from plugin.ports import Account
from plugin.ports_files import PreconditionFailed, Written
from plugin.ports_state import Loaded, StatePlace
from tests.fakes import MemoryFiles
from tests.state import independent_verifier

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=dt.UTC)
FOLDER = "Contracts"
FLOW_ID = "01957c1e-7a00-7000-8000-000000000001"
TITLE, COMMENT, NAME, ADDRESS = "Bail commercial Lefèvre", "Merci de valider", "Zoé Quintard", "zoe@quintard.example"


@cache
def certificate(organisation: str) -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, made.public_bytes(serialization.Encoding.PEM)


class SameAccounts:
    """``plugin.ports.Accounts`` of a host where nobody is ever deleted."""

    def id(self, uid: str, *, fresh: bool = False) -> str | None:
        return uid

    def state(self, uid: str, known_id: str | None) -> Account:
        return Account.ACTIVE


@dataclass
class FaultyFiles(MemoryFiles):
    """``before_write`` and ``after_write`` are called once with the path of a PUT, ``before_read`` with that of every
    GET; what they raise, it answers."""

    before_write: Callable[[str, bytes], None] | None = None
    after_write: Callable[[str, bytes], None] | None = None
    hashes_writes: bool = True
    refuses_conditions: bool = False
    """As Apache does for a second after a write: its ETag is weak then, and matches nothing."""
    writes: list[str] = field(default_factory=list)
    before_read: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def read_with_etag(self, user: str, path: str) -> tuple[bytes, str] | None:
        if self.before_read is not None:
            self.before_read(path)
        return super().read_with_etag(user, path)

    def write(
        self,
        user: str,
        path: str,
        data: bytes,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        make_folders: bool = False,
    ) -> Written:
        if self.before_write is not None and path.endswith("flow.jsonl"):
            hook, self.before_write = self.before_write, None
            hook(path, data)
        self.writes.append(path)
        if if_match is not None and self.refuses_conditions:
            raise PreconditionFailed
        written = super().write(user, path, data, if_match=if_match, only_new=only_new, make_folders=make_folders)
        if self.after_write is not None and path.endswith("flow.jsonl"):
            hook, self.after_write = self.after_write, None
            hook(path, data)
        return Written(written.etag, written.file_id, written.sha256 if self.hashes_writes else None)

    def copy(self) -> FaultyFiles:
        """A host of its own that holds the same, under the same ids."""
        other = FaultyFiles()
        other._nodes = {user: dict(area) for user, area in self._nodes.items()}
        return other

    def plant(self, path: str, data: bytes, user: str = "alice") -> None:
        """Somebody writes past the product."""
        super().write(user, path, data)


def lose_reply(_path: str, _data: bytes) -> None:
    raise HostUnavailable


KEPT_IN = "database.url"
"""A file in a data folder: where the vault and the index are, when that is not the folder itself."""


def opened(data: Path) -> Database:
    elsewhere = data / KEPT_IN
    return Database(elsewhere.read_text()) if elsewhere.exists() else Database.in_folder(data)


class World:
    """One instance on one data folder."""

    def __init__(
        self,
        data: Path,
        files: FaultyFiles | None = None,
        *,
        only_instance: bool = True,
        database: Database | None = None,
        drop_cached: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.data = data
        self.now_s = 1_000_000.0
        self.files = files if files is not None else FaultyFiles()
        self.database = database if database is not None else opened(data)
        self.vault = SqlVault(self.database, only_instance=only_instance)
        keys = Keys.open(data / "keys", "Cabinet Test", self.vault.knows_keys(), certificate)
        self.keys = keys.sealed_by(KeySigner(keys.seal_key_pem, keys.seal_cert_pem))
        self.vault.remember_keys(self.keys.chain_keys)
        self.leases = Leases(self.database, self.keys.instance_id, only_instance=only_instance, wait_s=5)
        self.index = SqlIndex(self.database, self.keys.link_key, self.vault.postponed)
        state = (self.files, self.database, self.keys, self.vault, self.index, self.leases, SameAccounts())
        self.store = Store(*state, drop_cached=drop_cached)
        self.refill = Refill(self.database, only_instance=only_instance, clock=lambda: self.now_s)
        self.adopter = Adoption(self.files, self.database, self.keys, self.vault, self.index, self.refill, self.store)
        if self.refill.is_missing() and not self.vault.anchors():
            self.refill.begin()
            self.refill.ready()

    def close(self) -> None:
        self.leases.close()
        self.database.close()

    def launch(self, flow_id: str = FLOW_ID, *, recipients: int = 2, folder: str = FOLDER) -> Loaded:
        self.files.make_folder("alice", folder)
        return self.store.create(place(flow_id, folder), launched(flow_id, recipients), NOW)

    def act(self, flow_id: str, command: View | Approve, actor: str = "recipient:r1", minutes: int = 1) -> Loaded:
        with self.store.lease(flow_id) as lease:
            loaded = self.store.load(flow_id)
            assert loaded is not None
            at = NOW + dt.timedelta(minutes=minutes)
            return self.store.append(loaded, lease, decide(loaded.flow, command, at), actor, at)

    def state(self, flow_id: str = FLOW_ID, folder: str = FOLDER) -> bytes:
        found = self.files.read("alice", place(flow_id, folder).path)
        assert found is not None
        return found


def place(flow_id: str = FLOW_ID, folder: str = FOLDER, owner: str = "alice") -> StatePlace:
    return StatePlace(owner, f"{folder}/.flows/{flow_id}/flow.jsonl")


def mine(value: str, person: str = CREATOR) -> Personal:
    return Personal(person, value)


def launched(flow_id: str = FLOW_ID, recipients: int = 2) -> list[Event]:
    asked = tuple(
        AskedRecipient(
            id=f"r{n}",
            role=Role.VALIDATOR,
            user=mine("bob", f"r{n}") if n == 2 else None,
            email=mine(ADDRESS if n == 1 else f"r{n}@example.org", f"r{n}"),
            first_name=mine(NAME.split()[0], f"r{n}"),
            last_name=mine(NAME.split()[1], f"r{n}"),
            language="fr",
            message=mine(COMMENT, CREATOR),
        )
        for n in range(1, recipients + 1)
    )
    document = PinnedDocument(
        n=0,
        file_id="77",
        name=mine("bail.pdf"),
        folder=mine(FOLDER),
        size_bytes=1234,
        mime="application/pdf",
        sha256="a" * 64,
        pages=None,
        page_sizes=(),
        prepared_sha256=None,
        kept_at_home=False,
    )
    return decide(
        None,
        Launch(
            flow_id=flow_id,
            kind=Kind.VALIDATION,
            title=mine(TITLE),
            creator=Creator(mine("alice"), mine("Alice Martin"), mine("alice@example.org")),
            language="fr",
            time_zone="Europe/Paris",
            comment=mine(COMMENT),
            copy_to_all=False,
            documents=(document,),
            recipients=asked,
            steps=tuple(AskedStep("all", (recipient.id,)) for recipient in asked),
            placements=(),
            request_key="k" * 64,
        ),
        NOW,
    )


def approval(recipient: str = "r1", comment: str = COMMENT) -> Approve:
    trace = Trace(mine("192.0.2.7", recipient), "proxy", mine("Firefox", recipient), "d" * 64)
    return Approve(recipient, {0: "a" * 64}, mine(comment, recipient), trace)


def view(recipient: str = "r1") -> View:
    return View(recipient, frozenset({0}))


STATE = place().path
MAIL = MailAccepted(MailKind.INVITATION, "r1", 1, "<m@x>")


def erased(person: str) -> PersonErased:
    return PersonErased(person, By.CREATOR)


def types(loaded: Loaded | None) -> list[str]:
    assert loaded is not None
    return [record.type for record in loaded.records]


def append(world: World, *events: Event, actor: str = "system", flow_id: str = FLOW_ID) -> Loaded:
    with world.store.lease(flow_id) as lease:
        loaded = world.store.load(flow_id)
        assert loaded is not None
        return world.store.append(loaded, lease, events or (MAIL,), actor, NOW)


def agrees(world: World) -> Loaded:
    """Host, index, vault and an independent reader tell the same."""
    loaded = world.store.load(FLOW_ID)
    anchor = world.vault.anchor(FLOW_ID)
    assert loaded is not None
    assert anchor is not None
    state = world.files.read(anchor.place.owner, anchor.place.path)
    assert state is not None
    seen = independent_verifier.verify(state, FLOW_ID)
    assert seen == (loaded.head, loaded.length) == (anchor.head, anchor.length)
    return loaded

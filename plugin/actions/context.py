"""What every action is handed, in one value made by ``plugin.app``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pdfops.lasting import Lasting
from pdfops.sandbox import Workshop
from pdfops.signer import Signer
from plugin.flow.launch_rules import MAX_DOCUMENTS, MAX_RECIPIENTS
from plugin.flow.model import Kind
from plugin.flow.owed import MailWork
from plugin.ports import (
    Accounts,
    Blobs,
    Directory,
    Jobs,
    Mail,
    Mailer,
    Wording,
)
from plugin.ports_bell import Bell, Notice
from plugin.ports_files import Files
from plugin.ports_state import Flows, Index, Loaded
from plugin.ports_vault import Vault


@dataclass(frozen=True, slots=True)
class Limits:
    """What an administrator allows; documents and recipients at most as the core does.

    ``collection_bytes``: of the originals of one signature flow, together. ``growth_bytes``: by one signature.
    ``validation_file_bytes``: of one file of a validation; None: of any size. ``groups``: who may launch a kind; a
    kind that is not there is everybody's.
    """

    collection_bytes: int = 15_000_000
    growth_bytes: int = 2_000_000
    validation_file_bytes: int | None = None
    documents: int = MAX_DOCUMENTS
    recipients: int = MAX_RECIPIENTS
    groups: Mapping[Kind, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Habits:
    """What an administrator sets for flows that say nothing else. Days are whole ones; None: never.

    ``quiet_days``: ISO weekdays (1 is Monday) on which nobody is reminded.
    """

    quiet_days: tuple[int, ...] = ()
    expiry_days: int | None = None
    remind_days: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Signs the evidence. ``sign``: Ed25519 by the active chain key."""

    organisation: str
    kid: str
    key_statement: dict[str, object]
    """The public key as a JWK, its signature by the seal's certificate, and that certificate."""
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Context:
    files: Files
    directory: Directory
    accounts: Accounts
    flows: Flows
    index: Index
    vault: Vault
    blobs: Blobs
    jobs: Jobs
    mailer: Mailer
    compose: Callable[[Loaded, MailWork], Mail | None]
    """The letter for a piece of work; None where that person has no address."""
    bell: Bell
    notice: Callable[[Loaded, MailWork], Notice | None]
    """The same for the bell; None for external people."""
    workshop: Workshop
    signer: Signer
    lasting: Lasting | None
    """None: seals without timestamps."""
    wording: Wording
    identity: Identity
    limits: Limits
    clock: Callable[[], datetime]
    default_language: str
    default_time_zone: str
    version: str
    habits: Habits = Habits()
    check_address: str = ""
    """Of the page where anybody can check a sealed PDF."""
    certifies: bool = False
    """Whether the organisation certifies at launch what nobody signed before."""

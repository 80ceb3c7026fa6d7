"""What the command line does is wired together here, as ``plugin.app`` does it for the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from pdfops.signer import make_organisation_certificate
from plugin.actions.erase import Erased, erase
from plugin.actions.hands import seen, troubles
from plugin.actions.rebuild import Report, rebuild
from plugin.adapters.accounts import HomeAccounts
from plugin.adapters.adoption import Adoption
from plugin.adapters.appapi import AppApi
from plugin.adapters.blobs import drop_from
from plugin.adapters.dav import WHOLE_BYTES
from plugin.adapters.dav_conditions import CarefulFiles
from plugin.adapters.index import SqlIndex
from plugin.adapters.keys import Keys, restore_keys
from plugin.adapters.leases import Leases
from plugin.adapters.ocs import OcsDirectory
from plugin.adapters.refill import Refill
from plugin.adapters.registration import Registration
from plugin.adapters.seals import seal_of
from plugin.adapters.sql import Database
from plugin.adapters.store import Store
from plugin.adapters.vault import SqlVault
from plugin.demo.host import EmbeddedHost
from plugin.demo.server import APP_VERSION, DataInUse, address, app_secret
from plugin.ports_state import Progress
from plugin.ports_vault import Trouble
from plugin.settings import Settings, StartRefused


@dataclass(frozen=True)
class Operator:
    """What the command line does, without the sidecar's pages, jobs and children."""

    rebuild: Callable[[Callable[[Progress], object]], Report]
    """Told its progress."""
    count_flows: Callable[[], int]
    """In the index. Raises: IndexMissing."""
    export_keys: Callable[[Path, str], None]
    rotate_keys: Callable[[], str]
    troubles: Callable[[], Sequence[Trouble]]
    seen: Callable[[str], int]
    erase: Callable[[str, str], Erased]


@contextmanager
def open_operator(settings: Settings) -> Iterator[Operator]:
    """May run beside the server. Raises: KeysMissing, HostUnavailable."""
    registration = Registration(settings.data / "registered-version", settings.app_version)
    api = AppApi(settings.app_secret.get_secret_value(), registration.to_send, settings.app_id)
    files = CarefulFiles(settings.host_url, api, whole_bytes=whole_bytes_of(settings))
    directory = OcsDirectory(settings.host_url, api)
    database = database_of(settings)
    vault = SqlVault(database, only_instance=False, asks_time=True)
    keys = Keys.open(settings.data / "keys", settings.organisation, True, make_organisation_certificate)
    leases = Leases(database, keys.instance_id, only_instance=False)
    index = SqlIndex(database, keys.link_key, vault.postponed)
    store = Store(files, database, keys, vault, index, leases, HomeAccounts(directory, files))

    def rotate_keys() -> str:
        kid = keys.rotate()
        vault.remember_keys([kid])
        return kid

    def erase_person(flow_id: str, person: str) -> Erased:
        # A line under a new key is vouched for by the seal.
        sealed = keys.sealed_by(seal_of(settings, keys, utc_now()))
        drop, accounts = partial(drop_from, settings.data / "cache"), HomeAccounts(directory, files)
        own = Store(files, database, sealed, vault, index, leases, accounts, drop_cached=drop)
        return erase(own, accounts, utc_now, flow_id, person)

    try:
        refill = Refill(database)
        adoption = Adoption(files, database, keys, vault, index, refill, store)
        yield Operator(
            lambda watch: rebuild(files, directory, adoption, watch),
            lambda: len(index.flow_ids()),
            keys.export,
            rotate_keys,
            partial(troubles, vault, index),
            partial(seen, vault),
            erase_person,
        )
    finally:
        leases.close()
        database.close()


def whole_bytes_of(settings: Settings) -> int:
    """A document of the largest size allowed, and all that its signatures may add."""
    return max(WHOLE_BYTES, 2 * settings.collection_limit_bytes + WHOLE_BYTES // 2)


@contextmanager
def demo_operator(data: Path) -> Iterator[Operator]:
    """The same on the data of an embedded host, whether that is running or not."""
    try:
        running = address(data)
    except DataInUse as starting:
        raise StartRefused(f"the server on {data} is still starting: try again") from starting
    host = None if running else EmbeddedHost(data, app_secret(data))
    if host is not None:
        host.start()
    settings = Settings(
        data=data / "parapheur",
        host_url=running or (host.url if host is not None else ""),
        public_url="http://127.0.0.1",
        app_version=APP_VERSION,
        app_secret=SecretStr(app_secret(data)),
    )
    try:
        with open_operator(settings) as operator:
            yield operator
    finally:
        if host is not None:
            host.stop()


def put_keys_back(data: Path, backup: Path, passphrase: str) -> None:
    """What ``export_keys`` wrote. ``data``: the sidecar's own folder.

    Raises: StartRefused, and then nothing was changed.
    """
    restore_keys(data / "keys", backup, passphrase)


def database_of(settings: Settings) -> Database:
    if settings.vault_url:
        return Database(settings.vault_url, settings.index_url or None)
    return Database.in_folder(settings.data)


def utc_now() -> datetime:
    return datetime.now(UTC)

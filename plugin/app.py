"""The one place that wires things together: settings in, the running product out."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from hooks.files import events
from hooks.lifecycle import lifecycle
from pdfops.lasting import Authority
from pdfops.sandbox import Workshop
from pdfops.signer import make_organisation_certificate
from plugin import failpoints
from plugin.actions.context import Context, Habits, Identity, Limits
from plugin.actions.hands import troubles
from plugin.actions.rebuild import Report, rebuild
from plugin.actions.suspend import look_after
from plugin.actions.sweep import FLOW_WAIT_S, look_at
from plugin.adapters.accounts import HomeAccounts
from plugin.adapters.adoption import Adoption
from plugin.adapters.appapi import AppApi, AppApiPlatform
from plugin.adapters.bell import HostBell
from plugin.adapters.blobs import FolderBlobs
from plugin.adapters.dav_conditions import CarefulFiles
from plugin.adapters.host_health import HostHealth
from plugin.adapters.host_mail import ChosenMailer, Companion
from plugin.adapters.host_probe import Probe
from plugin.adapters.index import SqlIndex
from plugin.adapters.jobs import HueyJobs
from plugin.adapters.keys import Keys
from plugin.adapters.lasting import lasting_of, trusted_roots
from plugin.adapters.leases import Leases
from plugin.adapters.letters import Letters, StampWording
from plugin.adapters.mail import SmtpMailer, SmtpServer
from plugin.adapters.ocs import OcsDirectory
from plugin.adapters.ocs_calls import OcsCalls
from plugin.adapters.outbound import Outbound
from plugin.adapters.people import KeptPeople
from plugin.adapters.refill import Refill
from plugin.adapters.registration import Registration
from plugin.adapters.seals import seal_finding, seal_of
from plugin.adapters.shelf import SqlShelf
from plugin.adapters.store import Store
from plugin.adapters.vault import SqlVault
from plugin.checking import Checker
from plugin.demo.server import Sidecar, Wiring
from plugin.demo.wire import APP_ID
from plugin.flow.errors import IndexMissing
from plugin.flow.model import Kind
from plugin.health import Health
from plugin.operating import database_of, utc_now, whole_bytes_of
from plugin.patience import at_most, waits_at_most
from plugin.ports import Platform
from plugin.ports_shelf import Shelf
from plugin.settings import Settings, from_environment
from plugin.sweeper import Sweeper
from plugin.web import api_flows, api_host, api_link, api_shelf, api_steering, errors, headers, pages, service
from plugin.web.callers import origin_of
from plugin.web.office import EXTENSION, Office, Secrets
from plugin.web.openapi import spec
from plugin.web.schemas import Check
from plugin.web.verifying import verifying

CONNECT_S = 3.0
DEMO_ORGANISATION = "Demo organisation"


@dataclass(frozen=True)
class Product:
    """A running sidecar. ``close`` ends its threads and children."""

    app: Flask
    ctx: Context
    rebuild: Callable[[], Report]
    close: Callable[[], None]


def create_app(
    settings: Settings,
    *,
    host_takes_writes: Callable[[], bool] | None = None,
    clock: Callable[[], datetime] = utc_now,
    with_jobs: bool = True,
    workshop: Workshop | None = None,
) -> Product:
    """``host_takes_writes``: what else is asked of the host for the health page; the start is finished when it has
    been true once.

    Raises: KeysMissing when data knows keys that are not there; BadSettings when the seal's key cannot be used.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    registration = Registration(settings.data / "registered-version", settings.app_version)
    api = AppApi(settings.app_secret.get_secret_value(), registration.to_send, settings.app_id)
    line = _line(settings, api, registration, host_takes_writes, clock)
    timeout_s, whole_bytes = (CONNECT_S, settings.host_timeout_s), whole_bytes_of(settings)
    files = CarefulFiles(settings.host_url, api, timeout_s, line=line, whole_bytes=whole_bytes)
    calls = partial(OcsCalls, settings.host_url, api, line=line)
    ocs_timeout_s = (CONNECT_S, min(15.0, settings.host_timeout_s))
    registry = OcsDirectory(settings.host_url, api, ocs_timeout_s, line=line)
    directory, accounts = KeptPeople(registry), HomeAccounts(registry, files, settings.patrol_every_s)
    database = database_of(settings)
    vault = SqlVault(database, only_instance=settings.only_instance, asks_time=True)
    companion = Companion(calls((CONNECT_S, settings.host_timeout_s)))
    mailer = ChosenMailer(settings.mail, companion, _mailer(settings))
    is_first_start = not (settings.data / "keys").exists()
    keys = Keys.open(settings.data / "keys", settings.organisation, vault.knows_keys(), make_organisation_certificate)
    signer = seal_of(settings, keys, clock())
    keys = keys.sealed_by(signer)
    keys.check(vault.kids())
    vault.remember_keys(keys.chain_keys)
    leases = Leases(database, keys.instance_id, only_instance=settings.only_instance)
    index = SqlIndex(database, keys.link_key, vault.postponed)
    refill = Refill(database, only_instance=settings.only_instance)
    if is_first_start and refill.is_missing():
        refill.begin()
        refill.ready()
    blobs = FolderBlobs(settings.data / "cache", settings.cache_bytes)
    store = Store(files, database, keys, vault, index, leases, accounts, drop_cached=blobs.drop)
    workshop = workshop or Workshop(children=settings.pdf_children, fonts=settings.fonts)

    @at_most(FLOW_WAIT_S)
    def tend(flow_id: str) -> None:
        look_after(ctx, flow_id)

    jobs = HueyJobs(
        settings.data / "jobs.db",
        lambda flow_id: look_at(ctx, flow_id),
        tend,
        Sweeper(lambda: ctx, refill.is_missing, lambda: run_rebuild(), timedelta(seconds=settings.patrol_every_s)),
        sweep_every_s=settings.sweep_every_s,
    )
    letters = Letters(
        settings.public_url,
        settings.organisation,
        keys.link_key,
        settings.default_language,
        settings.mail_from.rpartition("@")[2],
        clock,
    )
    roots = trusted_roots(settings.trust_roots)
    ctx = Context(
        files=files,
        directory=directory,
        accounts=accounts,
        flows=store,
        index=index,
        vault=vault,
        blobs=blobs,
        jobs=jobs,
        mailer=mailer,
        compose=letters.compose,
        bell=HostBell(calls((CONNECT_S, 5.0)), settings.app_id),
        notice=letters.notice,
        workshop=workshop,
        signer=signer,
        lasting=lasting_of(settings, roots, signer.chain),
        wording=StampWording(),
        identity=_identity(settings, keys),
        limits=_limits(settings),
        clock=clock,
        default_language=settings.default_language,
        default_time_zone=settings.default_time_zone,
        version=version("parapheur"),
        habits=Habits(settings.quiet_days, settings.default_expiry_days or None, settings.default_remind_days or None),
        check_address=f"{settings.public_url}/verify",
        certifies=settings.certify,
    )
    run_rebuild = partial(rebuild, files, directory, Adoption(files, database, keys, vault, index, refill, store))
    health = Health(
        line.findings,
        refill,
        lambda: keys.exported,
        companion.state,
        mailer.problem,
        lambda: _count_troubled(vault, index),
        lambda: seal_finding(signer, clock()),
        files.finding,
        waits=host_takes_writes is not None,
    )
    if with_jobs:
        jobs.start()

    checker = Checker((*keys.seal_certificates, *roots))

    def close() -> None:
        if with_jobs:
            jobs.stop()
        line.close()
        leases.close()
        workshop.close()
        checker.close()
        database.close()

    platform = AppApiPlatform(calls(ocs_timeout_s))
    office = _office(settings, ctx, keys, platform, SqlShelf(database), checker, health.checks, line.heard)
    return Product(_flask(office, settings.host_timeout_s), ctx, run_rebuild, close)


def authority(stamps: Sequence[str], origins: Sequence[str], private_hosts: Sequence[str]) -> Authority:
    """For the command line, which has no settings. Raises: ValueError, with the address that can be none."""
    return Outbound(stamps, origins, private_hosts)


def demo_sidecar(wiring: Wiring, *, with_jobs: bool = True, clock: Callable[[], datetime] = utc_now) -> Sidecar:
    """The product as the embedded host runs it."""
    public = urlsplit(wiring.public_url)
    environment = {"PARAPHEUR_ORGANISATION": DEMO_ORGANISATION, **os.environ}
    settings = from_environment(
        {name: value for name, value in environment.items() if name != failpoints.VARIABLE},  # which is no setting
        data=wiring.data / "parapheur",
        host_url=wiring.host_url,
        public_url=wiring.public_url,
        app_id=APP_ID,
        app_version=wiring.app_version,
        app_secret=SecretStr(wiring.app_secret),
        extra_origins=(f"http://localhost:{public.port}",),
        trust_origin_ip=True,
        mail="smtp",
        smtp_host=wiring.smtp_host,
        smtp_port=wiring.smtp_port,
        mail_from="parapheur@example.org",
    )
    product = create_app(settings, host_takes_writes=wiring.host_takes_writes, with_jobs=with_jobs, clock=clock)
    return Sidecar(product.app, product.close)


def _limits(settings: Settings) -> Limits:
    groups = {
        Kind.VALIDATION: settings.groups_validation,
        Kind.SIGNATURE: settings.groups_signature,
        Kind.EIDAS_SIMPLE: settings.groups_eidas_simple,
        Kind.EIDAS_ADVANCED: settings.groups_eidas_advanced,
    }
    return Limits(
        collection_bytes=settings.collection_limit_bytes,
        validation_file_bytes=settings.validation_file_limit_bytes or None,
        documents=settings.max_documents,
        recipients=settings.max_recipients,
        groups={kind: frozenset(named) for kind, named in groups.items() if named},
    )


def _mailer(settings: Settings) -> SmtpMailer:
    server = SmtpServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        settings.smtp_password.get_secret_value(),
    )
    return SmtpMailer(server, settings.mail_from, settings.organisation)


def _identity(settings: Settings, keys: Keys) -> Identity:
    statement: dict[str, object] = {
        "jwk": dict(keys.active.jwk),
        "signature": keys.jwk_signature,
        "signature_over": keys.jwk_signature_over,
        "certificate": base64.b64encode(keys.seal_cert_der).decode(),
    }
    return Identity(settings.organisation, keys.active.kid, statement, keys.active.private.sign)


def _line(
    settings: Settings,
    api: AppApi,
    registration: Registration,
    takes_writes: Callable[[], bool] | None,
    clock: Callable[[], datetime],
) -> HostHealth:
    slow_after_s = settings.host_slow_after_s
    timeout_s = (CONNECT_S, min(2 * slow_after_s, settings.host_timeout_s))
    probe = Probe(settings.host_url, api, timeout_s, takes_writes=takes_writes, wall=lambda: clock().timestamp())
    return HostHealth(probe, registration, slow_after_s)


def _office(
    settings: Settings,
    ctx: Context,
    keys: Keys,
    platform: Platform,
    shelf: Shelf,
    checker: Checker,
    checks: Callable[[], list[Check] | None],
    heard: Callable[[str], None],
) -> Office:
    return Office(
        ctx=ctx,
        secrets=Secrets(keys.link_key, keys.csrf_key, keys.request_key),
        app_id=settings.app_id,
        app_secret=settings.app_secret.get_secret_value(),
        harp_key=settings.harp_key.get_secret_value(),
        public_url=settings.public_url,
        origins=frozenset({origin_of(settings.public_url), *settings.extra_origins}),
        organisation=settings.organisation,
        trust_origin_ip=settings.trust_origin_ip,
        public_keys={"keys": keys.public_jwks},
        platform=platform,
        shelf=shelf,
        checker=checker,
        checks=checks,
        heard=heard,
    )


def _flask(office: Office, patience_s: float) -> Flask:
    app = Flask("plugin", root_path=str(Path(__file__).parent), static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # its default provider has it
    app.url_map.merge_slashes = False  # or "//" is a redirect, which the host's proxy would follow by itself
    app.wsgi_app = waits_at_most(patience_s)(app.wsgi_app)  # type: ignore[method-assign]  # as Flask tells one to wrap it
    app.extensions[EXTENSION] = office
    headers.install(app)
    errors.install(app)
    app.register_error_handler(OperationalError, lambda _: errors.not_now("storage-unavailable"))
    for blueprint in (
        lifecycle,
        events,
        api_flows.api,
        api_flows.launches,
        api_host.api,
        api_link.api,
        api_steering.api,
        api_shelf.api,
        pages.pages,
        verifying,
        service.service,
    ):
        app.register_blueprint(blueprint)
    spec.app = app
    return app


def _count_troubled(vault: SqlVault, index: SqlIndex) -> int:
    try:
        return len({trouble.flow_id for trouble in troubles(vault, index)})
    except IndexMissing:
        return 0  # its own check tells

"""Everything here runs against a real Nextcloud; docs/testing-nextcloud.md says how."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.nextcloud.instance import Catcher, Installed, Nextcloud, User, install_companion
from tests.world import Browser

MAIL = ("mail_smtpmode", "mail_smtphost", "mail_smtpport", "mail_smtpsecure", "mail_smtpauth")


def _set(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if not value:
        pytest.skip(f"{name} is not set: see docs/testing-nextcloud.md")
    return value


@pytest.fixture(scope="session", autouse=True)
def nextcloud() -> Iterator[Nextcloud]:
    url, password = _set("NEXTCLOUD_URL"), _set("NEXTCLOUD_ADMIN_PASSWORD")
    instance = Nextcloud(url, _set("NEXTCLOUD_ADMIN", "admin"), password, _set("NEXTCLOUD_OCC"))
    try:
        yield instance
    finally:
        instance.close()


@contextmanager
def host_mails_to(nextcloud: Nextcloud, port: int) -> Iterator[None]:
    """The instance's own mailer hands over to a server on this machine; afterwards it is as it was."""
    before = {name: nextcloud.occ("config:system:get", name, check=False) for name in MAIL}
    now = {"mail_smtpmode": "smtp", "mail_smtphost": "127.0.0.1", "mail_smtpport": str(port)}
    try:
        for name in MAIL:
            if name in now:
                nextcloud.occ("config:system:set", name, "--value", now[name])
            elif before[name]:
                nextcloud.occ("config:system:delete", name)
        if nextcloud.occ("config:system:get", "mail_smtpport") != str(port):
            pytest.skip("the instance's mail server cannot be set: a file beside its config.php wins over it")
        yield
    finally:
        for name, value in before.items():
            if value:
                nextcloud.occ("config:system:set", name, "--value", value)
            elif name in now:
                nextcloud.occ("config:system:delete", name)


@pytest.fixture(scope="session")
def catcher(nextcloud: Nextcloud) -> Iterator[Catcher]:
    catching = Catcher()
    with host_mails_to(nextcloud, catching.port):
        yield catching
    catching.close()


@pytest.fixture(scope="session")
def app(nextcloud: Nextcloud, catcher: Catcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Companion and sidecar, installed as an administrator would."""
    install_companion(nextcloud, os.environ.get("NEXTCLOUD_APPS"))
    daemon = os.environ.get("NEXTCLOUD_DAEMON", "manual")
    installed = Installed(nextcloud, catcher, daemon, tmp_path_factory.mktemp("sidecar"))
    try:
        installed.start()
        installed.register()
        yield installed
    finally:
        installed.close()


# ---- people: a French creator, an English colleague with an odd login, somebody without an address -----------------
@pytest.fixture(scope="session")
def run() -> str:
    return secrets.token_hex(3)


@pytest.fixture(scope="session")
def alice(nextcloud: Nextcloud, run: str) -> User:
    return nextcloud.make_user(f"alice-{run}", "Alice « Martin » & Cie", f"alice-{run}@example.org", "fr")


@pytest.fixture(scope="session")
def bob(nextcloud: Nextcloud, run: str) -> User:
    return nextcloud.make_user(f"Bob O'Neil @{run}", "Bob <O'Neil>", f"bob-{run}@example.org", "en")


@pytest.fixture(scope="session")
def carol(nextcloud: Nextcloud, run: str) -> User:
    return nextcloud.make_user(f"carol-{run}", "Carol Nguyen", "", "fr")


@pytest.fixture(scope="session")
def creator(app: Installed, alice: User) -> Browser:
    return app.browser(alice)

"""A real Nextcloud, its people, and the product beside it as a process. Shares no code with the product."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import tomllib
import xml.sax.saxutils
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import requests
from aiosmtpd.controller import Controller

from tests.world import Actor, Browser, until

ROOT = Path(__file__).parents[2]
APP = "parapheur"
COMPANION = "parapheur_companion"
VERSION = str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
WEBHOOK_CALL = "OCA\\WebhookListeners\\BackgroundJobs\\WebhookCall"
Json = Any


def free_port() -> int:
    """Below 32768: on PostgreSQL the host keeps an app's port in a column of two bytes."""
    for _ in range(100):
        port = 24_000 + secrets.randbelow(8_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError("no free port")


@dataclass(frozen=True)
class User:
    uid: str
    password: str
    name: str
    email: str
    language: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.uid, self.password

    @property
    def basic(self) -> str:
        return base64.b64encode(f"{self.uid}:{self.password}".encode()).decode()


class Nextcloud:
    """The instance under test. ``occ``: the command that runs the host's own command line."""

    def __init__(self, url: str, admin: str, password: str, occ: str) -> None:
        self.url = url.rstrip("/")
        self.admin = User(admin, password, admin, "", "en")
        self._occ = shlex.split(occ)
        self.http = requests.Session()
        self.http.trust_env = False
        self.users: list[User] = []
        status = self.http.get(f"{self.url}/status.php", timeout=30).json()
        assert status["installed"], status
        assert not status["maintenance"], status
        self.major = int(status["version"].split(".")[0])

    def close(self) -> None:
        for user in self.users:
            self.ocs("DELETE", f"/cloud/users/{quote(user.uid, safe='')}", self.admin)
        self.http.close()

    def occ(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([*self._occ, *words], capture_output=True, text=True, timeout=180, check=False)
        assert not check or done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout.strip()

    # ---- OCS --------------------------------------------------------------------------------------------------------
    def ocs(self, method: str, path: str, who: User, body: Json = None, **more: Any) -> Json:
        """The envelope's data; fails on a refusal."""
        answer = self.ask(method, path, who.auth, body, **more)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return answer.json()["ocs"]["data"]

    def ask(self, method: str, path: str, auth: Any, body: Json = None, **more: Any) -> requests.Response:
        headers = {"OCS-APIRequest": "true", "Accept": "application/json", **more.pop("headers", {})}
        address = f"{self.url}/ocs/v2.php{path}"
        return requests.request(method, address, auth=auth, json=body, headers=headers, timeout=60, **more)

    def as_app(self, method: str, path: str, secret: str, uid: str = "", body: Json = None) -> requests.Response:
        """As the sidecar calls."""
        headers = {
            "EX-APP-ID": APP,
            "EX-APP-VERSION": VERSION,
            "AA-VERSION": "32.0.0",
            "AUTHORIZATION-APP-API": base64.b64encode(f"{uid}:{secret}".encode()).decode(),
        }
        return self.ask(method, path, None, body, headers=headers)

    def make_user(self, uid: str, name: str, address: str, language: str) -> User:
        user = User(uid, f"Pw {secrets.token_hex(12)}", name, address, language)
        body = {"userid": uid, "password": user.password, "displayName": name, "language": language}
        self.ocs("POST", "/cloud/users", self.admin, {**body, "email": address} if address else body)
        self.users.append(user)
        return user

    def bell(self, user: User, flow_id: str) -> list[Json]:
        found = self.ocs("GET", "/apps/notifications/api/v2/notifications", user)
        return [one for one in found if one["app"] == APP and one["object_id"] == flow_id]

    def share(self, owner: User, path: str, to: User, permissions: int) -> str:
        """Returns: the share's id."""
        body = {"path": path, "shareType": 0, "shareWith": to.uid, "permissions": permissions}
        return str(self.ocs("POST", "/apps/files_sharing/api/v1/shares", owner, body)["id"])

    def unshare(self, owner: User, share: str) -> None:
        self.ocs("DELETE", f"/apps/files_sharing/api/v1/shares/{share}", owner)

    def enable(self, user: User, *, enabled: bool) -> None:
        what = "enable" if enabled else "disable"
        self.ocs("PUT", f"/cloud/users/{quote(user.uid, safe='')}/{what}", self.admin)

    def make_anew(self, user: User) -> User:
        """Deleted, and somebody else made under the same login."""
        self.ocs("DELETE", f"/cloud/users/{quote(user.uid, safe='')}", self.admin)
        self.users.remove(user)
        return self.make_user(user.uid, "Somebody else", f"other.{user.email}", user.language)

    def run_events(self, about: str) -> int:
        """Sends what the instance would send of its own accord within minutes: events that name ``about``."""
        listed = ("background-job:list", "--output", "json", "--limit", "100000", "--class", WEBHOOK_CALL)
        mine = [job for job in json.loads(self.occ(*listed)) if about in job["argument"]]
        for job in mine:
            self.occ("background-job:execute", str(job["id"]), "--force-execute")
        return len(mine)

    # ---- files ------------------------------------------------------------------------------------------------------
    def dav(self, user: User, method: str, path: str, **more: Any) -> requests.Response:
        address = f"{self.url}/remote.php/dav/files/{quote(user.uid, safe='')}/{quote(path)}"
        return requests.request(method, address, auth=user.auth, timeout=60, **more)

    def put(self, user: User, path: str, data: bytes) -> str:
        """Makes the folders on the way. Returns: the file's id."""
        above = path.split("/")[:-1]
        for depth in range(1, len(above) + 1):
            assert self.dav(user, "MKCOL", "/".join(above[:depth])).status_code in (201, 405)
        answer = self.dav(user, "PUT", path, data=data)
        assert answer.status_code in (201, 204), (path, answer.status_code)
        return str(int(answer.headers["OC-FileId"].split("oc")[0]))

    def read(self, user: User, path: str) -> bytes:
        answer = self.dav(user, "GET", path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.content

    def names(self, user: User, path: str) -> list[str]:
        """The children of a folder, hidden ones too."""
        answer = self.dav(user, "PROPFIND", path, headers={"Depth": "1"})
        assert answer.status_code == 207, (path, answer.status_code)
        hrefs = [href.rstrip("/") for href in re.findall(r"<d:href>([^<]*)</d:href>", answer.text)]
        return sorted(requests.utils.unquote(href.rsplit("/", 1)[-1]) for href in hrefs[1:])


class Catcher:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.port = int(self._controller.port)
        self._controller.start()

    def close(self) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        message = email.message_from_bytes(bytes(envelope.content), policy=email.policy.default)
        self.mails.append(cast("EmailMessage", message))
        return "250 OK"

    def of(self, flow_id: str, kind: str = "", to: str = "") -> list[EmailMessage]:
        mine = f"<{kind}"
        return [
            m for m in self.mails if flow_id in m["Message-ID"] and m["Message-ID"].startswith(mine) and to in m["To"]
        ]

    def link(self, flow_id: str, to: str) -> str:
        """Waits for the invitation of an external person."""
        mail = until(lambda: self.of(flow_id, "invitation", to), within_s=60)[0]
        body = mail.get_body(preferencelist=("plain",))
        assert body is not None
        return next(iter(re.findall(r"https?://\S+/s/[A-Za-z0-9_-]{43}", body.get_content())))


@dataclass
class Installed:
    """The sidecar as a process, registered in the instance by its command line."""

    nextcloud: Nextcloud
    catcher: Catcher
    daemon: str
    folder: Path
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    port: int = field(default_factory=free_port)
    browsers: list[Browser] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    log_level: str = "debug"
    version: str = VERSION
    differing: dict[str, str] = field(default_factory=dict)
    """What stands differently in the environment."""

    @property
    def url(self) -> str:
        """What people use."""
        return f"{self.nextcloud.url}/index.php/apps/app_api/proxy/{APP}"

    @property
    def direct(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        """What an operator sets."""
        return {
            "APP_ID": APP,
            "APP_PORT": str(self.port),
            "PARAPHEUR_THREADS": "32",
            "APP_VERSION": self.version,
            "APP_SECRET": self.secret,
            "APP_PERSISTENT_STORAGE": str(self.folder / "data"),
            "NEXTCLOUD_URL": self.nextcloud.url,
            "PARAPHEUR_PUBLIC_URL": self.url,
            "PARAPHEUR_TRUST_ORIGIN_IP": "true",
            "PARAPHEUR_SMTP_HOST": "127.0.0.1",
            "PARAPHEUR_SMTP_PORT": str(self.catcher.port),
            "PARAPHEUR_MAIL_FROM": "sidecar@example.org",
            "PARAPHEUR_SWEEP_EVERY_S": "5",
            "PARAPHEUR_PATROL_EVERY_S": "5",
            "PARAPHEUR_LOG_LEVEL": self.log_level,
            **self.differing,
        }

    def start(self) -> None:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **self.environment}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "parapheur"), "serve"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        until(self._beats, within_s=60)

    def _beats(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log[-3000:]
        try:
            return requests.get(f"{self.direct}/heartbeat", timeout=10).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            threading.Event().wait(0.2)
            return False

    def restart(self, **differing: str) -> None:
        self.stop()
        self.differing = differing
        self.start()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def register(self) -> None:
        """From the manifest, with port and secret as a manual daemon wants them."""
        self.unregister()
        with self._manifest() as manifest:
            self.nextcloud.occ("app_api:app:register", APP, self.daemon, "--info-xml", manifest, "--wait-finish")

    def update(self, to: str) -> str:
        """The manifest of another version, as an administrator registers it. Returns: what the host says."""
        with self._manifest(to) as manifest:
            return self.nextcloud.occ("app_api:app:update", APP, "--info-xml", manifest, "--wait-finish")

    @contextmanager
    def _manifest(self, version: str = VERSION) -> Iterator[str]:
        own = f"<port>{self.port}</port><secret>{xml.sax.saxutils.escape(self.secret)}</secret></info>"
        text = (ROOT / "appinfo" / "info.xml").read_text().replace("</info>", own)
        with tempfile.TemporaryDirectory() as shared:  # readable by the host's own account
            Path(shared).chmod(0o755)
            manifest = Path(shared) / "info.xml"
            manifest.write_text(text.replace(f"<version>{VERSION}<", f"<version>{version}<"))
            yield str(manifest)

    def unregister(self) -> None:
        self.nextcloud.occ("app_api:app:unregister", APP, "--force", check=False)

    def close(self) -> None:
        for browser in self.browsers:
            browser.session.close()
        self.unregister()
        self.stop()

    # ---- people -----------------------------------------------------------------------------------------------------
    def browser(self, user: User | None) -> Browser:
        return self._kept(Browser(self.url), user)

    def recipient(self, user: User, flow_id: str) -> Actor:
        return cast("Actor", self._kept(Actor(self.url, f"/api/v1/flows/{flow_id}"), user))

    def follow(self, link: str) -> Actor:
        assert link.startswith(f"{self.url}/s/"), link
        return cast("Actor", self._kept(Actor(self.url, link.removeprefix(self.url)), None))

    def _kept(self, browser: Browser, user: User | None) -> Browser:
        self.browsers.append(browser)
        if user is not None:
            browser.session.auth = user.auth
            me = browser.get("/api/v1/me")
            assert me.status_code == 200, (me.status_code, me.text[:300])
            browser.session.headers["X-CSRF-Token"] = me.json()["csrf_token"]
        return browser

    def launch(self, who: Browser, body: Json) -> Json:
        answer = who.post("flows", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def health(self) -> dict[str, Json]:
        answer = requests.get(f"{self.direct}/healthz", timeout=60)
        assert answer.status_code == 200, answer.text
        return {check["name"]: check for check in answer.json()["checks"]}


def install_words(apps: str) -> Path:
    """The translations that the host itself shows, as the package brings them. Returns: the folder that was made."""
    target = Path(apps) / APP
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            [sys.executable, "tools/package.py", out], cwd=ROOT, check=True, capture_output=True, timeout=300
        )
        with tarfile.open(Path(out) / "parapheur.tar.gz") as archive:
            words = [member for member in archive if member.name.startswith("parapheur/l10n/")]
            archive.extractall(apps, words, filter="data")
    for folder in (target, target / "l10n"):
        folder.chmod(0o755)
    return target


def install_companion(nextcloud: Nextcloud, apps: str | None) -> None:
    """``apps``: the folder of the instance's apps on this machine; None when somebody put the companion there."""
    if apps is not None:
        target = Path(apps) / COMPANION
        nextcloud.occ("app:disable", COMPANION, check=False)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(ROOT / "hooks" / "companion", target)
        target.chmod(0o755)
    nextcloud.occ("app:enable", COMPANION)

"""The rest of what is around us: people and accounts of the platform, mail server, bell, cache, queue of jobs."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plugin.flow.errors import HostUnavailable
from plugin.ports import (
    Mail,
    MailRefused,
    Person,
    Suggestion,
)
from plugin.ports_bell import Notice
from tests.simulation.process import Process

LANGUAGES = ("en", "fr")


def person(uid: str) -> Person:
    language = LANGUAGES[sum(uid.encode()) % 2]
    return Person(uid, uid.title(), f"{uid}@example.org", language, (), "Europe/Paris")


class SimDirectory:
    """``plugin.ports.Directory``."""

    def __init__(self, process: Process, users: Sequence[str]) -> None:
        self._process = process
        self._users = users

    def person(self, uid: str) -> Person | None:
        self._process.waits(self._process.world.latency())
        return person(uid) if uid in self._users else None

    def search(self, as_user: str, text: str) -> Sequence[Suggestion]:
        return []

    def users(self) -> Sequence[str]:
        self._process.waits(self._process.world.latency())
        return self._users


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail that the server took. ``process``: who handed it over."""

    mail: Mail
    at: float
    process: Process
    reply_lost: bool


class Post:
    """The mail server and everybody's mailbox."""

    def __init__(self) -> None:
        self.taken: dict[str, list[Delivery]] = defaultdict(list)
        """By Message-ID."""
        self.on_mail: Callable[[Mail], None] = lambda _: None

    def takes(self, delivery: Delivery) -> None:
        self.taken[delivery.mail.message_id].append(delivery)
        self.on_mail(delivery.mail)


class SimMailer:
    """``plugin.ports.Mailer``."""

    def __init__(self, process: Process, post: Post) -> None:
        self._process = process
        self._post = post

    def send(self, mail: Mail) -> None:
        process, world = self._process, self._process.world
        process.waits(world.latency())
        process.at_boundary("mail")
        kind = mail.message_id.split("@")[0]
        if world.happens(world.chances.mail_error):
            process.say(f"mail {kind} error")
            world.trace.count("mail errors")
            raise HostUnavailable("mail-unreachable")
        if mail.to.startswith("nobody"):
            process.say(f"mail {kind} refused")
            raise MailRefused("address-refused")
        is_lost = world.happens(world.chances.mail_lost_reply)
        process.say(f"mail {kind} taken{', reply lost' if is_lost else ''}")
        world.trace.count("mails")
        self._post.takes(Delivery(mail, world.now, process, is_lost))
        process.waits(world.latency())
        process.at_boundary("mail taken")
        if is_lost:
            world.trace.count("mail replies lost")
            raise HostUnavailable("mail-unreachable")


class SimBell:
    """``plugin.ports_bell.Bell``."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def ring(self, notice: Notice) -> None:
        self._call()

    def hush(self, user: str, what: str, flow_id: str) -> None:
        self._call()

    def _call(self) -> None:
        world = self._process.world
        self._process.waits(world.latency())
        if world.happens(world.chances.bell_error):
            raise HostUnavailable


class SimBlobs:
    """``plugin.ports.Blobs``: of one replica's disk; anything may be missing."""

    MOST = 200

    def __init__(self, process: Process, kept: OrderedDict[str, bytes]) -> None:
        self._process = process
        self._kept = kept

    def get(self, sha256: str) -> bytes | None:
        self._process.check()
        if self._process.world.happens(self._process.world.chances.cache_lost):
            return None
        return self._kept.get(sha256)

    def put(self, data: bytes, sha256: str | None = None) -> str:
        self._process.check()
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        self._kept[sha256] = data
        while len(self._kept) > self.MOST:
            self._kept.popitem(last=False)
        return sha256

    def drop(self, sha256: str) -> None:
        self._process.check()
        self._kept.pop(sha256, None)


class SimJobs:
    """``plugin.ports.Jobs``: dropped, doubled, late, in another order."""

    def __init__(self, process: Process, begin: Callable[[str, str, float], None]) -> None:
        """``begin``: (what, flow, in how many seconds)."""
        self._process = process
        self._begin = begin

    def look_at(self, flow_id: str) -> None:
        self._queue("look_at", flow_id)

    def look_after(self, flow_id: str) -> None:
        self._queue("look_after", flow_id)

    def _queue(self, what: str, flow_id: str) -> None:
        process, world = self._process, self._process.world
        process.check()
        world.trace.count("jobs")
        if world.happens(world.chances.job_dropped):
            world.trace.count("jobs dropped")
            return
        is_doubled = world.happens(world.chances.job_doubled)
        if is_doubled:
            world.trace.count("jobs doubled")
        for _ in range(2 if is_doubled else 1):
            late = world.happens(world.chances.job_late)
            if late:
                world.trace.count("jobs late")
            self._begin(what, flow_id, world.dice.uniform(0.0, 90.0) if late else world.dice.random() * 0.2)

"""Two sidecars in processes of their own, on one vault and one host, asked at the same moment."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import requests

from tests import postgresql
from tests.faults import cases, hosts, oracle
from tests.faults.cases import Act, Case
from tests.faults.sidecar import SECRET, Reply, settings_for

ROOT = Path(__file__).parents[2]
STUCK_AFTER_S = 60.0


@dataclass
class Tally:
    seed: int
    pairs: Counter[str] = field(default_factory=Counter)
    """By what the two were."""
    databases: Counter[str] = field(default_factory=Counter)
    submits: int = 0
    identical: int = 0
    """Flows, each with so many identical submits."""
    takes_steps: bool = False
    answers: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


class Replica:
    """A client of one of them; safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, path: str, user: str = "", body: object = None, **headers: str) -> Reply:
        given = b64encode(f"{user}:{SECRET}".encode()).decode()
        vouched = {"Authorization-App-Api": given, "Ex-App-Id": "parapheur", "Ex-App-Version": "0.1.0"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method,
                self.url + path,
                json=body,
                timeout=90,
                headers={**vouched, "X-Origin-Ip": "192.0.2.9", **named},
            )
        return Reply(answer.status_code, answer.content)


@contextlib.contextmanager
def replicas(folder: Path, host: hosts.Host, vault: str, count: int = 2) -> Iterator[list[Replica]]:
    """The second is started once the first has made the keys. ``vault``: SQLAlchemy URL."""
    settings = settings_for(
        folder / "data", host.url, host.within.smtp_port, vault_url=vault, only_instance=False, sweep_every_s=5
    )
    line = json.dumps({**json.loads(settings.model_dump_json()), "app_secret": SECRET})
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "replicas.log").open("ab"))
        started = []
        for _ in range(count):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.replica"],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            )
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(_without_secrets(line) + "\n")
            process.stdin.flush()
            said = process.stdout.readline()
            assert said, (folder / "replicas.log").read_text()[-2000:]
            started.append(Replica(json.loads(said)["url"]))
        yield started


def _without_secrets(line: str) -> str:
    """What was left empty is left out: a dump writes stars for it."""
    values = json.loads(line)
    return json.dumps({name: value for name, value in values.items() if value not in ("", "**********", None)})


def together(jobs: Sequence[Callable[[], Reply]]) -> list[Reply]:
    """All told to go at the same moment."""
    barrier = Barrier(len(jobs))

    def go(job: Callable[[], Reply]) -> Reply:
        barrier.wait(60)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(go, jobs))


def campaign(
    folder: Path,
    kind: str,
    pairs: int,
    identical: int,
    seed: int,
    tally: Tally,
    within_s: float = 36_000.0,
    *,
    database: str = "sqlite",
    submits: int = 10,
    at_a_time: int = 3,
) -> None:
    """Flows are worked at a few at a time: most of what one does is waiting for the other's lease. ``database``:
    "sqlite" or "postgresql", of vault and index."""
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(hosts.running(kind, folder))
        vault = f"sqlite:///{folder / 'vault.db'}"
        if database == "postgresql":
            vault = stack.enter_context(postgresql.running()).new_database()
        both = stack.enter_context(replicas(folder, host, vault))
        tally.takes_steps = _takes_steps(host, both)
        tally.databases[database] += pairs + identical
        numbers = [("pair", number) for number in range(1, pairs + 1)]
        numbers += [("identical", number) for number in range(pairs + 1, pairs + identical + 1)]
        with ThreadPoolExecutor(at_a_time) as pool:
            jobs = {"pair": _pair, "identical": lambda *args: _identical(*args, submits)}
            end = time.monotonic() + within_s

            def one(what: tuple[str, int]) -> None:
                if time.monotonic() < end:
                    jobs[what[0]](what[1], seed, host, both, tally)

            list(pool.map(one, numbers))


def _case(number: int, seed: int, host: hosts.Host, recipients: list[Any], **more: Any) -> Case:
    case = cases.made(number, random.Random(f"{seed} {number}"), host, "signed")
    case.originals = dict(list(case.originals.items())[:1])
    case.recipients, case.more = recipients, more
    case.acts = [Act("launch"), *(Act("sign", n + 1) for n in range(len(recipients)))]
    case.upload()
    case.bodies[case.acts[0]] = case.order
    return case


def _launched(
    number: int, seed: int, host: hosts.Host, both: list[Replica], recipients: list[Any], **more: Any
) -> Case:
    case = _case(number, seed, host, recipients, **more)
    case.acknowledge(case.acts[0], _served(case, case.acts[0], both[number % 2]))
    return case


def _pair(number: int, seed: int, host: hosts.Host, both: list[Replica], tally: Tally) -> None:
    """Two people of one step, or one person twice with two different drawings."""
    try:
        if number % 4 == 0:
            _same_person(number, seed, host, both, tally)
        else:
            _two_people(number, seed, host, both, tally)
    except (oracle.Violation, AssertionError) as violation:
        _note(tally, f"pair {number}: {violation}")


def _two_people(number: int, seed: int, host: hosts.Host, both: list[Replica], tally: Tally) -> None:
    """Of one step, or, every other time, one after another: then the second is too early, or just in time."""
    is_one_step = bool(number % 2) and tally.takes_steps
    people = [{"user": user, "role": "signatory", **({"step": 0} if is_one_step else {})} for user in ("bob", "carol")]
    more = {"steps": [{"step": 0, "rule": "all"}]} if is_one_step else {}
    case = _launched(number, seed, host, both, people, **more)
    first, second = case.acts[1:]
    case.prepare(first, both[0])
    if is_one_step:
        case.prepare(second, both[0])
    else:
        case.bodies[second] = case.bodies[first]  # he has seen nothing yet
    replies = together([lambda: case.send(first, both[0]), lambda: case.send(second, both[1])])
    tally.answers.update(f"pair: {r.status} {r.code}".strip() for r in replies)
    early = () if is_one_step else ("not-your-turn", "documents-changed")
    for act, reply, replica in zip((first, second), replies, both, strict=True):
        assert reply.is_done or reply.status == 503 or (act == second and reply.code in early), reply.text
        if reply.code in early:
            case.prepare(act, replica)
        case.acknowledge(act, reply if reply.is_done else _served(case, act, replica))
    _ended(case, both, tally)
    tally.pairs["two people of one step" if is_one_step else "two people one after another"] += 1


def _takes_steps(host: hosts.Host, both: list[Replica]) -> bool:
    """Whether this version lets people act in parallel."""
    people = [{"user": user, "role": "signatory", "step": 0} for user in ("bob", "carol")]
    case = _case(0, 0, host, people)
    reply = case.send(case.acts[0], both[0])
    assert reply.is_done or reply.code == "not-available-yet", reply.text
    return reply.is_done


def _same_person(number: int, seed: int, host: hosts.Host, both: list[Replica], tally: Tally) -> None:
    case = _launched(number, seed, host, both, [{"user": "bob", "role": "signatory"}])
    act = case.acts[1]
    case.prepare(act, both[0])
    other = Case(**{name: getattr(case, name) for name in Case.__dataclass_fields__})
    other.bodies = {act: {**case.bodies[act], "signature": {"kind": "typed", "text": "Bob Leroy"}}}
    replies = together([lambda: case.send(act, both[0]), lambda: other.send(act, both[1])])
    tally.answers.update(f"pair: {r.status} {r.code}".strip() for r in replies)
    both_cases = zip((case, other), both, strict=True)
    replies = [
        reply if reply.status != 503 else _told(one, act, replica)
        for reply, (one, replica) in zip(replies, both_cases, strict=True)
    ]
    assert sorted((r.status, r.code) for r in replies) == [(200, ""), (409, "already-decided")], replies
    case.acknowledge(act, replies[0])
    _ended(case, both, tally)
    tally.pairs["one person, two drawings"] += 1


def _identical(number: int, seed: int, host: hosts.Host, both: list[Replica], tally: Tally, submits: int) -> None:
    try:
        case = _launched(number, seed, host, both, [{"user": "bob", "role": "signatory"}])
        act = case.acts[1]
        case.prepare(act, both[0])
        replies = together([lambda r=both[n % 2]: case.send(act, r) for n in range(submits)])  # type: ignore[misc]  # a default binds it at once
        tally.answers.update(f"identical: {r.status} {r.code}".strip() for r in replies)
        replies = [r if r.status != 503 else _served(case, act, both[0]) for r in replies]
        assert all(r.is_done for r in replies), [r.text for r in replies]
        documents = {json.dumps(reply.json["documents"][0]["current_sha256"]) for reply in replies}
        assert len(documents) == 1, "ten answers tell of two revisions"
        case.acknowledge(act, replies[0])
        _ended(case, both, tally)
        tally.submits += submits
        tally.identical += 1
    except (oracle.Violation, AssertionError) as violation:
        _note(tally, f"identical {number}: {violation}")


def _served(case: Case, act: Act, replica: Replica) -> Reply:
    reply = _told(case, act, replica)
    assert reply.is_done, reply.text
    return reply


def _told(case: Case, act: Act, replica: Replica) -> Reply:
    """Again, while the other one holds the lease."""
    end = time.monotonic() + STUCK_AFTER_S
    while True:
        reply = case.send(act, replica)
        if reply.status != 503:
            return reply
        assert time.monotonic() < end, f"{act} not served: {reply.text}"
        Event().wait(0.1)


def _ended(case: Case, both: list[Replica], tally: Tally) -> None:
    end = time.monotonic() + STUCK_AFTER_S
    while left := oracle.is_at_rest(case):
        assert time.monotonic() < end, left
        Event().wait(0.05)
    oracle.check_ended(case)
    oracle.documents_are_reachable(
        case, lambda n: both[1].ask("GET", f"/api/v1/flows/{case.id}/documents/{n}", oracle.CREATOR).body
    )


def _note(tally: Tally, what: str) -> None:
    print(what, file=sys.stderr, flush=True)
    tally.violations.append(what)

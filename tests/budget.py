"""How often the host may be asked: every thing that people do, once, with its calls counted.

What a request asks for itself is one sum, what its jobs do afterwards another: mails, bell, tidying up.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from plugin.actions.sweep import look_at
from plugin.web.office import EXTENSION
from tests.counting import Asked, Call, CountingProxy
from tests.world import Actor, Browser, Json, pdf, stamps

OUTSIDE = "zoe@example.com"
PEOPLE = ("GET user", "PROPFIND home", "PUT probe")
"""A platform user's record, and the id of his home, by which his account is known: each once a minute, whatever he or
somebody else does with him; and whether the host heeds conditions, once a process. Not of the budget."""


class Stage(Protocol):
    """A host with its people: a creator and two colleagues."""

    creator: Browser
    colleagues: Sequence[str]

    def put(self, name: str, data: bytes) -> str: ...

    def recipient(self, uid: str, flow_id: str) -> Actor: ...

    def follow(self, flow_id: str) -> Actor: ...


class ByHand:
    """The ``Jobs`` port: what is to be looked at waits until it is told to."""

    def __init__(self) -> None:
        self.waiting: list[str] = []

    def look_at(self, flow_id: str) -> None:
        self.waiting.append(flow_id)

    def look_after(self, flow_id: str) -> None:
        raise AssertionError(f"nothing is wrong with {flow_id}")


@dataclass(frozen=True)
class Row:
    what: str
    within: Asked
    afterwards: Asked
    budget: int

    @property
    def counted(self) -> list[Call]:
        return [call for call in self.within.calls if call.kind not in PEOPLE]

    def __str__(self) -> str:
        shown = f"{self.what:42} {len(self.counted):3} of {self.budget:3}   {self.within}"
        if not self.afterwards.calls:
            return shown
        return f"{shown}\n{'':42} {len(self.afterwards):3} afterwards {self.afterwards}"


@dataclass
class Ledger:
    """Counts for one product, whose jobs run only when a row is closed."""

    product: Any
    proxy: CountingProxy
    cache: Path
    rows: list[Row] = field(default_factory=list)
    jobs: ByHand = field(default_factory=ByHand)

    def __post_init__(self) -> None:
        office = self.product.extensions[EXTENSION]
        self.product.extensions[EXTENSION] = replace(office, ctx=replace(office.ctx, jobs=self.jobs))

    @contextlib.contextmanager
    def row(self, what: str, budget: int) -> Iterator[None]:
        with self.proxy.counting() as within:
            yield
        with self.proxy.counting() as afterwards:
            while self.jobs.waiting:
                flow_id = self.jobs.waiting[0]
                self.jobs.waiting = [other for other in self.jobs.waiting if other != flow_id]
                look_at(self.product.extensions[EXTENSION].ctx, flow_id)
        self.rows.append(Row(what, within, afterwards, budget))

    def forget_files(self) -> None:
        """As after a restart on another machine: nothing of any document is kept here."""
        shutil.rmtree(self.cache)
        self.cache.mkdir(mode=0o700)

    def table(self) -> str:
        return "\n".join(["", *map(str, self.rows)])

    def check(self) -> None:
        over = [f"{row}: {[*map(str, row.within.calls)]}" for row in self.rows if len(row.counted) > row.budget]
        assert over == []
        for row in self.rows:
            people = [(call.kind, call.user) for call in row.within.calls if call.kind in PEOPLE]
            assert len(people) == len(set(people)), row


def signature(ledger: Ledger, stage: Stage, documents: int) -> None:
    """A collection is launched, read, signed by a colleague and by somebody outside, and finished."""
    first, _ = stage.colleagues
    label = f"{documents} document{'s' * (documents > 1)}"
    ids = [stage.put(f"Budget {label}/{n}.pdf", pdf()) for n in range(documents)]
    order = {
        "kind": "signature",
        "documents": [{"file_id": file_id} for file_id in ids],
        "recipients": [{"user": first}, {"email": OUTSIDE, "first_name": "Zoé", "last_name": "D’Été"}],
        "placements": stamps(documents, (0, 1)),
    }
    stage.creator.get("me")
    for which in ("first in its folder", "another"):
        with ledger.row(f"launching, {label}, {which}", 5 + 4 * documents):
            flow_id = launched(stage.creator, order)
    colleague = stage.recipient(first, flow_id)
    with ledger.row(f"opening, {label}, warm", 0):
        opened(colleague, f"/f/{flow_id}", documents)
    ledger.forget_files()
    with ledger.row(f"opening, {label}, cold", documents):
        opened(colleague, f"/f/{flow_id}", documents)
    with ledger.row(f"viewed, {label}", 1):
        assert colleague.act("view", {"documents": list(range(documents))}).status_code == 200
    with ledger.row(f"signing, {label}, warm", 3 + 2 * documents):
        assert colleague.sign().status_code == 200
    outside = stage.follow(flow_id)
    ledger.forget_files()
    with ledger.row(f"opening by link, {label}, cold", documents):
        opened(outside, outside.base, documents)
    ledger.forget_files()
    with ledger.row(f"signing and finishing, {label}, cold", (3 + 2 * documents) + (1 + 2 * documents)):
        assert outside.sign().status_code == 200
    with ledger.row(f"panel and inbox, {label}", 0):
        assert stage.creator.get(f"files/{ids[0]}/flows").json()["flows"][0]["state"] == "completed"
        for box in ("todo", "sent", "done"):
            assert stage.creator.get(f"flows?box={box}").status_code == 200
        assert stage.creator.get(f"flows/{flow_id}").json()["state"] == "completed"


def approval(ledger: Ledger, stage: Stage, act: Callable[[Actor], Any], what: str) -> None:
    first, second = stage.colleagues
    ids = [stage.put(f"Budget notes/{n}.txt", b"Oui ou non") for n in range(3)]
    stage.creator.get("me")
    order = {
        "kind": "validation",
        "documents": [{"file_id": file_id} for file_id in ids],
        "recipients": [{"user": first}, {"user": second}],
    }
    flow_id = launched(stage.creator, order)
    colleague = stage.recipient(first, flow_id)
    colleague.flow()
    with ledger.row(f"{what}, 3 documents", 3):
        assert act(colleague).status_code == 200


def steering(ledger: Ledger, stage: Stage) -> None:
    """What a creator does on the way costs no more than a decision."""
    file_id = stage.put("Budget steering/a.txt", b"Oui ou non")
    people = [{"email": OUTSIDE}, {"user": stage.colleagues[0]}]
    order = {"kind": "validation", "documents": [{"file_id": file_id}], "recipients": people}
    with ledger.row("launching what is steered", 9):  # and told: nobody is reminded before his invitation
        flow_id = launched(stage.creator, order)
    for what, method, body in (
        ("remind", "POST", {}),
        ("extend", "POST", {"expires_at": "2027-05-01"}),
        ("recipients/r1/link", "POST", {}),
        ("recipients/r2", "PUT", {"email": "other@example.com"}),
        ("cancel", "POST", {"reason": "Enough."}),
    ):
        with ledger.row(f"{method} {what}", 3):
            assert stage.creator.send(method, f"flows/{flow_id}/{what}", json=body).status_code == 200


def several_folders(ledger: Ledger, stage: Stage) -> None:
    """Each document's revisions lie beside it, so every folder gets one of its own."""
    ids = [stage.put(f"Budget folder {n}/{n}.pdf", pdf()) for n in range(3)]
    order = {
        "kind": "signature",
        "documents": [{"file_id": file_id} for file_id in ids],
        "recipients": [{"user": stage.colleagues[0]}],
        "placements": stamps(3, (0,)),
    }
    with ledger.row("launching, 3 documents of 3 folders", 5 + 4 * 3):
        launched(stage.creator, order)
    made = [call for call in ledger.rows[-1].within.calls if call.method == "MKCOL"]
    assert made == []  # the first file of each makes them


def launched(who: Browser, order: Json) -> str:
    answer = who.post("flows", order)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def opened(who: Actor, page: str, documents: int) -> None:
    """The page, what it asks for, and every document of it."""
    assert who.get(page).status_code == 200
    assert len(who.flow()["documents"]) == documents
    for n in range(documents):
        assert who.get(f"documents/{n}").status_code == 200
        assert who.get(f"documents/{n}/pages/1").status_code == 200

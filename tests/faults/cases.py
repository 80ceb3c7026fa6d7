"""One flow, and the people in it, as a campaign drives them: what they send stays the same when it is sent again."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from tests.faults.hosts import Host
from tests.faults.sidecar import Reply
from tests.pdfops import samples
from tests.world import signing, stamps

Json = dict[str, Any]
CREATOR = "alice"


class Asking(Protocol):
    """A sidecar, or one of several."""

    def ask(self, method: str, path: str, user: str = "", body: object = None, **headers: str) -> Reply: ...


@dataclass(frozen=True)
class Act:
    """``name``: launch, view, approve, sign, refuse, cancel. ``by``: the position of a recipient; 0: the creator."""

    name: str
    by: int = 0
    is_last: bool = False

    @property
    def kind(self) -> str:
        """What it is called in a table."""
        return f"last {self.name}" if self.is_last and self.name in ("sign", "approve") else self.name


@dataclass
class Case:
    number: int
    kind: str
    originals: dict[str, bytes]
    recipients: list[Json]
    acts: list[Act]
    host: Host
    file_ids: list[str] = field(default_factory=list)
    id: str = ""
    bodies: dict[Act, Json] = field(default_factory=dict)
    done: list[Act] = field(default_factory=list)
    """Acts that were acknowledged, each once."""
    tried: set[Act] = field(default_factory=set)
    """Acts that somebody asked for: whoever is not among them has consented to nothing."""
    kills: Counter[str] = field(default_factory=Counter)
    """Failpoint -> how often the sidecar died there while this flow was at work."""
    more: Json = field(default_factory=dict)
    """Of the order."""

    @property
    def folder(self) -> str:
        return f"Dossier {self.number}"

    @property
    def on_disk(self) -> Path:
        return self.host.root / CREATOR / self.folder

    @property
    def is_at_home(self) -> bool:
        """The host said of the folder, just then, that nothing can be put there: the flow's files are in the root."""
        return bool(self.id) and (self.host.root / CREATOR / ".flows" / self.id).exists()

    @property
    def place(self) -> Path:
        return self.host.root / CREATOR if self.is_at_home else self.on_disk

    @property
    def flow_folder(self) -> Path:
        return self.place / ".flows" / self.id

    @property
    def placements(self) -> list[Json]:
        signatories = [n for n, r in enumerate(self.recipients) if r["role"] == "signatory"]
        return stamps(len(self.originals), signatories) if self.kind == "signature" else []

    @property
    def order(self) -> Json:
        order = {
            "kind": self.kind,
            "title": f"Affaire {self.number}",
            "documents": [{"file_id": file_id} for file_id in self.file_ids],
            "recipients": self.recipients,
            "copy_to_all": True,
            **self.more,
        }
        return {**order, "placements": self.placements} if self.kind == "signature" else order

    @property
    def steps(self) -> list[list[str]]:
        """Who acts when: one after another, or those of one step at once."""
        steps: dict[int, list[str]] = {}
        for n, recipient in enumerate(self.recipients):
            steps.setdefault(recipient.get("step", n), []).append(f"r{n + 1}")
        return [steps[step] for step in sorted(steps)]

    def address(self, by: int) -> str:
        return str(self.recipients[by - 1].get("email") or f"{self.recipients[by - 1]['user']}@example.org")

    # ---- what people do -------------------------------------------------------------------------------------------
    def upload(self) -> None:
        self.file_ids = [
            self.host.put(CREATOR, f"{self.folder}/{name}", data) for name, data in self.originals.items()
        ]

    def prepare(self, act: Act, sidecar: Asking) -> None:
        """Reads what the person sees before he acts, and keeps what he is going to send."""
        if act.by == 0:
            self.bodies[act] = self.order if act.name == "launch" else {"reason": "Le projet est abandonné."}
            return
        seen = self._seen(act.by, sidecar)
        shown = {str(d["n"]): d["current_sha256"] for d in seen["documents"]}
        self.bodies[act] = {
            "view": lambda: {"documents": [int(n) for n in shown]},
            "approve": lambda: {"documents": shown, "comment": "Vu"},
            "sign": lambda: signing(seen),
            "refuse": lambda: {"reason": "Le montant est faux."},
        }[act.name]()

    def send(self, act: Act, sidecar: Asking) -> Reply:
        """The same every time. Raises: what the sidecar does."""
        self.tried.add(act)
        if act.name == "launch":
            token = self._token(sidecar, CREATOR)
            key = f"case-{self.number}"
            return sidecar.ask(
                "POST", "/api/v1/flows", CREATOR, self.bodies[act], X_CSRF_Token=token, Idempotency_Key=key
            )
        user = self.recipients[act.by - 1].get("user", "") if act.by else CREATOR
        base = f"/api/v1/flows/{self.id}" if user else self._link(act.by)
        token = self._token(sidecar, user) if user else self._seen(act.by, sidecar)["csrf_token"]
        reply = sidecar.ask("POST", f"{base}/{act.name}", user, self.bodies[act], X_CSRF_Token=token)
        if act.name == "cancel" and reply.code == "flow-ended":  # the same again: what he wanted is the case
            return Reply(200, reply.body)
        return reply

    def acknowledge(self, act: Act, reply: Reply) -> None:
        if act.name == "launch":
            known = str(reply.json["id"])
            assert self.id in ("", known), f"case {self.number} is two flows: {self.id} and {known}"
            self.id = known
        if act not in self.done:
            self.done.append(act)

    def _seen(self, by: int, sidecar: Asking) -> Json:
        user = self.recipients[by - 1].get("user", "")
        path = f"/api/v1/flows/{self.id}/flow.json" if user else f"{self._link(by)}/flow.json"
        reply = sidecar.ask("GET", path, user)
        if not reply.is_done:
            raise NotNow(reply)
        return dict(reply.json)

    def _token(self, sidecar: Asking, user: str) -> str:
        reply = sidecar.ask("GET", "/api/v1/me", user)
        if not reply.is_done:
            raise NotNow(reply)
        return str(reply.json["csrf_token"])

    def _link(self, by: int) -> str:
        """Path of the link, as the mail brought it."""
        links = [
            link
            for mail in self.host.mails()
            if mail["to"] == self.address(by) and f".{self.id}." in mail["message_id"]
            for link in mail["links"]
            if "/s/" in link
        ]
        assert links, f"case {self.number}: nobody told {self.address(by)}"
        return "/" + links[0].split("/", 3)[3]


class NotNow(Exception):
    """What had to be read first cannot be read now."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.text[:200]}")
        self.reply = reply


@cache
def _pdf(number: int) -> bytes:
    if number % 3 == 1:
        return samples.rotated_cropped_pdf(90, crop=(20, 30, 560, 800))
    return samples.simple_pdf(1 + number % 2, text=f"Convention {number}")


SHAPES = ("signed", "validated first", "in parallel", "refused", "cancelled", "approved")


def made(number: int, dice: random.Random, host: Host, shape: str = "") -> Case:
    """A flow of some shape: signed by two, after a validator perhaps, or by three; refused, cancelled, validated."""
    shape = shape or dice.choices(SHAPES, (6, 2, 2, 1, 1, 2))[0]
    outside = {"email": f"zoe{number}@ailleurs.example", "first_name": "Zoé", "last_name": "D’Été", "language": "fr"}
    documents = dice.choices((1, 2, 3), (4, 3, 1))[0]
    if shape == "approved":
        originals = {f"Note {letter}{number}.txt": f"{number} {letter} ".encode() * 50 for letter in "ABC"[:documents]}
        recipients = [{"user": "bob", "role": "validator"}, {**outside, "role": "validator"}]
        acts = [Act("view", 1), Act("approve", 1), Act("approve", 2, True)]
        return Case(number, "validation", originals, recipients, [Act("launch"), *acts], host)
    originals = {f"Pièce {letter}{number}.pdf": _pdf(n) for n, letter in enumerate("ABC"[:documents])}
    recipients = [{"user": "bob", "role": "signatory"}, {**outside, "role": "signatory"}]
    acts = [Act("view", 1), Act("sign", 1), Act("view", 2), Act("sign", 2, True)]
    if shape == "validated first":
        recipients = [{"user": "carol", "role": "validator"}, *recipients]
        acts = [Act("approve", 1), Act("sign", 2), Act("sign", 3, True)]
    if shape == "in parallel":
        both = [{"user": user, "role": "signatory", "step": 0} for user in ("bob", "carol")]
        recipients = [*both, {**outside, "role": "signatory", "step": 1}]
        acts = [Act("sign", 2), Act("sign", 1), Act("sign", 3, True)]
    if shape == "refused":
        acts = [Act("sign", 1), Act("refuse", 2, True)]
    if shape == "cancelled":
        acts = [Act("sign", 1), Act("cancel", 0, True)]
    return Case(number, "signature", originals, recipients, [Act("launch"), *acts], host)

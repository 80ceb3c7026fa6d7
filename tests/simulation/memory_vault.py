"""The vault without SQL: see `memory`."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from typing import Any

from plugin.adapters.chain import from_instant, instant
from plugin.adapters.claims import _LAYING, _SEEN, _laying, _pause_s, _written
from plugin.adapters.vault import Anchor, SqlVault
from plugin.ports_vault import (
    LaunchAttempt,
    Laying,
    Seen,
    Trouble,
)
from tests.simulation.memory import Change, Claim, MemoryDatabase

_LAUNCH = "launch"
_LAUNCH_WITHIN = timedelta(hours=1)


class MemoryVault(SqlVault):
    _database: Any

    def __init__(self, database: MemoryDatabase, *, only_instance: bool) -> None:
        self._database = database
        self._tables = database.tables
        self._process = secrets.token_hex(8)
        if only_instance:
            with self._database.vault_writing() as change:
                for key, claim in list(self._tables.claims.items()):
                    change.put(self._tables.claims, key, replace(claim, until="", holder=""))

    # ---- keys -------------------------------------------------------------------------------------------------------
    def knows_keys(self) -> bool:
        with self._database.vault():
            return bool(self._tables.kids or self._tables.heads)

    def kids(self) -> set[str]:
        with self._database.vault():
            return set(self._tables.kids)

    def remember_keys(self, kids: Iterable[str]) -> None:
        with self._database.vault_writing() as change:
            for kid in sorted(set(kids) - self._tables.kids.keys()):
                change.put(self._tables.kids, kid, True)

    # ---- heads and salts --------------------------------------------------------------------------------------------
    def anchor(self, flow_id: str) -> Anchor | None:
        with self._database.vault():
            return self._tables.heads.get(flow_id)

    def anchors(self) -> list[Anchor]:
        with self._database.vault():
            return [self._tables.heads[flow_id] for flow_id in sorted(self._tables.heads)]

    def put_anchor(self, connection: Any, anchor: Anchor) -> None:
        before = self._tables.heads.get(anchor.flow_id)
        if anchor.file_id is None and before is not None:
            anchor = replace(anchor, file_id=before.file_id)
        connection.put(self._tables.heads, anchor.flow_id, anchor)

    def anchor_for_update(self, connection: Any, flow_id: str) -> Anchor | None:
        return self._tables.heads.get(flow_id)

    def salts(self, flow_id: str) -> dict[str, bytes]:
        with self._database.vault():
            return {person: self._tables.salts[flow_id, person] for person in self._tables.persons.get(flow_id, ())}

    def put_salts(self, connection: Any, flow_id: str, new: Mapping[str, bytes]) -> None:
        self.hold_salts(connection, flow_id, new)
        for person, salt in new.items():
            connection.put(self._tables.salts, (flow_id, person), salt)

    def hold_salts(self, connection: Any, flow_id: str, new: Mapping[str, bytes]) -> dict[str, bytes]:
        known = self._tables.persons.get(flow_id, ())
        missing = {person: salt for person, salt in new.items() if person not in known}
        for person, salt in missing.items():
            connection.put(self._tables.salts, (flow_id, person), salt)
        if missing:
            connection.put(self._tables.persons, flow_id, tuple(sorted({*known, *missing})))
        return {person: self._tables.salts[flow_id, person] for person in new}

    def forget_salts(self, connection: Any, flow_id: str, persons: Collection[str]) -> bool:
        there = [person for person in persons if (flow_id, person) in self._tables.salts]
        for person in there:
            connection.drop(self._tables.salts, (flow_id, person))
        if there:
            left = tuple(person for person in self._tables.persons[flow_id] if person not in there)
            connection.put(self._tables.persons, flow_id, left)
        return bool(there)

    def seen(self, flow_id: str) -> Mapping[int, Seen]:
        with self._database.vault():
            works = [work for work in self._tables.works.get(flow_id, ()) if work.startswith(_SEEN)]
            claims = self._tables.claims
            return {int(work.removeprefix(_SEEN)): Seen(*json.loads(claims[flow_id, work].reason)) for work in works}

    def note_seen(self, flow_id: str, originals: Mapping[int, Seen]) -> None:
        with self._database.vault_writing() as change:
            for n, seen in originals.items():
                self._put_claim(change, flow_id, f"{_SEEN}{n}", Claim("", 0, json.dumps(astuple(seen)), ""))

    def forget_seen(self, flow_id: str) -> None:
        with self._database.vault_writing() as change:
            for work in [work for work in self._tables.works.get(flow_id, ()) if work.startswith(_SEEN)]:
                self._drop_claim(change, flow_id, work)

    def note_layings(self, flow_id: str, layings: Sequence[Laying]) -> None:
        known = {_written(one) for one in self.layings(flow_id)}
        new = [text for text in map(_written, layings) if text not in known]
        if not new:
            return
        with self._database.vault_writing() as change:
            for text in new:
                work = f"{_LAYING}{hashlib.sha256(text.encode()).hexdigest()}"
                self._put_claim(change, flow_id, work, Claim("", 0, text, ""))

    def layings(self, flow_id: str) -> list[Laying]:
        with self._database.vault():
            works = sorted(work for work in self._tables.works.get(flow_id, ()) if work.startswith(_LAYING))
            return [_laying(*json.loads(self._tables.claims[flow_id, work].reason)) for work in works]

    def forget_layings(self, flow_id: str) -> None:
        with self._database.vault():
            works = [work for work in self._tables.works.get(flow_id, ()) if work.startswith(_LAYING)]
        if not works:
            return
        with self._database.vault_writing() as change:
            for work in works:
                self._drop_claim(change, flow_id, work)

    # ---- launches ---------------------------------------------------------------------------------------------------
    def begin_launch(self, attempt: LaunchAttempt, now: datetime) -> None:
        reason = json.dumps([attempt.owner, dict(attempt.folders)])
        with self._database.vault_writing() as change:
            assert (attempt.flow_id, _LAUNCH) not in self._tables.claims
            self._put_claim(change, attempt.flow_id, _LAUNCH, Claim(instant(now + _LAUNCH_WITHIN), 0, reason, ""))

    def give_up_launch(self, flow_id: str, now: datetime, after: timedelta) -> None:
        with self._database.vault_writing() as change:
            claim = self._tables.claims.get((flow_id, _LAUNCH))
            if claim is not None:
                self._put_claim(change, flow_id, _LAUNCH, replace(claim, until=instant(now + after), attempts=1))

    def prolong_launch(self, flow_id: str, now: datetime) -> bool:
        with self._database.vault_writing() as change:
            claim = self._tables.claims.get((flow_id, _LAUNCH))
            if claim is None or claim.attempts != 0:
                return False
            self._put_claim(change, flow_id, _LAUNCH, replace(claim, until=instant(now + _LAUNCH_WITHIN)))
            return True

    def cut_off_launches(self, now: datetime) -> list[LaunchAttempt]:
        return self._launches(lambda flow_id, claim: flow_id not in self._tables.heads and claim.until <= instant(now))

    def counted_launches(self) -> list[LaunchAttempt]:
        return self._launches(lambda flow_id, _claim: flow_id in self._tables.heads)

    def _launches(self, is_wanted: Callable[[str, Claim], bool]) -> list[LaunchAttempt]:
        with self._database.vault():
            mine = sorted(
                ((f, c) for (f, work), c in self._tables.claims.items() if work == _LAUNCH and is_wanted(f, c)),
                key=lambda one: one[0],
            )
            reasons = [(flow_id, json.loads(claim.reason)) for flow_id, claim in mine]
        return [LaunchAttempt(flow_id, owner, folders) for flow_id, (owner, folders) in reasons]

    # ---- opened, troubles -------------------------------------------------------------------------------------------
    def mark_opened(self, flow_id: str, recipient: str, round_: int, now: datetime) -> None:
        with self._database.vault():
            if (flow_id, recipient, round_) in self._tables.opened:
                return
        with self._database.vault_writing() as change:
            change.put(self._tables.opened, (flow_id, recipient, round_), instant(now))

    def opened(self, flow_id: str) -> Mapping[tuple[str, int], datetime]:
        with self._database.vault():
            found = self._tables.opened.items()
            return {(rid, round_): from_instant(at) for (flow, rid, round_), at in found if flow == flow_id}

    def note_trouble(self, flow_id: str, reason: str, person: str, now: datetime) -> None:
        if any((t.reason, t.person) == (reason, person) for t in self.troubles(flow_id)):
            return
        with self._database.vault_writing() as change:
            if (flow_id, reason, person) not in self._tables.troubles:
                change.put(self._tables.troubles, (flow_id, reason, person), instant(now))

    def troubles(self, flow_id: str | None = None) -> list[Trouble]:
        with self._database.vault():
            found = sorted((since, *key) for key, since in self._tables.troubles.items())
        known = [Trouble(flow, reason, person, from_instant(since)) for since, flow, reason, person in found]
        return [trouble for trouble in known if flow_id is None or trouble.flow_id == flow_id]

    def end_trouble(self, flow_id: str, reason: str, person: str) -> None:
        with self._database.vault_writing() as change:
            change.drop(self._tables.troubles, (flow_id, reason, person))

    # ---- claims -----------------------------------------------------------------------------------------------------
    def claim(self, flow_id: str, work: str, now: datetime, ttl_s: int) -> bool:
        until, at = instant(now + timedelta(seconds=ttl_s)), instant(now)
        with self._database.vault_writing() as change:
            there = self._tables.claims.get((flow_id, work))
            if there is not None and (there.until > at or there.not_before > at):
                return False
            new = replace(there, until=until) if there is not None else Claim(until, 0, "", "")
            new = replace(new, holder=self._holder)
            self._put_claim(change, flow_id, work, new)
        return True

    def prolong(self, flow_id: str, work: str, now: datetime, ttl_s: int, word: str) -> bool:
        until = instant(now + timedelta(seconds=ttl_s))
        with self._database.vault_writing() as change:
            claim = self._tables.claims.get((flow_id, work))
            if claim is None or claim.holder != self._holder:
                return False
            self._put_claim(change, flow_id, work, replace(claim, until=until, reason=word))
            return True

    def postpone(self, flow_id: str, work: str, now: datetime, reason: str) -> datetime:
        with self._database.vault_writing() as change:
            there = self._tables.claims.get((flow_id, work))
            attempts = (there.attempts if there is not None else 0) + 1
            again = now + timedelta(seconds=_pause_s(attempts))
            if there is None or there.holder in ("", self._holder):
                self._put_claim(change, flow_id, work, Claim("", attempts, reason, instant(again)))
        return again

    def attempts(self, flow_id: str) -> Mapping[str, tuple[int, str]]:
        with self._database.vault():
            claims = ((work, self._tables.claims[flow_id, work]) for work in self._tables.works.get(flow_id, ()))
            return {work: (claim.attempts, claim.reason) for work, claim in claims if claim.attempts > 0}

    def put_off(self, reason: str, now: datetime) -> list[str]:
        at = instant(now)
        with self._database.vault():
            put_off = ((f, c) for (f, _), c in self._tables.claims.items() if c.attempts > 0 and c.reason == reason)
            return sorted({flow_id for flow_id, claim in put_off if claim.not_before <= at})

    def release(self, flow_id: str, work: str) -> None:
        with self._database.vault_writing() as change:
            there = self._tables.claims.get((flow_id, work))
            if there is not None and there.holder in ("", self._holder):
                self._drop_claim(change, flow_id, work)

    def postponed(self) -> Mapping[str, str]:
        latest: dict[str, str] = {}
        with self._database.vault():
            for (flow_id, _), claim in self._tables.claims.items():
                if claim.attempts > 0:
                    latest[flow_id] = max(latest.get(flow_id, ""), claim.not_before)
        return latest

    def _put_claim(self, change: Change, flow_id: str, work: str, claim: Claim) -> None:
        change.put(self._tables.claims, (flow_id, work), claim)
        works = self._tables.works.get(flow_id, ())
        if work not in works:
            change.put(self._tables.works, flow_id, (*works, work))

    def _drop_claim(self, change: Change, flow_id: str, work: str) -> None:
        if (flow_id, work) in self._tables.claims:
            change.drop(self._tables.claims, (flow_id, work))
            left = tuple(one for one in self._tables.works[flow_id] if one != work)
            change.put(self._tables.works, flow_id, left)

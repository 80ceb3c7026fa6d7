"""What cannot be rebuilt from files: chain heads, salts, "opened" marks, claims on work, keys that were seen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from plugin.adapters.chain import from_instant, instant
from plugin.adapters.sql import Database, claims, heads, known_keys, opened, salts, troubles
from plugin.flow.model import Instead
from plugin.ports_state import StatePlace
from plugin.ports_vault import (
    LaunchAttempt,
    Laying,
    Seen,
    Trouble,
)

_LAUNCH = "launch"
_LAYING = "lay:"
_SEEN = "original:"
_IS_SEEN = claims.c.work.startswith(_SEEN)
_COUNTS = claims.c.flow_id.in_(sa.select(heads.c.flow_id))
"""The first line of a launch was acknowledged."""
_LAUNCH_WITHIN = timedelta(hours=1)
_PAUSES_S = (5, 10, 20, 40, 60)
_LONG_PAUSE_S = 600
_ATTEMPTS_BEFORE_LONG_PAUSE = 60


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last head of a flow that was acknowledged, and where its state file lies."""

    flow_id: str
    head: str
    length: int
    fence: int
    place: StatePlace
    file_id: str | None


class SqlVault:
    """The port ``Vault``, and what the store keeps there."""

    def __init__(self, database: Database, *, only_instance: bool) -> None:
        """``only_instance``: claims of an earlier boot are free at once; nobody else can hold one."""
        self._database = database
        self._holder = secrets.token_hex(8)
        """Of the claims that this process takes. One that it held too long, and that another took, is that one's."""
        if only_instance:
            with database.vault_writing() as connection:
                connection.execute(sa.update(claims).values(until="", holder=""))

    # ---- heads and salts --------------------------------------------------------------------------------------------
    def anchor(self, flow_id: str) -> Anchor | None:
        with self._database.vault() as connection:
            row = connection.execute(sa.select(heads).where(heads.c.flow_id == flow_id)).one_or_none()
        return None if row is None else _anchor(row)

    def anchor_for_update(self, connection: Connection, flow_id: str) -> Anchor | None:
        """Nobody changes it before this transaction ends."""
        row = connection.execute(sa.select(heads).where(heads.c.flow_id == flow_id).with_for_update()).one_or_none()
        return None if row is None else _anchor(row)

    def anchors(self) -> list[Anchor]:
        """Every flow that was ever acknowledged."""
        with self._database.vault() as connection:
            return [_anchor(row) for row in connection.execute(sa.select(heads).order_by(heads.c.flow_id))]

    def anchors_of(self, flow_ids: Collection[str]) -> dict[str, Anchor]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(heads).where(heads.c.flow_id.in_(flow_ids)))
            return {row.flow_id: _anchor(row) for row in rows}

    def salts_of(self, flow_ids: Collection[str]) -> dict[str, dict[str, bytes]]:
        """Flow -> person -> salt; a flow without any is missing."""
        found: dict[str, dict[str, bytes]] = {}
        with self._database.vault() as connection:
            for row in connection.execute(sa.select(salts).where(salts.c.flow_id.in_(flow_ids))):
                found.setdefault(row.flow_id, {})[row.person] = bytes(row.salt)
        return found

    def put_anchor(self, connection: Connection, anchor: Anchor) -> None:
        """A place or file id that is known already is kept where ``anchor`` has none."""
        values = {
            "head": anchor.head,
            "length": anchor.length,
            "fence": anchor.fence,
            "owner": anchor.place.owner,
            "path": anchor.place.path,
        }
        if anchor.file_id is not None:
            values["file_id"] = anchor.file_id
        changed = connection.execute(sa.update(heads).where(heads.c.flow_id == anchor.flow_id).values(values))
        if changed.rowcount == 0:
            connection.execute(sa.insert(heads).values(flow_id=anchor.flow_id, **values))

    def salts(self, flow_id: str) -> dict[str, bytes]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(salts.c.person, salts.c.salt).where(salts.c.flow_id == flow_id))
            return {person: bytes(salt) for person, salt in rows.all()}

    def put_salts(self, connection: Connection, flow_id: str, new: Mapping[str, bytes]) -> None:
        """Also in the place of others, that were held for a line that never came."""
        held = self.hold_salts(connection, flow_id, new)
        for person in (person for person in new if held[person] != new[person]):
            mine = (salts.c.flow_id == flow_id, salts.c.person == person)
            connection.execute(sa.update(salts).where(*mine).values(salt=new[person]))

    def hold_salts(self, connection: Connection, flow_id: str, new: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those of whom there is none. Returns: what there now is of all these persons."""
        if not new:
            return {}
        mine = (salts.c.flow_id == flow_id, salts.c.person.in_(new))
        rows = connection.execute(sa.select(salts.c.person, salts.c.salt).where(*mine)).all()
        known = {person: bytes(salt) for person, salt in rows}
        self.put_salts_of(connection, {flow_id: {p: salt for p, salt in new.items() if p not in known}})
        return {**new, **known}

    def put_salts_of(self, connection: Connection, new: Mapping[str, Mapping[str, bytes]]) -> None:
        """Of many flows, in one statement."""
        rows = [
            {"flow_id": flow_id, "person": person, "salt": salt}
            for flow_id, persons in new.items()
            for person, salt in persons.items()
        ]
        if rows:
            connection.execute(sa.insert(salts), rows)

    def forget_salts(self, connection: Connection, flow_id: str, persons: Collection[str]) -> bool:
        """Their values can be read by nobody any more (but by whoever has a copy of a salt). Returns: whether one was
        there."""
        mine = (salts.c.flow_id == flow_id, salts.c.person.in_(persons))
        return connection.execute(sa.delete(salts).where(*mine)).rowcount > 0

    # ---- keys -------------------------------------------------------------------------------------------------------
    def knows_keys(self) -> bool:
        """Data was signed or encrypted before: the start must not make new keys."""
        with self._database.vault() as connection:
            seen = connection.execute(sa.select(known_keys.c.kid).limit(1)).first()
            return seen is not None or connection.execute(sa.select(heads.c.flow_id).limit(1)).first() is not None

    def kids(self) -> set[str]:
        """Of every chain key that may have signed a line."""
        with self._database.vault() as connection:
            return set(connection.execute(sa.select(known_keys.c.kid)).scalars())

    def remember_keys(self, kids: Iterable[str]) -> None:
        with self._database.vault_writing() as connection:
            seen = set(connection.execute(sa.select(known_keys.c.kid)).scalars())
            for kid in sorted(set(kids) - seen):
                connection.execute(sa.insert(known_keys).values(kid=kid))

    # ---- launches on their way: claims, with owner and folders as their reason --------------------------------------
    def begin_launch(self, attempt: LaunchAttempt, now: datetime) -> None:
        with self._database.vault_writing() as connection:
            connection.execute(
                sa.insert(claims).values(
                    flow_id=attempt.flow_id,
                    work=_LAUNCH,
                    until=instant(now + _LAUNCH_WITHIN),
                    attempts=0,
                    reason=json.dumps([attempt.owner, *attempt.folders]),
                    not_before="",
                )
            )

    def prolong_launch(self, flow_id: str, now: datetime) -> None:
        with self._database.vault_writing() as connection:
            mine = (claims.c.flow_id == flow_id, claims.c.work == _LAUNCH, claims.c.attempts == 0)
            connection.execute(sa.update(claims).where(*mine).values(until=instant(now + _LAUNCH_WITHIN)))

    def give_up_launch(self, flow_id: str, again: datetime) -> None:
        with self._database.vault_writing() as connection:
            mine = (claims.c.flow_id == flow_id, claims.c.work == _LAUNCH)
            connection.execute(sa.update(claims).where(*mine).values(until=instant(again), attempts=1))

    def end_launch(self, flow_id: str) -> None:
        self.release(flow_id, _LAUNCH)

    def cut_off_launches(self, now: datetime) -> list[LaunchAttempt]:
        return self._launches(claims.c.until <= instant(now), ~_COUNTS)

    def counted_launches(self) -> list[LaunchAttempt]:
        return self._launches(_COUNTS)

    def _launches(self, *which: sa.ColumnElement[bool]) -> list[LaunchAttempt]:
        wanted = sa.select(claims).where(claims.c.work == _LAUNCH, *which).order_by(claims.c.flow_id)
        with self._database.vault() as connection:
            rows = connection.execute(wanted).all()
        return [
            LaunchAttempt(row.flow_id, owner, tuple(folders))
            for row in rows
            for owner, *folders in (json.loads(row.reason),)
        ]

    # ---- originals: claims that nobody holds, with what was seen as their reason ------------------------------------
    def seen(self, flow_id: str) -> Mapping[int, Seen]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(claims).where(claims.c.flow_id == flow_id, _IS_SEEN)).all()
        return {int(row.work.removeprefix(_SEEN)): Seen(*json.loads(row.reason)) for row in rows}

    def note_seen(self, flow_id: str, originals: Mapping[int, Seen]) -> None:
        with contextlib.suppress(sa.exc.IntegrityError), self._database.vault_writing() as connection:
            for n, seen in originals.items():
                work, word = f"{_SEEN}{n}", json.dumps(astuple(seen))
                connection.execute(sa.delete(claims).where(claims.c.flow_id == flow_id, claims.c.work == work))
                values = {"until": "", "attempts": 0, "reason": word, "not_before": ""}
                connection.execute(sa.insert(claims).values(flow_id=flow_id, work=work, **values))

    def forget_seen(self, flow_id: str) -> None:
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(claims).where(claims.c.flow_id == flow_id, _IS_SEEN))

    # ---- results about to be put into folders: claims that nobody waits for -----------------------------------------
    def note_layings(self, flow_id: str, layings: Sequence[Laying]) -> None:
        known = {_written(one) for one in self.layings(flow_id)}
        new = [text for text in map(_written, layings) if text not in known]
        if not new:
            return
        with self._database.vault_writing() as connection:
            for text in new:
                work = f"{_LAYING}{hashlib.sha256(text.encode()).hexdigest()}"
                values = {"until": "", "attempts": 0, "reason": text, "not_before": ""}
                connection.execute(sa.insert(claims).values(flow_id=flow_id, work=work, **values))

    def layings(self, flow_id: str) -> list[Laying]:
        wanted = sa.select(claims.c.reason).where(claims.c.flow_id == flow_id, claims.c.work.startswith(_LAYING))
        with self._database.vault() as connection:
            found = connection.execute(wanted.order_by(claims.c.work)).scalars()
            return [_laying(*json.loads(text)) for text in found]

    def forget_layings(self, flow_id: str) -> None:
        mine = (claims.c.flow_id == flow_id, claims.c.work.startswith(_LAYING))
        with self._database.vault() as connection:
            if connection.execute(sa.select(claims.c.work).where(*mine).limit(1)).first() is None:
                return
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(claims).where(*mine))

    # ---- opened -----------------------------------------------------------------------------------------------------
    def mark_opened(self, flow_id: str, recipient: str, round_: int, now: datetime) -> None:
        key = (opened.c.flow_id == flow_id, opened.c.recipient == recipient, opened.c.round == round_)
        with self._database.vault() as connection:
            if connection.execute(sa.select(opened.c.at).where(*key)).first() is not None:
                return
        try:
            with self._database.vault_writing() as connection:
                connection.execute(
                    sa.insert(opened).values(flow_id=flow_id, recipient=recipient, round=round_, at=instant(now))
                )
        except sa.exc.IntegrityError:
            return

    def opened(self, flow_id: str) -> Mapping[tuple[str, int], datetime]:
        with self._database.vault() as connection:
            rows = connection.execute(sa.select(opened).where(opened.c.flow_id == flow_id)).all()
        return {(row.recipient, row.round): from_instant(row.at) for row in rows}

    # ---- troubles ---------------------------------------------------------------------------------------------------
    def note_trouble(self, flow_id: str, reason: str, person: str, now: datetime) -> None:
        values = {"flow_id": flow_id, "reason": reason, "person": person}
        if any((t.reason, t.person) == (reason, person) for t in self.troubles(flow_id)):
            return
        with contextlib.suppress(sa.exc.IntegrityError), self._database.vault_writing() as connection:
            connection.execute(sa.insert(troubles).values(**values, since=instant(now)))

    def troubles(self, flow_id: str | None = None) -> list[Trouble]:
        wanted = sa.select(troubles).order_by(
            troubles.c.since, troubles.c.flow_id, troubles.c.reason, troubles.c.person
        )
        if flow_id is not None:
            wanted = wanted.where(troubles.c.flow_id == flow_id)
        with self._database.vault() as connection:
            rows = connection.execute(wanted).all()
        return [Trouble(row.flow_id, row.reason, row.person, from_instant(row.since)) for row in rows]

    def end_trouble(self, flow_id: str, reason: str, person: str) -> None:
        mine = (troubles.c.flow_id == flow_id, troubles.c.reason == reason, troubles.c.person == person)
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(troubles).where(*mine))

    # ---- claims -----------------------------------------------------------------------------------------------------
    def claim(self, flow_id: str, work: str, now: datetime, ttl_s: int) -> bool:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        until, at = instant(now + timedelta(seconds=ttl_s)), instant(now)
        try:
            with self._database.vault_writing() as connection:
                taken = connection.execute(
                    sa.update(claims)
                    .where(*key, claims.c.until <= at, claims.c.not_before <= at)
                    .values(until=until, holder=self._holder)
                )
                if taken.rowcount == 1:
                    return True
                if connection.execute(sa.select(claims.c.work).where(*key)).first() is not None:
                    return False
                connection.execute(
                    sa.insert(claims).values(
                        flow_id=flow_id,
                        work=work,
                        until=until,
                        attempts=0,
                        reason="",
                        not_before="",
                        holder=self._holder,
                    )
                )
        except sa.exc.IntegrityError:
            return False
        return True

    def postpone(self, flow_id: str, work: str, now: datetime, reason: str) -> datetime:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        with self._database.vault_writing() as connection:
            before = connection.execute(sa.select(claims.c.attempts).where(*key)).scalar_one_or_none()
            attempts = (before or 0) + 1
            again = now + timedelta(seconds=_pause_s(attempts))
            values = {"until": "", "attempts": attempts, "reason": reason, "not_before": instant(again), "holder": ""}
            if before is None:
                connection.execute(sa.insert(claims).values(flow_id=flow_id, work=work, **values))
            else:
                connection.execute(sa.update(claims).where(*key, self._is_free_or_mine).values(values))
        return again

    def attempts(self, flow_id: str) -> Mapping[str, tuple[int, str]]:
        with self._database.vault() as connection:
            rows = connection.execute(
                sa.select(claims).where(claims.c.flow_id == flow_id, claims.c.attempts > 0)
            ).all()
        return {row.work: (row.attempts, row.reason) for row in rows}

    def put_off(self, reason: str, now: datetime) -> list[str]:
        wanted = sa.select(claims.c.flow_id).where(claims.c.reason == reason, claims.c.attempts > 0)
        with self._database.vault() as connection:
            found = connection.execute(wanted.where(claims.c.not_before <= instant(now)).distinct())
            return sorted(found.scalars())

    def prolong(self, flow_id: str, work: str, now: datetime, ttl_s: int, word: str) -> bool:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        values = {"until": instant(now + timedelta(seconds=ttl_s)), "reason": word}
        with self._database.vault_writing() as connection:
            kept = connection.execute(sa.update(claims).where(*key, claims.c.holder == self._holder).values(values))
        return kept.rowcount == 1

    def word(self, flow_id: str, work: str, now: datetime) -> str | None:
        key = (claims.c.flow_id == flow_id, claims.c.work == work, claims.c.until > instant(now))
        with self._database.vault() as connection:
            return connection.execute(sa.select(claims.c.reason).where(*key)).scalar_one_or_none()

    def release(self, flow_id: str, work: str) -> None:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(claims).where(*key, self._is_free_or_mine))

    @property
    def _is_free_or_mine(self) -> sa.ColumnElement[bool]:
        return claims.c.holder.in_(["", self._holder])

    def postponed(self) -> Mapping[str, str]:
        """Flow -> the latest time (RFC 3339, UTC) to which some work of it was put off and that is not done yet."""
        latest = sa.func.max(claims.c.not_before)
        wanted = sa.select(claims.c.flow_id, latest).where(claims.c.attempts > 0).group_by(claims.c.flow_id)
        with self._database.vault() as connection:
            return {row[0]: str(row[1]) for row in connection.execute(wanted)}


def _anchor(row: Any) -> Anchor:
    return Anchor(row.flow_id, row.head, row.length, row.fence, StatePlace(row.owner, row.path), row.file_id)


def _written(one: Laying) -> str:
    instead = str(one.instead) if one.instead is not None else None
    return json.dumps([one.what, one.folder, one.name, one.sha256, one.head, instead])


def _laying(what: str, folder: str, name: str, sha256: str, head: str, instead: str | None) -> Laying:
    return Laying(what, folder, name, sha256, head, Instead(instead) if instead is not None else None)


def _pause_s(attempts: int) -> int:
    if attempts > _ATTEMPTS_BEFORE_LONG_PAUSE:
        return _LONG_PAUSE_S
    return _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]

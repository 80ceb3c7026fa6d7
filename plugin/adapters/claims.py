"""Claims on work, and what is noted like one: launches under way, originals as they were seen, results to be laid."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from plugin.adapters.chain import instant
from plugin.adapters.sql import Database, claims, heads
from plugin.flow.model import Instead
from plugin.ports_vault import LaunchAttempt, Laying, Seen

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


class SqlClaims:
    """A part of the port ``Vault``."""

    def __init__(self, database: Database, *, only_instance: bool, asks_time: bool = False) -> None:
        """``only_instance``: claims of an earlier boot are free at once; nobody else can hold one. ``asks_time``: on
        PostgreSQL, claims run and work is put off by the clock of the database, whatever ``now`` a caller's machine
        believes in: replicas agree then on what is over."""
        self._database = database
        self._asks_time = asks_time
        self._process = secrets.token_hex(8)
        if only_instance:
            with database.vault_writing() as connection:
                connection.execute(sa.update(claims).values(until="", holder=""))

    @property
    def _holder(self) -> str:
        """Of the claims that this thread takes. One that it held too long, and that another one took, be it of this
        process, is that one's."""
        return f"{self._process}-{threading.get_ident()}"

    # ---- claims -----------------------------------------------------------------------------------------------------
    def claim(self, flow_id: str, work: str, now: datetime, ttl_s: int) -> bool:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        try:
            with self._database.vault_writing() as connection:
                now = self._moment(connection, now)
                until, at = instant(now + timedelta(seconds=ttl_s)), instant(now)
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
            again = self._moment(connection, now) + timedelta(seconds=_pause_s(attempts))
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
            at = instant(self._moment(connection, now))
            found = connection.execute(wanted.where(claims.c.not_before <= at).distinct())
            return sorted(found.scalars())

    def prolong(self, flow_id: str, work: str, now: datetime, ttl_s: int, word: str) -> bool:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        with self._database.vault_writing() as connection:
            until = instant(self._moment(connection, now) + timedelta(seconds=ttl_s))
            values = {"until": until, "reason": word}
            kept = connection.execute(sa.update(claims).where(*key, claims.c.holder == self._holder).values(values))
        return kept.rowcount == 1

    def word(self, flow_id: str, work: str, now: datetime) -> str | None:
        with self._database.vault() as connection:
            at = instant(self._moment(connection, now))
            key = (claims.c.flow_id == flow_id, claims.c.work == work, claims.c.until > at)
            return connection.execute(sa.select(claims.c.reason).where(*key)).scalar_one_or_none()

    def release(self, flow_id: str, work: str) -> None:
        key = (claims.c.flow_id == flow_id, claims.c.work == work)
        with self._database.vault_writing() as connection:
            connection.execute(sa.delete(claims).where(*key, self._is_free_or_mine))

    def _moment(self, connection: Connection, now: datetime) -> datetime:
        if not self._asks_time or connection.dialect.name != "postgresql":
            return now
        told: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return told

    @property
    def _is_free_or_mine(self) -> sa.ColumnElement[bool]:
        return claims.c.holder.in_(["", self._holder])

    def postponed(self) -> Mapping[str, str]:
        """Flow -> the latest time (RFC 3339, UTC) to which some work of it was put off and that is not done yet."""
        latest = sa.func.max(claims.c.not_before)
        wanted = sa.select(claims.c.flow_id, latest).where(claims.c.attempts > 0).group_by(claims.c.flow_id)
        with self._database.vault() as connection:
            return {row[0]: str(row[1]) for row in connection.execute(wanted)}

    # ---- launches on their way: claims, with owner and folders as their reason --------------------------------------
    def begin_launch(self, attempt: LaunchAttempt, now: datetime) -> None:
        with self._database.vault_writing() as connection:
            connection.execute(
                sa.insert(claims).values(
                    flow_id=attempt.flow_id,
                    work=_LAUNCH,
                    until=instant(self._moment(connection, now) + _LAUNCH_WITHIN),
                    attempts=0,
                    reason=json.dumps([attempt.owner, dict(attempt.folders)]),
                    not_before="",
                )
            )

    def prolong_launch(self, flow_id: str, now: datetime) -> bool:
        with self._database.vault_writing() as connection:
            mine = (claims.c.flow_id == flow_id, claims.c.work == _LAUNCH, claims.c.attempts == 0)
            until = instant(self._moment(connection, now) + _LAUNCH_WITHIN)
            return connection.execute(sa.update(claims).where(*mine).values(until=until)).rowcount == 1

    def give_up_launch(self, flow_id: str, now: datetime, after: timedelta) -> None:
        with self._database.vault_writing() as connection:
            mine = (claims.c.flow_id == flow_id, claims.c.work == _LAUNCH)
            again = instant(self._moment(connection, now) + after)
            connection.execute(sa.update(claims).where(*mine).values(until=again, attempts=1))

    def end_launch(self, flow_id: str) -> None:
        self.release(flow_id, _LAUNCH)

    def cut_off_launches(self, now: datetime) -> list[LaunchAttempt]:
        with self._database.vault() as connection:
            return _launches(connection, claims.c.until <= instant(self._moment(connection, now)), ~_COUNTS)

    def counted_launches(self) -> list[LaunchAttempt]:
        with self._database.vault() as connection:
            return _launches(connection, _COUNTS)

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


def _launches(connection: Connection, *which: sa.ColumnElement[bool]) -> list[LaunchAttempt]:
    wanted = sa.select(claims).where(claims.c.work == _LAUNCH, *which).order_by(claims.c.flow_id)
    return [
        LaunchAttempt(row.flow_id, owner, folders[0] if isinstance(folders[0], dict) else dict.fromkeys(folders, ""))
        for row in connection.execute(wanted).all()
        for owner, *folders in (json.loads(row.reason),)  # an older version noted the folders alone
    ]


def _written(one: Laying) -> str:
    instead = str(one.instead) if one.instead is not None else None
    size = [] if one.size_bytes is None else [one.size_bytes]
    return json.dumps([one.what, one.folder, one.name, one.sha256, one.head, instead, *size])


def _laying(
    what: str,
    folder: str,
    name: str,
    sha256: str,
    head: str,
    instead: str | None,
    size_bytes: int | None = None,
    *_of_a_later_version: object,
) -> Laying:
    return Laying(what, folder, name, sha256, head, Instead(instead) if instead is not None else None, size_bytes)


def _pause_s(attempts: int) -> int:
    if attempts > _ATTEMPTS_BEFORE_LONG_PAUSE:
        return _LONG_PAUSE_S
    return _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
